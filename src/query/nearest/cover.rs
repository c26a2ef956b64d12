//! Covering sets: the best set of resources that together meet a demand.
//!
//! By default, resources are added by distance until the demand is covered, so the farthest member is as near as in any
//! covering set. Then members that the others can replace are removed, farthest first, so that no member is redundant.
//! Other sets come from an integer program. The members contribute what is still needed, nearest first.

use super::NearestQuery;
use super::covering_program::{Candidate, CoverOptions, CoveringProgram};
use super::demand::{Demand, Eligibility, Quantity, Verdict};
use super::traversal::{Near, SearchLimit};
use crate::query::cancel::Cancelled;
use crate::snapshot::{Layer, Row, Snapshot};

/// Maximum number of members.
pub const MAX_MEMBERS: usize = 1_000;
/// Number of nearest candidates of the first round.
const FIRST_CANDIDATES: usize = 16;

/// Amounts needed or contributed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Amounts {
    /// Free places, persons.
    pub people: u32,
    /// Skill codes.
    pub skills: Vec<String>,
    /// Stock items.
    pub items: Vec<Quantity>,
}

impl Amounts {
    /// Whether all amounts are zero.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.people == 0 && self.skills.is_empty() && self.items.is_empty()
    }
}

/// A member of a covering set.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The feature and its distance.
    pub near: Near<'a>,
    /// Its contribution.
    pub contributes: Amounts,
}

/// A covering set.
#[derive(Clone, Debug)]
pub struct CoveringSet<'a> {
    /// Its members, by distance.
    pub members: Vec<Member<'a>>,
    /// The amounts that no member covers.
    pub uncovered: Amounts,
    /// 0 if the set is proven to be the best; otherwise a bound of its relative distance to the best.
    pub gap: f64,
}

/// The best covering set; `k` does not limit it.
///
/// # Errors
/// When it is cancelled.
pub fn cover<'a>(
    snapshot: &'a Snapshot,
    layer: &'a Layer,
    query: &NearestQuery<'_>,
    options: CoverOptions,
) -> Result<CoveringSet<'a>, Cancelled> {
    // Amounts are shared, so a member may have less than the whole demand.
    let each = Demand { people: None, skills: Vec::new(), items: Vec::new(), ..query.demand.clone() };
    let eligibility = Eligibility::new(snapshot, layer, &each);
    let needed = needed(&eligibility, query.demand);
    let is_plain = options == CoverOptions::default();
    // The best set of another kind may have members beyond the nearest ones.
    let mut candidate_count = if is_plain { FIRST_CANDIDATES } else { MAX_MEMBERS };
    loop {
        let limit = SearchLimit { k: candidate_count, max_distance_m: query.limit.max_distance_m };
        let helps = |row: &Row<'a>| {
            eligibility.verdict(row) == Verdict::Eligible && !contribution(&eligibility, &needed, row).is_nothing()
        };
        // The upper bound of single features does not bound their sum, so no chunk is skipped.
        let nearest = query.search(layer, limit, |_| true, helps)?;
        let all_seen = nearest.len() < candidate_count || candidate_count == MAX_MEMBERS;
        if !is_plain {
            return Ok(best(&eligibility, needed, &nearest, options));
        }
        let covering_set = distribute(&eligibility, needed.clone(), nearest);
        if covering_set.uncovered.is_nothing() || all_seen {
            return Ok(covering_set);
        }
        candidate_count = (candidate_count * 4).min(MAX_MEMBERS);
    }
}

/// The best set by an integer program; the nearest one if the solver fails.
fn best<'a>(
    eligibility: &Eligibility<'_>,
    needed: Amounts,
    nearest: &[Near<'a>],
    options: CoverOptions,
) -> CoveringSet<'a> {
    let requirements = requirements(&needed);
    let candidate = |near: &Near<'a>| {
        let has = contribution(eligibility, &needed, &near.row);
        Candidate { distance_km: near.cost_km(), gives: parts(&needed, &has) }
    };
    let candidates: Vec<Candidate> = nearest.iter().map(candidate).collect();
    let simple = distribute(eligibility, needed.clone(), nearest.to_vec());
    let is_simple = |near: &Near<'a>| simple.members.iter().any(|own| own.near.row.id() == near.row.id());
    let start: Vec<usize> = nearest.iter().enumerate().filter(|(_, near)| is_simple(near)).map(|(at, _)| at).collect();
    let program = CoveringProgram { needed: &requirements, candidates: &candidates, max_members: options.max_members };
    match program.choose(options.prefer, &start) {
        Some(chosen) => {
            let members = chosen.members.into_iter().map(|at| nearest[at]).collect();
            CoveringSet { gap: chosen.gap, ..distribute(eligibility, needed, members) }
        }
        None => CoveringSet { gap: 1.0, ..simple },
    }
}

/// The amounts as numbers: people, each skill, each item.
fn requirements(needed: &Amounts) -> Vec<f64> {
    let people = (needed.people > 0).then(|| f64::from(needed.people));
    let items = needed.items.iter().map(|item| item.count);
    people.into_iter().chain(needed.skills.iter().map(|_| 1.0)).chain(items).collect()
}

/// The contribution of a resource, in the order of [`requirements`].
fn parts(needed: &Amounts, has: &Amounts) -> Vec<f64> {
    let people = (needed.people > 0).then(|| f64::from(has.people));
    let skills = needed.skills.iter().map(|skill| f64::from(u8::from(has.skills.contains(skill))));
    let count = |item: &Quantity| has.items.iter().find(|own| own.code == item.code).map_or(0.0, |own| own.count);
    people.into_iter().chain(skills).chain(needed.items.iter().map(count)).collect()
}

/// The fraction of a demand that a resource covers, 0 to 1: the mean over its parts.
pub(super) fn share(eligibility: &Eligibility<'_>, demand: &Demand, row: &Row<'_>) -> f64 {
    let needed = needed(eligibility, demand);
    let contribution = contribution(eligibility, &needed, row);
    let (mut sum, mut count) = (0.0, 0.0);
    if needed.people > 0 {
        sum += f64::from(contribution.people) / f64::from(needed.people);
        count += 1.0;
    }
    for skill in &needed.skills {
        sum += f64::from(u8::from(contribution.skills.contains(skill)));
        count += 1.0;
    }
    for item in &needed.items {
        let given = contribution.items.iter().find(|given| given.code == item.code);
        sum += given.map_or(0.0, |given| given.count / item.count);
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The demand on a layer.
fn needed(eligibility: &Eligibility<'_>, demand: &Demand) -> Amounts {
    let resources = eligibility.resources();
    Amounts {
        people: demand.people.filter(|_| resources.has_capacity()).unwrap_or(0),
        skills: if resources.has_skills() { demand.skills.clone() } else { Vec::new() },
        items: if resources.has_stock() { demand.items.clone() } else { Vec::new() },
    }
}

/// The part of the needed amounts that a resource has.
fn contribution(eligibility: &Eligibility<'_>, needed: &Amounts, row: &Row<'_>) -> Amounts {
    let free = eligibility.free_places(row).unwrap_or(0).min(i64::from(needed.people));
    let skills = eligibility.resources().skills(row).unwrap_or_default();
    let items = needed.items.iter().filter_map(|item| {
        let count = eligibility.free_quantity(row, &item.code)?.min(item.count);
        (count > 0.0).then(|| Quantity { code: item.code.clone(), count })
    });
    Amounts {
        people: u32::try_from(free).unwrap_or(0),
        skills: needed.skills.iter().filter(|skill| skills.contains(skill)).cloned().collect(),
        items: items.collect(),
    }
}

/// Adds resources that cover part of the remaining demand, removes redundant ones, and assigns to each of the rest as
/// much of the remaining demand as it has.
fn distribute<'a>(eligibility: &Eligibility<'_>, needed: Amounts, nearest: Vec<Near<'a>>) -> CoveringSet<'a> {
    let mut left = needed.clone();
    let mut candidates: Vec<(Near<'a>, Amounts)> = Vec::new();
    for near in nearest {
        if left.is_nothing() {
            break;
        }
        let has = contribution(eligibility, &needed, &near.row);
        if !part_of(&has, &left).is_nothing() {
            left = minus(left, &has);
            candidates.push((near, has));
        }
    }
    remove_redundant(&needed, &mut candidates);
    let mut left = needed;
    let mut members = Vec::with_capacity(candidates.len());
    for (near, has) in candidates {
        let contributes = part_of(&has, &left);
        left = minus(left, &contributes);
        members.push(Member { near, contributes });
    }
    CoveringSet { members, uncovered: left, gap: 0.0 }
}

/// The part of some amounts that the remaining demand can use.
fn part_of(has: &Amounts, left: &Amounts) -> Amounts {
    let items = left.items.iter().filter_map(|item| {
        let own = has.items.iter().find(|own| own.code == item.code)?;
        Some(Quantity { code: item.code.clone(), count: own.count.min(item.count) })
    });
    Amounts {
        people: has.people.min(left.people),
        skills: left.skills.iter().filter(|skill| has.skills.contains(skill)).cloned().collect(),
        items: items.collect(),
    }
}

/// The remaining demand after a contribution.
fn minus(mut left: Amounts, given: &Amounts) -> Amounts {
    left.people = left.people.saturating_sub(given.people);
    left.skills.retain(|skill| !given.skills.contains(skill));
    for item in &mut left.items {
        let own = given.items.iter().find(|own| own.code == item.code);
        item.count -= own.map_or(0.0, |own| own.count);
    }
    left.items.retain(|item| item.count > 0.0);
    left
}

/// Removes each member that the others can replace, farthest first: the set covers the same without it.
fn remove_redundant(needed: &Amounts, candidates: &mut Vec<(Near<'_>, Amounts)>) {
    let mut at = candidates.len();
    while at > 0 {
        at -= 1;
        let others = || candidates.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, (_, has))| has);
        let lacks = others().fold(needed.clone(), minus);
        if part_of(&candidates[at].1, &lacks).is_nothing() {
            candidates.remove(at);
        }
    }
}
