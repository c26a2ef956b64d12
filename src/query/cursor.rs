//! Cursors of pages: a position between two rows, and its text in a link.
//!
//! Without `sortby` the text is the id alone; otherwise it is a JSON list of the sort values and the id. Values
//! round-trip exactly: blank text, numbers outside the range of a field, and microseconds are preserved. An inexact
//! value would end paging early or repeat a page forever.

use std::fmt;

use serde_json::{Value as Json, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, UtcDateTime};

use super::items::Order;
use crate::model::{FeatureId, FieldType, InvalidFeatureId, LayerSchema, Value};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A position between two rows: sort values and id.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// One value per sort key.
    pub values: Vec<Value>,
    /// The id.
    pub id: FeatureId,
}

/// Why a text is not a cursor of a sort order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It has no id.
    #[error(transparent)]
    Id(#[from] InvalidFeatureId),
    /// It is not a list of one value per sort key and an id.
    #[error("it is not a cursor of this sort order")]
    OtherOrder,
}

impl Cursor {
    /// Parses a cursor of this sort order.
    ///
    /// # Errors
    /// When it is not such a cursor.
    pub fn parse(text: &str, order: &Order, schema: &LayerSchema) -> Result<Self, CursorError> {
        if order.keys.is_empty() {
            return Ok(Self { values: Vec::new(), id: FeatureId::new(text)? });
        }
        let list: Vec<Json> = serde_json::from_str(text).map_err(|_| CursorError::OtherOrder)?;
        let (id, values) = list.split_last().ok_or(CursorError::OtherOrder)?;
        let id = FeatureId::new(id.as_str().ok_or(CursorError::OtherOrder)?)?;
        if values.len() != order.keys.len() {
            return Err(CursorError::OtherOrder);
        }
        let value = |((field, _), json): (&(Option<usize>, bool), &Json)| {
            let field_type = field.map_or(FieldType::Text, |at| schema.fields[at].field_type);
            value_of(field_type, json).ok_or(CursorError::OtherOrder)
        };
        let values = order.keys.iter().zip(values).map(value).collect::<Result<_, _>>()?;
        Ok(Self { values, id })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.values.is_empty() {
            return f.write_str(self.id.as_str());
        }
        let mut list: Vec<Json> = self.values.iter().map(json_of).collect();
        list.push(json!(self.id.as_str()));
        write!(f, "{}", Json::Array(list))
    }
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Unknown => Json::Null,
        Value::Boolean(yes) => json!(yes),
        Value::Integer(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(text) | Value::Json(text) => json!(text),
        Value::Date(date) => json!(date.format(DAY).unwrap_or_default()),
        // Nanoseconds since 1970 are exact for any year.
        Value::DateTime(instant) => json!(instant.unix_timestamp_nanos().to_string()),
        Value::TextList(list) => json!(list),
    }
}

fn value_of(field_type: FieldType, json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Unknown);
    }
    Some(match field_type {
        FieldType::Boolean => Value::Boolean(json.as_bool()?),
        FieldType::Integer => Value::Integer(json.as_i64()?),
        FieldType::Real => Value::Real(json.as_f64()?),
        FieldType::Text => Value::Text(json.as_str()?.to_owned()),
        FieldType::Json => Value::Json(json.as_str()?.to_owned()),
        FieldType::Date => Value::Date(Date::parse(json.as_str()?, DAY).ok()?),
        FieldType::DateTime => {
            let nanoseconds = json.as_str()?.parse().ok()?;
            Value::DateTime(UtcDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?)
        }
        FieldType::TextList => {
            let texts = json.as_array()?.iter().map(|item| item.as_str().map(str::to_owned));
            Value::TextList(texts.collect::<Option<_>>()?)
        }
    })
}
