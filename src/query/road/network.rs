//! The road network: the roads of all layers with the road role as a graph of their segments.
//!
//! Roads are joined where they share a vertex, and where a road ends within 2 m of another, because drawings have
//! such gaps. Roads that only cross are not joined: one of them is a bridge.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use geo::{Coord, Geometry, LineString, MultiLineString};

use super::vehicle::VehicleSize;
use crate::geodesy::LonLat;
use crate::geodesy::distance::distance_m;
use crate::geodesy::edge_index::EdgeIndex;
use crate::model::roles::RoadRole;
use crate::model::{FeatureId, ValueRef};
use crate::snapshot::{Chunk, Layer, Row, Snapshot};

/// A road that ends so near another one meets it, metres.
const GAP_M: f64 = 2.0;
/// Greatest distance between a position and the road that leads to it, metres.
pub const MAX_ACCESS_M: f64 = 5_000.0;
/// Number of accesses that are kept.
const KEPT_ACCESSES: usize = 500_000;
/// Vertices are equal if they are in the same cell of this size, degrees: about a centimetre.
const VERTEX_DEG: f64 = 1e-7;

/// The roads of a snapshot as a graph.
#[derive(Debug)]
pub struct RoadNetwork {
    /// The chunks of the road layers, which identify the network.
    chunks: Vec<Arc<Chunk>>,
    pub(super) roads: Vec<Road>,
    pub(super) segments: Vec<Segment>,
    /// Its edges have the numbers of the segments.
    pub(super) index: EdgeIndex,
    /// By node: the range of its arcs.
    first_arc: Vec<u32>,
    /// Segments at the nodes.
    arcs: Vec<u32>,
    /// Speed on the fastest road, metres per second.
    pub(super) fastest_m_s: f64,
    /// The accesses that were computed, by the bits of their coordinates.
    accesses: RwLock<HashMap<(u64, u64), Option<AccessPoint>>>,
}

/// The position on a road that leads to a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct AccessPoint {
    pub(super) segment: usize,
    /// Share of the length of the segment.
    pub(super) share: f64,
    /// Distance between the place and the road, metres.
    pub(super) distance_m: f64,
}

/// A road.
#[derive(Debug)]
pub(super) struct Road {
    /// Id of its layer.
    pub(super) layer: Arc<str>,
    pub(super) id: FeatureId,
    pub(super) speed_m_s: f64,
    pub(super) is_oneway: bool,
    pub(super) has_limited_access: bool,
    pub(super) is_closed: bool,
    pub(super) limits: VehicleSize,
    pub(super) segments: Range<usize>,
}

/// A straight part of a road between two nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// In the direction of the line.
    pub(super) nodes: [u32; 2],
    pub(super) road: u32,
    pub(super) length_m: f64,
}

impl RoadNetwork {
    /// Builds the network of a snapshot; `None` if no layer has the road role.
    #[must_use]
    pub fn build(snapshot: &Snapshot) -> Option<Self> {
        road_layers(snapshot).next()?;
        let mut lines = RoadLines::default();
        for (layer, role) in road_layers(snapshot) {
            lines.add(layer, role);
        }
        lines.close_gaps();
        Some(lines.into_network(chunks(snapshot).cloned().collect()))
    }

    /// Whether it is the network of a snapshot.
    #[must_use]
    pub fn is_of(&self, snapshot: &Snapshot) -> bool {
        let mut own = self.chunks.iter();
        chunks(snapshot).all(|chunk| own.next().is_some_and(|own| Arc::ptr_eq(own, chunk))) && own.next().is_none()
    }

    /// Number of nodes.
    pub(super) fn node_count(&self) -> usize {
        self.first_arc.len() - 1
    }

    /// The segments at a node.
    pub(super) fn segments_at(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.arcs[self.first_arc[node] as usize..self.first_arc[node + 1] as usize]
    }

    /// The nearest road with access within [`MAX_ACCESS_M`] of a feature, whether it is closed or not. Features are asked
    /// for again and again, so what was computed is kept; positions of callers must not be.
    pub(super) fn access_of_feature(&self, place: LonLat) -> Option<AccessPoint> {
        let key = (place.lon().to_bits(), place.lat().to_bits());
        if let Some(known) = self.accesses.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return *known;
        }
        let access = self.nearest_access(place, |_| true);
        let mut accesses = self.accesses.write().unwrap_or_else(PoisonError::into_inner);
        if accesses.len() >= KEPT_ACCESSES {
            accesses.clear();
        }
        accesses.insert(key, access);
        access
    }

    /// The nearest accepted road with access; segments are accepted by number.
    pub(super) fn nearest_access(&self, place: LonLat, accepts: impl Fn(usize) -> bool) -> Option<AccessPoint> {
        let has_access = |segment: usize| !self.road_of(segment).has_limited_access && accepts(segment);
        let near = self.index.nearest_edge(place, MAX_ACCESS_M, has_access)?;
        let share = self.share(near.edge, near.place);
        Some(AccessPoint { segment: near.edge, share, distance_m: near.distance_m })
    }

    pub(super) fn road_of(&self, segment: usize) -> &Road {
        &self.roads[self.segments[segment].road as usize]
    }

    /// Share of the length of a segment at a position on it.
    pub(super) fn share(&self, segment: usize, place: LonLat) -> f64 {
        let line = self.index.edge(segment);
        let start = LonLat::try_from(line.start).map_or(0.0, |start| distance_m(start, place));
        let length_m = self.segments[segment].length_m;
        if length_m > 0.0 { (start / length_m).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The position at a share of the length of a segment.
    pub(super) fn place(&self, segment: usize, share: f64) -> Coord {
        let line = self.index.edge(segment);
        line.start + line.delta() * share
    }
}

/// The fields of a road layer that travel depends on.
pub(super) struct RoadFields<'a> {
    class: Option<usize>,
    oneway: Option<usize>,
    closed: Option<(usize, &'a [String])>,
    limits: [Option<usize>; 3],
}

impl<'a> RoadFields<'a> {
    pub(super) fn of(layer: &Layer, role: &'a RoadRole) -> Self {
        let position = |field: &String| layer.schema().position(field);
        let closed = role.closed.as_ref().and_then(|closed| Some((position(&closed.field)?, closed.codes.as_slice())));
        Self {
            class: position(&role.class),
            oneway: role.oneway.as_ref().and_then(position),
            closed,
            limits: role.limits.fields().map(|field| field.and_then(position)),
        }
    }

    pub(super) fn is_closed(&self, row: &Row<'_>) -> bool {
        let code = self.closed.and_then(|(field, codes)| Some((text(row, Some(field))?, codes)));
        code.is_some_and(|(code, codes)| codes.iter().any(|own| own == code))
    }

    pub(super) fn limits(&self, row: &Row<'_>) -> VehicleSize {
        VehicleSize(self.limits.map(|field| row.real(field?)))
    }
}

pub(super) fn road_layers(snapshot: &Snapshot) -> impl Iterator<Item = (&Layer, &RoadRole)> {
    snapshot.layers().iter().filter_map(|layer| Some((&**layer, layer.schema().roles.road.as_ref()?)))
}

fn chunks(snapshot: &Snapshot) -> impl Iterator<Item = &Arc<Chunk>> {
    road_layers(snapshot).flat_map(|(layer, _)| layer.chunks())
}

/// The lines of roads before they are joined.
#[derive(Default)]
struct RoadLines {
    roads: Vec<Road>,
    /// Each with the index of its road.
    lines: Vec<(usize, Vec<Coord>)>,
}

impl RoadLines {
    fn add(&mut self, layer: &Layer, role: &RoadRole) {
        let name: Arc<str> = layer.schema().id.as_str().into();
        let fields = RoadFields::of(layer, role);
        let slowest = role.speeds_km_h.values().min().map_or(1, |speed| speed.get());
        for row in layer.rows_after(None) {
            let Some(shape) = row.shape() else { continue };
            let class = text(&row, fields.class);
            let speed = class.and_then(|class| role.speeds_km_h.get(class)).map_or(slowest, |speed| speed.get());
            let road = self.roads.len();
            self.roads.push(Road {
                layer: name.clone(),
                id: row.id().clone(),
                speed_m_s: f64::from(speed) / 3.6,
                is_oneway: fields.oneway.is_some_and(|field| matches!(row.cell(field), ValueRef::Boolean(true))),
                has_limited_access: class.is_some_and(|class| role.limited_access.iter().any(|own| own == class)),
                is_closed: fields.is_closed(&row),
                limits: fields.limits(&row),
                segments: 0..0,
            });
            self.add_lines(road, shape.geometry());
        }
    }

    fn add_lines(&mut self, road: usize, geometry: &Geometry) {
        match geometry {
            Geometry::LineString(line) if line.0.len() > 1 => self.lines.push((road, line.0.clone())),
            Geometry::MultiLineString(lines) => {
                let lines = lines.iter().filter(|line| line.0.len() > 1);
                self.lines.extend(lines.map(|line| (road, line.0.clone())));
            }
            Geometry::GeometryCollection(parts) => parts.iter().for_each(|part| self.add_lines(road, part)),
            _ => {}
        }
    }

    /// Joins lines that end near another one: the other one gets a vertex, and the line is extended to it.
    fn close_gaps(&mut self) {
        let mut uses: HashMap<(i64, i64), u32> = HashMap::new();
        for (_, line) in &self.lines {
            for at in line {
                *uses.entry(vertex(*at)).or_default() += 1;
            }
        }
        let index = edge_index(self.lines.iter().map(|(_, line)| line.clone()));
        // By edge of the index: its line and the number of its first vertex.
        let edges: Vec<(usize, usize)> = self
            .lines
            .iter()
            .enumerate()
            .flat_map(|(number, (_, line))| (0..line.len() - 1).map(move |at| (number, at)))
            .collect();
        let mut added: Vec<(usize, usize, f64, Coord)> = Vec::new();
        let mut extended: Vec<(usize, bool, Coord)> = Vec::new();
        for (number, (_, line)) in self.lines.iter().enumerate() {
            let (Some(&start), Some(&end)) = (line.first(), line.last()) else { continue };
            for (end, is_last) in [(start, false), (end, true)] {
                let Ok(from) = LonLat::try_from(end) else { continue };
                if uses[&vertex(end)] > 1 {
                    continue;
                }
                let Some(near) = index.nearest_edge(from, GAP_M, |edge| edges[edge].0 != number) else { continue };
                let place = Coord::from(near.place);
                let (other, at) = edges[near.edge];
                let line = index.edge(near.edge);
                let is_vertex = [line.start, line.end].into_iter().any(|own| vertex(own) == vertex(place));
                if !is_vertex {
                    let along = (place - line.start).x.hypot((place - line.start).y);
                    added.push((other, at, along, place));
                }
                extended.push((number, is_last, place));
            }
        }
        // From the last vertex to the first, so that the numbers of the others stay valid.
        added.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)).then(b.2.total_cmp(&a.2)));
        for (line, at, _, place) in added {
            self.lines[line].1.insert(at + 1, place);
        }
        for (line, is_last, place) in extended {
            let line = &mut self.lines[line].1;
            line.insert(if is_last { line.len() } else { 0 }, place);
        }
    }

    fn into_network(self, chunks: Vec<Arc<Chunk>>) -> RoadNetwork {
        let Self { mut roads, lines } = self;
        let mut nodes: HashMap<(i64, i64), u32> = HashMap::new();
        let mut node = |at: Coord| {
            let next = number(nodes.len());
            *nodes.entry(vertex(at)).or_insert(next)
        };
        let mut segments: Vec<Segment> = Vec::new();
        let mut paths = Vec::with_capacity(lines.len());
        for (road, mut line) in lines {
            line.dedup_by(|a, b| vertex(*a) == vertex(*b));
            if line.len() < 2 {
                continue;
            }
            let begin = segments.len();
            for pair in line.windows(2) {
                let length_m = match (LonLat::try_from(pair[0]), LonLat::try_from(pair[1])) {
                    (Ok(a), Ok(b)) => distance_m(a, b),
                    _ => 0.0,
                };
                segments.push(Segment { nodes: [node(pair[0]), node(pair[1])], road: number(road), length_m });
            }
            let own = &mut roads[road].segments;
            *own = if own.end == 0 { begin..segments.len() } else { own.start..segments.len() };
            paths.push(line);
        }
        let (first_arc, arcs) = arcs(nodes.len(), &segments);
        let fastest_m_s = roads.iter().map(|road| road.speed_m_s).fold(0.0, f64::max);
        RoadNetwork {
            chunks,
            roads,
            index: edge_index(paths.into_iter()),
            segments,
            first_arc,
            arcs,
            fastest_m_s,
            accesses: RwLock::default(),
        }
    }
}

/// The segments at each node, in one array.
fn arcs(nodes: usize, segments: &[Segment]) -> (Vec<u32>, Vec<u32>) {
    let mut first = vec![0_u32; nodes + 1];
    for segment in segments {
        for node in segment.nodes {
            first[node as usize + 1] += 1;
        }
    }
    for node in 0..nodes {
        first[node + 1] += first[node];
    }
    let mut next = first.clone();
    let mut arcs = vec![0; segments.len() * 2];
    for (at, segment) in segments.iter().enumerate() {
        for node in segment.nodes {
            let place = &mut next[node as usize];
            arcs[*place as usize] = number(at);
            *place += 1;
        }
    }
    (first, arcs)
}

fn edge_index(lines: impl Iterator<Item = Vec<Coord>>) -> EdgeIndex {
    EdgeIndex::new(Geometry::MultiLineString(MultiLineString(lines.map(LineString).collect())))
}

/// The cell of a vertex.
fn vertex(at: Coord) -> (i64, i64) {
    #[expect(clippy::cast_possible_truncation, reason = "at most 1.8e9 in size")]
    let cell = |degrees: f64| (degrees / VERTEX_DEG).round() as i64;
    (cell(at.x), cell(at.y))
}

fn number(index: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "memory bounds the number of segments below 2^32")]
    let number = index as u32;
    number
}

fn text<'a>(row: &Row<'a>, field: Option<usize>) -> Option<&'a str> {
    match row.cell(field?) {
        ValueRef::Text(text) => Some(text),
        _ => None,
    }
}
