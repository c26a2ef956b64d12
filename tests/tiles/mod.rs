//! Every tile of the county, decoded by a second implementation, equals the source.

mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::PI;

use geo::{Area, BooleanOps, Coord, Geometry, MapCoords, MultiPolygon, Rect};
use geozero::ToGeo;
use serde_json::Value as Json;

use crate::support::Server;
use crate::support::node::script_well;

const EXTENT: f64 = 4096.0;
const BUFFER: f64 = 64.0;
const ZOOMS: std::ops::RangeInclusive<u8> = 6..=14;

/// One feature in one tile, as the other decoder sees it.
struct Seen {
    tile: (u8, u32, u32),
    number: u64,
    properties: BTreeMap<String, Json>,
    /// In units of the whole world at that zoom.
    geometry: Geometry,
}

/// Longitude, latitude to units of the world at a zoom.
fn units(zoom: u8) -> impl Fn(Coord) -> Coord + Copy {
    let side = f64::from(1_u32 << zoom) * EXTENT;
    move |at| Coord { x: (at.x / 360.0 + 0.5) * side, y: (0.5 - at.y.to_radians().tan().asinh() / (2.0 * PI)) * side }
}

fn shape(json: &Json, zoom: u8) -> Geometry {
    let shape = geozero::geojson::GeoJsonString(json.to_string()).to_geo().expect("a geometry");
    shape.map_coords(units(zoom))
}

fn box_of((_, x, y): (u8, u32, u32), margin: f64) -> Rect {
    let (west, north) = (f64::from(x) * EXTENT, f64::from(y) * EXTENT);
    Rect::new((west - margin, north - margin), (west + EXTENT + margin, north + EXTENT + margin))
}

/// What the other decoder sees, by layer and id.
fn decoded(server: &Server, layers: &[String]) -> BTreeMap<String, BTreeMap<String, Vec<Seen>>> {
    let [low, high] = [ZOOMS.start(), ZOOMS.end()].map(u8::to_string);
    let bounds = ["118.4", "25.8", "119.15", "26.7"];
    let names = layers.join(",");
    let arguments = [&[server.url.as_str(), &names, &low, &high][..], &bounds[..]].concat();
    let mut seen: BTreeMap<String, BTreeMap<String, Vec<Seen>>> = BTreeMap::new();
    for line in script_well("tiles/decode.mjs", &arguments).lines() {
        let tile: Json = serde_json::from_str(line).expect("a line of JSON");
        assert!(tile["status"] == 200 || tile["status"] == 204, "{line}");
        let number = |name: &str| u32::try_from(tile[name].as_u64().expect("a number")).expect("a small number");
        let zoom = u8::try_from(number("z")).expect("a zoom");
        for (layer, features) in tile["layers"].as_object().expect("layers") {
            for feature in features.as_array().expect("features") {
                let properties: BTreeMap<String, Json> =
                    serde_json::from_value(feature["properties"].clone()).expect("properties");
                let id = properties["id"].as_str().expect("an id").to_owned();
                seen.entry(layer.clone()).or_default().entry(id).or_default().push(Seen {
                    tile: (zoom, number("x"), number("y")),
                    number: feature["id"].as_u64().expect("a number"),
                    properties: properties.into_iter().map(|(name, value)| (name, plain(value))).collect(),
                    geometry: shape(&feature["geometry"], zoom),
                });
            }
        }
    }
    seen
}

/// Every feature of the county is in the tiles of every zoom where it belongs, with its place and its values.
#[test]
fn all_of_the_county_is_in_its_tiles() {
    let (_folder, server) = Server::of_sample();
    let catalog = server.get("/api/layers").json();
    let layers = catalog["layers"].as_array().expect("layers");
    let names: Vec<String> = layers.iter().map(|layer| layer["id"].as_str().expect("an id").to_owned()).collect();
    let seen = decoded(&server, &names);
    for (layer, name) in layers.iter().zip(&names) {
        let items = server.get(&format!("/ogc/collections/{name}/items?limit=10000")).json();
        let features = items["features"].as_array().expect("features");
        let drawn = &seen[name];
        assert_eq!(drawn.len(), features.len(), "{name}: other features than in the source");
        let numbers: BTreeSet<u64> = drawn.values().map(|views| views[0].number).collect();
        assert_eq!(numbers.len(), features.len(), "{name}: two features share a number");
        for feature in features {
            let id = feature["id"].as_str().expect("an id");
            let views = &drawn[id];
            let expected = tile_properties(layer, feature);
            for view in views {
                assert_eq!(view.properties, expected, "{name} {id}");
                assert_eq!(view.number, views[0].number, "{name} {id}");
            }
            for zoom in ZOOMS {
                let here: Vec<&Seen> = views.iter().filter(|view| view.tile.0 == zoom).collect();
                check_place(&format!("{name} {id} at zoom {zoom}"), &shape(&feature["geometry"], zoom), &here);
            }
        }
    }
}

/// The values that the catalog carries in tiles; unknown ones are absent.
fn tile_properties(layer: &Json, feature: &Json) -> BTreeMap<String, Json> {
    let fields = layer["fields"].as_array().expect("fields").iter().filter(|field| field["tile"] == true);
    let names = fields.map(|field| field["name"].as_str().expect("a name").to_owned());
    let own = names.map(|name| (name.clone(), feature["properties"][&name].clone()));
    let known = own.filter(|(_, value)| !value.is_null()).chain([("id".to_owned(), feature["id"].clone())]);
    known.map(|(name, value)| (name, plain(value))).collect()
}

/// Numbers as doubles: JavaScript knows no other.
fn plain(value: Json) -> Json {
    value.as_f64().map_or(value, Json::from)
}

fn check_place(what: &str, source: &Geometry, here: &[&Seen]) {
    use geo::{Distance, Euclidean, Intersects, Length};
    match source {
        Geometry::Point(point) => {
            assert_eq!(here.len(), 1, "{what} stands in {} tiles", here.len());
            let Geometry::Point(drawn) = here[0].geometry else { panic!("{what} is no point") };
            assert!((drawn.x() - point.x()).abs() <= 0.501 && (drawn.y() - point.y()).abs() <= 0.501, "{what} moved");
            assert!(box_of(here[0].tile, 0.01).intersects(point), "{what} is in another's tile");
        }
        _ => {
            for view in here {
                assert!(box_of(view.tile, BUFFER + 1.0).intersects(source), "{what} is drawn where it is not");
                for coord in geo::CoordsIter::coords_iter(&view.geometry) {
                    assert!(box_of(view.tile, BUFFER + 0.01).intersects(&coord), "{what} reaches beyond the buffer");
                }
            }
        }
    }
    match source {
        Geometry::LineString(line) => {
            let total: f64 = here.iter().map(|view| length_inside(&view.geometry, box_of(view.tile, 0.0))).sum();
            let length = Euclidean.length(line);
            // Snapping moves each corner by at most 0.71 units.
            let corners = u32::try_from(line.0.len() + 2 * here.len()).expect("few corners");
            let slack = 1.5 * f64::from(corners);
            assert!((total - length).abs() <= slack, "{what}: {total} of {length} units are drawn");
            for view in here {
                for coord in geo::CoordsIter::coords_iter(&view.geometry) {
                    let off = Euclidean.distance(&geo::Point(coord), line);
                    assert!(off <= 0.75, "{what} is {off} units off");
                }
            }
        }
        Geometry::Polygon(_) | Geometry::MultiPolygon(_) => {
            let area = source.unsigned_area();
            let total: f64 = here.iter().map(|view| area_inside(&view.geometry, box_of(view.tile, 0.0))).sum();
            let rings = geo::MultiPolygon::try_from(source.clone())
                .or_else(|_| geo::Polygon::try_from(source.clone()).map(|one| MultiPolygon(vec![one])));
            let outline: f64 = rings
                .iter()
                .flat_map(MultiPolygon::iter)
                .flat_map(|one| std::iter::once(one.exterior()).chain(one.interiors()))
                .map(|ring| Euclidean.length(ring))
                .sum();
            // Snapping moves the outline by at most 0.71 units sideways.
            assert!((total - area).abs() <= outline + 4.0, "{what}: {total} of {area} square units are drawn");
        }
        _ => {}
    }
}

fn area_inside(geometry: &Geometry, tile: Rect) -> f64 {
    let own = match geometry {
        Geometry::Polygon(one) => MultiPolygon(vec![one.clone()]),
        Geometry::MultiPolygon(many) => many.clone(),
        other => panic!("no area: {other:?}"),
    };
    own.intersection(&MultiPolygon(vec![tile.to_polygon()])).unsigned_area()
}

fn length_inside(geometry: &Geometry, tile: Rect) -> f64 {
    use geo::{Euclidean, Length};
    let own = match geometry {
        Geometry::LineString(one) => geo::MultiLineString(vec![one.clone()]),
        Geometry::MultiLineString(many) => many.clone(),
        other => panic!("no line: {other:?}"),
    };
    MultiPolygon(vec![tile.to_polygon()]).clip(&own, false).iter().map(|line| Euclidean.length(line)).sum()
}

#[test]
fn tilejson_tells_the_truth() {
    let (_folder, server) = Server::of_sample();
    let described = server.get("/tiles/hazards,townships").json();
    assert_eq!(described["tilejson"], "3.0.0");
    let address = described["tiles"][0].as_str().expect("an address");
    assert!(address == format!("{}/tiles/hazards,townships/{{z}}/{{x}}/{{y}}", server.url), "{address}");
    let path = address.replace("{z}", "9").replace("{x}", "425").replace("{y}", "217");
    assert_eq!(server.get(path.trim_start_matches(&server.url)).status, 200);
    let layers: Vec<&Json> = described["vector_layers"].as_array().expect("layers").iter().collect();
    assert_eq!(layers[0]["id"], "hazards");
    assert_eq!(layers[0]["fields"]["risk_level"], "Number");
    assert!(layers[0]["fields"].get("phone").is_none());
}
