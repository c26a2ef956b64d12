//! Metres and bearings on the WGS 84 ellipsoid, and the lower bound that lets a search stop.
//!
//! Distances are geodesics after C. F. F. Karney, "Algorithms for geodesics" (2013). The bound is
//! the straight chord between the two places in earth-centred coordinates: it is never longer than
//! the geodesic, has no seam at the antimeridian and none at the poles.
//!
//! Edges of lines and polygons are straight in longitude and latitude, as RFC 7946 section 3.1.1
//! defines them, so a feature never leaves the envelope of its positions.

use std::f64::consts::TAU;

use geo::{Bearing, Coord, Distance, Geodesic, Geometry, LineString, Point, Polygon};

use super::{Envelope, LonLat};

/// Semi-major axis of WGS 84, metres.
const SEMI_MAJOR_M: f64 = 6_378_137.0;
/// Flattening of WGS 84.
const FLATTENING: f64 = 1.0 / 298.257_223_563;
/// First eccentricity squared.
const ECCENTRICITY_2: f64 = FLATTENING * (2.0 - FLATTENING);
/// Rounding of earth-centred coordinates, doubled: what a chord may be too long by, metres.
const CHORD_ERROR_M: f64 = 1e-8;

/// Earth-centred, earth-fixed coordinates x, y, z in metres on the ellipsoid.
pub type Ecef = [f64; 3];

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

/// The place in earth-centred coordinates.
#[must_use]
pub fn ecef(at: LonLat) -> Ecef {
    let (sin_lat, cos_lat) = at.lat.to_radians().sin_cos();
    let (sin_lon, cos_lon) = at.lon.to_radians().sin_cos();
    let normal = SEMI_MAJOR_M / (1.0 - ECCENTRICITY_2 * sin_lat * sin_lat).sqrt();
    [normal * cos_lat * cos_lon, normal * cos_lat * sin_lon, normal * (1.0 - ECCENTRICITY_2) * sin_lat]
}

/// A geodesic distance that no place at this squared chord (metres squared) can be nearer than.
///
/// Near by that is the chord. Far away an arc is longer: seen from the earth's centre the two places are apart by an
/// angle whose half has at least the sine √(chord² − (a − b)²) / 2a, and a path on the ellipsoid, moved inwards to the
/// sphere of radius b within it, does not grow longer by that, and is there no shorter than the arc.
#[must_use]
pub fn lower_bound_m(chord_2: f64) -> f64 {
    const SEMI_MINOR_M: f64 = SEMI_MAJOR_M * (1.0 - FLATTENING);
    const RADII_APART_2: f64 = (SEMI_MAJOR_M - SEMI_MINOR_M) * (SEMI_MAJOR_M - SEMI_MINOR_M);
    let half_sine = ((chord_2 - RADII_APART_2).max(0.0).sqrt() / (2.0 * SEMI_MAJOR_M)).min(1.0);
    let arc_m = 2.0 * SEMI_MINOR_M * half_sine.asin();
    (chord_2.sqrt().max(arc_m) - CHORD_ERROR_M).max(0.0)
}

/// The smallest axis-parallel box, as two corners, that holds all of the ellipsoid's surface in an envelope.
#[must_use]
pub fn ecef_box(envelope: &Envelope) -> (Ecef, Ecef) {
    let (south, north) = (envelope.south(), envelope.north());
    let axis_distance = |lat: f64| {
        let [x, y, _] = ecef(LonLat { lon: 0.0, lat });
        x.hypot(y)
    };
    let height = |lat: f64| ecef(LonLat { lon: 0.0, lat })[2];
    let nearest_equator = if south <= 0.0 && north >= 0.0 { 0.0 } else { south.abs().min(north.abs()) };
    let rho = (axis_distance(south.abs().max(north.abs())).max(0.0), axis_distance(nearest_equator));
    let cosine = cosine_range(envelope.west(), envelope.east());
    let sine = cosine_range(envelope.west() - 90.0, envelope.east() - 90.0);
    let scaled = |(low, high): (f64, f64)| {
        (if low < 0.0 { low * rho.1 } else { low * rho.0 }, if high < 0.0 { high * rho.0 } else { high * rho.1 })
    };
    let ((x0, x1), (y0, y1)) = (scaled(cosine), scaled(sine));
    ([x0, y0, height(south)], [x1, y1, height(north)])
}

/// Range of the cosine over an interval of degrees no longer than 360.
fn cosine_range(from_deg: f64, to_deg: f64) -> (f64, f64) {
    let holds = |angle: f64| {
        let first = angle + 360.0 * ((from_deg - angle) / 360.0).ceil();
        first <= to_deg
    };
    let ends = (from_deg.to_radians().cos(), to_deg.to_radians().cos());
    let low = if holds(180.0) { -1.0 } else { ends.0.min(ends.1) };
    let high = if holds(0.0) { 1.0 } else { ends.0.max(ends.1) };
    (low, high)
}

/// The nearest place of a geometry and its geodesic distance in metres; distance 0 and `from` itself
/// inside a polygon or on its border.
///
/// Costs two or three geodesics for each edge that can still win.
#[must_use]
pub fn nearest_place(from: LonLat, geometry: &Geometry) -> Option<(LonLat, f64)> {
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
        if self.can_win(chord_2(self.from_ecef, ecef(place))) {
            self.offer(place, distance_m(self.from, place));
        }
    }

    fn can_win(&self, chord_2: f64) -> bool {
        self.best.is_none_or(|(_, best)| lower_bound_m(chord_2) < best)
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
        let reach = chord_2(a, b).sqrt() * 0.51 + 1.0;
        let middle = ecef(unchecked((start + end) / 2.0));
        let nearest = (chord_2(self.from_ecef, middle).sqrt() - reach).max(0.0);
        if self.can_win(nearest * nearest) {
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

/// Squared straight-line distance in metres squared.
#[must_use]
pub fn chord_2(a: Ecef, b: Ecef) -> f64 {
    a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// A position from a coordinate that lies between checked ones.
fn unchecked(coord: Coord) -> LonLat {
    LonLat { lon: coord.x, lat: coord.y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_geodesic_is_shorter_than_its_bound() -> Result<(), Box<dyn std::error::Error>> {
        let places: Vec<LonLat> = (0..60)
            .flat_map(|i| (0..31).map(move |j| (f64::from(i) * 6.1 - 180.0, f64::from(j) * 6.0 - 90.0)))
            .map(|(lon, lat)| LonLat::new(lon, lat))
            .collect::<Result<_, _>>()?;
        for from in [(0.0, 0.0), (118.8, 26.2), (-179.9, -45.0), (10.0, 90.0), (75.0, 0.1)] {
            let from = LonLat::new(from.0, from.1)?;
            for to in &places {
                let bound = lower_bound_m(chord_2(ecef(from), ecef(*to)));
                let metres = distance_m(from, *to);
                assert!(bound <= metres, "{from} {to}: {bound} above {metres}");
                // Towards the other side of the earth the chord hardly grows with the arc: there it tells least.
                assert!(bound >= metres * 0.94 - 25_000.0, "{from} {to}: {bound} far below {metres}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_box_of_an_envelope_holds_its_places() -> Result<(), Box<dyn std::error::Error>> {
        for [w, s, e, n] in [
            [118.5, 25.9, 119.1, 26.6],
            [-180.0, -90.0, 180.0, 90.0],
            [170.0, -5.0, 180.0, 60.0],
            [-100.0, -70.0, 95.0, -10.0],
        ] {
            let (low, high) = ecef_box(&Envelope::new(w, s, e, n)?);
            for i in 0..=20 {
                for j in 0..=20 {
                    let at = LonLat::new(w + (e - w) * f64::from(i) / 20.0, s + (n - s) * f64::from(j) / 20.0)?;
                    for (axis, value) in ecef(at).into_iter().enumerate() {
                        assert!(low[axis] - 1e-6 <= value && value <= high[axis] + 1e-6, "{at} axis {axis}");
                    }
                }
            }
        }
        Ok(())
    }
}
