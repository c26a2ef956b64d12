//! Together: the nearest set of resources that covers a demand which one alone may be too small for.
//!
//! Resources are taken in order of distance until the demand is covered. So the farthest of the set is as near as that
//! of any set that covers the demand. Then those that the others can replace are left out, the farthest first, so that
//! no member can be removed; and the rest give what they have of what is still needed, the nearest first.

use super::NearestQuery;
use super::demand::{Demand, Eligibility, Quantity, Verdict};
use super::traversal::{Near, SearchLimit, nearest_where};
use crate::query::cancel::Cancelled;
use crate::snapshot::{Layer, Row, Snapshot};

/// Most members of a set.
pub const MAX_MEMBERS: usize = 1_000;
/// How many of the nearest are looked at first.
const FIRST_LOOK: usize = 16;

/// What is needed, or given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Amounts {
    /// Places, persons.
    pub people: u32,
    /// Codes of skills.
    pub skills: Vec<String>,
    /// Articles.
    pub items: Vec<Quantity>,
}

impl Amounts {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.people == 0 && self.skills.is_empty() && self.items.is_empty()
    }
}

/// A member of the set.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The feature and its distance.
    pub near: Near<'a>,
    /// What it gives.
    pub contributes: Amounts,
}

/// The set.
#[derive(Clone, Debug)]
pub struct CoveringSet<'a> {
    /// Its members by distance.
    pub members: Vec<Member<'a>>,
    /// What nobody within reach gives.
    pub uncovered: Amounts,
}

/// The nearest set that covers the demand; `k` does not bound it.
///
/// # Errors
/// When it is cancelled.
pub fn cover<'a>(
    snapshot: &'a Snapshot,
    layer: &'a Layer,
    query: &NearestQuery<'_>,
) -> Result<CoveringSet<'a>, Cancelled> {
    // Amounts are shared out here, so each alone may have too little.
    let each = Demand { people: None, skills: Vec::new(), items: Vec::new(), ..query.demand.clone() };
    let eligibility = Eligibility::new(snapshot, layer, &each);
    let needed = needed(&eligibility, query.demand);
    let mut look = FIRST_LOOK;
    loop {
        let limit = SearchLimit { k: look, max_distance_m: query.limit.max_distance_m };
        let helps = |row: &Row<'a>| {
            eligibility.verdict(row) == Verdict::Eligible && !contribution(&eligibility, &needed, row).is_nothing()
        };
        // What a chunk offers at most says nothing of a sum, so none is passed by.
        let nearest = nearest_where(layer, query.origin, limit, query.cancel, |_| true, helps)?;
        let all_seen = nearest.len() < look || look == MAX_MEMBERS;
        let covering_set = distribute(&eligibility, needed.clone(), nearest);
        if covering_set.uncovered.is_nothing() || all_seen {
            return Ok(covering_set);
        }
        look = (look * 4).min(MAX_MEMBERS);
    }
}

/// Which part of a demand a resource covers, from 0 to 1: the mean over all that is asked for.
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

/// What is asked of a layer.
fn needed(eligibility: &Eligibility<'_>, demand: &Demand) -> Amounts {
    let resources = eligibility.resources();
    Amounts {
        people: demand.people.filter(|_| resources.has_capacity()).unwrap_or(0),
        skills: if resources.has_skills() { demand.skills.clone() } else { Vec::new() },
        items: if resources.has_stock() { demand.items.clone() } else { Vec::new() },
    }
}

/// What a resource has of what is needed.
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

/// Takes each in turn that has something of what is left, leaves out those that are not needed, and gives each of the
/// rest as much of what is left as it has.
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
    drop_those_not_needed(&needed, &mut candidates);
    let mut left = needed;
    let mut members = Vec::with_capacity(candidates.len());
    for (near, has) in candidates {
        let contributes = part_of(&has, &left);
        left = minus(left, &contributes);
        members.push(Member { near, contributes });
    }
    CoveringSet { members, uncovered: left }
}

/// What of some amounts is of use where these are left to be covered.
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

/// What is left when something is given.
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

/// Leaves out each that the others can replace, the farthest first: what they lack of the demand without it they lack
/// with it too.
fn drop_those_not_needed(needed: &Amounts, candidates: &mut Vec<(Near<'_>, Amounts)>) {
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
