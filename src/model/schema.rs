//! Schemas of layers: fields, units, codes, and views for access control.

use serde::{Deserialize, Serialize};

use super::Value;
use super::cluster::ClusterConfig;
use super::roles::Roles;

/// A text in both languages of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// The type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Yes or no.
    Boolean,
    /// 64-bit integer.
    Integer,
    /// Finite 64-bit float.
    Real,
    /// Text.
    Text,
    /// Date.
    Date,
    /// Instant in UTC.
    #[serde(rename = "datetime")]
    DateTime,
    /// List of texts.
    TextList,
    /// JSON document.
    Json,
}

impl FieldType {
    /// The name used in the catalog and in replies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::TextList => "text_list",
            Self::Json => "json",
        }
    }
}

/// One column of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Column name: lower-case ASCII.
    pub name: String,
    /// Type of its values.
    pub field_type: FieldType,
    /// Title for people.
    pub title: Label,
    /// Unit of measure, for display.
    pub unit: Option<String>,
    /// The code list of its values.
    pub codes: Option<String>,
    /// Omitted from public replies.
    pub sensitive: bool,
    /// Reserved for roles above that of the caller, so that no view shows it, not even masked or revealed.
    pub is_reserved: bool,
    /// Included in vector tiles.
    pub in_tiles: bool,
    /// Smallest accepted number.
    pub min: Option<f64>,
    /// Largest accepted number.
    pub max: Option<f64>,
}

/// Why a value does not fit its field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// Another type.
    #[error("{value} is not of type {expected}")]
    Type {
        /// The value.
        value: String,
        /// The type of the field.
        expected: &'static str,
    },
    /// Not in a form in which the type is read.
    #[error("not {accepted}")]
    Unreadable {
        /// The form.
        accepted: &'static str,
    },
    /// Below the minimum or above the maximum.
    #[error("{value} is outside {min}..={max}")]
    Range {
        /// The value.
        value: f64,
        /// Smallest accepted.
        min: f64,
        /// Largest accepted.
        max: f64,
    },
    /// A text with U+0000, which PostgreSQL cannot store.
    #[error("it contains the character U+0000, which cannot be stored")]
    NulCharacter,
}

impl Field {
    /// Checks a value. Codes outside the code list are accepted, because sources may be newer than the list.
    ///
    /// # Errors
    /// When the value does not fit the field.
    pub fn check(&self, value: &Value) -> Result<(), ValueError> {
        if holds_nul(value) {
            return Err(ValueError::NulCharacter);
        }
        let number = match (self.field_type, value) {
            (_, Value::Unknown)
            | (FieldType::Boolean, Value::Boolean(_))
            | (FieldType::Text, Value::Text(_))
            | (FieldType::Date, Value::Date(_))
            | (FieldType::DateTime, Value::DateTime(_))
            | (FieldType::TextList, Value::TextList(_))
            | (FieldType::Json, Value::Json(_)) => return Ok(()),
            #[expect(clippy::cast_precision_loss, reason = "ranges are far below 2^53")]
            (FieldType::Integer, Value::Integer(number)) => *number as f64,
            (FieldType::Real, Value::Real(number)) if number.is_finite() => *number,
            (_, other) => {
                return Err(ValueError::Type { value: format!("{other:?}"), expected: self.field_type.name() });
            }
        };
        let (min, max) = (self.min.unwrap_or(f64::NEG_INFINITY), self.max.unwrap_or(f64::INFINITY));
        if (min..=max).contains(&number) { Ok(()) } else { Err(ValueError::Range { value: number, min, max }) }
    }
}

/// Whether a text, or a text within a list or document, contains U+0000.
fn holds_nul(value: &Value) -> bool {
    fn in_document(document: &serde_json::Value) -> bool {
        match document {
            serde_json::Value::String(text) => text.contains('\0'),
            serde_json::Value::Array(items) => items.iter().any(in_document),
            serde_json::Value::Object(members) => {
                members.iter().any(|(name, member)| name.contains('\0') || in_document(member))
            }
            _ => false,
        }
    }
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::TextList(list) => list.iter().any(|text| text.contains('\0')),
        // In JSON it is always written as this escape; the same characters also occur after an escaped backslash.
        Value::Json(document) if document.contains("\\u0000") => {
            serde_json::from_str(document).is_ok_and(|document| in_document(&document))
        }
        _ => false,
    }
}

/// The geometry kind of a layer. Multi-part geometries count as their single kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeometryKind {
    /// Points.
    Point,
    /// Lines.
    Line,
    /// Areas.
    Polygon,
    /// Any of them.
    Any,
}

impl GeometryKind {
    /// The name used in the catalog and in replies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Point => "point",
            Self::Line => "line",
            Self::Polygon => "polygon",
            Self::Any => "any",
        }
    }

    /// Whether a layer of this kind accepts geometries of another kind.
    #[must_use]
    pub fn accepts(self, other: Self) -> bool {
        self == Self::Any || self == other
    }
}

/// A layer (an OGC collection): name, geometry kind and fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerSchema {
    /// Collection id: lower-case ASCII letters, digits and underscores.
    pub id: String,
    /// Title for people.
    pub title: Label,
    /// Its group in the layer panel.
    pub group: String,
    /// Kind of geometry.
    pub geometry: GeometryKind,
    /// Minimum zoom of its tiles.
    pub min_zoom: u8,
    /// Cluster configuration; without it every feature is drawn at every zoom.
    pub clusters: Option<ClusterConfig>,
    /// 1 is the most important; a tile over its size budget omits features of the least important layers first.
    pub importance: u8,
    /// Whether its areas share borders, which are simplified identically on both sides.
    pub tessellation: bool,
    /// Fields without `id`, in order; `name` is the first.
    pub fields: Vec<Field>,
    /// Roles for queries.
    pub roles: Roles,
}

/// More people than the capacity of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{people} people exceed the capacity of {capacity}")]
pub struct OverCapacity {
    /// Index in [`LayerSchema::fields`] of the field with the people present or promised.
    pub field: usize,
    /// Its value.
    pub people: i64,
    /// Total capacity.
    pub capacity: i64,
}

impl LayerSchema {
    /// Indices of the fields that [`Self::check_capacity`] compares: the capacity, then the counts of people.
    pub fn capacity_fields(&self) -> impl Iterator<Item = usize> {
        let capacity = self.roles.capacity.iter();
        let names =
            capacity.flat_map(|capacity| [&capacity.capacity, &capacity.taken].into_iter().chain(&capacity.promised));
        names.filter_map(|name| self.position(name))
    }

    /// Checks that neither the people present nor the promised places exceed the capacity; unknown numbers pass.
    ///
    /// # Errors
    /// When one of them exceeds it.
    pub fn check_capacity(&self, values: &[Value]) -> Result<(), OverCapacity> {
        let number = |at: usize| match values.get(at) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        };
        let mut fields = self.capacity_fields();
        let Some(capacity) = fields.next().and_then(number) else { return Ok(()) };
        let mut counts = fields.filter_map(|field| Some((field, number(field)?)));
        match counts.find(|(_, people)| *people > capacity) {
            Some((field, people)) => Err(OverCapacity { field, people, capacity }),
            None => Ok(()),
        }
    }

    /// Index of a field in [`Self::fields`].
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The indices of the fields that are reserved for roles above that of the caller.
    #[must_use]
    pub fn reserved_fields(&self) -> Vec<usize> {
        self.fields.iter().enumerate().filter(|(_, field)| field.is_reserved).map(|(at, _)| at).collect()
    }
}

/// The visible fields of a layer. Every encoder takes a view, so code without the access check does not compile.
#[derive(Clone, Debug)]
pub struct View<'a> {
    schema: &'a LayerSchema,
    /// For each field, whether it is visible.
    visible: Vec<bool>,
}

impl<'a> View<'a> {
    /// The public view.
    #[must_use]
    pub fn public(schema: &'a LayerSchema) -> Self {
        Self { schema, visible: schema.fields.iter().map(|field| !field.sensitive).collect() }
    }

    /// The view of all fields, for the owner of the store.
    #[must_use]
    pub fn complete(schema: &'a LayerSchema) -> Self {
        Self { schema, visible: vec![true; schema.fields.len()] }
    }

    /// The view, reduced to the named fields.
    #[must_use]
    pub fn limited_to(mut self, names: &[&str]) -> Self {
        for (visible, field) in self.visible.iter_mut().zip(&self.schema.fields) {
            *visible &= names.contains(&field.name.as_str());
        }
        self
    }

    /// The view, extended by those of the named fields that are not reserved.
    #[must_use]
    pub fn with(mut self, names: &[&str]) -> Self {
        for (visible, field) in self.visible.iter_mut().zip(&self.schema.fields) {
            *visible |= names.contains(&field.name.as_str()) && !field.is_reserved;
        }
        self
    }

    /// The layer.
    #[must_use]
    pub fn schema(&self) -> &'a LayerSchema {
        self.schema
    }

    /// Whether it shows a field, by index in [`LayerSchema::fields`].
    #[must_use]
    pub fn shows(&self, field: usize) -> bool {
        self.visible.get(field) == Some(&true)
    }

    /// Visible fields with their index in [`LayerSchema::fields`].
    pub fn fields(&self) -> impl Iterator<Item = (usize, &'a Field)> + '_ {
        self.schema.fields.iter().enumerate().filter(|(at, _)| self.visible[*at])
    }
}
