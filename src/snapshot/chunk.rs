//! A few thousand neighbouring features: columns, shapes, and an R-tree each for envelopes and distances.

use std::sync::{Arc, OnceLock};

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, PointDistance, RTree, RTreeObject};

use super::column::{Cell, Column};
use super::offers::{ChunkOffers, Offers};
use crate::geodesy::distance::{Ecef, ecef, ecef_box};
use crate::geodesy::{Envelope, LonLat};
use crate::model::{Feature, FeatureId, LayerSchema, Shape, Value};

/// Rows are sorted by id. A chunk and the one that follows it share what did not change.
#[derive(Clone, Debug)]
pub struct Chunk {
    ids: Arc<[FeatureId]>,
    columns: Vec<Arc<Column>>,
    whereabouts: Arc<Whereabouts>,
    /// Counted when first asked for.
    offers: OnceLock<Arc<ChunkOffers>>,
}

/// Where the rows are.
#[derive(Debug)]
struct Whereabouts {
    shapes: Vec<Option<Shape>>,
    /// Envelopes in degrees.
    envelopes: RTree<GeomWithData<Rectangle<[f64; 2]>, u32>>,
    /// Earth-centred boxes, one for each part of a shape.
    places: RTree<Place>,
    envelope: Option<Envelope>,
}

/// Where a part of a feature is, as an earth-centred box in metres; a point is a box without extent.
#[derive(Clone, Debug)]
pub struct Place {
    low: Ecef,
    high: Ecef,
    row: u32,
}

impl Place {
    /// The row of the chunk that the part belongs to.
    #[must_use]
    pub fn row(&self) -> usize {
        self.row as usize
    }
}

impl RTreeObject for Place {
    type Envelope = AABB<Ecef>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_corners(self.low, self.high)
    }
}

impl PointDistance for Place {
    fn distance_2(&self, point: &Ecef) -> f64 {
        self.envelope().distance_2(point)
    }
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
            whereabouts: Arc::new(Whereabouts::index(shapes)),
            offers: OnceLock::new(),
        }
    }

    /// The chunk with other values in some rows, which keep their ids.
    pub(super) fn with_rows(&self, rows: Vec<(usize, Feature)>) -> Self {
        let mut chunk = Self { offers: OnceLock::new(), ..self.clone() };
        let mut moved = Vec::new();
        for (row, feature) in rows {
            for (column, value) in chunk.columns.iter_mut().zip(feature.values) {
                if column.get(row) != value {
                    Arc::make_mut(column).set(row, value);
                }
            }
            if self.whereabouts.shapes[row] != feature.geometry {
                moved.push((row, feature.geometry));
            }
        }
        if !moved.is_empty() {
            let mut shapes = self.whereabouts.shapes.clone();
            for (row, shape) in moved {
                shapes[row] = shape;
            }
            chunk.whereabouts = Arc::new(Whereabouts::index(shapes));
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
        self.whereabouts.envelope.as_ref()
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

    /// The rows whose envelope shares a point with this one, which must not cross the antimeridian; in no order.
    pub fn rows_in<'a>(&'a self, envelope: &Envelope) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let near = self.whereabouts.envelope.as_ref().is_some_and(|own| own.intersects(envelope));
        let found =
            near.then(|| self.whereabouts.envelopes.locate_in_envelope_intersecting(rectangle(envelope).envelope()));
        found.into_iter().flatten().map(|entry| self.row(entry.data as usize))
    }

    /// The rows whose envelope shares a point with this one, which may cross the antimeridian; in no order.
    pub fn rows_around<'a>(&'a self, envelope: &Envelope) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let mut halves = envelope.split();
        let first = halves.next().unwrap_or(*envelope);
        // A feature that reaches into both halves is answered once.
        let others = halves.next().map(|half| self.rows_in(&half)).into_iter().flatten();
        self.rows_in(&first).chain(others.filter(move |row| !row.touches(&first)))
    }

    /// The squared straight-line distance in metres that nothing in it is nearer than.
    #[must_use]
    pub fn chord_2(&self, from: Ecef) -> Option<f64> {
        let places = &self.whereabouts.places;
        (places.size() > 0).then(|| places.root().envelope().distance_2(&from))
    }

    /// Parts of features by growing straight-line distance, squared, metres squared.
    pub fn places_by_chord(&self, from: Ecef) -> impl Iterator<Item = (&Place, f64)> {
        self.whereabouts.places.nearest_neighbor_iter_with_distance_2(from)
    }

    /// What its features offer.
    #[must_use]
    pub fn offers(&self, offers: &Offers) -> &ChunkOffers {
        self.offers.get_or_init(|| Arc::new(ChunkOffers::of(self, offers)))
    }

    /// Ids, shapes and columns, as [`Self::assemble`] takes them.
    pub(super) fn parts(&self) -> (&[FeatureId], &[Option<Shape>], &[Arc<Column>]) {
        (&self.ids, &self.whereabouts.shapes, &self.columns)
    }

    pub(super) fn features(&self) -> impl Iterator<Item = Feature> + '_ {
        (0..self.len()).map(|row| self.row(row).to_feature())
    }
}

impl Whereabouts {
    fn index(shapes: Vec<Option<Shape>>) -> Self {
        let located = || (0u32..).zip(&shapes).filter_map(|(row, shape)| Some((row, shape.as_ref()?)));
        let boxes: Vec<(u32, Envelope)> =
            located().filter_map(|(row, shape)| Some((row, Envelope::around(shape.geometry())?))).collect();
        let places = located()
            .flat_map(|(row, shape)| places(shape).into_iter().map(move |(low, high)| Place { low, high, row }));
        let places = RTree::bulk_load(places.collect());
        let envelope = boxes.iter().map(|(_, envelope)| *envelope).reduce(|a, b| a.union(&b));
        let envelopes = RTree::bulk_load(
            boxes.into_iter().map(|(row, envelope)| GeomWithData::new(rectangle(&envelope), row)).collect(),
        );
        Self { shapes, envelopes, places, envelope }
    }
}

fn rectangle(envelope: &Envelope) -> Rectangle<[f64; 2]> {
    Rectangle::from_corners([envelope.west(), envelope.south()], [envelope.east(), envelope.north()])
}

/// Earth-centred boxes of the parts of a shape.
fn places(shape: &Shape) -> Vec<(Ecef, Ecef)> {
    use geo::Geometry;
    let around = |part: Geometry| Envelope::around(&part).map(|envelope| ecef_box(&envelope));
    match shape.geometry() {
        Geometry::Point(point) => exact(*point).into_iter().collect(),
        Geometry::MultiPoint(points) => points.iter().filter_map(|point| exact(*point)).collect(),
        Geometry::MultiLineString(lines) => lines.iter().filter_map(|line| around(line.clone().into())).collect(),
        Geometry::MultiPolygon(polygons) => polygons.iter().filter_map(|part| around(part.clone().into())).collect(),
        whole => around(whole.clone()).into_iter().collect(),
    }
}

fn exact(point: geo::Point) -> Option<(Ecef, Ecef)> {
    let at = ecef(LonLat::new(point.x(), point.y()).ok()?);
    Some((at, at))
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
        self.chunk.whereabouts.shapes[self.row].as_ref()
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
    pub fn cell(&self, field: usize) -> Cell<'a> {
        self.chunk.columns[field].cell(self.row)
    }

    /// A copy of the whole feature.
    #[must_use]
    pub fn to_feature(&self) -> Feature {
        let values = (0..self.chunk.columns.len()).map(|field| self.value(field)).collect();
        Feature { id: self.id().clone(), geometry: self.shape().cloned(), values }
    }
}
