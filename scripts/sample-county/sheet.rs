//! Rows of the sample before they become features: values by field name.

use geo::{Coord, Geometry, Point};
use serde_json::Value as Json;

use crate::land::{Land, Place};

/// A row that becomes a feature.
pub(crate) struct Row {
    /// Unique in its layer.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Twelve-digit code of the village, township or county it lies in.
    pub(crate) region: String,
    /// Geometry in the plane, in metres.
    pub(crate) shape: Geometry<f64>,
    /// Known values; other fields are unknown.
    pub(crate) facts: Vec<(&'static str, Json)>,
}

impl Row {
    /// A row without values.
    pub(crate) fn new(id: impl Into<String>, name: impl Into<String>, region: String, shape: Geometry<f64>) -> Self {
        Self { id: id.into(), name: name.into(), region, shape, facts: Vec::new() }
    }

    /// Adds a value.
    pub(crate) fn with(mut self, field: &'static str, value: impl Into<Json>) -> Self {
        self.facts.push((field, value.into()));
        self
    }

    /// Adds a value that may be unknown.
    pub(crate) fn with_known(self, field: &'static str, value: Option<impl Into<Json>>) -> Self {
        match value {
            Some(value) => self.with(field, value),
            None => self,
        }
    }
}

/// The row of a feature at a place.
pub(crate) fn place_row(land: &Land, id: impl Into<String>, name: impl Into<String>, place: Place) -> Row {
    Row::new(id, name, land.villages[place.village].code.clone(), point(place.at))
}

/// A point as a geometry.
pub(crate) fn point(at: Coord<f64>) -> Geometry<f64> {
    Point::from(at).into()
}

/// Rows that become a layer.
pub(crate) struct Sheet {
    /// Id of the layer.
    pub(crate) layer: &'static str,
    /// Its rows.
    pub(crate) rows: Vec<Row>,
}

impl Sheet {
    /// An empty sheet.
    pub(crate) fn new(layer: &'static str) -> Self {
        Self { layer, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// A unique name: a second one is numbered.
    pub(crate) fn fresh_name(&self, wanted: &str) -> String {
        let bears = |name: &str| self.rows.iter().any(|row| row.name == name);
        if !bears(wanted) {
            return wanted.to_owned();
        }
        let numbered = (2..=self.rows.len() + 2).map(|number| format!("{wanted}({number})")).find(|name| !bears(name));
        numbered.unwrap_or_default()
    }
}
