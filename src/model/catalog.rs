//! The layers and code lists of the built-in map, read from `data/catalog.json` and `data/categories.csv`.
//!
//! The catalog is data: a new layer or a new field is a line there and no code here. This is the
//! only place of the room that reads JSON, because the catalog is the model's own document.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::schema::{Field, FieldType, GeometryKind, Label, LayerSchema, Roles};

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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum CodeValue {
    /// Ranks, such as risk levels 1 to 4.
    Integer(i64),
    /// Everything else.
    Text(String),
}

/// All layers and code lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalog {
    /// Layers in drawing order, lowest first.
    pub layers: Vec<LayerSchema>,
    /// Code lists by name.
    pub codes: BTreeMap<String, Vec<Code>>,
    /// Rings around what happened, metres, growing, by the kind of incident; those of `default` for any other.
    pub rings_m: BTreeMap<String, Vec<f64>>,
}

/// Why a catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Not the JSON it should be.
    #[error("the layer catalog is not readable")]
    Json(#[from] serde_json::Error),
    /// The category table is broken.
    #[error("line {line} of the category table is not `code,unit,zh,en`")]
    Categories {
        /// Line number, from 1.
        line: usize,
    },
    /// A role names a field that the layer does not have.
    #[error("a role of {layer} names the unknown field {field}")]
    UnknownField {
        /// Layer id.
        layer: String,
        /// The missing field.
        field: String,
    },
    /// A field names a code list that is not there.
    #[error("field {layer}.{field} names the unknown code list {codes}")]
    UnknownCodes {
        /// Layer id.
        layer: String,
        /// Field name.
        field: String,
        /// The missing list.
        codes: String,
    },
}

impl Catalog {
    /// Reads the catalog document and the category table (`code,unit,zh,en` with a header line).
    ///
    /// # Errors
    /// See [`CatalogError`].
    pub fn parse(catalog_json: &[u8], categories_csv: &str) -> Result<Self, CatalogError> {
        let raw: RawCatalog = serde_json::from_slice(catalog_json)?;
        let mut codes: BTreeMap<String, Vec<Code>> =
            raw.codes.into_iter().map(|(name, list)| (name, list.into_iter().map(Code::from).collect())).collect();
        codes.insert("category".to_owned(), parse_categories(categories_csv)?);
        let common = raw.common_fields;
        let layers: Vec<LayerSchema> = raw.layers.into_iter().map(|layer| layer.into_schema(&common)).collect();
        for layer in &layers {
            if let Some(field) = layer.roles.fields().find(|field| layer.position(field).is_none()) {
                return Err(CatalogError::UnknownField { layer: layer.id.clone(), field: field.to_owned() });
            }
            for field in &layer.fields {
                if let Some(list) = &field.codes
                    && !codes.contains_key(list)
                {
                    return Err(CatalogError::UnknownCodes {
                        layer: layer.id.clone(),
                        field: field.name.clone(),
                        codes: list.clone(),
                    });
                }
            }
        }
        Ok(Self { layers, codes, rings_m: raw.rings_m })
    }

    /// The catalog built into the program.
    ///
    /// # Errors
    /// Only when the program was built from a broken catalog; a test guards that.
    pub fn built_in() -> Result<Self, CatalogError> {
        Self::parse(include_bytes!("../../data/catalog.json"), include_str!("../../data/categories.csv"))
    }

    /// A layer by its id.
    #[must_use]
    pub fn layer(&self, id: &str) -> Option<&LayerSchema> {
        self.layers.iter().find(|layer| layer.id == id)
    }
}

fn parse_categories(csv: &str) -> Result<Vec<Code>, CatalogError> {
    csv.trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .skip(1)
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let [code, unit, zh, en] = cells[..] else {
                return Err(CatalogError::Categories { line: index + 1 });
            };
            Ok(Code {
                code: CodeValue::Text(code.to_owned()),
                label: Label { zh: zh.to_owned(), en: en.to_owned() },
                color: None,
                unit: Some(unit.to_owned()),
            })
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalog {
    common_fields: Vec<RawField>,
    codes: BTreeMap<String, Vec<RawCode>>,
    rings_m: BTreeMap<String, Vec<f64>>,
    layers: Vec<RawLayer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCode {
    code: CodeValue,
    zh: String,
    en: String,
    color: Option<String>,
}

impl From<RawCode> for Code {
    fn from(raw: RawCode) -> Self {
        Self { code: raw.code, label: Label { zh: raw.zh, en: raw.en }, color: raw.color, unit: None }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    name: String,
    #[serde(rename = "type")]
    field_type: FieldType,
    zh: String,
    en: String,
    unit: Option<String>,
    codes: Option<String>,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    tile: bool,
    min: Option<f64>,
    max: Option<f64>,
}

impl From<RawField> for Field {
    fn from(raw: RawField) -> Self {
        Self {
            name: raw.name,
            field_type: raw.field_type,
            title: Label { zh: raw.zh, en: raw.en },
            unit: raw.unit,
            codes: raw.codes,
            sensitive: raw.sensitive,
            in_tiles: raw.tile,
            min: raw.min,
            max: raw.max,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLayer {
    id: String,
    group: String,
    zh: String,
    en: String,
    geometry: GeometryKind,
    minzoom: u8,
    fields: Vec<RawField>,
    #[serde(default)]
    roles: Roles,
}

impl RawLayer {
    fn into_schema(self, common: &[RawField]) -> LayerSchema {
        let fields = common.iter().cloned().chain(self.fields).map(Field::from).collect();
        LayerSchema {
            id: self.id,
            title: Label { zh: self.zh, en: self.en },
            group: self.group,
            geometry: self.geometry,
            min_zoom: self.minzoom,
            fields,
            roles: self.roles,
        }
    }
}
