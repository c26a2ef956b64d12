//! Earth-centred, earth-fixed coordinates on WGS 84: continuous across the antimeridian and the poles.

use super::{Envelope, LonLat};

/// Semi-major axis of WGS 84, metres.
pub(super) const SEMI_MAJOR_M: f64 = 6_378_137.0;
/// Flattening of WGS 84.
pub(super) const FLATTENING: f64 = 1.0 / 298.257_223_563;
/// Semi-minor axis, metres.
pub(super) const SEMI_MINOR_M: f64 = SEMI_MAJOR_M * (1.0 - FLATTENING);
/// First eccentricity squared.
pub(super) const ECCENTRICITY_2: f64 = FLATTENING * (2.0 - FLATTENING);

/// Coordinates x, y, z in metres. Positions are on the ellipsoid.
pub type Ecef = [f64; 3];

/// Converts a position.
#[must_use]
pub fn ecef(at: LonLat) -> Ecef {
    let (sin_lat, cos_lat) = at.lat.to_radians().sin_cos();
    let (sin_lon, cos_lon) = at.lon.to_radians().sin_cos();
    let normal = SEMI_MAJOR_M / (1.0 - ECCENTRICITY_2 * sin_lat * sin_lat).sqrt();
    [normal * cos_lat * cos_lon, normal * cos_lat * sin_lon, normal * (1.0 - ECCENTRICITY_2) * sin_lat]
}

/// Squared chord, metres squared.
#[must_use]
pub fn chord_2(a: Ecef, b: Ecef) -> f64 {
    a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// An axis-aligned box, metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EcefBox {
    low: Ecef,
    high: Ecef,
}

impl EcefBox {
    /// The box of one position, without extent.
    #[must_use]
    pub fn of_place(at: Ecef) -> Self {
        Self { low: at, high: at }
    }

    /// The smallest box that contains the surface of the ellipsoid within an envelope.
    #[must_use]
    pub fn of_envelope(envelope: &Envelope) -> Self {
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
        Self { low: [x0, y0, height(south)], high: [x1, y1, height(north)] }
    }

    /// The smallest box that contains all boxes; `None` without boxes.
    #[must_use]
    pub fn around(boxes: impl IntoIterator<Item = Self>) -> Option<Self> {
        boxes.into_iter().reduce(|a, b| Self {
            low: std::array::from_fn(|axis| a.low[axis].min(b.low[axis])),
            high: std::array::from_fn(|axis| a.high[axis].max(b.high[axis])),
        })
    }

    /// Squared chord from a position to the box, metres squared.
    #[must_use]
    pub fn chord_2(&self, from: Ecef) -> f64 {
        let [x, y, z] =
            std::array::from_fn(|axis| (self.low[axis] - from[axis]).max(from[axis] - self.high[axis]).max(0.0));
        x * x + y * y + z * z
    }

    /// Squared chord between two boxes, metres squared.
    #[must_use]
    pub fn chord_2_to(&self, other: &Self) -> f64 {
        let gap = |axis: usize| (self.low[axis] - other.high[axis]).max(other.low[axis] - self.high[axis]).max(0.0);
        (0..3).map(gap).map(|gap| gap * gap).sum()
    }

    /// Squared diagonal, metres squared.
    #[must_use]
    pub fn diagonal_2(&self) -> f64 {
        chord_2(self.low, self.high)
    }

    /// The centre along an axis.
    #[must_use]
    pub fn middle(&self, axis: usize) -> f64 {
        f64::midpoint(self.low[axis], self.high[axis])
    }

    /// The axis of largest extent.
    #[must_use]
    pub fn widest_axis(&self) -> usize {
        let width = |axis: &usize| self.high[*axis] - self.low[*axis];
        (0..3).max_by(|a, b| width(a).total_cmp(&width(b))).unwrap_or_default()
    }

    /// A position on the ellipsoid near the centre, and the largest chord from there to a point of the box, metres;
    /// `None` if the box contains the centre of the earth.
    #[must_use]
    pub fn centre(&self) -> Option<(Ecef, f64)> {
        let on_sphere = unit(std::array::from_fn(|axis| self.middle(axis)));
        let length = chord_2(on_sphere, [0.0; 3]).sqrt();
        if length < 0.1 {
            return None;
        }
        let [x, y, z] = on_sphere.map(|part| part / length);
        let centre = [x * SEMI_MAJOR_M, y * SEMI_MAJOR_M, z * SEMI_MINOR_M];
        let farthest: Ecef =
            std::array::from_fn(|axis| (centre[axis] - self.low[axis]).max(self.high[axis] - centre[axis]));
        Some((centre, chord_2(farthest, [0.0; 3]).sqrt()))
    }
}

/// A box with half the memory: its sides are those of an [`EcefBox`], rounded outward by less than a metre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactEcefBox {
    low: [f32; 3],
    high: [f32; 3],
}

impl CompactEcefBox {
    /// The smallest such box around a box.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "rounded outward")]
    pub fn around(own: &EcefBox) -> Self {
        let down = |side: f64| if f64::from(side as f32) > side { (side as f32).next_down() } else { side as f32 };
        let up = |side: f64| if f64::from(side as f32) < side { (side as f32).next_up() } else { side as f32 };
        Self { low: own.low.map(down), high: own.high.map(up) }
    }

    /// The same box.
    #[must_use]
    pub fn to_box(self) -> EcefBox {
        EcefBox { low: self.low.map(f64::from), high: self.high.map(f64::from) }
    }
}

/// Scales the ellipsoid to the unit sphere, where a position is at its reduced latitude.
pub(super) fn unit([x, y, z]: Ecef) -> Ecef {
    [x / SEMI_MAJOR_M, y / SEMI_MAJOR_M, z / SEMI_MINOR_M]
}

/// Range of the cosine over an interval of at most 360 degrees.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_of_an_envelope_holds_its_places() -> Result<(), Box<dyn std::error::Error>> {
        for [w, s, e, n] in [
            [118.5, 25.9, 119.1, 26.6],
            [-180.0, -90.0, 180.0, 90.0],
            [170.0, -5.0, 180.0, 60.0],
            [-100.0, -70.0, 95.0, -10.0],
        ] {
            let own = EcefBox::of_envelope(&Envelope::new(w, s, e, n)?);
            for i in 0..=20 {
                for j in 0..=20 {
                    let at = LonLat::new(w + (e - w) * f64::from(i) / 20.0, s + (n - s) * f64::from(j) / 20.0)?;
                    let at_m = ecef(at);
                    assert!(own.chord_2(at_m) < 1e-6, "{at} is outside");
                    if let Some((centre, reach_m)) = own.centre() {
                        assert!(chord_2(centre, at_m).sqrt() <= reach_m + 1e-6, "{at} is beyond reach");
                    }
                }
            }
        }
        Ok(())
    }
}
