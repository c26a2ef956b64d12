//! An allocation as a printable plan: A4, without scripts.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::http::api::alert_facts::{contact, contact_words};
use crate::http::api::allocation_facts::{describe_demands, describe_relief, unit};
use crate::http::api::allocations_params::AllocationRequest;
use crate::http::call::Call;
use crate::http::reply::page_language::PageLanguage;
use crate::http::reply::printed_page::PrintedPage;
use crate::model::FeatureId;
use crate::query::allocation::{Allocation, Assignment, Resource};

/// The page.
pub(crate) fn page(
    (call, language): (&Call<'_>, PageLanguage),
    request: &AllocationRequest<'_>,
    allocation: &Allocation<'_>,
) -> PrintedPage {
    let schema = request.layer.schema();
    PrintedPage {
        language,
        heading: if request.resource == Resource::Places {
            language.say("转移安置方案", "Evacuation plan")
        } else {
            language.say("资源调配方案", "Allocation plan")
        },
        subject: format!(
            "{}　{}",
            language.pick(&schema.title),
            if request.by_road.is_some() {
                language.say("按道路行程", "by road")
            } else {
                language.say("按直线距离", "by straight line")
            }
        ),
        body: html! {
            (chips(language, request, allocation))
            @if let Some(relief) = &allocation.relief {
                p {
                    (describe_relief(request, relief, &allocation.totals)[language.code()].as_str().unwrap_or_default())
                    (language.say("。", "."))
                }
            }
            (assignments(call, language, request, allocation))
            (unserved(language, request, allocation))
        },
        remark: language.say(
            "方案按总行程最短计算，未作预留；确认前请核实余量。联系人和电话已脱敏。",
            "The plan has the least total travel; nothing is reserved, so check what is free before you confirm it. Names and \
             phones are masked.",
        ),
    }
}

fn chips(language: PageLanguage, request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> Markup {
    let needed: u64 = request.demands.iter().map(|demand| u64::from(demand.placed.amount)).sum();
    let (unit, totals) = (unit_word(language, &request.resource), &allocation.totals);
    let mut used: Vec<&FeatureId> = allocation.assignments.iter().map(|own| own.row.id()).collect();
    used.sort_unstable();
    used.dedup();
    let cost = |cost: Option<f64>| cost.map_or("—".to_owned(), |cost| cost_words(language, request, cost));
    let figures = [
        (
            format!("{} / {needed}", totals.served),
            match language {
                PageLanguage::Chinese => format!("已安排 / 需要（{unit}）"),
                PageLanguage::English => format!("placed / needed ({unit}s)"),
            },
        ),
        (
            used.len().to_string(),
            match language {
                PageLanguage::Chinese => format!("启用{}（个）", request.layer.schema().title.zh),
                PageLanguage::English => format!("in use: {}", request.layer.schema().title.en),
            },
        ),
        (cost(totals.mean_cost()), language.say("平均行程", "mean travel").to_owned()),
        (cost(totals.mean_cost().map(|_| totals.worst_cost)), language.say("最远行程", "longest travel").to_owned()),
    ];
    html! {
        div.chips { @for (figure, name) in figures { div.chip { b { (figure) } span { (name) } } } }
    }
}

/// A cost in words: metres, by road seconds.
fn cost_words(language: PageLanguage, request: &AllocationRequest<'_>, cost: f64) -> String {
    if request.by_road.is_some() {
        format!("{:.0}{}", (cost / 60.0).ceil(), language.say("分钟", " min"))
    } else {
        language.metres(cost)
    }
}

/// Each resource with the demands that it serves.
fn assignments(
    call: &Call<'_>,
    language: PageLanguage,
    request: &AllocationRequest<'_>,
    allocation: &Allocation<'_>,
) -> Markup {
    let say = |zh, en| language.say(zh, en);
    let mut by_resource: BTreeMap<&FeatureId, Vec<&Assignment<'_>>> = BTreeMap::new();
    for own in &allocation.assignments {
        by_resource.entry(own.row.id()).or_default().push(own);
    }
    let (layer, unit) = (request.layer, unit_word(language, &request.resource));
    let demand = |own: &Assignment<'_>| {
        let demand = &request.demands[own.demand];
        let name = demand.name.as_deref().unwrap_or(&demand.id);
        let cost = own.trip.map_or(own.distance_m, |trip| trip.duration_s);
        let cost = cost_words(language, request, cost);
        match language {
            PageLanguage::Chinese => format!("{name} {}{unit}（{cost}）", own.amount),
            PageLanguage::English => format!("{name} {} ({cost})", own.amount),
        }
    };
    html! {
        h2 { (say("安排", "Assignments")) }
        @if by_resource.is_empty() { p { (say("没有可以安排的资源。", "There is nothing to assign.")) } }
        @else {
            table {
                tr {
                    th { (language.pick(&layer.schema().title)) } th.n { (unit) } th { (say("接收", "For")) }
                    th { (say("责任人、电话", "Person, phone")) }
                }
                @for served in by_resource.values() {
                    @let row = served[0].row;
                    tr {
                        td { (layer.text(&row, "name").unwrap_or(row.id().as_str())) }
                        td.n { (served.iter().map(|own| u64::from(own.amount)).sum::<u64>()) }
                        td { (served.iter().map(|own| demand(own)).collect::<Vec<_>>().join(say("；", "; "))) }
                        td { (contact_words(language, contact(call, layer, &row))) }
                    }
                }
            }
        }
    }
}

/// The demands that are not served, and why.
fn unserved(language: PageLanguage, request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> Markup {
    let demands = describe_demands(request, allocation);
    let left: Vec<_> = demands.iter().filter(|demand| demand["reason"].is_object()).collect();
    html! {
        @if !left.is_empty() {
            h2 { (language.say("尚未安排", "Not placed")) }
            table {
                tr {
                    th { (language.say("需求", "Demand")) } th.n { (unit_word(language, &request.resource)) }
                    th { (language.say("原因", "Reason")) }
                }
                @for demand in left {
                    tr {
                        td { (demand["name"].as_str().or(demand["id"].as_str()).unwrap_or_default()) }
                        td.n { (demand["unserved"].to_string()) }
                        td { (demand["reason"][language.code()].as_str().unwrap_or_default()) }
                    }
                }
            }
        }
    }
}

/// What is counted.
fn unit_word(language: PageLanguage, resource: &Resource) -> &'static str {
    let (zh, en) = unit(resource);
    language.say(zh, en)
}
