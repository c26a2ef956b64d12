//! Coordinate reference systems of requests and replies, with their axis order.

use geo::{Coord, Geometry, GeometryCollection, LineString, MapCoords, MultiLineString, MultiPolygon, Polygon};

use super::datum::{Crs, CrsError, CrsProjection};
use super::{Envelope, LonLat};

/// WGS 84 longitude, latitude: the system of GeoJSON.
pub const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";

/// Systems with a URI: the URI, the EPSG code, and whether northing or latitude comes first in the EPSG registry.
const NAMED: [(&str, u32, bool); 7] = [
    (CRS84, 0, false),
    ("http://www.opengis.net/def/crs/EPSG/0/4326", 4326, true),
    ("http://www.opengis.net/def/crs/EPSG/0/4490", 4490, true),
    ("http://www.opengis.net/def/crs/EPSG/0/3857", 3857, false),
    ("http://www.opengis.net/def/crs/EPSG/0/4547", 4547, true),
    ("http://www.opengis.net/def/crs/EPSG/0/4548", 4548, true),
    ("http://www.opengis.net/def/crs/EPSG/0/4549", 4549, true),
];

/// An edge is split if its midpoint deviates from the straight line in degrees by more than this: a tenth of a
/// millimetre.
const STRAIGHT_DEG: f64 = 1e-9;
/// Most times an edge is halved.
const MAX_CUTS: u32 = 10;

/// A reference system and its axis order.
pub struct CrsTransform {
    /// `None` if coordinates are WGS 84 degrees already.
    converter: Option<CrsProjection>,
    north_first: bool,
    address: Option<&'static str>,
}

/// A box of some reference system in longitude and latitude.
#[derive(Clone, Debug)]
pub enum Region {
    /// A box of longitudes and latitudes.
    Box(Envelope),
    /// An area whose edges were densified.
    Area(Polygon),
}

impl CrsTransform {
    /// Longitude, latitude.
    #[must_use]
    pub fn crs84() -> Self {
        Self { converter: None, north_first: false, address: Some(CRS84) }
    }

    /// A system by name; easting or longitude first.
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

    /// A system by URI; axes in the order of the EPSG registry.
    ///
    /// # Errors
    /// When the URI is none of [`Self::addresses`].
    pub fn at_address(address: &str) -> Result<Self, CrsError> {
        let unknown = || CrsError::Unknown(address.to_owned());
        let (address, epsg, north_first) = NAMED.into_iter().find(|(own, ..)| *own == address).ok_or_else(unknown)?;
        let converter = match Crs::from_epsg(epsg) {
            None | Some(Crs::Geographic) => None,
            Some(other) => Some(other.converter()?),
        };
        Ok(Self { converter, north_first, address: Some(address) })
    }

    /// The supported URIs.
    pub fn addresses() -> impl Iterator<Item = &'static str> {
        NAMED.into_iter().map(|(address, ..)| address)
    }

    /// Its URI, if it was created from one.
    #[must_use]
    pub fn address(&self) -> Option<&'static str> {
        self.address
    }

    /// Whether its coordinates are longitude, latitude in degrees, as stored.
    #[must_use]
    pub fn is_crs84(&self) -> bool {
        self.converter.is_none() && !self.north_first
    }

    /// Converts two coordinates to a position.
    ///
    /// # Errors
    /// When they are not a position in this system.
    pub fn position(&self, first: f64, second: f64) -> Result<LonLat, CrsError> {
        let (x, y) = if self.north_first { (second, first) } else { (first, second) };
        match &self.converter {
            Some(converter) => converter.position(x, y),
            None => Ok(LonLat::new(x, y)?),
        }
    }

    /// Converts a position to two coordinates.
    ///
    /// # Errors
    /// When the position is outside the valid area of the system.
    pub fn pair(&self, at: LonLat) -> Result<(f64, f64), CrsError> {
        let (x, y) = match &self.converter {
            Some(converter) => converter.pair(at)?,
            None => (at.lon(), at.lat()),
        };
        Ok(if self.north_first { (y, x) } else { (x, y) })
    }

    /// Creates a box from minimum and maximum coordinates. A box in degrees may cross the antimeridian.
    ///
    /// # Errors
    /// When it is not a box, or extends beyond the valid area of the system.
    pub fn bent_box(&self, [first_min, second_min, first_max, second_max]: [f64; 4]) -> Result<Region, CrsError> {
        if self.converter.is_none() {
            let [west, south, east, north] = if self.north_first {
                [second_min, first_min, second_max, first_max]
            } else {
                [first_min, second_min, first_max, second_max]
            };
            return Ok(Region::Box(Envelope::new(west, south, east, north)?));
        }
        if !(first_min <= first_max && second_min <= second_max) {
            let crs = "a box whose end comes first".to_owned();
            return Err(CrsError::NotThere { x: first_min, y: second_min, crs });
        }
        // Widened by the rounding of replies, so that a feature on the edge of a box of its rounded coordinates is
        // inside.
        let wider = self.converter.as_ref().map_or(0.0, CrsProjection::rounding);
        let (low, high) = (
            Coord { x: first_min - wider, y: second_min - wider },
            Coord { x: first_max + wider, y: second_max + wider },
        );
        let corners = [low, Coord { x: high.x, y: low.y }, high, Coord { x: low.x, y: high.y }, low];
        Ok(Region::Area(Polygon::new(self.bent_path(&LineString(corners.to_vec()))?, Vec::new())))
    }

    /// Converts a geometry from this system. Its edges are straight in this system and curved in degrees, so they are
    /// densified.
    ///
    /// # Errors
    /// When it extends beyond the valid area of the system.
    pub fn bent(&self, geometry: &Geometry) -> Result<Geometry, CrsError> {
        if self.converter.is_none() {
            return geometry.try_map_coords(|coord| self.position(coord.x, coord.y).map(Coord::from));
        }
        Ok(match geometry {
            Geometry::LineString(line) => self.bent_path(line)?.into(),
            Geometry::MultiLineString(lines) => {
                MultiLineString(lines.iter().map(|line| self.bent_path(line)).collect::<Result<_, _>>()?).into()
            }
            Geometry::Polygon(polygon) => self.bent_polygon(polygon)?.into(),
            Geometry::MultiPolygon(polygons) => {
                MultiPolygon(polygons.iter().map(|own| self.bent_polygon(own)).collect::<Result<_, _>>()?).into()
            }
            Geometry::Line(line) => self.bent_path(&LineString::from(line))?.into(),
            Geometry::Rect(rect) => self.bent_polygon(&rect.to_polygon())?.into(),
            Geometry::Triangle(triangle) => self.bent_polygon(&triangle.to_polygon())?.into(),
            Geometry::GeometryCollection(parts) => {
                let parts = parts.iter().map(|part| self.bent(part)).collect::<Result<_, _>>()?;
                Geometry::GeometryCollection(GeometryCollection(parts))
            }
            points => points.try_map_coords(|coord| self.position(coord.x, coord.y).map(Coord::from))?,
        })
    }

    fn bent_polygon(&self, polygon: &Polygon) -> Result<Polygon, CrsError> {
        let holes = polygon.interiors().iter().map(|hole| self.bent_path(hole)).collect::<Result<_, _>>()?;
        Ok(Polygon::new(self.bent_path(polygon.exterior())?, holes))
    }

    fn bent_path(&self, path: &LineString) -> Result<LineString, CrsError> {
        let place = |at: Coord| self.position(at.x, at.y).map(Coord::from);
        let mut bent: Vec<Coord> = path.0.first().map(|first| place(*first)).transpose()?.into_iter().collect();
        for edge in path.lines() {
            // Segments still to be checked, the next one on top.
            let mut pieces = vec![(edge.start, place(edge.start)?, edge.end, place(edge.end)?, MAX_CUTS)];
            while let Some((start, from, end, to, cuts)) = pieces.pop() {
                let middle = (start + end) / 2.0;
                let there = place(middle)?;
                let off = there - (from + to) / 2.0;
                if cuts == 0 || off.x.abs().max(off.y.abs()) < STRAIGHT_DEG {
                    bent.push(to);
                } else {
                    pieces.push((middle, there, end, to, cuts - 1));
                    pieces.push((start, from, middle, there, cuts - 1));
                }
            }
        }
        Ok(LineString(bent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_order_is_that_of_the_registry() -> Result<(), Box<dyn std::error::Error>> {
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
