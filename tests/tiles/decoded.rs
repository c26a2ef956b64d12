//! Tiles decoded by the reference decoder.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::PI;

use geo::{Coord, Geometry, LineString, MapCoords, MultiPolygon, Polygon, Rect};
use geozero::ToGeo;
use serde_json::Value as Json;

use crate::support::Server;
use crate::support::node::script_well;

pub(super) const EXTENT: f64 = 4096.0;
/// West, south, east, north of a box around the county.
pub(super) const COUNTY: [&str; 4] = ["118.4", "25.8", "119.15", "26.7"];
pub(super) const WORLD: [&str; 4] = ["-180", "-90", "180", "90"];

/// A feature or a cluster in one tile.
pub(super) struct Decoded {
    /// Zoom, column, row.
    pub(super) tile: (u8, u32, u32),
    pub(super) number: u64,
    /// Numbers are doubles, as in JavaScript.
    pub(super) properties: BTreeMap<String, Json>,
    /// In units of the world at that zoom.
    pub(super) geometry: Geometry,
    /// The closed rings of an area, in units of the tile.
    pub(super) rings: Vec<Vec<(i64, i64)>>,
}

impl Decoded {
    /// The id of a feature; `None` for a cluster.
    pub(super) fn id(&self) -> Option<&str> {
        self.properties.get("id").map(|id| id.as_str().expect("an id"))
    }

    pub(super) fn number_of(&self, property: &str) -> f64 {
        self.properties.get(property).and_then(Json::as_f64).unwrap_or_else(|| panic!("no {property}: {self:?}"))
    }

    /// The area by the winding of its rings, in units of the tile; empty for anything else.
    pub(super) fn area(&self) -> MultiPolygon {
        let mut polygons: Vec<Polygon> = Vec::new();
        for ring in &self.rings {
            let doubled: i64 = ring.windows(2).map(|pair| pair[0].0 * pair[1].1 - pair[1].0 * pair[0].1).sum();
            #[expect(clippy::cast_precision_loss, reason = "a tile has a few thousand units")]
            let line: LineString = ring.iter().map(|(x, y)| Coord { x: *x as f64, y: *y as f64 }).collect();
            match polygons.last_mut() {
                Some(own) if doubled < 0 => own.interiors_push(line),
                _ => {
                    assert!(doubled > 0, "an exterior is not clockwise on screen: {self:?}");
                    polygons.push(Polygon::new(line, Vec::new()));
                }
            }
        }
        MultiPolygon(polygons)
    }
}

impl std::fmt::Debug for Decoded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} {} {:?} {:?}", self.tile, self.number, self.properties, self.rings)
    }
}

/// Longitude, latitude to units of the world at a zoom.
pub(super) fn units(zoom: u8) -> impl Fn(Coord) -> Coord + Copy {
    let side = f64::from(1_u32 << zoom) * EXTENT;
    move |at| Coord { x: (at.x / 360.0 + 0.5) * side, y: (0.5 - at.y.to_radians().tan().asinh() / (2.0 * PI)) * side }
}

/// A GeoJSON geometry, in units of the world at a zoom.
pub(super) fn shape(json: &Json, zoom: u8) -> Geometry {
    let shape = geozero::geojson::GeoJsonString(json.to_string()).to_geo().expect("a geometry");
    shape.map_coords(units(zoom))
}

/// A number as a double.
pub(super) fn plain(value: Json) -> Json {
    value.as_f64().map_or(value, Json::from)
}

/// A tile and some units around it, in units of the world at its zoom.
pub(super) fn box_of((_, x, y): (u8, u32, u32), margin: f64) -> Rect {
    let (west, north) = (f64::from(x) * EXTENT, f64::from(y) * EXTENT);
    Rect::new((west - margin, north - margin), (west + EXTENT + margin, north + EXTENT + margin))
}

/// A tile.
pub(super) struct Tile {
    pub(super) address: (u8, u32, u32),
    pub(super) bytes: u64,
    /// `X-Onemap-Omitted`.
    pub(super) omitted: Option<String>,
    pub(super) layers: BTreeMap<String, Vec<Decoded>>,
}

/// Every tile of some zooms over a box, with a query such as `?ids=a`.
pub(super) fn tiles(
    server: &Server,
    layers: &[&str],
    zooms: std::ops::RangeInclusive<u8>,
    bounds: [&str; 4],
    query: &str,
) -> Vec<Tile> {
    let [low, high] = [zooms.start(), zooms.end()].map(u8::to_string);
    let names = layers.join(",");
    let arguments = [&[server.url.as_str(), &names, &low, &high][..], &bounds[..], &[query]].concat();
    script_well("tiles/decode.mjs", &arguments).lines().map(tile).collect()
}

/// Every feature and cluster of such tiles by layer, none of which is over its budget.
pub(super) fn by_layer(tiles: Vec<Tile>) -> BTreeMap<String, Vec<Decoded>> {
    let mut all: BTreeMap<String, Vec<Decoded>> = BTreeMap::new();
    for tile in tiles {
        assert_eq!(tile.omitted, None);
        assert!(tile.bytes <= 500_000, "{:?} has {} bytes", tile.address, tile.bytes);
        tile.layers.into_iter().for_each(|(layer, decoded)| all.entry(layer).or_default().extend(decoded));
    }
    all
}

/// The number of features at a zoom: each is counted in one cluster, or drawn in one tile or more.
pub(super) fn count_at(zoom: u8, decoded: &[Decoded]) -> f64 {
    let here = || decoded.iter().filter(|own| own.tile.0 == zoom);
    let counted: f64 = here().filter(|own| own.id().is_none()).map(|own| own.number_of("count")).sum();
    let drawn = here().filter_map(Decoded::id).collect::<BTreeSet<_>>().len();
    counted + f64::from(u32::try_from(drawn).expect("few features"))
}

fn tile(line: &str) -> Tile {
    let tile: Json = serde_json::from_str(line).expect("a line of JSON");
    assert!(tile["status"] == 200 || tile["status"] == 204, "{line}");
    let number = |name: &str| u32::try_from(tile[name].as_u64().expect("a number")).expect("a small number");
    let zoom = u8::try_from(number("z")).expect("a zoom");
    let address = (zoom, number("x"), number("y"));
    let decoded = |feature: &Json| {
        let properties: BTreeMap<String, Json> =
            serde_json::from_value(feature["properties"].clone()).expect("properties");
        Decoded {
            tile: address,
            number: feature["id"].as_u64().expect("a number"),
            properties: properties.into_iter().map(|(name, value)| (name, plain(value))).collect(),
            geometry: shape(&feature["geometry"], zoom),
            rings: serde_json::from_value(feature["rings"].clone()).unwrap_or_default(),
        }
    };
    let layers = tile["layers"].as_object().expect("layers").iter();
    Tile {
        address,
        bytes: tile["bytes"].as_u64().expect("a size"),
        omitted: tile["omitted"].as_str().map(ToOwned::to_owned),
        layers: layers
            .map(|(name, all)| (name.clone(), all.as_array().expect("features").iter().map(decoded).collect()))
            .collect(),
    }
}
