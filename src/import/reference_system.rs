//! The reference system of a file that is imported: declared, named by its columns, certain from its coordinates, or asked for.

use std::ops::RangeInclusive;

use geo::Coord;

use super::file::ImportFileError;
use crate::exchange::delimited::PlaceColumns;
use crate::exchange::projection_file;
use crate::geodesy::LonLat;
use crate::geodesy::crs::{ACCEPTED_CRS, Crs, CrsError};
use crate::geodesy::crs_transform::CrsTransform;
use crate::model::Catalog;

/// Systems of degrees that Chinese data is in, with what uses them.
const DEGREE_SYSTEMS: [(&str, &str); 3] =
    [("wgs84", "GPS, CGCS2000, 天地图"), ("gcj02", "高德, 腾讯"), ("bd09", "百度")];
/// EPSG codes of the Gauss-Krüger systems of CGCS2000, and of Web Mercator.
const PROJECTED_SYSTEMS: RangeInclusive<u32> = 4491..=4554;
const WEB_MERCATOR: u32 = 3857;
/// Parts of the name of a coordinate column that name its system.
const NAMED_SYSTEMS: [(&str, &str); 10] = [
    ("wgs84", "wgs84"),
    ("wgs_84", "wgs84"),
    ("cgcs2000", "cgcs2000"),
    ("gcj02", "gcj02"),
    ("gcj-02", "gcj02"),
    ("高德", "gcj02"),
    ("火星", "gcj02"),
    ("bd09", "bd09"),
    ("bd-09", "bd09"),
    ("百度", "bd09"),
];

/// The name of a column without the reference system in it.
pub(super) fn without_system(column: &str) -> String {
    let lower = column.to_lowercase();
    NAMED_SYSTEMS.iter().fold(lower, |name, (system, _)| name.replace(system, ""))
}

/// A position of a geometry.
pub(super) fn corner(geometry: &geo::Geometry) -> Option<Coord> {
    geo::CoordsIter::coords_iter(geometry).next()
}

fn are_degrees(sample: &[Coord]) -> bool {
    // A few rows may be wrong, such as swapped ones.
    let degrees = sample.iter().filter(|at| at.x.abs() <= 180.0 && at.y.abs() <= 180.0).count();
    2 * degrees >= sample.len()
}

/// The system of features without a declared one: WGS 84 by the standards, unless the coordinates cannot be degrees.
fn system_of_features(catalog: &Catalog, sample: &[Coord]) -> Result<Crs, ImportFileError> {
    match (are_degrees(sample), projection_file::unnamed(extent(sample))) {
        (false, Some(reason)) => Err(unnamed(catalog, &reason, sample)),
        _ => Ok(Crs::CRS84),
    }
}

/// The error for a file whose system must be named, with the projected systems that put its rows into the county.
fn unnamed(catalog: &Catalog, reason: &str, sample: &[Coord]) -> ImportFileError {
    if are_degrees(sample) {
        return ImportFileError::UnnamedCrs { reason: reason.to_owned() };
    }
    let share = |code: u32| {
        let crs = Crs::parse(&format!("EPSG:{code}")).ok()?;
        let inside = percent_inside(catalog, &landed(&crs, sample).ok()?)?;
        Some(format!("{crs}: {inside} %"))
    };
    let shares: Vec<String> = PROJECTED_SYSTEMS.chain([WEB_MERCATOR]).filter_map(share).collect();
    let shares = if shares.is_empty() { "none puts a row there".to_owned() } else { shares.join(", ") };
    unnamed_with_shares(catalog, reason, &shares)
}

/// Where a system puts positions.
fn landed(crs: &Crs, sample: &[Coord]) -> Result<Vec<Option<LonLat>>, CrsError> {
    let transform = CrsTransform::new(crs.clone())?;
    Ok(sample.iter().map(|at| transform.position(at.x, at.y).ok()).collect())
}

/// How many of some positions are inside the bounds of the county, percent rounded down; `None` if none is.
fn percent_inside(catalog: &Catalog, positions: &[Option<LonLat>]) -> Option<usize> {
    let inside = positions.iter().flatten().filter(|at| catalog.county.bounds.intersects(&(**at).into())).count();
    (inside > 0).then(|| 100 * inside / positions.len())
}

fn unnamed_with_shares(catalog: &Catalog, reason: &str, shares: &str) -> ImportFileError {
    let name = &catalog.county.name;
    ImportFileError::UnnamedCrs { reason: format!("{reason}. Rows inside {} {} by each: {shares}", name.zh, name.en) }
}

/// The least first and second coordinate, then the greatest.
fn extent(sample: &[Coord]) -> [f64; 4] {
    let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    sample.iter().fold(start, |[west, south, east, north], at| {
        [west.min(at.x), south.min(at.y), east.max(at.x), north.max(at.y)]
    })
}

/// The system that a file declares, or that its coordinates have for certain.
///
/// # Errors
/// When it must be named.
pub(super) fn declared_system(
    catalog: &Catalog,
    declared: Option<String>,
    unnamed_crs: Option<String>,
    (places, columns): (Option<&PlaceColumns>, &[String]),
    sample: &[Coord],
) -> Result<Crs, ImportFileError> {
    match (declared, unnamed_crs, places) {
        (Some(declared), ..) => Crs::parse(&declared).map_err(|error| {
            let reason = match error {
                CrsError::Unknown(_) => format!(
                    "the file declares the reference system {declared}, which is not supported; name another with crs \
                     ({ACCEPTED_CRS})"
                ),
                other => format!("the file declares a reference system that is not supported: {other}"),
            };
            ImportFileError::UnnamedCrs { reason }
        }),
        (None, Some(reason), _) => Err(unnamed(catalog, &reason, sample)),
        (None, None, Some(places)) if is_own_export(places, columns) => Ok(Crs::CRS84),
        (None, None, Some(places)) => system_of_table(catalog, places, sample),
        (None, None, None) => system_of_features(catalog, sample),
    }
}

/// Whether a table is one that this program wrote, which is in WGS 84.
fn is_own_export(places: &PlaceColumns, columns: &[String]) -> bool {
    let has = |name: &str| columns.iter().any(|column| column == name);
    places.lon == "lon" && places.lat == "lat" && has("version") && has("updated_at")
}

/// The system of a table: the one that its columns name, or WGS 84 if all candidates put the rows at the same places,
/// such as outside China.
///
/// # Errors
/// When it must be named, with the candidates and how many of the rows they put into the county.
fn system_of_table(catalog: &Catalog, places: &PlaceColumns, sample: &[Coord]) -> Result<Crs, ImportFileError> {
    let named = |column: &str| {
        let column = column.to_lowercase();
        NAMED_SYSTEMS.iter().find(|(part, _)| column.contains(part)).map(|(_, system)| *system)
    };
    if let Some(system) = named(&places.lon).filter(|system| named(&places.lat) == Some(system)) {
        return Ok(Crs::parse(system)?);
    }
    if !are_degrees(sample) {
        return system_of_features(catalog, sample);
    }
    let mut landings = Vec::new();
    for (system, users) in DEGREE_SYSTEMS {
        landings.push((system, users, landed(&Crs::parse(system)?, sample)?));
    }
    if landings.windows(2).all(|pair| pair[0].2 == pair[1].2) {
        return Ok(Crs::CRS84);
    }
    let shares = landings.iter().map(|(system, users, landed)| {
        format!("{system} ({users}): {} %", percent_inside(catalog, landed).unwrap_or(0))
    });
    let shares: Vec<String> = shares.collect();
    let reason = "the table does not say in which reference system its coordinates are, and the candidates differ by some \
                  hundred metres: name it with crs";
    Err(unnamed_with_shares(catalog, reason, &shares.join(", ")))
}
