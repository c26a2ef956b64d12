//! A position in the coordinate systems that are in use in China.

use serde_json::{Value as Json, json};

use crate::geodesy::crs::Crs;
use crate::geodesy::crs_transform::CrsTransform;
use crate::http::call::Call;
use crate::http::params::crs::{crs_by_name, required_point};
use crate::http::params::spec;
use crate::http::reply::Reply;
use crate::http::reply::problem::Problem;

/// Central meridians of the 3-degree zones of CGCS2000, degrees east.
const MERIDIANS: std::ops::RangeInclusive<u32> = 75..=135;
/// EPSG code of the first of these zones, without and with the zone number in the easting.
const FIRST_ZONE: u32 = 4534;
const FIRST_NUMBERED_ZONE: u32 = 4513;

/// `GET /api/coordinates`.
pub(crate) fn coordinates(call: &Call<'_>) -> Result<Reply, Problem> {
    let at = required_point(&crs_by_name(&call.params)?, &call.params, &spec::POINT)?;
    let geographic = [("wgs84", "WGS 84 / CGCS2000"), ("gcj02", "GCJ-02"), ("bd09", "BD-09")];
    let mut systems: Vec<(String, String)> = geographic.map(|(name, title)| (name.to_owned(), title.to_owned())).into();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let meridian = ((at.lon() / 3.0).round() * 3.0) as u32;
    if MERIDIANS.contains(&meridian) {
        let index = (meridian - MERIDIANS.start()) / 3;
        let zone = meridian / 3;
        systems.push((format!("EPSG:{}", FIRST_ZONE + index), format!("CGCS2000 CM {meridian}°E")));
        systems.push((format!("EPSG:{}", FIRST_NUMBERED_ZONE + index), format!("CGCS2000 zone {zone}")));
    }
    let described = |(name, title): (String, String)| -> Option<Json> {
        let crs = Crs::parse(&name).and_then(CrsTransform::new).ok()?;
        let unit = if name.starts_with("EPSG") { "m" } else { "deg" };
        // A position outside the domain of a system has no coordinates in it.
        Some(json!({"crs": name, "title": title, "unit": unit, "coordinates": crs.pair(at).ok()?}))
    };
    let systems: Vec<Json> = systems.into_iter().filter_map(described).collect();
    Ok(call.current.json(json!({"point": [at.lon(), at.lat()], "systems": systems})))
}
