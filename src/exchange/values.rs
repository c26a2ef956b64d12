//! Converts attribute values to and from JSON.

use serde_json::Value as Json;

use super::geojson::{write_json, write_text};
use crate::model::schema::ValueError;
use crate::model::{Field, FieldType, Value, ValueRef, format_date, format_instant, parse_date, parse_instant};

/// Appends the value as JSON; unknown is null.
pub fn write_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Unknown => out.extend_from_slice(b"null"),
        ValueRef::Boolean(yes) => write_json(out, &yes),
        ValueRef::Integer(number) => write_json(out, &number),
        ValueRef::Real(number) => write_json(out, &number),
        ValueRef::Text(text) => write_text(out, text),
        ValueRef::Date(date) => write_json(out, &format_date(date)),
        ValueRef::DateTime(instant) => write_json(out, &format_instant(instant)),
        ValueRef::TextList(list) => write_json(out, &list),
        // Another program may have stored invalid or multi-line JSON.
        ValueRef::Json(document) => write_json(out, &serde_json::from_str::<Json>(document).unwrap_or(Json::Null)),
    }
}

/// Reads a value of a field from JSON. Blank text is unknown; numbers, booleans, lists and documents may be given as
/// text, as in table formats.
///
/// # Errors
/// A message that states what the field accepts.
pub fn value_from_json(field: &Field, json: &Json) -> Result<Value, ValueError> {
    if json.is_null() || json.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(Value::Unknown);
    }
    let value = match field.field_type {
        FieldType::Boolean => boolean(json).map(Value::Boolean),
        FieldType::Integer => integer(json).map(Value::Integer),
        FieldType::Real => json.as_f64().or_else(|| json.as_str()?.trim().parse().ok()).map(Value::Real),
        FieldType::Text => text(json).map(Value::Text),
        FieldType::Date => json.as_str().and_then(parse_date).map(Value::Date),
        FieldType::DateTime => json.as_str().and_then(parse_instant).map(Value::DateTime),
        FieldType::TextList => list(json).map(Value::TextList),
        FieldType::Json => document(json).map(Value::Json),
    }
    .ok_or(ValueError::Unreadable { accepted: accepted(field.field_type) })?;
    field.check(&value)?;
    Ok(value)
}

fn accepted(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Boolean => "a boolean (true, false)",
        FieldType::Integer => "a whole number",
        FieldType::Real => "a number",
        FieldType::Text => "text",
        FieldType::Date => "a day (2026-08-14)",
        FieldType::DateTime => "a time (2026-08-14T10:00:00+08:00)",
        FieldType::TextList => "a list of texts ([\"flood\",\"landslide\"])",
        FieldType::Json => "a JSON document",
    }
}

fn boolean(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(yes) => Some(*yes),
        Json::Number(number) => match number.as_i64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Json::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "1" | "是" => Some(true),
            "false" | "no" | "0" | "否" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Reads an integer; 12.0 counts, 12.5 does not.
fn integer(json: &Json) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = json.as_i64() {
        return Some(number);
    }
    if let Some(Ok(number)) = json.as_str().map(|text| text.trim().parse()) {
        return Some(number);
    }
    let number = json.as_f64().or_else(|| json.as_str()?.trim().parse().ok())?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

fn text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

fn list(json: &Json) -> Option<Vec<String>> {
    match json {
        Json::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Json::String(text) if text.trim_start().starts_with('[') => serde_json::from_str(text).ok(),
        Json::String(text) => Some(text.split([',', '、', ';']).map(|item| item.trim().to_owned()).collect()),
        _ => None,
    }
}

fn document(json: &Json) -> Option<String> {
    match json {
        Json::Array(_) | Json::Object(_) => Some(json.to_string()),
        Json::String(text) => serde_json::from_str::<Json>(text).ok().map(|document| document.to_string()),
        _ => None,
    }
}
