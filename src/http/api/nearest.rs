//! Nearest resources that meet a demand: from one position by GET, from one or many by POST.

use std::io::Write;

use rayon::prelude::*;
use serde_json::{Value as Json, json};

use crate::exchange::geojson::{write_feature_of, write_json};
use crate::http::api::by_road::trip_members;
use crate::http::api::exclusion::reason;
use crate::http::api::nearest_params::{LayerRequest, NearestRequest, PARAMS};
use crate::http::call::Call;
use crate::http::endpoint::has_many_bytes;
use crate::http::params::crs::{required_point, shape};
use crate::http::params::param::Param;
use crate::http::params::{QueryParams, invalid, layer, parse_json, spec, travel};
use crate::http::reply::Reply;
use crate::http::reply::media::{GEOJSON, GEOJSON_NAMED, NDJSON};
use crate::http::reply::numbers::{bearing, millimetres, quantity};
use crate::http::reply::problem::Problem;
use crate::model::Catalog;
use crate::query::cancel::CancelToken;
use crate::query::filter::Filter;
use crate::query::nearest::cover::{Amounts, cover};
use crate::query::nearest::covering_program::CoverOptions;
use crate::query::nearest::demand::{Reason, Verdict};
use crate::query::nearest::traversal::Near;
use crate::query::nearest::{Explain, NearestQuery, nearest as find_nearest};
use crate::query::query_geometry::QueryGeometry;
use crate::query::road::Travel;
use crate::snapshot::{Layer, Row, Snapshot};

/// Maximum number of positions in one request.
const MAX_POINTS: usize = 10_000;
/// Maximum number of features in one reply, over all positions.
const MAX_FEATURES: usize = 500_000;
/// Size of a typical reply from one position, so that it is rarely moved while it grows.
const TYPICAL_BYTES: usize = 8_192;
/// Number of positions computed in parallel before their results are sent.
const BATCH: usize = 64;
/// `GET /api/nearest`: from one place.
pub(crate) fn nearest(call: &Call<'_>) -> Result<Reply, Problem> {
    one(call, &call.params)
}

/// Whether a body is long. A body with `points` is not: its reply is a stream, computed on separate threads.
pub(crate) fn is_long(call: &Call<'_>) -> bool {
    const POINTS: &[u8] = b"\"points\"";
    has_many_bytes(call) && !call.body.windows(POINTS.len()).any(|window| window == POINTS)
}

/// `POST /api/nearest`: from one position, or from many in `points`.
pub(crate) fn nearest_of_body(call: &Call<'_>) -> Result<Reply, Problem> {
    let Json::Object(mut members) = parse_json(&call.body)? else {
        return Err(invalid("body", "", "it is not a JSON object", "an object with the parameters of GET as members"));
    };
    let points = members.shift_remove("points");
    let params = QueryParams::from_members(&members, PARAMS)?;
    let Some(points) = points else { return one(call, &params) };
    for (name, given) in [("point", params.get(&spec::POINT)), ("near", params.get(&spec::NEAR))] {
        if let Some(given) = given {
            return Err(invalid(name, given, "it cannot be combined with points", "one of the two"));
        }
    }
    many(call, &params, &points)
}

fn one(call: &Call<'_>, params: &QueryParams) -> Result<Reply, Problem> {
    // Each feature that these compare can cost as much as thousands of others.
    let expensive: [&dyn Param; 5] = [&spec::NEAR, &spec::WITHIN, &spec::EXPLAIN, &spec::COVER, &travel::BY];
    let has_long_filter = params.get(&spec::FILTER).is_some_and(|filter| filter.len() > Filter::QUICK_BYTES);
    if has_long_filter || expensive.into_iter().any(|param| params.get(param).is_some()) {
        call.leave_web_thread()?;
    }
    let request = NearestRequest::read(call, params)?;
    if !request.parts.iter().all(|part| part.demand.filter.as_ref().is_none_or(Filter::is_quick)) {
        call.leave_web_thread()?;
    }
    let origin = match params.get(&spec::NEAR) {
        None => QueryGeometry::point(required_point(&request.crs, params, &spec::POINT)?),
        Some(near) if params.get(&spec::POINT).is_none() => {
            QueryGeometry::shape(shape(&request.crs, "near", near, QueryGeometry::MAX_COORDINATES)?)
        }
        Some(near) => return Err(invalid("near", near, "it cannot be combined with point", "one of the two")),
    };
    let mut body = Vec::with_capacity(TYPICAL_BYTES);
    write_answer(&mut body, &call.state.catalog, &call.current.snapshot, &request, &origin, &call.cancel)?;
    call.current.close_object(&mut body);
    Ok(call.current.reply(GEOJSON.media_type).body(body))
}

/// One reply per line (`application/x-ndjson`), or one FeatureCollection whose features have the number of their point.
/// Results are streamed as they are computed.
fn many(call: &Call<'_>, params: &QueryParams, points: &Json) -> Result<Reply, Problem> {
    let request = NearestRequest::read(call, params)?;
    let origins = read_points(points, &request)?;
    let each: usize = request.parts.iter().map(|part| part.limit.k).sum();
    if origins.len() * each > MAX_FEATURES {
        let (value, accepted) =
            (format!("{} points", origins.len()), format!("at most {MAX_FEATURES} features in total"));
        return Err(invalid(
            "points",
            &value,
            &format!("with {each} features for each point the reply would be too large"),
            &accepted,
        ));
    }
    let is_collection = call.format()? == GEOJSON_NAMED;
    let (state, snapshot, members) = (call.state.clone(), call.current.snapshot.clone(), call.current.members());
    // The stream outlives the handler; if the client disconnects, the next write fails and ends it.
    let cancel = CancelToken::new();
    let write = move |out: &mut dyn Write| -> std::io::Result<()> {
        let catalog = &state.catalog;
        if is_collection {
            // The array of features is the last member, so the other members are written first.
            let head = members.to_string();
            let head = head.trim_end_matches('}');
            write!(out, "{head},\"type\":\"FeatureCollection\",\"features\":[")?;
        }
        let numbered: Vec<(usize, &QueryGeometry)> = origins.iter().enumerate().collect();
        let mut is_first = true;
        for batch in numbered.chunks(BATCH) {
            let answer = |(number, origin): &(usize, &QueryGeometry)| {
                if is_collection {
                    features(catalog, &snapshot, &request, origin, *number, &cancel)
                } else {
                    line(catalog, &snapshot, &request, origin, &members, &cancel)
                }
            };
            let answers: Result<Vec<Vec<u8>>, Problem> = batch.par_iter().map(answer).collect();
            let bytes = answers.map_err(|problem| std::io::Error::other(problem.to_string()))?.concat();
            if let Some(reason) = cancel.failure() {
                return Err(std::io::Error::other(reason.to_owned()));
            }
            // No comma precedes the first feature of the array.
            let skipped = usize::from(is_collection && is_first && !bytes.is_empty());
            is_first &= bytes.is_empty();
            out.write_all(bytes.get(skipped..).unwrap_or_default())?;
        }
        if is_collection { out.write_all(b"]}") } else { Ok(()) }
    };
    let media_type = if is_collection { GEOJSON.media_type } else { NDJSON.media_type };
    Ok(call.current.reply(media_type).stream(call.state.downloads.begin(call.limited_caller().as_ref(), write)?))
}

/// The features for one of many positions, each with the number of its position, preceded by a comma.
fn features(
    catalog: &Catalog,
    snapshot: &Snapshot,
    request: &NearestRequest,
    origin: &QueryGeometry,
    number: usize,
    cancel: &CancelToken,
) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    let mut first = true;
    write_features(&mut out, &mut first, (catalog, snapshot, request), origin, Some(number), cancel)?;
    if !first {
        out.insert(0, b',');
    }
    Ok(out)
}

fn line(
    catalog: &Catalog,
    snapshot: &Snapshot,
    request: &NearestRequest,
    origin: &QueryGeometry,
    members: &Json,
    cancel: &CancelToken,
) -> Result<Vec<u8>, Problem> {
    let mut line = Vec::new();
    write_answer(&mut line, catalog, snapshot, request, origin, cancel)?;
    line.push(b',');
    line.extend_from_slice(&members.to_string().as_bytes()[1..]);
    line.push(b'\n');
    Ok(line)
}

fn read_points(points: &Json, request: &NearestRequest) -> Result<Vec<QueryGeometry>, Problem> {
    const ACCEPTED: &str = "1 to 10000 points [LON,LAT]";
    let refused = |value: &Json, detail: &str| invalid("points", &value.to_string(), detail, ACCEPTED);
    let list = points.as_array().filter(|list| (1..=MAX_POINTS).contains(&list.len()));
    let list = list.ok_or_else(|| invalid("points", "", "it is not an array of 1 to 10000 points", ACCEPTED))?;
    list.iter()
        .map(|point| {
            let pair = match point.as_array().map(Vec::as_slice) {
                Some([x, y]) => x.as_f64().zip(y.as_f64()),
                _ => None,
            };
            let (x, y) = pair.ok_or_else(|| refused(point, "it is not a pair of numbers"))?;
            let at = request.crs.position(x, y).map_err(|error| refused(point, &error.to_string()))?;
            Ok(QueryGeometry::point(at))
        })
        .collect()
}

/// Appends a FeatureCollection without its closing brace.
fn write_answer(
    out: &mut Vec<u8>,
    catalog: &Catalog,
    snapshot: &Snapshot,
    request: &NearestRequest,
    origin: &QueryGeometry,
    cancel: &CancelToken,
) -> Result<(), Problem> {
    out.extend_from_slice(br#"{"type":"FeatureCollection","features":["#);
    let layers = write_features(out, &mut true, (catalog, snapshot, request), origin, None, cancel)?;
    out.push(b']');
    let mut member = |name: &str, value: &Json| {
        out.push(b',');
        write_json(out, &name);
        out.push(b':');
        write_json(out, value);
    };
    if let [part] = request.parts.as_slice() {
        member("layer", &json!(part.layer));
    }
    if let geo::Geometry::Point(_) = origin.geometry()
        && let Some(at) = request.crs.from_lon_lat(origin.geometry())
        && let geo::Geometry::Point(at) = &*at
    {
        member("point", &json!([at.x(), at.y()]));
    }
    member("layers", &Json::Array(layers));
    Ok(())
}

/// Appends the features of all layers; returns the summary of each layer.
fn write_features(
    out: &mut Vec<u8>,
    first: &mut bool,
    (catalog, snapshot, request): (&Catalog, &Snapshot, &NearestRequest),
    origin: &QueryGeometry,
    point_number: Option<usize>,
    cancel: &CancelToken,
) -> Result<Vec<Json>, Problem> {
    let mut summary = Vec::with_capacity(request.parts.len());
    let closures = request.by_road.as_ref().map(|by_road| by_road.closures(snapshot));
    for part in &request.parts {
        let layer = layer(snapshot, "layer", &part.layer)?;
        let travel = match request.by_road.as_ref().zip(closures.as_ref()) {
            Some((by_road, closures)) => Some(by_road.travel(closures, layer, origin, cancel)?),
            None => None,
        };
        let mut page = NearestWriter {
            out: &mut *out,
            first: &mut *first,
            catalog,
            snapshot,
            request,
            layer,
            rank: 0,
            point_number,
            cancel,
        };
        summary.push(match request.cover {
            Some(options) => page.covering_set(part, origin, travel.as_ref(), options)?,
            None => page.nearest(part, origin, travel.as_ref())?,
        });
    }
    Ok(summary)
}

/// Writes the features of one layer.
struct NearestWriter<'a> {
    out: &'a mut Vec<u8>,
    first: &'a mut bool,
    catalog: &'a Catalog,
    snapshot: &'a Snapshot,
    request: &'a NearestRequest,
    layer: &'a Layer,
    rank: usize,
    /// Index of the position in a request with many, from 0.
    point_number: Option<usize>,
    cancel: &'a CancelToken,
}

impl NearestWriter<'_> {
    fn nearest(
        &mut self,
        part: &LayerRequest,
        origin: &QueryGeometry,
        travel: Option<&Travel<'_>>,
    ) -> Result<Json, Problem> {
        let request = self.request;
        let ask = NearestQuery {
            origin,
            travel,
            limit: part.limit,
            demand: &part.demand,
            relax: request.relax,
            explain: request.explain,
            cancel: self.cancel,
        };
        let answer = find_nearest(self.snapshot, self.layer, &ask)?;
        let resources = self.layer.resources();
        for found in &answer.found {
            let verdict = match found.verdict {
                Verdict::Eligible => "eligible",
                Verdict::Unknown => "unknown",
                Verdict::Partial | Verdict::Ineligible => "partial",
            };
            let mut extra = vec![("eligibility", json!(verdict))];
            if !found.reasons.is_empty() {
                extra.push(("reasons", self.reasons(&found.reasons)));
            }
            if let Some(free) = resources.free_places(&found.near.row, part.demand.by_night) {
                extra.push(("free_places", json!(free)));
            }
            extra.extend(self.over_committed(&found.near.row, part.demand.by_night));
            self.feature(&found.near, extra);
        }
        let mut summary = json!({"layer": part.layer, "returned": answer.found.len()});
        if matches!(request.explain, Explain::Always(_)) || answer.found.is_empty() {
            let list = answer.excluded.iter().map(|found| {
                json!({
                    "id": found.near.row.id().as_str(),
                    "name": self.layer.text(&found.near.row, "name"),
                    "distance_m": millimetres(found.near.distance_m),
                    "reasons": self.reasons(&found.reasons),
                })
            });
            summary["excluded"] = list.collect();
            summary["more_excluded"] = json!(answer.more_excluded);
        }
        Ok(summary)
    }

    /// How much more of a resource is promised than there is.
    fn over_committed<'a>(&self, row: &Row<'_>, by_night: bool) -> Option<(&'a str, Json)> {
        let resources = self.layer.resources();
        let people = resources.over_committed(row, by_night).map(|people| json!({"people": people}));
        let items = resources
            .stock_items(row)
            .into_iter()
            .flatten()
            .filter_map(|item| item.over.map(|over| json!({"item_code": item.code, "quantity": quantity(over)})));
        let items: Vec<Json> = items.collect();
        let over = people.or_else(|| (!items.is_empty()).then(|| json!({"items": items})));
        over.map(|over| ("over_committed", over))
    }

    fn covering_set(
        &mut self,
        part: &LayerRequest,
        origin: &QueryGeometry,
        travel: Option<&Travel<'_>>,
        options: CoverOptions,
    ) -> Result<Json, Problem> {
        let ask = NearestQuery {
            origin,
            travel,
            limit: part.limit,
            demand: &part.demand,
            relax: false,
            explain: Explain::Never,
            cancel: self.cancel,
        };
        let covering_set = cover(self.snapshot, self.layer, &ask, options)?;
        for member in &covering_set.members {
            self.feature(&member.near, vec![("contributes", amounts(&member.contributes))]);
        }
        Ok(json!({
            "layer": part.layer,
            "returned": covering_set.members.len(),
            "covered": covering_set.uncovered.is_nothing(),
            "uncovered": amounts(&covering_set.uncovered),
            "gap": covering_set.gap,
        }))
    }

    fn reasons(&self, reasons: &[Reason<'_>]) -> Json {
        reasons.iter().map(|own| reason(self.catalog, self.layer.schema(), own)).collect()
    }

    fn feature(&mut self, near: &Near<'_>, more: Vec<(&str, Json)>) {
        if !std::mem::take(self.first) {
            self.out.push(b',');
        }
        self.rank += 1;
        let view = self.request.caller.view(self.layer.schema());
        let row = near.row.visible(&view);
        let mut extra = vec![
            ("rank", json!(self.rank)),
            ("distance_m", json!(millimetres(near.distance_m))),
            ("bearing_deg", bearing(near.bearing_deg)),
        ];
        if let Some(trip) = &near.trip {
            extra.extend(trip_members(trip));
        }
        if self.request.parts.len() > 1 {
            extra.push(("layer", json!(self.layer.schema().id)));
        }
        extra.extend(self.point_number.map(|number| ("point_number", json!(number))));
        extra.extend(more);
        if let Some(code) = self.layer.text(&near.row, "region_code").and_then(|code| code.get(..6)) {
            extra.push(("jurisdiction", json!(code)));
        }
        if let Some(since) = self.request.confirmed_since {
            let confirmed = row.instant("confirmed_at").is_some_and(|at| at >= since);
            extra.push(("unconfirmed", json!(!confirmed)));
        }
        let geometry = near.row.shape().and_then(|shape| self.request.crs.from_lon_lat(shape.geometry()));
        write_feature_of(self.out, &view, near.row.id(), geometry.as_deref(), |field| row.value(field), &extra);
    }
}

fn amounts(amounts: &Amounts) -> Json {
    let items = amounts.items.iter().map(|item| json!({"item_code": item.code, "quantity": quantity(item.count)}));
    json!({"people": amounts.people, "skills": amounts.skills, "items": items.collect::<Vec<_>>()})
}
