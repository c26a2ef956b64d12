//! Values and geometries between the model and databases, shared by the backends.

use geozero::wkb::WkbDialect;
use geozero::{CoordDimensions, ToWkb};

use super::ewkb;
use crate::model::{Field, FieldType, Shape, Value, parse_date, parse_instant};

/// Encodes a geometry in a WKB dialect.
///
/// # Errors
/// When the writer refuses it; it accepts all checked shapes.
pub(super) fn write_shape(shape: &Shape, dialect: WkbDialect) -> Result<Vec<u8>, String> {
    let envelope = crate::geodesy::Envelope::around(shape.geometry())
        .map(|box_| vec![box_.west(), box_.east(), box_.south(), box_.north()])
        .unwrap_or_default();
    shape
        .geometry()
        .to_wkb_dialect(dialect, CoordDimensions::xy(), Some(ewkb::SRID), envelope)
        .map_err(|error| error.to_string())
}

/// A value of a field that the database keeps as text; `None` when the text is not of that type.
pub(super) fn value_from_text(field: &Field, text: String) -> Option<Value> {
    match field.field_type {
        FieldType::Text => Some(Value::Text(text)),
        FieldType::Date => parse_date(&text).map(Value::Date),
        FieldType::DateTime => parse_instant(&text).map(Value::DateTime),
        FieldType::TextList => serde_json::from_str(&text).ok().map(Value::TextList),
        FieldType::Json => serde_json::from_str::<serde_json::Value>(&text).ok().map(|_| Value::Json(text)),
        FieldType::Boolean | FieldType::Integer | FieldType::Real => None,
    }
}
