//! Validity of lines and areas by OGC 06-103r4, in O(n log n) for typical geometries.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use geo::algorithm::kernels::{Kernel, Orientation};
use geo::{Coord, GeoNum, Geometry, Line, LineString, Polygon};

use super::edge_index::{Edge, EdgeIndex, around};

/// Why a geometry is invalid.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// A line or a ring has too few distinct coordinates.
    #[error("a {0} has fewer than {1} distinct coordinates")]
    TooFewCoordinates(&'static str, usize),
    /// A ring intersects or touches itself.
    #[error("a ring crosses or touches itself at {0},{1}")]
    SelfIntersection(f64, f64),
    /// Two rings cross or overlap along an edge.
    #[error("two rings cross or share an edge at {0},{1}")]
    CrossingRings(f64, f64),
    /// A hole lies outside its area.
    #[error("a hole is not inside its area at {0},{1}")]
    HoleOutside(f64, f64),
    /// Two holes, or two areas of a multi-area, overlap.
    #[error("two holes or two areas overlap at {0},{1}")]
    Overlap(f64, f64),
}

/// Checks the rings of areas and the number of coordinates of lines.
///
/// # Errors
/// The first defect found.
pub fn check_validity(geometry: &Geometry) -> Result<(), Invalid> {
    match geometry {
        Geometry::LineString(line) => check_line(line),
        Geometry::MultiLineString(lines) => lines.iter().try_for_each(check_line),
        Geometry::Polygon(polygon) => check_areas(std::slice::from_ref(polygon)),
        Geometry::MultiPolygon(polygons) => check_areas(&polygons.0),
        Geometry::GeometryCollection(parts) => parts.iter().try_for_each(check_validity),
        _ => Ok(()),
    }
}

fn check_line(line: &LineString) -> Result<(), Invalid> {
    if line.lines().any(|edge| edge.start != edge.end) { Ok(()) } else { Err(Invalid::TooFewCoordinates("line", 2)) }
}

fn rings(polygon: &Polygon) -> impl Iterator<Item = &LineString> {
    std::iter::once(polygon.exterior()).chain(polygon.interiors())
}

/// Removes repeated coordinates, which would make edges without length.
fn without_repeats(ring: &LineString) -> Result<LineString, Invalid> {
    let mut coords = ring.0.clone();
    coords.dedup();
    if coords.len() < 4 { Err(Invalid::TooFewCoordinates("ring", 3)) } else { Ok(LineString(coords)) }
}

fn check_areas(polygons: &[Polygon]) -> Result<(), Invalid> {
    let clean = |polygon: &Polygon| {
        let mut rings = rings(polygon).map(without_repeats).collect::<Result<Vec<_>, _>>()?;
        let holes = rings.split_off(1);
        Ok(Polygon::new(rings.remove(0), holes))
    };
    let polygons: Vec<Polygon> = polygons.iter().map(clean).collect::<Result<_, _>>()?;
    check_edges(&EdgeIndex::new(geo::MultiPolygon(polygons.clone()).into()))?;
    for polygon in &polygons {
        check_holes(polygon)?;
    }
    check_apart(&polygons)
}

/// Checks that edges meet only at consecutive vertices of a ring, and where two rings touch at a point.
fn check_edges(index: &EdgeIndex) -> Result<(), Invalid> {
    for (at, edge) in index.edges().iter().enumerate() {
        let own = around(&edge.line);
        let mut fault = None;
        // Compares each pair once.
        let _ = index.visit_from(
            at + 1,
            |envelope| envelope.intersects(&own),
            |other| {
                if !around(&other.line).intersects(&own) {
                    return ControlFlow::Continue(());
                }
                fault = fault_of(edge, other);
                if fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        fault.map_or(Ok(()), Err)?;
    }
    Ok(())
}

fn fault_of(edge: &Edge, other: &Edge) -> Option<Invalid> {
    let (a, b) = (&edge.line, &other.line);
    let is_same = edge.path == other.path;
    match meeting(a, b) {
        Meeting::Apart => None,
        // Consecutive edges of a ring share a vertex.
        Meeting::Touch if !is_same || a.start == b.end || a.end == b.start => None,
        _ if is_same => Some(Invalid::SelfIntersection(a.start.x, a.start.y)),
        _ => Some(Invalid::CrossingRings(a.start.x, a.start.y)),
    }
}

enum Meeting {
    Apart,
    /// They share one point, an end of at least one of them.
    Touch,
    /// They cross in their interiors.
    Across,
    /// They overlap.
    Along,
}

fn meeting(a: &Line, b: &Line) -> Meeting {
    let sides = |line: &Line, other: &Line| {
        let side = |at: Coord| <f64 as GeoNum>::Ker::orient2d(line.start, line.end, at);
        (side(other.start), side(other.end))
    };
    let of_b = sides(a, b);
    if of_b == (Orientation::Collinear, Orientation::Collinear) {
        let along = |at: Coord| if a.delta().x.abs() > a.delta().y.abs() { at.x } else { at.y };
        let range = |line: &Line| {
            let (x, y) = (along(line.start), along(line.end));
            if x <= y { (x, y) } else { (y, x) }
        };
        let (own, their) = (range(a), range(b));
        let shared = own.1.min(their.1) - own.0.max(their.0);
        return match shared.total_cmp(&0.0) {
            Ordering::Less => Meeting::Apart,
            Ordering::Equal => Meeting::Touch,
            Ordering::Greater => Meeting::Along,
        };
    }
    if of_b.0 == of_b.1 {
        return Meeting::Apart;
    }
    let of_a = sides(b, a);
    if of_a.0 == of_a.1 {
        return Meeting::Apart;
    }
    let ends = [of_a.0, of_a.1, of_b.0, of_b.1];
    if ends.contains(&Orientation::Collinear) { Meeting::Touch } else { Meeting::Across }
}

/// Vertices and edge midpoints of a ring.
fn samples(ring: &LineString) -> impl Iterator<Item = Coord> {
    ring.lines().flat_map(|edge| [edge.start, (edge.start + edge.end) / 2.0])
}

/// Checks that holes are inside the exterior ring and not inside each other.
fn check_holes(polygon: &Polygon) -> Result<(), Invalid> {
    if polygon.interiors().is_empty() {
        return Ok(());
    }
    let exterior = EdgeIndex::new(Polygon::new(polygon.exterior().clone(), Vec::new()).into());
    for hole in polygon.interiors() {
        if let Some(outside) = samples(hole).find(|at| !exterior.has_inside(*at)) {
            return Err(Invalid::HoleOutside(outside.x, outside.y));
        }
    }
    let holes: Vec<Polygon> = polygon.interiors().iter().map(|hole| Polygon::new(hole.clone(), Vec::new())).collect();
    check_apart(&holes)
}

/// Checks that areas touch at points only. Their edges are known not to cross, so an area that overlaps another has a
/// vertex or an edge midpoint strictly inside it.
fn check_apart(polygons: &[Polygon]) -> Result<(), Invalid> {
    if polygons.len() < 2 {
        return Ok(());
    }
    let index = EdgeIndex::new(geo::MultiPolygon(polygons.to_vec()).into());
    for (own, polygon) in polygons.iter().enumerate() {
        let overlaps = |at: &Coord| index.is_strictly_inside_another(*at, own);
        if let Some(at) = rings(polygon).flat_map(samples).find(overlaps) {
            return Err(Invalid::Overlap(at.x, at.y));
        }
    }
    Ok(())
}
