//! The catalog: the county, its layers, fields and code lists, read from `data/catalog.json` or from the file that the
//! configuration names.
//!
//! A new layer, field or county is a change of that data and needs no code. The submodules contain the only JSON
//! parsing of [`crate::model`].

mod clusters;
mod document;
mod fault;
mod mistake;
mod needs;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LayerAccess;
use super::schema::{Label, LayerSchema};
use crate::geodesy::{Envelope, LonLat};

pub use fault::{CatalogError, CatalogFault};
pub use needs::EvacueeNeed;

/// One entry of a code list.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// The stored value: text or whole number.
    pub code: CodeValue,
    /// Title for people.
    pub label: Label,
    /// Colour as `#rrggbb`, for code lists with colours.
    pub color: Option<String>,
    /// The entry of another list that it belongs to (the risk unit of a category).
    pub unit: Option<String>,
}

/// The stored form of a code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CodeValue {
    /// Ranks, such as risk levels 1 to 4.
    Integer(i64),
    /// All other codes.
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

/// The administrative area of the map.
#[derive(Clone, Debug, PartialEq)]
pub struct County {
    /// Its name.
    pub name: Label,
    /// The title of the map.
    pub title: Label,
    /// Its division code of 2 to 12 digits.
    pub code: String,
    /// Initial centre of the map.
    pub center: LonLat,
    /// Initial zoom of the map.
    pub zoom: f64,
    /// Its envelope; does not cross the antimeridian.
    pub bounds: Envelope,
    /// Features farther outside `bounds` than this are refused, metres.
    pub margin_m: f64,
}

/// The county, all layers and all code lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalog {
    /// The area of the map.
    pub county: County,
    /// Layers in drawing order, lowest first.
    pub layers: Vec<LayerSchema>,
    /// Code lists by name.
    pub codes: BTreeMap<String, Vec<Code>>,
    /// Common column names in files, by field name; `lon` and `lat` are the coordinates, `id` the feature id.
    pub synonyms: BTreeMap<String, Vec<String>>,
    /// Default ring radii around an incident, metres, ascending, by kind of incident; `default` for any other kind.
    pub rings_m: BTreeMap<String, Vec<f64>>,
    /// Minimum needs of evacuees.
    pub needs: Vec<EvacueeNeed>,
    /// Access rules by layer id; a layer without rules is public, and editors write it.
    pub access: BTreeMap<String, LayerAccess>,
}

impl Catalog {
    /// The built-in catalog.
    ///
    /// # Errors
    /// Only if the built-in catalog is invalid; a test guards against that.
    pub fn built_in() -> Result<Self, CatalogError> {
        document::built_in(None)
    }

    /// The built-in catalog with another category table: `code,unit,zh,en` with a header line.
    ///
    /// # Errors
    /// When a row of the table is invalid.
    pub fn with_categories(table: &str) -> Result<Self, CatalogError> {
        document::built_in(Some(table))
    }

    /// Reads a catalog document. `county` is required; if `layers`, `common_fields`, `rings_m` or `needs` is
    /// missing, the built-in one applies, as do built-in code lists, colours and synonyms that it does not define.
    ///
    /// # Errors
    /// The first mistake, with its line and column.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        document::parse(text)
    }

    /// Serializes the catalog; [`Self::parse`] reads the result as an equal catalog.
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

    /// The kinds of incident that may have rings: those that have some, and the codes of the first `count_by` field of
    /// layers with active areas.
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

/// Whether these are valid ring radii: at least one, above 0, finite and ascending.
#[must_use]
pub fn distances_grow(metres: &[f64]) -> bool {
    metres.first().is_some_and(|first| *first > 0.0)
        && metres.iter().all(|radius| radius.is_finite())
        && metres.is_sorted_by(|a, b| a < b)
}
