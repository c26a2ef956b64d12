//! A column: the values of one field in a chunk, as a typed array.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::model::{FieldType, Value, ValueRef};

/// Values of a field, one per row; `None` is unknown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Column {
    Boolean(Vec<Option<bool>>),
    Integer(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Text(Texts),
    Date(Vec<Option<time::Date>>),
    DateTime(Vec<Option<time::UtcDateTime>>),
    TextList(Vec<Option<Box<[String]>>>),
    Json(Vec<Option<Box<str>>>),
}

/// Texts, each distinct one stored once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Texts {
    entries: Vec<Option<u32>>,
    dictionary: Vec<Box<str>>,
}

impl Texts {
    fn get(&self, row: usize) -> Option<&str> {
        self.entries[row].map(|entry| &*self.dictionary[entry as usize])
    }

    fn set(&mut self, row: usize, text: Option<String>) {
        self.entries[row] = text.map(|text| {
            let known = self.dictionary.iter().position(|known| **known == *text);
            #[expect(clippy::cast_possible_truncation, reason = "a chunk has a few thousand rows")]
            let entry = known.unwrap_or(self.dictionary.len()) as u32;
            if known.is_none() {
                self.dictionary.push(text.into());
            }
            entry
        });
        // Unused texts are removed when they outnumber the used ones.
        if self.dictionary.len() > 2 * self.entries.len() {
            let all: Vec<Value> = (0..self.entries.len()).map(|row| self.value(row)).collect();
            *self = collect_texts(all.into_iter());
        }
    }

    fn value(&self, row: usize) -> Value {
        self.get(row).map_or(Value::Unknown, |text| Value::Text(text.to_owned()))
    }
}

impl Column {
    /// Collects a column. A value of another type than the field is unknown; stores and imports have checked and
    /// reported it.
    pub(super) fn collect(field_type: FieldType, values: impl Iterator<Item = Value>) -> Self {
        macro_rules! array {
            ($column:ident, $value:ident) => {
                Self::$column(
                    values
                        .map(|value| if let Value::$value(inner) = value { Some(inner.into()) } else { None })
                        .collect(),
                )
            };
        }
        match field_type {
            FieldType::Boolean => array!(Boolean, Boolean),
            FieldType::Integer => array!(Integer, Integer),
            FieldType::Real => array!(Real, Real),
            FieldType::Text => Self::Text(collect_texts(values)),
            FieldType::Date => array!(Date, Date),
            FieldType::DateTime => array!(DateTime, DateTime),
            FieldType::TextList => array!(TextList, TextList),
            FieldType::Json => array!(Json, Json),
        }
    }

    /// Whether it has this type, this number of rows and valid contents.
    pub(super) fn fits(&self, field_type: FieldType, rows: usize) -> bool {
        let (own, length) = match self {
            Self::Boolean(values) => (FieldType::Boolean, values.len()),
            Self::Integer(values) => (FieldType::Integer, values.len()),
            Self::Real(values) => (FieldType::Real, values.len()),
            Self::Text(texts) => {
                let known = |entry: &u32| (*entry as usize) < texts.dictionary.len();
                let whole = texts.entries.iter().flatten().all(known);
                (FieldType::Text, if whole { texts.entries.len() } else { usize::MAX })
            }
            Self::Date(values) => (FieldType::Date, values.len()),
            Self::DateTime(values) => (FieldType::DateTime, values.len()),
            Self::TextList(values) => (FieldType::TextList, values.len()),
            Self::Json(values) => (FieldType::Json, values.len()),
        };
        own == field_type && length == rows
    }

    /// Sets a value of a row; a value of another type is unknown.
    pub(super) fn set(&mut self, row: usize, value: Value) {
        macro_rules! put {
            ($values:ident, $value:ident) => {
                $values[row] = if let Value::$value(inner) = value { Some(inner.into()) } else { None }
            };
        }
        match self {
            Self::Boolean(values) => put!(values, Boolean),
            Self::Integer(values) => put!(values, Integer),
            Self::Real(values) => put!(values, Real),
            Self::Text(texts) => texts.set(row, if let Value::Text(text) = value { Some(text) } else { None }),
            Self::Date(values) => put!(values, Date),
            Self::DateTime(values) => put!(values, DateTime),
            Self::TextList(values) => put!(values, TextList),
            Self::Json(values) => put!(values, Json),
        }
    }

    pub(super) fn get(&self, row: usize) -> Value {
        self.cell(row).to_value()
    }

    pub(super) fn cell(&self, row: usize) -> ValueRef<'_> {
        match self {
            Self::Boolean(values) => values[row].map_or(ValueRef::Unknown, ValueRef::Boolean),
            Self::Integer(values) => values[row].map_or(ValueRef::Unknown, ValueRef::Integer),
            Self::Real(values) => values[row].map_or(ValueRef::Unknown, ValueRef::Real),
            Self::Text(texts) => texts.get(row).map_or(ValueRef::Unknown, ValueRef::Text),
            Self::Date(values) => values[row].map_or(ValueRef::Unknown, ValueRef::Date),
            Self::DateTime(values) => values[row].map_or(ValueRef::Unknown, ValueRef::DateTime),
            Self::TextList(values) => values[row].as_deref().map_or(ValueRef::Unknown, ValueRef::TextList),
            Self::Json(values) => values[row].as_deref().map_or(ValueRef::Unknown, ValueRef::Json),
        }
    }
}

fn collect_texts(values: impl Iterator<Item = Value>) -> Texts {
    let mut texts = Texts::default();
    let mut known: HashMap<Box<str>, u32> = HashMap::new();
    for value in values {
        let Value::Text(text) = value else {
            texts.entries.push(None);
            continue;
        };
        let text: Box<str> = text.into();
        let entry = *known.entry(text.clone()).or_insert_with(|| {
            texts.dictionary.push(text);
            #[expect(clippy::cast_possible_truncation, reason = "a chunk has a few thousand rows")]
            let entry = (texts.dictionary.len() - 1) as u32;
            entry
        });
        texts.entries.push(Some(entry));
    }
    texts
}
