//! Shortest travel times over the road network between one position and any others.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use geo::Coord;

use super::closures::{Closures, nearest_open};
use super::network::{AccessPoint, RoadNetwork};
use crate::geodesy::LonLat;
use crate::geodesy::distance::distance_m;
use crate::model::FeatureId;
use crate::query::cancel::{CancelToken, Cancelled};

/// Speed on foot, metres per second: 4 km/h. Between positions and roads everybody walks.
pub const WALKING_M_S: f64 = 4.0 / 3.6;
/// Positions this near are one, metres: leaving it is no travel against the direction of a road.
const SAME_PLACE_M: f64 = 0.01;
/// A search checks for its cancellation after so many nodes.
const NODES_PER_CHECK: usize = 1_024;

/// How people or teams travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TravelMode {
    /// By vehicle at the speed of each road, in the direction of one-way roads.
    Drive,
    /// On foot, in both directions, without roads of limited access.
    Walk,
}

/// Which way is travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TravelDirection {
    /// From the position to the others, as people to shelters.
    Outward,
    /// From the others to the position, as teams to an incident.
    Inward,
}

/// A journey between two positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trip {
    /// Travel time, seconds.
    pub duration_s: f64,
    /// Length on roads, metres; `None` if an engine computed the time only.
    pub road_m: Option<f64>,
    /// Distance between both positions and their roads, metres, walked in a straight line.
    pub access_m: f64,
}

/// The line of a journey.
#[derive(Clone, Debug)]
pub struct RoadPath {
    /// The journey.
    pub trip: Trip,
    /// Positions on roads, in the direction of travel.
    pub line: Vec<Coord>,
    /// The roads, in the direction of travel.
    pub roads: Vec<RoadStretch>,
    /// Parts of segments of the network in memory, in the direction of travel.
    parts: Vec<PathPart>,
}

/// A stretch of a journey on one road.
#[derive(Clone, Debug)]
pub struct RoadStretch {
    /// The layer of the road, if it is known.
    pub layer: Option<Arc<str>>,
    /// The road.
    pub id: FeatureId,
    /// Length of the stretch, metres.
    pub length_m: f64,
}

/// A part of a path on one segment.
#[derive(Clone, Copy, Debug)]
struct PathPart {
    segment: usize,
    /// The part that is travelled, as shares of the length of the segment, the lesser first.
    shares: (f64, f64),
    length_m: f64,
}

impl RoadPath {
    /// The path of an engine.
    pub(super) fn of_engine(trip: Trip, line: Vec<Coord>, roads: Vec<RoadStretch>) -> Self {
        Self { trip, line, roads, parts: Vec::new() }
    }

    /// Indices of the closures of its roads.
    #[must_use]
    pub fn closures(&self, closures: &Closures<'_>) -> Vec<usize> {
        let parts = self.parts.iter().filter(|own| own.length_m > SAME_PLACE_M).flat_map(|own| {
            let closed = closures.parts_of(own.segment).iter();
            closed.filter(|closed| closed.from < own.shares.1 && closed.to > own.shares.0)
        });
        let mut found: Vec<usize> = parts.map(|part| part.closure).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Cost of reaching a node.
#[derive(Clone, Copy, Debug)]
struct Reached {
    duration_s: f64,
    road_m: f64,
    /// The segment that leads there; `NONE` from the start.
    via: u32,
}

const NONE: u32 = u32::MAX;
const UNREACHED: Reached = Reached { duration_s: f64::INFINITY, road_m: 0.0, via: NONE };

/// All shortest times between one position and the network.
#[derive(Debug)]
pub struct RoadSearch<'a> {
    network: &'a RoadNetwork,
    closures: &'a Closures<'a>,
    mode: TravelMode,
    direction: TravelDirection,
    tree: Arc<ShortestPaths>,
}

/// The shortest paths between a position and all nodes.
#[derive(Debug)]
pub(super) struct ShortestPaths {
    start: Option<AccessPoint>,
    /// By node.
    reached: Vec<Reached>,
}

impl<'a> RoadSearch<'a> {
    /// Searches from a position; nothing is reachable if no road is within [`super::network::MAX_ACCESS_M`].
    ///
    /// # Errors
    /// When it is cancelled.
    pub fn new(
        network: &'a RoadNetwork,
        closures: &'a Closures<'a>,
        (mode, direction): (TravelMode, TravelDirection),
        from: LonLat,
        cancel: &CancelToken,
    ) -> Result<Self, Cancelled> {
        let tree = ShortestPaths { start: None, reached: Vec::new() };
        let search = Self { network, closures, mode, direction, tree: Arc::new(tree) };
        let tree = Arc::new(search.run(from, cancel)?);
        Ok(Self { tree, ..search })
    }

    /// Its shortest paths.
    pub(super) fn tree(&self) -> Arc<ShortestPaths> {
        self.tree.clone()
    }

    /// A search that found these shortest paths.
    pub(super) fn of_tree(&self, tree: Arc<ShortestPaths>, closures: &'a Closures<'a>) -> Self {
        Self { closures, tree, ..*self }
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &'a RoadNetwork {
        self.network
    }

    /// The closed parts of the roads.
    pub(super) fn closures(&self) -> &'a Closures<'a> {
        self.closures
    }

    /// How and which way it searches.
    #[must_use]
    pub fn way(&self) -> (TravelMode, TravelDirection) {
        (self.mode, self.direction)
    }

    /// Travel time over a straight line of this length, seconds: no journey is shorter.
    #[must_use]
    pub fn least_s(&self, line_m: f64) -> f64 {
        let fastest_m_s = match self.mode {
            TravelMode::Drive => self.network.fastest_m_s.max(WALKING_M_S),
            TravelMode::Walk => WALKING_M_S,
        };
        line_m / fastest_m_s
    }

    /// The journey to or from a feature at a position; `None` if no open road leads there. Where its road begins is kept.
    #[must_use]
    pub fn trip(&self, place: LonLat) -> Option<Trip> {
        self.trip_from(self.open_access(place, self.network.access_of_feature(place)?)?)
    }

    fn trip_from(&self, end: AccessPoint) -> Option<Trip> {
        let start = self.tree.start?;
        let (_, reached) = self.last_step(start, end)?;
        let access_m = start.distance_m + end.distance_m;
        Some(Trip {
            duration_s: reached.duration_s + end.distance_m / WALKING_M_S,
            road_m: Some(reached.road_m),
            access_m,
        })
    }

    /// The line of the journey to or from another position.
    #[must_use]
    pub fn path(&self, place: LonLat) -> Option<RoadPath> {
        let (start, end) = (self.tree.start?, self.access(place)?);
        let trip = self.trip_from(end)?;
        let (node, _) = self.last_step(start, end)?;
        // From the end to the start.
        let mut line = vec![self.network.place(end.segment, end.share)];
        let mut parts = Vec::new();
        if let Some(mut node) = node {
            parts.push(self.part_to(end, node));
            loop {
                line.push(self.position(node, end.segment));
                let via = self.tree.reached[node as usize].via;
                if via == NONE {
                    parts.push(self.part_to(start, node));
                    break;
                }
                let segment = self.network.segments[via as usize];
                parts.push(self.part(via as usize, 0.0, 1.0));
                node = if segment.nodes[0] == node { segment.nodes[1] } else { segment.nodes[0] };
            }
        } else {
            parts.push(self.part(end.segment, start.share, end.share));
        }
        line.push(self.network.place(start.segment, start.share));
        if self.direction == TravelDirection::Outward {
            line.reverse();
            parts.reverse();
        }
        Some(RoadPath { trip, line, roads: self.stretches(&parts), parts })
    }

    /// Consecutive parts on one road. A path that begins at a junction may touch another road there.
    fn stretches(&self, parts: &[PathPart]) -> Vec<RoadStretch> {
        let mut stretches: Vec<RoadStretch> = Vec::new();
        for part in parts.iter().filter(|part| part.length_m > SAME_PLACE_M) {
            let road = self.network.road_of(part.segment);
            let is_same = |last: &&mut RoadStretch| last.id == road.id && last.layer.as_ref() == Some(&road.layer);
            match stretches.last_mut().filter(is_same) {
                Some(last) => last.length_m += part.length_m,
                None => stretches.push(RoadStretch {
                    layer: Some(road.layer.clone()),
                    id: road.id.clone(),
                    length_m: part.length_m,
                }),
            }
        }
        stretches
    }

    /// The parts of open roads that are reached within a time, as lines.
    pub(super) fn reached_parts(&self, max_s: f64) -> Vec<Vec<Coord>> {
        let is_outward = self.direction == TravelDirection::Outward;
        // The share of a segment that the time which is left allows.
        let share = |at: usize, left_s: f64, is_with_line: bool| {
            let length_m = self.network.segments[at].length_m;
            let speed_m_s = self.speed(at, is_with_line == is_outward).filter(|_| left_s > 0.0)?;
            Some((left_s * speed_m_s / length_m.max(SAME_PLACE_M)).min(1.0))
        };
        let mut parts = Vec::new();
        let mut push = |at: usize, from: f64, to: f64| {
            parts.push(vec![self.network.place(at, from), self.network.place(at, to)]);
        };
        for (at, segment) in self.network.segments.iter().enumerate() {
            if !self.closures.parts_of(at).is_empty() {
                continue;
            }
            let left_s = segment.nodes.map(|node| max_s - self.tree.reached[node as usize].duration_s);
            let [first, last] = [share(at, left_s[0], true), share(at, left_s[1], false)];
            match (first.unwrap_or(0.0), last.unwrap_or(0.0)) {
                (first, last) if first + last >= 1.0 => push(at, 0.0, 1.0),
                (first, last) => {
                    if first > 0.0 {
                        push(at, 0.0, first);
                    }
                    if last > 0.0 {
                        push(at, 1.0 - last, 1.0);
                    }
                }
            }
        }
        // The road of the position is left before its first node.
        if let Some(start) = self.tree.start.filter(|start| self.closures.parts_of(start.segment).is_empty()) {
            let left_s = max_s - start.distance_m / WALKING_M_S;
            let ahead = share(start.segment, left_s, true).unwrap_or(0.0);
            let back = share(start.segment, left_s, false).unwrap_or(0.0);
            if ahead + back > 0.0 {
                push(start.segment, (start.share - back).max(0.0), (start.share + ahead).min(1.0));
            }
        }
        parts
    }

    fn run(&self, from: LonLat, cancel: &CancelToken) -> Result<ShortestPaths, Cancelled> {
        let mut reached = vec![UNREACHED; self.network.node_count()];
        let start = self.access(from);
        let mut queue: BinaryHeap<Reverse<Queued>> = BinaryHeap::new();
        let is_outward = self.direction == TravelDirection::Outward;
        for (start, end) in start.iter().flat_map(|start| [(*start, 0), (*start, 1)]) {
            if let Some((duration_s, road_m)) = self.along(start, end, is_outward) {
                let duration_s = duration_s + start.distance_m / WALKING_M_S;
                let node = self.network.segments[start.segment].nodes[end];
                offer(&mut reached, &mut queue, node, Reached { duration_s, road_m, via: NONE });
            }
        }
        let mut settled = 0_usize;
        while let Some(Reverse(Queued { duration_s, node })) = queue.pop() {
            let own = reached[node as usize];
            if duration_s > own.duration_s {
                continue;
            }
            settled += 1;
            if settled.is_multiple_of(NODES_PER_CHECK) {
                cancel.check()?;
            }
            for &at in self.network.segments_at(node) {
                let segment = self.network.segments[at as usize];
                let is_forward = segment.nodes[0] == node;
                let next = segment.nodes[usize::from(is_forward)];
                let Some(speed_m_s) = self.speed(at as usize, is_forward == is_outward) else { continue };
                if next != node && self.closures.parts_of(at as usize).is_empty() {
                    let duration_s = own.duration_s + segment.length_m / speed_m_s;
                    let road_m = own.road_m + segment.length_m;
                    offer(&mut reached, &mut queue, next, Reached { duration_s, road_m, via: at });
                }
            }
        }
        Ok(ShortestPaths { start, reached })
    }

    /// Speed on a segment in or against the direction of its line, metres per second; `None` if it is not allowed.
    fn speed(&self, segment: usize, is_with_line: bool) -> Option<f64> {
        let road = self.network.road_of(segment);
        match self.mode {
            TravelMode::Drive => (is_with_line || !road.is_oneway).then_some(road.speed_m_s),
            TravelMode::Walk => (!road.has_limited_access).then_some(WALKING_M_S),
        }
    }

    /// Time and length between a position on a segment and one of its ends, 0 or 1; `None` if it is closed or against
    /// the direction of the road.
    fn along(&self, access: AccessPoint, end: usize, is_towards_end: bool) -> Option<(f64, f64)> {
        let share = if end == 0 { 0.0 } else { 1.0 };
        self.between(access.segment, (access.share, share), (end == 1) == is_towards_end)
    }

    fn between(&self, segment: usize, (from, to): (f64, f64), is_with_line: bool) -> Option<(f64, f64)> {
        let (low, high) = (from.min(to), from.max(to));
        let parts = self.closures.parts_of(segment);
        if parts.iter().any(|part| part.from < high && part.to > low) {
            return None;
        }
        let length_m = self.network.segments[segment].length_m * (high - low);
        if length_m < SAME_PLACE_M {
            return Some((0.0, 0.0));
        }
        Some((length_m / self.speed(segment, is_with_line)?, length_m))
    }

    /// The node before a position on a road, `None` on the segment of the start, and what reaching the position costs.
    fn last_step(&self, start: AccessPoint, end: AccessPoint) -> Option<(Option<u32>, Reached)> {
        let is_outward = self.direction == TravelDirection::Outward;
        let mut best: Option<(Option<u32>, Reached)> = None;
        let mut offer = |node, reached: Reached| {
            if reached.duration_s.is_finite() && best.is_none_or(|(_, best)| reached.duration_s < best.duration_s) {
                best = Some((node, reached));
            }
        };
        for side in [0, 1] {
            if let Some((duration_s, road_m)) = self.along(end, side, !is_outward) {
                let node = self.network.segments[end.segment].nodes[side];
                let reached = self.tree.reached[node as usize];
                let duration_s = reached.duration_s + duration_s;
                offer(Some(node), Reached { duration_s, road_m: reached.road_m + road_m, ..reached });
            }
        }
        if start.segment == end.segment {
            let is_with_line = (end.share >= start.share) == is_outward;
            if let Some((duration_s, road_m)) = self.between(end.segment, (start.share, end.share), is_with_line) {
                let duration_s = duration_s + start.distance_m / WALKING_M_S;
                offer(None, Reached { duration_s, road_m, via: NONE });
            }
        }
        best
    }

    /// The road that leads to a position: the nearest one that is open and has access.
    fn access(&self, place: LonLat) -> Option<AccessPoint> {
        self.open_access(place, self.network.nearest_access(place, |_| true)?)
    }

    /// The nearest access that is open, given the nearest one.
    fn open_access(&self, place: LonLat, nearest: AccessPoint) -> Option<AccessPoint> {
        if self.closures.parts_of(nearest.segment).is_empty() {
            return Some(nearest);
        }
        let is_open = |segment: usize| {
            let parts = self.closures.parts_of(segment);
            parts.is_empty() || nearest_open(parts, 0.5).is_some()
        };
        let near = self.network.nearest_access(place, is_open)?;
        let share = nearest_open(self.closures.parts_of(near.segment), near.share)?;
        let at = LonLat::try_from(self.network.place(near.segment, share)).ok()?;
        Some(AccessPoint { share, distance_m: distance_m(place, at), ..near })
    }

    /// The part of a segment between a position and a node.
    fn part_to(&self, access: AccessPoint, node: u32) -> PathPart {
        let is_start = self.network.segments[access.segment].nodes[0] == node;
        self.part(access.segment, access.share, if is_start { 0.0 } else { 1.0 })
    }

    fn part(&self, segment: usize, from: f64, to: f64) -> PathPart {
        let shares = (from.min(to), from.max(to));
        PathPart { segment, shares, length_m: self.network.segments[segment].length_m * (shares.1 - shares.0) }
    }

    /// Position of a node; one of its segments is known.
    fn position(&self, node: u32, segment: usize) -> Coord {
        let end = |segment: usize| {
            let nodes = self.network.segments[segment].nodes;
            nodes.iter().position(|own| *own == node).map(|end| (segment, end))
        };
        let at = end(segment).or_else(|| self.network.segments_at(node).iter().find_map(|own| end(*own as usize)));
        let (segment, end) = at.unwrap_or((segment, 0));
        let line = self.network.index.edge(segment);
        if end == 0 { line.start } else { line.end }
    }
}

fn offer(reached: &mut [Reached], queue: &mut BinaryHeap<Reverse<Queued>>, node: u32, own: Reached) {
    let known = &mut reached[node as usize];
    if own.duration_s < known.duration_s {
        *known = own;
        queue.push(Reverse(Queued { duration_s: own.duration_s, node }));
    }
}

/// A node to be visited.
#[derive(Clone, Copy, PartialEq)]
struct Queued {
    duration_s: f64,
    node: u32,
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        self.duration_s.total_cmp(&other.duration_s).then_with(|| self.node.cmp(&other.node))
    }
}
