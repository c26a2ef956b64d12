//! Where a layer's rows come from: a table of ours or of others, and the SQL that reads it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::tables;
use crate::model::{Feature, FeatureId, LayerSchema};

/// A layer and how it is read.
pub(super) struct Source {
    pub(super) schema: LayerSchema,
    /// Quoted name of the table or view.
    pub(super) relation: String,
    /// Expression of the id, text.
    pub(super) key: String,
    /// Expression of the geometry, EWKB in WGS 84.
    pub(super) geometry: String,
    /// Expressions of the fields, in the types of the model.
    pub(super) expressions: Vec<String>,
    pub(super) watch: Watch,
}

impl Source {
    /// A table in our own schema.
    pub(super) fn own(schema: LayerSchema) -> Self {
        Self {
            relation: tables::name(&schema),
            key: "id".to_owned(),
            geometry: "ST_AsEWKB(geom)".to_owned(),
            expressions: schema.fields.iter().map(|field| tables::identifier(&field.name)).collect(),
            watch: Watch::Log,
            schema,
        }
    }

    /// Id, geometry and fields of the rows that meet a condition.
    pub(super) fn select(&self, condition: &str) -> String {
        let Self { key, geometry, relation, .. } = self;
        let columns = [key.clone(), geometry.clone()].into_iter().chain(self.expressions.iter().cloned());
        format!("SELECT {} FROM {relation} {condition}", columns.collect::<Vec<_>>().join(", "))
    }
}

/// How a change is noticed.
pub(super) enum Watch {
    /// Triggers write the change log.
    Log,
    /// The rows are compared with those of the last reading.
    Compare(Comparison),
}

/// What was seen of rows that nobody logs.
pub(super) struct Comparison {
    every: Duration,
    seen: Mutex<(Option<Instant>, HashMap<FeatureId, u64>)>,
}

impl Watch {
    pub(super) fn compared(every: Duration) -> Self {
        Self::Compare(Comparison { every, seen: Mutex::new((None, HashMap::new())) })
    }

    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Log => "triggers",
            Self::Compare(_) => "reading it again",
        }
    }
}

impl Comparison {
    /// Whether the rows are to be read again.
    pub(super) fn is_due(&self) -> bool {
        self.seen.lock().is_ok_and(|seen| seen.0.is_none_or(|last| last.elapsed() >= self.every))
    }

    /// Remembers the rows of a reading and answers which of them changed, and which are gone.
    pub(super) fn differences(&self, features: Vec<Feature>) -> Vec<(FeatureId, Option<Feature>)> {
        let Ok(mut seen) = self.seen.lock() else { return Vec::new() };
        let mut before = std::mem::take(&mut seen.1);
        let mut changes = Vec::new();
        for feature in features {
            let now = fingerprint(&feature);
            if before.remove(&feature.id) != Some(now) {
                changes.push((feature.id.clone(), Some(feature.clone())));
            }
            seen.1.insert(feature.id, now);
        }
        changes.extend(before.into_keys().map(|id| (id, None)));
        seen.0 = Some(Instant::now());
        changes
    }
}

/// Tells one state of a feature from another within one run.
fn fingerprint(feature: &Feature) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{feature:?}").hash(&mut hasher);
    hasher.finish()
}
