//! Property values of tile features.

use std::borrow::Cow;

use crate::model::{ValueRef, format_date, format_instant};

/// A property value; unknown values are absent properties.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Attribute<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    /// Bits of a finite double.
    Real(u64),
    Boolean(bool),
}

impl<'a> Attribute<'a> {
    /// `None` for unknown.
    pub(super) fn of(cell: ValueRef<'a>) -> Option<Self> {
        Some(match cell {
            ValueRef::Unknown => return None,
            ValueRef::Boolean(yes) => Self::Boolean(yes),
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number.to_bits()),
            ValueRef::Text(text) | ValueRef::Json(text) => Self::Text(text.into()),
            ValueRef::Date(date) => Self::Text(format_date(date).into()),
            ValueRef::DateTime(instant) => Self::Text(format_instant(instant).into()),
            ValueRef::TextList(list) => Self::Text(list.join(",").into()),
        })
    }
}
