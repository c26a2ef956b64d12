//! `POST /api/allocations`: which demands are served from which resources, nothing given twice, at the least distance.

use geo::{Coord, LineString};
use serde_json::json;

use crate::exchange::csv::write_table;
use crate::http::api::allocation_facts::{Measure, describe_demands, describe_relief};
use crate::http::api::allocation_report;
use crate::http::api::allocations_params::{AllocationRequest, NamedDemand};
use crate::http::api::by_road::{road_line, trip_members};
use crate::http::call::Call;
use crate::http::params::invalid;
use crate::http::reply::Reply;
use crate::http::reply::geojson::{CollectionWriter, write_feature_of};
use crate::http::reply::media::{CSV, CSV_UTF8, GEOJSON, HTML};
use crate::http::reply::numbers::millimetres;
use crate::http::reply::page_language::PageLanguage;
use crate::http::reply::problem::Problem;
use crate::model::Shape;
use crate::query::allocation::{Allocation, AllocationByRoad, AllocationError, AllocationQuery, Assignment, allocate};
use crate::query::road::search::RoadPath;
use crate::snapshot::Layer;

/// `POST /api/allocations`, and `GET` with the same object as a parameter, which gives a plan an address.
pub(crate) fn allocations(call: &Call<'_>) -> Result<Reply, Problem> {
    let (format, language) = (call.format()?, PageLanguage::of(&call.params)?);
    let request = AllocationRequest::read(call)?;
    let snapshot = &call.current.snapshot;
    let closures = request.by_road.as_ref().map(|by_road| by_road.closures(snapshot));
    let by_road = request.by_road.as_ref().zip(closures.as_ref()).map(|(by_road, closures)| AllocationByRoad {
        source: &by_road.source,
        closures,
        way: by_road.way(request.layer),
        max_duration_s: by_road.max_duration_s,
    });
    let placed: Vec<_> = request.demands.iter().map(|demand| demand.placed.clone()).collect();
    let query = AllocationQuery {
        resource: &request.resource,
        demands: &placed,
        conditions: &request.conditions,
        max_distance_m: request.max_distance_m,
        by_road: by_road.as_ref(),
        together: request.together,
        cancel: &call.cancel,
    };
    let allocation = allocate(snapshot, request.layer, &query).map_err(|error| match error {
        AllocationError::Cancelled(cancelled) => cancelled.into(),
        AllocationError::TooLarge(_) => invalid(
            "demands",
            &format!("{} demands", placed.len()),
            &error.to_string(),
            "fewer demands, or fewer resources by within= or filter=",
        ),
    })?;
    if format == CSV {
        return Ok(call.current.reply(CSV_UTF8).body(table(&request, &allocation)));
    }
    if format == HTML {
        return Ok(allocation_report::page((call, language), &request, &allocation).reply(&call.current));
    }
    let mut body = CollectionWriter::new();
    for (assignment, path) in allocation.assignments.iter().zip(&allocation.paths) {
        body.feature(|out| write_assignment(out, &request, assignment, path.as_ref()));
    }
    let measure = Measure::of(&request);
    let totals = measure.totals(&allocation.totals);
    let relief = allocation.relief.map(|relief| describe_relief(&request, &relief, &allocation.totals));
    let saved = (allocation.greedy.served == allocation.totals.served)
        .then(|| measure.sum(allocation.greedy.unit_cost - allocation.totals.unit_cost));
    let body = body
        .end_features()
        .member("layer", &request.layer.schema().id)
        .member("demands", &describe_demands(&request, &allocation))
        .member("totals", &totals)
        .member("nearest_first", &measure.totals(&allocation.greedy))
        .member(&format!("saved_{}", measure.sum_name()), &saved)
        .member("gap", &allocation.gap)
        .member("relief", &relief)
        .close(&call.current);
    Ok(call.current.reply(GEOJSON.media_type).body(body))
}

/// Appends a line between a demand and the resource that serves it: the journey by road, or a straight line.
fn write_assignment(
    out: &mut Vec<u8>,
    request: &AllocationRequest<'_>,
    assignment: &Assignment<'_>,
    path: Option<&RoadPath>,
) {
    let demand = &request.demands[assignment.demand];
    let id = format!("{}/{}", demand.id, assignment.row.id());
    let to = assignment.row.shape().and_then(Shape::anchor);
    let straight = || Some(LineString(vec![Coord::from(demand.at), Coord::from(to?)]).into());
    let line = path.map(road_line).or_else(straight);
    let mut properties = json!({
        "demand": demand.id,
        "demand_name": demand.name,
        "resource": assignment.row.id().as_str(),
        "resource_name": name(request.layer, assignment),
        "amount": assignment.amount,
        "distance_m": millimetres(assignment.distance_m),
    });
    // An engine computes the length with the line only.
    let trip = path.map(|path| path.trip).or(assignment.trip);
    for (name, value) in trip.iter().flat_map(trip_members) {
        properties[name] = value;
    }
    write_feature_of(out, &request.crs, &id, line.as_ref(), &properties);
}

fn name<'a>(layer: &Layer, assignment: &Assignment<'a>) -> Option<&'a str> {
    layer.text(&assignment.row, "name")
}

fn table(request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> Vec<u8> {
    const HEADER: [&str; 9] = [
        "需求 demand",
        "需求名称 demand_name",
        "需要 needed",
        "资源 resource",
        "资源名称 resource_name",
        "数量 amount",
        "距离 distance_m",
        "行程 duration_s",
        "未满足 unserved",
    ];
    let row = |demand: &NamedDemand, assignment: Option<&Assignment<'_>>, unserved: u32| {
        vec![
            demand.id.clone(),
            demand.name.clone().unwrap_or_default(),
            demand.placed.amount.to_string(),
            assignment.map(|own| own.row.id().to_string()).unwrap_or_default(),
            assignment.and_then(|own| name(request.layer, own)).unwrap_or_default().to_owned(),
            assignment.map(|own| own.amount.to_string()).unwrap_or_default(),
            assignment.map(|own| format!("{:.3}", own.distance_m)).unwrap_or_default(),
            assignment.and_then(|own| own.trip).map(|trip| format!("{:.0}", trip.duration_s)).unwrap_or_default(),
            unserved.to_string(),
        ]
    };
    let of_demand = |(number, demand): (usize, &NamedDemand)| {
        let unserved = allocation.unserved[number];
        let own = allocation.assignments.iter().filter(|assignment| assignment.demand == number);
        let mut rows: Vec<Vec<String>> = own.map(|assignment| row(demand, Some(assignment), unserved)).collect();
        if rows.is_empty() {
            rows.push(row(demand, None, unserved));
        }
        rows
    };
    write_table(&HEADER, request.demands.iter().enumerate().flat_map(of_demand))
}
