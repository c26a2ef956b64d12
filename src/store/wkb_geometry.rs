//! Reads WKB, EWKB and GeoPackage geometries: any byte order, curves as lines, nesting bounded.
//!
//! The events of geozero's reader are collected here and not by its own writer, which ignores curves. A collection
//! is refused before its members are read, so nested collections cannot exhaust the stack.

use std::f64::consts::{FRAC_PI_2, TAU};

use geo::{Coord, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
use geozero::error::{GeozeroError, Result};
use geozero::wkb::{process_ewkb_geom, process_wkb_geom};
use geozero::{CoordDimensions, GeomProcessor};

/// Segments of a quarter of a circle, as PostGIS's `ST_CurveToLine` has them.
const SEGMENTS_PER_QUARTER: f64 = 32.0;

/// Reads EWKB, the form of PostgreSQL; `None` when the geometry is empty.
///
/// # Errors
/// A message that describes the fault in the bytes.
pub fn read_ewkb(mut bytes: &[u8]) -> std::result::Result<Option<Geometry>, String> {
    let mut collector = Collector::default();
    process_ewkb_geom(&mut bytes, &mut collector).map_err(|error| error.to_string())?;
    Ok(collector.finish())
}

/// Reads the blob of a GeoPackage: a header, then WKB with its own byte order (OGC 12-128, clause 2.1.3).
///
/// # Errors
/// A message that describes the fault in the bytes.
pub fn read_geopackage(blob: &[u8]) -> std::result::Result<Option<Geometry>, String> {
    const HEADER_BYTES: usize = 8;
    let header = blob.get(..HEADER_BYTES).filter(|header| header.starts_with(b"GP"));
    let flags = header.ok_or("the geometry has no GeoPackage header")?[3];
    let envelope_bytes = match (flags >> 1) & 0b111 {
        0 => 0,
        1 => 32,
        2 | 3 => 48,
        4 => 64,
        _ => return Err("the geometry header has an unknown envelope".to_owned()),
    };
    let mut wkb = blob.get(HEADER_BYTES + envelope_bytes..).ok_or("the geometry ends within its header")?;
    let mut collector = Collector::default();
    process_wkb_geom(&mut wkb, &mut collector).map_err(|error| error.to_string())?;
    Ok(collector.finish())
}

/// The type of the outermost geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Point,
    MultiPoint,
    Line,
    MultiLine,
    Polygon,
    MultiPolygon,
}

/// Collects the events of one geometry.
#[derive(Default)]
struct Collector {
    kind: Option<Kind>,
    /// Coordinates of the line or arc that is being read.
    coords: Vec<Coord>,
    /// The parts of a compound curve read so far, where one is being read.
    compound: Option<Vec<Coord>>,
    /// Lines, or the rings of the polygon that is being read.
    lines: Vec<LineString>,
    polygons: Vec<Polygon>,
}

impl Collector {
    /// The first event determines the type of the whole geometry.
    fn begin(&mut self, kind: Kind) {
        self.kind.get_or_insert(kind);
    }

    fn end_line(&mut self, coords: Vec<Coord>) {
        match &mut self.compound {
            Some(compound) => {
                // A part begins at the end of the previous one.
                let joined = usize::from(compound.last().is_some_and(|last| Some(last) == coords.first()));
                compound.extend(coords.into_iter().skip(joined));
            }
            None => self.lines.push(LineString(coords)),
        }
    }

    fn end_polygon(&mut self) {
        let mut rings = std::mem::take(&mut self.lines).into_iter();
        if let Some(exterior) = rings.next() {
            self.polygons.push(Polygon::new(exterior, rings.collect()));
        }
    }

    fn finish(mut self) -> Option<Geometry> {
        Some(match self.kind? {
            Kind::Point => Point(*self.coords.first()?).into(),
            Kind::MultiPoint if self.coords.is_empty() => return None,
            Kind::MultiPoint => MultiPoint(self.coords.into_iter().map(Point).collect()).into(),
            Kind::Line => self.lines.pop().filter(|line| !line.0.is_empty())?.into(),
            Kind::MultiLine if self.lines.is_empty() => return None,
            Kind::MultiLine => MultiLineString(self.lines).into(),
            Kind::Polygon => self.polygons.pop().filter(|polygon| !polygon.exterior().0.is_empty())?.into(),
            Kind::MultiPolygon if self.polygons.is_empty() => return None,
            Kind::MultiPolygon => MultiPolygon(self.polygons).into(),
        })
    }
}

impl GeomProcessor for Collector {
    fn dimensions(&self) -> CoordDimensions {
        CoordDimensions::xy()
    }

    fn xy(&mut self, x: f64, y: f64, _: usize) -> Result<()> {
        self.coords.push(Coord { x, y });
        Ok(())
    }

    fn empty_point(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    fn point_begin(&mut self, _: usize) -> Result<()> {
        self.begin(Kind::Point);
        Ok(())
    }

    fn multipoint_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::MultiPoint);
        Ok(())
    }

    fn linestring_begin(&mut self, _: bool, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::Line);
        Ok(())
    }

    fn linestring_end(&mut self, _: bool, _: usize) -> Result<()> {
        let coords = std::mem::take(&mut self.coords);
        self.end_line(coords);
        Ok(())
    }

    fn multilinestring_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::MultiLine);
        Ok(())
    }

    fn polygon_begin(&mut self, _: bool, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::Polygon);
        Ok(())
    }

    fn polygon_end(&mut self, _: bool, _: usize) -> Result<()> {
        self.end_polygon();
        Ok(())
    }

    fn multipolygon_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::MultiPolygon);
        Ok(())
    }

    /// An empty collection is a feature without a geometry; one with members is refused before they are read.
    fn geometrycollection_begin(&mut self, size: usize, _: usize) -> Result<()> {
        if size == 0 {
            return Ok(());
        }
        Err(GeozeroError::Geometry("a GeometryCollection cannot be one feature".to_owned()))
    }

    fn circularstring_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::Line);
        Ok(())
    }

    fn circularstring_end(&mut self, _: usize) -> Result<()> {
        let coords = arcs_to_line(&std::mem::take(&mut self.coords));
        self.end_line(coords);
        Ok(())
    }

    fn compoundcurve_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::Line);
        self.compound = Some(Vec::new());
        Ok(())
    }

    fn compoundcurve_end(&mut self, _: usize) -> Result<()> {
        if let Some(coords) = self.compound.take() {
            self.end_line(coords);
        }
        Ok(())
    }

    fn curvepolygon_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::Polygon);
        Ok(())
    }

    fn curvepolygon_end(&mut self, _: usize) -> Result<()> {
        self.end_polygon();
        Ok(())
    }

    fn multicurve_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::MultiLine);
        Ok(())
    }

    fn multisurface_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::MultiPolygon);
        Ok(())
    }

    fn triangle_begin(&mut self, _: bool, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::Polygon);
        Ok(())
    }

    fn triangle_end(&mut self, _: bool, _: usize) -> Result<()> {
        self.end_polygon();
        Ok(())
    }

    fn polyhedralsurface_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::MultiPolygon);
        Ok(())
    }

    fn tin_begin(&mut self, _: usize, _: usize) -> Result<()> {
        self.begin(Kind::MultiPolygon);
        Ok(())
    }
}

/// A circular string as a line. Each arc is given by its start, a point on it and its end; the end is the start of
/// the next one.
fn arcs_to_line(points: &[Coord]) -> Vec<Coord> {
    let mut line: Vec<Coord> = points.first().copied().into_iter().collect();
    let mut rest = points;
    while let [start, middle, end, ..] = *rest {
        add_arc(&mut line, start, middle, end);
        rest = &rest[2..];
    }
    line
}

/// Appends the points of an arc after its start.
fn add_arc(line: &mut Vec<Coord>, start: Coord, middle: Coord, end: Coord) {
    let Some((centre, sweep)) = circle(start, middle, end) else {
        line.extend([middle, end]);
        return;
    };
    let segments = (sweep.abs() / FRAC_PI_2 * SEGMENTS_PER_QUARTER).ceil().clamp(2.0, 4.0 * SEGMENTS_PER_QUARTER);
    let from = start - centre;
    let mut step = 1.0;
    while step < segments {
        let (sin, cos) = (sweep * step / segments).sin_cos();
        line.push(centre + Coord { x: from.x * cos - from.y * sin, y: from.x * sin + from.y * cos });
        step += 1.0;
    }
    line.push(end);
}

/// Centre of the circle through three points, and the angle from the first to the last by way of the second,
/// radians, counter-clockwise above 0. `None` when they lie on a straight line. Where the first is the last, it is a
/// whole circle and the second lies opposite.
fn circle(start: Coord, middle: Coord, end: Coord) -> Option<(Coord, f64)> {
    if start == end {
        return (start != middle).then_some(((start + middle) / 2.0, TAU));
    }
    let (a, b) = (middle - start, end - start);
    let cross = a.x * b.y - a.y * b.x;
    let (a_2, b_2) = (a.x * a.x + a.y * a.y, b.x * b.x + b.y * b.y);
    // Relative to the lengths: a flatter arc is straight at double precision.
    if !cross.is_finite() || cross.abs() <= 1e-12 * a_2.max(b_2) {
        return None;
    }
    let centre =
        start + Coord { x: (b.y * a_2 - a.y * b_2) / (2.0 * cross), y: (a.x * b_2 - b.x * a_2) / (2.0 * cross) };
    let angle = |at: Coord| (at.y - centre.y).atan2(at.x - centre.x);
    let turn = (angle(end) - angle(start)).rem_euclid(TAU);
    Some((centre, if cross > 0.0 { turn } else { turn - TAU }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arc_keeps_its_radius_and_passes_its_middle_point() {
        let at = |x: f64, y: f64| Coord { x, y };
        for (middle, end) in
            [(at(0.0, 1.0), at(-1.0, 0.0)), (at(0.0, -1.0), at(-1.0, 0.0)), (at(-1.0, 0.0), at(1.0, 0.0))]
        {
            let line = arcs_to_line(&[at(1.0, 0.0), middle, end]);
            assert!(line.len() >= 65 && line.last() == Some(&end), "{line:?}");
            assert!(line.iter().all(|point| (point.x.hypot(point.y) - 1.0).abs() < 1e-12));
            assert!(line.iter().any(|point| (point.x - middle.x).hypot(point.y - middle.y) < 0.03), "{middle:?}");
        }
        assert_eq!(arcs_to_line(&[at(0.0, 0.0), at(1.0, 1.0), at(2.0, 2.0)]).len(), 3, "a straight arc");
    }
}
