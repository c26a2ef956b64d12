//! `/catalog`: tile sources and styles by id, in the form of the Martin tile server.

use serde_json::{Map, Value as Json, json};

use crate::http::api::coverage;
use crate::http::assets::styles;
use crate::http::call::Call;
use crate::http::fonts;
use crate::http::reply::Reply;
use crate::http::reply::problem::Problem;
use crate::tile::risk_grid::{self, RISK_GRID};
use crate::tile::{LABELS, TileFormat};

/// `GET /catalog`.
pub(crate) fn catalog(call: &Call<'_>) -> Result<Reply, Problem> {
    let source = |description: &str| json!({"content_type": TileFormat::Mvt.media_type(), "description": description});
    let layers = call.current.snapshot.layers();
    let mut tiles: Map<String, Json> = Map::new();
    for layer in layers {
        let title = &layer.schema().title;
        tiles.insert(layer.schema().id.clone(), source(&format!("{} {}", title.zh, title.en)));
    }
    let mut derived = vec![(LABELS, "名称 Names of lines and areas")];
    if layers.iter().any(|layer| risk_grid::contributes(layer.schema())) {
        derived.push((RISK_GRID, "风险面 Risk surface"));
    }
    if layers.iter().any(|layer| layer.schema().id == coverage::PLACES) {
        derived.push((coverage::LAYER_ID, "覆盖 Coverage of places with people by help"));
    }
    for (id, description) in derived {
        tiles.entry(id).or_insert_with(|| source(description));
    }
    let styles = styles().map_err(|error| Problem::internal(&error))?;
    let styles: Map<String, Json> = styles
        .into_iter()
        .map(|own| {
            let path = format!("{}/styles/{}.json", call.base_url(), own.name);
            (own.name, json!({"path": path}))
        })
        .collect();
    Ok(call.current.json(json!({"tiles": tiles, "styles": styles, "sprites": {}, "fonts": fonts::listed()})))
}
