//! Imports: how features of a file change those of a layer, and the record of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use super::{AuditEntry, Feature, Origin};

/// Imports of a layer that can be undone.
pub const KEPT_IMPORTS: u32 = 20;

/// What happens to features that are stored already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportMode {
    /// A feature that is stored already refuses the import.
    #[default]
    Add,
    /// It takes the values of the file; other stored features stay.
    Update,
    /// It takes the values of the file; other stored features are deleted.
    Replace,
}

impl ImportMode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Add, Self::Update, Self::Replace];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Replace => "replace",
        }
    }
}

impl Default for ImportScope {
    fn default() -> Self {
        Self::Except(Vec::new())
    }
}

/// What happens to rows that are no stored features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// They become new features.
    Create,
    /// They refuse the import, because they lack what a feature needs.
    Refuse,
    /// They are left out.
    Skip,
}

/// Which stored features an import may change or delete, by their field `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportScope {
    /// Those of one source.
    Only(String),
    /// All but those of some sources, which other servers maintain.
    Except(Vec<String>),
}

/// How the features that were read are merged into a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// What happens to features that are stored already.
    pub mode: ImportMode,
    /// Indices of the fields that the file has; the others keep what is stored.
    pub fields: BTreeSet<usize>,
    /// Whether the file has geometries.
    pub geometry: bool,
    /// Index of the field by which stored features are found, instead of the id.
    pub key: Option<usize>,
    /// What happens to rows that are no stored features.
    pub unmatched: Unmatched,
    /// Which stored features it may change or delete.
    pub scope: ImportScope,
    /// Index of a field with a time: a row is left out if that of the stored feature is later.
    pub newest_by: Option<usize>,
    /// The record of the import; `None` counts what would change and stores nothing.
    pub record: Option<ImportRecord>,
}

/// The features of an import, and how they are merged once all are read.
pub trait ImportSource: Send {
    /// The next feature.
    fn next_feature(&mut self) -> Option<Feature>;

    /// How the features are merged; `None` discards them. It is called after the last feature.
    fn merge(&mut self) -> Option<Merge>;
}

/// Who imported what.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportRecord {
    /// Id of the import.
    pub id: String,
    /// When it was read.
    pub at: UtcDateTime,
    /// Name of the file.
    pub file: String,
    /// Entry of the audit log, without the numbers of features.
    pub audit: AuditEntry,
    /// Whether it is listed and can be undone.
    pub is_kept: bool,
}

impl ImportRecord {
    /// The record of an import of a file into a layer, which can be undone; its id is that of its origin.
    #[must_use]
    pub fn new(origin: &Origin, layer: &str, file: &str, at: UtcDateTime) -> Self {
        let (layer, id) = (Some(layer.to_owned()), Some(file.to_owned()));
        let audit = AuditEntry { layer, id, ..origin.entry(0, "import", at) };
        Self { id: origin.entry.clone(), at, file: file.to_owned(), audit, is_kept: true }
    }
}

/// How many features an import changed, or would change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCounts {
    /// New features.
    pub new: u64,
    /// Features with other values than before.
    pub changed: u64,
    /// Features that are stored with the same values.
    pub unchanged: u64,
    /// Deleted features.
    pub removed: u64,
    /// Rows that were left out: they are no stored features, or older than what is stored.
    #[serde(default)]
    pub skipped: u64,
}

impl ImportCounts {
    /// The entry of the audit log with these numbers.
    #[must_use]
    pub fn noted_in(&self, entry: &AuditEntry) -> AuditEntry {
        let mut entry = entry.clone();
        for (name, count) in [("new", self.new), ("changed", self.changed), ("removed", self.removed)] {
            entry.changes.insert(name.to_owned(), [None, Some(count.to_string())]);
        }
        entry
    }
}

/// An import of the past.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PastImport {
    /// Its id.
    pub id: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The layer.
    pub layer: String,
    /// Name of the file.
    pub file: String,
    /// Name of the account.
    pub actor: String,
    /// What happened to features that were stored already.
    pub mode: String,
    /// What it changed.
    pub counts: ImportCounts,
    /// When it was undone, RFC 3339 in UTC.
    pub undone_at: Option<String>,
}

/// What is undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// Id of the import.
    pub id: String,
    /// Whether features that changed since keep their values; otherwise they refuse it.
    pub skip_changed: bool,
    /// When it is undone.
    pub at: UtcDateTime,
    /// Entry of the audit log, without the layer.
    pub audit: AuditEntry,
}

/// The result of undoing an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// Features that have their earlier values again.
    pub restored: u64,
    /// Features of the import that were deleted.
    pub removed: u64,
    /// Features that keep their values, because they changed since.
    pub kept: u64,
}

impl Undone {
    /// The entry of the audit log with these numbers.
    #[must_use]
    pub fn noted_in(&self, entry: &AuditEntry, layer: &str) -> AuditEntry {
        let mut entry = AuditEntry { layer: Some(layer.to_owned()), ..entry.clone() };
        for (name, count) in [("restored", self.restored), ("removed", self.removed), ("kept", self.kept)] {
            entry.changes.insert(name.to_owned(), [None, Some(count.to_string())]);
        }
        entry
    }
}

/// Why an import cannot be merged or undone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// A value of the key belongs to several features.
    #[error("several {place} have the value {value:?} of the key {key}; choose another key")]
    AmbiguousKey {
        /// `rows of the file` or `stored features`.
        place: &'static str,
        /// The field.
        key: String,
        /// The value.
        value: String,
    },
    /// Rows that are the same feature.
    #[error("two rows of the file are the stored feature {id}, one by its id and one by the key")]
    SameFeature {
        /// The feature.
        id: String,
    },
    /// Rows with the ids of features of another source.
    #[error("{count} rows have the id of a feature that another server maintains, such as {id}")]
    OtherSource {
        /// How many.
        count: u64,
        /// One of them.
        id: String,
    },
    /// Rows without a name or a place that are no stored features.
    #[error(
        "{count} rows are no stored features, such as {}; nothing was stored: rows without a name or a place can only \
         change features", rows.join(", ")
    )]
    NotStored {
        /// How many.
        count: u64,
        /// Ids, or values of the key, of some of them.
        rows: Vec<String>,
    },
    /// No import has the id.
    #[error("there is no import {id:?}, or it is too old to be undone")]
    Unknown {
        /// The id.
        id: String,
    },
    /// It was undone before.
    #[error("the import {id} was undone at {at}")]
    AlreadyUndone {
        /// The id.
        id: String,
        /// When.
        at: String,
    },
    /// The change log does not cover the time since.
    #[error("the import {id} changed nothing, or is too old: which of its features changed since is no longer known")]
    TooOld {
        /// The id.
        id: String,
    },
    /// Features changed since.
    #[error("{count} features of the import changed since, such as {}", ids.join(", "))]
    ChangedSince {
        /// How many.
        count: u64,
        /// Some of them.
        ids: Vec<String>,
    },
}
