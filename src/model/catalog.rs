//! The catalog: the county, its layers, their fields and code lists, read from `data/catalog.json` or from a file that
//! the configuration names.
//!
//! The catalog is data: a new layer, a new field or another county is a change there and no code here. The folder
//! beside this file holds the only place of the module that reads JSON, because the catalog is the model's own document.

mod clusters;
mod document;
mod fault;
mod mistake;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schema::{Label, LayerSchema};
use crate::geodesy::{Envelope, LonLat};

pub use document::distances_grow;
pub use fault::{CatalogError, CatalogFault};

/// One entry of a code list.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// The stored value: text or whole number.
    pub code: CodeValue,
    /// What people call it.
    pub label: Label,
    /// Colour as `#rrggbb`, for lists that are drawn by colour.
    pub color: Option<String>,
    /// The entry of another list that it belongs to (a category's risk unit).
    pub unit: Option<String>,
}

/// The stored form of a code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CodeValue {
    /// Ranks, such as risk levels 1 to 4.
    Integer(i64),
    /// Everything else.
    Text(String),
}

impl std::fmt::Display for CodeValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The administrative area that the map is about.
#[derive(Clone, Debug, PartialEq)]
pub struct County {
    /// Its name.
    pub name: Label,
    /// The title of the map.
    pub title: Label,
    /// Its division code of 2 to 12 digits.
    pub code: String,
    /// Where the map opens.
    pub center: LonLat,
    /// The zoom at which the map opens.
    pub zoom: f64,
    /// The box around it; does not cross the antimeridian.
    pub bounds: Envelope,
    /// How far outside of `bounds` a feature may be, metres, before it is taken for a mistake.
    pub margin_m: f64,
}

/// The county, all layers and all code lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalog {
    /// What the map is about.
    pub county: County,
    /// Layers in drawing order, lowest first.
    pub layers: Vec<LayerSchema>,
    /// Code lists by name.
    pub codes: BTreeMap<String, Vec<Code>>,
    /// What files usually call a field, by its name; `lon` and `lat` are the coordinates, `id` the feature's id.
    pub synonyms: BTreeMap<String, Vec<String>>,
    /// Rings around what happened, metres, growing, by the kind of incident; those of `default` for any other.
    pub rings_m: BTreeMap<String, Vec<f64>>,
}

impl Catalog {
    /// The catalog built into the program.
    ///
    /// # Errors
    /// Only when the program was built from a broken catalog; a test guards that.
    pub fn built_in() -> Result<Self, CatalogError> {
        document::built_in(None)
    }

    /// The catalog built into the program, with another table of categories: `code,unit,zh,en` with a header line.
    ///
    /// # Errors
    /// When a row of the table is broken.
    pub fn with_categories(table: &str) -> Result<Self, CatalogError> {
        document::built_in(Some(table))
    }

    /// Reads a catalog document. `county` must be there; `layers`, `common_fields` and `rings_m` that it
    /// leaves out are as built in, and so are code lists, colours and synonyms that it does not name.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and column.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        document::parse(text)
    }

    /// The catalog as a document that [`Self::parse`] reads as the same catalog.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        document::write(self)
    }

    /// A layer by its id.
    #[must_use]
    pub fn layer(&self, id: &str) -> Option<&LayerSchema> {
        self.layers.iter().find(|layer| layer.id == id)
    }

    /// The colour of a code, `#rrggbb`.
    #[must_use]
    pub fn color(&self, list: &str, code: &CodeValue) -> Option<&str> {
        self.codes.get(list)?.iter().find(|entry| entry.code == *code)?.color.as_deref()
    }

    /// The kinds of incident that rings may be given for: those that have some, and the codes of the first field that
    /// incidents and warnings are counted by.
    #[must_use]
    pub fn incident_kinds(&self) -> Vec<String> {
        let alerts = self.layers.iter().filter(|layer| layer.roles.active_area.is_some());
        let fields = alerts.filter_map(|layer| layer.fields.get(layer.position(layer.roles.count_by.first()?)?));
        let lists = fields.filter_map(|field| self.codes.get(field.codes.as_ref()?));
        let mut kinds: Vec<String> = self.rings_m.keys().cloned().collect();
        kinds.extend(lists.flatten().map(|code| code.code.to_string()));
        kinds.sort();
        kinds.dedup();
        kinds
    }
}
