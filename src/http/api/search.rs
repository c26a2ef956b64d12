//! Search over all layers.

use geo::InteriorPoint;
use serde_json::{Value as Json, json};

use crate::exchange::geojson::{write_geometry, write_json};
use crate::http::call::Call;
use crate::http::params::crs::{crs_by_name, point};
use crate::http::params::{invalid, layer, spec};
use crate::http::reply::Reply;
use crate::http::reply::geojson::CollectionWriter;
use crate::http::reply::media::GEOJSON;
use crate::http::reply::numbers::millimetres;
use crate::http::reply::problem::Problem;
use crate::model::Catalog;
use crate::model::catalog::CodeValue;
use crate::query::search::{Match, SearchQuery, fold, named_layers, search as find};
use crate::snapshot::Layer;

const MAX_WORDS: usize = 8;

/// `GET /api/search`.
pub(crate) fn search(call: &Call<'_>) -> Result<Reply, Problem> {
    let params = &call.params;
    let text = params.get(&spec::SEARCH_Q).unwrap_or_default();
    let words: Vec<String> = text.split_whitespace().map(fold).collect();
    if words.is_empty() || words.len() > MAX_WORDS {
        return Err(invalid("q", text, "it has no words, or too many", &format!("1 to {MAX_WORDS} words")));
    }
    let crs = crs_by_name(params)?;
    let near = point(&crs, params, &spec::POINT)?;
    let snapshot = &call.current.snapshot;
    let requested = params.list(&spec::LAYER)?;
    let layers = if requested.is_empty() {
        named_layers(snapshot)
    } else {
        requested.into_iter().map(|name| layer(snapshot, "layer", name)).collect::<Result<_, _>>()?
    };
    let limit = params.count(&spec::SEARCH_LIMIT)?.map_or(0, |limit| limit as usize);
    let mut body = CollectionWriter::new();
    let items = words.iter().map(|word| stock_items(&call.state.catalog, &layers, word)).collect();
    for hit in find(&SearchQuery { words, items, layers, near, limit }) {
        let place = hit.row.shape().and_then(|shape| shape.geometry().interior_point()).map(geo::Geometry::from);
        let place = place.as_ref().and_then(|place| crs.from_lon_lat(place));
        let properties = json!({
            "layer": hit.layer.schema().id,
            "name": hit.layer.text(&hit.row, "name"),
            "matched": matched(hit.how),
            "distance_m": hit.distance_m.map(millimetres),
        });
        body.feature(|out| {
            out.extend_from_slice(br#"{"type":"Feature","id":"#);
            write_json(out, &hit.row.id().as_str());
            out.extend_from_slice(br#","geometry":"#);
            match &place {
                Some(place) => write_geometry(out, place),
                None => out.extend_from_slice(b"null"),
            }
            out.extend_from_slice(br#","properties":"#);
            write_json(out, &properties);
            out.push(b'}');
        });
    }
    Ok(call.current.reply(GEOJSON.media_type).body(body.end_features().close(&call.current)))
}

/// The codes of the stock items that a word names.
fn stock_items<'a>(catalog: &'a Catalog, layers: &[&Layer], word: &str) -> Vec<&'a str> {
    let lists = layers.iter().filter_map(|layer| Some(layer.schema().roles.stock.as_ref()?.codes.as_str()));
    let codes = lists.filter_map(|list| catalog.codes.get(list)).flatten();
    let named = codes.filter(|own| own.label.zh.contains(word) || fold(&own.label.en) == word);
    named.filter_map(|own| if let CodeValue::Text(code) = &own.code { Some(code.as_str()) } else { None }).collect()
}

fn matched(how: Match) -> Json {
    json!(match how {
        Match::Whole => "whole",
        Match::Start => "start",
        Match::Code | Match::LettersOfCode => "code",
        Match::Inside => "inside",
        Match::Stock => "stock",
        Match::Scattered => "scattered",
        Match::SoundOfWhole | Match::SoundOfStart | Match::SoundInside | Match::ScatteredInitials => "pinyin",
    })
}
