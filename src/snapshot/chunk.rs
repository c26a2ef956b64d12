//! A few thousand neighbouring features: columns, and where they are.

use std::sync::{Arc, OnceLock};

use super::column::Column;
use super::pyramid::Pyramid;
use super::resources::{ChunkResources, ResourceFields, SupplySummary};
use super::spatial_index::SpatialIndex;
use crate::geodesy::Envelope;
use crate::geodesy::ecef::EcefBox;
use crate::model::{Feature, FeatureId, LayerSchema, Shape, Value, ValueRef};

/// Rows are sorted by id. A chunk and the one that follows it share what did not change.
#[derive(Clone, Debug)]
pub struct Chunk {
    ids: Arc<[FeatureId]>,
    columns: Vec<Arc<Column>>,
    spatial_index: Arc<SpatialIndex>,
    /// Counted when first asked for.
    resources: OnceLock<Arc<ChunkResources>>,
    /// Aggregated zoom by zoom when first requested.
    pyramid: Arc<Pyramid>,
}

impl Chunk {
    pub(super) fn build(schema: &LayerSchema, mut features: Vec<Feature>) -> Self {
        features.sort_by(|a, b| a.id.cmp(&b.id));
        let columns = schema
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| {
                let values =
                    features.iter_mut().map(|feature| std::mem::replace(&mut feature.values[at], Value::Unknown));
                Column::collect(field.field_type, values)
            })
            .collect();
        let (ids, shapes) = features.into_iter().map(|feature| (feature.id, feature.geometry)).unzip();
        Self::assemble(ids, shapes, columns)
    }

    /// Puts together what fits: ids are sorted; shapes and columns are as long as they.
    pub(super) fn assemble(ids: Vec<FeatureId>, shapes: Vec<Option<Shape>>, columns: Vec<Column>) -> Self {
        Self {
            ids: ids.into(),
            columns: columns.into_iter().map(Arc::new).collect(),
            spatial_index: Arc::new(SpatialIndex::index(shapes)),
            resources: OnceLock::new(),
            pyramid: Arc::default(),
        }
    }

    /// The chunk with other values in some rows, which keep their ids.
    pub(super) fn with_rows(&self, rows: Vec<(usize, Feature)>) -> Self {
        let mut chunk = Self { resources: OnceLock::new(), pyramid: Arc::default(), ..self.clone() };
        let mut moved = Vec::new();
        for (row, feature) in rows {
            for (column, value) in chunk.columns.iter_mut().zip(feature.values) {
                if column.get(row) != value {
                    Arc::make_mut(column).set(row, value);
                }
            }
            if self.spatial_index.shapes()[row] != feature.geometry {
                moved.push((row, feature.geometry));
            }
        }
        if !moved.is_empty() {
            let mut shapes = self.spatial_index.shapes().to_vec();
            for (row, shape) in moved {
                shapes[row] = shape;
            }
            chunk.spatial_index = Arc::new(SpatialIndex::index(shapes));
        }
        chunk
    }

    /// The ids of its features, in order.
    pub(super) fn ids(&self) -> &[FeatureId] {
        &self.ids
    }

    /// Number of features.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it holds no feature.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The box around all of it; `None` when nothing in it has a place.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        self.spatial_index.envelope()
    }

    /// A feature by its row.
    #[must_use]
    pub fn row(&self, row: usize) -> Row<'_> {
        Row { chunk: self, row }
    }

    /// The row of an id.
    #[must_use]
    pub fn find(&self, id: &FeatureId) -> Option<Row<'_>> {
        self.place_of(id).map(|row| self.row(row))
    }

    /// The row number of an id.
    pub(super) fn place_of(&self, id: &FeatureId) -> Option<usize> {
        self.ids.binary_search(id).ok()
    }

    /// Whether a shape lies in the box around the chunk; nowhere is in every box.
    pub(super) fn reaches(&self, shape: Option<&Shape>) -> bool {
        let around = shape.and_then(|shape| Envelope::around(shape.geometry()));
        around.is_none_or(|around| self.envelope().is_some_and(|own| own.union(&around) == *own))
    }

    /// The rows whose id comes after this one, in order of id.
    pub fn rows_after<'a>(&'a self, after: Option<&FeatureId>) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let start = after.map_or(0, |after| self.ids.partition_point(|id| id <= after));
        (start..self.len()).map(|row| self.row(row))
    }

    /// The rows whose id comes before this one, the last one first.
    pub fn rows_before<'a>(&'a self, before: &FeatureId) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let end = self.ids.partition_point(|id| id < before);
        (0..end).rev().map(|row| self.row(row))
    }

    /// The rows whose envelope shares a point with this one, which may cross the antimeridian; in no order, each once.
    pub fn rows_in<'a>(&'a self, envelope: &Envelope) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let mut halves = envelope.split();
        let first = halves.next().unwrap_or(*envelope);
        // A feature that reaches into both halves is answered once.
        let others = halves.next().map(|half| self.spatial_index.rows_in(&half)).into_iter().flatten();
        let others = others.map(|row| self.row(row)).filter(move |row| !row.touches(&first));
        self.spatial_index.rows_in(&first).map(|row| self.row(row)).chain(others)
    }

    /// The rows that have no place; in order of id.
    pub fn rows_without_place(&self) -> impl Iterator<Item = Row<'_>> {
        self.spatial_index.without_place().iter().map(|row| self.row(*row as usize))
    }

    /// The box around all of it in earth-centred coordinates; `None` when nothing in it has a place.
    #[must_use]
    pub fn bounds(&self) -> Option<&EcefBox> {
        self.spatial_index.bounds()
    }

    /// Its blocks of neighbours, by number, each with the box around it.
    pub fn blocks(&self) -> impl Iterator<Item = (usize, &EcefBox)> {
        self.spatial_index.blocks().iter().map(|block| &block.bounds).enumerate()
    }

    /// The row of each part of a feature in a block, and the box around the part.
    pub fn block_rows(&self, block: usize) -> impl Iterator<Item = (usize, &EcefBox)> {
        let places = self.spatial_index.places(&self.spatial_index.blocks()[block]);
        places.iter().map(|place| (place.row as usize, &place.bounds))
    }

    /// What its features that have a place offer.
    #[must_use]
    pub fn resources(&self, resources: &ResourceFields) -> &ChunkResources {
        self.resources.get_or_init(|| Arc::new(ChunkResources::of(self, &self.spatial_index, resources)))
    }

    pub(super) fn pyramid(&self) -> &Pyramid {
        &self.pyramid
    }

    /// Ids, shapes and columns, as [`Self::assemble`] takes them.
    pub(super) fn parts(&self) -> (&[FeatureId], &[Option<Shape>], &[Arc<Column>]) {
        (&self.ids, self.spatial_index.shapes(), &self.columns)
    }

    pub(super) fn features(&self) -> impl Iterator<Item = Feature> + '_ {
        (0..self.len()).map(|row| self.row(row).to_feature())
    }
}

/// A chunk, or one of its blocks.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    chunk: &'a Chunk,
    block: Option<usize>,
}

impl<'a> Group<'a> {
    /// A whole chunk.
    #[must_use]
    pub fn chunk(chunk: &'a Chunk) -> Self {
        Self { chunk, block: None }
    }

    /// One block of it.
    #[must_use]
    pub fn block(chunk: &'a Chunk, block: usize) -> Self {
        Self { chunk, block: Some(block) }
    }

    /// A box that holds all of it; `None` when nothing in it has a place.
    #[must_use]
    pub fn envelope(&self) -> Option<&'a Envelope> {
        self.chunk.envelope()
    }

    /// The most that its features that have a place offer.
    #[must_use]
    pub fn supply(&self, resources: &ResourceFields) -> &'a SupplySummary {
        self.chunk.resources(resources).supply(self.block)
    }
}

/// One feature inside a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    chunk: &'a Chunk,
    row: usize,
}

impl<'a> Row<'a> {
    /// The chunk that holds it.
    #[must_use]
    pub fn chunk(&self) -> &'a Chunk {
        self.chunk
    }

    /// Its place in the chunk.
    #[must_use]
    pub fn number(&self) -> usize {
        self.row
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &'a FeatureId {
        &self.chunk.ids[self.row]
    }

    /// Where it is.
    #[must_use]
    pub fn shape(&self) -> Option<&'a Shape> {
        self.chunk.spatial_index.shapes()[self.row].as_ref()
    }

    pub(super) fn vertex_zooms(&self) -> Option<&'a [u8]> {
        self.chunk.spatial_index.vertex_zooms(self.row)
    }

    fn touches(&self, envelope: &Envelope) -> bool {
        let own = self.shape().and_then(|shape| Envelope::around(shape.geometry()));
        own.is_some_and(|own| own.intersects(envelope))
    }

    /// The value of a field by its position in the schema.
    #[must_use]
    pub fn value(&self, field: usize) -> Value {
        self.chunk.columns[field].get(self.row)
    }

    /// The value of a field, by its position in the schema, where it lies.
    #[must_use]
    pub fn cell(&self, field: usize) -> ValueRef<'a> {
        self.chunk.columns[field].cell(self.row)
    }

    /// A copy of the whole feature.
    #[must_use]
    pub fn to_feature(&self) -> Feature {
        let values = (0..self.chunk.columns.len()).map(|field| self.value(field)).collect();
        Feature { id: self.id().clone(), geometry: self.shape().cloned(), values }
    }
}
