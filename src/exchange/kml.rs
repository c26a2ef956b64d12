//! Reads and writes KML 2.2 (OGC 12-007), also as KMZ. Each placemark is a feature; its name, its description and its
//! extended data are columns.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use geo::{Coord, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
use quick_xml::escape::escape;
use serde_json::{Map, Value as Json};
use zip::ZipArchive;

use super::csv::cell_text;
use super::read_ahead::{Rows, read_ahead};
use super::xml_parts::{Part, XmlParts};
use super::{ExchangeError, Record, RecordSource, Unreadable};
use crate::model::{Feature, Shape, Value, View};

const FORMAT: &str = "KML";
/// Maximum size of a document in a KMZ, bytes.
const MAX_BYTES: u64 = 1_000_000_000;
/// Elements of a placemark that say how it is drawn.
const PRESENTATION: [&str; 6] = ["styleUrl", "visibility", "open", "Snippet", "snippet", "phoneNumber"];

/// Opens a `.kml` or `.kmz`. Coordinates are WGS 84 longitude, latitude by the standard.
///
/// # Errors
/// When the file cannot be read, or a KMZ contains no KML.
pub fn open(path: &Path) -> Result<RecordSource, ExchangeError> {
    let file_error = ExchangeError::file(path);
    let file = File::open(path).map_err(file_error)?;
    let is_archive = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("kmz"));
    let records = if is_archive {
        let text = from_archive(file).map_err(|reason| ExchangeError::malformed(path, FORMAT, &reason))?;
        read_ahead(move |rows| read(io::Cursor::new(text), rows))
    } else {
        read_ahead(move |rows| read(BufReader::new(file), rows))
    };
    Ok(RecordSource { crs: Some("wgs84".to_owned()), unnamed_crs: None, rows: None, records })
}

/// The document of a KMZ: the first `.kml` in it.
fn from_archive(file: File) -> Result<Vec<u8>, String> {
    let mut archive = ZipArchive::new(file).map_err(|error| error.to_string())?;
    let mut place = None;
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(|error| error.to_string())?;
        if place.is_none() && file.name_raw().to_ascii_lowercase().ends_with(b".kml") {
            place = Some(index);
        }
    }
    let place = place.ok_or("the archive contains no .kml")?;
    let document = archive.by_index(place).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    document.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("its document has more than {MAX_BYTES} bytes"));
    }
    Ok(text)
}

/// A placemark that is being read.
#[derive(Default)]
struct Placemark {
    id: Option<String>,
    properties: Map<String, Json>,
    geometries: Vec<Geometry>,
    /// Rings of the polygon that is being read, the outer one first.
    rings: Vec<LineString>,
    /// Name of the extended data that is being read.
    data: Option<String>,
    /// The first defect.
    defect: Option<String>,
}

fn read(source: impl BufRead, rows: &mut Rows) {
    let mut parts = XmlParts::new(source);
    let mut path: Vec<String> = Vec::new();
    let mut placemark: Option<Placemark> = None;
    loop {
        match parts.next() {
            Ok(None) => return,
            Ok(Some(Part::Start { name, attributes })) => {
                let named =
                    |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, own)| own.clone());
                if name == "Placemark" {
                    placemark = Some(Placemark { id: named("id"), ..Placemark::default() });
                } else if let Some(placemark) = &mut placemark {
                    match name.as_str() {
                        "Data" | "SimpleData" => placemark.data = named("name"),
                        "Polygon" => placemark.rings.clear(),
                        _ => {}
                    }
                }
                path.push(name);
            }
            Ok(Some(Part::End { name, text })) => {
                path.pop();
                if name == "Placemark" {
                    let row = rows.count() + 1;
                    if placemark.take().is_some_and(|own| !rows.push(own.into_record(row))) {
                        return;
                    }
                } else if let Some(placemark) = &mut placemark {
                    placemark.end(&name, &text, &path);
                }
            }
            Err(reason) => return rows.push_cut(None, format!("the document is not read further: {reason}")),
        }
    }
}

impl Placemark {
    /// Takes the end of an element; `path` has the elements around it.
    fn end(&mut self, name: &str, text: &str, path: &[String]) {
        let parent = path.last().map_or("", String::as_str);
        match name {
            "coordinates" => match coordinates(text) {
                Ok(line) => self.add(parent, line, path),
                Err(reason) => drop(self.defect.get_or_insert(reason)),
            },
            "Polygon" => {
                let mut rings = std::mem::take(&mut self.rings).into_iter();
                match rings.next() {
                    Some(outer) => self.geometries.push(Polygon::new(outer, rings.collect()).into()),
                    None => drop(self.defect.get_or_insert_with(|| "a polygon has no outer ring".to_owned())),
                }
            }
            "value" if parent == "Data" => self.put_data(text),
            "SimpleData" => self.put_data(text),
            _ if parent == "Placemark" && !text.is_empty() && !PRESENTATION.contains(&name) => {
                self.properties.insert(name.to_owned(), Json::from(text));
            }
            _ => {}
        }
    }

    fn put_data(&mut self, text: &str) {
        if let Some(name) = self.data.take() {
            self.properties.insert(name, Json::from(text));
        }
    }

    fn add(&mut self, parent: &str, line: LineString, path: &[String]) {
        match parent {
            "Point" => match line.0.first() {
                Some(at) => self.geometries.push(Point(*at).into()),
                None => drop(self.defect.get_or_insert_with(|| "a point has no coordinates".to_owned())),
            },
            "LinearRing" if path.iter().any(|own| own == "Polygon") => {
                // The outer ring comes first, wherever it stands.
                let is_outer = path.iter().any(|own| own == "outerBoundaryIs");
                let at = if is_outer { 0 } else { self.rings.len() };
                self.rings.insert(at, line);
            }
            "LineString" | "LinearRing" => self.geometries.push(line.into()),
            _ => {}
        }
    }

    fn into_record(self, row: usize) -> Result<Record, Unreadable> {
        let failed = |reason: String| Unreadable { row, line: None, reason, is_end: false };
        if let Some(defect) = self.defect {
            return Err(failed(defect));
        }
        let geometry = joined(self.geometries).map_err(failed)?;
        Ok(Record { row, line: None, id: self.id, geometry, properties: self.properties })
    }
}

/// Reads `lon,lat[,height]` separated by white space.
fn coordinates(text: &str) -> Result<LineString, String> {
    let position = |tuple: &str| {
        let mut numbers = tuple.split(',').map(|number| number.trim().parse::<f64>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(x), Some(y)) => Ok(Coord { x, y }),
            _ => Err(format!("{:?} is not longitude,latitude", tuple.chars().take(40).collect::<String>())),
        }
    };
    text.split_whitespace().map(position).collect::<Result<Vec<Coord>, String>>().map(LineString)
}

/// One geometry of several of the same kind.
pub(super) fn joined(mut geometries: Vec<Geometry>) -> Result<Option<Geometry>, String> {
    if geometries.len() < 2 {
        return Ok(geometries.pop());
    }
    let (mut points, mut lines, mut areas) = (Vec::new(), Vec::new(), Vec::new());
    let count = geometries.len();
    for geometry in geometries {
        match geometry {
            Geometry::Point(point) => points.push(point),
            Geometry::LineString(line) => lines.push(line),
            Geometry::Polygon(area) => areas.push(area),
            _ => {}
        }
    }
    if points.len() == count {
        Ok(Some(MultiPoint(points).into()))
    } else if lines.len() == count {
        Ok(Some(MultiLineString(lines).into()))
    } else if areas.len() == count {
        Ok(Some(MultiPolygon(areas).into()))
    } else {
        Err("it has geometries of several kinds".to_owned())
    }
}

/// Writes a layer as one document: a placemark for each feature, with its visible fields as extended data.
///
/// # Errors
/// When writing fails.
pub fn write(out: &mut impl Write, view: &View<'_>, features: impl Iterator<Item = Feature>) -> io::Result<()> {
    let schema = view.schema();
    let title = escape(format!("{} {}", schema.title.zh, schema.title.en)).into_owned();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>{title}</name>"#)?;
    for feature in features {
        write_placemark(out, view, &feature)?;
    }
    writeln!(out, "</Document></kml>")
}

fn write_placemark(out: &mut impl Write, view: &View<'_>, feature: &Feature) -> io::Result<()> {
    write!(out, "<Placemark>")?;
    let name = view.fields().find(|(_, field)| field.name == "name").map(|(at, _)| &feature.values[at]);
    if let Some(Value::Text(name)) = name {
        write!(out, "<name>{}</name>", escape(text(name)))?;
    }
    write!(out, r#"<ExtendedData><Data name="id"><value>{}</value></Data>"#, escape(feature.id.as_str()))?;
    for (at, field) in view.fields().filter(|(_, field)| field.name != "name") {
        let value = &feature.values[at];
        if !value.is_unknown() {
            let (title, cell) = (escape(field.title.zh.as_str()), cell_text(value.as_value_ref()));
            write!(out, r#"<Data name="{}"><displayName>{title}</displayName>"#, escape(field.name.as_str()))?;
            write!(out, "<value>{}</value></Data>", escape(text(&cell)))?;
        }
    }
    write!(out, "</ExtendedData>")?;
    if let Some(shape) = feature.geometry.as_ref().map(Shape::geometry) {
        write_geometry(out, shape)?;
    }
    writeln!(out, "</Placemark>")
}

/// A text without the control characters that XML cannot hold.
fn text(text: &str) -> String {
    text.chars().filter(|own| !own.is_control() || matches!(own, '\n' | '\r' | '\t')).collect()
}

fn write_geometry(out: &mut impl Write, geometry: &Geometry) -> io::Result<()> {
    let several = |out: &mut dyn Write, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>| {
        write!(out, "<MultiGeometry>")?;
        write(out)?;
        write!(out, "</MultiGeometry>")
    };
    match geometry {
        Geometry::Point(point) => write_line(out, "Point", &[point.0]),
        Geometry::LineString(line) => write_line(out, "LineString", &line.0),
        Geometry::Polygon(area) => write_area(out, area),
        Geometry::MultiPoint(points) => {
            several(out, &mut |out| points.iter().try_for_each(|point| write_line(out, "Point", &[point.0])))
        }
        Geometry::MultiLineString(lines) => {
            several(out, &mut |out| lines.iter().try_for_each(|line| write_line(out, "LineString", &line.0)))
        }
        Geometry::MultiPolygon(areas) => {
            several(out, &mut |out| areas.iter().try_for_each(|area| write_area(out, area)))
        }
        // Shapes have no other kinds.
        _ => Ok(()),
    }
}

fn write_area(out: &mut (impl Write + ?Sized), area: &Polygon) -> io::Result<()> {
    write!(out, "<Polygon><outerBoundaryIs>")?;
    write_line(out, "LinearRing", &area.exterior().0)?;
    write!(out, "</outerBoundaryIs>")?;
    for hole in area.interiors() {
        write!(out, "<innerBoundaryIs>")?;
        write_line(out, "LinearRing", &hole.0)?;
        write!(out, "</innerBoundaryIs>")?;
    }
    write!(out, "</Polygon>")
}

fn write_line(out: &mut (impl Write + ?Sized), element: &str, line: &[Coord]) -> io::Result<()> {
    let positions: Vec<String> = line.iter().map(|at| format!("{},{}", at.x, at.y)).collect();
    write!(out, "<{element}><coordinates>{}</coordinates></{element}>", positions.join(" "))
}
