//! The map style: a template that is filled with the county's view, the catalog's colours and its layers.
//!
//! In the template `{center}`, `{zoom}` and `{layers}` are facts of the catalog, `{LIST:CODE}` is the colour of a code, and
//! `{base}` is the server's own address: addresses in a style must be absolute.

use serde_json::{Value as Json, json};

use crate::model::catalog::CodeValue;
use crate::model::{Catalog, GeometryKind, LayerSchema};

/// The colour of codes that have none, and of layers that the template does not draw.
const NEUTRAL: &str = "#7d8794";

/// The finished style. Layers that the catalog lacks are left out; those that the template lacks are drawn plainly.
///
/// # Errors
/// Only when the program was built from a broken template.
pub(crate) fn fill(template: &[u8], catalog: &Catalog, base: &str) -> Result<Vec<u8>, serde_json::Error> {
    let mut style: Json = serde_json::from_slice(template)?;
    fill_value(&mut style, catalog, base);
    if let Some(layers) = style["layers"].as_array_mut() {
        layers.retain(|layer| layer["source-layer"].as_str().is_none_or(|id| catalog.layer(id).is_some()));
        let undrawn = |layer: &&LayerSchema| !layers.iter().any(|drawn| drawn["source-layer"] == json!(layer.id));
        let plain: Vec<Json> = catalog.layers.iter().filter(undrawn).flat_map(plain_layers).collect();
        layers.extend(plain);
    }
    serde_json::to_vec(&style)
}

fn fill_value(value: &mut Json, catalog: &Catalog, base: &str) {
    match value {
        Json::String(text) => {
            if let Some(fact) = fact(text, catalog) {
                *value = fact;
            } else if text.contains("{base}") {
                let layers: Vec<&str> = catalog.layers.iter().map(|layer| layer.id.as_str()).collect();
                *text = text.replace("{base}", base).replace("{layers}", &layers.join(","));
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| fill_value(item, catalog, base)),
        Json::Object(members) => members.values_mut().for_each(|member| fill_value(member, catalog, base)),
        _ => {}
    }
}

/// What stands for a text that is a placeholder as a whole.
fn fact(text: &str, catalog: &Catalog) -> Option<Json> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    match name {
        "center" => Some(json!([catalog.county.center.lon(), catalog.county.center.lat()])),
        "zoom" => Some(json!(catalog.county.zoom)),
        _ => {
            let (list, code) = name.split_once(':')?;
            let code = code.parse().map_or_else(|_| CodeValue::Text(code.to_owned()), CodeValue::Integer);
            Some(json!(catalog.color(list, &code).unwrap_or(NEUTRAL)))
        }
    }
}

fn plain_layers(layer: &LayerSchema) -> Vec<Json> {
    let points = (
        "circle",
        "Point",
        json!({"circle-color": NEUTRAL, "circle-radius": 5, "circle-stroke-color": "#ffffff", "circle-stroke-width": 1.5}),
    );
    let lines = ("line", "LineString", json!({"line-color": NEUTRAL, "line-width": 1.5}));
    let areas =
        ("fill", "Polygon", json!({"fill-color": NEUTRAL, "fill-opacity": 0.25, "fill-outline-color": NEUTRAL}));
    let kinds = match layer.geometry {
        GeometryKind::Point => vec![points],
        GeometryKind::Line => vec![lines],
        GeometryKind::Polygon => vec![areas],
        GeometryKind::Any => vec![areas, lines, points],
    };
    let draw = |(kind, geometry, paint): (&str, &str, Json)| {
        json!({
            "id": format!("{}-{kind}", layer.id),
            "type": kind,
            "metadata": {"onemap:layer": layer.id},
            "source": "onemap",
            "source-layer": layer.id,
            "minzoom": layer.min_zoom,
            "filter": ["==", ["geometry-type"], geometry],
            "paint": paint,
        })
    };
    kinds.into_iter().map(draw).collect()
}
