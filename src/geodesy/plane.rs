//! Map planes: project longitude and latitude to fractions of the world and to an integer grid, which tiles and cluster
//! cells divide.

use std::f64::consts::PI;

use super::gcj02::to_gcj02;
use super::{Envelope, LonLat};

/// Highest latitude of the Web Mercator square, degrees.
const MAX_LATITUDE_DEG: f64 = 85.051_128_779_806_6;
/// Grid steps along an axis of a plane.
const GRID_STEPS: f64 = 4_294_967_296.0;

/// Length of the equator on the sphere of Web Mercator, km.
pub const EQUATOR_KM: f64 = 40_075.016_685_578_5;

/// A map projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Projection {
    /// Web Mercator (EPSG:3857), a square.
    WebMercator,
    /// Longitude and latitude as x and y (EPSG:4326), twice as wide as high.
    PlateCarree,
}

/// The datum of the coordinates of a plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Datum {
    /// WGS 84 / CGCS2000, as stored.
    #[default]
    Wgs84,
    /// GCJ-02, the offset of Chinese base maps.
    Gcj02,
}

/// A projection of coordinates in a datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plane {
    /// The projection.
    pub projection: Projection,
    /// The datum.
    pub datum: Datum,
}

/// A position on the integer grid of a plane. Each axis of the world has 2³² steps, x eastward from the antimeridian, y
/// southward from the top. A step of x is 9 mm at the equator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridPoint {
    /// Eastward.
    pub x: u32,
    /// Southward.
    pub y: u32,
}

impl Plane {
    /// Number of planes.
    pub const COUNT: usize = 4;
    /// Upper bound of the distance between the two datums, degrees.
    pub const DATUM_SHIFT_DEG: f64 = 0.02;

    /// Its index among all planes, below [`Self::COUNT`].
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.projection == Projection::PlateCarree) + 2 * usize::from(self.datum == Datum::Gcj02)
    }

    /// The plane of an index.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        let projection = if index.is_multiple_of(2) { Projection::WebMercator } else { Projection::PlateCarree };
        let datum = if index < 2 { Datum::Wgs84 } else { Datum::Gcj02 };
        (index < Self::COUNT).then_some(Self { projection, datum })
    }

    /// Number of columns and of rows at a zoom, as powers of two.
    #[must_use]
    pub fn matrix_bits(self, zoom: u8) -> (u8, u8) {
        (if self.projection == Projection::PlateCarree { zoom + 1 } else { zoom }, zoom)
    }

    /// Projects WGS 84 longitude and latitude in degrees to fractions of the world: 0..=1 eastward from the
    /// antimeridian, 0..=1 southward from the top. Latitudes beyond the Web Mercator square are clamped to its edge.
    #[must_use]
    pub fn fraction(self, lon: f64, lat: f64) -> (f64, f64) {
        let (lon, lat) = match self.datum {
            Datum::Wgs84 => (lon, lat),
            Datum::Gcj02 => LonLat::new(lon, lat).map(to_gcj02).map_or((lon, lat), |at| (at.lon(), at.lat())),
        };
        let y = match self.projection {
            Projection::WebMercator => {
                let phi = lat.clamp(-MAX_LATITUDE_DEG, MAX_LATITUDE_DEG).to_radians();
                0.5 - phi.tan().asinh() / (2.0 * PI)
            }
            Projection::PlateCarree => 0.5 - lat / 180.0,
        };
        (lon / 360.0 + 0.5, y)
    }

    /// Latitude in degrees, in the datum of the plane, at a fraction of the world from the top.
    #[must_use]
    pub fn latitude(self, fraction: f64) -> f64 {
        match self.projection {
            Projection::WebMercator => (PI * (1.0 - 2.0 * fraction)).sinh().atan().to_degrees(),
            Projection::PlateCarree => 90.0 - 180.0 * fraction,
        }
    }

    /// The WGS 84 envelope of a column and row of a zoom, widened on each side by a fraction of its width: every feature
    /// that can appear there intersects it. The first and the last row extend to the poles, because latitudes are
    /// clamped. It does not cross the antimeridian.
    #[must_use]
    pub fn envelope(self, zoom: u8, x: u32, y: u32, margin: f64) -> Envelope {
        let (columns, rows) = self.matrix_bits(zoom);
        let (columns, rows) = (1_u32 << columns, 1_u32 << rows);
        let edge = |at: u32, offset: f64, of: u32| ((f64::from(at) + offset) / f64::from(of)).clamp(0.0, 1.0);
        let slack = match self.datum {
            Datum::Wgs84 => 0.0,
            Datum::Gcj02 => Self::DATUM_SHIFT_DEG,
        };
        let lon = |offset: f64, slack: f64| (edge(x, offset, columns) * 360.0 - 180.0 + slack).clamp(-180.0, 180.0);
        let lat = |offset: f64, slack: f64| (self.latitude(edge(y, offset, rows)) + slack).clamp(-90.0, 90.0);
        let north = if y == 0 { 90.0 } else { lat(-margin, slack) };
        let south = if y + 1 == rows { -90.0 } else { lat(1.0 + margin, -slack) };
        Envelope::new(lon(-margin, -slack), south, lon(1.0 + margin, slack), north).unwrap_or(Envelope::WORLD)
    }

    /// Projects WGS 84 longitude and latitude in degrees to the grid.
    #[must_use]
    pub fn grid_point(self, lon: f64, lat: f64) -> GridPoint {
        let (x, y) = self.fraction(lon, lat);
        GridPoint { x: grid_steps(x), y: grid_steps(y) }
    }
}

/// A fraction of the world as grid steps; the far edge belongs to the last step.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn grid_steps(fraction: f64) -> u32 {
    (fraction * GRID_STEPS) as u32
}
