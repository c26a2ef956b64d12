//! Facts of an allocation that its JSON and its printed page share.

use serde_json::{Value as Json, json};

use crate::http::api::allocations_params::{AllocationRequest, NamedDemand};
use crate::http::api::exclusion::unreachable;
use crate::http::reply::numbers::millimetres;
use crate::query::allocation::{Allocation, RELIEF_UNITS, Relief, Resource, Totals};
use crate::query::road::closures::Closure;

/// How the cost of a plan is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Metres of the straight line.
    Distance,
    /// Seconds by road.
    Time,
}

impl Measure {
    pub(crate) fn of(request: &AllocationRequest<'_>) -> Self {
        if request.by_road.is_some() { Self::Time } else { Self::Distance }
    }

    /// Name of the member with units times cost.
    pub(crate) fn sum_name(self) -> &'static str {
        match self {
            Self::Distance => "unit_km",
            Self::Time => "unit_h",
        }
    }

    /// Units times cost with one decimal: kilometres, or hours.
    pub(crate) fn sum(self, unit_cost: f64) -> f64 {
        let sum = match self {
            Self::Distance => unit_cost / 1_000.0,
            Self::Time => unit_cost / 3_600.0,
        };
        (sum * 10.0).round() / 10.0
    }

    pub(crate) fn totals(self, totals: &Totals) -> Json {
        let sum = self.sum(totals.unit_cost);
        match self {
            Self::Distance => json!({
                "served": totals.served,
                "unit_km": sum,
                "mean_m": totals.mean_cost().map(millimetres),
                "worst_m": millimetres(totals.worst_cost),
            }),
            Self::Time => json!({
                "served": totals.served,
                "unit_h": sum,
                "mean_s": totals.mean_cost().map(f64::round),
                "worst_s": totals.worst_cost.round(),
            }),
        }
    }
}

/// Each demand: what it needs, what it receives, and why not all.
pub(crate) fn describe_demands(request: &AllocationRequest<'_>, allocation: &Allocation<'_>) -> Vec<Json> {
    let rest = allocation.unserved.iter().zip(&allocation.candidates).zip(&allocation.cut_by);
    let describe = |(demand, ((unserved, candidates), cut_by)): (&NamedDemand, ((&u32, &usize), &Vec<Closure<'_>>))| {
        let reason = (*unserved > 0).then(|| match candidates {
            0 if !cut_by.is_empty() => unreachable(cut_by),
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

/// What is counted, in Chinese and English.
pub(crate) fn unit(resource: &Resource) -> (&'static str, &'static str) {
    match resource {
        Resource::Places => ("人", "person"),
        Resource::Item(_) => ("件", "unit"),
        Resource::Features => ("支", "team"),
    }
}

/// The resource where more capacity helps most, in words.
pub(crate) fn describe_relief(request: &AllocationRequest<'_>, relief: &Relief<'_>, totals: &Totals) -> Json {
    let name = request.layer.text(&relief.row, "name").unwrap_or(relief.row.id().as_str());
    let served_more = relief.totals.served.saturating_sub(totals.served);
    let measure = Measure::of(request);
    let saved = measure.sum(totals.unit_cost - relief.totals.unit_cost);
    let (of_zh, of_en) = match measure {
        Measure::Distance => ("公里", "km"),
        Measure::Time => ("小时", "h"),
    };
    let (unit_zh, unit_en) = unit(&request.resource);
    let (zh, en) = if served_more > 0 {
        (
            format!("{name}再增加{RELIEF_UNITS}的余量，可多安排{served_more}{unit_zh}"),
            format!("{RELIEF_UNITS} more at {name} would serve {served_more} more"),
        )
    } else {
        (
            format!("{name}再增加{RELIEF_UNITS}的余量，可节省{saved}{unit_zh}·{of_zh}"),
            format!("{RELIEF_UNITS} more at {name} would save {saved} {unit_en}-{of_en}"),
        )
    };
    let mut described = json!({
        "id": relief.row.id().as_str(),
        "name": name,
        "more": RELIEF_UNITS,
        "served_more": served_more,
        "zh": zh,
        "en": en,
    });
    described[format!("saved_{}", measure.sum_name())] = json!(saved);
    described
}
