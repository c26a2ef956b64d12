//! Reads Shapefiles: a `.shp` with the files beside it, or a `.zip` that contains one.
//!
//! Attributes are in the encoding that the `.cpg` or the `.dbf` names; without either it is detected. A hole belongs to
//! the smallest outer ring around it, whatever the order of the rings, and a ring that no other contains is an outer
//! one, because many programs write neither order nor winding correctly.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use encoding_rs::Encoding;
use geo::{Area, Contains, Geometry, LineString, MultiPolygon, Point, Polygon};
use serde_json::{Map, Value as Json, json};
use shapefile::dbase::encoding::EncodingRs;
use shapefile::dbase::{self, CodePageMark, FieldValue, ReaderBuilder};
use shapefile::record::polygon::GenericPolygon;
use shapefile::{PolygonRing, Shape, ShapeReader};
use zip::ZipArchive;

use super::delimited::encoding_of;
use super::read_ahead::read_ahead;
use super::{ExchangeError, Record, RecordSource, Unreadable, projection_file};

const FORMAT: &str = "a Shapefile";
/// Maximum size of each file, after it is expanded, bytes.
const MAX_BYTES: u64 = 1_000_000_000;
/// Endings of the files that are read.
const PARTS: [&str; 4] = ["shp", "dbf", "prj", "cpg"];

/// Opens a Shapefile.
///
/// # Errors
/// When a file cannot be read or is too large, the `.shp` or the `.dbf` is missing or damaged, or a `.zip` contains
/// several Shapefiles.
pub fn open(path: &Path) -> Result<RecordSource, ExchangeError> {
    let malformed = |reason: String| ExchangeError::malformed(path, FORMAT, &reason);
    let is_archive = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
    let parts = if is_archive { from_archive(path) } else { beside(path) };
    let parts = parts.map_err(|failure| match failure {
        Failure::File(error) => ExchangeError::file(path)(error),
        Failure::Content(reason) => malformed(reason),
    })?;
    // The libraries may panic on damaged files.
    let read = catch_unwind(AssertUnwindSafe(|| parts.read()));
    read.unwrap_or_else(|_| Err("it is damaged".to_owned())).map_err(malformed)
}

/// Why the parts cannot be read.
enum Failure {
    File(std::io::Error),
    Content(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

/// The contents of the files of a Shapefile.
#[derive(Default)]
struct Parts {
    shapes: Option<Vec<u8>>,
    attributes: Option<Vec<u8>>,
    projection: Option<String>,
    encoding: Option<String>,
}

/// The files with the same name as the `.shp`, whose endings may be capitals.
fn beside(path: &Path) -> Result<Parts, Failure> {
    let mut parts = Parts::default();
    for ending in PARTS {
        let names = [ending.to_owned(), ending.to_uppercase()].map(|ending| path.with_extension(ending));
        // The given file is read even if its ending is written in another way.
        let given = Some(path.to_owned()).filter(|_| ending == "shp");
        if let Some(name) = given.into_iter().chain(names).find(|name| name.exists()) {
            parts.set(ending, limited(File::open(name)?)?);
        }
    }
    Ok(parts)
}

fn from_archive(path: &Path) -> Result<Parts, Failure> {
    let damaged = |error: zip::result::ZipError| Failure::Content(error.to_string());
    let mut archive = ZipArchive::new(File::open(path)?).map_err(damaged)?;
    // Names may be in any encoding; only their endings matter.
    let mut names: Vec<String> = Vec::new();
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(damaged)?;
        names.push(String::from_utf8_lossy(file.name_raw()).into_owned());
    }
    let stem = |name: &str| name.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    let is = |name: &str, ending: &str| {
        name.rsplit_once('.').is_some_and(|(_, own)| own.eq_ignore_ascii_case(ending)) && !name.starts_with("__MACOSX")
    };
    let shapes: Vec<&String> = names.iter().filter(|name| is(name, "shp")).collect();
    let [shape] = shapes[..] else {
        let count = shapes.len();
        return Err(Failure::Content(format!("the archive contains {count} .shp files; accepted: exactly one")));
    };
    let mut parts = Parts::default();
    for ending in PARTS {
        let own = names.iter().position(|name| is(name, ending) && stem(name) == stem(shape));
        if let Some(index) = own {
            parts.set(ending, limited(archive.by_index(index).map_err(damaged)?)?);
        }
    }
    Ok(parts)
}

/// The content of a file of at most [`MAX_BYTES`].
fn limited(file: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Failure::Content(format!("a file of it has more than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

impl Parts {
    fn set(&mut self, ending: &str, bytes: Vec<u8>) {
        match ending {
            "shp" => self.shapes = Some(bytes),
            "dbf" => self.attributes = Some(bytes),
            "prj" => self.projection = Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => self.encoding = Some(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    fn read(self) -> Result<RecordSource, String> {
        let shapes = self.shapes.ok_or("the .shp is missing")?;
        let mut attributes = self.attributes.ok_or("the .dbf with the attributes is missing beside it")?;
        let mut shapes = ShapeReader::new(Cursor::new(shapes)).map_err(|error| error.to_string())?;
        let bbox = shapes.header().bbox;
        let crs = self.projection.as_deref().map(projection_file::crs_of);
        let corners = [bbox.min.x, bbox.min.y, bbox.max.x, bbox.max.y];
        let unnamed_crs = if crs.is_none() { projection_file::unnamed(corners) } else { None };
        let deleted = restore_deleted(&mut attributes);
        let count = row_count(&attributes).saturating_sub(deleted.len());
        let encoding = encoding(self.encoding.as_deref(), &attributes);
        tracing::info!(encoding = encoding.name(), "attributes of the Shapefile");
        let reader = ReaderBuilder::new().with_encoding(EncodingRs::from(encoding)).build(Cursor::new(attributes));
        let mut reader = reader.map_err(|error| error.to_string())?;
        let names: Vec<String> = reader.fields().iter().map(|field| field.name().to_owned()).collect();
        let records = read_ahead(move |rows| {
            let mut records = reader.iter_records();
            for (index, shape) in shapes.iter_shapes().enumerate() {
                let row = index + 1;
                let record = records.next();
                // After a damaged shape, the start of the next one is unknown.
                let is_end = shape.is_err();
                let failed = |reason: String| Unreadable { row, line: None, reason, is_end };
                if deleted.contains(&index) {
                    continue;
                }
                let own = match (shape, record) {
                    (Ok(shape), Some(Ok(record))) => geometry(shape)
                        .map(|geometry| Record {
                            row,
                            line: None,
                            id: None,
                            geometry,
                            properties: values(&names, record),
                        })
                        .map_err(failed),
                    (Err(error), _) => Err(failed(error.to_string())),
                    (_, Some(Err(error))) => Err(failed(error.to_string())),
                    (_, None) => Err(failed("the .dbf has no attributes for it".to_owned())),
                };
                if !rows.push(own) || is_end {
                    break;
                }
            }
        });
        Ok(RecordSource { crs, unnamed_crs, rows: Some(count), records })
    }
}

/// The number of rows that the header of the `.dbf` states.
fn row_count(attributes: &[u8]) -> usize {
    let stated = attributes.get(4..8).and_then(|own| own.try_into().ok()).map_or(0, u32::from_le_bytes);
    usize::try_from(stated).unwrap_or(0)
}

/// Rows that are marked as deleted, from 0. Their marks are removed, because the library would skip their attributes but
/// not their shapes.
fn restore_deleted(attributes: &mut [u8]) -> BTreeSet<usize> {
    const DELETED: u8 = b'*';
    let number =
        |at: usize| attributes.get(at..at + 2).map_or(0, |own| usize::from(u16::from_le_bytes([own[0], own[1]])));
    let (header, length) = (number(8), number(10));
    if length == 0 {
        return BTreeSet::new();
    }
    let mut deleted = BTreeSet::new();
    for (index, at) in (header..attributes.len()).step_by(length).enumerate() {
        if attributes[at] == DELETED {
            attributes[at] = b' ';
            deleted.insert(index);
        }
    }
    deleted
}

/// The encoding that the `.cpg` or the header names, otherwise the one that the attributes seem to have.
fn encoding(named: Option<&str>, attributes: &[u8]) -> &'static Encoding {
    let label = named.map(str::trim).filter(|label| !label.is_empty());
    let by_label = label.and_then(|label| {
        let digits: String = label.chars().filter(char::is_ascii_digit).collect();
        Encoding::for_label(label.as_bytes()).or_else(|| by_code_page(digits.parse().ok()?))
    });
    // The mark of Western European languages is a default that says nothing.
    let by_mark = || match attributes.get(29).copied().map(CodePageMark::from) {
        Some(CodePageMark::CP936) => Some(encoding_rs::GB18030),
        Some(CodePageMark::CP950) => Some(encoding_rs::BIG5),
        Some(CodePageMark::CP932) => Some(encoding_rs::SHIFT_JIS),
        Some(CodePageMark::CP949) => Some(encoding_rs::EUC_KR),
        _ => None,
    };
    by_label.or_else(by_mark).unwrap_or_else(|| encoding_of(attributes.get(32..).unwrap_or_default()))
}

fn by_code_page(number: u32) -> Option<&'static Encoding> {
    match number {
        936 | 20_936 | 54_936 => Some(encoding_rs::GB18030),
        950 => Some(encoding_rs::BIG5),
        65_001 => Some(encoding_rs::UTF_8),
        _ => None,
    }
}

/// The values of a row by column, in the order of the columns.
fn values(names: &[String], mut record: dbase::Record) -> Map<String, Json> {
    names.iter().filter_map(|name| Some((name.clone(), value(record.remove(name)?)))).collect()
}

fn value(value: FieldValue) -> Json {
    let date = |day: dbase::Date| format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day());
    match value {
        FieldValue::Character(text) => text.map_or(Json::Null, |text| json!(text.trim_matches(['\0', ' ']))),
        FieldValue::Memo(text) => json!(text),
        FieldValue::Numeric(number) => number.map_or(Json::Null, number_json),
        FieldValue::Float(number) => number.map_or(Json::Null, |number| number_json(f64::from(number))),
        FieldValue::Double(number) | FieldValue::Currency(number) => number_json(number),
        FieldValue::Integer(number) => json!(number),
        FieldValue::Logical(yes) => json!(yes),
        FieldValue::Date(day) => day.map_or(Json::Null, |day| json!(date(day))),
        FieldValue::DateTime(instant) => {
            let (day, at) = (date(instant.date()), instant.time());
            json!(format!("{day}T{:02}:{:02}:{:02}", at.hours(), at.minutes(), at.seconds()))
        }
    }
}

/// A whole number without decimals.
fn number_json(number: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    if number.fract() == 0.0 && number.abs() < 9e15 { json!(number as i64) } else { json!(number) }
}

/// The geometry without heights and measures; `None` without a shape. One line or area of several is a single one.
fn geometry(shape: Shape) -> Result<Option<Geometry>, String> {
    let geometry = match shape {
        Shape::NullShape => return Ok(None),
        Shape::Polygon(polygon) => areas(&polygon),
        Shape::PolygonM(polygon) => areas(&polygon),
        Shape::PolygonZ(polygon) => areas(&polygon),
        other => Geometry::try_from(other).map_err(|error| error.to_string())?,
    };
    Ok(Some(single(geometry)))
}

/// The only line or area of several, or the geometry as it is.
fn single(geometry: Geometry) -> Geometry {
    match geometry {
        Geometry::MultiLineString(mut lines) if lines.0.len() == 1 => {
            lines.0.pop().map_or(Geometry::MultiLineString(lines), Geometry::LineString)
        }
        Geometry::MultiPolygon(mut areas) if areas.0.len() == 1 => {
            areas.0.pop().map_or(Geometry::MultiPolygon(areas), Geometry::Polygon)
        }
        other => other,
    }
}

/// Areas with their holes. Whether a ring is an outer one is told by what contains it if its winding says nothing.
fn areas<P: Copy>(polygon: &GenericPolygon<P>) -> Geometry
where
    geo::Coord: From<P>,
{
    // Outer rings as areas without holes, each with its holes.
    let (mut outer, mut inner): (Vec<(Polygon, Vec<LineString>)>, Vec<LineString>) = (Vec::new(), Vec::new());
    for ring in polygon.rings() {
        let line: LineString = ring.points().iter().map(|point| geo::Coord::from(*point)).collect();
        match ring {
            PolygonRing::Outer(_) => outer.push((Polygon::new(line, Vec::new()), Vec::new())),
            PolygonRing::Inner(_) => inner.push(line),
        }
    }
    let mut alone = Vec::new();
    for hole in inner {
        let corner = hole.0.first().map(|corner| Point(*corner));
        let around = outer
            .iter_mut()
            .filter(|(area, _)| corner.is_some_and(|corner| area.contains(&corner)))
            .min_by(|(a, _), (b, _)| a.unsigned_area().total_cmp(&b.unsigned_area()));
        match around {
            Some((_, holes)) => holes.push(hole),
            None => alone.push(Polygon::new(hole, Vec::new())),
        }
    }
    let whole = outer.into_iter().map(|(area, holes)| Polygon::new(area.into_inner().0, holes));
    Geometry::MultiPolygon(MultiPolygon(whole.chain(alone).collect()))
}
