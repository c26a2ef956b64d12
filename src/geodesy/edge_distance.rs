//! Nearest positions between indexed geometries: exact on the ellipsoid, with subtrees pruned by bounds.

use std::ops::Range;

use geo::{Coord, Line};

use super::LonLat;
use super::bound::{box_lower_bound_m, boxes_lower_bound_m};
use super::distance::NearestPlace;
use super::ecef::{Ecef, chord_2, ecef};
use super::edge_index::EdgeIndex;

/// A position of each of two geometries, and the geodesic between them in metres.
pub(super) type NearestPair = (LonLat, LonLat, f64);

/// An edge near a position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearestEdge {
    /// Number of the edge.
    pub edge: usize,
    /// Its position nearest to the given one.
    pub place: LonLat,
    /// Geodesic distance, metres.
    pub distance_m: f64,
}

/// The chord of an edge in earth-centred coordinates, for a bound without trigonometry.
#[derive(Clone, Copy, Debug)]
pub(super) struct EdgeChord {
    start: Ecef,
    end: Ecef,
    /// Largest distance of the edge from its chord, metres.
    slack_m: f64,
}

impl EdgeChord {
    pub(super) fn of(line: &Line) -> Self {
        // Within these limits the curvature of an edge is nearly constant, so it is farthest from the chord near its
        // midpoint.
        const LONGEST_DEG: f64 = 0.5;
        const NORTHERNMOST_DEG: f64 = 85.0;
        let place = |at: Coord| ecef(LonLat { lon: at.x, lat: at.y });
        let (start, end) = (place(line.start), place(line.end));
        let delta = line.delta();
        let is_short = delta.x.abs().max(delta.y.abs()) <= LONGEST_DEG;
        let is_plain = is_short && line.start.y.abs().max(line.end.y.abs()) <= NORTHERNMOST_DEG;
        let middle = std::array::from_fn(|axis| f64::midpoint(start[axis], end[axis]));
        let bulge_m = chord_2(place((line.start + line.end) / 2.0), middle).sqrt();
        let slack_m = if is_plain { 2.0 * bulge_m + 0.001 } else { f64::INFINITY };
        Self { start, end, slack_m }
    }

    /// Lower bound of the distance to the edge, metres.
    fn lower_bound_m(&self, from: Ecef) -> f64 {
        let along: Ecef = std::array::from_fn(|axis| self.end[axis] - self.start[axis]);
        let to: Ecef = std::array::from_fn(|axis| from[axis] - self.start[axis]);
        let dot = |a: Ecef, b: Ecef| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let length_2 = dot(along, along);
        let share = if length_2 > 0.0 { (dot(to, along) / length_2).clamp(0.0, 1.0) } else { 0.0 };
        let foot = std::array::from_fn(|axis| self.start[axis] + along[axis] * share);
        chord_2(from, foot).sqrt() - self.slack_m
    }
}

impl EdgeIndex {
    /// The nearest position within a limit in metres, and its geodesic distance in metres; the position itself and 0
    /// inside an area or on its boundary.
    #[must_use]
    pub fn nearest_place(&self, from: LonLat, limit_m: f64) -> Option<(LonLat, f64)> {
        if self.has_inside(Coord::from(from)) {
            return (limit_m >= 0.0).then_some((from, 0.0));
        }
        let mut search = NearestPlace::new(from, limit_m);
        self.search(&mut search, &mut |search, edges| self.search_edges(search, edges));
        search.best()
    }

    /// The nearest accepted edge within a limit in metres; inside an area, its boundary. Edges are accepted by number.
    #[must_use]
    pub fn nearest_edge(&self, from: LonLat, limit_m: f64, accepts: impl Fn(usize) -> bool) -> Option<NearestEdge> {
        let mut search = NearestPlace::new(from, limit_m);
        let mut nearest = None;
        self.search(&mut search, &mut |search, edges| {
            for edge in edges.filter(|edge| accepts(*edge)) {
                let before = search.best();
                self.search_edges(search, edge..edge + 1);
                if search.best() != before {
                    nearest = Some(edge);
                }
            }
        });
        let (edge, (place, distance_m)) = nearest.zip(search.best())?;
        Some(NearestEdge { edge, place, distance_m })
    }

    /// Passes leaves that can contain the nearest edge to a function, nearest first.
    fn search(&self, search: &mut NearestPlace, leaf: &mut dyn FnMut(&mut NearestPlace, Range<usize>)) {
        if let Some(root) = self.root() {
            let bound_m = box_lower_bound_m(search.ecef(), &root.bounds);
            self.search_node(search, (self.height() - 1, 0), bound_m, leaf);
        }
    }

    fn search_node(
        &self,
        search: &mut NearestPlace,
        (level, at): NodeAt,
        bound_m: f64,
        leaf: &mut dyn FnMut(&mut NearestPlace, Range<usize>),
    ) {
        if bound_m > search.limit_m() {
            return;
        }
        if level == 0 {
            leaf(search, self.children(level, at));
            return;
        }
        let from = search.ecef();
        let bound = |child: usize| (box_lower_bound_m(from, &self.node(level - 1, child).bounds), child);
        let mut children: Vec<(f64, usize)> = self.children(level, at).map(bound).collect();
        children.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (bound_m, child) in children {
            self.search_node(search, (level - 1, child), bound_m, leaf);
        }
    }

    fn search_edges(&self, search: &mut NearestPlace, edges: Range<usize>) {
        let chords = self.chords();
        for at in edges {
            if chords[at].lower_bound_m(search.ecef()) <= search.limit_m() {
                let line = self.edges()[at].line;
                search.edge(line.start, line.end);
            }
        }
    }

    /// The nearest positions of this geometry and another that does not intersect it, within a limit in metres. Between
    /// two edges the minimum is taken at an endpoint of one of them.
    #[must_use]
    pub fn nearest_pair(&self, other: &Self, limit_m: f64) -> Option<NearestPair> {
        let mut search = PairSearch { a: self, b: other, limit_m, best: None };
        if self.height() > 0 && other.height() > 0 {
            search.visit((self.height() - 1, 0), (other.height() - 1, 0));
        }
        search.best
    }
}

/// A node by level and index.
type NodeAt = (usize, usize);

struct PairSearch<'a> {
    a: &'a EdgeIndex,
    b: &'a EdgeIndex,
    limit_m: f64,
    best: Option<NearestPair>,
}

impl PairSearch<'_> {
    fn bound_m(&self, a: NodeAt, b: NodeAt) -> f64 {
        boxes_lower_bound_m(&self.a.node(a.0, a.1).bounds, &self.b.node(b.0, b.1).bounds)
    }

    fn visit(&mut self, a: NodeAt, b: NodeAt) {
        if self.bound_m(a, b) > self.limit_m {
            return;
        }
        if a.0 == 0 && b.0 == 0 {
            self.compare_leaves(a.1, b.1);
            return;
        }
        // Opens the larger of the two.
        let size = |index: &EdgeIndex, at: NodeAt| index.node(at.0, at.1).bounds.diagonal_2();
        let opens_a = b.0 == 0 || (a.0 > 0 && size(self.a, a) >= size(self.b, b));
        let pairs: Vec<(NodeAt, NodeAt)> = if opens_a {
            self.a.children(a.0, a.1).map(|child| ((a.0 - 1, child), b)).collect()
        } else {
            self.b.children(b.0, b.1).map(|child| (a, (b.0 - 1, child))).collect()
        };
        let mut pairs: Vec<(f64, NodeAt, NodeAt)> =
            pairs.into_iter().map(|(a, b)| (self.bound_m(a, b), a, b)).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, a, b) in pairs {
            self.visit(a, b);
        }
    }

    fn compare_leaves(&mut self, a: usize, b: usize) {
        let (a_edges, b_edges) = (self.a.children(0, a), self.b.children(0, b));
        if let Some((corner, place, metres)) =
            from_corners(self.a, a_edges.clone(), self.b, b_edges.clone(), self.limit_m)
        {
            self.limit_m = metres;
            self.best = Some((corner, place, metres));
        }
        if let Some((corner, place, metres)) = from_corners(self.b, b_edges, self.a, a_edges, self.limit_m) {
            self.limit_m = metres;
            self.best = Some((place, corner, metres));
        }
    }
}

/// The nearest pair of a vertex of some edges and a position on others, within a limit in metres.
fn from_corners(
    ours: &EdgeIndex,
    our_edges: Range<usize>,
    theirs: &EdgeIndex,
    their_edges: Range<usize>,
    mut limit_m: f64,
) -> Option<NearestPair> {
    let mut best = None;
    let end = our_edges.end;
    for at in our_edges {
        let (line, chord) = (ours.edges()[at].line, &ours.chords()[at]);
        // The end of an edge is the start of the next, unless it is the last of its path or of the run.
        let continues = at + 1 < end && ours.edges()[at + 1].line.start == line.end;
        let last = (!continues).then_some((line.end, chord.end));
        for (corner, from) in std::iter::once((line.start, chord.start)).chain(last) {
            let can_win = |edge: &usize| theirs.chords()[*edge].lower_bound_m(from) <= limit_m;
            let Some(first) = their_edges.clone().find(can_win) else { continue };
            let corner = LonLat { lon: corner.x, lat: corner.y };
            let mut search = NearestPlace::new(corner, limit_m);
            theirs.search_edges(&mut search, first..their_edges.end);
            if let Some((place, metres)) = search.best() {
                limit_m = metres;
                best = Some((corner, place, metres));
            }
        }
    }
    best
}
