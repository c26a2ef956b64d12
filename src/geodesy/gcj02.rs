//! The datums of Chinese base maps: GCJ-02 (592 m from WGS 84 at Minqing) and BD-09, a second offset on top of it.
//!
//! Both are published as forward formulas only; the inverse is iterated until it converges.

use std::f64::consts::PI;

use super::LonLat;

/// WGS 84 to GCJ-02; the identity outside China.
#[must_use]
pub fn to_gcj02(at: LonLat) -> LonLat {
    let (east, north) = gcj02_offset(at.lon, at.lat);
    LonLat { lon: at.lon + east, lat: at.lat + north }
}

/// GCJ-02 to WGS 84, accurate to well below a millimetre; the identity outside China.
#[must_use]
pub fn from_gcj02(shifted: LonLat) -> LonLat {
    invert(shifted, |lon, lat| {
        let (east, north) = gcj02_offset(lon, lat);
        (lon + east, lat + north)
    })
}

/// WGS 84 to BD-09; the identity outside China.
#[must_use]
pub fn to_bd09(at: LonLat) -> LonLat {
    if outside_china(at.lon, at.lat) {
        return at;
    }
    let gcj02 = to_gcj02(at);
    let (lon, lat) = bd09_from_gcj02(gcj02.lon, gcj02.lat);
    LonLat { lon, lat }
}

/// BD-09 to WGS 84; the identity outside China.
#[must_use]
pub fn from_bd09(shifted: LonLat) -> LonLat {
    if outside_china(shifted.lon, shifted.lat) {
        return shifted;
    }
    from_gcj02(invert(shifted, bd09_from_gcj02))
}

/// Solves `forward(p) = target` by fixed-point iteration. Both offsets vary slowly, so each step gains about three
/// digits.
fn invert(target: LonLat, forward: impl Fn(f64, f64) -> (f64, f64)) -> LonLat {
    const STEPS: usize = 12;
    const CLOSED_DEG: f64 = 1e-11;
    let (mut lon, mut lat) = (target.lon, target.lat);
    for _ in 0..STEPS {
        let (x, y) = forward(lon, lat);
        let (east, north) = (target.lon - x, target.lat - y);
        lon += east;
        lat += north;
        if east.abs() < CLOSED_DEG && north.abs() < CLOSED_DEG {
            break;
        }
    }
    LonLat { lon, lat }
}

/// The box in which the published formula applies, an approximation of China.
fn outside_china(lon: f64, lat: f64) -> bool {
    !(72.004..=137.8347).contains(&lon) || !(0.8293..=55.8271).contains(&lat)
}

/// Offset of GCJ-02 from WGS 84 in degrees east and north (the published formula, with the Krasovsky 1940 ellipsoid).
fn gcj02_offset(lon: f64, lat: f64) -> (f64, f64) {
    const SEMI_MAJOR_M: f64 = 6_378_245.0;
    const ECCENTRICITY_2: f64 = 0.006_693_421_622_965_943;
    if outside_china(lon, lat) {
        return (0.0, 0.0);
    }
    let (x, y) = (lon - 105.0, lat - 35.0);
    let wave = |amplitude: f64, argument: f64| amplitude * (argument * PI).sin();
    let ripple = (wave(20.0, 6.0 * x) + wave(20.0, 2.0 * x)) * 2.0 / 3.0;
    let north_m = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + ripple
        + (wave(20.0, y) + wave(40.0, y / 3.0)) * 2.0 / 3.0
        + (wave(160.0, y / 12.0) + wave(320.0, y / 30.0)) * 2.0 / 3.0;
    let east_m = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + ripple
        + (wave(20.0, x) + wave(40.0, x / 3.0)) * 2.0 / 3.0
        + (wave(150.0, x / 12.0) + wave(300.0, x / 30.0)) * 2.0 / 3.0;
    let phi = lat.to_radians();
    let w2 = 1.0 - ECCENTRICITY_2 * phi.sin().powi(2);
    let meridian_radius = SEMI_MAJOR_M * (1.0 - ECCENTRICITY_2) / (w2 * w2.sqrt());
    let parallel_radius = SEMI_MAJOR_M / w2.sqrt() * phi.cos();
    ((east_m / parallel_radius).to_degrees(), (north_m / meridian_radius).to_degrees())
}

/// The offset of BD-09 from GCJ-02.
fn bd09_from_gcj02(lon: f64, lat: f64) -> (f64, f64) {
    const X_PI: f64 = PI * 3000.0 / 180.0;
    let radius = lon.hypot(lat) + 0.000_02 * (lat * X_PI).sin();
    let angle = lat.atan2(lon) + 0.000_003 * (lon * X_PI).cos();
    (radius * angle.cos() + 0.0065, radius * angle.sin() + 0.006)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geodesy::PositionError;

    #[test]
    fn minqing_is_592_m_off_in_gcj02_and_comes_back() -> Result<(), PositionError> {
        let seat = LonLat::new(118.8, 26.2)?;
        let shifted = to_gcj02(seat);
        let metres = crate::geodesy::distance::distance_m(seat, shifted);
        assert!((590.0..594.0).contains(&metres), "{metres}");
        let back = from_gcj02(shifted);
        assert!(crate::geodesy::distance::distance_m(seat, back) < 1e-4);
        let back = from_bd09(to_bd09(seat));
        assert!(crate::geodesy::distance::distance_m(seat, back) < 1e-3);
        Ok(())
    }
}
