//! Rivers: the courses of the terrain within the county, with the width of their water.

use crate::land::Land;
use crate::sheet::{Row, Sheet};

/// Distance between the points of a drawn course, as a multiple of the width of the water.
const SPACING_WIDTHS: f64 = 1.2;
/// Bounds of that distance, metres.
const SPACING_M: (f64, f64) = (30.0, 150.0);
/// Distance of a course from the border of the county, metres.
const DEPTH_M: f64 = 20.0;

/// The layer; creeks without a name are left out.
pub(crate) fn sheet(land: &Land) -> Sheet {
    let mut sheet = Sheet::new("rivers");
    for stream in land.terrain.streams.iter().filter(|stream| !stream.name.is_empty()) {
        let width_m = stream.half_width_m * 2.0;
        let spacing_m = (width_m * SPACING_WIDTHS).clamp(SPACING_M.0, SPACING_M.1);
        for course in land.within(&stream.course.resampled(spacing_m), DEPTH_M) {
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
