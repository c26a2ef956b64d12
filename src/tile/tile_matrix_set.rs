//! Tile matrix sets WebMercatorQuad and WorldCRS84Quad (OGC 17-083r4, annexes D.1 and D.3): addresses, positions and
//! envelopes.

use std::fmt;

use crate::geodesy::plane::{Datum, GridPoint, Plane, Projection};
use crate::geodesy::{Envelope, LonLat};

/// A tile matrix set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TileMatrixSet {
    /// Web Mercator, one tile at zoom 0.
    WebMercatorQuad,
    /// Longitude and latitude, two tiles at zoom 0.
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

/// The address of an existing tile: zoom, column from the west, row from the north.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileAddress {
    plane: Plane,
    zoom: u8,
    x: u32,
    y: u32,
}

/// Why three numbers are not a tile address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// The zoom exceeds the maximum.
    #[error("zoom {0} is above {max}", max = TileAddress::MAX_ZOOM)]
    Zoom(u8),
    /// The column or row is outside the matrix.
    #[error("{axis} {value} is outside 0..={max} at zoom {zoom}")]
    OutOfRange {
        /// `x` or `y`.
        axis: &'static str,
        /// The value.
        value: u32,
        /// The maximum at this zoom.
        max: u32,
        /// The zoom.
        zoom: u8,
    },
}

/// `z/x/y`, as in URLs.
impl fmt::Display for TileAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.zoom, self.x, self.y)
    }
}

impl TileAddress {
    /// Maximum zoom of the set.
    pub const MAX_ZOOM: u8 = 22;

    /// Checks zoom, column and row; the tile shows WGS 84.
    ///
    /// # Errors
    /// When the tile does not exist.
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

    /// The same address in a map with another datum.
    #[must_use]
    pub fn in_datum(mut self, datum: Datum) -> Self {
        self.plane.datum = datum;
        self
    }

    /// The tiles so many zooms deeper that it is made of; fewer zooms near the maximum.
    #[must_use]
    pub fn descendants(self, bits: u8) -> Vec<Self> {
        let bits = bits.min(Self::MAX_ZOOM - self.zoom);
        let side = 1_u32 << bits;
        let place = |at: u32| (self.x * side + at % side, self.y * side + at / side);
        (0..side * side).map(place).map(|(x, y)| Self { zoom: self.zoom + bits, x, y, ..self }).collect()
    }

    /// Its plane.
    #[must_use]
    pub fn plane(self) -> Plane {
        self.plane
    }

    /// Its zoom.
    #[must_use]
    pub fn zoom(self) -> u8 {
        self.zoom
    }

    /// The zoom of WebMercatorQuad with tiles of the same width.
    #[must_use]
    pub fn mercator_zoom(self) -> u8 {
        self.plane.matrix_bits(self.zoom).0
    }

    /// Column from the west, row from the north.
    #[must_use]
    pub fn column_and_row(self) -> (u32, u32) {
        (self.x, self.y)
    }

    /// Number of columns and rows at its zoom.
    fn counts(self) -> (u32, u32) {
        let (columns, rows) = self.plane.matrix_bits(self.zoom);
        (1 << columns, 1 << rows)
    }

    /// Position of a longitude and latitude in degrees inside the tile: 0..=1 from west to east and from north to
    /// south. Latitudes beyond the Web Mercator square are clamped to its edge.
    #[must_use]
    pub fn fraction(self, lon: f64, lat: f64) -> (f64, f64) {
        let (columns, rows) = self.counts();
        let (x, y) = self.plane.fraction(lon, lat);
        (x * f64::from(columns) - f64::from(self.x), y * f64::from(rows) - f64::from(self.y))
    }

    /// Position of a grid point inside the tile, 0..1; `None` outside. A grid point is in exactly one tile per zoom.
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

    /// The WGS 84 envelope of the tile, widened on each side by a fraction of its width: it intersects every feature
    /// that can appear in the tile. It crosses the antimeridian only at zoom 0, where it is the whole world.
    #[must_use]
    pub fn buffered_envelope(self, share: f64) -> Envelope {
        self.plane.envelope(self.zoom, self.x, self.y, share)
    }

    /// The tile that contains a position.
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
