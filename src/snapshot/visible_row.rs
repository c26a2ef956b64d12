//! A feature restricted to a view; replies read values only through it.

use time::UtcDateTime;

use super::Row;
use crate::model::{Feature, Field, Value, ValueRef, View};

/// A feature whose hidden values read as unknown.
#[derive(Clone, Copy, Debug)]
pub struct VisibleRow<'a, 'v> {
    row: Row<'a>,
    view: &'v View<'v>,
}

impl<'a> Row<'a> {
    /// The feature restricted to a view of its layer.
    #[must_use]
    pub fn visible<'v>(&self, view: &'v View<'v>) -> VisibleRow<'a, 'v> {
        VisibleRow { row: *self, view }
    }
}

impl<'a, 'v> VisibleRow<'a, 'v> {
    /// The value of a field by index in the schema; unknown if the view hides it.
    #[must_use]
    pub fn value(&self, field: usize) -> ValueRef<'a> {
        if self.view.shows(field) { self.row.cell(field) } else { ValueRef::Unknown }
    }

    /// The visible fields with their values.
    pub fn values(&self) -> impl Iterator<Item = (&'v Field, ValueRef<'a>)> + '_ {
        self.view.fields().map(|(at, field)| (field, self.row.cell(at)))
    }

    /// A text by field name; `None` if it is unknown, hidden or not a text.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&'a str> {
        match self.named(field)? {
            ValueRef::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer by field name; `None` if it is unknown, hidden or not an integer.
    #[must_use]
    pub fn integer(&self, field: &str) -> Option<i64> {
        match self.named(field)? {
            ValueRef::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// An instant by field name; `None` if it is unknown, hidden or not an instant.
    #[must_use]
    pub fn instant(&self, field: &str) -> Option<UtcDateTime> {
        match self.named(field)? {
            ValueRef::DateTime(instant) => Some(instant),
            _ => None,
        }
    }

    fn named(&self, field: &str) -> Option<ValueRef<'a>> {
        self.view.schema().position(field).map(|at| self.value(at))
    }

    /// The feature, owned; hidden values are unknown.
    #[must_use]
    pub fn to_feature(&self) -> Feature {
        let fields = 0..self.view.schema().fields.len();
        let values: Vec<Value> =
            fields.map(|at| if self.view.shows(at) { self.row.value(at) } else { Value::Unknown }).collect();
        Feature { id: self.row.id().clone(), geometry: self.row.shape().cloned(), values }
    }
}
