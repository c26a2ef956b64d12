//! A column: the values of one field in a chunk.

use serde::{Deserialize, Serialize};
use time::{Date, UtcDateTime};

use super::packed_integers::PackedIntegers;
use super::texts::Texts;
use crate::model::{FieldType, Value, ValueRef};

/// Values of a field, one per row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Column {
    /// 0 and 1.
    Boolean(PackedIntegers),
    Integer(PackedIntegers),
    /// The bits of the numbers.
    Real(PackedIntegers),
    Text(Texts),
    /// Julian days.
    Date(PackedIntegers),
    /// Microseconds since 1970.
    DateTime(PackedIntegers),
    TextList(Vec<Option<Box<[String]>>>),
    Json(Texts),
}

impl Column {
    /// Collects a column. A value of another type than the field is unknown; stores and imports have checked and
    /// reported it.
    pub(super) fn collect(field_type: FieldType, values: &[Value]) -> Self {
        let numbers = || PackedIntegers::collect(values.iter().map(|value| number_of(field_type, value)));
        let texts = || Texts::collect(values.iter().map(|value| text_of(field_type, value)));
        match field_type {
            FieldType::Boolean => Self::Boolean(numbers()),
            FieldType::Integer => Self::Integer(numbers()),
            FieldType::Real => Self::Real(numbers()),
            FieldType::Date => Self::Date(numbers()),
            FieldType::DateTime => Self::DateTime(numbers()),
            FieldType::Text => Self::Text(texts()),
            FieldType::Json => Self::Json(texts()),
            FieldType::TextList => Self::TextList(values.iter().map(list_of).collect()),
        }
    }

    /// Type of its field.
    fn field_type(&self) -> FieldType {
        match self {
            Self::Boolean(_) => FieldType::Boolean,
            Self::Integer(_) => FieldType::Integer,
            Self::Real(_) => FieldType::Real,
            Self::Text(_) => FieldType::Text,
            Self::Date(_) => FieldType::Date,
            Self::DateTime(_) => FieldType::DateTime,
            Self::TextList(_) => FieldType::TextList,
            Self::Json(_) => FieldType::Json,
        }
    }

    /// Whether it has this type, this number of rows and valid contents.
    pub(super) fn fits(&self, field_type: FieldType, rows: usize) -> bool {
        let (len, is_sound) = match self {
            Self::Boolean(own) | Self::Integer(own) | Self::Real(own) | Self::Date(own) | Self::DateTime(own) => {
                (own.len(), true)
            }
            Self::Text(texts) | Self::Json(texts) => (texts.len(), texts.is_sound()),
            Self::TextList(lists) => (lists.len(), true),
        };
        self.field_type() == field_type && len == rows && is_sound
    }

    /// Sets a value of a row; a value of another type is unknown.
    pub(super) fn set(&mut self, row: usize, value: &Value) {
        let field_type = self.field_type();
        match self {
            Self::Boolean(own) | Self::Integer(own) | Self::Real(own) | Self::Date(own) | Self::DateTime(own) => {
                own.set(row, number_of(field_type, value));
            }
            Self::Text(texts) | Self::Json(texts) => texts.set(row, text_of(field_type, value)),
            Self::TextList(lists) => lists[row] = list_of(value),
        }
    }

    pub(super) fn get(&self, row: usize) -> Value {
        self.cell(row).to_value()
    }

    pub(super) fn cell(&self, row: usize) -> ValueRef<'_> {
        let known = match self {
            Self::Boolean(own) => own.get(row).map(|number| ValueRef::Boolean(number != 0)),
            Self::Integer(own) => own.get(row).map(ValueRef::Integer),
            Self::Real(own) => own.get(row).map(|bits| ValueRef::Real(f64::from_bits(bits.cast_unsigned()))),
            Self::Text(texts) => texts.get(row).map(ValueRef::Text),
            Self::Date(own) => own.get(row).and_then(date).map(ValueRef::Date),
            Self::DateTime(own) => own.get(row).and_then(instant).map(ValueRef::DateTime),
            Self::TextList(lists) => lists[row].as_deref().map(ValueRef::TextList),
            Self::Json(texts) => texts.get(row).map(ValueRef::Json),
        };
        known.unwrap_or(ValueRef::Unknown)
    }
}

/// A value of a type that is stored as a number.
fn number_of(field_type: FieldType, value: &Value) -> Option<i64> {
    match (field_type, value) {
        (FieldType::Boolean, Value::Boolean(yes)) => Some(i64::from(*yes)),
        (FieldType::Integer, Value::Integer(number)) => Some(*number),
        (FieldType::Real, Value::Real(number)) => Some(number.to_bits().cast_signed()),
        (FieldType::Date, Value::Date(date)) => Some(i64::from(date.to_julian_day())),
        (FieldType::DateTime, Value::DateTime(instant)) => {
            let whole = instant.unix_timestamp().checked_mul(MICROSECONDS)?;
            whole.checked_add(i64::from(instant.microsecond()))
        }
        _ => None,
    }
}

const MICROSECONDS: i64 = 1_000_000;

fn date(julian_day: i64) -> Option<Date> {
    Date::from_julian_day(i32::try_from(julian_day).ok()?).ok()
}

fn instant(microseconds: i64) -> Option<UtcDateTime> {
    let whole = UtcDateTime::from_unix_timestamp(microseconds.div_euclid(MICROSECONDS)).ok()?;
    whole.replace_microsecond(u32::try_from(microseconds.rem_euclid(MICROSECONDS)).ok()?).ok()
}

fn text_of(field_type: FieldType, value: &Value) -> Option<&str> {
    match (field_type, value) {
        (FieldType::Text, Value::Text(text)) | (FieldType::Json, Value::Json(text)) => Some(text),
        _ => None,
    }
}

fn list_of(value: &Value) -> Option<Box<[String]>> {
    if let Value::TextList(list) = value { Some(list.clone().into()) } else { None }
}
