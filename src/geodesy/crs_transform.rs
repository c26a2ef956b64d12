//! Converts coordinates and geometries of a reference system to and from longitude, latitude.
//!
//! Gauss-Krüger, UTM and Mercator are computed by `proj4rs`, GCJ-02 and BD-09 by [`super::gcj02`].

use std::borrow::Cow;

use geo::{Coord, Geometry, GeometryCollection, LineString, MapCoords, MultiLineString, MultiPolygon, Polygon};
use proj4rs::Proj;

use super::crs::{Coordinates, Crs, CrsError};
use super::gcj02::{from_bd09, from_gcj02, to_bd09, to_gcj02};
use super::region::Region;
use super::{Envelope, LonLat};

/// An edge is split if its midpoint deviates from the straight line in degrees by more than this: a tenth of a
/// millimetre.
const STRAIGHT_DEG: f64 = 1e-9;
/// Maximum number of times an edge is halved.
const MAX_CUTS: u32 = 10;

/// A reference system, prepared for many conversions.
pub struct CrsTransform {
    crs: Crs,
    /// The projection and its geographic base system; `None` for systems in degrees.
    projection: Option<(Proj, Proj)>,
}

impl CrsTransform {
    /// Longitude, latitude.
    #[must_use]
    pub fn crs84() -> Self {
        Self { crs: Crs::CRS84, projection: None }
    }

    /// Prepares the transform of a system.
    ///
    /// # Errors
    /// When the projection library refuses its definition.
    pub fn new(crs: Crs) -> Result<Self, CrsError> {
        let projection = match &crs.coordinates {
            Coordinates::Projected { definition, .. } => {
                let refused = |_| CrsError::Unknown(crs.to_string());
                Some((
                    Proj::from_proj_string(definition).map_err(refused)?,
                    Proj::from_proj_string("+proj=longlat +ellps=GRS80 +no_defs").map_err(refused)?,
                ))
            }
            Coordinates::Geographic | Coordinates::Gcj02 | Coordinates::Bd09 => None,
        };
        Ok(Self { crs, projection })
    }

    /// The system.
    #[must_use]
    pub fn crs(&self) -> &Crs {
        &self.crs
    }

    /// Converts two coordinates, in the system's axis order, to a position.
    ///
    /// # Errors
    /// When they are not a position in this system.
    pub fn position(&self, first: f64, second: f64) -> Result<LonLat, CrsError> {
        let (x, y) = if self.crs.north_first { (second, first) } else { (first, second) };
        if let Some((from, to)) = &self.projection {
            let mut point = (x, y, 0.0);
            let is_converted = proj4rs::transform::transform(from, to, &mut point).is_ok();
            if !is_converted || !point.0.is_finite() || !point.1.is_finite() {
                return Err(CrsError::NotThere { x, y, crs: self.crs.to_string() });
            }
            return Ok(LonLat::new(point.0.to_degrees(), point.1.to_degrees())?);
        }
        let given = LonLat::new(x, y)?;
        Ok(match self.crs.coordinates {
            Coordinates::Gcj02 => from_gcj02(given),
            Coordinates::Bd09 => from_bd09(given),
            Coordinates::Geographic | Coordinates::Projected { .. } => given,
        })
    }

    /// Converts a position to two coordinates in the system's axis order.
    ///
    /// # Errors
    /// When the position is outside the valid area of the system.
    pub fn pair(&self, at: LonLat) -> Result<[f64; 2], CrsError> {
        let (x, y) = if let Some((to, from)) = &self.projection {
            let mut point = (at.lon.to_radians(), at.lat.to_radians(), 0.0);
            let is_converted = proj4rs::transform::transform(from, to, &mut point).is_ok();
            let (x, y) = (point.0, point.1);
            if !is_converted || !x.is_finite() || !y.is_finite() || !self.round_trips(at, self.in_axis_order(x, y)) {
                return Err(CrsError::NotThere { x: at.lon, y: at.lat, crs: self.crs.to_string() });
            }
            (x, y)
        } else {
            let shifted = match self.crs.coordinates {
                Coordinates::Gcj02 => to_gcj02(at),
                Coordinates::Bd09 => to_bd09(at),
                Coordinates::Geographic | Coordinates::Projected { .. } => at,
            };
            (shifted.lon, shifted.lat)
        };
        Ok(self.in_axis_order(x, y))
    }

    fn in_axis_order(&self, x: f64, y: f64) -> [f64; 2] {
        if self.crs.north_first { [y, x] } else { [x, y] }
    }

    /// Whether converted coordinates are valid. Far outside the valid area of a projection its formulas still return
    /// numbers, but these belong to another position or to none.
    fn round_trips(&self, at: LonLat, [first, second]: [f64; 2]) -> bool {
        const CLOSED_M: f64 = 0.01;
        self.position(first, second).is_ok_and(|back| super::distance::distance_m(at, back) < CLOSED_M)
    }

    /// Rounding unit of coordinates in replies, in units of the system: a millimetre or less.
    fn rounding(&self) -> f64 {
        if self.projection.is_some() { 1e-3 } else { 1e-8 }
    }

    /// Converts a box, given by its minimum and maximum coordinates in the system's axis order. A box in degrees may
    /// cross the antimeridian.
    ///
    /// # Errors
    /// When it is not a box, or extends beyond the valid area of the system.
    pub fn region(&self, [first_min, second_min, first_max, second_max]: [f64; 4]) -> Result<Region, CrsError> {
        if self.crs.coordinates == Coordinates::Geographic {
            let [west, south, east, north] = if self.crs.north_first {
                [second_min, first_min, second_max, first_max]
            } else {
                [first_min, second_min, first_max, second_max]
            };
            return Ok(Region::Box(Envelope::new(west, south, east, north)?));
        }
        if !(first_min <= first_max && second_min <= second_max) {
            return Err(CrsError::BoxOrder);
        }
        // Widened by the rounding of replies, so that a feature on the edge of a box of its rounded coordinates is
        // inside.
        let wider = self.rounding();
        let (low, high) = (
            Coord { x: first_min - wider, y: second_min - wider },
            Coord { x: first_max + wider, y: second_max + wider },
        );
        let corners = [low, Coord { x: high.x, y: low.y }, high, Coord { x: low.x, y: high.y }, low];
        Ok(Polygon::new(self.path(&LineString(corners.to_vec()))?, Vec::new()).into())
    }

    /// Converts a geometry of this system to longitude, latitude. Its edges are straight in this system and curved in
    /// degrees, so they are densified.
    ///
    /// # Errors
    /// When it extends beyond the valid area of the system.
    pub fn to_lon_lat(&self, geometry: &Geometry) -> Result<Geometry, CrsError> {
        if self.crs.coordinates == Coordinates::Geographic {
            return geometry.try_map_coords(|coord| self.position(coord.x, coord.y).map(Coord::from));
        }
        Ok(match geometry {
            Geometry::LineString(line) => self.path(line)?.into(),
            Geometry::MultiLineString(lines) => {
                MultiLineString(lines.iter().map(|line| self.path(line)).collect::<Result<_, _>>()?).into()
            }
            Geometry::Polygon(polygon) => self.polygon(polygon)?.into(),
            Geometry::MultiPolygon(polygons) => {
                MultiPolygon(polygons.iter().map(|own| self.polygon(own)).collect::<Result<_, _>>()?).into()
            }
            Geometry::Line(line) => self.path(&LineString::from(line))?.into(),
            Geometry::Rect(rect) => self.polygon(&rect.to_polygon())?.into(),
            Geometry::Triangle(triangle) => self.polygon(&triangle.to_polygon())?.into(),
            Geometry::GeometryCollection(parts) => {
                let parts = parts.iter().map(|part| self.to_lon_lat(part)).collect::<Result<_, _>>()?;
                Geometry::GeometryCollection(GeometryCollection(parts))
            }
            points => points.try_map_coords(|coord| self.position(coord.x, coord.y).map(Coord::from))?,
        })
    }

    /// Converts a geometry in longitude, latitude to this system, vertex by vertex; `None` when part of it is outside
    /// the valid area of the system.
    #[must_use]
    pub fn from_lon_lat<'a>(&self, geometry: &'a Geometry) -> Option<Cow<'a, Geometry>> {
        if self.crs.is_crs84() {
            return Some(Cow::Borrowed(geometry));
        }
        let converted = geometry.try_map_coords(|coord| {
            let [x, y] = self.pair(LonLat::try_from(coord)?)?;
            Ok::<_, CrsError>(Coord { x, y })
        });
        converted.ok().map(Cow::Owned)
    }

    fn polygon(&self, polygon: &Polygon) -> Result<Polygon, CrsError> {
        let holes = polygon.interiors().iter().map(|hole| self.path(hole)).collect::<Result<_, _>>()?;
        Ok(Polygon::new(self.path(polygon.exterior())?, holes))
    }

    fn path(&self, path: &LineString) -> Result<LineString, CrsError> {
        let place = |at: Coord| self.position(at.x, at.y).map(Coord::from);
        let mut bent: Vec<Coord> = path.0.first().map(|first| place(*first)).transpose()?.into_iter().collect();
        for edge in path.lines() {
            // Segments still to be checked, the next one on top.
            let mut pieces = vec![(edge.start, place(edge.start)?, edge.end, place(edge.end)?, MAX_CUTS)];
            while let Some((start, from, end, to, cuts)) = pieces.pop() {
                let middle = (start + end) / 2.0;
                let converted = place(middle)?;
                let off = converted - (from + to) / 2.0;
                if cuts == 0 || off.x.abs().max(off.y.abs()) < STRAIGHT_DEG {
                    bent.push(to);
                } else {
                    pieces.push((middle, converted, end, to, cuts - 1));
                    pieces.push((start, from, middle, converted, cuts - 1));
                }
            }
        }
        Ok(LineString(bent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_uri(uri: &str) -> Result<CrsTransform, CrsError> {
        CrsTransform::new(Crs::from_uri(uri)?)
    }

    #[test]
    fn axis_order_is_that_of_the_registry() -> Result<(), Box<dyn std::error::Error>> {
        let minqing = LonLat::new(118.86, 26.22)?;
        let [lat, lon] = at_uri("http://www.opengis.net/def/crs/EPSG/0/4326")?.pair(minqing)?;
        assert_eq!((lat, lon), (26.22, 118.86));
        let [x, y] = at_uri("http://www.opengis.net/def/crs/EPSG/0/4549")?.pair(minqing)?;
        assert!(x > 2_000_000.0 && (300_000.0..700_000.0).contains(&y), "northing first: {x},{y}");
        let [x, y] = at_uri("http://www.opengis.net/def/crs/EPSG/0/3857")?.pair(minqing)?;
        assert!(x > 13_000_000.0 && y < 4_000_000.0, "easting first: {x},{y}");
        Ok(())
    }

    #[test]
    fn three_degree_zone_40_is_minqing() -> Result<(), CrsError> {
        // On the central meridian 120° E the easting equals the false easting.
        for (name, easting) in [("EPSG:4549", 500_000.0), ("EPSG:4528", 40_500_000.0)] {
            let at = CrsTransform::new(Crs::parse(name)?)?.position(easting, 2_899_000.0)?;
            assert!((at.lon() - 120.0).abs() < 1e-9 && (at.lat() - 26.2).abs() < 0.02, "{name}: {at}");
            let [x, y] = CrsTransform::new(Crs::parse(name)?)?.pair(at)?;
            assert!((x - easting).abs() < 1e-3 && (y - 2_899_000.0).abs() < 1e-3, "{name}: {x},{y}");
        }
        assert!(Crs::parse("EPSG:4547x").is_err());
        Ok(())
    }
}
