//! A layer as chunks of neighbouring features.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::iter::Peekable;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::history::FeatureChange;
use super::id_index::{IdIndex, IndexOp};
use super::pyramid::ClusterAggregator;
use super::resources::ResourceFields;
use super::vertex_zooms::{Junctions, VertexZooms, vertex_zooms};
use super::{Chunk, Row};
use crate::geodesy::Envelope;
use crate::geodesy::ecef::EcefBox;
use crate::model::{Feature, FeatureId, LayerSchema, Shape, ValueRef};

/// Features per chunk when a layer is built; a chunk that reaches twice this size is split.
const CHUNK_ROWS: usize = 2048;

/// All features of a layer.
#[derive(Clone, Debug)]
pub struct Layer {
    schema: Arc<LayerSchema>,
    /// A chunk keeps its index; a chunk that lost all features stays empty for a while.
    chunks: Vec<Arc<Chunk>>,
    /// In one array, so that a search for chunks reads contiguous memory.
    outlines: Vec<Outline>,
    ids: IdIndex,
    /// The fields of its roles.
    resources: Arc<ResourceFields>,
    /// Computes cluster aggregates; `None` without clusters.
    aggregator: Option<Arc<ClusterAggregator>>,
    /// Vertex zooms of areas that share borders, by feature; computed when first requested.
    border_zooms: Arc<OnceLock<HashMap<FeatureId, VertexZooms>>>,
}

/// The envelope and the box of a chunk.
#[derive(Clone, Copy, Debug)]
struct Outline {
    envelope: Option<Envelope>,
    bounds: Option<EcefBox>,
}

impl Layer {
    /// Builds a layer from all its features, whose ids must be distinct.
    #[must_use]
    pub fn build(schema: LayerSchema, features: Vec<Feature>) -> Self {
        let chunks = cut(&schema, features);
        Self::of_chunks(schema, chunks)
    }

    /// Assembles a layer from chunks whose columns match the schema.
    pub(super) fn of_chunks(schema: LayerSchema, chunks: Vec<Arc<Chunk>>) -> Self {
        let ids = IdIndex::build(&chunks);
        let resources = Arc::new(ResourceFields::of(&schema));
        let aggregator = ClusterAggregator::of(&schema, &resources).map(Arc::new);
        let outlines = outlines(&chunks);
        summarize(&chunks, &resources);
        Self { schema: Arc::new(schema), chunks, outlines, ids, resources, aggregator, border_zooms: Arc::default() }
    }

    /// The layer with other chunks.
    fn with_chunks(&self, chunks: Vec<Arc<Chunk>>, ids: IdIndex) -> Self {
        let outlines = outlines(&chunks);
        summarize(&chunks, &self.resources);
        Self {
            schema: self.schema.clone(),
            chunks,
            outlines,
            ids,
            resources: self.resources.clone(),
            aggregator: self.aggregator.clone(),
            border_zooms: Arc::default(),
        }
    }

    /// The same features with another schema, which differs only in which fields are sensitive.
    pub(super) fn with_schema(&self, schema: Arc<LayerSchema>) -> Self {
        Self { schema, ..self.clone() }
    }

    /// Its schema.
    #[must_use]
    pub fn schema(&self) -> &LayerSchema {
        &self.schema
    }

    /// The fields of its roles.
    #[must_use]
    pub fn resources(&self) -> &ResourceFields {
        &self.resources
    }

    /// Its chunks, unordered.
    #[must_use]
    pub fn chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    /// Number of features.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its envelope; `None` without any geometry.
    #[must_use]
    pub fn envelope(&self) -> Option<Envelope> {
        self.chunks.iter().filter_map(|chunk| chunk.envelope().copied()).reduce(|a, b| a.union(&b))
    }

    /// A public text value of a feature by field name; `None` if it is unknown, sensitive or not a text.
    #[must_use]
    pub fn text<'a>(&self, row: &Row<'a>, field: &str) -> Option<&'a str> {
        match row.cell(self.public_field(field)?) {
            ValueRef::Text(text) => Some(text),
            _ => None,
        }
    }

    fn public_field(&self, field: &str) -> Option<usize> {
        self.schema.position(field).filter(|&at| !self.schema.fields[at].sensitive)
    }

    /// A public integer value of a feature by field name; `None` if it is unknown, sensitive or not an integer.
    #[must_use]
    pub fn integer(&self, row: &Row<'_>, field: &str) -> Option<i64> {
        match row.cell(self.public_field(field)?) {
            ValueRef::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// A feature by its id.
    #[must_use]
    pub fn find(&self, id: &FeatureId) -> Option<Row<'_>> {
        self.chunk_of(id).and_then(|at| self.chunks[at].find(id))
    }

    /// The index of the chunk that contains a feature.
    fn chunk_of(&self, id: &FeatureId) -> Option<usize> {
        self.ids.candidates(id).find(|&at| self.chunks[at].find(id).is_some())
    }

    /// The rows whose envelope intersects this one, which may cross the antimeridian; unordered.
    pub fn rows_in<'a>(&'a self, envelope: &Envelope) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let envelope = *envelope;
        self.chunks_in(&envelope).flat_map(move |chunk| chunk.rows_in(&envelope))
    }

    /// The chunks that may contain such rows.
    pub(super) fn chunks_in<'a>(&'a self, envelope: &Envelope) -> impl Iterator<Item = &'a Chunk> + use<'a> {
        let envelope = *envelope;
        let near = self.outlines.iter().zip(&self.chunks);
        near.filter(move |(outline, _)| outline.envelope.is_some_and(|own| own.intersects(&envelope)))
            .map(|(_, chunk)| &**chunk)
    }

    /// Computes cluster aggregates; `None` without clusters.
    pub(super) fn aggregator(&self) -> Option<&ClusterAggregator> {
        self.aggregator.as_deref()
    }

    /// For each vertex of a line or an area, in order, the first Web Mercator zoom that needs it; `None` for anything else.
    #[must_use]
    pub fn vertex_zooms<'a>(&'a self, row: &Row<'a>) -> Option<&'a [u8]> {
        if !self.schema.tessellation {
            return row.vertex_zooms();
        }
        let rank_all = || {
            let rows: Vec<Row<'_>> = self.rows_after(None).collect();
            let shapes: Vec<_> = rows.iter().filter_map(|row| Some((row.id(), row.shape()?.geometry()))).collect();
            let junctions = Junctions::of(shapes.iter().map(|(_, shape)| *shape));
            shapes.into_iter().map(|(id, shape)| (id.clone(), vertex_zooms(shape, Some(&junctions)))).collect()
        };
        self.border_zooms.get_or_init(rank_all).get(row.id()).map(AsRef::as_ref)
    }

    /// The indices of chunks with geometries, each with its box in earth-centred coordinates.
    pub fn chunk_bounds(&self) -> impl Iterator<Item = (usize, &EcefBox)> {
        self.outlines.iter().enumerate().filter_map(|(at, outline)| Some((at, outline.bounds.as_ref()?)))
    }

    /// All rows with a greater id, ascending.
    pub fn rows_after<'a>(&'a self, after: Option<&FeatureId>) -> impl Iterator<Item = Row<'a>> + use<'a> {
        Merged::new(self.chunks.iter().map(|chunk| chunk.rows_after(after)).collect(), Reverse)
    }

    /// All rows with a smaller id, descending.
    pub fn rows_before<'a>(&'a self, before: &FeatureId) -> impl Iterator<Item = Row<'a>> + use<'a> {
        Merged::new(self.chunks.iter().map(|chunk| chunk.rows_before(before)).collect(), std::convert::identity)
    }

    /// The layer after changes (id and new state, each id once), and the old and new envelopes of these features. Only
    /// the chunks that held or now hold these features are rebuilt.
    #[must_use]
    pub(super) fn with_changes(&self, changes: Vec<(FeatureId, Option<Feature>)>) -> (Self, Vec<FeatureChange>) {
        let envelope = |shape: Option<&Shape>| shape.and_then(|shape| Envelope::around(shape.geometry()));
        let mut envelopes = Vec::with_capacity(changes.len());
        let mut touched: BTreeMap<usize, Touched> = BTreeMap::new();
        let mut ops = Vec::new();
        for (id, now) in changes {
            let old_chunk = self.chunk_of(&id);
            let old = old_chunk.and_then(|at| self.chunks[at].find(&id));
            envelopes.push(FeatureChange {
                id: id.clone(),
                before: envelope(old.and_then(|row| row.shape())),
                after: envelope(now.as_ref().and_then(|feature| feature.geometry.as_ref())),
            });
            let new_chunk = now.as_ref().map(|feature| {
                let stays = old_chunk.filter(|&at| self.chunks[at].reaches(feature.geometry.as_ref()));
                stays.or_else(|| self.best_chunk(feature.geometry.as_ref())).or(old_chunk).unwrap_or(0)
            });
            if old_chunk != new_chunk {
                ops.extend(old_chunk.map(|at| (id.clone(), IndexOp::Remove(at))));
                ops.extend(new_chunk.map(|at| (id.clone(), IndexOp::Add(at))));
            }
            if let Some(at) = old_chunk.filter(|&at| Some(at) != new_chunk) {
                touched.entry(at).or_default().removed.insert(id);
            }
            if let Some((at, feature)) = new_chunk.zip(now) {
                let touched = touched.entry(at).or_default();
                if old_chunk == Some(at) { touched.changed.push(feature) } else { touched.added.push(feature) }
            }
        }
        let rebuilt: Vec<(usize, Vec<Arc<Chunk>>)> =
            touched.into_par_iter().map(|(at, touched)| (at, self.rebuild(self.chunks.get(at), touched))).collect();
        let mut chunks = self.chunks.clone();
        for (at, parts) in rebuilt {
            let mut parts = parts.into_iter();
            let first = parts.next().unwrap_or_else(|| Arc::new(Chunk::build(&self.schema, Vec::new())));
            if let Some(place) = chunks.get_mut(at) {
                *place = first;
            } else {
                chunks.push(first);
            }
            for part in parts {
                let moved =
                    |id: &FeatureId| [(id.clone(), IndexOp::Remove(at)), (id.clone(), IndexOp::Add(chunks.len()))];
                ops.extend(part.ids().iter().flat_map(moved));
                chunks.push(part);
            }
        }
        if chunks.iter().filter(|chunk| chunk.is_empty()).count() > chunks.len() / 2 {
            chunks.retain(|chunk| !chunk.is_empty());
            let ids = IdIndex::build(&chunks);
            return (self.with_chunks(chunks, ids), envelopes);
        }
        let ids = self.ids.with(ops, &chunks);
        (self.with_chunks(chunks, ids), envelopes)
    }

    /// A chunk after changes, or the chunks it is split into; none if it becomes empty.
    fn rebuild(&self, chunk: Option<&Arc<Chunk>>, touched: Touched) -> Vec<Arc<Chunk>> {
        let Touched { changed, added, removed } = touched;
        let place = |feature: Feature| Some((chunk?.place_of(&feature.id)?, feature));
        if let Some(chunk) = chunk.filter(|_| added.is_empty() && removed.is_empty()) {
            return vec![Arc::new(chunk.with_rows(changed.into_iter().filter_map(place).collect()))];
        }
        let before = chunk.map(|chunk| chunk.features()).into_iter().flatten();
        let mut features: BTreeMap<FeatureId, Feature> = before
            .filter(|feature| !removed.contains(&feature.id))
            .map(|feature| (feature.id.clone(), feature))
            .collect();
        features.extend(changed.into_iter().chain(added).map(|feature| (feature.id.clone(), feature)));
        let features: Vec<Feature> = features.into_values().collect();
        match features.len() {
            0 => Vec::new(),
            few if few < 2 * CHUNK_ROWS => vec![Arc::new(Chunk::build(&self.schema, features))],
            _ => cut(&self.schema, features),
        }
    }

    /// The chunk whose envelope grows least by adding the shape.
    fn best_chunk(&self, shape: Option<&Shape>) -> Option<usize> {
        let around = Envelope::around(shape?.geometry())?;
        let area = |envelope: &Envelope| (envelope.east() - envelope.west()) * (envelope.north() - envelope.south());
        let growth =
            |chunk: &Chunk| chunk.envelope().map_or(f64::INFINITY, |own| area(&own.union(&around)) - area(own));
        (0..self.chunks.len()).min_by(|&a, &b| growth(&self.chunks[a]).total_cmp(&growth(&self.chunks[b])))
    }
}

/// Summarizes the resources of new chunks now, so that no query has to.
fn summarize(chunks: &[Arc<Chunk>], resources: &ResourceFields) {
    if resources.has_supply() {
        chunks.par_iter().for_each(|chunk| _ = chunk.resources(resources));
    }
}

fn outlines(chunks: &[Arc<Chunk>]) -> Vec<Outline> {
    let outline = |chunk: &Arc<Chunk>| Outline { envelope: chunk.envelope().copied(), bounds: chunk.bounds().copied() };
    chunks.iter().map(outline).collect()
}

/// Changes of one chunk.
#[derive(Default)]
struct Touched {
    /// Updated features.
    changed: Vec<Feature>,
    /// Added features.
    added: Vec<Feature>,
    /// Removed features.
    removed: HashSet<FeatureId>,
}

/// Divides features into chunks of neighbours.
fn cut(schema: &LayerSchema, features: Vec<Feature>) -> Vec<Arc<Chunk>> {
    let mut keyed: Vec<(u64, Feature)> =
        features.into_iter().map(|feature| (curve_position(&feature), feature)).collect();
    keyed.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.id.cmp(&other.id)));
    let mut groups: Vec<Vec<Feature>> = Vec::with_capacity(keyed.len().div_ceil(CHUNK_ROWS));
    let mut rest = keyed.into_iter().map(|(_, feature)| feature).peekable();
    while rest.peek().is_some() {
        groups.push(rest.by_ref().take(CHUNK_ROWS).collect());
    }
    groups.into_par_iter().map(|features| Arc::new(Chunk::build(schema, features))).collect()
}

/// Position of the centre of a feature on a Hilbert curve over the world, 16 bits per axis; features without a geometry
/// come last.
fn curve_position(feature: &Feature) -> u64 {
    const SIDE: u32 = 1 << 16;
    let Some(around) = feature.geometry.as_ref().and_then(|shape| Envelope::around(shape.geometry())) else {
        return u64::MAX;
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the share is within 0..=1")]
    let cell = |share: f64| ((share * f64::from(SIDE)) as u32).min(SIDE - 1);
    let mut x = cell(f64::midpoint(around.west(), around.east()) / 360.0 + 0.5);
    let mut y = cell(f64::midpoint(around.south(), around.north()) / 180.0 + 0.5);
    let mut position = 0;
    let mut quadrant = SIDE / 2;
    while quadrant > 0 {
        let (right, upper) = (u32::from(x & quadrant > 0), u32::from(y & quadrant > 0));
        position += u64::from(quadrant) * u64::from(quadrant) * u64::from((3 * right) ^ upper);
        if upper == 0 {
            if right == 1 {
                x = (SIDE - 1) - x;
                y = (SIDE - 1) - y;
            }
            std::mem::swap(&mut x, &mut y);
        }
        quadrant /= 2;
    }
    position
}

/// Merges ordered rows of several chunks; the row with the greatest key comes next.
struct Merged<'a, I: Iterator<Item = Row<'a>>, K> {
    chunks: Vec<Peekable<I>>,
    heap: BinaryHeap<(K, usize)>,
    key: fn(&'a FeatureId) -> K,
}

impl<'a, I: Iterator<Item = Row<'a>>, K: Ord> Merged<'a, I, K> {
    fn new(chunks: Vec<I>, key: fn(&'a FeatureId) -> K) -> Self {
        let mut chunks: Vec<_> = chunks.into_iter().map(Iterator::peekable).collect();
        let heap =
            chunks.iter_mut().enumerate().filter_map(|(at, rows)| rows.peek().map(|row| (key(row.id()), at))).collect();
        Self { chunks, heap, key }
    }
}

impl<'a, I: Iterator<Item = Row<'a>>, K: Ord> Iterator for Merged<'a, I, K> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        let (_, at) = self.heap.pop()?;
        let row = self.chunks[at].next();
        if let Some(next) = self.chunks[at].peek() {
            self.heap.push(((self.key)(next.id()), at));
        }
        row
    }
}
