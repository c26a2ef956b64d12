//! Who is nearest and can take the job; who was nearer and was passed over, and why.

pub mod combine;
pub mod demand;
pub mod origin;
pub mod walk;

use self::demand::{Demand, Judge, Reason, Standing};
use self::origin::Origin;
use self::walk::{Near, Reach, nearest_where};
use crate::snapshot::{Layer, Row, Snapshot};

/// From how many partial answers the best are taken.
const PARTIAL: usize = 1_000;

/// What is asked of one layer.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// From where.
    pub origin: &'a Origin,
    /// How many, and how far.
    pub reach: Reach,
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
    pub standing: Standing,
    /// What speaks against it; empty for one that fits.
    pub reasons: Vec<Reason<'a>>,
}

/// All answers.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// Those known to fit by distance; then, if asked for, those who can do part of it, the greater part first; then
    /// those of which something is unknown, by distance.
    pub found: Vec<Found<'a>>,
    /// The nearest of those who are as near as the last that fits, or nearer, and are not among the answers.
    pub passed_over: Vec<Found<'a>>,
    /// Whether there are more of them.
    pub more_passed_over: bool,
}

/// The nearest that can take the job.
#[must_use]
pub fn nearest<'a>(snapshot: &'a Snapshot, layer: &'a Layer, ask: &Ask<'a>) -> Answer<'a> {
    let judge = Judge::new(snapshot, layer, ask.demand);
    let with_reasons =
        |near: Near<'a>| Found { near, standing: judge.standing(&near.row), reasons: judge.reasons(&near.row) };
    let is = |standing: Standing| {
        let judge = &judge;
        move |row: &Row<'a>| judge.standing(row) == standing
    };
    let fitting = nearest_where(layer, ask.origin, ask.reach, |group| judge.may_fit(group), is(Standing::Fits));
    let is_full = fitting.len() == ask.reach.k;
    let last_m = fitting.last().filter(|_| is_full).map(|near| near.distance_m);
    let mut found: Vec<Found<'a>> =
        fitting.into_iter().map(|near| Found { near, standing: Standing::Fits, reasons: Vec::new() }).collect();
    if ask.relax && !is_full {
        let mut partial = in_part(layer, ask, &judge);
        partial.truncate(ask.reach.k - found.len());
        found.extend(partial.into_iter().map(with_reasons));
    }
    if found.len() < ask.reach.k {
        let rest = Reach { k: ask.reach.k - found.len(), ..ask.reach };
        let unknown =
            nearest_where(layer, ask.origin, rest, |group| judge.may_be_unknown(group), is(Standing::Unknown));
        found.extend(unknown.into_iter().map(with_reasons));
    }
    let (passed_over, more_passed_over) = if ask.explain == 0 {
        (Vec::new(), false)
    } else {
        let reach = Reach { k: ask.explain + 1, max_distance_m: last_m.or(ask.reach.max_distance_m) };
        let answered: Vec<_> = found.iter().map(|found| found.near.row.id()).collect();
        let passed = |row: &Row<'a>| judge.standing(row) != Standing::Fits && !answered.contains(&row.id());
        let mut passed_over = nearest_where(layer, ask.origin, reach, |_| true, passed);
        let more = passed_over.len() > ask.explain;
        passed_over.truncate(ask.explain);
        (passed_over.into_iter().map(with_reasons).collect(), more)
    };
    Answer { found, passed_over, more_passed_over }
}

/// The nearest of those that are known to fit.
#[must_use]
pub fn fitting<'a>(
    snapshot: &'a Snapshot,
    layer: &'a Layer,
    origin: &Origin,
    reach: Reach,
    demand: &Demand,
) -> Vec<Near<'a>> {
    let judge = Judge::new(snapshot, layer, demand);
    let fits = |row: &Row<'a>| judge.standing(row) == Standing::Fits;
    nearest_where(layer, origin, reach, |group| judge.may_fit(group), fits)
}

/// Those who can do part of the job, the greater part first, then the nearer.
fn in_part<'a>(layer: &'a Layer, ask: &Ask<'a>, judge: &Judge<'a>) -> Vec<Near<'a>> {
    let reach = Reach { k: PARTIAL, ..ask.reach };
    let accepts =
        |row: &Row<'a>| judge.standing(row) == Standing::Short && combine::share(judge, ask.demand, row) > 0.0;
    let mut partial: Vec<(f64, Near<'a>)> = nearest_where(layer, ask.origin, reach, |_| true, accepts)
        .into_iter()
        .map(|near| (combine::share(judge, ask.demand, &near.row), near))
        .collect();
    // The sort is stable: those who can do as much stay in order of distance.
    partial.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    partial.into_iter().map(|(_, near)| near).collect()
}
