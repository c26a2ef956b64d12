//! The walk: features of a layer by growing distance, exact on the ellipsoid.
//!
//! Chunks, tree nodes and features are walked by straight chord through the earth, which is never
//! longer than the geodesic. The walk ends when the next chord is longer than the k-th geodesic found
//! so far, so the order is that of the geodesic distances and not of any approximation.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, HashSet};

use super::origin::Origin;
use crate::geodesy::LonLat;
use crate::geodesy::distance::{Ecef, bearing_deg};
use crate::model::FeatureId;
use crate::snapshot::{Chunk, Layer, Place, Row};

/// A feature and how far it is.
#[derive(Clone, Copy, Debug)]
pub struct Near<'a> {
    /// The feature.
    pub row: Row<'a>,
    /// Geodesic distance between the nearest parts, metres; 0 inside an area.
    pub distance_m: f64,
    /// Its nearest place.
    pub place: LonLat,
    /// Direction of that place, degrees clockwise from north; `None` at distance 0.
    pub bearing_deg: Option<f64>,
}

/// How many, and how far.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// How many answers at most.
    pub k: usize,
    /// Nothing farther than this, metres.
    pub max_distance_m: Option<f64>,
}

/// The nearest features that are accepted, in order of distance, ties by id. Chunks that `may_hold` refuses are
/// passed by as a whole.
pub fn nearest_where<'a>(
    layer: &'a Layer,
    origin: &Origin,
    reach: Reach,
    may_hold: impl Fn(&Chunk) -> bool,
    accepts: impl Fn(&Row<'a>) -> bool,
) -> Vec<Near<'a>> {
    let mut best = Best { origin, reach, found: BTreeMap::new(), seen: HashSet::new() };
    for Step { row, chord_2 } in Walk::new(layer, origin.centre(), may_hold) {
        if best.is_settled(origin.lower_bound_m(chord_2)) {
            break;
        }
        if accepts(&row) {
            best.offer(row);
        }
    }
    best.found.into_values().collect()
}

/// Distance, then id: the order of the answers. Distances are finite.
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
    origin: &'b Origin,
    reach: Reach,
    found: BTreeMap<Rank<'a>, Near<'a>>,
    /// A feature of several parts comes by once for each.
    seen: HashSet<&'a FeatureId>,
}

impl<'a> Best<'a, '_> {
    /// Whether nothing at or beyond this distance can still be among the answers.
    fn is_settled(&self, bound_m: f64) -> bool {
        let full = self.found.len() >= self.reach.k;
        let worst = self.found.last_key_value().map_or(0.0, |(rank, _)| rank.distance_m);
        (full && bound_m > worst) || self.reach.max_distance_m.is_some_and(|max| bound_m > max)
    }

    fn offer(&mut self, row: Row<'a>) {
        let Some(shape) = row.shape() else { return };
        if shape.as_point().is_none() && !self.seen.insert(row.id()) {
            return;
        }
        let Some((from, place, distance_m)) = self.origin.nearest(shape) else { return };
        if self.reach.max_distance_m.is_some_and(|max| distance_m > max) {
            return;
        }
        let near = Near { row, distance_m, place, bearing_deg: bearing_deg(from, place) };
        self.found.insert(Rank { distance_m, id: row.id() }, near);
        if self.found.len() > self.reach.k {
            self.found.pop_last();
        }
    }
}

/// A part of a feature and its squared chord from the asker, metres squared.
struct Step<'a> {
    row: Row<'a>,
    chord_2: f64,
}

/// Parts of all chunks by growing chord. A chunk is opened only when its box comes to the front.
struct Walk<'a> {
    layer: &'a Layer,
    from: Ecef,
    front: BinaryHeap<Reverse<Front>>,
    open: Vec<Option<OpenChunk<'a>>>,
}

struct OpenChunk<'a> {
    rest: Box<dyn Iterator<Item = (&'a Place, f64)> + 'a>,
    next: Option<(&'a Place, f64)>,
}

#[derive(Clone, Copy, PartialEq)]
struct Front {
    chord_2: f64,
    chunk: usize,
}

impl Eq for Front {}

impl PartialOrd for Front {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Front {
    fn cmp(&self, other: &Self) -> Ordering {
        self.chord_2.total_cmp(&other.chord_2).then_with(|| self.chunk.cmp(&other.chunk))
    }
}

impl<'a> Walk<'a> {
    fn new(layer: &'a Layer, from: Ecef, may_hold: impl Fn(&Chunk) -> bool) -> Self {
        let chunks = layer.chunks().iter().enumerate().filter(|(_, chunk)| may_hold(chunk));
        let front = chunks
            .filter_map(|(chunk, content)| Some(Reverse(Front { chord_2: content.chord_2(from)?, chunk })))
            .collect();
        Self { layer, from, front, open: layer.chunks().iter().map(|_| None).collect() }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        loop {
            let Reverse(Front { chunk, .. }) = self.front.pop()?;
            let content = &self.layer.chunks()[chunk];
            let from = self.from;
            let open = self.open[chunk]
                .get_or_insert_with(|| OpenChunk { rest: Box::new(content.places_by_chord(from)), next: None });
            let here = open.next.take();
            open.next = open.rest.next();
            if let Some((_, chord_2)) = open.next {
                self.front.push(Reverse(Front { chord_2, chunk }));
            }
            if let Some((place, chord_2)) = here {
                return Some(Step { row: content.row(place.row()), chord_2 });
            }
        }
    }
}
