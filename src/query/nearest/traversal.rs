//! Best-first traversal: features of a layer by increasing geodesic distance.
//!
//! Chunks, blocks and features are visited by the lower bound of their geodesic distance. The traversal ends when that
//! bound exceeds the k-th distance found, so results are in the exact order of geodesic distances.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, HashSet};

use crate::geodesy::LonLat;
use crate::geodesy::bound::{box_lower_bound_m, chord_bound_m};
use crate::geodesy::distance::bearing_deg;
use crate::geodesy::ecef::{Ecef, EcefBox};
use crate::model::FeatureId;
use crate::query::cancel::{CancelToken, Cancelled};
use crate::query::query_geometry::QueryGeometry;
use crate::query::road::search::Trip;
use crate::snapshot::{Group, Layer, Row};

/// A feature and its distance.
#[derive(Clone, Copy, Debug)]
pub struct Near<'a> {
    /// The feature.
    pub row: Row<'a>,
    /// Geodesic distance between the nearest parts, metres; 0 inside an area.
    pub distance_m: f64,
    /// Its nearest position.
    pub place: LonLat,
    /// Bearing of that position, degrees clockwise from north; `None` at distance 0.
    pub bearing_deg: Option<f64>,
    /// The journey on roads, if these were asked for.
    pub trip: Option<Trip>,
}

impl Near<'_> {
    /// Distance as a cost, kilometres; an hour on roads counts as 30.
    #[must_use]
    pub fn cost_km(&self) -> f64 {
        const KM_PER_HOUR: f64 = 30.0;
        self.trip.map_or(self.distance_m / 1_000.0, |trip| trip.duration_s / 3_600.0 * KM_PER_HOUR)
    }
}

/// Number of results and distance limit.
#[derive(Clone, Copy, Debug)]
pub struct SearchLimit {
    /// Maximum number of results.
    pub k: usize,
    /// Maximum distance, metres.
    pub max_distance_m: Option<f64>,
}

/// The nearest accepted features, by distance, then id. Chunks and blocks that `may_hold` rejects are skipped.
///
/// # Errors
/// When it is cancelled.
pub fn nearest_where<'a>(
    layer: &'a Layer,
    origin: &QueryGeometry,
    limit: SearchLimit,
    cancel: &CancelToken,
    may_hold: impl Fn(Group<'_>) -> bool,
    accepts: impl Fn(&Row<'a>) -> bool,
) -> Result<Vec<Near<'a>>, Cancelled> {
    let mut best = Best { origin, limit, found: BTreeMap::new(), seen: HashSet::new() };
    // A cancelled search opens no further group, so it ends soon.
    let may_hold = |group: Group<'_>| cancel.check().is_ok() && may_hold(group);
    for Step { row, bound_m } in BestFirst::new(layer, origin.centre(), may_hold) {
        if best.is_settled(bound_m - origin.reach_m()) {
            break;
        }
        cancel.check()?;
        if accepts(&row) {
            best.offer(row);
        }
    }
    if cancel.is_cancelled() {
        return Err(Cancelled);
    }
    Ok(best.found.into_values().collect())
}

/// Order of results: distance, which is finite, then id.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rank<'a> {
    distance_m: f64,
    id: &'a FeatureId,
}

impl Eq for Rank<'_> {}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.distance_m.total_cmp(&other.distance_m).then_with(|| self.id.cmp(other.id))
    }
}

struct Best<'a, 'b> {
    origin: &'b QueryGeometry,
    limit: SearchLimit,
    found: BTreeMap<Rank<'a>, Near<'a>>,
    /// A feature with several parts is visited once per part.
    seen: HashSet<&'a FeatureId>,
}

impl<'a> Best<'a, '_> {
    /// Whether features at or beyond this distance cannot be in the result.
    fn is_settled(&self, bound_m: f64) -> bool {
        let full = self.found.len() >= self.limit.k;
        let worst = self.found.last_key_value().map_or(0.0, |(rank, _)| rank.distance_m);
        (full && bound_m > worst) || self.limit.max_distance_m.is_some_and(|max| bound_m > max)
    }

    /// Distance beyond which features cannot be in the result, metres.
    fn limit_m(&self) -> f64 {
        let worst = self.found.last_key_value().filter(|_| self.found.len() >= self.limit.k);
        let worst_m = worst.map_or(f64::INFINITY, |(rank, _)| rank.distance_m);
        self.limit.max_distance_m.map_or(worst_m, |max| max.min(worst_m))
    }

    fn offer(&mut self, row: Row<'a>) {
        let Some(shape) = row.shape() else { return };
        if shape.as_point().is_none() && !self.seen.insert(row.id()) {
            return;
        }
        let Some((from, place, distance_m)) = self.origin.nearest(shape, self.limit_m()) else { return };
        let near = Near { row, distance_m, place, bearing_deg: bearing_deg(from, place), trip: None };
        self.found.insert(Rank { distance_m, id: row.id() }, near);
        if self.found.len() > self.limit.k {
            self.found.pop_last();
        }
    }
}

/// A part of a feature, and the lower bound of its geodesic distance from the query centre, metres.
struct Step<'a> {
    row: Row<'a>,
    bound_m: f64,
}

/// Parts of features by increasing lower bound. A chunk or block is opened only when it is at the front of the queue.
struct BestFirst<'a, F> {
    layer: &'a Layer,
    from: Ecef,
    may_hold: F,
    queue: BinaryHeap<Reverse<QueueEntry>>,
}

#[derive(Clone, Copy, PartialEq)]
struct QueueEntry {
    bound_m: f64,
    node: Node,
}

/// Indices in the list of chunks, of blocks, and of rows of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    /// A chunk with its chord as the only bound so far.
    Unmeasured(usize),
    Chunk(usize),
    Block(usize, usize),
    Row(usize, usize),
}

impl Eq for QueueEntry {}

impl PartialOrd for QueueEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for QueueEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound_m.total_cmp(&other.bound_m).then_with(|| self.node.cmp(&other.node))
    }
}

impl<'a, F: Fn(Group<'_>) -> bool> BestFirst<'a, F> {
    fn new(layer: &'a Layer, from: Ecef, may_hold: F) -> Self {
        let unmeasured = |(chunk, bounds): (usize, &EcefBox)| {
            Reverse(QueueEntry { bound_m: chord_bound_m(bounds.chord_2(from)), node: Node::Unmeasured(chunk) })
        };
        Self { layer, from, queue: layer.chunk_bounds().map(unmeasured).collect(), may_hold }
    }
}

impl<'a, F: Fn(Group<'_>) -> bool> Iterator for BestFirst<'a, F> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        let chunks = self.layer.chunks();
        loop {
            let Reverse(QueueEntry { bound_m, node }) = self.queue.pop()?;
            let from = self.from;
            let to = |bounds: &EcefBox, node| Reverse(QueueEntry { bound_m: box_lower_bound_m(from, bounds), node });
            match node {
                Node::Unmeasured(chunk) => {
                    self.queue.extend(chunks[chunk].bounds().map(|bounds| to(bounds, Node::Chunk(chunk))));
                }
                Node::Chunk(chunk) if (self.may_hold)(Group::chunk(&chunks[chunk])) => {
                    let blocks = chunks[chunk].blocks();
                    self.queue.extend(blocks.map(|(block, bounds)| to(bounds, Node::Block(chunk, block))));
                }
                Node::Block(chunk, block) if (self.may_hold)(Group::block(&chunks[chunk], block)) => {
                    let rows = chunks[chunk].block_rows(block);
                    self.queue.extend(rows.map(|(row, bounds)| to(&bounds, Node::Row(chunk, row))));
                }
                Node::Chunk(_) | Node::Block(..) => {}
                Node::Row(chunk, row) => return Some(Step { row: chunks[chunk].row(row), bound_m }),
            }
        }
    }
}
