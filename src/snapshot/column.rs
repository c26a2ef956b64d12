//! A column: the values of one field in a chunk.

use std::collections::HashMap;

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

    /// The column with other values in some rows, all of them packed at once; a value of another type is unknown.
    pub(super) fn with(&self, changes: &HashMap<usize, &Value>) -> Self {
        let field_type = self.field_type();
        let numbers = |own: &PackedIntegers| {
            let value = |row: usize| changes.get(&row).map_or_else(|| own.get(row), |new| number_of(field_type, new));
            PackedIntegers::collect((0..own.len()).map(value))
        };
        let texts = |own: &Texts| {
            let value = |row: usize| changes.get(&row).map_or_else(|| own.get(row), |new| text_of(field_type, new));
            Texts::collect((0..own.len()).map(value))
        };
        match self {
            Self::Boolean(own) => Self::Boolean(numbers(own)),
            Self::Integer(own) => Self::Integer(numbers(own)),
            Self::Real(own) => Self::Real(numbers(own)),
            Self::Date(own) => Self::Date(numbers(own)),
            Self::DateTime(own) => Self::DateTime(numbers(own)),
            Self::Text(own) => Self::Text(texts(own)),
            Self::Json(own) => Self::Json(texts(own)),
            Self::TextList(own) => {
                let value = |(row, list): (usize, &Option<_>)| {
                    changes.get(&row).map_or_else(|| list.clone(), |new| list_of(new))
                };
                Self::TextList(own.iter().enumerate().map(value).collect())
            }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_changed_column_has_the_new_values_and_the_others(
            before in prop::collection::vec(prop::option::of(any::<i64>()), 1..30),
            changes in prop::collection::hash_map(0..30_usize, prop::option::of(any::<i64>()), 0..10),
        ) {
            let integer = |number: &Option<i64>| number.map_or(Value::Unknown, Value::Integer);
            let text = |number: &Option<i64>| number.map_or(Value::Unknown, |number| Value::Text((number % 5).to_string()));
            for (field_type, value) in [(FieldType::Integer, &integer as &dyn Fn(&_) -> _), (FieldType::Text, &text)] {
                let mut wanted: Vec<Value> = before.iter().map(value).collect();
                let column = Column::collect(field_type, &wanted);
                let new: HashMap<usize, Value> =
                    changes.iter().filter(|(row, _)| **row < before.len()).map(|(row, own)| (*row, value(own))).collect();
                let changed = column.with(&new.iter().map(|(row, value)| (*row, value)).collect());
                for (row, value) in &new {
                    wanted[*row] = value.clone();
                }
                prop_assert!(changed.fits(field_type, wanted.len()));
                prop_assert_eq!((0..wanted.len()).map(|row| changed.get(row)).collect::<Vec<_>>(), wanted);
            }
        }
    }
}
