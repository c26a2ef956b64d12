//! An allocation as a printable plan: Chinese, A4, without scripts.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::http::api::alert_facts::{contact, contact_words};
use crate::http::api::allocation_facts::{describe_demands, describe_relief, unit};
use crate::http::api::allocations_params::AllocationRequest;
use crate::http::call::Call;
use crate::http::reply::numbers::metres;
use crate::http::reply::printed_page::PrintedPage;
use crate::model::FeatureId;
use crate::query::allocation::{Allocation, Assignment, Resource};

/// The page.
pub(crate) fn page(call: &Call<'_>, request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> PrintedPage {
    let schema = request.layer.schema();
    PrintedPage {
        heading: if request.resource == Resource::Places { "转移安置方案" } else { "资源调配方案" },
        subject: format!(
            "{}　{}",
            schema.title.zh,
            if request.by_road.is_some() { "按道路行程" } else { "按直线距离" }
        ),
        body: html! {
            (chips(request, allocation))
            @if let Some(relief) = &allocation.relief {
                p { (describe_relief(request, relief, &allocation.totals)["zh"].as_str().unwrap_or_default()) "。" }
            }
            (assignments(call, request, allocation))
            (unserved(request, allocation))
        },
        remark: "方案按总行程最短计算，未作预留；确认前请核实余量。联系人和电话已脱敏。",
    }
}

fn chips(request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> Markup {
    let needed: u64 = request.demands.iter().map(|demand| u64::from(demand.placed.amount)).sum();
    let (unit, totals) = (unit(&request.resource).0, &allocation.totals);
    let mut used: Vec<&FeatureId> = allocation.assignments.iter().map(|own| own.row.id()).collect();
    used.sort_unstable();
    used.dedup();
    let cost = |cost: Option<f64>| cost.map_or("—".to_owned(), |cost| cost_words(request, cost));
    let figures = [
        (format!("{} / {needed}", totals.served), format!("已安排 / 需要（{unit}）")),
        (used.len().to_string(), format!("启用{}（个）", request.layer.schema().title.zh)),
        (cost(totals.mean_cost()), "平均行程".to_owned()),
        (cost(totals.mean_cost().map(|_| totals.worst_cost)), "最远行程".to_owned()),
    ];
    html! {
        div.chips { @for (figure, name) in figures { div.chip { b { (figure) } span { (name) } } } }
    }
}

/// A cost in words: metres, by road seconds.
fn cost_words(request: &AllocationRequest<'_>, cost: f64) -> String {
    if request.by_road.is_some() { format!("{:.0}分钟", (cost / 60.0).ceil()) } else { metres(cost) }
}

/// Each resource with the demands that it serves.
fn assignments(call: &Call<'_>, request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> Markup {
    let mut by_resource: BTreeMap<&FeatureId, Vec<&Assignment<'_>>> = BTreeMap::new();
    for own in &allocation.assignments {
        by_resource.entry(own.row.id()).or_default().push(own);
    }
    let (layer, unit) = (request.layer, unit(&request.resource).0);
    let demand = |own: &Assignment<'_>| {
        let demand = &request.demands[own.demand];
        let name = demand.name.as_deref().unwrap_or(&demand.id);
        let cost = own.trip.map_or(own.distance_m, |trip| trip.duration_s);
        format!("{name} {}{unit}（{}）", own.amount, cost_words(request, cost))
    };
    html! {
        h2 { "安排" }
        @if by_resource.is_empty() { p { "没有可以安排的资源。" } }
        @else {
            table {
                tr { th { (layer.schema().title.zh) } th.n { (unit) } th { "接收" } th { "责任人、电话" } }
                @for served in by_resource.values() {
                    @let row = served[0].row;
                    tr {
                        td { (layer.text(&row, "name").unwrap_or(row.id().as_str())) }
                        td.n { (served.iter().map(|own| u64::from(own.amount)).sum::<u64>()) }
                        td { (served.iter().map(|own| demand(own)).collect::<Vec<_>>().join("；")) }
                        td { (contact_words(contact(call, layer, &row))) }
                    }
                }
            }
        }
    }
}

/// The demands that are not served, and why.
fn unserved(request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> Markup {
    let demands = describe_demands(request, allocation);
    let left: Vec<_> = demands.iter().filter(|demand| demand["reason"].is_object()).collect();
    html! {
        @if !left.is_empty() {
            h2 { "尚未安排" }
            table {
                tr { th { "需求" } th.n { (unit(&request.resource).0) } th { "原因" } }
                @for demand in left {
                    tr {
                        td { (demand["name"].as_str().or(demand["id"].as_str()).unwrap_or_default()) }
                        td.n { (demand["unserved"].to_string()) }
                        td { (demand["reason"]["zh"].as_str().unwrap_or_default()) }
                    }
                }
            }
        }
    }
}
