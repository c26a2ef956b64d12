//! Every tile of the county against its source: each feature is drawn in place, or counted.

use std::collections::{BTreeMap, BTreeSet};

use geo::{Area, BooleanOps, CoordsIter, Distance, Euclidean, Geometry, Intersects, Length, MultiPolygon};
use serde_json::Value as Json;

use super::decoded::{COUNTY, Decoded, box_of, by_layer, plain, shape, tiles};
use super::{areas, features, layers};
use crate::support::Server;

const BUFFER: f64 = 64.0;
const ZOOMS: std::ops::RangeInclusive<u8> = 0..=14;
/// A simplified outline is at most one unit off; snapping moves its vertices by at most 0.71 units.
const TOLERANCE: f64 = 1.75;

#[test]
fn every_feature_of_the_county_is_drawn_in_its_place_or_counted() {
    let (_folder, server) = Server::of_sample();
    let layers = layers(&server);
    let names: Vec<&str> = layers.iter().map(|layer| layer["id"].as_str().expect("an id")).collect();
    let mut all = by_layer(tiles(&server, &names, ZOOMS, COUNTY, ""));
    areas::assert_valid(all.values().flatten());
    for (layer, name) in layers.iter().zip(&names) {
        let source = features(&server, name);
        let decoded = all.remove(*name).unwrap_or_default();
        assert!(source.is_empty() || !decoded.is_empty(), "{name} is not drawn");
        let mut drawn: BTreeMap<(u8, &str), Vec<&Decoded>> = BTreeMap::new();
        for own in &decoded {
            if let Some(id) = own.id() {
                drawn.entry((own.tile.0, id)).or_default().push(own);
            }
        }
        let numbers: BTreeSet<(&str, u64)> =
            drawn.values().flatten().filter_map(|own| Some((own.id()?, own.number))).collect();
        let ids: BTreeSet<&str> = numbers.iter().map(|(id, _)| *id).collect();
        let different: BTreeSet<u64> = numbers.iter().map(|(_, number)| *number).collect();
        assert!(
            ids.len() == numbers.len() && different.len() == numbers.len(),
            "{name}: numbers are not stable or not unique"
        );
        let min_zoom = layer["minzoom"].as_u64().expect("a zoom");
        let clustered_to = layer["clusters"]["to_zoom"].as_u64();
        for feature in &source {
            let id = feature["id"].as_str().expect("an id");
            let expected = tile_properties(layer, feature);
            for zoom in ZOOMS {
                let what = format!("{name} {id} at zoom {zoom}");
                let here = drawn.remove(&(zoom, id)).unwrap_or_default();
                for own in &here {
                    assert_eq!(own.properties, expected, "{what}");
                }
                if here.is_empty() {
                    // Counted in a cluster, which another test checks, or shown from a later zoom on.
                    let is_counted = clustered_to.is_some_and(|to| u64::from(zoom) <= to);
                    assert!(is_counted || u64::from(zoom) < min_zoom, "{what} is missing");
                } else {
                    check_place(&what, &shape(&feature["geometry"], zoom), &here);
                }
            }
        }
        assert!(drawn.is_empty(), "{name}: features that the source does not have");
    }
}

/// The values that the catalog includes in tiles; unknown ones are absent.
fn tile_properties(layer: &Json, feature: &Json) -> BTreeMap<String, Json> {
    let fields = layer["fields"].as_array().expect("fields").iter().filter(|field| field["tile"] == true);
    let names = fields.map(|field| field["name"].as_str().expect("a name").to_owned());
    let own = names.map(|name| (name.clone(), feature["properties"][&name].clone()));
    let known = own.filter(|(_, value)| !value.is_null()).chain([("id".to_owned(), feature["id"].clone())]);
    known.map(|(name, value)| (name, plain(value))).collect()
}

fn check_place(what: &str, source: &Geometry, here: &[&Decoded]) {
    for own in here {
        assert!(box_of(own.tile, BUFFER + 1.0).intersects(source), "{what} is drawn where it is not");
        for coord in own.geometry.coords_iter() {
            assert!(box_of(own.tile, BUFFER + 0.01).intersects(&coord), "{what} extends beyond the buffer");
        }
    }
    match source {
        Geometry::Point(point) => {
            assert_eq!(here.len(), 1, "{what} is in {} tiles", here.len());
            let Geometry::Point(drawn) = here[0].geometry else { panic!("{what} is not a point") };
            assert!((drawn.x() - point.x()).abs() <= 0.501 && (drawn.y() - point.y()).abs() <= 0.501, "{what} moved");
            assert!(box_of(here[0].tile, 0.01).intersects(point), "{what} is in another tile");
        }
        Geometry::LineString(line) => {
            for coord in here.iter().flat_map(|own| own.geometry.coords_iter()) {
                let off = Euclidean.distance(&geo::Point(coord), line);
                // A line shorter than a unit is extended to one unit.
                assert!(off <= TOLERANCE.max(2.0), "{what} is {off} units off");
            }
            for coord in line.coords_iter() {
                let off = here.iter().map(|own| Euclidean.distance(&Geometry::from(geo::Point(coord)), &own.geometry));
                let off = off.fold(f64::INFINITY, f64::min);
                assert!(off <= TOLERANCE, "{what} lacks a vertex by {off} units");
            }
        }
        Geometry::Polygon(_) | Geometry::MultiPolygon(_) => {
            let source = areas::multi_polygon(source);
            let outline: f64 = source
                .iter()
                .flat_map(|one| std::iter::once(one.exterior()).chain(one.interiors()))
                .map(|ring| Euclidean.length(ring))
                .sum();
            for own in here {
                let tile = MultiPolygon(vec![box_of(own.tile, 0.0).to_polygon()]);
                let drawn = areas::multi_polygon(&own.geometry).intersection(&tile);
                let off = drawn.xor(&source.intersection(&tile)).unsigned_area();
                assert!(off <= TOLERANCE * outline + 4.0, "{what} differs by {off} square units, outline {outline}");
            }
            let total: f64 = here
                .iter()
                .map(|own| {
                    areas::multi_polygon(&own.geometry)
                        .intersection(&MultiPolygon(vec![box_of(own.tile, 0.0).to_polygon()]))
                        .unsigned_area()
                })
                .sum();
            let off = (total - source.unsigned_area()).abs();
            assert!(off <= TOLERANCE * outline + 4.0, "{what}: {off} square units are missing or too much");
        }
        _ => {}
    }
}

#[test]
fn townships_leave_no_gap_and_do_not_overlap() {
    let (_folder, server) = Server::of_sample();
    for tile in tiles(&server, &["townships"], 6..=13, COUNTY, "") {
        let own: Vec<MultiPolygon> = tile.layers.get("townships").into_iter().flatten().map(Decoded::area).collect();
        for (at, one) in own.iter().enumerate() {
            for other in &own[at + 1..] {
                let both = one.intersection(other).unsigned_area();
                assert!(both < 0.01, "{:?}: two townships overlap by {both} square units", tile.address);
            }
        }
        let union = own.iter().fold(MultiPolygon(Vec::new()), |all, one| all.union(one));
        for hole in union.iter().flat_map(geo::Polygon::interiors) {
            let gap = geo::Polygon::new(hole.clone(), Vec::new()).unsigned_area();
            assert!(gap < 0.01, "{:?}: a gap of {gap} square units between townships", tile.address);
        }
    }
}
