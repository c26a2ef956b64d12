//! Datums and projections: converts coordinates of files and requests to and from longitude, latitude.
//!
//! GCJ-02 is the obfuscated datum of Chinese base maps (592 m offset at Minqing), BD-09 a second offset on top of it.
//! Both are published as forward formulas only; the inverse is iterated until it converges. Gauss-Krüger, UTM and
//! Mercator use PROJ definitions. Coordinate pairs are easting, northing or longitude, latitude, which is the order in
//! files regardless of the EPSG axis order.

use std::f64::consts::PI;
use std::fmt;

use proj4rs::Proj;

use super::{EnvelopeError, LonLat, PositionError};

/// A coordinate reference system that a file or a request may name.
#[derive(Clone)]
pub enum Crs {
    /// WGS 84 or CGCS2000 longitude, latitude in degrees.
    Geographic,
    /// GCJ-02 longitude, latitude in degrees.
    Gcj02,
    /// BD-09 longitude, latitude in degrees.
    Bd09,
    /// A projected system: EPSG code and definition; easting, northing in metres.
    Projected {
        /// EPSG code.
        epsg: u32,
        /// PROJ definition of that code.
        definition: String,
    },
}

/// The names that [`Crs::parse`] accepts, for messages.
pub const ACCEPTED_CRS: &str = "wgs84, cgcs2000, gcj02, bd09, EPSG:4326, EPSG:4490, EPSG:3857, \
     EPSG:4513..4554 (3-degree Gauss-Krüger), EPSG:4491..4512 (6-degree Gauss-Krüger), EPSG:32601..32660 (UTM north)";

/// Why coordinates cannot be converted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CrsError {
    /// An unknown name.
    #[error("unknown coordinate reference system {0:?}; accepted: {ACCEPTED_CRS}")]
    Unknown(String),
    /// The pair is not a position in that system.
    #[error("{x},{y} is not a place in {crs}")]
    NotThere {
        /// Easting or longitude as given.
        x: f64,
        /// Northing or latitude as given.
        y: f64,
        /// The system's name.
        crs: String,
    },
    /// The converted pair is not a position.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// The corners are not an envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl Crs {
    /// Reads a name such as `gcj02`, `EPSG:4549` or `http://www.opengis.net/def/crs/OGC/1.3/CRS84`.
    ///
    /// # Errors
    /// When the name is not known.
    pub fn parse(name: &str) -> Result<Self, CrsError> {
        let lower = name.trim().to_ascii_lowercase();
        // Names by OGC 09-048 and CURIEs: urn:ogc:def:crs:AUTHORITY:VERSION:CODE,
        // http://www.opengis.net/def/crs/AUTHORITY/VERSION/CODE, [AUTHORITY:CODE]; any version.
        let plain = lower.trim_start_matches('[').trim_end_matches(']');
        let urn = ["urn:ogc:def:crs:", "urn:x-ogc:def:crs:"].iter().find_map(|start| plain.strip_prefix(start));
        let address = ["http://", "https://"].iter().find_map(|scheme| plain.strip_prefix(scheme));
        let address = address.and_then(|rest| rest.strip_prefix("www.opengis.net/def/crs/"));
        let parts: Vec<&str> = match (urn, address) {
            (Some(urn), _) => urn.split(':').collect(),
            (_, Some(path)) => path.split('/').collect(),
            _ => plain.split(':').collect(),
        };
        match parts[..] {
            ["wgs84" | "cgcs2000" | "crs84"] | ["ogc", "crs84"] | ["ogc", _, "crs84"] => Ok(Self::Geographic),
            ["gcj02" | "gcj-02"] => Ok(Self::Gcj02),
            ["bd09" | "bd-09"] => Ok(Self::Bd09),
            ["epsg", code] | ["epsg", _, code] => {
                let known = code.parse().ok().and_then(Self::from_epsg);
                known.ok_or_else(|| CrsError::Unknown(name.to_owned()))
            }
            _ => Err(CrsError::Unknown(name.to_owned())),
        }
    }

    /// The system of an EPSG code, if it is one of [`ACCEPTED_CRS`].
    #[must_use]
    pub fn from_epsg(epsg: u32) -> Option<Self> {
        let gauss_krueger = |central_meridian: u32, false_easting: u32| {
            format!(
                "+proj=tmerc +lat_0=0 +lon_0={central_meridian} +k=1 +x_0={false_easting} +y_0=0 +ellps=GRS80 +units=m"
            )
        };
        let definition = match epsg {
            4326 | 4490 => return Some(Self::Geographic),
            3857 => "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m".to_owned(),
            // Zone prefixes 13 to 23, central meridians 75 to 135 degrees.
            4491..=4501 => gauss_krueger(75 + 6 * (epsg - 4491), (epsg - 4491 + 13) * 1_000_000 + 500_000),
            4502..=4512 => gauss_krueger(75 + 6 * (epsg - 4502), 500_000),
            // Zone prefixes 25 to 45, central meridians 75 to 135 degrees.
            4513..=4533 => gauss_krueger(75 + 3 * (epsg - 4513), (epsg - 4513 + 25) * 1_000_000 + 500_000),
            4534..=4554 => gauss_krueger(75 + 3 * (epsg - 4534), 500_000),
            32601..=32660 => format!("+proj=utm +zone={} +datum=WGS84 +units=m", epsg - 32600),
            _ => return None,
        };
        Some(Self::Projected { epsg, definition })
    }

    /// Prepares a converter for many pairs.
    ///
    /// # Errors
    /// When the projection library rejects the definition.
    pub fn converter(&self) -> Result<CrsProjection, CrsError> {
        let projection = match self {
            Self::Projected { definition, .. } => {
                let refused = |_| CrsError::Unknown(self.to_string());
                Some((
                    Proj::from_proj_string(definition).map_err(refused)?,
                    Proj::from_proj_string("+proj=longlat +ellps=GRS80 +no_defs").map_err(refused)?,
                ))
            }
            Self::Geographic | Self::Gcj02 | Self::Bd09 => None,
        };
        Ok(CrsProjection { crs: self.clone(), projection })
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Geographic => f.write_str("WGS 84"),
            Self::Gcj02 => f.write_str("GCJ-02"),
            Self::Bd09 => f.write_str("BD-09"),
            Self::Projected { epsg, .. } => write!(f, "EPSG:{epsg}"),
        }
    }
}

impl fmt::Debug for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Converts pairs of one reference system to and from positions.
pub struct CrsProjection {
    crs: Crs,
    projection: Option<(Proj, Proj)>,
}

impl CrsProjection {
    /// Converts easting, northing in metres or longitude, latitude in degrees.
    ///
    /// # Errors
    /// When the pair is not a position in that system.
    pub fn position(&self, x: f64, y: f64) -> Result<LonLat, CrsError> {
        if let Some((from, to)) = &self.projection {
            let mut point = (x, y, 0.0);
            let there = proj4rs::transform::transform(from, to, &mut point).is_ok();
            if !there || !point.0.is_finite() || !point.1.is_finite() {
                return Err(CrsError::NotThere { x, y, crs: self.crs.to_string() });
            }
            return Ok(LonLat::new(point.0.to_degrees(), point.1.to_degrees())?);
        }
        let given = LonLat::new(x, y)?;
        Ok(match self.crs {
            Crs::Gcj02 => from_gcj02(given),
            Crs::Bd09 => from_bd09(given),
            Crs::Geographic | Crs::Projected { .. } => given,
        })
    }
}

impl CrsProjection {
    /// Converts a position to easting, northing in metres or longitude, latitude in degrees.
    ///
    /// # Errors
    /// When the position is outside the valid area of the system.
    pub fn pair(&self, at: LonLat) -> Result<(f64, f64), CrsError> {
        if let Some((to, from)) = &self.projection {
            let mut point = (at.lon.to_radians(), at.lat.to_radians(), 0.0);
            let there = proj4rs::transform::transform(from, to, &mut point).is_ok();
            let (x, y) = (point.0, point.1);
            if there && x.is_finite() && y.is_finite() && self.round_trips(at, x, y) {
                return Ok((x, y));
            }
            return Err(CrsError::NotThere { x: at.lon, y: at.lat, crs: self.crs.to_string() });
        }
        let shifted = match self.crs {
            Crs::Gcj02 => to_gcj02(at),
            Crs::Bd09 => to_bd09(at),
            Crs::Geographic | Crs::Projected { .. } => at,
        };
        Ok((shifted.lon, shifted.lat))
    }
}

impl CrsProjection {
    /// Whether converted coordinates are valid. Far outside the valid area of a projection its formulas still return
    /// numbers, but these belong to another position or to none.
    fn round_trips(&self, at: LonLat, x: f64, y: f64) -> bool {
        const CLOSED_M: f64 = 0.01;
        self.position(x, y).is_ok_and(|back| super::distance::distance_m(at, back) < CLOSED_M)
    }

    /// Rounding unit of coordinates in replies, in units of the system: a millimetre or less.
    #[must_use]
    pub fn rounding(&self) -> f64 {
        if self.projection.is_some() { 1e-3 } else { 1e-8 }
    }
}

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

    #[test]
    fn minqing_is_592_m_off_in_gcj02_and_comes_back() -> Result<(), PositionError> {
        let seat = LonLat::new(118.8, 26.2)?;
        let shifted = to_gcj02(seat);
        let metres = super::super::distance::distance_m(seat, shifted);
        assert!((590.0..594.0).contains(&metres), "{metres}");
        let back = from_gcj02(shifted);
        assert!(super::super::distance::distance_m(seat, back) < 1e-4);
        let back = from_bd09(to_bd09(seat));
        assert!(super::super::distance::distance_m(seat, back) < 1e-3);
        Ok(())
    }

    #[test]
    fn three_degree_zone_40_is_minqing() -> Result<(), CrsError> {
        // On the central meridian 120° E the easting equals the false easting.
        for (name, easting) in [("EPSG:4549", 500_000.0), ("EPSG:4528", 40_500_000.0)] {
            let at = Crs::parse(name)?.converter()?.position(easting, 2_899_000.0)?;
            assert!((at.lon() - 120.0).abs() < 1e-9 && (at.lat() - 26.2).abs() < 0.02, "{name}: {at}");
            let (x, y) = Crs::parse(name)?.converter()?.pair(at)?;
            assert!((x - easting).abs() < 1e-3 && (y - 2_899_000.0).abs() < 1e-3, "{name}: {x},{y}");
        }
        assert!(Crs::parse("EPSG:4547x").is_err());
        Ok(())
    }
}
