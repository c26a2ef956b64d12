//! Where the name of a line or an area is drawn: one position for each feature, the same at every zoom.

use geo::line_measures::{InterpolateLine, Length};
use geo::{Area, Coord, Euclidean, Geometry, InteriorPoint, LineString, Polygon};

/// A position inside the largest part of an area, or the middle of the longest part of a line, in degrees; `None` for
/// points.
pub(super) fn label_point(shape: &Geometry) -> Option<Coord> {
    match shape {
        Geometry::LineString(line) => middle(line),
        Geometry::MultiLineString(lines) => middle(longest(lines.0.iter())?),
        Geometry::Polygon(area) => inside(area),
        Geometry::MultiPolygon(areas) => inside(largest(areas.0.iter())?),
        _ => None,
    }
}

fn longest<'a>(lines: impl Iterator<Item = &'a LineString>) -> Option<&'a LineString> {
    lines.max_by(|a, b| Euclidean.length(*a).total_cmp(&Euclidean.length(*b)))
}

fn largest<'a>(areas: impl Iterator<Item = &'a Polygon>) -> Option<&'a Polygon> {
    areas.max_by(|a, b| a.unsigned_area().total_cmp(&b.unsigned_area()))
}

fn middle(line: &LineString) -> Option<Coord> {
    Euclidean.point_at_ratio_from_start(line, 0.5).map(|point| point.0)
}

fn inside(area: &Polygon) -> Option<Coord> {
    area.interior_point().map(|point| point.0)
}
