//! Tile matrix sets WebMercatorQuad and WorldCRS84Quad (OGC 17-083r4, annexes D.1 and D.3): addresses, positions and
//! envelopes.

use std::fmt;

use crate::geodesy::plane::{Datum, GridPoint, Plane, Projection};
use crate::geodesy::{Envelope, LonLat};

/// How the world is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TileMatrixSet {
    /// Squares of Web Mercator, one at zoom 0.
    WebMercatorQuad,
    /// Squares of longitude and latitude, two at zoom 0.
    WorldCrs84Quad,
}

impl TileMatrixSet {
    fn plane(self, datum: Datum) -> Plane {
        let projection = match self {
            Self::WebMercatorQuad => Projection::WebMercator,
            Self::WorldCrs84Quad => Projection::PlateCarree,
        };
        Plane { projection, datum }
    }
}

/// A tile: zoom, column from the west, row from the north. One that does not exist cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileAddress {
    plane: Plane,
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

    /// Takes zoom, column and row; the tile shows WGS 84.
    ///
    /// # Errors
    /// When there is no such tile.
    pub fn new(grid: TileMatrixSet, zoom: u8, x: u32, y: u32) -> Result<Self, InvalidAddress> {
        if zoom > Self::MAX_ZOOM {
            return Err(InvalidAddress::Zoom(zoom));
        }
        let own = Self { plane: grid.plane(Datum::Wgs84), zoom, x, y };
        let (columns, rows) = own.counts();
        for (axis, value, count) in [("x", x, columns), ("y", y, rows)] {
            if value >= count {
                return Err(InvalidAddress::OutOfRange { axis, value, max: count - 1, zoom });
            }
        }
        Ok(own)
    }

    /// The tile at the same address of a map in another datum.
    #[must_use]
    pub fn in_datum(mut self, datum: Datum) -> Self {
        self.plane.datum = datum;
        self
    }

    /// The plane that it is cut from.
    #[must_use]
    pub fn plane(self) -> Plane {
        self.plane
    }

    /// Its zoom.
    #[must_use]
    pub fn zoom(self) -> u8 {
        self.zoom
    }

    /// The zoom of WebMercatorQuad at which tiles are as wide.
    #[must_use]
    pub fn mercator_zoom(self) -> u8 {
        self.plane.matrix_bits(self.zoom).0
    }

    /// Column from the west, row from the north.
    #[must_use]
    pub fn column_and_row(self) -> (u32, u32) {
        (self.x, self.y)
    }

    /// Tiles of the zoom from west to east and from north to south.
    fn counts(self) -> (u32, u32) {
        let (columns, rows) = self.plane.matrix_bits(self.zoom);
        (1 << columns, 1 << rows)
    }

    /// Where a position, longitude and latitude in degrees, falls: 0..=1 from west to east and from north to south
    /// inside the tile. Latitudes beyond the square world fall on its edge.
    #[must_use]
    pub fn fraction(self, lon: f64, lat: f64) -> (f64, f64) {
        let (columns, rows) = self.counts();
        let (x, y) = self.plane.fraction(lon, lat);
        (x * f64::from(columns) - f64::from(self.x), y * f64::from(rows) - f64::from(self.y))
    }

    /// Where a grid point lies in the tile, 0..1; `None` outside. A grid point is in exactly one tile of a zoom.
    #[must_use]
    pub fn fraction_of(self, point: GridPoint) -> Option<(f64, f64)> {
        let (columns, rows) = self.plane.matrix_bits(self.zoom);
        let along = |at: u32, cuts: u8, index: u32| {
            let size = 1_u64 << (32 - cuts);
            let offset = u64::from(at).checked_sub(u64::from(index) * size).filter(|offset| *offset < size)?;
            #[expect(clippy::cast_precision_loss, reason = "both are at most 2^32")]
            let share = offset as f64 / size as f64;
            Some(share)
        };
        Some((along(point.x, columns, self.x)?, along(point.y, rows, self.y)?))
    }

    /// The box of the tile widened on each side by a share of its width, in WGS 84: whatever has a place there may be
    /// in the tile, and nothing else is. It crosses the antimeridian only at zoom 0, where it is the whole world.
    #[must_use]
    pub fn buffered_envelope(self, share: f64) -> Envelope {
        self.plane.envelope(self.zoom, self.x, self.y, share)
    }

    /// The tile that holds a position.
    #[must_use]
    pub fn at(grid: TileMatrixSet, position: LonLat, zoom: u8) -> Self {
        let zoom = zoom.min(Self::MAX_ZOOM);
        let plane = grid.plane(Datum::Wgs84);
        let (columns, rows) = plane.matrix_bits(zoom);
        let point = plane.grid_point(position.lon(), position.lat());
        let index = |at: u32, cuts: u8| at.checked_shr(u32::from(32 - cuts)).unwrap_or(0);
        Self { plane, zoom, x: index(point.x, columns), y: index(point.y, rows) }
    }
}
