//! Geodesic distances and bearings on the WGS 84 ellipsoid.
//!
//! Distances follow C. F. F. Karney, "Algorithms for geodesics" (2013).
//!
//! Edges of lines and polygons are straight in longitude and latitude (RFC 7946, section 3.1.1), so a feature stays
//! within the envelope of its positions. Such an edge is not a geodesic: the midpoint of a 100 km edge from west to
//! east at 26° N is 96 m south of the geodesic between its ends.

use std::f64::consts::TAU;

use geo::{Bearing, Coord, Distance, Geodesic, Geometry, LineString, Point, Polygon};

use super::LonLat;
use super::bound::{lower_bound_m, upper_bound_m};
use super::ecef::{ECCENTRICITY_2, Ecef, SEMI_MAJOR_M, chord_2, ecef};

/// Geodesic distance between two positions in metres, accurate to a millimetre or better. For lines and areas see
/// [`nearest_place`], whose edges are straight in longitude and latitude.
#[must_use]
pub fn distance_m(a: LonLat, b: LonLat) -> f64 {
    Geodesic.distance(Point::new(a.lon, a.lat), Point::new(b.lon, b.lat))
}

/// Initial bearing of the geodesic from `a` to `b` in degrees clockwise from north, 0 <= bearing < 360; `None` if the
/// two are equal.
#[must_use]
pub fn bearing_deg(a: LonLat, b: LonLat) -> Option<f64> {
    if a == b {
        return None;
    }
    let bearing = Geodesic.bearing(Point::new(a.lon, a.lat), Point::new(b.lon, b.lat)).rem_euclid(360.0);
    Some(if bearing >= 360.0 { 0.0 } else { bearing })
}

/// The nearest position of a geometry and its geodesic distance in metres; `from` and 0 if it is inside a polygon or on
/// its boundary.
///
/// Computes two or three geodesics for each edge that is not excluded by its bound.
#[must_use]
pub fn nearest_place(from: LonLat, geometry: &Geometry) -> Option<(LonLat, f64)> {
    if let Geometry::Point(point) = geometry {
        let place = unchecked(point.0);
        return Some((place, distance_m(from, place)));
    }
    let mut search = NearestPlace::new(from, f64::INFINITY);
    search.visit(geometry);
    search.best
}

/// A search for the nearest position within a limit.
pub(super) struct NearestPlace {
    from: LonLat,
    from_ecef: Ecef,
    limit_m: f64,
    best: Option<(LonLat, f64)>,
}

impl NearestPlace {
    pub(super) fn new(from: LonLat, limit_m: f64) -> Self {
        Self { from, from_ecef: ecef(from), limit_m, best: None }
    }

    pub(super) fn best(&self) -> Option<(LonLat, f64)> {
        self.best
    }

    pub(super) fn ecef(&self) -> Ecef {
        self.from_ecef
    }

    /// Positions farther than this are of no use, metres.
    pub(super) fn limit_m(&self) -> f64 {
        self.limit_m
    }

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
        if metres <= self.limit_m && self.best.is_none_or(|(_, best)| metres < best) {
            self.best = Some((place, metres));
            self.limit_m = metres;
        }
    }

    fn point(&mut self, coord: Coord) {
        let place = unchecked(coord);
        if self.can_win(|from| lower_bound_m(from, ecef(place))) {
            self.offer(place, distance_m(self.from, place));
        }
    }

    fn can_win(&self, bound_m: impl Fn(Ecef) -> f64) -> bool {
        bound_m(self.from_ecef) <= self.limit_m
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

    /// Splits long edges, so that each piece has one nearest position.
    pub(super) fn edge(&mut self, start: Coord, end: Coord) {
        const PIECE_DEG: f64 = 0.5;
        if start == end {
            self.point(start);
            return;
        }
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
        // The surface is outside the chord a-b, so half the length of the piece is subtracted from the bound.
        let reach_m = upper_bound_m(chord_2(a, b).sqrt() * 0.51 + 1.0);
        let middle = ecef(unchecked((start + end) / 2.0));
        if self.can_win(|from| lower_bound_m(from, middle) - reach_m) {
            let (place, metres) = self.nearest_on_piece(start, end);
            self.offer(place, metres);
        }
    }

    /// Moves along the piece to the foot of the perpendicular of a right spherical triangle. At short range the error
    /// of a step is the flattening times the step, so three or four steps converge below 1 µm. If that does not
    /// converge, or at long range, the position is bracketed.
    fn nearest_on_piece(&self, start: Coord, end: Coord) -> (LonLat, f64) {
        const STEPS: usize = 12;
        const NEAR_M: f64 = 1_000_000.0;
        let piece = Piece { from: self.from, start, step: end - start };
        let mut at = piece.at(0.5);
        let mut is_closed = false;
        for _ in 0..STEPS {
            let Some(next) = at.next() else {
                is_closed = true;
                break;
            };
            let next = next.clamp(0.0, 1.0);
            let moved_m = (next - at.share).abs() * at.speed;
            at = piece.at(next);
            if moved_m < CLOSED_M {
                is_closed = true;
                break;
            }
        }
        if is_closed && at.metres < NEAR_M {
            return self.nearer_of_ends(&piece, (at.place, at.metres));
        }
        Self::nearest_far_away(&piece)
    }

    /// The ends of a piece are always candidates.
    fn nearer_of_ends(&self, piece: &Piece, best: (LonLat, f64)) -> (LonLat, f64) {
        [0.0, 1.0].into_iter().fold(best, |best, share| {
            let place = piece.place(share);
            let metres = distance_m(self.from, place);
            if metres < best.1 { (place, metres) } else { best }
        })
    }

    /// Near the antipodes a piece may have several local minima, so it is split further.
    fn nearest_far_away(piece: &Piece) -> (LonLat, f64) {
        const ANTIPODAL_M: f64 = 19_500_000.0;
        let parts = if piece.at(0.5).metres > ANTIPODAL_M { 16 } else { 1 };
        let share = |part: u32| f64::from(part) / f64::from(parts);
        let mut best = (piece.place(0.0), f64::INFINITY);
        for part in 0..parts {
            let found = piece.nearest_between(share(part), share(part + 1));
            if found.1 < best.1 {
                best = found;
            }
        }
        best
    }
}

/// Convergence threshold along a piece, metres.
const CLOSED_M: f64 = 1e-7;

/// A piece of an edge and the position that distances are measured from.
struct Piece {
    from: LonLat,
    start: Coord,
    step: Coord,
}

/// A position on a piece.
struct OnPiece {
    /// Fraction of the piece before it.
    share: f64,
    place: LonLat,
    metres: f64,
    /// Metres along the piece per unit of `share`.
    speed: f64,
    /// Cosine of the angle between the direction of the piece and the direction to `from`: positive where the distance
    /// decreases along the piece. `None` at `from` itself, or if the piece has no length.
    approach: Option<f64>,
}

impl Piece {
    fn place(&self, share: f64) -> LonLat {
        unchecked(self.start + self.step * share)
    }

    fn at(&self, share: f64) -> OnPiece {
        let place = self.place(share);
        let (east_m, north_m) = metres_per_unit(place, self.step);
        let speed = east_m.hypot(north_m);
        let towards = bearing_deg(place, self.from).filter(|_| speed > 0.0);
        let approach = towards.map(|towards| (towards.to_radians() - east_m.atan2(north_m)).cos());
        OnPiece { share, place, metres: distance_m(self.from, place), speed, approach }
    }

    /// The nearest position between two fractions, with at most one local minimum inside, bracketed by a decreasing and
    /// an increasing distance. Steps that leave the bracket, and every third step, bisect it.
    fn nearest_between(&self, first: f64, last: f64) -> (LonLat, f64) {
        const STEPS: usize = 90;
        let (low, high) = (self.at(first), self.at(last));
        let ends = if low.metres <= high.metres { (low.place, low.metres) } else { (high.place, high.metres) };
        let falls = |at: &OnPiece| at.approach.is_some_and(|approach| approach > 0.0);
        if !falls(&low) || falls(&high) {
            return ends;
        }
        let (mut low, mut high) = (first, last);
        let mut at = self.at(f64::midpoint(low, high));
        for step in 1..=STEPS {
            if falls(&at) {
                low = at.share;
            } else {
                high = at.share;
            }
            let Some(next) = at.next() else { break };
            let is_within = low < next && next < high && step % 3 != 0;
            let next = if is_within { next } else { f64::midpoint(low, high) };
            let moved_m = (next - at.share).abs() * at.speed;
            at = self.at(next);
            if moved_m < CLOSED_M {
                break;
            }
        }
        if at.metres < ends.1 { (at.place, at.metres) } else { ends }
    }
}

impl OnPiece {
    /// The fraction at the foot of the perpendicular, by a spherical triangle.
    fn next(&self) -> Option<f64> {
        let arc = (self.metres / SEMI_MAJOR_M).min(TAU / 4.0 - 1e-9);
        let step_m = SEMI_MAJOR_M * (arc.tan() * self.approach?).atan();
        Some(self.share + step_m / self.speed)
    }
}

/// Metres east and north of a step in degrees at a position.
fn metres_per_unit(at: LonLat, step_deg: Coord) -> (f64, f64) {
    let (sin_lat, cos_lat) = at.lat.to_radians().sin_cos();
    let w2 = 1.0 - ECCENTRICITY_2 * sin_lat * sin_lat;
    let parallel = SEMI_MAJOR_M / w2.sqrt() * cos_lat;
    let meridian = SEMI_MAJOR_M * (1.0 - ECCENTRICITY_2) / (w2 * w2.sqrt());
    (step_deg.x.to_radians() * parallel, step_deg.y.to_radians() * meridian)
}

/// A position from a coordinate between checked positions.
fn unchecked(coord: Coord) -> LonLat {
    LonLat { lon: coord.x, lat: coord.y }
}
