//! Search over all layers.

use actix_web::{HttpRequest, HttpResponse, web};
use geo::InteriorPoint;
use serde_json::{Value as Json, json};

use crate::exchange::geojson::{write_geometry, write_json};
use crate::http::AppState;
use crate::http::api::nearest::millimetres;
use crate::http::params::crs::RequestCrs;
use crate::http::params::{QueryParams, invalid, layer};
use crate::http::reply::freshness::{GEOJSON, Rendered, RequestSnapshot, blocking};
use crate::http::reply::problem::Problem;
use crate::query::search::{Match, SearchQuery, fold, named_layers, search as find};

const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 100;
const MAX_CHARACTERS: usize = 100;
const MAX_WORDS: usize = 8;

pub(crate) const PARAMETERS: [&str; 5] = ["q", "layer", "point", "limit", "crs"];

pub(crate) async fn search(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let parameters = QueryParams::read(&request, &PARAMETERS)?;
    blocking(move || answer(&state, &parameters)).await
}

fn answer(state: &AppState, parameters: &QueryParams) -> Result<Rendered, Problem> {
    const ACCEPTED: &str =
        "part of a name, its pinyin or the first letters of it, a code or an id; at most 100 characters";
    let text = parameters.required("q", ACCEPTED)?;
    let words: Vec<String> = text.split_whitespace().map(fold).collect();
    if words.is_empty() || words.len() > MAX_WORDS || text.chars().count() > MAX_CHARACTERS {
        return Err(invalid("q", text, "it is empty or too long", ACCEPTED));
    }
    let frame = RequestCrs::read(parameters)?;
    let near = if parameters.get("point").is_some() { Some(frame.point(parameters, "point")?) } else { None };
    let current = RequestSnapshot::now(state);
    let asked = parameters.list("layer")?;
    let layers = if asked.is_empty() {
        named_layers(&current.snapshot)
    } else {
        asked.into_iter().map(|name| layer(&current.snapshot, "layer", name)).collect::<Result<_, _>>()?
    };
    let query = SearchQuery { words, layers, near, limit: parameters.count("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)? };
    let hits = find(&query);
    let mut body = br#"{"type":"FeatureCollection","features":["#.to_vec();
    for (index, hit) in hits.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(br#"{"type":"Feature","id":"#);
        write_json(&mut body, &hit.row.id().as_str());
        body.extend_from_slice(br#","geometry":"#);
        let place = hit.row.shape().and_then(|shape| shape.geometry().interior_point());
        match place {
            Some(point) => write_geometry(&mut body, &frame.outward(&point.into())),
            None => body.extend_from_slice(b"null"),
        }
        body.extend_from_slice(br#","properties":"#);
        let properties = json!({
            "layer": hit.layer.schema().id,
            "name": hit.layer.text(&hit.row, "name"),
            "matched": matched(hit.how),
            "distance_m": hit.distance_m.map(millimetres),
        });
        write_json(&mut body, &properties);
        body.push(b'}');
    }
    body.push(b']');
    current.close_object(&mut body);
    Ok(current.made(GEOJSON, body))
}

fn matched(how: Match) -> Json {
    json!(match how {
        Match::Whole => "whole",
        Match::Start => "start",
        Match::Code | Match::LettersOfCode => "code",
        Match::Inside => "inside",
        Match::SoundOfWhole | Match::SoundOfStart | Match::SoundInside => "pinyin",
    })
}
