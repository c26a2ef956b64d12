//! The source of a layer's rows: an own table or one of another program, and the SQL that reads it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::tables;
use crate::model::{Feature, FeatureId, LayerSchema};
use crate::store::TableLayer;
use crate::store::layer_state::LayerState;
use crate::store::quoting::identifier;

/// A layer and the SQL that reads it.
pub(super) struct Source {
    pub(super) schema: LayerSchema,
    /// Quoted name of the table or view.
    pub(super) relation: String,
    /// Expression of the id, text.
    pub(super) key: String,
    /// Expressions of the geometry, EWKB in WGS 84.
    pub(super) geometry: GeometryExpression,
    /// Expressions of the fields, in the types of the model.
    pub(super) expressions: Vec<String>,
    /// The table of another program; `None` for an own table.
    pub(super) foreign: Option<ForeignTable>,
    /// The configuration of a table that cannot be used yet: no rows are read from it.
    pub(super) placeholder: Option<TableLayer>,
    pub(super) state: LayerState,
    watched: Mutex<Watched>,
}

/// SQL expressions for the geometry of a row.
pub(super) struct GeometryExpression {
    /// Fails for all rows when one cannot be transformed.
    fast: String,
    /// Yields NULL for such a row; slower.
    tolerant: Option<String>,
    is_tolerant: AtomicBool,
}

/// The configuration of a table of another program.
pub(super) struct ForeignTable {
    /// `schema.table`.
    pub(super) table: String,
    /// Column that identifies a row.
    pub(super) key: String,
    /// Polling interval without triggers.
    pub(super) refresh: Duration,
}

/// The method of change detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// Triggers write the change log.
    Log,
    /// The rows are compared with those of the last read.
    Compare,
}

/// Hash of the state of each row, comparable within one run.
pub(super) type Fingerprints = HashMap<FeatureId, u64>;

struct Watched {
    watch: Watch,
    /// Description of the table, its columns and triggers when the layer was last read.
    structure: Option<String>,
    /// The rows and the time of the last successful read; kept where rows are compared.
    seen: Option<(Instant, Fingerprints)>,
}

impl Source {
    /// A table in the schema `onemap`; `gis` is the quoted schema of PostGIS.
    pub(super) fn own(schema: LayerSchema, gis: &str) -> Self {
        Self {
            relation: tables::name(&schema),
            key: "id".to_owned(),
            geometry: GeometryExpression::new(format!("{gis}.ST_AsEWKB(geom)"), None),
            expressions: schema.fields.iter().map(|field| identifier(&field.name)).collect(),
            foreign: None,
            placeholder: None,
            state: LayerState::default(),
            watched: Mutex::new(Watched::new(Watch::Log)),
            schema,
        }
    }

    /// A table of another program.
    pub(super) fn foreign(
        schema: LayerSchema,
        relation: String,
        geometry: GeometryExpression,
        expressions: Vec<String>,
        table: ForeignTable,
        watch: Watch,
    ) -> Self {
        Self {
            key: format!("{}::text", identifier(&table.key)),
            foreign: Some(table),
            placeholder: None,
            state: LayerState::default(),
            watched: Mutex::new(Watched::new(watch)),
            schema,
            relation,
            geometry,
            expressions,
        }
    }

    /// A table of another program that cannot be used yet.
    pub(super) fn placeholder(
        schema: LayerSchema,
        relation: String,
        table: ForeignTable,
        configured: TableLayer,
    ) -> Self {
        let nothing = GeometryExpression::new(String::new(), None);
        let source = Self::foreign(schema, relation, nothing, Vec::new(), table, Watch::Compare);
        Self { placeholder: Some(configured), ..source }
    }

    /// Id, geometry and fields of the rows that meet a condition.
    pub(super) fn select(&self, condition: &str) -> String {
        let Self { key, geometry, relation, .. } = self;
        let columns =
            [key.as_str(), geometry.expression()].into_iter().chain(self.expressions.iter().map(String::as_str));
        format!("SELECT {} FROM {relation} {condition}", columns.collect::<Vec<_>>().join(", "))
    }

    /// Schema and name of the table, unquoted.
    pub(super) fn schema_and_name(&self) -> (String, String) {
        let own = ("onemap", self.schema.id.as_str());
        let (schema, name) = self.foreign.as_ref().and_then(|foreign| foreign.table.split_once('.')).unwrap_or(own);
        (schema.to_owned(), name.to_owned())
    }

    /// Poisoning is ignored, because each part of the state is replaced as a whole.
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(&self) -> Watch {
        self.lock().watch
    }

    pub(super) fn set_watch(&self, watch: Watch) {
        self.lock().watch = watch;
    }

    /// Stores the structure of the table and returns whether it changed.
    pub(super) fn has_new_structure(&self, structure: &str) -> bool {
        let before = self.lock().structure.replace(structure.to_owned());
        before.is_some_and(|before| before != structure)
    }

    /// Whether the rows must be read again and compared.
    pub(super) fn is_due(&self) -> bool {
        let every = self.foreign.as_ref().map_or(Duration::MAX, |table| table.refresh);
        let watched = self.lock();
        watched.watch == Watch::Compare && watched.seen.as_ref().is_none_or(|(last, _)| last.elapsed() >= every)
    }

    /// The rows that changed since the last successful read, and those that were deleted. Nothing is stored, because
    /// the read may still fail.
    pub(super) fn differences(&self, features: Vec<Feature>, now: &Fingerprints) -> Vec<(FeatureId, Option<Feature>)> {
        let watched = self.lock();
        let nothing = Fingerprints::new();
        let before = watched.seen.as_ref().map_or(&nothing, |(_, before)| before);
        let deleted = before.keys().filter(|id| !now.contains_key(*id)).map(|id| (id.clone(), None));
        let changed = features.into_iter().filter(|feature| before.get(&feature.id) != now.get(&feature.id));
        changed.map(|feature| (feature.id.clone(), Some(feature))).chain(deleted).collect()
    }

    /// Stores the rows of a successful read.
    pub(super) fn remember(&self, now: Fingerprints) {
        self.lock().seen = Some((Instant::now(), now));
    }
}

impl GeometryExpression {
    pub(super) fn new(fast: String, tolerant: Option<String>) -> Self {
        Self { fast, tolerant, is_tolerant: AtomicBool::new(false) }
    }

    fn expression(&self) -> &str {
        match &self.tolerant {
            Some(tolerant) if self.is_tolerant.load(Ordering::Relaxed) => tolerant,
            _ => &self.fast,
        }
    }

    /// Selects the tolerant expression from now on. Returns false if it was already selected.
    pub(super) fn tolerate(&self) -> bool {
        self.tolerant.is_some() && !self.is_tolerant.swap(true, Ordering::Relaxed)
    }
}

impl Watched {
    fn new(watch: Watch) -> Self {
        Self { watch, structure: None, seen: None }
    }
}

impl Watch {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Log => "triggers",
            Self::Compare => "reading it again",
        }
    }
}

/// Hash of a feature's state, comparable within one run.
pub(super) fn fingerprint(feature: &Feature) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{feature:?}").hash(&mut hasher);
    hasher.finish()
}
