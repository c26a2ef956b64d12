//! Line simplification for all zooms at once: the first zoom that needs each vertex of a line or an area.
//!
//! Douglas and Peucker (The Canadian Cartographer 10(2), 1973), computed once with the tolerance at which each vertex is
//! removed, so that a zoom selects vertices by one comparison. A border shared by two areas is split at its junctions
//! with other borders, and each arc is simplified in one canonical direction, so that both areas keep the same vertices.

use std::collections::{HashMap, HashSet};

use geo::{Coord, Geometry, LineString, Polygon};

use crate::geodesy::plane::{Datum, Plane, Projection};

/// The Web Mercator zoom from which on every vertex is drawn.
pub const FULL_DETAIL_ZOOM: u8 = 15;
/// Largest distance of a simplified outline from the true one, as a fraction of a tile's side: one unit of a tile.
const TOLERANCE: f64 = 1.0 / 4096.0;
const PLANE: Plane = Plane { projection: Projection::WebMercator, datum: Datum::Wgs84 };

/// For each vertex of a line or an area, in order, the first Web Mercator zoom that needs it.
pub(super) type VertexZooms = Box<[u8]>;

/// Bits of a vertex in degrees, for comparison and hashing.
type VertexKey = (u64, u64);

fn vertex_key(at: Coord) -> VertexKey {
    // Adding zero turns -0 into 0.
    ((at.x + 0.0).to_bits(), (at.y + 0.0).to_bits())
}

/// Vertices where borders of areas meet.
pub(super) struct Junctions(HashSet<VertexKey>);

impl Junctions {
    /// The vertices whose neighbours differ between two areas.
    pub(super) fn of<'a>(shapes: impl Iterator<Item = &'a Geometry>) -> Self {
        let mut neighbours: HashMap<VertexKey, (VertexKey, VertexKey)> = HashMap::new();
        let mut meeting = HashSet::new();
        for ring in shapes.flat_map(polygons).flat_map(rings) {
            let open = &ring.0[..ring.0.len().saturating_sub(1)];
            for (at, coord) in open.iter().enumerate() {
                let before = vertex_key(open[(at + open.len() - 1) % open.len()]);
                let after = vertex_key(open[(at + 1) % open.len()]);
                let own = (before.min(after), before.max(after));
                let first = *neighbours.entry(vertex_key(*coord)).or_insert(own);
                if first != own {
                    meeting.insert(vertex_key(*coord));
                }
            }
        }
        Self(meeting)
    }
}

/// Ranks the vertices of a shape; `junctions` are drawn at all zooms.
pub(super) fn vertex_zooms(shape: &Geometry, junctions: Option<&Junctions>) -> VertexZooms {
    let mut tolerances = Vec::new();
    match shape {
        Geometry::LineString(line) => path(line, &mut tolerances),
        Geometry::MultiLineString(lines) => lines.iter().for_each(|line| path(line, &mut tolerances)),
        other => {
            polygons(other).flat_map(rings).for_each(|own| ring(own, junctions, &mut tolerances));
        }
    }
    tolerances.into_iter().map(first_zoom).collect()
}

fn polygons(shape: &Geometry) -> impl Iterator<Item = &Polygon> {
    let (one, many) = match shape {
        Geometry::Polygon(one) => (Some(one), [].iter()),
        Geometry::MultiPolygon(many) => (None, many.0.iter()),
        _ => (None, [].iter()),
    };
    one.into_iter().chain(many)
}

fn rings(polygon: &Polygon) -> impl Iterator<Item = &LineString> {
    std::iter::once(polygon.exterior()).chain(polygon.interiors())
}

/// The first zoom at which a distance, as a fraction of the world, exceeds the tolerance.
fn first_zoom(distance: f64) -> u8 {
    let zooms = (TOLERANCE / distance).log2();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0..=15")]
    let zoom = zooms.ceil().clamp(0.0, f64::from(FULL_DETAIL_ZOOM)) as u8;
    zoom
}

fn projected(line: &LineString) -> Vec<Coord> {
    line.coords().map(|at| PLANE.fraction(at.x, at.y).into()).collect()
}

fn path(line: &LineString, tolerances: &mut Vec<f64>) {
    let coords = projected(line);
    let mut own = vec![f64::INFINITY; coords.len()];
    simplify(&coords, &(0..coords.len()).collect::<Vec<_>>(), &mut own);
    tolerances.append(&mut own);
}

fn ring(ring: &LineString, junctions: Option<&Junctions>, tolerances: &mut Vec<f64>) {
    let coords = projected(ring);
    let count = coords.len().saturating_sub(1);
    let mut own = vec![f64::INFINITY; coords.len()];
    let is_junction = |at: &usize| junctions.is_some_and(|junctions| junctions.0.contains(&vertex_key(ring.0[*at])));
    let mut fixed: Vec<usize> = (0..count).filter(is_junction).collect();
    if fixed.is_empty() {
        // The same vertex wherever the ring starts.
        fixed.extend((0..count).min_by(|&a, &b| order(coords[a], coords[b])));
    }
    for (nth, &from) in fixed.iter().enumerate() {
        let to = fixed.get(nth + 1).map_or(fixed[0] + count, |to| *to);
        let mut arc: Vec<usize> = (from..=to).map(|at| at % count).collect();
        // The canonical direction is the one whose vertices come first in order.
        let forward = arc.iter().map(|&at| coords[at]);
        let backward = arc.iter().rev().map(|&at| coords[at]);
        let differs = forward.zip(backward).map(|(a, b)| order(a, b)).find(|order| order.is_ne());
        if differs == Some(std::cmp::Ordering::Greater) {
            arc.reverse();
        }
        simplify(&coords, &arc, &mut own);
    }
    if count > 0 {
        own[count] = own[0];
    }
    tolerances.append(&mut own);
}

fn order(a: Coord, b: Coord) -> std::cmp::Ordering {
    a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y))
}

/// Finds the tolerance at which each vertex between the first and the last of an arc is removed.
fn simplify(coords: &[Coord], arc: &[usize], tolerances: &mut [f64]) {
    let mut open = vec![(0, arc.len().saturating_sub(1), f64::INFINITY)];
    while let Some((first, last, limit)) = open.pop() {
        let (a, b) = (coords[arc[first]], coords[arc[last]]);
        let between = (first + 1..last).map(|at| (at, distance_2(coords[arc[at]], a, b)));
        let Some((farthest, distance_2)) = between.max_by(|one, other| one.1.total_cmp(&other.1)) else { continue };
        // A vertex is never kept longer than the one that split its arc.
        let distance = distance_2.sqrt().min(limit);
        tolerances[arc[farthest]] = distance;
        open.push((first, farthest, distance));
        open.push((farthest, last, distance));
    }
}

/// Squared distance of a position from a segment.
fn distance_2(at: Coord, a: Coord, b: Coord) -> f64 {
    let (along, off) = (b - a, at - a);
    let length_2 = along.x * along.x + along.y * along.y;
    let fraction = if length_2 > 0.0 { ((off.x * along.x + off.y * along.y) / length_2).clamp(0.0, 1.0) } else { 0.0 };
    let gap = off - along * fraction;
    gap.x * gap.x + gap.y * gap.y
}

#[cfg(test)]
mod tests {
    use geo::{line_string, polygon};

    use super::*;

    #[test]
    fn a_bend_is_drawn_once_it_is_one_unit_deep() {
        // One degree is 1/360 of the world; the bend in the middle is 0.001 degrees deep.
        let line = line_string![(x: 118.0, y: 0.0), (x: 118.5, y: 0.001), (x: 119.0, y: 0.0)];
        let unit = |zoom: i32| 360.0 / 4096.0 / 2_f64.powi(zoom);
        let own = vertex_zooms(&line.into(), None);
        assert_eq!((own[0], own[2]), (0, 0));
        let zoom = i32::from(own[1]);
        assert!(unit(zoom) <= 0.001 && unit(zoom - 1) > 0.001, "{zoom}");
    }

    #[test]
    fn neighbours_keep_the_same_vertices_of_their_border() {
        let wiggle: Vec<Coord> = (0..=200)
            .map(|step| Coord { x: 0.02 * (f64::from(step) * 0.7).sin(), y: f64::from(step) * 0.005 })
            .collect();
        let west = Polygon::new(
            wiggle.iter().copied().chain([Coord { x: -1.0, y: 1.0 }, Coord { x: -1.0, y: 0.0 }]).collect(),
            vec![],
        );
        let turned = wiggle.iter().rev().copied();
        let east = Polygon::new(
            [Coord { x: 1.0, y: 0.5 }, Coord { x: 1.0, y: 1.0 }]
                .into_iter()
                .chain(turned)
                .chain([Coord { x: 1.0, y: 0.0 }])
                .collect(),
            vec![],
        );
        let shapes: [Geometry; 3] =
            [west.into(), east.into(), polygon![(x: 5.0, y: 5.0), (x: 6.0, y: 5.0), (x: 6.0, y: 6.0)].into()];
        let junctions = Junctions::of(shapes.iter());
        let zooms = |shape: &Geometry| -> HashMap<VertexKey, u8> {
            let coords = geo::CoordsIter::coords_iter(shape).map(vertex_key);
            coords.zip(vertex_zooms(shape, Some(&junctions))).collect()
        };
        let (west, east) = (zooms(&shapes[0]), zooms(&shapes[1]));
        let border: Vec<(u8, u8)> = wiggle.iter().map(|at| (west[&vertex_key(*at)], east[&vertex_key(*at)])).collect();
        assert!(border.iter().all(|(west, east)| west == east), "{border:?}");
        let few = border.iter().filter(|(zoom, _)| *zoom <= 3).count();
        assert!((3..80).contains(&few), "{few} of 201 at zoom 3");
    }
}
