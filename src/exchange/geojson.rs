//! Writes GeoJSON (RFC 7946) and GeoJSON text sequences (RFC 8142).

use std::io::Write;

use geozero::GeozeroGeometry;
use geozero::geojson::GeoJsonWriter;

pub use super::values::write_value;
use crate::model::{Feature, FeatureId, Shape, ValueRef, View};

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
        write_text(out, name);
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

/// Appends a JSON string. Most texts need no escapes and are copied as they are.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    let is_escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Without an early end the compiler compares many bytes at once.
    if text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        write_json(out, &text);
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_written_as_the_json_library_writes_it(text in "[ -~一-龥\"\\\\\u{0}-\u{1f}\u{7f}\u{2028}]{0,40}") {
            let (mut own, mut other) = (Vec::new(), Vec::new());
            write_text(&mut own, &text);
            write_json(&mut other, &text);
            prop_assert_eq!(own, other);
        }
    }
}
