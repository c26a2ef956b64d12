//! Who is nearest and can take the job; who was nearer and was passed over, and why.

pub mod cover;
pub mod demand;
pub mod traversal;

use self::demand::{Demand, Eligibility, Reason, Verdict};
use self::traversal::{Near, SearchLimit, nearest_where};
use crate::query::query_geometry::QueryGeometry;
use crate::snapshot::{Layer, Row, Snapshot};

/// From how many partial answers the best are taken.
const PARTIAL: usize = 1_000;

/// What is asked of one layer.
#[derive(Clone, Copy, Debug)]
pub struct NearestQuery<'a> {
    /// From where.
    pub origin: &'a QueryGeometry,
    /// How many, and how far.
    pub limit: SearchLimit,
    /// What the job asks.
    pub demand: &'a Demand,
    /// Those who can do part of the job fill up an answer that is not full.
    pub relax: bool,
    /// How many of those who were passed over are told of.
    pub explain: usize,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The feature and its distance.
    pub near: Near<'a>,
    /// Whether it can take the job.
    pub verdict: Verdict,
    /// What speaks against it; empty for one that fits.
    pub reasons: Vec<Reason<'a>>,
}

/// All answers.
#[derive(Clone, Debug)]
pub struct NearestAnswer<'a> {
    /// Those known to fit by distance; then, if asked for, those who can do part of it, the greater part first; then
    /// those of which something is unknown, by distance.
    pub found: Vec<Found<'a>>,
    /// The nearest of those who are as near as the last that fits, or nearer, and are not among the answers.
    pub excluded: Vec<Found<'a>>,
    /// Whether there are more of them.
    pub more_excluded: bool,
}

/// The nearest that can take the job.
#[must_use]
pub fn nearest<'a>(snapshot: &'a Snapshot, layer: &'a Layer, query: &NearestQuery<'a>) -> NearestAnswer<'a> {
    let eligibility = Eligibility::new(snapshot, layer, query.demand);
    let with_reasons = |near: Near<'a>| Found {
        near,
        verdict: eligibility.verdict(&near.row),
        reasons: eligibility.reasons(&near.row),
    };
    let is = |verdict: Verdict| {
        let eligibility = &eligibility;
        move |row: &Row<'a>| eligibility.verdict(row) == verdict
    };
    let fitting = nearest_where(
        layer,
        query.origin,
        query.limit,
        |group| eligibility.may_be_eligible(group),
        is(Verdict::Eligible),
    );
    let is_full = fitting.len() == query.limit.k;
    let last_m = fitting.last().filter(|_| is_full).map(|near| near.distance_m);
    let mut found: Vec<Found<'a>> =
        fitting.into_iter().map(|near| Found { near, verdict: Verdict::Eligible, reasons: Vec::new() }).collect();
    if query.relax && !is_full {
        let mut partial = in_part(layer, query, &eligibility);
        partial.truncate(query.limit.k - found.len());
        found.extend(partial.into_iter().map(with_reasons));
    }
    if found.len() < query.limit.k {
        let rest = SearchLimit { k: query.limit.k - found.len(), ..query.limit };
        let unknown =
            nearest_where(layer, query.origin, rest, |group| eligibility.may_be_unknown(group), is(Verdict::Unknown));
        found.extend(unknown.into_iter().map(with_reasons));
    }
    let (excluded, more_excluded) = if query.explain == 0 {
        (Vec::new(), false)
    } else {
        let limit = SearchLimit { k: query.explain + 1, max_distance_m: last_m.or(query.limit.max_distance_m) };
        let answered: Vec<_> = found.iter().map(|found| found.near.row.id()).collect();
        let passed = |row: &Row<'a>| eligibility.verdict(row) != Verdict::Eligible && !answered.contains(&row.id());
        let mut excluded = nearest_where(layer, query.origin, limit, |_| true, passed);
        let more = excluded.len() > query.explain;
        excluded.truncate(query.explain);
        (excluded.into_iter().map(with_reasons).collect(), more)
    };
    NearestAnswer { found, excluded, more_excluded }
}

/// The nearest of those that are known to fit.
#[must_use]
pub fn fitting<'a>(
    snapshot: &'a Snapshot,
    layer: &'a Layer,
    origin: &QueryGeometry,
    limit: SearchLimit,
    demand: &Demand,
) -> Vec<Near<'a>> {
    let eligibility = Eligibility::new(snapshot, layer, demand);
    let fits = |row: &Row<'a>| eligibility.verdict(row) == Verdict::Eligible;
    nearest_where(layer, origin, limit, |group| eligibility.may_be_eligible(group), fits)
}

/// Those who can do part of the job, the greater part first, then the nearer.
fn in_part<'a>(layer: &'a Layer, query: &NearestQuery<'a>, eligibility: &Eligibility<'a>) -> Vec<Near<'a>> {
    let limit = SearchLimit { k: PARTIAL, ..query.limit };
    let accepts = |row: &Row<'a>| {
        eligibility.verdict(row) == Verdict::Partial && cover::share(eligibility, query.demand, row) > 0.0
    };
    let mut partial: Vec<(f64, Near<'a>)> = nearest_where(layer, query.origin, limit, |_| true, accepts)
        .into_iter()
        .map(|near| (cover::share(eligibility, query.demand, &near.row), near))
        .collect();
    // The sort is stable: those who can do as much stay in order of distance.
    partial.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    partial.into_iter().map(|(_, near)| near).collect()
}
