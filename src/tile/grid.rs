//! The tile matrix set WebMercatorQuad (OGC 17-083r4, annex D.1): addresses, positions and envelopes.

use std::f64::consts::PI;
use std::fmt;

use crate::geodesy::{Envelope, LonLat};

/// Highest latitude of the square world, degrees.
const MAX_LATITUDE_DEG: f64 = 85.051_128_779_806_6;

/// A tile: zoom, column from the west, row from the north. One that does not exist cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileAddress {
    zoom: u8,
    x: u32,
    y: u32,
}

/// Why three numbers are not a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Zoom is above the highest.
    #[error("zoom {0} is above {max}", max = TileAddress::MAX_ZOOM)]
    Zoom(u8),
    /// Column or row is outside the matrix.
    #[error("{axis} {value} is outside 0..={max} at zoom {zoom}")]
    OutOfRange {
        /// `x` or `y`.
        axis: &'static str,
        /// What was given.
        value: u32,
        /// Largest of that zoom.
        max: u32,
        /// The zoom.
        zoom: u8,
    },
}

/// `z/x/y`, as in the address of a tile.
impl fmt::Display for TileAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.zoom, self.x, self.y)
    }
}

impl TileAddress {
    /// Highest zoom of the set.
    pub const MAX_ZOOM: u8 = 22;

    /// Takes zoom, column and row.
    ///
    /// # Errors
    /// When there is no such tile.
    pub fn new(zoom: u8, x: u32, y: u32) -> Result<Self, InvalidAddress> {
        if zoom > Self::MAX_ZOOM {
            return Err(InvalidAddress::Zoom(zoom));
        }
        let max = (1 << zoom) - 1;
        for (axis, value) in [("x", x), ("y", y)] {
            if value > max {
                return Err(InvalidAddress::OutOfRange { axis, value, max, zoom });
            }
        }
        Ok(Self { zoom, x, y })
    }

    /// Zoom level.
    #[must_use]
    pub fn zoom(self) -> u8 {
        self.zoom
    }

    /// Whether it is the last column and the last row of its zoom.
    #[must_use]
    pub fn is_last(self) -> (bool, bool) {
        let last = (1 << self.zoom) - 1;
        (self.x == last, self.y == last)
    }

    /// Where a position falls: 0..=1 from west to east and from north to south inside the tile. Latitudes
    /// beyond the square world fall on its edge.
    #[must_use]
    pub fn fraction(self, lon: f64, lat: f64) -> (f64, f64) {
        let tiles = f64::from(1_u32 << self.zoom);
        let (x, y) = world_fraction(lon, lat);
        (x * tiles - f64::from(self.x), y * tiles - f64::from(self.y))
    }

    /// The box of the tile widened on each side by a share of its width. It crosses the antimeridian
    /// only at zoom 0, where it is the whole world.
    #[must_use]
    pub fn buffered_envelope(self, share: f64) -> Envelope {
        let tiles = f64::from(1_u32 << self.zoom);
        let edge = |at: u32, offset: f64| ((f64::from(at) + offset) / tiles).clamp(0.0, 1.0);
        let lon = |fraction: f64| fraction * 360.0 - 180.0;
        let lat = |fraction: f64| (PI * (1.0 - 2.0 * fraction)).sinh().atan().to_degrees();
        // The first and last row reach to the poles, so that nothing is lost beyond the square world.
        let north = if self.y == 0 { 90.0 } else { lat(edge(self.y, -share)) };
        let south = if self.y + 1 == 1 << self.zoom { -90.0 } else { lat(edge(self.y, 1.0 + share)) };
        Envelope::new(lon(edge(self.x, -share)), south, lon(edge(self.x, 1.0 + share)), north)
            .unwrap_or(Envelope::WORLD)
    }

    /// The tile that holds a position.
    #[must_use]
    pub fn at(position: LonLat, zoom: u8) -> Self {
        let zoom = zoom.min(Self::MAX_ZOOM);
        let tiles = f64::from(1_u32 << zoom);
        let (x, y) = world_fraction(position.lon(), position.lat());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are within 0..=tiles")]
        let index = |fraction: f64| ((fraction * tiles) as u32).min((1 << zoom) - 1);
        Self { zoom, x: index(x), y: index(y) }
    }
}

/// Position in the square world: 0..=1 eastward from the antimeridian, 0..=1 southward from the top.
fn world_fraction(lon: f64, lat: f64) -> (f64, f64) {
    let phi = lat.clamp(-MAX_LATITUDE_DEG, MAX_LATITUDE_DEG).to_radians();
    (lon / 360.0 + 0.5, 0.5 - phi.tan().asinh() / (2.0 * PI))
}
