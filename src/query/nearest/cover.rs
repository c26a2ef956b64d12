//! Together: the nearest set of resources that covers a demand which one alone may be too small for.
//!
//! Resources are taken in order of distance and give what they have of what is still needed. So the farthest of the
//! set is as near as that of any set that covers the demand.

use super::NearestQuery;
use super::demand::{Demand, Eligibility, Quantity, Verdict};
use super::traversal::{Near, SearchLimit, nearest_where};
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
#[must_use]
pub fn cover<'a>(snapshot: &'a Snapshot, layer: &'a Layer, query: &NearestQuery<'_>) -> CoveringSet<'a> {
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
        let nearest = nearest_where(layer, query.origin, limit, |_| true, helps);
        let all_seen = nearest.len() < look || look == MAX_MEMBERS;
        let covering_set = distribute(&eligibility, needed.clone(), nearest);
        if covering_set.uncovered.is_nothing() || all_seen {
            return covering_set;
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

/// Gives each in turn as much of what is left as it has.
fn distribute<'a>(eligibility: &Eligibility<'_>, mut left: Amounts, nearest: Vec<Near<'a>>) -> CoveringSet<'a> {
    let mut members: Vec<Member<'a>> = Vec::new();
    for near in nearest {
        if left.is_nothing() {
            break;
        }
        let contributes = contribution(eligibility, &left, &near.row);
        if contributes.is_nothing() {
            continue;
        }
        left.people -= contributes.people;
        left.skills.retain(|skill| !contributes.skills.contains(skill));
        for given in &contributes.items {
            for item in left.items.iter_mut().filter(|item| item.code == given.code) {
                item.count -= given.count;
            }
        }
        left.items.retain(|item| item.count > 0.0);
        members.push(Member { near, contributes });
    }
    drop_those_not_needed(eligibility, &mut members);
    CoveringSet { members, uncovered: left }
}

/// A nearer one may do only what a farther one, who is needed for something else, does too.
fn drop_those_not_needed(eligibility: &Eligibility<'_>, members: &mut Vec<Member<'_>>) {
    let mut at = 0;
    while at < members.len() {
        let contributes = &members[at].contributes;
        let other = |skill: &String| {
            let has = |member: &Member<'_>| {
                eligibility.resources().skills(&member.near.row).is_some_and(|own| own.contains(skill))
            };
            (0..members.len()).find(|&other| other != at && has(&members[other]))
        };
        let others: Option<Vec<usize>> = contributes.skills.iter().map(other).collect();
        match others.filter(|_| contributes.people == 0 && contributes.items.is_empty()) {
            Some(others) => {
                let skills = std::mem::take(&mut members[at].contributes.skills);
                for (skill, other) in skills.into_iter().zip(others) {
                    members[other].contributes.skills.push(skill);
                }
                members.remove(at);
            }
            None => at += 1,
        }
    }
}
