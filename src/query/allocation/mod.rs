//! Allocation: which demands are served from which resources, so that as much as possible is served, nothing is given
//! twice, and the total distance or travel time is least.

pub mod transport;

use geo::Geometry;
use rayon::prelude::*;

use self::transport::{Transport, TransportArc, TransportPlan};
use crate::geodesy::LonLat;
use crate::query::cancel::{CancelToken, Cancelled};
use crate::query::nearest::demand::{Demand, Eligibility, Verdict};
use crate::query::query_geometry::QueryGeometry;
use crate::query::road::closures::{Closure, Closures};
use crate::query::road::search::{RoadPath, TravelDirection, TravelMode, Trip};
use crate::query::road::{RoadSource, Travel};
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
    /// Travel on roads, whose time is then what is least in total; without it the straight line.
    pub by_road: Option<&'a AllocationByRoad<'a>>,
    /// Whether each demand is served by one resource, or not at all.
    pub together: bool,
    /// Cancels the computation.
    pub cancel: &'a CancelToken,
}

/// Travel on roads between demands, which are points, and resources.
#[derive(Clone, Copy, Debug)]
pub struct AllocationByRoad<'a> {
    /// Where travel is computed.
    pub source: &'a RoadSource,
    /// Their closed parts.
    pub closures: &'a Closures<'a>,
    /// How, and whether to the resources or from them.
    pub way: (TravelMode, TravelDirection),
    /// Longest travel time of an assignment, seconds.
    pub max_duration_s: Option<f64>,
}

impl<'a> AllocationByRoad<'a> {
    fn travel(&self, origin: &QueryGeometry, cancel: &CancelToken) -> Result<Option<Travel<'a>>, Cancelled> {
        let Some(from) = position(origin) else { return Ok(None) };
        Travel::new(self.source, self.closures, self.way, from, self.max_duration_s, cancel).map(Some)
    }
}

/// The position of a demand that is a point.
fn position(origin: &QueryGeometry) -> Option<LonLat> {
    match origin.geometry() {
        Geometry::Point(point) => LonLat::try_from(point.0).ok(),
        _ => None,
    }
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
    /// The journey, by road.
    pub trip: Option<Trip>,
}

/// Totals of a plan. Costs are metres, by road seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Units served.
    pub served: u64,
    /// Sum of units times cost.
    pub unit_cost: f64,
    /// Greatest cost of an assignment.
    pub worst_cost: f64,
}

impl Totals {
    fn of(plan: &TransportPlan) -> Self {
        let worst_cost = plan.flows.iter().map(|flow| flow.arc.cost / SCALE).fold(0.0, f64::max);
        Self { served: plan.served(), unit_cost: plan.cost() / SCALE, worst_cost }
    }

    /// Mean cost of a unit; `None` if nothing is served.
    #[must_use]
    pub fn mean_cost(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        (self.served > 0).then(|| self.unit_cost / self.served as f64)
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
    /// By demand: if no resource is within reach by road, what closes the way to the nearest one.
    pub cut_by: Vec<Vec<Closure<'a>>>,
    /// By assignment: the line of the journey, by road.
    pub paths: Vec<Option<RoadPath>>,
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
    let by_engine = by_engine(&sites, query);
    let travel_of = |at: usize| by_engine.as_ref().and_then(|travels| travels.get(at));
    let reached: Vec<Reachable<'a>> = query
        .demands
        .par_iter()
        .enumerate()
        .map(|(at, demand)| Reachable::of((&demand.origin, travel_of(at)), &sites, query))
        .collect::<Result<_, Cancelled>>()?;
    let arc = |(demand, reachable): (usize, &Reachable<'_>)| -> Vec<TransportArc> {
        reachable.legs.iter().map(|leg| TransportArc { demand, site: leg.site, cost: leg.cost() * SCALE }).collect()
    };
    let arcs: Vec<Vec<TransportArc>> = reached.iter().enumerate().map(arc).collect();
    let candidates = arcs.iter().map(Vec::len).collect();
    let transport = Transport {
        demands: query.demands.iter().map(|demand| demand.amount).collect(),
        capacities: sites.iter().map(|(_, capacity)| *capacity).collect(),
        arcs: arcs.concat(),
        together: query.together,
    };
    let plan = transport.solve(query.cancel)?;
    let mut unserved = transport.demands.clone();
    let assignments: Vec<Assignment<'a>> = plan
        .flows
        .iter()
        .filter_map(|flow| {
            unserved[flow.arc.demand] -= flow.amount;
            let leg = reached[flow.arc.demand].legs.iter().find(|leg| leg.site == flow.arc.site)?;
            let (row, _) = sites[flow.arc.site];
            let (distance_m, trip) = (leg.distance_m, leg.trip);
            Some(Assignment { demand: flow.arc.demand, row, amount: flow.amount, distance_m, trip })
        })
        .collect();
    Ok(Allocation {
        paths: paths(&assignments, query)?,
        assignments,
        cut_by: reached.into_iter().map(|reachable| reachable.cut_by).collect(),
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

/// Travel from each demand, if an engine computes it. Resources that are no points are where their line to the first demand
/// ends.
fn by_engine<'a>(sites: &[(Row<'a>, u32)], query: &AllocationQuery<'a>) -> Option<Vec<Travel<'a>>> {
    let by_road = query.by_road?;
    let origins: Option<Vec<LonLat>> = query.demands.iter().map(|demand| position(&demand.origin)).collect();
    let first = &query.demands.first()?.origin;
    let place = |(row, _): &(Row<'a>, u32)| Some(first.nearest(row.shape()?, f64::INFINITY)?.1);
    let places: Vec<LonLat> = sites.iter().filter_map(place).collect();
    let ends = (origins?, places);
    Travel::by_engine(
        by_road.source,
        by_road.closures,
        by_road.way,
        (&ends.0, &ends.1),
        by_road.max_duration_s,
        query.cancel,
    )
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
    let larger = transport.with_more(plan, best.site, RELIEF_UNITS, query.cancel)?;
    Ok(Some((best.site, Totals::of(&larger))))
}

/// Costs of the solver are kilometres or thousands of seconds, so that it computes with numbers of similar size.
const SCALE: f64 = 1e-3;

/// A resource within reach of a demand.
#[derive(Clone, Copy, Debug)]
struct Leg {
    site: usize,
    distance_m: f64,
    trip: Option<Trip>,
}

impl Leg {
    /// Metres, by road seconds.
    fn cost(&self) -> f64 {
        self.trip.map_or(self.distance_m, |trip| trip.duration_s)
    }
}

/// The resources within reach of a demand.
struct Reachable<'a> {
    legs: Vec<Leg>,
    cut_by: Vec<Closure<'a>>,
}

impl<'a> Reachable<'a> {
    fn of(
        (origin, by_engine): (&QueryGeometry, Option<&Travel<'a>>),
        sites: &[(Row<'_>, u32)],
        query: &AllocationQuery<'a>,
    ) -> Result<Self, Cancelled> {
        query.cancel.check()?;
        let limit_m = query.max_distance_m.unwrap_or(f64::INFINITY);
        let places = sites.iter().enumerate().filter_map(|(site, (row, _))| {
            let (_, place, distance_m) = origin.nearest(row.shape()?, limit_m)?;
            Some((place, Leg { site, distance_m, trip: None }))
        });
        let Some(by_road) = query.by_road else {
            return Ok(Self { legs: places.map(|(_, leg)| leg).collect(), cut_by: Vec::new() });
        };
        let in_memory = if by_engine.is_none() { by_road.travel(origin, query.cancel)? } else { None };
        let Some(travel) = by_engine.or(in_memory.as_ref()) else {
            return Ok(Self { legs: Vec::new(), cut_by: Vec::new() });
        };
        let places: Vec<(LonLat, Leg)> = places.collect();
        let by_road = |(place, leg): &(LonLat, Leg)| Some(Leg { trip: Some(travel.trip(*place)?), ..*leg });
        let legs: Vec<Leg> = places.iter().filter_map(by_road).collect();
        let nearest = places.iter().min_by(|a, b| a.1.distance_m.total_cmp(&b.1.distance_m));
        let cut_by = match nearest {
            Some((place, _)) if legs.is_empty() => travel.cut_by(*place, query.cancel),
            _ => Vec::new(),
        };
        Ok(Self { legs, cut_by })
    }
}

/// The lines of the journeys of a plan. They are searched again, because the searches of all demands need much memory.
fn paths(assignments: &[Assignment<'_>], query: &AllocationQuery<'_>) -> Result<Vec<Option<RoadPath>>, Cancelled> {
    let Some(by_road) = query.by_road else { return Ok(vec![None; assignments.len()]) };
    let of_demand = |own: &[Assignment<'_>]| -> Result<Vec<Option<RoadPath>>, Cancelled> {
        let Some(first) = own.first() else { return Ok(Vec::new()) };
        let origin = &query.demands[first.demand].origin;
        let travel = by_road.travel(origin, query.cancel)?;
        let path = |assignment: &Assignment<'_>| {
            let (_, place, _) = origin.nearest(assignment.row.shape()?, f64::INFINITY)?;
            travel.as_ref()?.path(place)
        };
        Ok(own.iter().map(path).collect())
    };
    let groups: Vec<&[Assignment<'_>]> = assignments.chunk_by(|a, b| a.demand == b.demand).collect();
    let found: Vec<Vec<Option<RoadPath>>> = groups.into_par_iter().map(of_demand).collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}
