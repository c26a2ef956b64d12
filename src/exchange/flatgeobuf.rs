//! Reads and writes FlatGeobuf 3.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Write};
use std::path::Path;

use flatgeobuf::{
    ColumnType, FallibleStreamingIterator, FeatureIter, FgbCrs, FgbReader, FgbWriter, FgbWriterOptions, GeometryType,
    NotSeekable,
};
use geozero::{ColumnValue, FeatureProperties, PropertyProcessor, ToGeo};
use serde_json::Value as Json;

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
    read(BufReader::new(file)).map_err(|reason| ExchangeError::malformed(path, FORMAT, &reason))
}

/// Reads from memory or a stream.
///
/// # Errors
/// When the data is not valid FlatGeobuf.
pub fn read(mut bytes: impl Read + Send + 'static) -> Result<RecordSource, String> {
    let mut start = [0; 8];
    bytes.read_exact(&mut start).map_err(|error| error.to_string())?;
    // The library does not check the version and misreads older ones.
    if start.starts_with(b"fgb") && start[3] != VERSION {
        return Err(format!("format version {} is not supported, only version {VERSION}", start[3]));
    }
    let reader = FgbReader::open(Cursor::new(start).chain(bytes)).map_err(|error| error.to_string())?;
    let crs = reader.header().crs().map(|crs| crs.code()).filter(|&code| code != 0).map(|code| format!("EPSG:{code}"));
    let features = reader.select_all_seq().map_err(|error| error.to_string())?;
    let rows = features.features_count();
    Ok(RecordSource { crs, unnamed_crs: None, rows, records: Box::new(Records { features, row: 0, broken: false }) })
}

struct Records<R> {
    features: FeatureIter<R, NotSeekable>,
    row: usize,
    broken: bool,
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Record, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        self.row += 1;
        let row = self.row;
        let unreadable = |reason: String, is_end| Unreadable { row, line: None, reason, is_end };
        match self.features.next() {
            Ok(None) => None,
            Ok(Some(feature)) => Some(read_feature(feature, row).map_err(|reason| unreadable(reason, false))),
            Err(error) => {
                // The start of the next feature is unknown after a corrupt one.
                self.broken = true;
                Some(Err(unreadable(format!("the file ends unexpectedly or is corrupt here: {error}"), true)))
            }
        }
    }
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
