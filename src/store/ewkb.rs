//! Shapes as EWKB, the format of geometries in PostgreSQL rows.

use geo::{Coord, Geometry, LineString, Polygon};
use postgis::ewkb::{self, AsEwkbGeometry, EwkbWrite};

use crate::model::Shape;

/// EPSG code of stored positions.
pub(super) const SRID: i32 = 4326;

/// Appends a shape.
pub(super) fn write(out: &mut Vec<u8>, shape: &Shape) -> Result<(), postgis::error::Error> {
    to_ewkb(shape.geometry()).as_ewkb().write_ewkb(out)
}

fn to_ewkb(geometry: &Geometry) -> ewkb::Geometry {
    let srid = Some(SRID);
    match geometry {
        Geometry::Point(point) => ewkb::GeometryT::Point(position(point.0)),
        Geometry::LineString(line) => ewkb::GeometryT::LineString(path(line)),
        Geometry::Polygon(area) => ewkb::GeometryT::Polygon(polygon(area)),
        Geometry::MultiPoint(points) => {
            let points = points.iter().map(|point| position(point.0)).collect();
            ewkb::GeometryT::MultiPoint(ewkb::MultiPointT { points, srid })
        }
        Geometry::MultiLineString(lines) => {
            let lines = lines.iter().map(path).collect();
            ewkb::GeometryT::MultiLineString(ewkb::MultiLineStringT { lines, srid })
        }
        Geometry::MultiPolygon(areas) => {
            let polygons = areas.iter().map(polygon).collect();
            ewkb::GeometryT::MultiPolygon(ewkb::MultiPolygonT { polygons, srid })
        }
        // `Shape` has converted these into the types above.
        Geometry::Line(_) | Geometry::Rect(_) | Geometry::Triangle(_) | Geometry::GeometryCollection(_) => {
            ewkb::GeometryT::GeometryCollection(ewkb::GeometryCollectionT { geometries: Vec::new(), srid })
        }
    }
}

fn position(at: Coord) -> ewkb::Point {
    ewkb::Point::new(at.x, at.y, Some(SRID))
}

fn path(line: &LineString) -> ewkb::LineString {
    ewkb::LineStringT { points: line.coords().map(|at| position(*at)).collect(), srid: Some(SRID) }
}

fn polygon(area: &Polygon) -> ewkb::Polygon {
    let rings = std::iter::once(area.exterior()).chain(area.interiors()).map(path).collect();
    ewkb::PolygonT { rings, srid: Some(SRID) }
}
