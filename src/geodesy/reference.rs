//! Coordinates as a caller writes them: a reference system with its order of axes.

use geo::{Coord, LineString, Polygon};

use super::datum::{Crs, CrsError, CrsProjection};
use super::{Envelope, LonLat};

/// WGS 84 longitude, latitude: the system of GeoJSON.
pub const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";

/// Systems that are named by an address: the address, the EPSG code, and whether northing or latitude stands first, as
/// the registry has it.
const NAMED: [(&str, u32, bool); 7] = [
    (CRS84, 0, false),
    ("http://www.opengis.net/def/crs/EPSG/0/4326", 4326, true),
    ("http://www.opengis.net/def/crs/EPSG/0/4490", 4490, true),
    ("http://www.opengis.net/def/crs/EPSG/0/3857", 3857, false),
    ("http://www.opengis.net/def/crs/EPSG/0/4547", 4547, true),
    ("http://www.opengis.net/def/crs/EPSG/0/4548", 4548, true),
    ("http://www.opengis.net/def/crs/EPSG/0/4549", 4549, true),
];

/// Into how many pieces the side of a box is cut when it is bent into another system.
const PIECES: u32 = 16;

/// A reference system and the order in which its coordinates are written.
pub struct CrsTransform {
    /// Nothing where coordinates are WGS 84 degrees already.
    converter: Option<CrsProjection>,
    north_first: bool,
    address: Option<&'static str>,
}

/// A box in some system, as it lies on earth.
#[derive(Clone, Debug)]
pub enum Region {
    /// Still a box of longitudes and latitudes.
    Box(Envelope),
    /// An area with bent sides.
    Area(Polygon),
}

impl CrsTransform {
    /// Longitude, latitude.
    #[must_use]
    pub fn crs84() -> Self {
        Self { converter: None, north_first: false, address: Some(CRS84) }
    }

    /// A system by its name; easting or longitude first.
    ///
    /// # Errors
    /// When the name is not known.
    pub fn named(name: &str) -> Result<Self, CrsError> {
        let converter = match Crs::parse(name)? {
            Crs::Geographic => None,
            other => Some(other.converter()?),
        };
        Ok(Self { converter, north_first: false, address: None })
    }

    /// A system by its address, axes in the order of the registry.
    ///
    /// # Errors
    /// When the address is none of [`Self::addresses`].
    pub fn at_address(address: &str) -> Result<Self, CrsError> {
        let unknown = || CrsError::Unknown(address.to_owned());
        let (address, epsg, north_first) = NAMED.into_iter().find(|(own, ..)| *own == address).ok_or_else(unknown)?;
        let converter = match Crs::from_epsg(epsg) {
            None | Some(Crs::Geographic) => None,
            Some(other) => Some(other.converter()?),
        };
        Ok(Self { converter, north_first, address: Some(address) })
    }

    /// The addresses that are known.
    pub fn addresses() -> impl Iterator<Item = &'static str> {
        NAMED.into_iter().map(|(address, ..)| address)
    }

    /// Its address, if it was named by one.
    #[must_use]
    pub fn address(&self) -> Option<&'static str> {
        self.address
    }

    /// Whether coordinates are longitude, latitude in degrees as they are on file.
    #[must_use]
    pub fn is_crs84(&self) -> bool {
        self.converter.is_none() && !self.north_first
    }

    /// A position from two coordinates.
    ///
    /// # Errors
    /// When there is no such place.
    pub fn position(&self, first: f64, second: f64) -> Result<LonLat, CrsError> {
        let (x, y) = if self.north_first { (second, first) } else { (first, second) };
        match &self.converter {
            Some(converter) => converter.position(x, y),
            None => Ok(LonLat::new(x, y)?),
        }
    }

    /// The two coordinates of a position.
    ///
    /// # Errors
    /// When the system does not reach there.
    pub fn pair(&self, at: LonLat) -> Result<(f64, f64), CrsError> {
        let (x, y) = match &self.converter {
            Some(converter) => converter.pair(at)?,
            None => (at.lon(), at.lat()),
        };
        Ok(if self.north_first { (y, x) } else { (x, y) })
    }

    /// A box from the least and the greatest coordinates. In degrees a box may cross the antimeridian.
    ///
    /// # Errors
    /// When it is no box, or reaches where the system does not.
    pub fn bent_box(&self, [first_min, second_min, first_max, second_max]: [f64; 4]) -> Result<Region, CrsError> {
        if self.converter.is_none() {
            let [west, south, east, north] = if self.north_first {
                [second_min, first_min, second_max, first_max]
            } else {
                [first_min, second_min, first_max, second_max]
            };
            return Ok(Region::Box(Envelope::new(west, south, east, north)?));
        }
        let (low, high) = (Coord { x: first_min, y: second_min }, Coord { x: first_max, y: second_max });
        let corners = [low, Coord { x: high.x, y: low.y }, high, Coord { x: low.x, y: high.y }, low];
        if !(low.x <= high.x && low.y <= high.y) {
            return Err(CrsError::NotThere { x: low.x, y: low.y, crs: "a box whose end comes first".to_owned() });
        }
        let mut ring = Vec::new();
        for side in corners.windows(2) {
            for piece in 0..PIECES {
                let at = side[0] + (side[1] - side[0]) * (f64::from(piece) / f64::from(PIECES));
                ring.push(Coord::from(self.position(at.x, at.y)?));
            }
        }
        Ok(Region::Area(Polygon::new(LineString(ring), Vec::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_stand_as_the_registry_has_them() -> Result<(), Box<dyn std::error::Error>> {
        let minqing = LonLat::new(118.86, 26.22)?;
        let (lat, lon) = CrsTransform::at_address("http://www.opengis.net/def/crs/EPSG/0/4326")?.pair(minqing)?;
        assert_eq!((lat, lon), (26.22, 118.86));
        let (x, y) = CrsTransform::at_address("http://www.opengis.net/def/crs/EPSG/0/4549")?.pair(minqing)?;
        assert!(x > 2_000_000.0 && (300_000.0..700_000.0).contains(&y), "northing first: {x},{y}");
        let (x, y) = CrsTransform::at_address("http://www.opengis.net/def/crs/EPSG/0/3857")?.pair(minqing)?;
        assert!(x > 13_000_000.0 && y < 4_000_000.0, "easting first: {x},{y}");
        Ok(())
    }
}
