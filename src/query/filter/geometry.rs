//! Geometry literals: reads and writes WKT and boxes. Longitude, latitude in degrees; heights and measures are dropped.

use std::fmt;

use geo::{Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};

use super::FilterError;
use super::lexer::{Token, Tokens};
use super::number::Number;

/// Geometry types of WKT and GeoJSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WktKind {
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    Collection,
}

impl WktKind {
    const NAMES: [(&'static str, Self); 7] = [
        ("Point", Self::Point),
        ("LineString", Self::LineString),
        ("Polygon", Self::Polygon),
        ("MultiPoint", Self::MultiPoint),
        ("MultiLineString", Self::MultiLineString),
        ("MultiPolygon", Self::MultiPolygon),
        ("GeometryCollection", Self::Collection),
    ];

    /// By name, case-insensitive.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind)
    }
}

/// Reads the part after the type name.
pub(super) fn read(tokens: &mut Tokens<'_>, kind: WktKind) -> Result<Geometry, FilterError> {
    if tokens.is_word_before_parenthesis(&["z", "m", "zm"]) {
        tokens.skip();
    }
    Ok(match kind {
        WktKind::Point => {
            tokens.want('(')?;
            let at = position(tokens)?;
            tokens.want(')')?;
            Point(at).into()
        }
        WktKind::LineString => line(tokens)?.into(),
        WktKind::Polygon => polygon(tokens)?.into(),
        WktKind::MultiPoint => MultiPoint(many(tokens, point_of_many)?).into(),
        WktKind::MultiLineString => MultiLineString(many(tokens, line)?).into(),
        WktKind::MultiPolygon => MultiPolygon(many(tokens, polygon)?).into(),
        WktKind::Collection => Geometry::GeometryCollection(GeometryCollection(many(tokens, member)?)),
    })
}

/// Reads four or six numbers after the opening parenthesis.
pub(super) fn read_bbox(tokens: &mut Tokens<'_>) -> Result<[f64; 4], FilterError> {
    let mut numbers = vec![tokens.signed_number()?];
    while tokens.take(',') {
        numbers.push(tokens.signed_number()?);
    }
    let bounds = bbox(&numbers).ok_or_else(|| tokens.unexpected("four or six numbers"))?;
    tokens.want(')')?;
    Ok(bounds)
}

/// West, south, east, north of a box with or without heights.
pub(super) fn bbox(numbers: &[f64]) -> Option<[f64; 4]> {
    match *numbers {
        [west, south, east, north] | [west, south, _, east, north, _] => Some([west, south, east, north]),
        _ => None,
    }
}

fn many<T>(
    tokens: &mut Tokens<'_>,
    part: fn(&mut Tokens<'_>) -> Result<T, FilterError>,
) -> Result<Vec<T>, FilterError> {
    tokens.want('(')?;
    let mut parts = vec![part(tokens)?];
    while tokens.take(',') {
        parts.push(part(tokens)?);
    }
    tokens.want(')')?;
    Ok(parts)
}

/// Reads two to four numbers and keeps the first two.
fn position(tokens: &mut Tokens<'_>) -> Result<Coord, FilterError> {
    let (x, y) = (tokens.signed_number()?, tokens.signed_number()?);
    for _ in 0..2 {
        if matches!(tokens.peek(), Some(Token::Number(_) | Token::Symbol("-" | "+"))) {
            tokens.signed_number()?;
        }
    }
    Ok(Coord { x, y })
}

fn point_of_many(tokens: &mut Tokens<'_>) -> Result<Point, FilterError> {
    let inner = tokens.take('(');
    let at = position(tokens)?;
    if inner {
        tokens.want(')')?;
    }
    Ok(Point(at))
}

fn line(tokens: &mut Tokens<'_>) -> Result<LineString, FilterError> {
    many(tokens, position).map(LineString)
}

fn polygon(tokens: &mut Tokens<'_>) -> Result<Polygon, FilterError> {
    many(tokens, line).map(polygon_of)
}

/// The first ring is the exterior.
pub(super) fn polygon_of(mut rings: Vec<LineString>) -> Polygon {
    let exterior = if rings.is_empty() { LineString(Vec::new()) } else { rings.remove(0) };
    Polygon::new(exterior, rings)
}

/// One level only, as in the schema of the standard: collections do not nest.
fn member(tokens: &mut Tokens<'_>) -> Result<Geometry, FilterError> {
    let kind = match tokens.peek() {
        Some(Token::Word(word)) => WktKind::of(word).filter(|kind| *kind != WktKind::Collection),
        _ => None,
    };
    let kind = kind.ok_or_else(|| tokens.unexpected("a geometry other than a collection"))?;
    tokens.skip();
    read(tokens, kind)
}

/// Displays a geometry as canonical WKT.
pub(super) struct Wkt<'a>(pub(super) &'a Geometry);

impl fmt::Display for Wkt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0)
    }
}

/// Canonical WKT.
pub(super) fn write(f: &mut fmt::Formatter<'_>, geometry: &Geometry) -> fmt::Result {
    match geometry {
        Geometry::Point(point) => {
            f.write_str("POINT(")?;
            write_position(f, &point.0)?;
            f.write_str(")")
        }
        Geometry::LineString(line) => {
            f.write_str("LINESTRING")?;
            write_line(f, line)
        }
        Geometry::Polygon(polygon) => {
            f.write_str("POLYGON")?;
            write_polygon(f, polygon)
        }
        Geometry::MultiPoint(points) => {
            f.write_str("MULTIPOINT")?;
            write_many(f, &points.0, |f, point| {
                f.write_str("(")?;
                write_position(f, &point.0)?;
                f.write_str(")")
            })
        }
        Geometry::MultiLineString(lines) => {
            f.write_str("MULTILINESTRING")?;
            write_many(f, &lines.0, write_line)
        }
        Geometry::MultiPolygon(polygons) => {
            f.write_str("MULTIPOLYGON")?;
            write_many(f, &polygons.0, write_polygon)
        }
        Geometry::GeometryCollection(members) => {
            f.write_str("GEOMETRYCOLLECTION")?;
            write_many(f, &members.0, write)
        }
        Geometry::Line(line) => write(f, &LineString::from(line).into()),
        Geometry::Rect(rect) => write(f, &rect.to_polygon().into()),
        Geometry::Triangle(triangle) => write(f, &triangle.to_polygon().into()),
    }
}

fn write_many<T>(
    f: &mut fmt::Formatter<'_>,
    parts: &[T],
    part: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str("(")?;
    for (index, own) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        part(f, own)?;
    }
    f.write_str(")")
}

fn write_position(f: &mut fmt::Formatter<'_>, at: &Coord) -> fmt::Result {
    write!(f, "{} {}", Number::of(at.x), Number::of(at.y))
}

fn write_line(f: &mut fmt::Formatter<'_>, line: &LineString) -> fmt::Result {
    write_many(f, &line.0, write_position)
}

fn write_polygon(f: &mut fmt::Formatter<'_>, polygon: &Polygon) -> fmt::Result {
    let rings: Vec<&LineString> = std::iter::once(polygon.exterior()).chain(polygon.interiors()).collect();
    write_many(f, &rings, |f, ring| write_line(f, ring))
}
