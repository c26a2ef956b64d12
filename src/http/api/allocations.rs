//! `POST /api/allocations`: which demands are served from which resources, nothing given twice, at the least distance.

use geo::{Coord, LineString};
use serde_json::{Value as Json, json};

use crate::exchange::csv::write_table;
use crate::exchange::geojson::{write_geometry, write_json};
use crate::http::api::allocations_params::{AllocationRequest, NamedDemand};
use crate::http::call::Call;
use crate::http::params::invalid;
use crate::http::reply::Reply;
use crate::http::reply::geojson::CollectionWriter;
use crate::http::reply::media::{CSV, CSV_UTF8, GEOJSON};
use crate::http::reply::numbers::millimetres;
use crate::http::reply::problem::Problem;
use crate::model::Shape;
use crate::query::allocation::{
    Allocation, AllocationError, AllocationQuery, Assignment, RELIEF_UNITS, Relief, Resource, Totals, allocate,
};
use crate::snapshot::Layer;

/// `POST /api/allocations`.
pub(crate) fn allocations(call: &Call<'_>) -> Result<Reply, Problem> {
    let request = AllocationRequest::read(call)?;
    let format = call.format()?;
    let placed: Vec<_> = request.demands.iter().map(|demand| demand.placed.clone()).collect();
    let query = AllocationQuery {
        resource: &request.resource,
        demands: &placed,
        conditions: &request.conditions,
        max_distance_m: request.max_distance_m,
        together: request.together,
        cancel: &call.cancel,
    };
    let allocation = allocate(&call.current.snapshot, request.layer, &query).map_err(|error| match error {
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
    let mut body = CollectionWriter::new();
    for assignment in &allocation.assignments {
        body.feature(|out| write_assignment(out, &request, assignment));
    }
    let totals = describe_totals(&allocation.totals);
    let relief = allocation.relief.map(|relief| describe_relief(&request, &relief, &allocation.totals));
    let saved_km = (allocation.greedy.served == allocation.totals.served)
        .then(|| rounded_km(allocation.greedy.unit_metres - allocation.totals.unit_metres));
    let body = body
        .end_features()
        .member("layer", &request.layer.schema().id)
        .member("demands", &describe_demands(&request, &allocation))
        .member("totals", &totals)
        .member("nearest_first", &describe_totals(&allocation.greedy))
        .member("saved_unit_km", &saved_km)
        .member("gap", &allocation.gap)
        .member("relief", &relief)
        .close(&call.current);
    Ok(call.current.reply(GEOJSON.media_type).body(body))
}

/// Appends a line from a demand to the resource that serves it; a straight line, not a route.
fn write_assignment(out: &mut Vec<u8>, request: &AllocationRequest<'_>, assignment: &Assignment<'_>) {
    let demand = &request.demands[assignment.demand];
    let id = format!("{}/{}", demand.id, assignment.row.id());
    out.extend_from_slice(br#"{"type":"Feature","id":"#);
    write_json(out, &id);
    out.extend_from_slice(br#","geometry":"#);
    let to = assignment.row.shape().and_then(Shape::anchor);
    let line = to.map(|to| LineString(vec![Coord::from(demand.at), Coord::from(to)]).into());
    match line.as_ref().and_then(|line| request.crs.from_lon_lat(line)) {
        Some(line) => write_geometry(out, &line),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","properties":"#);
    let properties = json!({
        "demand": demand.id,
        "demand_name": demand.name,
        "resource": assignment.row.id().as_str(),
        "resource_name": name(request.layer, assignment),
        "amount": assignment.amount,
        "distance_m": millimetres(assignment.distance_m),
    });
    write_json(out, &properties);
    out.push(b'}');
}

fn name<'a>(layer: &Layer, assignment: &Assignment<'a>) -> Option<&'a str> {
    layer.text(&assignment.row, "name")
}

/// Each demand: what it needs, what it receives, and why not all.
fn describe_demands(request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> Vec<Json> {
    let rest = allocation.unserved.iter().zip(&allocation.candidates);
    let describe = |(demand, (unserved, candidates)): (&NamedDemand, (&u32, &usize))| {
        let reason = (*unserved > 0).then(|| match candidates {
            0 => json!({
                "code": "out_of_reach",
                "zh": "在限定距离内没有符合条件且有余量的资源",
                "en": "no eligible resource with free capacity within the distance limit",
            }),
            _ => json!({
                "code": "exhausted",
                "zh": "范围内资源的余量已全部分配",
                "en": "the resources in reach have no capacity left",
            }),
        });
        json!({
            "id": demand.id,
            "name": demand.name,
            "amount": demand.placed.amount,
            "served": demand.placed.amount - unserved,
            "unserved": unserved,
            "candidates": candidates,
            "reason": reason,
        })
    };
    request.demands.iter().zip(rest).map(describe).collect()
}

fn describe_totals(totals: &Totals) -> Json {
    json!({
        "served": totals.served,
        "unit_km": rounded_km(totals.unit_metres),
        "mean_m": totals.mean_m().map(millimetres),
        "worst_m": millimetres(totals.worst_m),
    })
}

/// The resource where more capacity helps most, in words.
fn describe_relief(request: &AllocationRequest<'_>, relief: &Relief<'_>, totals: &Totals) -> Json {
    let name = request.layer.text(&relief.row, "name").unwrap_or(relief.row.id().as_str());
    let served_more = relief.totals.served.saturating_sub(totals.served);
    let saved_km = rounded_km(totals.unit_metres - relief.totals.unit_metres);
    let (unit_zh, unit_en) = match &request.resource {
        Resource::Places => ("人", "person"),
        Resource::Item(_) => ("件", "unit"),
        Resource::Features => ("支", "team"),
    };
    let (zh, en) = if served_more > 0 {
        (
            format!("{name}再增加{RELIEF_UNITS}的余量，可多安排{served_more}{unit_zh}"),
            format!("{RELIEF_UNITS} more at {name} would serve {served_more} more"),
        )
    } else {
        (
            format!("{name}再增加{RELIEF_UNITS}的余量，可少走{saved_km}{unit_zh}·公里"),
            format!("{RELIEF_UNITS} more at {name} would save {saved_km} {unit_en}-km"),
        )
    };
    json!({
        "id": relief.row.id().as_str(),
        "name": name,
        "more": RELIEF_UNITS,
        "served_more": served_more,
        "saved_unit_km": saved_km,
        "zh": zh,
        "en": en,
    })
}

fn table(request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> Vec<u8> {
    const HEADER: [&str; 8] = [
        "需求 demand",
        "需求名称 demand_name",
        "需要 needed",
        "资源 resource",
        "资源名称 resource_name",
        "数量 amount",
        "距离 distance_m",
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

/// Kilometres with one decimal.
fn rounded_km(metres: f64) -> f64 {
    (metres / 100.0).round() / 10.0
}
