//! Values and rows that could not be read: collected while a layer is read, logged once, counted per layer.
//!
//! An unreadable value becomes unknown and a row without a usable id is skipped; others are not affected.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::{FeatureId, Field, LayerSchema};

/// Maximum length of a stored value in the log, characters.
const MAX_VALUE_CHARS: usize = 80;
/// Maximum number of logged values of one column.
const MAX_EXAMPLES: usize = 16;

/// Unreadable values and rows in one read of a layer.
pub(super) struct ReadWarnings<'a> {
    layer: &'a LayerSchema,
    rows: HashMap<u64, u32>,
    examples: BTreeMap<String, Vec<Example>>,
}

struct Example {
    row: u64,
    id: String,
    value: String,
}

impl<'a> ReadWarnings<'a> {
    pub(super) fn new(layer: &'a LayerSchema) -> Self {
        Self { layer, rows: HashMap::new(), examples: BTreeMap::new() }
    }

    /// A value of a field that is read as unknown. The values of sensitive fields are not kept.
    pub(super) fn value(&mut self, id: &str, field: &Field, value: impl FnOnce() -> String) {
        let value = || if field.sensitive { "(sensitive)".to_owned() } else { value() };
        self.add(id, &field.name, value);
    }

    /// A geometry that is read as unknown.
    pub(super) fn geometry(&mut self, id: &str, reason: impl FnOnce() -> String) {
        self.add(id, "geometry", reason);
    }

    /// A row that is skipped because of its id.
    pub(super) fn row(&mut self, id: &str, reason: &str) {
        self.add(id, "id", || reason.to_owned());
    }

    fn add(&mut self, id: &str, column: &str, value: impl FnOnce() -> String) {
        let row = hash(id);
        *self.rows.entry(row).or_default() += 1;
        let examples = self.examples.entry(column.to_owned()).or_default();
        if examples.len() < MAX_EXAMPLES {
            let value = value().chars().take(MAX_VALUE_CHARS).collect();
            examples.push(Example { row, id: id.chars().take(FeatureId::MAX_BYTES).collect(), value });
        }
    }
}

/// Current number of unreadable values and rows of a layer.
#[derive(Debug, Default)]
pub(super) struct ReadWarningCount {
    /// By the hash of the row's id.
    rows: HashMap<u64, u32>,
    total: u64,
}

impl ReadWarningCount {
    /// All rows of the layer were read.
    pub(super) fn replace(&mut self, found: ReadWarnings<'_>) {
        self.log_new(&found);
        self.total = found.rows.values().map(|count| u64::from(*count)).sum();
        self.rows = found.rows;
    }

    /// Some rows were read.
    pub(super) fn update<'i>(&mut self, ids: impl IntoIterator<Item = &'i FeatureId>, found: ReadWarnings<'_>) {
        if self.rows.is_empty() && found.rows.is_empty() {
            return;
        }
        self.log_new(&found);
        for id in ids {
            let before = self.rows.remove(&hash(id.as_str())).unwrap_or(0);
            self.total = self.total.saturating_sub(before.into());
        }
        for (row, count) in found.rows {
            let before = self.rows.insert(row, count).unwrap_or(0);
            self.total = self.total.saturating_sub(before.into()) + u64::from(count);
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// One message for each column with rows that could be read before.
    fn log_new(&self, found: &ReadWarnings<'_>) {
        for (column, examples) in &found.examples {
            let Some(Example { id, value, .. }) = examples.iter().find(|example| !self.rows.contains_key(&example.row))
            else {
                continue;
            };
            tracing::warn!(
                layer = found.layer.id,
                id,
                column,
                value,
                rows = found.rows.len(),
                "a stored value cannot be read: it is unknown on the map, or its row is skipped"
            );
        }
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
