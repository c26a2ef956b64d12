//! Rivers: the courses of the terrain within the county, with the width of their water.

use crate::land::Land;
use crate::plane::Line;
use crate::sheet::{Row, Sheet};

/// Greatest distance of a drawn course from the true one, as a share of the width of the water.
const ROUGHNESS: f64 = 0.15;

/// The layer; creeks without a name are left out.
pub(crate) fn sheet(land: &Land) -> Sheet {
    let mut sheet = Sheet::new("rivers");
    for stream in land.terrain.streams.iter().filter(|stream| !stream.name.is_empty()) {
        let width_m = stream.half_width_m * 2.0;
        for course in within(land, &stream.course.resampled((width_m * ROUGHNESS * 8.0).clamp(30.0, 150.0))) {
            let middle = course.at(course.length() / 2.0).0;
            let name = sheet.fresh_name(stream.name);
            sheet.push(
                Row::new(
                    format!("RV-{:02}", sheet.rows.len() + 1),
                    name,
                    land.township_code(middle),
                    course.drawn(60.0).into(),
                )
                .with("width_m", width_m),
            );
        }
    }
    sheet
}

/// The parts of a course in the county.
fn within(land: &Land, course: &Line) -> Vec<Line> {
    let runs = course.0.split(|&at| land.terrain.depth_m(at) < 20.0);
    runs.filter(|run| run.len() > 2).map(|run| Line(run.to_vec())).collect()
}
