//! Spatial index of a chunk: boxes in earth-centred coordinates, grouped in blocks of neighbours, and an R-tree of
//! envelopes.

use std::sync::OnceLock;

use geo::{Area, Coord};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{RTree, RTreeObject};

use super::label_point::label_point;
use super::vertex_zooms::{VertexZooms, vertex_zooms};
use crate::geodesy::ecef::{CompactEcefBox, EcefBox, ecef};
use crate::geodesy::plane::EQUATOR_KM;
use crate::geodesy::{Envelope, LonLat};
use crate::model::Shape;

/// Maximum number of parts in a block. A chunk of 2,048 features has at least 64 blocks, and a search opens only the
/// near ones.
const BLOCK: usize = 32;

/// A part of a feature.
#[derive(Clone, Debug)]
pub(super) struct IndexedPart {
    bounds: CompactEcefBox,
    /// The row that the part belongs to.
    row: u32,
}

impl IndexedPart {
    /// A box around it.
    pub(super) fn bounds(&self) -> EcefBox {
        self.bounds.to_box()
    }

    pub(super) fn row(&self) -> usize {
        self.row as usize
    }
}

/// An R-tree of envelopes in degrees.
type EnvelopeTree = RTree<GeomWithData<Rectangle<[f64; 2]>, u32>>;

/// An index of rows by envelope.
#[derive(Debug)]
enum EnvelopeIndex {
    /// Of blocks: each row is one point, so a block has all there is of its rows, and comparing its points costs less
    /// memory than a tree of them.
    Points(EnvelopeTree),
    /// Of rows.
    Rows(EnvelopeTree),
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
    envelopes: EnvelopeIndex,
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
        let mut boxes: Vec<(EcefBox, u32)> =
            located().flat_map(|(row, shape)| parts(shape).into_iter().map(move |bounds| (bounds, row))).collect();
        let mut blocks = Vec::with_capacity(boxes.len().div_ceil(BLOCK));
        divide(&mut boxes, 0, &mut blocks);
        let place = |(bounds, row): &(EcefBox, u32)| IndexedPart { bounds: CompactEcefBox::around(bounds), row: *row };
        let places: Vec<IndexedPart> = boxes.iter().map(place).collect();
        let envelope = located().filter_map(|(_, shape)| Envelope::around(shape.geometry())).reduce(|a, b| a.union(&b));
        let envelopes = EnvelopeIndex::of(&shapes, &places, &blocks);
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
        let (tree, is_of_blocks) = match &self.envelopes {
            EnvelopeIndex::Points(tree) => (tree, true),
            EnvelopeIndex::Rows(tree) => (tree, false),
        };
        let found = near.then(|| tree.locate_in_envelope_intersecting(rectangle(envelope).envelope()));
        let found = found.into_iter().flatten().map(|entry| entry.data as usize);
        let envelope = *envelope;
        let is_inside = move |row: &usize| {
            let own = self.shapes[*row].as_ref().and_then(|shape| Envelope::around(shape.geometry()));
            own.is_some_and(|own| own.intersects(&envelope))
        };
        let rows_of = move |number: usize| {
            let points = if is_of_blocks { self.places(&self.blocks[number]) } else { &[] };
            let points = points.iter().map(|place| place.row as usize).filter(is_inside);
            points.chain((!is_of_blocks).then_some(number))
        };
        found.flat_map(rows_of)
    }
}

impl EnvelopeIndex {
    fn of(shapes: &[Option<Shape>], places: &[IndexedPart], blocks: &[Block]) -> Self {
        let around = |row: u32| Envelope::around(shapes[row as usize].as_ref()?.geometry());
        let tree = |envelopes: &mut dyn Iterator<Item = (Option<Envelope>, u32)>| {
            let known = envelopes.filter_map(|(envelope, at)| Some(GeomWithData::new(rectangle(&envelope?), at)));
            RTree::bulk_load(known.collect())
        };
        if shapes.iter().flatten().all(|shape| matches!(shape.geometry(), geo::Geometry::Point(_))) {
            let block = |(at, block): (u32, &Block)| {
                let own = places[block.first as usize..block.end as usize].iter().filter_map(|place| around(place.row));
                (own.reduce(|a, b| a.union(&b)), at)
            };
            Self::Points(tree(&mut (0u32..).zip(blocks).map(block)))
        } else {
            Self::Rows(tree(&mut (0u32..).zip(shapes).map(|(row, _)| (around(row), row))))
        }
    }
}

/// Bisects along the widest axis until each part is a block.
fn divide(places: &mut [(EcefBox, u32)], first: usize, blocks: &mut Vec<Block>) {
    let Some(bounds) = EcefBox::around(places.iter().map(|(bounds, _)| *bounds)) else { return };
    if places.len() <= BLOCK {
        #[expect(clippy::cast_possible_truncation, reason = "a chunk has a few thousand rows of bounded size")]
        blocks.push(Block { bounds, first: first as u32, end: (first + places.len()) as u32 });
        return;
    }
    let axis = bounds.widest_axis();
    // Fills blocks on the left, so that few are half empty.
    let middle = (places.len() / 2).next_multiple_of(BLOCK);
    places.select_nth_unstable_by(middle, |a, b| a.0.middle(axis).total_cmp(&b.0.middle(axis)));
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
