//! The areas that can be reached by road within some times.

use geo::Geometry;
use serde_json::json;

use crate::http::api::by_road::ByRoad;
use crate::http::call::Call;
use crate::http::params::crs::{crs_by_name, required_point};
use crate::http::params::filters::instant;
use crate::http::params::{spec, travel};
use crate::http::reply::Reply;
use crate::http::reply::geojson::{CollectionWriter, write_feature_of};
use crate::http::reply::media::GEOJSON;
use crate::http::reply::problem::Problem;
use crate::query::road::Travel;
use crate::query::road::isochrone::{WITHIN_M, isochrone};
use crate::query::road::search::TravelDirection;

/// Decimals of a degree in the outlines: about a metre.
const SCALE: f64 = 1e5;
/// Times without a parameter, minutes.
const DEFAULT_MINUTES: [f64; 3] = [10.0, 20.0, 30.0];

/// `GET /api/isochrones`: the greatest area first, so that the smaller ones are drawn above it.
pub(crate) fn isochrones(call: &Call<'_>) -> Result<Reply, Problem> {
    let params = &call.params;
    let crs = crs_by_name(params)?;
    let point = required_point(&crs, params, &spec::POINT)?;
    let mut minutes = params.numbers(&travel::MINUTES)?.unwrap_or_else(|| DEFAULT_MINUTES.to_vec());
    minutes.sort_by(|a, b| b.total_cmp(a));
    minutes.dedup();
    let (by, direction) = (params.choice(&travel::TRAVEL)?, params.choice(&travel::DIRECTION)?);
    let by_road = ByRoad::new(call, params, by, None, instant(params)?)?;
    let closures = by_road.closures(&call.current.snapshot);
    let way = if direction == "inward" { TravelDirection::Inward } else { TravelDirection::Outward };
    let travel = Travel::new(&by_road.source, &closures, (by_road.mode, way), point, None, &call.cancel)?;
    let mut reply = CollectionWriter::new();
    for minutes in minutes {
        let mut area = isochrone(&travel, point, minutes * 60.0, &call.cancel)?;
        geo::MapCoordsInPlace::map_coords_in_place(&mut area, |at| geo::Coord {
            x: (at.x * SCALE).round() / SCALE,
            y: (at.y * SCALE).round() / SCALE,
        });
        let id = format!("isochrone-{minutes}");
        let properties = json!({"minutes": minutes, "by": by, "direction": direction, "within_m": WITHIN_M});
        // No road within reach is an answer: an area without a geometry.
        let geometry = Some(Geometry::MultiPolygon(area)).filter(|area| !geo::HasDimensions::is_empty(area));
        reply.feature(|out| write_feature_of(out, &crs, &id, geometry.as_ref(), &properties));
    }
    Ok(call.current.reply(GEOJSON.media_type).body(reply.end_features().close(&call.current)))
}
