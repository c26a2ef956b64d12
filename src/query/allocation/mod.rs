//! Allocation: which demands are served from which resources, so that as much as possible is served, nothing is given
//! twice, and the total distance is least.

pub mod transport;

use rayon::prelude::*;

use self::transport::{Transport, TransportArc, TransportPlan};
use crate::query::cancel::{CancelToken, Cancelled};
use crate::query::nearest::demand::{Demand, Eligibility, Verdict};
use crate::query::query_geometry::QueryGeometry;
use crate::snapshot::{Layer, Row, Snapshot};

/// Maximum number of pairs of a demand and a resource.
pub const MAX_PAIRS: usize = 1_000_000;
/// Further units of capacity that the best relief is computed for.
pub const RELIEF_UNITS: u32 = 20;

/// What is allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Free places, persons.
    Places,
    /// Units of a stock item, by code.
    Item(String),
    /// Whole features, such as teams.
    Features,
}

/// An amount needed at a place.
#[derive(Clone, Debug)]
pub struct PlacedDemand {
    /// Where it is needed.
    pub origin: QueryGeometry,
    /// Units needed.
    pub amount: u32,
}

/// An allocation to compute.
#[derive(Clone, Copy, Debug)]
pub struct AllocationQuery<'a> {
    /// What is allocated.
    pub resource: &'a Resource,
    /// The amounts needed.
    pub demands: &'a [PlacedDemand],
    /// Conditions on each resource; its amounts are not used.
    pub conditions: &'a Demand,
    /// Greatest distance of an assignment, metres.
    pub max_distance_m: Option<f64>,
    /// Whether each demand is served by one resource, or not at all.
    pub together: bool,
    /// Cancels the computation.
    pub cancel: &'a CancelToken,
}

/// An amount that a demand receives from a resource.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'a> {
    /// Index of the demand.
    pub demand: usize,
    /// The resource.
    pub row: Row<'a>,
    /// Units.
    pub amount: u32,
    /// Geodesic distance, metres.
    pub distance_m: f64,
}

/// Totals of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Units served.
    pub served: u64,
    /// Sum of units times distance, unit-metres.
    pub unit_metres: f64,
    /// Longest distance, metres.
    pub worst_m: f64,
}

impl Totals {
    fn of(plan: &TransportPlan) -> Self {
        let worst_m = plan.flows.iter().map(|flow| metres(flow.arc.cost)).fold(0.0, f64::max);
        Self { served: plan.served(), unit_metres: metres(plan.cost()), worst_m }
    }

    /// Mean distance of a unit, metres; `None` if nothing is served.
    #[must_use]
    pub fn mean_m(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        (self.served > 0).then(|| self.unit_metres / self.served as f64)
    }
}

/// What more capacity at a resource would change.
#[derive(Clone, Copy, Debug)]
pub struct Relief<'a> {
    /// The resource.
    pub row: Row<'a>,
    /// Totals with [`RELIEF_UNITS`] more units at it.
    pub totals: Totals,
}

/// An allocation.
#[derive(Clone, Debug)]
pub struct Allocation<'a> {
    /// The assignments, by demand and distance.
    pub assignments: Vec<Assignment<'a>>,
    /// By demand: units that are not served.
    pub unserved: Vec<u32>,
    /// By demand: number of resources within reach that meet the conditions and have any capacity.
    pub candidates: Vec<usize>,
    /// Totals of the plan.
    pub totals: Totals,
    /// Totals of serving the demands one after the other from the nearest resource.
    pub greedy: Totals,
    /// 0 for a plan that is proven optimal; otherwise its cost exceeds the least by at most this fraction.
    pub gap: f64,
    /// The resource where more capacity helps most, if any does.
    pub relief: Option<Relief<'a>>,
}

/// Why an allocation is not computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AllocationError {
    /// It was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Too many pairs of a demand and a resource.
    #[error("{0} pairs of a demand and a resource; at most {MAX_PAIRS} are computed")]
    TooLarge(usize),
}

/// Allocates resources of a layer to demands.
///
/// # Errors
/// When it is too large, or cancelled.
pub fn allocate<'a>(
    snapshot: &'a Snapshot,
    layer: &'a Layer,
    query: &AllocationQuery<'a>,
) -> Result<Allocation<'a>, AllocationError> {
    let sites = sites(snapshot, layer, query)?;
    let pairs = sites.len().saturating_mul(query.demands.len());
    if pairs > MAX_PAIRS {
        return Err(AllocationError::TooLarge(pairs));
    }
    let limit_m = query.max_distance_m.unwrap_or(f64::INFINITY);
    let arcs: Vec<Vec<TransportArc>> = query
        .demands
        .par_iter()
        .enumerate()
        .map(|(demand, PlacedDemand { origin, .. })| {
            query.cancel.check()?;
            let arc = |(site, (row, _)): (usize, &(Row<'a>, u32))| {
                let (.., distance_m) = origin.nearest(row.shape()?, limit_m)?;
                Some(TransportArc { demand, site, cost: kilometres(distance_m) })
            };
            Ok(sites.iter().enumerate().filter_map(arc).collect())
        })
        .collect::<Result<_, Cancelled>>()?;
    let candidates = arcs.iter().map(Vec::len).collect();
    let transport = Transport {
        demands: query.demands.iter().map(|demand| demand.amount).collect(),
        capacities: sites.iter().map(|(_, capacity)| *capacity).collect(),
        arcs: arcs.concat(),
        together: query.together,
    };
    let plan = transport.solve(query.cancel)?;
    let mut unserved = transport.demands.clone();
    let assignments = plan
        .flows
        .iter()
        .map(|flow| {
            unserved[flow.arc.demand] -= flow.amount;
            let (row, _) = sites[flow.arc.site];
            Assignment { demand: flow.arc.demand, row, amount: flow.amount, distance_m: metres(flow.arc.cost) }
        })
        .collect();
    Ok(Allocation {
        assignments,
        unserved,
        candidates,
        totals: Totals::of(&plan),
        greedy: Totals::of(&transport.greedy()),
        gap: plan.gap,
        relief: relief(&transport, &plan, query)?.map(|(site, totals)| Relief { row: sites[site].0, totals }),
    })
}

/// The resources that meet the conditions and have any capacity, each with its units, by id.
fn sites<'a>(
    snapshot: &'a Snapshot,
    layer: &'a Layer,
    query: &AllocationQuery<'_>,
) -> Result<Vec<(Row<'a>, u32)>, Cancelled> {
    let conditions = Demand { people: None, items: Vec::new(), ..query.conditions.clone() };
    let eligibility = Eligibility::new(snapshot, layer, &conditions);
    let capacity = |row: &Row<'a>| -> u32 {
        let units = match query.resource {
            Resource::Places => eligibility.free_places(row).unwrap_or(0),
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            Resource::Item(code) => eligibility.free_quantity(row, code).unwrap_or(0.0).floor() as i64,
            Resource::Features => 1,
        };
        u32::try_from(units.max(0)).unwrap_or(u32::MAX)
    };
    let mut sites = Vec::new();
    for row in layer.rows_after(None) {
        query.cancel.check()?;
        if eligibility.verdict(&row) == Verdict::Eligible && row.shape().is_some() {
            sites.push((row, capacity(&row)));
        }
    }
    sites.retain(|(_, capacity)| *capacity > 0);
    Ok(sites)
}

/// The site where more capacity helps most, with the totals of the plan that it allows.
fn relief(
    transport: &Transport,
    plan: &TransportPlan,
    query: &AllocationQuery<'_>,
) -> Result<Option<(usize, Totals)>, Cancelled> {
    // The price of one more unit is known for plans that may split demands only.
    if transport.together {
        return Ok(None);
    }
    let Some(best) = transport.shadow_prices(plan).into_iter().next() else { return Ok(None) };
    let mut larger = transport.clone();
    larger.capacities[best.site] = larger.capacities[best.site].saturating_add(RELIEF_UNITS);
    Ok(Some((best.site, Totals::of(&larger.solve_like(plan, query.cancel)?))))
}

/// Costs are kilometres, so that the solver computes with numbers of similar size.
fn kilometres(metres: f64) -> f64 {
    metres / 1_000.0
}

fn metres(kilometres: f64) -> f64 {
    kilometres * 1_000.0
}
