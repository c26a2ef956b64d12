//! The map style: a template that is filled with the view of the county, the colours and the layers of the catalog.
//!
//! In the template, `{center}`, `{zoom}` and `{layers}` are values from the catalog, `{LIST:CODE}` is the colour of a
//! code, and `{base}` is the base URL of the server, because URLs in a style must be absolute.

use serde_json::{Map, Value as Json, json};

use crate::http::map_theme::MapTheme;
use crate::http::reply::links::encode;
use crate::http::{dash_styles, default_style};
use crate::model::base_map::{BaseMap, BaseMapDatum};
use crate::model::catalog::CodeValue;
use crate::model::{Catalog, LayerSchema};
use crate::tile::LABELS;
use crate::tile::risk_grid::{self, RISK_GRID};

/// The colour of codes without one in the catalog.
const NEUTRAL: &str = "#7d8794";

/// Beginning of the names of sources and layers of the base map.
const BASE_MAP: &str = "base_map";
/// Member of the metadata of a style with the sources and layers of a base map in GCJ-02.
const GCJ02_BASE_MAP: &str = "onemap:gcj02_base_map";
/// Layers whose areas are the ground of the map.
const GROUNDS: [&str; 2] = ["county", "townships"];

/// The finished style. Style layers of layers that are not in the catalog are removed; layers that are not in the
/// template, such as tables of the configuration, get the default style.
///
/// # Errors
/// Only if the embedded template is invalid.
pub(crate) fn fill<'a>(
    template: &[u8],
    (theme, base_map, vector_layers): (Option<&MapTheme>, Option<&BaseMap>, Option<Vec<Json>>),
    catalog: &Catalog,
    layers: impl Iterator<Item = &'a LayerSchema> + Clone,
    base: &str,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut style: Json = serde_json::from_slice(template)?;
    if let Some(theme) = theme {
        theme.apply(&mut style);
    }
    let own = layers.clone().map(|layer| layer.id.as_str()).filter(|id| catalog.layer(id).is_some());
    let own: Vec<&str> = own.collect();
    let has_risk = layers.clone().any(risk_grid::contributes);
    if let Some(sources) = style["sources"].as_object_mut().filter(|_| !has_risk) {
        sources.remove(RISK_GRID);
    }
    let is_drawn = |id: &str| id == LABELS || id == RISK_GRID && has_risk || own.contains(&id);
    if let Some(drawn) = style["layers"].as_array_mut() {
        drawn.retain(|layer| layer["source-layer"].as_str().is_none_or(is_drawn));
    }
    dash_styles::split(&mut style);
    let added = default_style::add_missing(&mut style, catalog, layers);
    let drawn: Vec<&str> = own.into_iter().chain(added.iter().map(String::as_str)).collect();
    let tiles = tiles_of(&style, &drawn);
    fill_value(&mut style, catalog, &tiles, base);
    if let Some(base_map) = base_map {
        match vector_layers {
            Some(drawn) => add_vector_base_map(&mut style, (base_map, drawn), theme, base),
            None => add_base_map(&mut style, base_map, theme, base),
        }
    }
    serde_json::to_vec(&style)
}

/// Draws raster tiles below everything but the background. A base map in GCJ-02 would be off by hundreds of metres, so it
/// is in the metadata only: the viewer shifts its tiles and draws them.
fn add_base_map(style: &mut Json, base_map: &BaseMap, theme: Option<&MapTheme>, base: &str) {
    let paint = theme.map_or_else(|| json!({}), MapTheme::raster_paint);
    let (mut sources, mut drawn) = (Map::new(), Vec::new());
    for (number, tiles) in base_map.tiles.iter().enumerate() {
        let id = format!("{BASE_MAP}-{number}");
        let metadata = json!({default_style::LAYER: BASE_MAP});
        drawn.push(json!({"id": id, "type": "raster", "source": id, "metadata": metadata, "paint": paint}));
        let source = json!({
            "type": "raster",
            "tiles": [tiles.url(base)],
            "tileSize": base_map.tile_px,
            "maxzoom": base_map.max_zoom,
            "attribution": base_map.attribution.as_deref().unwrap_or_default(),
        });
        sources.insert(id, source);
    }
    if base_map.datum == BaseMapDatum::Gcj02 {
        style["metadata"][GCJ02_BASE_MAP] = json!({"sources": sources, "layers": drawn, "grounds": GROUNDS});
        return;
    }
    insert_below(style, sources, drawn);
}

/// The same for vector tiles, drawn by style layers of their own.
fn add_vector_base_map(
    style: &mut Json,
    (base_map, drawn): (&BaseMap, Vec<Json>),
    theme: Option<&MapTheme>,
    base: &str,
) {
    let mut own = json!({"layers": drawn});
    if let Some(theme) = theme {
        theme.apply(&mut own);
    }
    let mut drawn = own["layers"].as_array_mut().map(std::mem::take).unwrap_or_default();
    for layer in &mut drawn {
        layer["id"] = json!(format!("{BASE_MAP}-{}", layer["id"].as_str().unwrap_or_default()));
        layer["source"] = json!(BASE_MAP);
        layer["metadata"] = json!({default_style::LAYER: BASE_MAP});
    }
    let source = json!({
        "type": "vector",
        "tiles": base_map.tiles.iter().map(|tiles| tiles.url(base)).collect::<Vec<_>>(),
        "maxzoom": base_map.max_zoom,
        "attribution": base_map.attribution.as_deref().unwrap_or_default(),
    });
    insert_below(style, Map::from_iter([(BASE_MAP.to_owned(), source)]), drawn);
}

/// Inserts the layers of a base map above the background, and makes the areas of the ground transparent.
fn insert_below(style: &mut Json, sources: Map<String, Json>, drawn: Vec<Json>) {
    let Some(layers) = style["layers"].as_array_mut() else { return };
    for layer in layers.iter_mut() {
        let id = layer["metadata"][default_style::LAYER].as_str().unwrap_or_default();
        if layer["type"] == "fill" && GROUNDS.contains(&id) {
            layer["paint"]["fill-opacity"] = json!(0);
        }
    }
    let at = layers.iter().position(|layer| layer["type"] != "background").unwrap_or(0);
    layers.splice(at..at, drawn);
    if let Some(all) = style["sources"].as_object_mut() {
        all.extend(sources);
    }
}

/// The layers of the tiles: those with labels, the labels, and the others.
fn tiles_of(style: &Json, drawn: &[&str]) -> String {
    let layers = style["layers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let labels = layers.iter().filter(|layer| layer["source-layer"] == LABELS);
    let labelled: Vec<&str> = labels.filter_map(|layer| layer["metadata"][default_style::LAYER].as_str()).collect();
    let (mut first, rest): (Vec<&str>, Vec<&str>) = drawn.iter().partition(|id| labelled.contains(id));
    if !first.is_empty() {
        first.push(LABELS);
    }
    let names = first.into_iter().chain(rest);
    names.map(encode).collect::<Vec<_>>().join(",")
}

fn fill_value(value: &mut Json, catalog: &Catalog, layers: &str, base: &str) {
    match value {
        Json::String(text) => {
            if let Some(fact) = placeholder_value(text, catalog) {
                *value = fact;
            } else if text.contains("{base}") {
                *text = text.replace("{base}", base).replace("{layers}", layers);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| fill_value(item, catalog, layers, base)),
        Json::Object(members) => members.values_mut().for_each(|member| fill_value(member, catalog, layers, base)),
        _ => {}
    }
}

/// The value for a text that consists of one placeholder.
fn placeholder_value(text: &str, catalog: &Catalog) -> Option<Json> {
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
