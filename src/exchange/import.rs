//! From a row of a file to a feature of a layer, or the reason why not.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use geo::MapCoords;
use serde_json::Value as Json;

use super::matching::ColumnMatch;
use super::reader::{Defect, Reader, Spelling, check_place};
use super::{Record, Unreadable};
use crate::geodesy::LonLat;
use crate::geodesy::datum::{Crs, CrsError, CrsProjection};
use crate::model::{Catalog, Feature, FeatureId, LayerSchema, Shape, Value};

/// How rows are to be understood.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Reference system of the coordinates.
    pub crs: Crs,
    /// Fields (or `id`) and the columns of the file that fill them; other fields have a column of their own name.
    pub columns: Vec<ColumnMatch>,
    /// What `source` says where the file does not.
    pub source: String,
    /// Prefix of the ids of rows that have none.
    pub id_prefix: String,
    /// What `updated_at` says where the file does not.
    pub now: time::UtcDateTime,
    /// Whether features far outside of the county are taken.
    pub anywhere: bool,
}

/// Why a row was not taken, or what was changed in it.
#[derive(Clone, Debug, PartialEq)]
pub struct RowIssue {
    /// Position among the rows of the file, from 1.
    pub row: usize,
    /// Line of the file, for text formats.
    pub line: Option<usize>,
    /// The column or `geometry`, where one is to blame.
    pub field: Option<String>,
    /// The value as it stands in the file, shortened; not that of a sensitive field.
    pub value: Option<String>,
    /// What is wrong or was mended.
    pub reason: String,
}

/// What became of the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Rows seen.
    pub read: usize,
    /// Rows that became features.
    pub taken: usize,
    /// Rows that did not, each with its first reason.
    pub refused: Vec<RowIssue>,
    /// Rows that had no id and were given one.
    pub numbered: usize,
    /// Columns of the file that the layer has no field for, with the number of rows that fill them.
    pub ignored_columns: BTreeMap<String, usize>,
    /// Fields of the layer that the file has a column for.
    pub matched: BTreeSet<String>,
    /// Rows that became features without a place.
    pub placeless: usize,
}

/// Turns records into features of one layer and keeps the report.
pub struct Importer<'a> {
    catalog: &'a Catalog,
    schema: &'a LayerSchema,
    reader: Reader<'a>,
    rules: Rules,
    converter: CrsProjection,
    seen: HashSet<FeatureId>,
    report: Report,
}

struct Refusal {
    field: Option<String>,
    value: Option<String>,
    reason: String,
}

impl Refusal {
    fn of(field: &str, value: &impl ToString, reason: &impl ToString) -> Self {
        const SHOWN_CHARS: usize = 80;
        let value = value.to_string();
        let shown = if value.chars().count() > SHOWN_CHARS {
            value.chars().take(SHOWN_CHARS).chain(['…']).collect()
        } else {
            value
        };
        Self { field: Some(field.to_owned()), value: Some(shown), reason: reason.to_string() }
    }
}

impl<'a> Importer<'a> {
    /// Prepares for one layer.
    ///
    /// # Errors
    /// When the reference system cannot be used.
    pub fn new(catalog: &'a Catalog, schema: &'a LayerSchema, rules: Rules) -> Result<Self, CrsError> {
        let converter = rules.crs.converter()?;
        let reader = Reader::new(catalog, schema, Spelling::Table);
        Ok(Self { catalog, schema, reader, rules, converter, seen: HashSet::new(), report: Report::default() })
    }

    /// Takes one row; `None` when it was refused, which the report then says.
    pub fn take(&mut self, record: Result<Record, Unreadable>) -> Option<Feature> {
        self.report.read += 1;
        let (row, line, outcome) = match record {
            Ok(record) => (record.row, record.line, self.feature(&record)),
            Err(bad) => (bad.row, bad.line, Err(Refusal { field: None, value: None, reason: bad.reason })),
        };
        match outcome {
            Ok(feature) => {
                self.report.taken += 1;
                Some(feature)
            }
            Err(Refusal { field, value, reason }) => {
                self.report.refused.push(RowIssue { row, line, field, value, reason });
                None
            }
        }
    }

    /// What became of the rows so far.
    #[must_use]
    pub fn into_report(self) -> Report {
        self.report
    }

    fn feature(&mut self, record: &Record) -> Result<Feature, Refusal> {
        self.note_columns(record);
        let geometry = record.geometry.as_ref().map(|geometry| self.shape(geometry)).transpose()?;
        let id = self.id(record)?;
        let mut values = Vec::with_capacity(self.schema.fields.len());
        for field in &self.schema.fields {
            let column = self.column(&field.name);
            let json = record.properties.get(column).unwrap_or(&Json::Null);
            let refusal = |Defect { reason, accepted }: Defect| {
                if field.sensitive {
                    let reason = format!("the value does not fit and is not shown; accepted: {accepted}");
                    return Refusal { field: Some(column.to_owned()), value: None, reason };
                }
                Refusal::of(column, json, &format!("{reason}; accepted: {accepted}"))
            };
            let value = self.reader.value(field, json).map_err(refusal)?;
            values.push(if value.is_unknown() { self.default_value(&field.name) } else { value });
        }
        if let Err(over) = self.schema.check_capacity(&values) {
            let column = self.column(&self.schema.fields[over.field].name);
            return Err(Refusal::of(column, &over.people, &over));
        }
        self.report.placeless += usize::from(geometry.is_none());
        self.seen.insert(id.clone());
        Ok(Feature { id, geometry, values })
    }

    fn column<'b>(&'b self, field: &'b str) -> &'b str {
        self.rules.columns.iter().find(|own| own.field == field).map_or(field, |own| &own.column)
    }

    fn default_value(&self, field: &str) -> Value {
        match field {
            "source" => Value::Text(self.rules.source.clone()),
            "updated_at" => Value::DateTime(self.rules.now),
            "version" => Value::Integer(1),
            _ => Value::Unknown,
        }
    }

    fn id(&mut self, record: &Record) -> Result<FeatureId, Refusal> {
        let column = self.column("id");
        let given = match record.properties.get(column) {
            Some(Json::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Some(Json::Number(number)) => Some(number.to_string()),
            _ => record.id.clone(),
        };
        let text = given.clone().unwrap_or_else(|| format!("{}-{}", self.rules.id_prefix, record.row));
        let id = FeatureId::new(&text).map_err(|error| Refusal::of(column, &text, &error))?;
        if self.seen.contains(&id) {
            return Err(Refusal::of(column, &text, &"another row of the file has the same id"));
        }
        if given.is_none() {
            self.report.numbered += 1;
        }
        Ok(id)
    }

    fn shape(&self, geometry: &geo::Geometry) -> Result<Shape, Refusal> {
        let converted = geometry.try_map_coords(|coord| {
            let at: LonLat = self
                .converter
                .position(coord.x, coord.y)
                .map_err(|error| Refusal::of("geometry", &format!("{},{}", coord.x, coord.y), &error))?;
            Ok(geo::Coord { x: at.lon(), y: at.lat() })
        })?;
        let refusal = |reason: String| Refusal { field: Some("geometry".to_owned()), value: None, reason };
        let shape = self.reader.shape(converted).map_err(|defect| refusal(defect.reason))?;
        if !self.rules.anywhere {
            check_place(&self.catalog.county, &shape).map_err(|Defect { reason, accepted }| {
                refusal(format!("{reason}; accepted: {accepted}, or any place with --anywhere"))
            })?;
        }
        Ok(shape)
    }

    fn note_columns(&mut self, record: &Record) {
        for (name, value) in &record.properties {
            let field = self.schema.fields.iter().find(|field| self.column(&field.name) == name);
            let empty = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
            if let Some(field) = field {
                if !self.report.matched.contains(&field.name) {
                    self.report.matched.insert(field.name.clone());
                }
            } else if self.column("id") != name && !empty {
                *self.report.ignored_columns.entry(name.clone()).or_default() += 1;
            }
        }
    }
}
