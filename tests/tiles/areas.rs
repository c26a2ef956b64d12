//! Areas in tiles are valid, whatever their source geometry, and empty tiles stay empty.
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small random numbers")]

use std::fmt::Write as _;

use geo::{Geometry, LineString, MultiPolygon, Polygon, Validation};
use onemap::model::{Catalog, Feature, FeatureId, Shape, Value};
use onemap::snapshot::Layer;
use onemap::tile::{Drawing, Labels, TileAddress, TileFormat, TileMatrixSet, render};
use serde_json::json;

use super::decoded::{Decoded, by_layer, tiles};
use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, chances, run_well};

pub(super) fn multi_polygon(geometry: &Geometry) -> MultiPolygon {
    match geometry {
        Geometry::Polygon(one) => MultiPolygon(vec![one.clone()]),
        Geometry::MultiPolygon(many) => many.clone(),
        other => panic!("not an area: {other:?}"),
    }
}

/// Checks that every area is valid for PostGIS and geo.
pub(super) fn assert_valid<'a>(decoded: impl Iterator<Item = &'a Decoded>) {
    let mut rows = String::new();
    let mut count = 0;
    for own in decoded.filter(|own| !own.rings.is_empty()) {
        let area = own.area();
        if let Err(error) = area.check_validation() {
            panic!("{error}: {own:?}");
        }
        writeln!(rows, "{:?} {}\t{}", own.tile, own.number, well_known_text(&area)).expect("text");
        count += 1;
    }
    assert!(count > 0, "no area to check");
    let sql = format!(
        "create extension if not exists postgis; create temp table drawn (what text, shape geometry);\n\
         copy drawn from stdin;\n{rows}\\.\n\
         select what, st_isvalidreason(shape), st_astext(shape) from drawn where not st_isvalid(shape) limit 5;"
    );
    assert_eq!(psql(&fresh_database(), &sql), "", "of {count} areas");
}

fn well_known_text(area: &MultiPolygon) -> String {
    let ring = |ring: &LineString| {
        let positions: Vec<String> = ring.coords().map(|at| format!("{} {}", at.x, at.y)).collect();
        format!("({})", positions.join(","))
    };
    let polygon = |own: &Polygon| {
        let rings: Vec<String> = std::iter::once(own.exterior()).chain(own.interiors()).map(ring).collect();
        format!("({})", rings.join(","))
    };
    format!("MULTIPOLYGON({})", area.iter().map(polygon).collect::<Vec<_>>().join(","))
}

/// A star with many thin spikes around a position, and a similar hole.
fn star(chance: &mut impl FnMut() -> f64, center: (f64, f64), radius: f64) -> Polygon {
    let mut ring = |factor: f64| -> LineString {
        let corners = 5 + (chance() * 60.0) as u32;
        let corner = |at: u32| {
            let angle = std::f64::consts::TAU * f64::from(at) / f64::from(corners);
            let distance = radius * factor * (0.4 + 0.6 * chance());
            (center.0 + distance * angle.cos(), center.1 + distance * angle.sin())
        };
        (0..corners).map(corner).collect()
    };
    let exterior = ring(1.0);
    Polygon::new(exterior, vec![ring(0.35)])
}

#[test]
fn areas_are_valid_whatever_their_source() {
    let mut chance = chances(7);
    let mut collection = Vec::new();
    for at in 0..60 {
        let radius = 0.3 * 10_f64.powf(-3.0 * chance());
        let center = (118.0 + chance(), 26.0 + chance());
        let own = star(&mut chance, center, radius);
        let ring = |ring: &LineString| ring.coords().map(|at| json!([at.x, at.y])).collect::<Vec<_>>();
        let rings: Vec<_> = std::iter::once(own.exterior()).chain(own.interiors()).map(ring).collect();
        collection.push(json!({"type": "Feature", "id": format!("star-{at}"),
            "properties": {"name": "star", "hazard": "flood", "risk_level": 1 + at % 4},
            "geometry": {"type": "Polygon", "coordinates": rings}}));
    }
    // Thinner than a unit at every zoom, across many tiles.
    let thin = json!([[[118.0, 26.0], [118.9, 26.7], [119.0, 27.0], [118.900_001, 26.7], [118.0, 26.0]]]);
    collection.push(json!({"type": "Feature", "id": "thin", "properties": {"name": "thin", "hazard": "fault"},
        "geometry": {"type": "Polygon", "coordinates": thin}}));
    let folder = Folder::new();
    let file = folder.write("stars.geojson", json!({"type": "FeatureCollection", "features": collection}).to_string());
    let server = Server::start(&folder, &["--empty"]);
    drop(server);
    run_well(&folder, &["import", &file.display().to_string(), "--layer", "risk_zones"]);
    let server = Server::start(&folder, &[]);
    let drawn = by_layer(tiles(&server, &["risk_zones"], 0..=12, ["117.6", "25.6", "119.4", "27.4"], ""));
    let zones = &drawn["risk_zones"];
    assert_valid(zones.iter());
    for zoom in 6..=12 {
        let has = |own: &Decoded| own.tile.0 == zoom && own.id() == Some("thin");
        assert!(zones.iter().any(has), "an area thinner than a unit is drawn at zoom {zoom}");
    }
}

/// A layer of the catalog with given shapes.
fn layer(id: &str, shapes: Vec<Shape>) -> Layer {
    let schema = Catalog::built_in().expect("a catalog").layer(id).expect("a layer").clone();
    let values = vec![Value::Unknown; schema.fields.len()];
    let feature = |(at, shape)| Feature {
        id: FeatureId::new(&format!("f{at}")).expect("an id"),
        geometry: Some(shape),
        values: values.clone(),
    };
    Layer::build(schema, shapes.into_iter().enumerate().map(feature).collect())
}

#[test]
fn a_tile_inside_a_hole_is_empty() {
    let square = |side: f64| -> LineString {
        [(-side, -side), (side, -side), (side, side), (-side, side), (-side, -side)].into_iter().collect()
    };
    let ring = Polygon::new(square(20.0), vec![square(10.0)]);
    let corner: LineString =
        [(30.0, 30.0), (60.0, 30.0), (60.0, 60.0), (59.0, 31.0), (30.0, 30.0)].into_iter().collect();
    let shapes = [Geometry::from(ring), Geometry::from(Polygon::new(corner, Vec::new()))];
    let shapes = shapes.into_iter().map(|shape| Shape::new(shape).expect("a shape")).collect();
    let layer = layer("risk_zones", shapes);
    let bytes = |zoom: u8, lon: f64, lat: f64| {
        let position = onemap::geodesy::LonLat::new(lon, lat).expect("a position");
        let address = TileAddress::at(TileMatrixSet::WebMercatorQuad, position, zoom);
        let tile = render(&[&layer], Drawing::Features(Labels::None), address, TileFormat::Mvt, None, usize::MAX)
            .expect("a tile");
        tile.bytes.len()
    };
    for zoom in 6..=22 {
        assert_eq!(bytes(zoom, 1.0, 1.0), 0, "in the hole at zoom {zoom}");
        assert_eq!(bytes(zoom, 40.0, 50.0), 0, "between the arms at zoom {zoom}");
        assert!(bytes(zoom, 15.0, 1.0) > 0, "in the area at zoom {zoom}");
    }
}
