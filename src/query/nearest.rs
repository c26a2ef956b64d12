//! Who is nearest: the k nearest features of a layer, exact on the ellipsoid.
//!
//! Chunks, tree nodes and features are walked by straight chord through the earth, which is never
//! longer than the geodesic. The walk ends when the next chord is longer than the k-th geodesic found
//! so far, so the order is that of the geodesic distances and not of any approximation.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, HashSet};

use crate::geodesy::LonLat;
use crate::geodesy::distance::{bearing_deg, ecef, lower_bound_m, nearest_place};
use crate::model::FeatureId;
use crate::snapshot::{Layer, Place, Row};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// From where.
    pub at: LonLat,
    /// How many answers at most.
    pub k: usize,
    /// Nothing farther than this, metres.
    pub max_distance_m: Option<f64>,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The feature.
    pub row: Row<'a>,
    /// Geodesic distance to its nearest part, metres; 0 inside a polygon.
    pub distance_m: f64,
    /// Its nearest place.
    pub place: LonLat,
    /// Direction of that place, degrees clockwise from north; `None` at distance 0.
    pub bearing_deg: Option<f64>,
}

/// The k nearest features in order of distance, ties by id.
#[must_use]
pub fn nearest<'a>(layer: &'a Layer, ask: &Ask) -> Vec<Found<'a>> {
    let mut best = Best { ask, found: BTreeMap::new(), seen: HashSet::new() };
    for step in Walk::new(layer, ask.at) {
        let Step { row, chord_2 } = step;
        if best.is_settled(lower_bound_m(chord_2)) {
            break;
        }
        best.offer(row);
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
    ask: &'b Ask,
    found: BTreeMap<Rank<'a>, Found<'a>>,
    /// A feature of several parts comes by once for each.
    seen: HashSet<&'a FeatureId>,
}

impl<'a> Best<'a, '_> {
    /// Whether nothing at or beyond this distance can still be among the answers.
    fn is_settled(&self, bound_m: f64) -> bool {
        let full = self.found.len() >= self.ask.k;
        let worst = self.found.last_key_value().map_or(0.0, |(rank, _)| rank.distance_m);
        (full && bound_m > worst) || self.ask.max_distance_m.is_some_and(|max| bound_m > max)
    }

    fn offer(&mut self, row: Row<'a>) {
        let Some(shape) = row.shape() else { return };
        if shape.as_point().is_none() && !self.seen.insert(row.id()) {
            return;
        }
        let Some((place, distance_m)) = nearest_place(self.ask.at, shape.geometry()) else { return };
        if self.ask.max_distance_m.is_some_and(|max| distance_m > max) {
            return;
        }
        let found = Found { row, distance_m, place, bearing_deg: bearing_deg(self.ask.at, place) };
        self.found.insert(Rank { distance_m, id: row.id() }, found);
        if self.found.len() > self.ask.k {
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
    from: [f64; 3],
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
    fn new(layer: &'a Layer, at: LonLat) -> Self {
        let from = ecef(at);
        let chunks = layer.chunks().iter().enumerate();
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
