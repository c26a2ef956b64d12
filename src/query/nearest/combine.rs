//! Together: the nearest set of resources that covers a demand which one alone may be too small for.
//!
//! Resources are taken in order of distance and give what they have of what is still needed. So the farthest of the
//! set is as near as that of any set that covers the demand.

use super::Ask;
use super::demand::{Demand, Judge, Quantity, Standing};
use super::walk::{Near, Reach, nearest_where};
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
    pub gives: Amounts,
}

/// The set.
#[derive(Clone, Debug)]
pub struct Together<'a> {
    /// Its members by distance.
    pub members: Vec<Member<'a>>,
    /// What nobody within reach gives.
    pub uncovered: Amounts,
}

/// The nearest set that covers the demand; `k` does not bound it.
#[must_use]
pub fn combine<'a>(snapshot: &'a Snapshot, layer: &'a Layer, ask: &Ask<'_>) -> Together<'a> {
    // Amounts are shared out here, so each alone may have too little.
    let each = Demand { people: None, skills: Vec::new(), items: Vec::new(), ..ask.demand.clone() };
    let judge = Judge::new(snapshot, layer, &each);
    let needed = needed(&judge, ask.demand);
    let mut look = FIRST_LOOK;
    loop {
        let reach = Reach { k: look, max_distance_m: ask.reach.max_distance_m };
        let helps = |row: &Row<'a>| judge.standing(row) == Standing::Fits && !gift(&judge, &needed, row).is_nothing();
        // What a chunk offers at most says nothing of a sum, so none is passed by.
        let nearest = nearest_where(layer, ask.origin, reach, |_| true, helps);
        let all_seen = nearest.len() < look || look == MAX_MEMBERS;
        let together = share_out(&judge, needed.clone(), nearest);
        if together.uncovered.is_nothing() || all_seen {
            return together;
        }
        look = (look * 4).min(MAX_MEMBERS);
    }
}

/// Which part of a demand a resource covers, from 0 to 1: the mean over all that is asked for.
pub(super) fn share(judge: &Judge<'_>, demand: &Demand, row: &Row<'_>) -> f64 {
    let needed = needed(judge, demand);
    let gift = gift(judge, &needed, row);
    let (mut sum, mut count) = (0.0, 0.0);
    if needed.people > 0 {
        sum += f64::from(gift.people) / f64::from(needed.people);
        count += 1.0;
    }
    for skill in &needed.skills {
        sum += f64::from(u8::from(gift.skills.contains(skill)));
        count += 1.0;
    }
    for item in &needed.items {
        let given = gift.items.iter().find(|given| given.code == item.code);
        sum += given.map_or(0.0, |given| given.count / item.count);
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

/// What is asked of a layer.
fn needed(judge: &Judge<'_>, demand: &Demand) -> Amounts {
    let offers = judge.offers();
    Amounts {
        people: demand.people.filter(|_| offers.has_room()).unwrap_or(0),
        skills: if offers.has_skills() { demand.skills.clone() } else { Vec::new() },
        items: if offers.has_stock() { demand.items.clone() } else { Vec::new() },
    }
}

/// What a resource has of what is needed.
fn gift(judge: &Judge<'_>, needed: &Amounts, row: &Row<'_>) -> Amounts {
    let free = judge.free_places(row).unwrap_or(0).min(i64::from(needed.people));
    let skills = judge.offers().skills(row).unwrap_or_default();
    let items = needed.items.iter().filter_map(|item| {
        let count = judge.free_quantity(row, &item.code)?.min(item.count);
        (count > 0.0).then(|| Quantity { code: item.code.clone(), count })
    });
    Amounts {
        people: u32::try_from(free).unwrap_or(0),
        skills: needed.skills.iter().filter(|skill| skills.contains(skill)).cloned().collect(),
        items: items.collect(),
    }
}

/// Gives each in turn as much of what is left as it has.
fn share_out<'a>(judge: &Judge<'_>, mut left: Amounts, nearest: Vec<Near<'a>>) -> Together<'a> {
    let mut members: Vec<Member<'a>> = Vec::new();
    for near in nearest {
        if left.is_nothing() {
            break;
        }
        let gives = gift(judge, &left, &near.row);
        if gives.is_nothing() {
            continue;
        }
        left.people -= gives.people;
        left.skills.retain(|skill| !gives.skills.contains(skill));
        for given in &gives.items {
            for item in left.items.iter_mut().filter(|item| item.code == given.code) {
                item.count -= given.count;
            }
        }
        left.items.retain(|item| item.count > 0.0);
        members.push(Member { near, gives });
    }
    drop_those_not_needed(judge, &mut members);
    Together { members, uncovered: left }
}

/// A nearer one may do only what a farther one, who is needed for something else, does too.
fn drop_those_not_needed(judge: &Judge<'_>, members: &mut Vec<Member<'_>>) {
    let mut at = 0;
    while at < members.len() {
        let gives = &members[at].gives;
        let other = |skill: &String| {
            let has =
                |member: &Member<'_>| judge.offers().skills(&member.near.row).is_some_and(|own| own.contains(skill));
            (0..members.len()).find(|&other| other != at && has(&members[other]))
        };
        let others: Option<Vec<usize>> = gives.skills.iter().map(other).collect();
        match others.filter(|_| gives.people == 0 && gives.items.is_empty()) {
            Some(others) => {
                let skills = std::mem::take(&mut members[at].gives.skills);
                for (skill, other) in skills.into_iter().zip(others) {
                    members[other].gives.skills.push(skill);
                }
                members.remove(at);
            }
            None => at += 1,
        }
    }
}
