//! Questions of a dispatcher: who is nearest.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::Door;
use super::answer::Moment;
use super::problem::Problem;
use super::request::{Parameters, layer};
use crate::exchange::geojson::{write_feature, write_json};
use crate::model::View;
use crate::query::nearest::{Ask, Found, nearest as find_nearest};

const DEFAULT_K: usize = 5;
const MAX_K: usize = 1_000;
/// Longer than any geodesic, metres.
const MAX_DISTANCE_M: f64 = 20_100_000.0;

pub(super) async fn nearest(request: HttpRequest, door: web::Data<Door>) -> Result<HttpResponse, Problem> {
    let parameters = Parameters::read(&request, &["point", "layer", "k", "max_distance_m"])?;
    let moment = Moment::now(&door);
    let ask = Ask {
        at: parameters.point("point")?,
        k: parameters.count("k", DEFAULT_K, 1, MAX_K)?,
        max_distance_m: parameters.metres("max_distance_m", MAX_DISTANCE_M)?,
    };
    let name = parameters.required("layer", "the id of a layer, such as shelters")?;
    let layer = layer(&moment.snapshot, "layer", name)?;
    let view = View::public(layer.schema());

    let found = find_nearest(layer, &ask);
    let mut body = br#"{"type":"FeatureCollection","features":["#.to_vec();
    for (index, answer) in found.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        let extra = [
            ("rank", json!(index + 1)),
            ("distance_m", json!(millimetres(answer.distance_m))),
            ("bearing_deg", bearing(answer)),
        ];
        write_feature(&mut body, &view, &answer.row.to_feature(), &extra);
    }
    body.extend_from_slice(b"],\"layer\":");
    write_json(&mut body, &name);
    body.extend_from_slice(b",\"point\":");
    write_json(&mut body, &[ask.at.lon(), ask.at.lat()]);
    moment.close_object(&mut body);
    Ok(moment.respond("application/geo+json").body(body))
}

fn millimetres(metres: f64) -> f64 {
    (metres * 1_000.0).round() / 1_000.0
}

/// Whole degrees and hundredths; null at the place itself.
fn bearing(answer: &Found<'_>) -> serde_json::Value {
    answer.bearing_deg.map_or(serde_json::Value::Null, |degrees| json!((degrees * 100.0).round() % 36_000.0 / 100.0))
}
