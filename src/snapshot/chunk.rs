//! A chunk: a few thousand neighbouring features as columns, shapes and spatial indexes.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::column::Column;
use super::pyramid::Pyramid;
use super::resources::{ChunkResources, ResourceFields, SupplySummary};
use super::spatial_index::SpatialIndex;
use crate::geodesy::Envelope;
use crate::geodesy::ecef::EcefBox;
use crate::model::{Feature, FeatureId, Fingerprint, FingerprintKey, LayerSchema, Shape, Value, ValueRef};

/// A chunk of a layer. Rows are sorted by id. A chunk and its successor share unchanged parts.
#[derive(Clone, Debug)]
pub struct Chunk {
    ids: Arc<[FeatureId]>,
    columns: Vec<Arc<Column>>,
    spatial_index: Arc<SpatialIndex>,
    /// Computed with the layer; when first requested for layers that supply nothing.
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
                let values = features.iter_mut();
                let values = values.map(|feature| std::mem::replace(&mut feature.values[at], Value::Unknown));
                Column::collect(field.field_type, &values.collect::<Vec<_>>())
            })
            .collect();
        let (ids, shapes) = features.into_iter().map(|feature| (feature.id, feature.geometry)).unzip();
        Self::assemble(ids, shapes, columns)
    }

    /// Assembles a chunk from sorted ids, and shapes and columns of the same length.
    pub(super) fn assemble(ids: Vec<FeatureId>, shapes: Vec<Option<Shape>>, columns: Vec<Column>) -> Self {
        Self {
            ids: ids.into(),
            columns: columns.into_iter().map(Arc::new).collect(),
            spatial_index: Arc::new(SpatialIndex::index(shapes)),
            resources: OnceLock::new(),
            pyramid: Arc::default(),
        }
    }

    /// The chunk with new values in some rows, which keep their ids.
    pub(super) fn with_rows(&self, rows: Vec<(usize, Feature)>) -> Self {
        let mut chunk = Self { resources: OnceLock::new(), pyramid: Arc::default(), ..self.clone() };
        for (at, column) in chunk.columns.iter_mut().enumerate() {
            let values = rows.iter().filter_map(|(row, feature)| Some((*row, feature.values.get(at)?)));
            let changes: HashMap<usize, &Value> = values.filter(|(row, value)| column.get(*row) != **value).collect();
            if !changes.is_empty() {
                *column = Arc::new(column.with(&changes));
            }
        }
        let moved = rows.into_iter().map(|(row, feature)| (row, feature.geometry));
        let moved = moved.filter(|(row, geometry)| self.spatial_index.shapes()[*row] != *geometry);
        let moved: Vec<_> = moved.collect();
        if !moved.is_empty() {
            let mut shapes = self.spatial_index.shapes().to_vec();
            for (row, shape) in moved {
                shapes[row] = shape;
            }
            chunk.spatial_index = Arc::new(SpatialIndex::index(shapes));
        }
        chunk
    }

    /// Ids of its features, in order.
    pub(super) fn ids(&self) -> &[FeatureId] {
        &self.ids
    }

    /// Number of features.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Its envelope; `None` without any geometry.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        self.spatial_index.envelope()
    }

    /// A feature by row number.
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

    /// Whether a shape is inside the envelope of the chunk; a missing shape always is.
    pub(super) fn reaches(&self, shape: Option<&Shape>) -> bool {
        let around = shape.and_then(|shape| Envelope::around(shape.geometry()));
        around.is_none_or(|around| self.envelope().is_some_and(|own| own.union(&around) == *own))
    }

    /// The rows with a greater id, ascending.
    pub fn rows_after<'a>(&'a self, after: Option<&FeatureId>) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let start = after.map_or(0, |after| self.ids.partition_point(|id| id <= after));
        (start..self.len()).map(|row| self.row(row))
    }

    /// The rows with a smaller id, descending.
    pub fn rows_before<'a>(&'a self, before: &FeatureId) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let end = self.ids.partition_point(|id| id < before);
        (0..end).rev().map(|row| self.row(row))
    }

    /// The rows whose envelope intersects this one, which may cross the antimeridian; each once, unordered.
    pub fn rows_in<'a>(&'a self, envelope: &Envelope) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let mut halves = envelope.split();
        let first = halves.next().unwrap_or(*envelope);
        // A feature in both halves is returned once.
        let others = halves.next().map(|half| self.spatial_index.rows_in(&half)).into_iter().flatten();
        let others = others.map(|row| self.row(row)).filter(move |row| !row.touches(&first));
        self.spatial_index.rows_in(&first).map(|row| self.row(row)).chain(others)
    }

    /// The rows without a geometry, ascending by id.
    pub fn rows_without_place(&self) -> impl Iterator<Item = Row<'_>> {
        self.spatial_index.without_place().iter().map(|row| self.row(*row as usize))
    }

    /// Its box in earth-centred coordinates; `None` without any geometry.
    #[must_use]
    pub fn bounds(&self) -> Option<&EcefBox> {
        self.spatial_index.bounds()
    }

    /// Its blocks of neighbouring features by number, each with its box.
    pub fn blocks(&self) -> impl Iterator<Item = (usize, &EcefBox)> {
        self.spatial_index.blocks().iter().map(|block| &block.bounds).enumerate()
    }

    /// The row of each part of a feature in a block, and a box around the part.
    pub fn block_rows(&self, block: usize) -> impl Iterator<Item = (usize, EcefBox)> {
        let places = self.spatial_index.places(&self.spatial_index.blocks()[block]);
        places.iter().map(|place| (place.row(), place.bounds()))
    }

    /// Summary of the resources of features with a geometry.
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

/// A chunk or one of its blocks.
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

    /// Its box; `None` without any geometry.
    #[must_use]
    pub fn envelope(&self) -> Option<&'a Envelope> {
        self.chunk.envelope()
    }

    /// Upper bound of the resources of each of its features with a geometry.
    #[must_use]
    pub fn supply(&self, resources: &ResourceFields) -> &'a SupplySummary {
        self.chunk.resources(resources).supply(self.block)
    }
}

/// A feature of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    chunk: &'a Chunk,
    row: usize,
}

impl<'a> Row<'a> {
    /// The whole or real number of a field, by its position; `None` if it is unknown or no number.
    #[must_use]
    pub fn real(&self, field: usize) -> Option<f64> {
        match self.cell(field) {
            #[expect(clippy::cast_precision_loss, reason = "readings, distances and counts are far below 2^53")]
            ValueRef::Integer(number) => Some(number as f64),
            ValueRef::Real(number) => Some(number),
            _ => None,
        }
    }

    /// Its chunk.
    #[must_use]
    pub fn chunk(&self) -> &'a Chunk {
        self.chunk
    }

    /// Its row number.
    #[must_use]
    pub fn number(&self) -> usize {
        self.row
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &'a FeatureId {
        &self.chunk.ids[self.row]
    }

    /// Its geometry.
    #[must_use]
    pub fn shape(&self) -> Option<&'a Shape> {
        self.chunk.spatial_index.shapes()[self.row].as_ref()
    }

    pub(super) fn vertex_zooms(&self) -> Option<&'a [u8]> {
        self.chunk.spatial_index.vertex_zooms(self.row)
    }

    /// Where its name is drawn, longitude and latitude in degrees: inside an area, or the middle of a line; `None` for
    /// points.
    #[must_use]
    pub fn label_point(&self) -> Option<geo::Coord> {
        self.chunk.spatial_index.label_point(self.row)
    }

    /// Its area, km²; 0 for points and lines.
    #[must_use]
    pub fn area_km2(&self) -> f64 {
        f64::from(self.chunk.spatial_index.area_km2(self.row))
    }

    fn touches(&self, envelope: &Envelope) -> bool {
        let own = self.shape().and_then(|shape| Envelope::around(shape.geometry()));
        own.is_some_and(|own| own.intersects(envelope))
    }

    /// The value of a field by index in the schema.
    #[must_use]
    pub fn value(&self, field: usize) -> Value {
        self.chunk.columns[field].get(self.row)
    }

    /// The borrowed value of a field by index in the schema.
    #[must_use]
    pub fn cell(&self, field: usize) -> ValueRef<'a> {
        self.chunk.columns[field].cell(self.row)
    }

    /// The fingerprint of its state, sensitive values included, without the fields that the schema reserves.
    #[must_use]
    pub fn fingerprint(&self, schema: &LayerSchema, key: &FingerprintKey) -> Fingerprint {
        key.fingerprint_without(&schema.reserved_fields(), &self.to_feature())
    }

    /// The feature, owned.
    #[must_use]
    pub fn to_feature(&self) -> Feature {
        let values = (0..self.chunk.columns.len()).map(|field| self.value(field)).collect();
        Feature { id: self.id().clone(), geometry: self.shape().cloned(), values }
    }
}
