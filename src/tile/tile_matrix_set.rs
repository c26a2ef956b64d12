//! Tile matrix sets WebMercatorQuad and WorldCRS84Quad (OGC 17-083r4, annexes D.1 and D.3): addresses, positions and
//! envelopes.

use std::f64::consts::PI;
use std::fmt;

use crate::geodesy::{Envelope, LonLat};

/// Highest latitude of the square world, degrees.
const MAX_LATITUDE_DEG: f64 = 85.051_128_779_806_6;

/// How the world is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TileMatrixSet {
    /// Squares of Web Mercator, one at zoom 0.
    WebMercatorQuad,
    /// Squares of longitude and latitude, two at zoom 0.
    WorldCrs84Quad,
}

impl TileMatrixSet {
    /// Tiles from west to east and from north to south.
    fn tiles(self, zoom: u8) -> (u32, u32) {
        let rows = 1 << zoom;
        (if self == Self::WorldCrs84Quad { 2 * rows } else { rows }, rows)
    }

    /// Position in the world: 0..=1 eastward from the antimeridian, 0..=1 southward from the top.
    fn world_fraction(self, lon: f64, lat: f64) -> (f64, f64) {
        let y = match self {
            Self::WebMercatorQuad => {
                let phi = lat.clamp(-MAX_LATITUDE_DEG, MAX_LATITUDE_DEG).to_radians();
                0.5 - phi.tan().asinh() / (2.0 * PI)
            }
            Self::WorldCrs84Quad => 0.5 - lat / 180.0,
        };
        (lon / 360.0 + 0.5, y)
    }

    /// Latitude at a position from the top, 0..=1.
    fn latitude(self, fraction: f64) -> f64 {
        match self {
            Self::WebMercatorQuad => (PI * (1.0 - 2.0 * fraction)).sinh().atan().to_degrees(),
            Self::WorldCrs84Quad => 90.0 - 180.0 * fraction,
        }
    }
}

/// A tile: zoom, column from the west, row from the north. One that does not exist cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileAddress {
    grid: TileMatrixSet,
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
    pub fn new(grid: TileMatrixSet, zoom: u8, x: u32, y: u32) -> Result<Self, InvalidAddress> {
        if zoom > Self::MAX_ZOOM {
            return Err(InvalidAddress::Zoom(zoom));
        }
        let (columns, rows) = grid.tiles(zoom);
        for (axis, value, count) in [("x", x, columns), ("y", y, rows)] {
            if value >= count {
                return Err(InvalidAddress::OutOfRange { axis, value, max: count - 1, zoom });
            }
        }
        Ok(Self { grid, zoom, x, y })
    }

    /// The zoom of WebMercatorQuad at which tiles are as wide.
    #[must_use]
    pub fn mercator_zoom(self) -> u8 {
        match self.grid {
            TileMatrixSet::WebMercatorQuad => self.zoom,
            TileMatrixSet::WorldCrs84Quad => self.zoom + 1,
        }
    }

    /// Column from the west, row from the north.
    #[must_use]
    pub fn column_and_row(self) -> (u32, u32) {
        (self.x, self.y)
    }

    /// Whether it is the last column and the last row of its zoom.
    #[must_use]
    pub fn is_last(self) -> (bool, bool) {
        let (columns, rows) = self.grid.tiles(self.zoom);
        (self.x + 1 == columns, self.y + 1 == rows)
    }

    /// Where a position falls: 0..=1 from west to east and from north to south inside the tile. Latitudes
    /// beyond the square world fall on its edge.
    #[must_use]
    pub fn fraction(self, lon: f64, lat: f64) -> (f64, f64) {
        let (columns, rows) = self.grid.tiles(self.zoom);
        let (x, y) = self.grid.world_fraction(lon, lat);
        (x * f64::from(columns) - f64::from(self.x), y * f64::from(rows) - f64::from(self.y))
    }

    /// The box of the tile widened on each side by a share of its width. It crosses the antimeridian
    /// only at zoom 0, where it is the whole world.
    #[must_use]
    pub fn buffered_envelope(self, share: f64) -> Envelope {
        let (columns, rows) = self.grid.tiles(self.zoom);
        let edge = |at: u32, offset: f64, of: u32| ((f64::from(at) + offset) / f64::from(of)).clamp(0.0, 1.0);
        let lon = |offset: f64| edge(self.x, offset, columns) * 360.0 - 180.0;
        let lat = |offset: f64| self.grid.latitude(edge(self.y, offset, rows));
        // The first and last row reach to the poles, so that nothing is lost beyond the square world.
        let north = if self.y == 0 { 90.0 } else { lat(-share) };
        let south = if self.y + 1 == rows { -90.0 } else { lat(1.0 + share) };
        Envelope::new(lon(-share), south, lon(1.0 + share), north).unwrap_or(Envelope::WORLD)
    }

    /// The tile that holds a position.
    #[must_use]
    pub fn at(grid: TileMatrixSet, position: LonLat, zoom: u8) -> Self {
        let zoom = zoom.min(Self::MAX_ZOOM);
        let (columns, rows) = grid.tiles(zoom);
        let (x, y) = grid.world_fraction(position.lon(), position.lat());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are within 0..=tiles")]
        let index = |fraction: f64, count: u32| ((fraction * f64::from(count)) as u32).min(count - 1);
        Self { grid, zoom, x: index(x, columns), y: index(y, rows) }
    }
}
