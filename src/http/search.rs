//! Search over all layers.

use actix_web::{HttpRequest, HttpResponse, web};
use geo::InteriorPoint;
use serde_json::{Value as Json, json};

use super::Door;
use super::answer::{GEOJSON, Made, Moment, off_thread};
use super::frame::Frame;
use super::nearest::millimetres;
use super::problem::Problem;
use super::request::{Parameters, invalid, layer};
use crate::exchange::geojson::{write_geometry, write_json};
use crate::query::search::{Ask, Match, fold, named_layers, search as find};

const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 100;
const MAX_CHARACTERS: usize = 100;
const MAX_WORDS: usize = 8;

pub(super) const PARAMETERS: [&str; 5] = ["q", "layer", "point", "limit", "crs"];

pub(super) async fn search(request: HttpRequest, door: web::Data<Door>) -> Result<HttpResponse, Problem> {
    let parameters = Parameters::read(&request, &PARAMETERS)?;
    off_thread(move || answer(&door, &parameters)).await
}

fn answer(door: &Door, parameters: &Parameters) -> Result<Made, Problem> {
    const ACCEPTED: &str =
        "part of a name, its pinyin or the first letters of it, a code or an id; at most 100 characters";
    let text = parameters.required("q", ACCEPTED)?;
    let words: Vec<String> = text.split_whitespace().map(fold).collect();
    if words.is_empty() || words.len() > MAX_WORDS || text.chars().count() > MAX_CHARACTERS {
        return Err(invalid("q", text, "it is empty or too long", ACCEPTED));
    }
    let frame = Frame::read(parameters)?;
    let near = if parameters.get("point").is_some() { Some(frame.point(parameters, "point")?) } else { None };
    let moment = Moment::now(door);
    let asked = parameters.list("layer")?;
    let layers = if asked.is_empty() {
        named_layers(&moment.snapshot)
    } else {
        asked.into_iter().map(|name| layer(&moment.snapshot, "layer", name)).collect::<Result<_, _>>()?
    };
    let ask = Ask { words, layers, near, limit: parameters.count("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)? };
    let hits = find(&ask);
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
    moment.close_object(&mut body);
    Ok(moment.made(GEOJSON, body))
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
