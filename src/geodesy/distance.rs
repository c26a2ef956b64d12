//! Metres and bearings on the WGS 84 ellipsoid.
//!
//! Distances are geodesics after C. F. F. Karney, "Algorithms for geodesics" (2013).
//!
//! Edges of lines and polygons are straight in longitude and latitude, as RFC 7946 section 3.1.1
//! defines them, so a feature never leaves the envelope of its positions.

use std::f64::consts::TAU;

use geo::{Bearing, Coord, Distance, Geodesic, Geometry, LineString, Point, Polygon};

use super::LonLat;
use super::bound::{lower_bound_m, upper_bound_m};
use super::ecef::{ECCENTRICITY_2, Ecef, SEMI_MAJOR_M, chord_2, ecef};

/// Geodesic distance in metres.
#[must_use]
pub fn distance_m(a: LonLat, b: LonLat) -> f64 {
    Geodesic.distance(Point::new(a.lon, a.lat), Point::new(b.lon, b.lat))
}

/// Initial bearing of the geodesic from `a` to `b` in degrees clockwise from north, 0 <= bearing < 360;
/// `None` when the two are the same place.
#[must_use]
pub fn bearing_deg(a: LonLat, b: LonLat) -> Option<f64> {
    if a == b {
        return None;
    }
    let bearing = Geodesic.bearing(Point::new(a.lon, a.lat), Point::new(b.lon, b.lat)).rem_euclid(360.0);
    Some(if bearing >= 360.0 { 0.0 } else { bearing })
}

/// The nearest place of a geometry and its geodesic distance in metres; distance 0 and `from` itself
/// inside a polygon or on its border.
///
/// Costs two or three geodesics for each edge that can still win.
#[must_use]
pub fn nearest_place(from: LonLat, geometry: &Geometry) -> Option<(LonLat, f64)> {
    if let Geometry::Point(point) = geometry {
        let place = unchecked(point.0);
        return Some((place, distance_m(from, place)));
    }
    let mut search = NearestPlace { from, from_ecef: ecef(from), best: None };
    search.visit(geometry);
    search.best
}

struct NearestPlace {
    from: LonLat,
    from_ecef: Ecef,
    best: Option<(LonLat, f64)>,
}

impl NearestPlace {
    fn visit(&mut self, geometry: &Geometry) {
        match geometry {
            Geometry::Point(point) => self.point(point.0),
            Geometry::MultiPoint(points) => points.iter().for_each(|point| self.point(point.0)),
            Geometry::LineString(line) => self.line(line),
            Geometry::MultiLineString(lines) => lines.iter().for_each(|line| self.line(line)),
            Geometry::Polygon(polygon) => self.polygon(polygon),
            Geometry::MultiPolygon(polygons) => polygons.iter().for_each(|polygon| self.polygon(polygon)),
            Geometry::Line(line) => self.edge(line.start, line.end),
            Geometry::Rect(rect) => self.polygon(&rect.to_polygon()),
            Geometry::Triangle(triangle) => self.polygon(&triangle.to_polygon()),
            Geometry::GeometryCollection(parts) => parts.iter().for_each(|part| self.visit(part)),
        }
    }

    fn offer(&mut self, place: LonLat, metres: f64) {
        if self.best.is_none_or(|(_, best)| metres < best) {
            self.best = Some((place, metres));
        }
    }

    fn point(&mut self, coord: Coord) {
        let place = unchecked(coord);
        if self.can_win(|from| lower_bound_m(from, ecef(place))) {
            self.offer(place, distance_m(self.from, place));
        }
    }

    fn can_win(&self, bound_m: impl Fn(Ecef) -> f64) -> bool {
        self.best.is_none_or(|(_, best)| bound_m(self.from_ecef) < best)
    }

    fn line(&mut self, line: &LineString) {
        for edge in line.lines() {
            self.edge(edge.start, edge.end);
        }
    }

    fn polygon(&mut self, polygon: &Polygon) {
        use geo::Intersects;
        if polygon.intersects(&Coord { x: self.from.lon, y: self.from.lat }) {
            self.offer(self.from, 0.0);
            return;
        }
        self.line(polygon.exterior());
        polygon.interiors().iter().for_each(|ring| self.line(ring));
    }

    /// Long edges are cut so that each piece has one nearest place.
    fn edge(&mut self, start: Coord, end: Coord) {
        const PIECE_DEG: f64 = 0.5;
        let length_deg = (end.x - start.x).abs().max((end.y - start.y).abs());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an edge is at most 360 degrees long"
        )]
        let pieces = (length_deg / PIECE_DEG).ceil().max(1.0) as u32;
        let along = |index: u32| {
            let t = f64::from(index) / f64::from(pieces);
            Coord { x: start.x + (end.x - start.x) * t, y: start.y + (end.y - start.y) * t }
        };
        for index in 0..pieces {
            self.piece(along(index), along(index + 1));
        }
    }

    fn piece(&mut self, start: Coord, end: Coord) {
        let (a, b) = (ecef(unchecked(start)), ecef(unchecked(end)));
        // The surface bulges over the chord a-b, so half the piece's length is taken off the bound.
        let reach_m = upper_bound_m(chord_2(a, b).sqrt() * 0.51 + 1.0);
        let middle = ecef(unchecked((start + end) / 2.0));
        if self.can_win(|from| lower_bound_m(from, middle) - reach_m) {
            let (place, metres) = self.nearest_on_piece(start, end);
            self.offer(place, metres);
        }
    }

    /// Walks along the piece by the right spherical triangle of asker, foot and current place; the
    /// error of a step is the flattening times the step, so three or four steps close below 1 µm.
    fn nearest_on_piece(&self, start: Coord, end: Coord) -> (LonLat, f64) {
        const STEPS: usize = 12;
        const CLOSED_M: f64 = 1e-7;
        let at = |t: f64| unchecked(start + (end - start) * t);
        let mut t = 0.5;
        let mut place = at(t);
        let mut metres = distance_m(self.from, place);
        for _ in 0..STEPS {
            let (east_m, north_m) = metres_per_unit(place, end - start);
            let speed = east_m.hypot(north_m);
            let Some(towards) = bearing_deg(place, self.from) else { break };
            if speed == 0.0 {
                break;
            }
            let angle = towards.to_radians() - east_m.atan2(north_m);
            let step_m = SEMI_MAJOR_M * ((metres / SEMI_MAJOR_M).min(TAU / 4.0 - 1e-9).tan() * angle.cos()).atan();
            let next = (t + step_m / speed).clamp(0.0, 1.0);
            let moved_m = (next - t).abs() * speed;
            t = next;
            place = at(t);
            metres = distance_m(self.from, place);
            if moved_m < CLOSED_M {
                break;
            }
        }
        // Beyond a quarter of the earth the walk may stop at a farthest place; the ends are always true candidates.
        [at(0.0), at(1.0)].into_iter().fold((place, metres), |best, candidate| {
            let metres = distance_m(self.from, candidate);
            if metres < best.1 { (candidate, metres) } else { best }
        })
    }
}

/// Metres east and north that a step in degrees covers at a place.
fn metres_per_unit(at: LonLat, step_deg: Coord) -> (f64, f64) {
    let (sin_lat, cos_lat) = at.lat.to_radians().sin_cos();
    let w2 = 1.0 - ECCENTRICITY_2 * sin_lat * sin_lat;
    let parallel = SEMI_MAJOR_M / w2.sqrt() * cos_lat;
    let meridian = SEMI_MAJOR_M * (1.0 - ECCENTRICITY_2) / (w2 * w2.sqrt());
    (step_deg.x.to_radians() * parallel, step_deg.y.to_radians() * meridian)
}

/// A position from a coordinate that lies between checked ones.
fn unchecked(coord: Coord) -> LonLat {
    LonLat { lon: coord.x, lat: coord.y }
}
