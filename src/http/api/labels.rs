//! Labels of codes, in Chinese and English.

use serde_json::{Value as Json, json};

use crate::model::Catalog;
use crate::model::catalog::{Code, CodeValue};
use crate::model::schema::Label;
use crate::snapshot::{Layer, Row};

/// The label of a secondary hazard's type.
pub(crate) fn hazard_type(catalog: &Catalog, layer: &Layer, row: &Row<'_>) -> Option<Label> {
    let field = &layer.schema().roles.secondary_hazard.as_ref()?.field;
    Some(label_of(catalog, layer, field, Some(layer.text(row, field)?)))
}

/// The label of a field's code; 不明 if the value is unknown.
pub(crate) fn label_of(catalog: &Catalog, layer: &Layer, field: &str, code: Option<&str>) -> Label {
    let schema = layer.schema();
    match code {
        Some(code) => {
            let list = schema.position(field).and_then(|at| schema.fields[at].codes.as_ref());
            label(catalog, list, code)
        }
        None => Label { zh: "不明".to_owned(), en: "Unknown".to_owned() },
    }
}

/// The label of a code; the code itself if it has no label.
pub(crate) fn label(catalog: &Catalog, list: Option<&String>, code: &str) -> Label {
    let is_it = |own: &&Code| match &own.code {
        CodeValue::Text(text) => text == code,
        CodeValue::Integer(number) => number.to_string() == code,
    };
    let found = list.and_then(|list| catalog.codes.get(list)).and_then(|codes| codes.iter().find(is_it));
    found.map_or_else(|| Label { zh: code.to_owned(), en: code.to_owned() }, |found| found.label.clone())
}

/// A code with its title, and with its colour and unit where it has them.
pub(crate) fn code_json(code: &Code) -> Json {
    let mut json = json!({"zh": code.label.zh, "en": code.label.en});
    json["code"] = match &code.code {
        CodeValue::Integer(number) => json!(number),
        CodeValue::Text(text) => json!(text),
    };
    if let Some(color) = &code.color {
        json["color"] = json!(color);
    }
    if let Some(unit) = &code.unit {
        json["unit"] = json!(unit);
    }
    json
}
