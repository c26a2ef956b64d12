//! What a layer's features look like: fields, units, codes, who may see them, what may be asked of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Value;
use super::cluster::ClusterConfig;

/// A text in the two languages of the map.
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
    /// 64-bit whole number.
    Integer,
    /// Finite 64-bit float.
    Real,
    /// Text.
    Text,
    /// Calendar day.
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
    /// The name used in the catalog and in answers.
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
    /// What people call it.
    pub title: Label,
    /// Unit of measure, as shown to people.
    pub unit: Option<String>,
    /// The code list its values come from.
    pub codes: Option<String>,
    /// Never leaves the server to a caller who may not see it.
    pub sensitive: bool,
    /// Carried in vector tiles.
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
        /// What was given.
        value: String,
        /// The field's type.
        expected: &'static str,
    },
    /// Below the minimum or above the maximum.
    #[error("{value} is outside {min}..={max}")]
    Range {
        /// What was given.
        value: f64,
        /// Smallest accepted.
        min: f64,
        /// Largest accepted.
        max: f64,
    },
    /// A text with the character U+0000, which PostgreSQL cannot store.
    #[error("it holds the character U+0000, which cannot be stored")]
    NulCharacter,
}

impl Field {
    /// Whether a value may stand in this field.
    ///
    /// # Errors
    /// Says what does not fit. Codes outside the list are kept: sources run ahead of our lists.
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

/// Whether a text, or one within a list or document, holds U+0000.
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
        // In JSON it is always escaped so; a backslash that is text itself makes the same characters.
        Value::Json(document) if document.contains("\\u0000") => {
            serde_json::from_str(document).is_ok_and(|document| in_document(&document))
        }
        _ => false,
    }
}

/// What kind of geometry a layer holds. Multi-part geometries count as their single kind.
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
    /// The name used in the catalog and in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Point => "point",
            Self::Line => "line",
            Self::Polygon => "polygon",
            Self::Any => "any",
        }
    }

    /// Whether a layer of this kind takes a geometry of the other kind.
    #[must_use]
    pub fn accepts(self, other: Self) -> bool {
        self == Self::Any || self == other
    }
}

/// A field and those of its codes that mean yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// Name of the field.
    pub field: String,
    /// The codes.
    pub codes: Vec<String>,
}

/// Where people find room: names of number fields, persons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityRole {
    /// All places.
    pub capacity: String,
    /// Places to sleep in.
    pub night: Option<String>,
    /// Places that are taken.
    pub taken: String,
    /// Places that are promised; blank is none.
    pub promised: Option<String>,
}

/// Which dangers a resource is made for: names of list fields. A danger that stands in neither is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuitabilityRole {
    /// Dangers that it is for.
    pub yes: String,
    /// Dangers that it is not for.
    pub no: String,
}

/// A list of articles that can be given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockRole {
    /// Name of the JSON field: a list of `item_code`, `quantity`, `promised`, `expires_on`.
    pub field: String,
    /// Name of the date field up to which, inclusive, it may be used; blank is without end.
    pub until: Option<String>,
    /// Name of the code list of its articles.
    pub codes: String,
}

/// An area that is dangerous.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneRole {
    /// Name of the field that says of which danger.
    pub hazard: String,
    /// Name of the field that says how much: 1 is worst.
    pub level: String,
}

/// A place with people that must not stand where it is dangerous.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExposedSiteRole {
    /// Name of the number field that says how many people it is for; those who are there without it.
    pub people: Option<String>,
    /// Only features with one of these codes; all of them without it.
    pub only: Option<Codes>,
}

/// What makes an accident nearby worse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondaryHazardRole {
    /// Name of the field that says what it is.
    pub field: String,
    /// How dangerous each of its codes is; 1 is the most dangerous, what is not named is no danger.
    pub ranks: BTreeMap<String, u8>,
}

/// Whom to call: names of text fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponsibleRole {
    /// The person.
    pub person: String,
    /// The telephone.
    pub phone: String,
}

/// When something is so: names of fields of instants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRole {
    /// Since when.
    pub start: String,
    /// Until when, blank is without end; without it the start is a moment of its own.
    pub end: Option<String>,
}

/// What questions may ask of a layer, by the names of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// The status of what can take a job.
    pub ready: Option<Codes>,
    /// Room for people.
    pub capacity: Option<CapacityRole>,
    /// Dangers that it is for.
    pub suitable_for: Option<SuitabilityRole>,
    /// Name of the list field that says what it can do.
    pub skills: Option<String>,
    /// Articles.
    pub stock: Option<StockRole>,
    /// A dangerous area.
    pub zone: Option<ZoneRole>,
    /// An area that something happens in, and the status of what is not over.
    pub active_area: Option<Codes>,
    /// Name of the number field that says how many people are there.
    pub people: Option<String>,
    /// A place with people that must not stand where it is dangerous.
    pub exposed_site: Option<ExposedSiteRole>,
    /// Names of fields by whose codes features are counted; the length of lines is summed by the first.
    pub count_by: Vec<String>,
    /// What makes an accident nearby worse.
    pub secondary_hazard: Option<SecondaryHazardRole>,
    /// Whom to call.
    pub responsible: Option<ResponsibleRole>,
    /// When it is so.
    pub time: Option<TimeRole>,
}

impl Roles {
    /// The names of all fields that roles name, with the types that the role can use.
    pub fn typed_fields(&self) -> impl Iterator<Item = (&str, &'static [FieldType])> {
        const TEXT: &[FieldType] = &[FieldType::Text];
        const INTEGER: &[FieldType] = &[FieldType::Integer];
        const CODE: &[FieldType] = &[FieldType::Text, FieldType::Integer, FieldType::Boolean];
        const LIST: &[FieldType] = &[FieldType::TextList];
        const JSON: &[FieldType] = &[FieldType::Json];
        const DATE: &[FieldType] = &[FieldType::Date];
        const TIME: &[FieldType] = &[FieldType::DateTime];
        let mut fields: Vec<(&String, &'static [FieldType])> = Vec::new();
        fields.extend(self.ready.iter().chain(&self.active_area).map(|codes| (&codes.field, TEXT)));
        if let Some(capacity) = &self.capacity {
            let numbers =
                [&capacity.capacity, &capacity.taken].into_iter().chain(&capacity.night).chain(&capacity.promised);
            fields.extend(numbers.map(|field| (field, INTEGER)));
        }
        fields.extend(
            self.suitable_for.iter().flat_map(|suitable_for| [(&suitable_for.yes, LIST), (&suitable_for.no, LIST)]),
        );
        fields.extend(self.skills.iter().map(|field| (field, LIST)));
        if let Some(stock) = &self.stock {
            fields.push((&stock.field, JSON));
            fields.extend(stock.until.iter().map(|field| (field, DATE)));
        }
        fields.extend(self.zone.iter().flat_map(|zone| [(&zone.hazard, TEXT), (&zone.level, INTEGER)]));
        fields.extend(self.people.iter().map(|field| (field, INTEGER)));
        if let Some(exposed_site) = &self.exposed_site {
            fields.extend(exposed_site.people.iter().map(|field| (field, INTEGER)));
            fields.extend(exposed_site.only.iter().map(|only| (&only.field, TEXT)));
        }
        fields.extend(self.count_by.iter().map(|field| (field, CODE)));
        fields.extend(self.secondary_hazard.iter().map(|secondary_hazard| (&secondary_hazard.field, TEXT)));
        fields.extend(self.responsible.iter().flat_map(|whom| [(&whom.person, TEXT), (&whom.phone, TEXT)]));
        if let Some(time) = &self.time {
            fields.push((&time.start, TIME));
            fields.extend(time.end.iter().map(|field| (field, TIME)));
        }
        fields.into_iter().map(|(field, types)| (field.as_str(), types))
    }
}

/// A layer (an OGC collection): its name, its kind of geometry and its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerSchema {
    /// Collection id: lower-case ASCII letters, digits and underscores.
    pub id: String,
    /// What people call it.
    pub title: Label,
    /// The group it stands in on the layer panel.
    pub group: String,
    /// Kind of geometry.
    pub geometry: GeometryKind,
    /// Lowest zoom at which it stands in tiles.
    pub min_zoom: u8,
    /// How its features are aggregated at low zooms; `None` draws every feature at every zoom.
    pub clusters: Option<ClusterConfig>,
    /// 1 is the most important; a tile over its size budget omits features of the least important layers first.
    pub importance: u8,
    /// Whether its areas share borders, which are simplified alike on both sides.
    pub tessellation: bool,
    /// Fields without `id`, in order; `name` is the first.
    pub fields: Vec<Field>,
    /// What questions may ask of it.
    pub roles: Roles,
}

/// More people than a place has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{people} people are more than the capacity of {capacity}")]
pub struct OverCapacity {
    /// Position of the field that says how many are there or promised, in [`LayerSchema::fields`].
    pub field: usize,
    /// What it says.
    pub people: i64,
    /// All places.
    pub capacity: i64,
}

impl LayerSchema {
    /// Positions of the fields that [`Self::check_capacity`] compares: the capacity, then those that count people.
    pub fn capacity_fields(&self) -> impl Iterator<Item = usize> {
        let capacity = self.roles.capacity.iter();
        let names =
            capacity.flat_map(|capacity| [&capacity.capacity, &capacity.taken].into_iter().chain(&capacity.promised));
        names.filter_map(|name| self.position(name))
    }

    /// Checks that neither those who are there nor those who are promised a place are more than the capacity; unknown
    /// numbers pass.
    ///
    /// # Errors
    /// When one of them is more.
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

    /// Position of a field in [`Self::fields`].
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// What a caller may see of a layer. Every encoder takes one, so forgetting who may see a phone
/// number does not compile.
#[derive(Clone, Debug)]
pub struct View<'a> {
    schema: &'a LayerSchema,
    visible: Vec<usize>,
}

impl<'a> View<'a> {
    /// What everybody may see.
    #[must_use]
    pub fn public(schema: &'a LayerSchema) -> Self {
        let visible = (0..schema.fields.len()).filter(|&at| !schema.fields[at].sensitive).collect();
        Self { schema, visible }
    }

    /// Everything, for whoever holds the store itself.
    #[must_use]
    pub fn complete(schema: &'a LayerSchema) -> Self {
        Self { schema, visible: (0..schema.fields.len()).collect() }
    }

    /// Of these fields, those that are among the names.
    #[must_use]
    pub fn limited_to(mut self, names: &[&str]) -> Self {
        self.visible.retain(|&at| names.contains(&self.schema.fields[at].name.as_str()));
        self
    }

    /// The layer.
    #[must_use]
    pub fn schema(&self) -> &'a LayerSchema {
        self.schema
    }

    /// Visible fields with their position in [`LayerSchema::fields`].
    pub fn fields(&self) -> impl Iterator<Item = (usize, &'a Field)> + '_ {
        self.visible.iter().map(|&at| (at, &self.schema.fields[at]))
    }
}
