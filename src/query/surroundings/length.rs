//! Length of a line within a distance of a position, a line or an area, or inside an area; metres on the ellipsoid.

use geo::{Coord, Geodesic, Geometry, Length, LineString, MultiLineString};

use crate::geodesy::LonLat;
use crate::geodesy::distance::{distance_m, nearest_place};
use crate::geodesy::edge_index::EdgeIndex;

/// Accuracy of the intersection of an edge with a ring, metres.
const CLOSED_M: f64 = 1e-3;
/// Length of a piece of an edge that counts by its midpoint, metres.
const SMALLEST_PIECE_M: f64 = 0.5;

/// Length of the lines of a geometry within a geodesic distance of a position.
pub(super) fn length_within_m(geometry: &Geometry, from: LonLat, radius_m: f64) -> f64 {
    lines(geometry).0.iter().flat_map(LineString::lines).map(|edge| within(edge, from, radius_m)).sum()
}

/// Length of the lines of a geometry inside an area or on its edge.
pub(super) fn length_inside_m(geometry: &Geometry, area: &EdgeIndex) -> f64 {
    let inside = |edge: geo::Line| -> f64 {
        let at = |share: f64| edge.start + edge.delta() * share;
        let length_m = |(from, to): (f64, f64)| Geodesic.length(&LineString::from(vec![at(from), at(to)]));
        area.shares_inside(&edge).into_iter().map(length_m).sum()
    };
    lines(geometry).0.iter().flat_map(LineString::lines).map(inside).sum()
}

/// Length of the lines of a geometry within a geodesic distance of a line or area. An edge is halved until each piece is
/// entirely within the distance or entirely beyond it, which follows from the distance of its midpoint.
pub(super) fn length_near_m(geometry: &Geometry, from: &EdgeIndex, radius_m: f64) -> f64 {
    lines(geometry).0.iter().flat_map(LineString::lines).map(|edge| near(edge, from, radius_m)).sum()
}

fn near(edge: geo::Line, from: &EdgeIndex, radius_m: f64) -> f64 {
    let length_m = Geodesic.length(&LineString::from(vec![edge.start, edge.end]));
    let middle = edge.start + edge.delta() / 2.0;
    let half_m = length_m / 2.0;
    let distance_m = place(middle).and_then(|middle| from.nearest_place(middle, radius_m + half_m)).map(|(_, m)| m);
    match distance_m {
        None => 0.0,
        Some(metres) if metres + half_m <= radius_m => length_m,
        Some(metres) if length_m <= SMALLEST_PIECE_M && metres <= radius_m => length_m,
        Some(_) if length_m <= SMALLEST_PIECE_M => 0.0,
        Some(_) => {
            let halves = [geo::Line::new(edge.start, middle), geo::Line::new(middle, edge.end)];
            halves.into_iter().map(|half| near(half, from, radius_m)).sum()
        }
    }
}

fn lines(geometry: &Geometry) -> MultiLineString {
    match geometry {
        Geometry::LineString(line) => MultiLineString(vec![line.clone()]),
        Geometry::MultiLineString(lines) => lines.clone(),
        _ => MultiLineString(Vec::new()),
    }
}

/// The part of an edge within the distance is between the two crossings, on either side of its nearest position.
fn within(edge: geo::Line, from: LonLat, radius_m: f64) -> f64 {
    let at = |share: f64| edge.start + edge.delta() * share;
    let metres = |share: f64| place(at(share)).map_or(f64::INFINITY, |place| distance_m(from, place));
    let (start_m, end_m) = (metres(0.0), metres(1.0));
    let line = Geometry::LineString(vec![edge.start, edge.end].into());
    let Some((nearest, nearest_m)) = nearest_place(from, &line) else { return 0.0 };
    if nearest_m > radius_m {
        return 0.0;
    }
    let foot = share_of(edge, nearest);
    let first = if start_m <= radius_m { 0.0 } else { crossing(&metres, foot, 0.0, edge, radius_m) };
    let last = if end_m <= radius_m { 1.0 } else { crossing(&metres, foot, 1.0, edge, radius_m) };
    Geodesic.length(&LineString::from(vec![at(first), at(last)]))
}

/// The fraction at which the distance equals the radius, between one inside and one outside.
fn crossing(metres: &impl Fn(f64) -> f64, within: f64, beyond: f64, edge: geo::Line, radius_m: f64) -> f64 {
    let (mut within, mut beyond) = (within, beyond);
    let length_m = Geodesic.length(&LineString::from(vec![edge.start, edge.end]));
    while (beyond - within).abs() * length_m > CLOSED_M {
        let middle = f64::midpoint(within, beyond);
        if metres(middle) <= radius_m { within = middle } else { beyond = middle }
    }
    within
}

/// The fraction of an edge before a position on it.
fn share_of(edge: geo::Line, place: LonLat) -> f64 {
    let delta = edge.delta();
    let (along, whole) = if delta.x.abs() > delta.y.abs() {
        (place.lon() - edge.start.x, delta.x)
    } else {
        (place.lat() - edge.start.y, delta.y)
    };
    if whole == 0.0 { 0.0 } else { (along / whole).clamp(0.0, 1.0) }
}

fn place(coord: Coord) -> Option<LonLat> {
    LonLat::try_from(coord).ok()
}
