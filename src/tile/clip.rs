//! Geometry into the integers of one tile: project, clip to the tile and its buffer, snap, wind.

use geo::{Coord, Geometry, LineString, Polygon};

use super::TileAddress;

/// Units along a tile's side.
pub(super) const EXTENT: f64 = 4096.0;
/// How far beyond its edge a tile draws lines and areas, in units, so that borders do not show.
pub(super) const BUFFER_UNITS: f64 = 64.0;

/// A position in units of the tile, x east, y south.
pub(super) type TilePoint = (i32, i32);

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TileGeometry {
    Points(Vec<TilePoint>),
    Lines(Vec<Vec<TilePoint>>),
    /// Rings without the closing position: exterior clockwise on screen, each followed by its interiors counter-clockwise.
    Areas(Vec<Vec<TilePoint>>),
}

/// Draws a geometry into a tile; `None` when nothing of it is there. Points beyond the tile's own
/// edge belong to the neighbour, so that each point is in one tile of a zoom.
pub(super) fn project(geometry: &Geometry, address: TileAddress) -> Option<TileGeometry> {
    let to_units = |coord: Coord| {
        let (x, y) = address.fraction(coord.x, coord.y);
        Coord { x: x * EXTENT, y: y * EXTENT }
    };
    let path = |line: &LineString| line.coords().map(|coord| to_units(*coord)).collect::<Vec<_>>();
    match geometry {
        Geometry::Point(point) => points([point.0].into_iter().map(to_units), address),
        Geometry::MultiPoint(all) => points(all.iter().map(|point| to_units(point.0)), address),
        Geometry::LineString(line) => lines([path(line)].into_iter()),
        Geometry::MultiLineString(all) => lines(all.iter().map(path)),
        Geometry::Polygon(polygon) => areas([polygon].into_iter(), path),
        Geometry::MultiPolygon(all) => areas(all.iter(), path),
        Geometry::Line(_) | Geometry::Rect(_) | Geometry::Triangle(_) | Geometry::GeometryCollection(_) => None,
    }
}

fn points(all: impl Iterator<Item = Coord>, address: TileAddress) -> Option<TileGeometry> {
    // The east and south edge belong to the neighbour, but at the end of the world there is none.
    let (last_column, last_row) = address.is_last();
    let inside = |value: f64, last: bool| value >= 0.0 && (value < EXTENT || (last && value <= EXTENT));
    let cells: Vec<TilePoint> =
        all.filter(|at| inside(at.x, last_column) && inside(at.y, last_row)).map(snap).collect();
    (!cells.is_empty()).then_some(TileGeometry::Points(cells))
}

fn lines(paths: impl Iterator<Item = Vec<Coord>>) -> Option<TileGeometry> {
    let mut drawn = Vec::new();
    for path in paths {
        for piece in clip_line(&path) {
            let cells = snap_path(&piece);
            if cells.len() >= 2 {
                drawn.push(cells);
            }
        }
    }
    (!drawn.is_empty()).then_some(TileGeometry::Lines(drawn))
}

fn areas<'a>(
    polygons: impl Iterator<Item = &'a Polygon>,
    path: impl Fn(&LineString) -> Vec<Coord>,
) -> Option<TileGeometry> {
    let mut rings = Vec::new();
    for polygon in polygons {
        let Some(exterior) = ring(path(polygon.exterior()), true) else { continue };
        rings.push(exterior);
        rings.extend(polygon.interiors().iter().filter_map(|interior| ring(path(interior), false)));
    }
    (!rings.is_empty()).then_some(TileGeometry::Areas(rings))
}

/// Clips, snaps and winds a ring; `None` when no area of it is left.
fn ring(path: Vec<Coord>, clockwise: bool) -> Option<Vec<TilePoint>> {
    let mut cells = snap_path(&clip_ring(path));
    if cells.first() == cells.last() {
        cells.pop();
    }
    if cells.len() < 3 {
        return None;
    }
    let area = doubled_area(&cells);
    if area == 0 {
        return None;
    }
    // With y southward a positive area is clockwise on screen, which is the exterior's winding.
    if (area > 0) != clockwise {
        cells.reverse();
    }
    Some(cells)
}

fn doubled_area(ring: &[TilePoint]) -> i64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1)).sum()
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

/// The four half planes of the tile and its buffer: distance of a position from the edge, positive inside.
const EDGES: [fn(Coord) -> f64; 4] = [
    |at| at.x + BUFFER_UNITS,
    |at| EXTENT + BUFFER_UNITS - at.x,
    |at| at.y + BUFFER_UNITS,
    |at| EXTENT + BUFFER_UNITS - at.y,
];

fn between(a: Coord, b: Coord, inside_a: f64, inside_b: f64) -> Coord {
    a + (b - a) * (inside_a / (inside_a - inside_b))
}

/// Pieces of a line inside the tile and its buffer (Liang and Barsky's interval on each segment).
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

/// A ring cut at each edge in turn (Sutherland and Hodgman).
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
