//! Isochrones: the area around the roads that can be reached within a time.

use geo::{Buffer, Coord, LineString, MapCoords, MultiLineString, MultiPolygon};

use super::Travel;
use crate::geodesy::LonLat;
use crate::query::cancel::{CancelToken, Cancelled};

/// Width of the area on both sides of a road, metres.
pub const WITHIN_M: f64 = 200.0;
/// Metres of a degree of latitude; of longitude on the equator.
const METRES_PER_DEG: f64 = 111_195.0;

/// The area in longitude, latitude degrees; empty if no road is reached. Distances are those of a plane around the position,
/// which are exact to a part in a thousand for a day's travel in a county.
///
/// # Errors
/// When it is cancelled.
pub fn isochrone(
    travel: &Travel<'_>,
    around: LonLat,
    max_duration_s: f64,
    cancel: &CancelToken,
) -> Result<MultiPolygon, Cancelled> {
    let east_m = METRES_PER_DEG * around.lat().to_radians().cos();
    let to_plane = |at: Coord| Coord { x: (at.x - around.lon()) * east_m, y: (at.y - around.lat()) * METRES_PER_DEG };
    let from_plane = |at: Coord| Coord { x: around.lon() + at.x / east_m, y: around.lat() + at.y / METRES_PER_DEG };
    let parts = travel.reached_parts(max_duration_s);
    cancel.check()?;
    let lines = parts.into_iter().map(|part| LineString(part.into_iter().map(to_plane).collect()));
    let area = MultiLineString(lines.collect()).buffer(WITHIN_M);
    cancel.check()?;
    Ok(area.map_coords(from_plane))
}
