//! A default style for layers that the style file does not draw, such as tables of the configuration: by geometry type,
//! with clusters and names.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::http::tiles::xyz::MAX_LAYERS;
use crate::model::{Catalog, GeometryKind, LayerSchema};
use crate::tile::LABELS;

/// The source in a style file that contains the layers of the map.
const SOURCE: &str = "onemap";
/// Colours that are distinguishable on the map and differ from the four risk colours.
const COLOURS: [&str; 6] = ["#00798c", "#8e5bb5", "#5b7f2b", "#b5527f", "#3d5a80", "#8c6239"];
/// Key of style layer metadata: the layer that is drawn.
pub(crate) const LAYER: &str = "onemap:layer";
/// Key of style layer metadata: whether the style layer draws clusters.
const CLUSTER: &str = "onemap:cluster";

/// Adds style layers for layers that the style does not draw, below its clusters, up to the maximum number of layers in
/// a tile. Returns those that are not in the catalog, whose layers are in the tiles of the style anyway.
pub(crate) fn add_missing<'a>(
    style: &mut Json,
    catalog: &Catalog,
    layers: impl Iterator<Item = &'a LayerSchema>,
) -> Vec<String> {
    let drawn = style["layers"].as_array().cloned().unwrap_or_default();
    let is_drawn = |id: &str| drawn.iter().any(|own| own["source-layer"] == id);
    let count = layers_of_source(&drawn);
    let missing = layers.filter(|schema| !is_drawn(&schema.id));
    let missing: Vec<&LayerSchema> = missing.take(MAX_LAYERS.saturating_sub(count)).collect();
    let foreign = missing.iter().filter(|schema| catalog.layer(&schema.id).is_none());
    let foreign = foreign.map(|schema| schema.id.clone()).collect();
    let place = drawn.iter().position(|own| own["metadata"][CLUSTER] == true).unwrap_or(drawn.len());
    let added = missing.iter().zip(COLOURS.iter().cycle()).flat_map(|(schema, colour)| style_layers(schema, colour));
    let (below, above) = drawn.split_at(place);
    style["layers"] = below.iter().cloned().chain(added).chain(above.iter().cloned()).collect();
    foreign
}

/// Number of map layers that a style draws.
fn layers_of_source(drawn: &[Json]) -> usize {
    drawn.iter().filter_map(|own| own["source-layer"].as_str()).collect::<BTreeSet<_>>().len()
}

/// The style layers of one layer, bottom first.
fn style_layers(schema: &LayerSchema, colour: &str) -> Vec<Json> {
    let single = json!(["!", ["has", "cluster"]]);
    let style_layer = |suffix: &str, kind: &str, filter: Json, layout: Json, paint: Json| {
        json!({
            "id": format!("{}{suffix}", schema.id), "type": kind, "metadata": {LAYER: schema.id},
            "source": SOURCE, "source-layer": schema.id, "filter": filter, "layout": layout, "paint": paint,
        })
    };
    let has = |kind: GeometryKind| schema.geometry == kind || schema.geometry == GeometryKind::Any;
    let mut layers = Vec::new();
    if has(GeometryKind::Polygon) {
        let filter = json!(["==", ["geometry-type"], "Polygon"]);
        layers.push(style_layer("", "fill", filter, json!({}), json!({"fill-color": colour, "fill-opacity": 0.25})));
    }
    if schema.geometry != GeometryKind::Point {
        let filter = json!(["!=", ["geometry-type"], "Point"]);
        let width = json!(["interpolate", ["linear"], ["zoom"], 8, 1, 14, 2.5]);
        let paint = json!({"line-color": colour, "line-width": width});
        layers.push(style_layer("-line", "line", filter, json!({"line-join": "round"}), paint));
    }
    if has(GeometryKind::Point) {
        let filter = json!(["all", ["==", ["geometry-type"], "Point"], single]);
        let paint = json!({
            "circle-color": colour, "circle-stroke-color": "#ffffff", "circle-stroke-width": 1.4,
            "circle-radius": ["interpolate", ["linear"], ["zoom"], 8, 2.5, 12, 5, 17, 9],
        });
        layers.push(style_layer("-point", "circle", filter, json!({}), paint));
    }
    let placement = if schema.geometry == GeometryKind::Line { "line" } else { "point" };
    let text = json!({
        "symbol-placement": placement, "text-field": ["get", "name"], "text-font": ["Noto Sans Regular"],
        "text-size": 12, "text-max-width": 9, "text-padding": 2, "text-variable-anchor": ["top", "bottom", "left", "right"],
        "text-radial-offset": 0.8,
    });
    let halo = json!({"text-color": colour, "text-halo-color": "#ffffff", "text-halo-width": 1.5});
    // An area has one label, not one in each of its tiles.
    let is_area = schema.geometry == GeometryKind::Polygon;
    let filter = if is_area { json!(["==", ["get", "layer"], schema.id]) } else { single };
    let mut name = style_layer("-name", "symbol", filter, text, halo);
    if is_area {
        name["source-layer"] = LABELS.into();
    }
    name["minzoom"] = json!(13);
    layers.push(name);
    if schema.clusters.is_some() {
        let filter = json!(["has", "cluster"]);
        let radius =
            json!(["interpolate", ["linear"], ["get", "count"], 2, 8, 10, 10.5, 100, 14, 1000, 18, 100_000, 24]);
        let paint = json!({
            "circle-color": colour, "circle-opacity": 0.95, "circle-radius": radius,
            "circle-stroke-color": "#ffffff", "circle-stroke-width": 1.6,
        });
        let count = json!({
            "text-field": ["to-string", ["get", "count"]], "text-font": ["Noto Sans Bold"], "text-size": 11,
            "text-allow-overlap": true, "text-ignore-placement": true,
        });
        let clusters = [
            style_layer("-cluster", "circle", filter.clone(), json!({}), paint),
            style_layer("-cluster-count", "symbol", filter, count, json!({"text-color": "#ffffff"})),
        ];
        layers.extend(clusters.into_iter().map(|mut own| {
            own["metadata"][CLUSTER] = true.into();
            own
        }));
    }
    layers
}
