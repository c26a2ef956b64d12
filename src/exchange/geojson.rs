//! Reads and writes GeoJSON (RFC 7946) and GeoJSON text sequences (RFC 8142).

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use geozero::geojson::{GeoJson, GeoJsonWriter};
use geozero::{GeozeroGeometry, ToGeo};
use serde::Deserialize;
use serde_json::value::RawValue;

pub use super::values::write_value;
use super::{ExchangeError, Record, RecordSource, Unreadable};
use crate::model::{Feature, FeatureId, Shape, ValueRef, View};

const FORMAT: &str = "GeoJSON";

#[derive(Deserialize)]
struct RawFeature<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<serde_json::Value>,
    #[serde(borrow)]
    geometry: Option<&'a RawValue>,
    properties: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct RawCollection<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(borrow)]
    features: Option<Vec<&'a RawValue>>,
    crs: Option<serde_json::Value>,
}

/// Opens a file: a FeatureCollection, an array of Features, one Feature, or one Feature per line. Skips a byte order
/// mark; reports a `crs` member (GeoJSON 2008) as the declared reference system.
///
/// # Errors
/// When the file cannot be read, is not UTF-8 or is none of these.
pub fn open(path: &Path) -> Result<RecordSource, ExchangeError> {
    let bytes = std::fs::read(path).map_err(ExchangeError::file(path))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ExchangeError::malformed(path, FORMAT, &format!("it is not UTF-8 from byte {at} on"))
    })?;
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let (features, crs) = locate(&text[start..]).map_err(|reason| ExchangeError::malformed(path, FORMAT, &reason))?;
    let rows = features.len();
    let mut line = 1;
    let mut counted_to = 0;
    let records = features.into_iter().enumerate().map(move |(index, place)| {
        let place = place.start + start..place.end + start;
        line += text.as_bytes()[counted_to..place.start].split(|&byte| byte == b'\n').count() - 1;
        counted_to = place.start;
        let (row, line) = (index + 1, Some(line));
        read_feature(&text[place], row, line).map_err(|reason| Unreadable { row, line, reason })
    });
    Ok(RecordSource { crs, unnamed_crs: None, rows: Some(rows), records: Box::new(records) })
}

/// Finds the text of each feature, and the declared reference system.
fn locate(text: &str) -> Result<(Vec<Range<usize>>, Option<String>), String> {
    let place = |raw: &str| {
        let start = raw.as_ptr().addr() - text.as_ptr().addr();
        start..start + raw.len()
    };
    let trimmed = text.trim_matches(['\u{1e}', ' ', '\t', '\r', '\n']);
    if trimmed.is_empty() {
        return Ok((Vec::new(), None));
    }
    let whole = if trimmed.starts_with('[') {
        serde_json::from_str::<Vec<&RawValue>>(trimmed).map(|features| (Some(features), None))
    } else {
        serde_json::from_str::<RawCollection>(trimmed).map(|collection| {
            let crs = collection.crs.filter(|crs| !crs.is_null()).map(|crs| claimed_crs(&crs));
            match collection.kind.as_deref() {
                Some("FeatureCollection") => (Some(collection.features.unwrap_or_default()), crs),
                _ => (None, crs),
            }
        })
    };
    match whole {
        Ok((Some(features), crs)) => Ok((features.into_iter().map(|raw| place(raw.get())).collect(), crs)),
        Ok((None, crs)) => Ok((vec![place(trimmed)], crs)),
        Err(error) => lines(trimmed, place).map(|lines| (lines, None)).ok_or_else(|| error.to_string()),
    }
}

/// The name of the reference system in a `crs` member of GeoJSON 2008; the member itself if it has no name.
fn claimed_crs(crs: &serde_json::Value) -> String {
    let properties = &crs["properties"];
    if let Some(name) = properties["name"].as_str() {
        return name.to_owned();
    }
    match properties["code"].as_u64() {
        Some(code) if crs["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("epsg")) => {
            format!("EPSG:{code}")
        }
        _ => crs.to_string(),
    }
}

/// Reads one feature per line, if the first line is a complete JSON object and more lines follow.
fn lines(text: &str, place: impl Fn(&str) -> Range<usize>) -> Option<Vec<Range<usize>>> {
    let lines: Vec<&str> = text.split(['\n', '\u{1e}']).map(str::trim).filter(|line| !line.is_empty()).collect();
    let first: serde_json::Value = serde_json::from_str(lines.first()?).ok()?;
    (lines.len() > 1 && first.is_object()).then(|| lines.into_iter().map(place).collect())
}

fn read_feature(text: &str, row: usize, line: Option<usize>) -> Result<Record, String> {
    let raw: RawFeature = serde_json::from_str(text).map_err(|error| format!("not a Feature: {error}"))?;
    if raw.kind.as_deref() != Some("Feature") {
        return Err(format!("not a Feature but {}", raw.kind.as_deref().unwrap_or("an object without a type")));
    }
    let geometry = match raw.geometry.map(RawValue::get) {
        None | Some("null") => None,
        Some(json) => Some(GeoJson(json).to_geo().map_err(|error| format!("the geometry is not GeoJSON: {error}"))?),
    };
    let id = raw.id.and_then(|id| match id {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    Ok(Record { row, line, id, geometry, properties: raw.properties.unwrap_or_default() })
}

/// Appends a Feature: id, geometry and the visible properties, then the `extra` properties.
pub fn write_feature(out: &mut Vec<u8>, view: &View<'_>, feature: &Feature, extra: &[(&str, serde_json::Value)]) {
    let geometry = feature.geometry.as_ref().map(Shape::geometry);
    write_feature_of(out, view, &feature.id, geometry, |field| feature.values[field].as_value_ref(), extra);
}

/// Appends a Feature with a separate geometry and a function that returns values by field. The properties `extra` take the
/// place of fields with their names.
pub fn write_feature_of<'a>(
    out: &mut Vec<u8>,
    view: &View<'_>,
    id: &FeatureId,
    geometry: Option<&geo::Geometry>,
    value: impl Fn(usize) -> ValueRef<'a>,
    extra: &[(&str, serde_json::Value)],
) {
    out.extend_from_slice(br#"{"type":"Feature","id":"#);
    write_json(out, &id.as_str());
    out.extend_from_slice(br#","geometry":"#);
    match geometry {
        Some(geometry) => write_geometry(out, geometry),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","properties":{"#);
    let start = out.len();
    let name = |out: &mut Vec<u8>, name: &str| {
        if out.len() > start {
            out.push(b',');
        }
        write_json(out, &name);
        out.push(b':');
    };
    for (at, field) in view.fields().filter(|(_, field)| extra.iter().all(|(own, _)| *own != field.name)) {
        name(out, &field.name);
        write_value(out, value(at));
    }
    for (own, value) in extra {
        name(out, own);
        write_json(out, value);
    }
    out.extend_from_slice(b"}}");
}

/// Appends a geometry.
pub fn write_geometry(out: &mut Vec<u8>, geometry: &geo::Geometry) {
    let start = out.len();
    if geometry.process_geom(&mut GeoJsonWriter::new(&mut *out)).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Appends JSON. Writing to memory cannot fail.
pub fn write_json(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Writes one Feature per line (RFC 8142 without record separators).
///
/// # Errors
/// When writing fails.
pub fn write_lines(
    out: &mut impl Write,
    view: &View<'_>,
    mut features: impl Iterator<Item = Feature>,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    features.try_for_each(|feature| {
        buffer.clear();
        write_feature(&mut buffer, view, &feature, &[]);
        buffer.push(b'\n');
        out.write_all(&buffer)
    })
}

/// Writes a FeatureCollection with one feature per line.
///
/// # Errors
/// When writing fails.
pub fn write_collection(
    out: &mut impl Write,
    view: &View<'_>,
    features: impl Iterator<Item = Feature>,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
    for (index, feature) in features.enumerate() {
        buffer.clear();
        buffer.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
        write_feature(&mut buffer, view, &feature, &[]);
        out.write_all(&buffer)?;
    }
    out.write_all(b"\n]}\n")
}
