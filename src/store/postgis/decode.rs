//! Rows to features. No stored value causes an error: invalid values become unknown and are counted.
//!
//! The bytes are decoded here and not by the driver, whose dates and times overflow outside the years −9999 to 9999.

use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::{Row, TypeInfo, ValueRef};
use time::macros::{date, datetime};

use crate::model::{Feature, FeatureId, Field, FieldType, LayerSchema, Shape, Value};
use crate::store::read_warnings::ReadWarnings;
use crate::store::wkb_geometry;

/// The feature of a row: id, geometry, values. `None` when the row has no usable id.
pub(super) fn read_feature(row: &PgRow, layer: &LayerSchema, warnings: &mut ReadWarnings<'_>) -> Option<Feature> {
    let Some(text) = bytes(row, 0).and_then(|bytes| std::str::from_utf8(bytes).ok()) else {
        warnings.row("", "NULL");
        return None;
    };
    let Ok(id) = FeatureId::new(text) else {
        warnings.row(text, "not usable as an id");
        return None;
    };
    let geometry = bytes(row, 1).and_then(|bytes| match read_shape(bytes) {
        Ok(shape) => shape,
        Err(reason) => {
            warnings.geometry(text, || reason);
            None
        }
    });
    let values = layer.fields.iter().enumerate().map(|(at, field)| read_value(row, at + 2, text, field, warnings));
    Some(Feature { geometry, values: values.collect(), id })
}

fn read_shape(bytes: &[u8]) -> Result<Option<Shape>, String> {
    if bytes.is_empty() {
        return Err("it cannot be transformed to WGS 84".to_owned());
    }
    wkb_geometry::read_ewkb(bytes)?.map(Shape::new).transpose().map_err(|error| error.to_string())
}

fn read_value(row: &PgRow, at: usize, id: &str, field: &Field, warnings: &mut ReadWarnings<'_>) -> Value {
    let Some(raw) = row.try_get_raw(at).ok().filter(|raw| !raw.is_null()) else { return Value::Unknown };
    match decode(row, at, &raw, field.field_type) {
        Some(Value::TextList(list)) if has_unknown(row, at) => {
            warnings.value(id, field, || "a list with NULL in it".to_owned());
            Value::TextList(list)
        }
        Some(value) => value,
        None => {
            warnings.value(id, field, || describe(&raw, field.field_type));
            Value::Unknown
        }
    }
}

/// A value in the binary format of its type; `None` when the model cannot represent it.
fn decode(row: &PgRow, at: usize, raw: &PgValueRef<'_>, field_type: FieldType) -> Option<Value> {
    let bytes = raw.as_bytes().ok()?;
    Some(match field_type {
        FieldType::Boolean => Value::Boolean(*bytes.first()? != 0),
        FieldType::Integer => Value::Integer(i64::from_be_bytes(bytes.try_into().ok()?)),
        FieldType::Real => Value::Real(real(raw, bytes).filter(|number| number.is_finite())?),
        FieldType::Text => Value::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
        FieldType::Date => {
            let days = i32::from_be_bytes(bytes.try_into().ok()?);
            let julian_day = date!(2000 - 01 - 01).to_julian_day().checked_add(days)?;
            Value::Date(time::Date::from_julian_day(julian_day).ok()?)
        }
        FieldType::DateTime => Value::DateTime(instant(i64::from_be_bytes(bytes.try_into().ok()?))?),
        FieldType::TextList => Value::TextList(list(row, at)?.into_iter().flatten().collect()),
        FieldType::Json => Value::Json(document(row, at, raw, bytes)?.to_string()),
    })
}

/// Numbers of any length are read as text; those outside the range of a double become infinite.
fn real(raw: &PgValueRef<'_>, bytes: &[u8]) -> Option<f64> {
    match raw.type_info().name() {
        "TEXT" => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
    }
}

/// Documents of the type json are read as text, those of the type jsonb in its own format.
fn document(row: &PgRow, at: usize, raw: &PgValueRef<'_>, bytes: &[u8]) -> Option<serde_json::Value> {
    match raw.type_info().name() {
        "TEXT" => serde_json::from_slice(bytes).ok(),
        _ => row.try_get(at).ok(),
    }
}

/// Microseconds since 2000 as an instant, truncated to milliseconds, the precision of all instants.
fn instant(microseconds: i64) -> Option<time::UtcDateTime> {
    let since = datetime!(2000-01-01 00:00 UTC).unix_timestamp();
    let milliseconds = i128::from(microseconds.div_euclid(1_000)) + i128::from(since) * 1_000;
    time::UtcDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).ok()
}

fn list(row: &PgRow, at: usize) -> Option<Vec<Option<String>>> {
    row.try_get(at).ok()
}

fn has_unknown(row: &PgRow, at: usize) -> bool {
    list(row, at).is_some_and(|list| list.contains(&None))
}

/// A stored value for the log.
fn describe(raw: &PgValueRef<'_>, field_type: FieldType) -> String {
    let stored = || raw.as_bytes().map(String::from_utf8_lossy).unwrap_or_default();
    match field_type {
        FieldType::Date | FieldType::DateTime => "infinity, or outside the years -9999 to 9999".to_owned(),
        FieldType::Real if raw.type_info().name() != "TEXT" => "not a finite number".to_owned(),
        FieldType::TextList => "not a plain list of texts".to_owned(),
        FieldType::Boolean | FieldType::Integer => "not of the field's type".to_owned(),
        FieldType::Real | FieldType::Text | FieldType::Json => stored().into_owned(),
    }
}

fn bytes(row: &PgRow, at: usize) -> Option<&[u8]> {
    row.try_get_raw(at).ok().filter(|raw| !raw.is_null())?.as_bytes().ok()
}
