//! Projects geometry to the integer grid of a tile: select the vertices its zoom needs, clip to the tile and its
//! buffer, snap, wind.

use geo::{Coord, Geometry, LineString, Point, Polygon};

use super::TileAddress;
use super::validity::{clockwise, doubled_area, thin_areas, valid_areas};
use crate::geodesy::plane::GridPoint;

/// Units along a tile's side.
pub(super) const EXTENT: f64 = 4096.0;
/// Buffer around a tile in which lines and areas are drawn, in units, so that tile edges are invisible.
pub(super) const BUFFER_UNITS: f64 = 64.0;

/// A position in units of the tile, x east, y south.
pub(super) type TilePoint = (i32, i32);

/// A geometry in tile coordinates.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TileGeometry {
    Points(Vec<TilePoint>),
    Lines(Vec<Vec<TilePoint>>),
    /// Rings without the closing position: exterior clockwise on screen, each followed by its interiors counter-clockwise.
    Areas(Vec<Vec<TilePoint>>),
}

/// Projects a geometry to a tile; `None` if nothing of it is inside. `vertex_zooms` has the first zoom that needs each
/// vertex of a line or area; without it all vertices are used. A point beyond the edge of the tile belongs to the
/// neighbouring tile, so each point is in one tile per zoom.
pub(super) fn project(geometry: &Geometry, vertex_zooms: Option<&[u8]>, address: TileAddress) -> Option<TileGeometry> {
    let mut vertices = VertexFilter { zooms: vertex_zooms, address };
    match geometry {
        Geometry::Point(point) => points(std::iter::once(point), address),
        Geometry::MultiPoint(all) => points(all.iter(), address),
        Geometry::LineString(line) => lines(std::iter::once(line), &mut vertices),
        Geometry::MultiLineString(all) => lines(all.iter(), &mut vertices),
        Geometry::Polygon(polygon) => areas(std::iter::once(polygon), &mut vertices),
        Geometry::MultiPolygon(all) => areas(all.iter(), &mut vertices),
        Geometry::Line(_) | Geometry::Rect(_) | Geometry::Triangle(_) | Geometry::GeometryCollection(_) => None,
    }
}

/// Projects a grid point, if it is in the tile.
pub(super) fn project_grid_point(point: GridPoint, address: TileAddress) -> Option<TileGeometry> {
    Some(TileGeometry::Points(vec![cell_of(point, address)?]))
}

fn cell_of(point: GridPoint, address: TileAddress) -> Option<TilePoint> {
    let (x, y) = address.fraction_of(point)?;
    Some(snap(Coord { x: x * EXTENT, y: y * EXTENT }))
}

/// Projects the paths of a geometry to tile units, without vertices that its zoom does not need.
struct VertexFilter<'a> {
    zooms: Option<&'a [u8]>,
    address: TileAddress,
}

impl VertexFilter<'_> {
    fn path(&mut self, line: &LineString) -> Vec<Coord> {
        let to_units = |coord: &Coord| {
            let (x, y) = self.address.fraction(coord.x, coord.y);
            Coord { x: x * EXTENT, y: y * EXTENT }
        };
        let Some((own, rest)) = self.zooms.and_then(|zooms| zooms.split_at_checked(line.0.len())) else {
            return line.coords().map(to_units).collect();
        };
        self.zooms = Some(rest);
        let zoom = self.address.mercator_zoom();
        line.coords().zip(own).filter(|(_, first_zoom)| **first_zoom <= zoom).map(|(at, _)| to_units(at)).collect()
    }

    /// Projects a ring; it closes even if its first vertex is not needed.
    fn ring(&mut self, line: &LineString) -> Vec<Coord> {
        let mut path = self.path(line);
        if let Some(&first) = path.first()
            && (path.len() == 1 || path.last() != Some(&first))
        {
            path.push(first);
        }
        path
    }
}

fn points<'a>(all: impl Iterator<Item = &'a Point>, address: TileAddress) -> Option<TileGeometry> {
    let cell = |point: &Point| cell_of(address.plane().grid_point(point.x(), point.y()), address);
    let cells: Vec<TilePoint> = all.filter_map(cell).collect();
    (!cells.is_empty()).then_some(TileGeometry::Points(cells))
}

fn lines<'a>(all: impl Iterator<Item = &'a LineString>, vertices: &mut VertexFilter<'_>) -> Option<TileGeometry> {
    let mut drawn = Vec::new();
    let mut collapsed = None;
    for line in all {
        for piece in clip_line(&vertices.path(line)) {
            let cells = snap_path(&piece);
            if cells.len() >= 2 {
                drawn.push(cells);
            } else {
                collapsed = collapsed.or(cells.first().copied());
            }
        }
    }
    if drawn.is_empty() {
        // A line shorter than a unit is extended to one unit.
        drawn.extend(collapsed.map(|(x, y)| vec![(x, y), (x + 1, y)]));
    }
    (!drawn.is_empty()).then_some(TileGeometry::Lines(drawn))
}

fn areas<'a>(polygons: impl Iterator<Item = &'a Polygon>, vertices: &mut VertexFilter<'_>) -> Option<TileGeometry> {
    let mut rings = Vec::new();
    let mut thin = Vec::new();
    for polygon in polygons {
        let outline = vertices.ring(polygon.exterior());
        let interiors: Vec<Vec<Coord>> = polygon.interiors().iter().map(|interior| vertices.ring(interior)).collect();
        if is_thin(&outline) {
            thin.extend(clip_line(&outline).iter().map(|piece| snap_path(piece)));
        }
        let Some(exterior) = ring(&clip_ring(outline), true) else { continue };
        rings.push(exterior);
        rings.extend(interiors.into_iter().filter_map(|interior| ring(&clip_ring(interior), false)));
    }
    let mut areas = valid_areas(rings);
    if areas.is_empty() {
        areas = thin_areas(&thin);
    }
    (!areas.is_empty()).then_some(TileGeometry::Areas(areas))
}

/// Whether a ring is less than a unit wide on average.
fn is_thin(ring: &[Coord]) -> bool {
    let Some(&origin) = ring.first() else { return false };
    let doubled: f64 =
        ring.windows(2).map(|pair| (pair[0] - origin, pair[1] - origin)).map(|(a, b)| a.x * b.y - b.x * a.y).sum();
    let side = |of: fn(Coord) -> f64| ring.iter().map(|at| of(*at - origin).abs()).fold(1.0, f64::max);
    doubled.abs() < 2.0 * side(|at| at.x).max(side(|at| at.y))
}

/// Snaps and orients a ring; `None` if it has no area left.
fn ring(path: &[Coord], is_exterior: bool) -> Option<Vec<TilePoint>> {
    let mut cells = snap_path(path);
    if cells.first() == cells.last() {
        cells.pop();
    }
    (cells.len() >= 3 && doubled_area(&cells) != 0).then(|| clockwise(cells, is_exterior))
}

#[expect(clippy::cast_possible_truncation, reason = "clipped to the tile and its buffer")]
fn snap(at: Coord) -> TilePoint {
    (at.x.round() as i32, at.y.round() as i32)
}

fn snap_path(path: &[Coord]) -> Vec<TilePoint> {
    let mut cells: Vec<TilePoint> = path.iter().copied().map(snap).collect();
    cells.dedup();
    cells
}

/// The four half planes of the tile with its buffer: signed distance from the edge, positive inside.
const EDGES: [fn(Coord) -> f64; 4] = [
    |at| at.x + BUFFER_UNITS,
    |at| EXTENT + BUFFER_UNITS - at.x,
    |at| at.y + BUFFER_UNITS,
    |at| EXTENT + BUFFER_UNITS - at.y,
];

fn between(a: Coord, b: Coord, inside_a: f64, inside_b: f64) -> Coord {
    a + (b - a) * (inside_a / (inside_a - inside_b))
}

/// The parts of a line inside the tile with its buffer (Liang and Barsky's interval on each segment).
fn clip_line(path: &[Coord]) -> Vec<Vec<Coord>> {
    let mut pieces: Vec<Vec<Coord>> = Vec::new();
    let mut joined = false;
    for segment in path.windows(2) {
        let Some((from, to, whole_end)) = clip_segment(segment[0], segment[1]) else {
            joined = false;
            continue;
        };
        match pieces.last_mut() {
            Some(piece) if joined => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
        joined = whole_end;
    }
    pieces
}

/// The inside part of a segment, and whether it keeps the segment's end.
fn clip_segment(a: Coord, b: Coord) -> Option<(Coord, Coord, bool)> {
    let (mut start, mut end) = (0.0_f64, 1.0_f64);
    for edge in EDGES {
        let (inside_a, inside_b) = (edge(a), edge(b));
        if inside_a < 0.0 && inside_b < 0.0 {
            return None;
        }
        if inside_a < 0.0 {
            start = start.max(inside_a / (inside_a - inside_b));
        } else if inside_b < 0.0 {
            end = end.min(inside_a / (inside_a - inside_b));
        }
    }
    (start <= end).then(|| (a + (b - a) * start, a + (b - a) * end, end >= 1.0))
}

/// Clips a ring at each edge in turn (Sutherland and Hodgman).
fn clip_ring(ring: Vec<Coord>) -> Vec<Coord> {
    let mut ring = ring;
    if ring.iter().all(|at| EDGES.iter().all(|edge| edge(*at) >= 0.0)) {
        return ring;
    }
    for edge in EDGES {
        let Some(&last) = ring.last() else { break };
        let mut kept = Vec::with_capacity(ring.len() + 4);
        let mut before = last;
        for &at in &ring {
            let (inside_before, inside_at) = (edge(before), edge(at));
            if (inside_before < 0.0) != (inside_at < 0.0) {
                kept.push(between(before, at, inside_before, inside_at));
            }
            if inside_at >= 0.0 {
                kept.push(at);
            }
            before = at;
        }
        ring = kept;
    }
    ring
}
