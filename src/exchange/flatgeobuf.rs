//! Reads and writes FlatGeobuf 3.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use flatgeobuf::packed_r_tree::PackedRTree;
use flatgeobuf::{
    ColumnType, FallibleStreamingIterator, FeatureIter, FgbCrs, FgbReader, FgbWriter, FgbWriterOptions, GeometryType,
    NotSeekable,
};
use geozero::{ColumnValue, FeatureProperties, PropertyProcessor, ToGeo};
use serde_json::Value as Json;

use super::flatgeobuf_frames::{FeaturesStart, Frames};
use super::read_ahead::read_ahead;
use super::{ExchangeError, Record, RecordSource, Unreadable};
use crate::model::{Feature, FieldType, GeometryKind, Value, View, format_date, format_instant};

const FORMAT: &str = "FlatGeobuf";
const VERSION: u8 = 3;

/// Opens a file.
///
/// # Errors
/// When the file cannot be read or is not FlatGeobuf of the current version.
pub fn open(path: &Path) -> Result<RecordSource, ExchangeError> {
    let file = File::open(path).map_err(ExchangeError::file(path))?;
    let metadata = file.metadata().map_err(ExchangeError::file(path))?;
    let bytes = if metadata.is_file() { metadata.len() } else { u64::MAX };
    read(BufReader::new(file), bytes).map_err(|reason| ExchangeError::malformed(path, FORMAT, &reason))
}

/// Reads from memory or a stream with so many bytes; `u64::MAX` if their number is unknown.
///
/// # Errors
/// When the data is not valid FlatGeobuf.
pub fn read(mut bytes: impl Read + Send + 'static, count: u64) -> Result<RecordSource, String> {
    let mut start = [0; 8];
    bytes.read_exact(&mut start).map_err(|error| error.to_string())?;
    // The library does not check the version and misreads older ones.
    if start.starts_with(b"fgb") && start[3] != VERSION {
        return Err(format!("format version {} is not supported, only version {VERSION}", start[3]));
    }
    let bytes = Cursor::new(start).chain(bytes);
    // The library panics on some damaged headers, and below on some damaged features.
    let opened = catch_unwind(AssertUnwindSafe(|| open_features(bytes, count)));
    let (crs, mut features) = opened.unwrap_or_else(|_| Err("its header is damaged".to_owned()))?;
    let rows = features.features_count();
    let records = read_ahead(move |rows| {
        loop {
            let row = rows.count() + 1;
            let record = match features.next() {
                Ok(None) => break,
                Ok(Some(feature)) => read_feature(feature, row),
                // The start of the next feature is unknown after a corrupt one.
                Err(error) => {
                    break rows.push_cut(None, format!("the file ends unexpectedly or is corrupt here: {error}"));
                }
            };
            if !rows.push(record.map_err(|reason| Unreadable { row, line: None, reason, is_end: false })) {
                break;
            }
        }
    });
    Ok(RecordSource { crs, unnamed_crs: None, rows, records })
}

type Features<R> = FeatureIter<Frames<R>, NotSeekable>;

/// The reference system and the features of a file.
fn open_features<R: Read>(bytes: R, count: u64) -> Result<(Option<String>, Features<R>), String> {
    let start = FeaturesStart::default();
    let reader = FgbReader::open(Frames::new(bytes, count, start.clone())).map_err(|error| error.to_string())?;
    let header = reader.header();
    let crs = header.crs().map(|crs| crs.code()).filter(|&code| code != 0).map(|code| format!("EPSG:{code}"));
    let (features, node_size) = (header.features_count(), header.index_node_size());
    let has_index = node_size > 0 && features > 0;
    let features = usize::try_from(features).map_err(|error| error.to_string())?;
    start.set_after(if has_index { PackedRTree::index_size(features, node_size) as u64 } else { 0 });
    Ok((crs, reader.select_all_seq().map_err(|error| error.to_string())?))
}

fn read_feature(feature: &flatgeobuf::FgbFeature, row: usize) -> Result<Record, String> {
    let mut properties = Properties::default();
    feature.process_properties(&mut properties).map_err(|error| error.to_string())?;
    let geometry = match feature.geometry() {
        Some(_) => Some(feature.to_geo().map_err(|error| error.to_string())?),
        None => None,
    };
    Ok(Record { row, line: None, id: None, geometry, properties: properties.0 })
}

#[derive(Default)]
struct Properties(serde_json::Map<String, Json>);

impl PropertyProcessor for Properties {
    fn property(&mut self, _: usize, name: &str, value: &ColumnValue<'_>) -> geozero::error::Result<bool> {
        let json = match value {
            ColumnValue::Byte(number) => Json::from(*number),
            ColumnValue::UByte(number) => Json::from(*number),
            ColumnValue::Bool(yes) => Json::from(*yes),
            ColumnValue::Short(number) => Json::from(*number),
            ColumnValue::UShort(number) => Json::from(*number),
            ColumnValue::Int(number) => Json::from(*number),
            ColumnValue::UInt(number) => Json::from(*number),
            ColumnValue::Long(number) => Json::from(*number),
            ColumnValue::ULong(number) => Json::from(*number),
            ColumnValue::Float(number) => Json::from(*number),
            ColumnValue::Double(number) => Json::from(*number),
            ColumnValue::String(text) | ColumnValue::DateTime(text) => Json::from(*text),
            ColumnValue::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::from(*text)),
            ColumnValue::Binary(_) => Json::Null,
        };
        self.0.insert(name.to_owned(), json);
        Ok(false)
    }
}

/// Writes a layer: `id` and the visible fields as columns, Hilbert-sorted with an index. The output is deterministic.
/// The format requires a geometry; returns the number of features without one, which are omitted.
///
/// # Errors
/// When writing fails.
pub fn write(out: impl Write, view: &View<'_>, features: impl Iterator<Item = Feature>) -> std::io::Result<usize> {
    let schema = view.schema();
    let title = format!("{} {}", schema.title.zh, schema.title.en);
    let options = FgbWriterOptions {
        promote_to_multi: false,
        detect_type: false,
        crs: FgbCrs { org: Some("EPSG"), code: 4326, ..FgbCrs::default() },
        title: Some(&title),
        ..FgbWriterOptions::default()
    };
    let geometry_type = match schema.geometry {
        GeometryKind::Point => GeometryType::Point,
        // A layer may mix single and multi-part geometries, so each feature has its own type.
        GeometryKind::Line | GeometryKind::Polygon | GeometryKind::Any => GeometryType::Unknown,
    };
    let mut writer =
        FgbWriter::create_with_options(&schema.id, geometry_type, options).map_err(std::io::Error::other)?;
    writer.add_column("id", ColumnType::String, |_, column| column.nullable = false);
    for (_, field) in view.fields() {
        writer.add_column(&field.name, column_type(field.field_type), |_, _| {});
    }
    let mut without_place = 0;
    for feature in features {
        let Some(shape) = &feature.geometry else {
            without_place += 1;
            continue;
        };
        let mut refused = None;
        writer
            .add_feature_geom(shape.geometry().clone(), |row| {
                refused = write_properties(row, view, &feature).err();
            })
            .map_err(std::io::Error::other)?;
        if let Some(error) = refused {
            return Err(std::io::Error::other(error));
        }
    }
    writer.write(out).map_err(std::io::Error::other)?;
    Ok(without_place)
}

fn write_properties(
    row: &mut impl PropertyProcessor,
    view: &View<'_>,
    feature: &Feature,
) -> geozero::error::Result<()> {
    row.property(0, "id", &ColumnValue::String(feature.id.as_str()))?;
    for (column, (at, field)) in view.fields().enumerate() {
        let text;
        let value = match &feature.values[at] {
            Value::Unknown => continue,
            Value::Boolean(yes) => ColumnValue::Bool(*yes),
            Value::Integer(number) => ColumnValue::Long(*number),
            Value::Real(number) => ColumnValue::Double(*number),
            Value::Text(words) => ColumnValue::String(words),
            Value::Date(date) => {
                text = format_date(*date);
                ColumnValue::DateTime(&text)
            }
            Value::DateTime(instant) => {
                text = format_instant(*instant);
                ColumnValue::DateTime(&text)
            }
            Value::TextList(list) => {
                text = Json::from(list.as_slice()).to_string();
                ColumnValue::Json(&text)
            }
            Value::Json(document) => ColumnValue::Json(document),
        };
        row.property(column + 1, &field.name, &value)?;
    }
    Ok(())
}

fn column_type(field_type: FieldType) -> ColumnType {
    match field_type {
        FieldType::Boolean => ColumnType::Bool,
        FieldType::Integer => ColumnType::Long,
        FieldType::Real => ColumnType::Double,
        FieldType::Text => ColumnType::String,
        FieldType::Date | FieldType::DateTime => ColumnType::DateTime,
        FieldType::TextList | FieldType::Json => ColumnType::Json,
    }
}
