//! Coordinates as a caller writes them: a reference system with its order of axes.

use geo::{Coord, Geometry, GeometryCollection, LineString, MapCoords, MultiLineString, MultiPolygon, Polygon};

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

/// How far the middle of a straight side may lie from where it is in degrees, before it is cut in two: a tenth of a
/// millimetre.
const STRAIGHT_DEG: f64 = 1e-9;
/// How often a side may be cut in two.
const MAX_CUTS: u32 = 10;

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
        if !(first_min <= first_max && second_min <= second_max) {
            let crs = "a box whose end comes first".to_owned();
            return Err(CrsError::NotThere { x: first_min, y: second_min, crs });
        }
        // What was told with rounded coordinates lies on the edge of a box of these coordinates.
        let wider = self.converter.as_ref().map_or(0.0, CrsProjection::rounding);
        let (low, high) = (
            Coord { x: first_min - wider, y: second_min - wider },
            Coord { x: first_max + wider, y: second_max + wider },
        );
        let corners = [low, Coord { x: high.x, y: low.y }, high, Coord { x: low.x, y: high.y }, low];
        Ok(Region::Area(Polygon::new(self.bent_path(&LineString(corners.to_vec()))?, Vec::new())))
    }

    /// A geometry from its coordinates in this system. Its edges are straight there, and bent in degrees, so they are
    /// cut into as many pieces as it takes.
    ///
    /// # Errors
    /// When it reaches where the system does not.
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
            // Pieces that are still to be looked at, the first on top.
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
