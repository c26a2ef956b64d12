//! Joins the lines of roads into one network: roads that meet share a vertex.

use std::collections::BTreeMap;

use geo::{Coord, LineString};

use crate::plane::distance;

/// An end this close to another road is on it, metres.
const TOUCHES_M: f64 = 60.0;

/// A line of the network.
pub(crate) struct Joined {
    pub(crate) line: LineString<f64>,
    /// Whether both of its ends are on other roads.
    pub(crate) is_through: bool,
}

/// A road to be joined.
pub(crate) struct Part {
    pub(crate) line: LineString<f64>,
    /// Whether the road is bridged by all but trunk roads, and nothing begins on it.
    pub(crate) is_expressway: bool,
    /// Whether it has a junction with an expressway where it crosses one.
    pub(crate) is_trunk: bool,
}

/// The same roads with common vertices.
pub(crate) fn joined(mut parts: Vec<Part>) -> Vec<Joined> {
    add_crossings(&mut parts);
    join_ends(&mut parts);
    join_components(&mut parts);
    let mut uses: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    for at in parts.iter().flat_map(|part| &part.line.0) {
        *uses.entry(key(*at)).or_default() += 1;
    }
    let is_shared = |at: &Coord<f64>| uses[&key(*at)] > 1;
    let joined = parts.into_iter().map(|part| {
        let is_through = [false, true].iter().all(|&is_last| is_shared(&end_of(&part.line, is_last)));
        Joined { is_through, line: part.line }
    });
    joined.collect()
}

/// Number of separate networks.
pub(crate) fn separate_networks<'a>(lines: impl Iterator<Item = &'a LineString<f64>>) -> usize {
    let mut groups = Groups::default();
    for line in lines {
        groups.add(line);
    }
    groups.roots().len()
}

fn key(at: Coord<f64>) -> (u64, u64) {
    (at.x.to_bits(), at.y.to_bits())
}

/// Roads that cross at grade share the position of the crossing.
fn add_crossings(parts: &mut [Part]) {
    // By part: index of the segment, share along it, position.
    let mut added: Vec<Vec<(usize, f64, Coord<f64>)>> = parts.iter().map(|_| Vec::new()).collect();
    for one in 0..parts.len() {
        for other in 0..one {
            let (a, b) = (&parts[one], &parts[other]);
            let is_bridge = (a.is_expressway && !b.is_trunk) || (b.is_expressway && !a.is_trunk);
            if is_bridge {
                continue;
            }
            for (i, first) in a.line.lines().enumerate() {
                for (j, second) in b.line.lines().enumerate() {
                    if let Some((along, across)) = crossing(first, second) {
                        let at = first.start + first.delta() * along;
                        added[one].push((i, along, at));
                        added[other].push((j, across, at));
                    }
                }
            }
        }
    }
    for (part, mut own) in parts.iter_mut().zip(added) {
        own.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
        for (segment, _, at) in own {
            part.line.0.insert(segment + 1, at);
        }
    }
}

/// Where two segments cross, as shares of their lengths; `None` if they only touch.
fn crossing(one: geo::Line<f64>, other: geo::Line<f64>) -> Option<(f64, f64)> {
    let between = other.start - one.start;
    let area = |first: Coord<f64>, second: Coord<f64>| first.x * second.y - first.y * second.x;
    let whole = area(one.delta(), other.delta());
    let shares = (area(between, other.delta()) / whole, area(between, one.delta()) / whole);
    let inside = |share: f64| share > 0.0 && share < 1.0;
    (inside(shares.0) && inside(shares.1)).then_some(shares)
}

/// Ends near another road are moved onto it.
fn join_ends(parts: &mut [Part]) {
    for own in 0..parts.len() {
        if parts[own].is_expressway {
            continue;
        }
        for is_last in [false, true] {
            let end = end_of(&parts[own].line, is_last);
            let near = (0..parts.len())
                .filter(|&other| other != own && !parts[other].is_expressway)
                .flat_map(|other| parts[other].line.lines().enumerate().map(move |(at, line)| (other, at, line)))
                .map(|(other, at, line)| (foot(line, end), other, at))
                .min_by(|a, b| distance(a.0, end).total_cmp(&distance(b.0, end)));
            let Some((foot, other, at)) = near.filter(|(foot, ..)| distance(*foot, end) <= TOUCHES_M) else { continue };
            let line = &mut parts[other].line.0;
            if foot != line[at] && foot != line[at + 1] {
                line.insert(at + 1, foot);
            }
            let own = &mut parts[own].line.0;
            let end = if is_last { own.len() - 1 } else { 0 };
            own[end] = foot;
            own.dedup();
        }
    }
}

fn end_of(line: &LineString<f64>, is_last: bool) -> Coord<f64> {
    if is_last { line.0[line.0.len() - 1] } else { line.0[0] }
}

/// The position of a segment nearest to another.
fn foot(line: geo::Line<f64>, at: Coord<f64>) -> Coord<f64> {
    let (along, from) = (line.delta(), at - line.start);
    let share = (from.x * along.x + from.y * along.y) / (along.x * along.x + along.y * along.y);
    match share {
        share if share >= 1.0 => line.end,
        share if share > 0.0 => line.start + along * share,
        _ => line.start,
    }
}

/// Lengthens one road of each separate network, the smallest first, to the nearest other one.
fn join_components(parts: &mut [Part]) {
    loop {
        let mut groups = Groups::default();
        for part in &*parts {
            groups.add(&part.line);
        }
        let group_of: Vec<(u64, u64)> = parts.iter().map(|part| groups.root(key(part.line.0[0]))).collect();
        let mut sizes: BTreeMap<(u64, u64), usize> = BTreeMap::new();
        for (part, group) in parts.iter().zip(&group_of) {
            *sizes.entry(*group).or_default() += usize::from(!part.is_expressway) * part.line.0.len();
        }
        sizes.retain(|_, size| *size > 0);
        let smallest = sizes.iter().min_by_key(|(_, size)| **size).map(|(group, _)| *group);
        let Some(smallest) = smallest.filter(|_| sizes.len() > 1) else { return };
        let is_road = |at: &usize| !parts[*at].is_expressway;
        let own = (0..parts.len()).filter(is_road).filter(|&at| group_of[at] == smallest);
        let targets: Vec<Coord<f64>> = (0..parts.len())
            .filter(is_road)
            .filter(|&at| group_of[at] != smallest)
            .flat_map(|at| parts[at].line.0.iter().copied())
            .collect();
        let links = own.flat_map(|at| [(at, false), (at, true)]).flat_map(|(at, is_last)| {
            let end = end_of(&parts[at].line, is_last);
            targets.iter().map(move |target| (distance(end, *target), at, is_last, *target))
        });
        let Some((_, at, is_last, target)) = links.min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
        let line = &mut parts[at].line.0;
        line.insert(if is_last { line.len() } else { 0 }, target);
    }
}

/// Vertices in groups that are joined.
#[derive(Default)]
struct Groups(BTreeMap<(u64, u64), (u64, u64)>);

impl Groups {
    fn add(&mut self, line: &LineString<f64>) {
        let first = self.root(key(line.0[0]));
        for at in &line.0 {
            let other = self.root(key(*at));
            self.0.insert(other, first);
        }
    }

    fn root(&mut self, of: (u64, u64)) -> (u64, u64) {
        let mut at = of;
        loop {
            let up = *self.0.entry(at).or_insert(at);
            if up == at {
                self.0.insert(of, at);
                return at;
            }
            at = up;
        }
    }

    fn roots(&self) -> Vec<(u64, u64)> {
        self.0.iter().filter(|(own, up)| own == up).map(|(own, _)| *own).collect()
    }
}
