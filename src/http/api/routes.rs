//! The quickest route on open roads between two positions.

use serde_json::{Value as Json, json};

use crate::http::api::by_road::{ByRoad, road_line, trip_members};
use crate::http::api::exclusion::closure_json;
use crate::http::call::Call;
use crate::http::params::crs::{crs_by_name, required_point};
use crate::http::params::filters::instant;
use crate::http::params::{spec, travel};
use crate::http::reply::Reply;
use crate::http::reply::geojson::{CollectionWriter, write_feature_of};
use crate::http::reply::media::GEOJSON;
use crate::http::reply::numbers::millimetres;
use crate::http::reply::problem::Problem;
use crate::query::road::Travel;
use crate::query::road::passage::{RoadPart, areas_on, roads_of};
use crate::query::road::search::TravelDirection;
use crate::snapshot::{Layer, Row};

/// `GET /api/routes`.
pub(crate) fn routes(call: &Call<'_>) -> Result<Reply, Problem> {
    let params = &call.params;
    let crs = crs_by_name(params)?;
    let (from, to) = (required_point(&crs, params, &spec::FROM)?, required_point(&crs, params, &spec::TO)?);
    let (by, at) = (params.choice(&travel::TRAVEL)?, instant(params)?);
    let by_road = ByRoad::new(call, params, by, None, at)?;
    let snapshot = &call.current.snapshot;
    let closures = by_road.closures(snapshot);
    let way = (by_road.mode, TravelDirection::Outward);
    let travel = Travel::new(&by_road.source, &closures, way, from, None, &call.cancel)?;
    // A route that closures make longer is told, like one that they cut off.
    let open = travel.path_without_closures(to, &call.cancel);
    let avoided: Vec<Json> =
        open.iter().flat_map(|open| travel.closures_on(open)).map(|closure| closure_json(&closure)).collect();
    let mut reply = CollectionWriter::new();
    let Some(path) = travel.path(to) else {
        let reply = reply.end_features().member("unreachable", &json!({"closures": avoided}));
        return Ok(call.current.reply(GEOJSON.media_type).body(reply.close(&call.current)));
    };
    let roads: Vec<Json> = roads_of(snapshot, &path).iter().map(road_json).collect();
    let areas = areas_on(snapshot, &path, at, &call.cancel)?;
    let areas: Vec<Json> = areas.iter().map(|(layer, row)| area_json(layer, row)).collect();
    let detour_s = open.filter(|_| !avoided.is_empty()).map(|open| path.trip.duration_s - open.trip.duration_s);
    let mut properties = json!({
        "by": by,
        "roads": roads,
        "crosses": areas,
        "closures_avoided": avoided,
        "detour_s": detour_s.map_or(0.0, f64::round),
    });
    for (name, value) in trip_members(&path.trip) {
        properties[name] = value;
    }
    reply.feature(|out| write_feature_of(out, &crs, "route", Some(&road_line(&path)), &properties));
    Ok(call.current.reply(GEOJSON.media_type).body(reply.end_features().close(&call.current)))
}

fn road_json(part: &RoadPart<'_>) -> Json {
    json!({
        "layer": part.layer.schema().id,
        "id": part.row.id().as_str(),
        "name": part.layer.text(&part.row, "name"),
        "length_m": millimetres(part.length_m),
    })
}

fn area_json(layer: &Layer, row: &Row<'_>) -> Json {
    let zone = layer.schema().roles.zone.as_ref();
    json!({
        "layer": layer.schema().id,
        "id": row.id().as_str(),
        "name": layer.text(row, "name"),
        "hazard": zone.and_then(|zone| layer.text(row, &zone.hazard)),
        "risk_level": zone.and_then(|zone| layer.integer(row, &zone.level)),
    })
}
