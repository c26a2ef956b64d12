//! Positions, envelopes and geometry on the WGS 84 ellipsoid.
//!
//! Coordinates are WGS 84 / CGCS2000 longitude, latitude in degrees. The two datums differ by centimetres and are
//! deliberately treated as equal. Coordinates in other systems are converted by [`crs_transform`] on input, so the
//! crate has one position type.

pub mod bound;
pub mod crs;
pub mod crs_transform;
pub mod distance;
pub mod ecef;
pub mod edge_distance;
pub mod edge_index;
pub mod gcj02;
pub mod plane;
pub mod region;
pub mod validity;

use std::fmt;

/// A position: longitude, latitude in degrees; finite, -180..=180 and -90..=90.
///
/// ```
/// use onemap::geodesy::LonLat;
///
/// let office = LonLat::new(118.86, 26.22)?;
/// assert_eq!((office.lon(), office.lat()), (118.86, 26.22));
/// // A swapped pair is not a position; the error suggests the other order.
/// let error = LonLat::new(26.22, 118.86).err().map(|error| error.to_string());
/// assert_eq!(error.as_deref(), Some("latitude 118.86 is outside -90..=90; did you mean 118.86,26.22?"));
/// # Ok::<(), onemap::geodesy::PositionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LonLat {
    lon: f64,
    lat: f64,
}

/// Why two numbers are not a position.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PositionError {
    /// NaN or infinite.
    #[error("a coordinate is not a finite number")]
    NotFinite,
    /// Longitude outside -180..=180.
    #[error("longitude {0} is outside -180..=180")]
    Longitude(f64),
    /// Latitude outside -90..=90. `swapped` is true if the pair is a position in the other order.
    #[error("latitude {lat} is outside -90..=90{}", if *.swapped { format!("; did you mean {},{}?", .lat, .lon) } else { String::new() })]
    Latitude {
        /// The longitude in the input.
        lon: f64,
        /// The latitude in the input.
        lat: f64,
        /// Whether lat,lon in the other order is a position.
        swapped: bool,
    },
}

impl LonLat {
    /// Tolerance for the rounding of other programs, degrees: a tenth of a millimetre. A coordinate that exceeds its
    /// range by no more than this is set to the limit.
    const EDGE_DEG: f64 = 1e-9;

    /// Latitude 0, longitude 0.
    pub const ORIGIN: Self = Self { lon: 0.0, lat: 0.0 };

    /// Creates a position from longitude, latitude in degrees.
    ///
    /// # Errors
    /// When a number is not finite or out of range.
    pub fn new(lon: f64, lat: f64) -> Result<Self, PositionError> {
        if !lon.is_finite() || !lat.is_finite() {
            return Err(PositionError::NotFinite);
        }
        let to_edge = |degrees: f64, edge: f64| {
            if degrees.abs() <= edge + Self::EDGE_DEG { degrees.clamp(-edge, edge) } else { degrees }
        };
        let (lon, lat) = (to_edge(lon, 180.0), to_edge(lat, 90.0));
        if !(-180.0..=180.0).contains(&lon) {
            return Err(PositionError::Longitude(lon));
        }
        if !(-90.0..=90.0).contains(&lat) {
            let swapped = lon.abs() <= 90.0 && lat.abs() <= 180.0;
            return Err(PositionError::Latitude { lon, lat, swapped });
        }
        Ok(Self { lon, lat })
    }

    /// Longitude in degrees, east positive.
    #[must_use]
    pub fn lon(self) -> f64 {
        self.lon
    }

    /// Latitude in degrees, north positive.
    #[must_use]
    pub fn lat(self) -> f64 {
        self.lat
    }
}

impl From<LonLat> for geo::Coord {
    fn from(at: LonLat) -> Self {
        Self { x: at.lon, y: at.lat }
    }
}

impl TryFrom<geo::Coord> for LonLat {
    type Error = PositionError;

    fn try_from(coord: geo::Coord) -> Result<Self, PositionError> {
        Self::new(coord.x, coord.y)
    }
}

impl fmt::Display for LonLat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.lon, self.lat)
    }
}

/// A box of longitudes and latitudes in degrees; `west > east` means that it crosses the antimeridian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Envelope {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

/// Why four numbers are not an envelope.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum EnvelopeError {
    /// A corner is not a position.
    #[error(transparent)]
    Corner(#[from] PositionError),
    /// South is greater than north.
    #[error("south {south} is greater than north {north}")]
    UpsideDown {
        /// Lower edge in the input.
        south: f64,
        /// Upper edge in the input.
        north: f64,
    },
}

impl Envelope {
    /// The whole world.
    pub const WORLD: Self = Self { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };

    /// Creates an envelope from west, south, east, north in degrees, the order of an OGC `bbox`.
    ///
    /// # Errors
    /// When a corner is not a position or south is above north.
    pub fn new(west: f64, south: f64, east: f64, north: f64) -> Result<Self, EnvelopeError> {
        LonLat::new(west, south)?;
        LonLat::new(east, north)?;
        if south > north {
            return Err(EnvelopeError::UpsideDown { south, north });
        }
        Ok(Self { west, south, east, north })
    }

    /// The envelope of a geometry with checked positions; `None` for an empty geometry. Never crosses the antimeridian.
    #[must_use]
    pub fn around(geometry: &geo::Geometry) -> Option<Self> {
        use geo::BoundingRect;
        let rect = geometry.bounding_rect()?;
        Self::new(rect.min().x, rect.min().y, rect.max().x, rect.max().y).ok()
    }

    /// West edge, degrees.
    #[must_use]
    pub fn west(&self) -> f64 {
        self.west
    }

    /// South edge, degrees.
    #[must_use]
    pub fn south(&self) -> f64 {
        self.south
    }

    /// East edge, degrees.
    #[must_use]
    pub fn east(&self) -> f64 {
        self.east
    }

    /// North edge, degrees.
    #[must_use]
    pub fn north(&self) -> f64 {
        self.north
    }

    /// The smallest envelope that contains both; neither may cross the antimeridian (envelopes of data never do).
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            west: self.west.min(other.west),
            south: self.south.min(other.south),
            east: self.east.max(other.east),
            north: self.north.max(other.north),
        }
    }

    /// An envelope that contains everything within `metres` of this one. This one must not cross the antimeridian; the
    /// result may.
    #[must_use]
    pub fn padded(&self, metres: f64) -> Self {
        // The shortest degree of latitude; longitude is scaled at the parallel nearest a pole. Rounded down to be safe.
        const DEGREE_M: f64 = 110_500.0;
        let pad_lat = metres / DEGREE_M;
        let (south, north) = (self.south - pad_lat, self.north + pad_lat);
        if south <= -90.0 || north >= 90.0 {
            return Self { west: -180.0, south: south.max(-90.0), east: 180.0, north: north.min(90.0) };
        }
        let pad_lon = pad_lat / south.abs().max(north.abs()).to_radians().cos();
        let (west, east) = (self.west - pad_lon, self.east + pad_lon);
        if east - west >= 360.0 {
            return Self { west: -180.0, south, east: 180.0, north };
        }
        let around = |lon: f64| {
            if lon < -180.0 {
                lon + 360.0
            } else if lon > 180.0 {
                lon - 360.0
            } else {
                lon
            }
        };
        Self { west: around(west), south, east: around(east), north }
    }

    /// The envelope itself, or its two halves on either side of the antimeridian.
    pub fn split(&self) -> impl Iterator<Item = Self> + use<> {
        let (first, second) = if self.crosses_antimeridian() {
            (Self { east: 180.0, ..*self }, Some(Self { west: -180.0, ..*self }))
        } else {
            (*self, None)
        };
        std::iter::once(first).chain(second)
    }

    /// Whether the two share a point; either may cross the antimeridian. All envelope tests use this function.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        let plain = |a: &Self, b: &Self| a.west <= b.east && b.west <= a.east;
        let both_rows = self.south <= other.north && other.south <= self.north;
        both_rows
            && match (self.crosses_antimeridian(), other.crosses_antimeridian()) {
                (false, false) => plain(self, other),
                _ => self.split().any(|own| other.split().any(|their| plain(&own, &their))),
            }
    }

    /// Whether it crosses the antimeridian.
    #[must_use]
    pub fn crosses_antimeridian(&self) -> bool {
        self.west > self.east
    }

    /// West, south, east, north, the order of an OGC `bbox`.
    #[must_use]
    pub fn to_array(&self) -> [f64; 4] {
        [self.west, self.south, self.east, self.north]
    }
}

impl From<LonLat> for Envelope {
    fn from(at: LonLat) -> Self {
        Self { west: at.lon, south: at.lat, east: at.lon, north: at.lat }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_pair_is_recognised() {
        assert_eq!(LonLat::new(26.2, 118.8), Err(PositionError::Latitude { lon: 26.2, lat: 118.8, swapped: true }));
        assert_eq!(
            LonLat::new(26.2, 118.8).map_err(|e| e.to_string()),
            Err("latitude 118.8 is outside -90..=90; did you mean 118.8,26.2?".to_owned())
        );
        assert!(LonLat::new(f64::NAN, 0.0).is_err());
        assert!(LonLat::new(1e308, 0.0).is_err());
        assert_eq!(LonLat::new(180.000_000_000_000_06, 0.0), LonLat::new(180.0, 0.0));
        assert!(LonLat::new(180.000_001, 0.0).is_err());
    }

    #[test]
    fn a_padded_box_holds_what_is_near() -> Result<(), EnvelopeError> {
        use geo::{Destination, Geodesic, Point};
        for (lon, lat) in [(118.8, 26.2), (179.99, 0.0), (-179.99, 60.0), (10.0, 89.9), (0.0, -89.0), (50.0, 0.0)] {
            for metres in [50.0, 5_000.0, 200_000.0, 5_000_000.0] {
                let padded = Envelope::from(LonLat::new(lon, lat)?).padded(metres);
                for bearing in 0..36 {
                    let destination =
                        Geodesic.destination(Point::new(lon, lat), f64::from(bearing) * 10.0, metres * 0.9999);
                    let at = Envelope::from(LonLat::new(destination.x(), destination.y())?);
                    assert!(padded.split().any(|half| half.intersects(&at)), "{lon},{lat} {metres} m {bearing}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_box_over_the_antimeridian_has_two_halves() -> Result<(), EnvelopeError> {
        let pacific = Envelope::new(170.0, -10.0, -170.0, 10.0)?;
        let halves: Vec<_> = pacific.split().map(|half| half.to_array()).collect();
        assert_eq!(halves, [[170.0, -10.0, 180.0, 10.0], [-180.0, -10.0, -170.0, 10.0]]);
        Ok(())
    }
}
