//! Locates a mistake in the catalog document by its JSON pointer (RFC 6901), so that the message can show the line.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{CatalogError, CatalogFault};

/// Location of a mistake: a JSON pointer, and optionally a text to look for inside that value.
pub(super) struct DocumentLocation {
    pub(super) pointer: String,
    pub(super) text: Option<String>,
}

pub(super) fn at(pointer: impl Into<String>) -> DocumentLocation {
    DocumentLocation { pointer: pointer.into(), text: None }
}

/// A mistake and its location.
pub(super) struct Mistake(pub(super) Box<(DocumentLocation, CatalogFault)>);

pub(super) type Checked<T> = Result<T, Mistake>;

pub(super) fn mistake(place: DocumentLocation, fault: CatalogFault) -> Mistake {
    Mistake(Box::new((place, fault)))
}

/// The line and column of a location in the document; its beginning if the location is not found.
pub(super) fn located(text: &str, (place, fault): (DocumentLocation, CatalogFault)) -> CatalogError {
    let value = value_at(text, &place.pointer).unwrap_or(text);
    let inside = place.text.as_ref().and_then(|part| value.find(&format!("\"{part}\""))).unwrap_or(0);
    let offset = value.as_ptr().addr() - text.as_ptr().addr() + inside;
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    CatalogError { line, column, fault }
}

/// The text of the value at a JSON pointer.
pub(super) fn value_at<'a>(text: &'a str, pointer: &str) -> Option<&'a str> {
    pointer.split('/').skip(1).try_fold(text, |value, step| {
        let inside: &RawValue = if value.trim_start().starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
            items.get(step.parse::<usize>().ok()?)?
        } else {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(value).ok()?;
            members.get(&step.replace("~1", "/").replace("~0", "~"))?
        };
        Some(inside.get())
    })
}
