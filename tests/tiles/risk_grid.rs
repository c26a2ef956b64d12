//! The risk surface, compared with a computation from the features.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use geo::{Area, BooleanOps, Coord, Geometry, LineString, MapCoords, MultiPolygon, Polygon};
use geozero::ToGeo;
use serde_json::Value as Json;

use super::decoded::{COUNTY, tiles};
use super::features;
use crate::support::{Server, await_that};

const EQUATOR_KM: f64 = 40_075.016_685_578_5;

/// Cells along a tile's side, as a power of two: they keep their size from zoom 10 on.
fn cell_bits(zoom: u8) -> u8 {
    5.min(15 - zoom)
}

/// A feature in cells of a zoom: geometry, level from 1, and people.
struct Source {
    shape: Geometry,
    level: Option<usize>,
    people: f64,
}

fn sources(server: &Server, layer: &str, zoom: u8) -> Vec<Source> {
    let side = f64::from(1_u32 << (zoom + cell_bits(zoom)));
    let to_cells = |at: Coord| Coord {
        x: (at.x / 360.0 + 0.5) * side,
        y: (0.5 - at.y.to_radians().tan().asinh() / (2.0 * PI)) * side,
    };
    let source = |feature: Json| {
        let shape = geozero::geojson::GeoJsonString(feature["geometry"].to_string()).to_geo().expect("a geometry");
        let own = &feature["properties"];
        let level = own["risk_level"].as_u64().and_then(|level| usize::try_from(level).ok());
        Source { shape: shape.map_coords(to_cells), level, people: own["population"].as_f64().unwrap_or_default() }
    };
    features(server, layer).into_iter().map(source).collect()
}

fn weight(weights: [f64; 4], level: Option<usize>) -> f64 {
    level.and_then(|level| weights.get(level - 1)).copied().unwrap_or_default()
}

/// The score of every cell of a zoom by column and row.
fn expected(server: &Server, zoom: u8) -> BTreeMap<(i64, i64), f64> {
    #[expect(clippy::cast_possible_truncation, reason = "cells of the county")]
    let place = |at: Coord| (at.x.floor() as i64, at.y.floor() as i64);
    #[expect(clippy::cast_precision_loss, reason = "cells of the county")]
    let cell_km2 = |row: i64| {
        let side = f64::from(1_u32 << (zoom + cell_bits(zoom)));
        let latitude = (PI * (1.0 - 2.0 * (row as f64 + 0.5) / side)).sinh().atan();
        (EQUATOR_KM / side * latitude.cos()).powi(2)
    };
    let mut risk: BTreeMap<(i64, i64), f64> = BTreeMap::new();
    let mut people: BTreeMap<(i64, i64), f64> = BTreeMap::new();
    let points = [("hazards", [8.0, 4.0, 2.0, 1.0]), ("geo_hazard_points", [16.0, 8.0, 4.0, 2.0])];
    for (layer, weights) in points {
        for source in sources(server, layer, zoom) {
            let Geometry::Point(at) = source.shape else { panic!("no point") };
            let own = place(at.0);
            *risk.entry(own).or_default() += weight(weights, source.level) / cell_km2(own.1);
        }
    }
    for source in sources(server, "villages", zoom) {
        let Geometry::Point(at) = source.shape else { panic!("no point") };
        let own = place(at.0);
        *people.entry(own).or_default() += source.people / cell_km2(own.1);
    }
    for source in sources(server, "risk_zones", zoom) {
        let shape: MultiPolygon = match source.shape {
            Geometry::Polygon(one) => MultiPolygon(vec![one]),
            Geometry::MultiPolygon(many) => many,
            _ => panic!("no area"),
        };
        let own = weight([24.0, 12.0, 5.0, 2.0], source.level);
        let coords: Vec<Coord> = shape.0.iter().flat_map(|polygon| polygon.exterior().0.clone()).collect();
        let least = coords.iter().fold(coords[0], |a, b| Coord { x: a.x.min(b.x), y: a.y.min(b.y) });
        let most = coords.iter().fold(coords[0], |a, b| Coord { x: a.x.max(b.x), y: a.y.max(b.y) });
        let ((x0, y0), (x1, y1)) = (place(least), place(most));
        for (x, y) in (x0..=x1).flat_map(|x| (y0..=y1).map(move |y| (x, y))) {
            #[expect(clippy::cast_precision_loss, reason = "cells of the county")]
            let (west, north) = (x as f64, y as f64);
            let ring: LineString = [(west, north), (west + 1.0, north), (west + 1.0, north + 1.0), (west, north + 1.0)]
                .into_iter()
                .collect();
            let covered = Polygon::new(ring, Vec::new()).intersection(&shape).unsigned_area();
            if covered > 0.0 {
                *risk.entry((x, y)).or_default() += own * covered;
            }
        }
    }
    let score = |(place, own): (&(i64, i64), &f64)| {
        (*place, own * (1.0 + people.get(place).copied().unwrap_or_default() / 1_000.0))
    };
    risk.iter().map(score).filter(|(_, score)| *score > 0.0).collect()
}

#[test]
fn scores_equal_those_of_another_computation() {
    let (_folder, server) = Server::of_sample();
    for zoom in [4, 8, 10, 12] {
        let mut expected = expected(&server, zoom);
        let mut compared = 0;
        for tile in tiles(&server, &["risk_grid"], zoom..=zoom, COUNTY, "") {
            for cell in tile.layers.get("risk_grid").into_iter().flatten() {
                let side = 1_i64 << cell_bits(zoom);
                let (x, y) = (i64::from(tile.address.1) * side, i64::from(tile.address.2) * side);
                let units = 4096 / side;
                let at = cell.rings[0].iter().map(|(x, y)| (*x / units, *y / units)).min().expect("a corner");
                let place = (x + at.0, y + at.1);
                let score = cell.number_of("score");
                let own = expected.remove(&place).unwrap_or_else(|| panic!("no risk at {place:?}: {cell:?}"));
                assert!((score - own).abs() <= 0.006 * own, "{place:?} at zoom {zoom}: {score} instead of {own}");
                let level = [(24.0, 1.0), (8.0, 2.0), (2.0, 3.0)].iter().find(|(least, _)| own >= *least);
                let level = level.map_or(4.0, |(_, level)| *level);
                let is_near = [24.0, 8.0, 2.0].iter().any(|least| (own - least).abs() < 0.001 * least);
                assert!(is_near || (cell.number_of("level") - level).abs() < 0.5, "{cell:?}");
                compared += 1;
            }
        }
        // What is left lies outside the tiles of the county, or is the rounding of an edge.
        let left: Vec<_> = expected.iter().filter(|(_, score)| **score > 0.01).collect();
        assert!(compared > 0 && left.is_empty(), "zoom {zoom}: {compared} compared, {left:?} missing");
    }
}

#[test]
fn a_filter_selects_risks_and_an_edit_changes_its_cell() {
    let (folder, server) = Server::of_sample();
    let cells = |query: &str| -> f64 {
        let found = tiles(&server, &["risk_grid"], 12..=12, COUNTY, query);
        found.iter().filter_map(|tile| tile.layers.get("risk_grid")).flatten().map(|cell| cell.number_of("score")).sum()
    };
    let (all, flood, industrial) = (cells(""), cells("?filter=hazard='flood'"), cells("?filter=unit='industrial'"));
    assert!(all > flood && all > industrial && flood > 0.0 && industrial > 0.0, "{all} {flood} {industrial}");
    let refused = server.get("/tiles/risk_grid/12/3400/1738?filter=nope=1");
    assert_eq!((refused.status, &refused.json()["parameter"]), (400, &Json::from("filter")));
    assert_eq!(server.get("/tiles/risk_grid/16/54400/27808").status, 404);
    let described = server.get("/tiles/risk_grid").json();
    assert_eq!(
        (&described["maxzoom"], &described["vector_layers"][0]["id"]),
        (&Json::from(10), &Json::from("risk_grid"))
    );

    let path = "/tiles/risk_grid/12/3400/1738";
    let (before, elsewhere) = (server.get(path), server.get("/tiles/risk_grid/12/3399/1736"));
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let feature = r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[118.86,26.22]},
        "properties":{"name":"油库","unit":"industrial","risk_level":1}}"#;
    let headers =
        [("Authorization", format!("Bearer {}", token.trim())), ("Content-Type", "application/geo+json".into())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(server.send("POST", "/ogc/collections/hazards/items", &headers, feature).status, 201);
    await_that("the tile is new", || server.get(path).header("etag") != before.header("etag"));
    assert_eq!(server.get("/tiles/risk_grid/12/3399/1736").header("etag"), elsewhere.header("etag"));
}
