//! Checks of the sample before it is written.

use anyhow::{Context, Result, ensure};
use geo::{Area, Coord, CoordsIter, Geometry, Validation};
use std::collections::BTreeSet;

use onemap::model::division::division_prefix;

use crate::categories::CATEGORIES;
use crate::land::Land;
use crate::network::separate_networks;
use crate::plane::{board, covers, degrees, inside};
use crate::sheet::{Row, Sheet};
use crate::shelters::{MISPLACED, SLOPES};
use crate::zones::{Zone, within};

/// Minimum and maximum number of features per layer.
const COUNTS: [(&str, usize, usize); 21] = [
    ("county", 1, 1),
    ("townships", 16, 16),
    ("villages", 292, 292),
    ("hazards", 1850, 1850),
    ("shelters", 349, 349),
    ("teams", 31, 31),
    ("depots", 18, 22),
    ("hidden_dangers", 199, 400),
    ("geo_hazard_points", 160, 200),
    ("risk_zones", 120, 220),
    ("pipelines", 150, 260),
    ("rivers", 14, 14),
    ("roads", 250, 600),
    ("water_works", 70, 90),
    ("stations", 130, 150),
    ("broadcast_terminals", 309, 309),
    ("key_places", 170, 220),
    ("incidents", 3, 4),
    ("warnings", 2, 2),
    ("situation_reports", 34, 34),
    ("plans", 21, 21),
];

/// Runs all checks; the error names the defect and its position.
pub(crate) fn all(land: &Land, zones: &[Zone], sheets: &[Sheet]) -> Result<()> {
    ensure!(sheets.len() == COUNTS.len(), "{} layers", sheets.len());
    for sheet in sheets {
        let &(_, low, high) = COUNTS.iter().find(|count| count.0 == sheet.layer).context("an unknown layer")?;
        ensure!((low..=high).contains(&sheet.rows.len()), "{} has {} rows", sheet.layer, sheet.rows.len());
        let ids: BTreeSet<_> = sheet.rows.iter().map(|row| &row.id).collect();
        ensure!(ids.len() == sheet.rows.len(), "{} repeats an id", sheet.layer);
        for row in &sheet.rows {
            shape(land, row).with_context(|| format!("{} {} {}", sheet.layer, row.id, row.name))?;
            region(land, row).with_context(|| format!("{} {} {}", sheet.layer, row.id, row.name))?;
        }
    }
    plan(sheets)?;
    let roads = sheet(sheets, "roads")?.rows.iter().filter_map(|row| match &row.shape {
        Geometry::LineString(line) => Some(line),
        _ => None,
    });
    let networks = separate_networks(roads);
    ensure!(networks == 1, "the roads are {networks} separate networks");
    partition(land)?;
    siting(zones, sheets)
}

/// Geometries are valid and in the county, and no point is in water.
fn shape(land: &Land, row: &Row) -> Result<()> {
    let valid = crate::output::in_degrees(&row.shape);
    if let Err(error) = valid.check_validation() {
        anyhow::bail!("not valid: {error}");
    }
    match &row.shape {
        Geometry::Point(point) => {
            ensure!(land.terrain.dry(point.0), "stands in the water or outside the county");
            ensure!(covers(&land.county, point.0), "outside the county");
        }
        Geometry::Polygon(_) if row.region.starts_with("350124") && row.facts.iter().any(|fact| fact.0 == "code") => {}
        shape => ensure!(shape.coords_iter().all(|at| land.terrain.depth_m(at) > 0.0), "reaches outside the county"),
    }
    Ok(())
}

/// The division code is that of the village, township or county at the position; resources and hazards have that of
/// their village.
fn region(land: &Land, row: &Row) -> Result<()> {
    ensure!(row.region.len() == 12 && row.region.starts_with("350124"), "odd code {}", row.region);
    if let Geometry::Point(point) = &row.shape {
        let village = &land.villages[land.village(point.0)];
        let is_of_office = row.facts.iter().any(|fact| matches!(fact.0, "issued_by" | "as_of"));
        let is_within = division_prefix(&row.region).is_some_and(|prefix| village.code.starts_with(prefix));
        ensure!(village.code == row.region || (is_of_office && is_within), "lies in {}", village.code);
        ensure!(covers(&land.townships[village.township], point.0), "in no township");
    }
    Ok(())
}

fn fact<'a>(row: &'a Row, field: &str) -> Option<&'a serde_json::Value> {
    row.facts.iter().find(|fact| fact.0 == field).map(|fact| &fact.1)
}

fn sheet<'a>(sheets: &'a [Sheet], layer: &str) -> Result<&'a Sheet> {
    sheets.iter().find(|sheet| sheet.layer == layer).context("a layer is missing")
}

fn count(sheet: &Sheet, conditions: &[(&str, &str)]) -> usize {
    let fits = |row: &&Row| {
        conditions.iter().all(|&(field, value)| fact(row, field).and_then(|fact| fact.as_str()) == Some(value))
    };
    sheet.rows.iter().filter(fits).count()
}

/// The counts in the published plan of the county.
fn plan(sheets: &[Sheet]) -> Result<()> {
    let hazards = sheet(sheets, "hazards")?;
    for category in &CATEGORIES {
        ensure!(
            count(hazards, &[("category", category.code), ("unit", category.unit)]) == category.count,
            "{}",
            category.code
        );
    }
    let major = hazards.rows.iter().filter(|row| fact(row, "risk_level").is_some_and(|level| level == 1)).count();
    ensure!((10..90).contains(&major), "{major} major hazards");
    let dangers = sheet(sheets, "hidden_dangers")?;
    let serious = [("level", "serious"), ("status", "fixed")];
    ensure!(count(dangers, &[("level", "major")]) == 14, "major dangers");
    ensure!(count(dangers, &serious[..1]) == 185 && count(dangers, &serious) == 135, "serious dangers");
    let teams = sheet(sheets, "teams")?;
    ensure!(
        count(teams, &[("kind", "professional")]) == 7 && count(teams, &[("kind", "semi_professional")]) == 19,
        "fire teams"
    );
    let shelters = sheet(sheets, "shelters")?;
    for (grade, number, places) in [("county", 4, 300), ("township", 48, 200), ("village", 297, 0)] {
        ensure!(count(shelters, &[("grade", grade)]) == number, "{grade} shelters");
        for row in shelters.rows.iter().filter(|row| fact(row, "grade").is_some_and(|value| value == grade)) {
            let places = if grade == "village" && fact(row, "kind").is_some_and(|kind| kind != "temporary") {
                100
            } else {
                places
            };
            let capacity = fact(row, "capacity").and_then(serde_json::Value::as_i64);
            ensure!(capacity.is_none_or(|capacity| capacity >= places), "{} is too small", row.id);
        }
    }
    let codes: BTreeSet<_> = sheet(sheets, "villages")?.rows.iter().map(|row| &row.id).collect();
    ensure!(codes.len() == 292, "village codes");
    Ok(())
}

/// The townships cover the county and share their borders vertex by vertex.
fn partition(land: &Land) -> Result<()> {
    let whole: f64 = land.townships.iter().map(Area::unsigned_area).sum();
    ensure!((whole - land.county.unsigned_area()).abs() < 1.0, "the townships do not fill the county");
    let mut sides = BTreeSet::new();
    let key = |at: Coord<f64>| (at.x.to_bits(), at.y.to_bits());
    for area in &land.townships {
        ensure!(area.unsigned_area() > 2e7, "a sliver");
        for side in area.exterior().0.windows(2) {
            ensure!(sides.insert((key(side[0]), key(side[1]))), "a side is used twice");
        }
    }
    let alone = sides.iter().filter(|&&(a, b)| !sides.contains(&(b, a))).count();
    ensure!(alone + 1 == land.county.exterior().0.len(), "{alone} sides are not shared");
    for (at, area) in land.halls.iter().zip(&land.townships) {
        ensure!(covers(area, *at), "a hall outside its township");
        let back = degrees(*at);
        ensure!(inside(&area.exterior().0, board(back.x, back.y)), "a hall moved");
    }
    Ok(())
}

/// Some shelters are on unstable slopes on purpose, and no others are.
fn siting(zones: &[Zone], sheets: &[Sheet]) -> Result<()> {
    let points = sheet(sheets, "shelters")?.rows.iter().filter_map(|row| match &row.shape {
        Geometry::Point(point) => Some(point.0),
        _ => None,
    });
    let points: Vec<_> = points.collect();
    let on = |hazard: &str| points.iter().filter(|&&at| within(zones, &[hazard], at)).count();
    ensure!(on(SLOPES[0]) == MISPLACED, "{} shelters in landslide zones", on(SLOPES[0]));
    ensure!(on(SLOPES[1]) == 0, "{} shelters in debris flow zones", on(SLOPES[1]));
    Ok(())
}
