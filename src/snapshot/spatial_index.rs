//! Spatial index of a chunk: an R-tree of envelopes, and boxes in earth-centred coordinates, grouped in blocks of
//! neighbours.

use std::sync::OnceLock;

use geo::{Area, Coord};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{RTree, RTreeObject};

use super::label_point::label_point;
use super::vertex_zooms::{VertexZooms, vertex_zooms};
use crate::geodesy::ecef::{EcefBox, ecef};
use crate::geodesy::plane::EQUATOR_KM;
use crate::geodesy::{Envelope, LonLat};
use crate::model::Shape;

/// Maximum number of parts in a block. A chunk of 2,048 features has at least 64 blocks, and a search opens only the
/// near ones.
const BLOCK: usize = 32;

/// The box of a part of a feature; a point has a box without extent.
#[derive(Clone, Debug)]
pub(super) struct IndexedPart {
    pub(super) bounds: EcefBox,
    /// The row that the part belongs to.
    pub(super) row: u32,
}

/// A block of neighbouring parts.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bounds: EcefBox,
    /// The range of parts.
    first: u32,
    end: u32,
}

/// Shapes of the rows with two indexes.
#[derive(Debug)]
pub(super) struct SpatialIndex {
    shapes: Vec<Option<Shape>>,
    /// Rows without a shape.
    without_place: Vec<u32>,
    /// Envelopes in degrees.
    envelopes: RTree<GeomWithData<Rectangle<[f64; 2]>, u32>>,
    /// One entry per part of a shape, block by block.
    places: Vec<IndexedPart>,
    blocks: Vec<Block>,
    bounds: Option<EcefBox>,
    envelope: Option<Envelope>,
    /// By row; computed when a line or area is first simplified.
    vertex_zooms: OnceLock<Box<[OnceLock<VertexZooms>]>>,
    /// By row; computed when the name of a line or area is first drawn.
    label_points: OnceLock<Box<[OnceLock<Option<Coord>>]>>,
    /// By row, km²; computed when they are first needed.
    areas_km2: OnceLock<Box<[f32]>>,
}

impl SpatialIndex {
    pub(super) fn index(shapes: Vec<Option<Shape>>) -> Self {
        let located = || (0u32..).zip(&shapes).filter_map(|(row, shape)| Some((row, shape.as_ref()?)));
        let boxes: Vec<(u32, Envelope)> =
            located().filter_map(|(row, shape)| Some((row, Envelope::around(shape.geometry())?))).collect();
        let mut places: Vec<IndexedPart> = located()
            .flat_map(|(row, shape)| parts(shape).into_iter().map(move |bounds| IndexedPart { bounds, row }))
            .collect();
        let mut blocks = Vec::with_capacity(places.len().div_ceil(BLOCK));
        divide(&mut places, 0, &mut blocks);
        let envelope = boxes.iter().map(|(_, envelope)| *envelope).reduce(|a, b| a.union(&b));
        let envelopes = RTree::bulk_load(
            boxes.into_iter().map(|(row, envelope)| GeomWithData::new(rectangle(&envelope), row)).collect(),
        );
        let bounds = EcefBox::around(blocks.iter().map(|block| block.bounds));
        let without_place = (0u32..).zip(&shapes).filter(|(_, shape)| shape.is_none()).map(|(row, _)| row).collect();
        Self {
            shapes,
            without_place,
            envelopes,
            places,
            blocks,
            bounds,
            envelope,
            vertex_zooms: OnceLock::new(),
            label_points: OnceLock::new(),
            areas_km2: OnceLock::new(),
        }
    }

    pub(super) fn shapes(&self) -> &[Option<Shape>] {
        &self.shapes
    }

    /// Rows without a shape, ascending.
    pub(super) fn without_place(&self) -> &[u32] {
        &self.without_place
    }

    /// For each vertex of a line or an area, the first zoom that needs it; `None` for anything else.
    pub(super) fn vertex_zooms(&self, row: usize) -> Option<&[u8]> {
        let shape = self.shapes[row].as_ref()?.geometry();
        if matches!(shape, geo::Geometry::Point(_) | geo::Geometry::MultiPoint(_)) {
            return None;
        }
        let rows = self.vertex_zooms.get_or_init(|| self.shapes.iter().map(|_| OnceLock::new()).collect());
        Some(rows[row].get_or_init(|| vertex_zooms(shape, None)))
    }

    /// Where the name of a line or an area is drawn, in degrees; `None` for anything else.
    pub(super) fn label_point(&self, row: usize) -> Option<Coord> {
        let shape = self.shapes[row].as_ref()?.geometry();
        let rows = self.label_points.get_or_init(|| self.shapes.iter().map(|_| OnceLock::new()).collect());
        *rows[row].get_or_init(|| label_point(shape))
    }

    /// Area on the sphere of Web Mercator, km², exact to a thousandth for areas smaller than a county; 0 for points and
    /// lines.
    pub(super) fn area_km2(&self, row: usize) -> f32 {
        let all =
            || self.shapes.iter().map(|shape| shape.as_ref().map_or(0.0, |shape| area_km2(shape.geometry()))).collect();
        self.areas_km2.get_or_init(all)[row]
    }

    /// The envelope in degrees; `None` without shapes.
    pub(super) fn envelope(&self) -> Option<&Envelope> {
        self.envelope.as_ref()
    }

    /// The box in earth-centred coordinates; `None` without shapes.
    pub(super) fn bounds(&self) -> Option<&EcefBox> {
        self.bounds.as_ref()
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(super) fn places(&self, block: &Block) -> &[IndexedPart] {
        &self.places[block.first as usize..block.end as usize]
    }

    /// The rows whose envelope intersects this one, which must not cross the antimeridian; unordered.
    pub(super) fn rows_in<'a>(&'a self, envelope: &Envelope) -> impl Iterator<Item = usize> + use<'a> {
        let near = self.envelope.as_ref().is_some_and(|own| own.intersects(envelope));
        let found = near.then(|| self.envelopes.locate_in_envelope_intersecting(rectangle(envelope).envelope()));
        found.into_iter().flatten().map(|entry| entry.data as usize)
    }
}

/// Bisects along the widest axis until each part is a block.
fn divide(places: &mut [IndexedPart], first: usize, blocks: &mut Vec<Block>) {
    let Some(bounds) = EcefBox::around(places.iter().map(|place| place.bounds)) else { return };
    if places.len() <= BLOCK {
        #[expect(clippy::cast_possible_truncation, reason = "a chunk has a few thousand rows of bounded size")]
        blocks.push(Block { bounds, first: first as u32, end: (first + places.len()) as u32 });
        return;
    }
    let axis = bounds.widest_axis();
    // Fills blocks on the left, so that few are half empty.
    let middle = (places.len() / 2).next_multiple_of(BLOCK);
    places.select_nth_unstable_by(middle, |a, b| a.bounds.middle(axis).total_cmp(&b.bounds.middle(axis)));
    let (left, right) = places.split_at_mut(middle);
    divide(left, first, blocks);
    divide(right, first + middle, blocks);
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits suffice for a sum of shares")]
fn area_km2(shape: &geo::Geometry) -> f32 {
    let Some(around) = Envelope::around(shape) else { return 0.0 };
    let km_per_degree = EQUATOR_KM / 360.0;
    let middle = f64::midpoint(around.south(), around.north()).to_radians();
    (shape.unsigned_area() * km_per_degree * km_per_degree * middle.cos()) as f32
}

fn rectangle(envelope: &Envelope) -> Rectangle<[f64; 2]> {
    Rectangle::from_corners([envelope.west(), envelope.south()], [envelope.east(), envelope.north()])
}

/// Earth-centred boxes of the parts of a shape.
fn parts(shape: &Shape) -> Vec<EcefBox> {
    use geo::Geometry;
    let around = |part: Geometry| Envelope::around(&part).map(|envelope| EcefBox::of_envelope(&envelope));
    match shape.geometry() {
        Geometry::Point(point) => exact(*point).into_iter().collect(),
        Geometry::MultiPoint(points) => points.iter().filter_map(|point| exact(*point)).collect(),
        Geometry::MultiLineString(lines) => lines.iter().filter_map(|line| around(line.clone().into())).collect(),
        Geometry::MultiPolygon(polygons) => polygons.iter().filter_map(|part| around(part.clone().into())).collect(),
        whole => around(whole.clone()).into_iter().collect(),
    }
}

fn exact(point: geo::Point) -> Option<EcefBox> {
    LonLat::new(point.x(), point.y()).ok().map(|at| EcefBox::of_place(ecef(at)))
}
