//! The store: one contract, and the backends that implement it.

pub mod audit;
pub mod audit_retention;
pub mod audit_spool;
pub mod deferred;
mod edits;
mod ewkb;
pub mod foreign_rows;
pub mod geopackage;
mod imports;
mod layer_state;
mod log_position;
mod log_retention;
pub mod notices;
pub mod postgis;
pub mod quoting;
mod read_warnings;
mod wkb;
pub mod wkb_geometry;

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::schema::Label;
use crate::model::{
    Applied, AuditEntry, Batch, EditError, Feature, FeatureId, ImportCounts, ImportError, ImportSource, LayerIndex,
    LayerSchema, PastImport, Undo, Undone,
};

pub use audit::{AuditHead, AuditPart, AuditRow};
pub use audit_spool::AuditSpool;
pub use deferred::DeferredStore;
pub use geopackage::GeoPackage;
pub use layer_state::LayerStatus;
pub use log_position::LogPosition;
pub use notices::NoticeFile;
pub use postgis::PostGis;

/// One change: the new state of a feature, or its deletion.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The layer.
    pub layer: LayerIndex,
    /// Id of the feature.
    pub id: FeatureId,
    /// The new state; `None` if the feature was deleted.
    pub now: Option<Feature>,
}

/// All features of a layer, which replace the previous ones.
#[derive(Debug)]
pub struct LayerContents {
    /// The layer.
    pub layer: LayerIndex,
    /// Its features.
    pub features: Vec<Feature>,
}

/// The changes since a position of the log.
#[derive(Debug)]
pub enum Changes {
    /// All changes that became visible, and the new position. Several changes of one feature are one entry.
    Since {
        /// Position after the changes.
        position: LogPosition,
        /// The changed features.
        changes: Vec<Change>,
        /// Layers that changed more than the log records.
        reloaded: Vec<LayerContents>,
    },
    /// The log no longer covers the position; everything must be read.
    Lost,
}

/// A table or view of another program that is served as a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct TableLayer {
    /// `schema.table`.
    pub table: String,
    /// File and line of the configuration, for messages.
    pub place: String,
    /// Id of the layer; the table name if not configured.
    pub id: Option<String>,
    /// Column that identifies a row; the primary key if not configured.
    pub key: Option<String>,
    /// Geometry column; the only one if not configured.
    pub geometry: Option<String>,
    /// EPSG code of the coordinates, for a column without an SRID.
    pub srid: Option<i32>,
    /// Column that is shown as the feature's name.
    pub name: Option<String>,
    /// The displayed title of the layer.
    pub title: Option<Label>,
    /// Its group in the layer panel.
    pub group: String,
    /// Columns that are omitted from public replies.
    pub sensitive: Vec<String>,
    /// Columns in vector tiles, in addition to the name.
    pub tile: Vec<String>,
    /// Polling interval if triggers cannot be created on it.
    pub refresh: Duration,
}

impl TableLayer {
    /// The error for a table that cannot be a layer, with the line of the configuration.
    pub(crate) fn unusable(&self, reason: String) -> StoreError {
        StoreError::UnusableTable { place: self.place.clone(), table: self.table.clone(), reason }
    }
}

/// Receives the features of a full read, layer after layer.
pub type Sink<'a> = &'a mut (dyn FnMut(LayerIndex, Feature) + Send);

/// A backend that stores layers.
///
/// Every backend guarantees:
/// - Writes acknowledged by [`append`](Store::append) and [`apply`](Store::apply) are committed and survive the end
///   of any process.
/// - A read sees one consistent state, never a part of a transaction.
/// - A change made by any program is in the log once its transaction is committed.
/// - An unreadable value becomes unknown and an unreadable row is skipped; both are counted in
///   [`layer_statuses`](Store::layer_statuses) and do not affect other values.
/// - A layer that cannot be read is never replaced by an empty one: it is unavailable and its last state is served.
/// - A configured table that is missing is an unavailable layer without fields until it appears; then its schema in
///   [`schemas`](Store::schemas) changes; its index and id stay the same.
pub trait Store: Send + Sync {
    /// Its location for messages, without secrets.
    fn location(&self) -> &str;

    /// The layers, in drawing order.
    fn schemas(&self) -> &[LayerSchema];

    /// Reads everything as of one consistent state and returns the log position of that state.
    fn read_all<'a>(&'a self, sink: Sink<'a>) -> BoxFuture<'a, Result<LogPosition, StoreError>>;

    /// Reads the changes after a position.
    fn changes_since<'a>(&'a self, position: &'a LogPosition) -> BoxFuture<'a, Result<Changes, StoreError>>;

    /// The status of each layer at its last read, in the order of [`schemas`](Store::schemas).
    fn layer_statuses(&self) -> Vec<LayerStatus>;

    /// Whether a layer is unavailable by its status.
    fn has_unavailable_layers(&self) -> bool;

    /// Resolves when a change may have happened, if the backend can signal it. This is a hint; polling alone is
    /// sufficient.
    fn changed(&self) -> BoxFuture<'_, ()>;

    /// Adds features to a layer atomically; a known id refuses all. Returns their number.
    fn append<'a>(
        &'a self,
        layer: LayerIndex,
        features: &'a mut (dyn Iterator<Item = Feature> + Send),
    ) -> BoxFuture<'a, Result<usize, StoreError>>;

    /// Merges features into a layer atomically, and keeps what is needed to undo it. The features are staged as they are
    /// read; then `merge` says how they are merged. `None` discards them, and so does the result.
    fn import<'a>(
        &'a self,
        layer: LayerIndex,
        source: &'a mut dyn ImportSource,
    ) -> BoxFuture<'a, Result<Option<ImportCounts>, StoreError>>;

    /// The last imports, newest first; with an id only that one.
    fn imports<'a>(&'a self, id: Option<&'a str>, limit: u32) -> BoxFuture<'a, Result<Vec<PastImport>, StoreError>>;

    /// Undoes an import: its features have their earlier values again.
    fn undo_import<'a>(&'a self, undo: &'a Undo) -> BoxFuture<'a, Result<Undone, StoreError>>;

    /// Applies a batch of edits atomically. The edits are committed when it returns.
    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, StoreError>>;

    /// Appends entries to the audit log; entries that it has already are skipped.
    fn record<'a>(&'a self, entries: &'a [AuditEntry]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Entries of a part of the audit log, at most `limit`.
    fn audit_rows(&self, part: AuditPart, limit: u32) -> BoxFuture<'_, Result<Vec<AuditRow>, StoreError>>;

    /// Removes the entries of the audit log up to a number, and appends the entry that records it; does nothing if they are
    /// removed already.
    fn prune_audit<'a>(&'a self, through: i64, entry: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Closes every connection.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A failure of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is not a GeoPackage.
    #[error("{path} is not a GeoPackage: {reason}; choose another --store, or move the file away to create a new one")]
    NotGeoPackage {
        /// The file.
        path: String,
        /// The reason.
        reason: &'static str,
    },
    /// The file or its folder cannot be opened or created.
    #[error("{path}: {source}; --store names a file in a writable folder")]
    File {
        /// The file.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file that would be overwritten.
    #[error("{path} exists already; name a new file")]
    Exists {
        /// The file.
        path: String,
    },
    /// A damaged file.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// What SQLite found.
        reason: String,
    },
    /// A table to be imported is not the only possible one, or has no geometry.
    #[error("{location}: {reason}")]
    NoTable {
        /// The file or database, without secrets.
        location: String,
        /// The reason.
        reason: String,
    },
    /// The file of audit entries that wait for the store cannot be read or written.
    #[error("{path}: {source}")]
    AuditSpool {
        /// The file.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file of the store was replaced.
    #[error("{path} was replaced by another file; the new file is read")]
    Replaced {
        /// The file.
        path: String,
    },
    /// The content of the file was overwritten while it was open.
    #[error(
        "{path} was overwritten while it was open; it is read again when the copy is complete. If this message persists, \
         stop the server with SIGKILL, remove {path}-wal and {path}-shm, and copy again"
    )]
    Overwritten {
        /// The file.
        path: String,
    },
    /// The write-ahead log beside the file is older than its content.
    #[error(
        "{path} was written long after {path}-wal, which SQLite would apply to it. If a backup was copied over it, \
         remove {path}-wal and {path}-shm; if both belong together, run touch {path}-wal; then start again"
    )]
    OtherLog {
        /// The file.
        path: String,
    },
    /// A table of the store has the name of a layer but not its columns.
    #[error("table {table} has no column {column}, which the layer needs")]
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A layer of the file is in a reference system that is not supported.
    #[error("layer {layer} is in {crs}: {reason}; convert the file with ogr2ogr -t_srs EPSG:4326")]
    UnsupportedCrs {
        /// The layer.
        layer: String,
        /// The reference system in the file.
        crs: String,
        /// The reason.
        reason: String,
    },
    /// An import cannot be merged or undone.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A feature with this id exists already.
    #[error(
        "layer {layer} already has a feature {id}; nothing was stored (--update takes the values of the file for it)"
    )]
    Duplicate {
        /// The layer.
        layer: String,
        /// The id.
        id: FeatureId,
    },
    /// The store has not been reached since the server started.
    #[error("{location} has not been reached yet")]
    Unopened {
        /// The store, without secrets.
        location: String,
    },
    /// An edit of a batch is refused; no edit of the batch was applied.
    #[error("edit {index}: {reason}")]
    Edit {
        /// Index in the batch, from 0.
        index: usize,
        /// The reason.
        reason: EditError,
    },
    /// Another batch was applied with the same key.
    #[error("another batch was applied with the key {key:?}")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// The database has no PostGIS.
    #[error(
        "{location} has no PostGIS and it could not be created ({reason}); run CREATE EXTENSION postgis there as a superuser"
    )]
    NoPostGis {
        /// The store, without secrets.
        location: String,
        /// The error of the database on creating it.
        reason: String,
    },
    /// The encoding of the database lacks characters of the layers.
    #[error("{location}: its encoding lacks characters that onemap writes; create the database with ENCODING 'UTF8'")]
    Encoding {
        /// The store, without secrets.
        location: String,
    },
    /// The connection to the database cannot be established.
    #[error("{location}: {} at {address}", describe(source))]
    Unreachable {
        /// The store, without secrets.
        location: String,
        /// Host and port.
        address: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A newer version of this program has migrated the database.
    #[error("{location} was migrated by a newer version of this program ({steps} steps); use that version")]
    NewerStore {
        /// The store, without secrets.
        location: String,
        /// Migrations that were applied.
        steps: i32,
    },
    /// Tables are missing that the role may not create.
    #[error(
        "{location} lacks tables that this role may not create: {source}; start once with a role that may create the \
         schema onemap, after that read access is sufficient"
    )]
    ReadOnly {
        /// The store, without secrets.
        location: String,
        /// The error of the database library.
        source: sqlx::Error,
    },
    /// A table of the configuration cannot be a layer.
    #[error("{place}: table {table} cannot be a layer: {reason}")]
    UnusableTable {
        /// File and line of the configuration.
        place: String,
        /// The table.
        table: String,
        /// The reason.
        reason: String,
    },
    /// The layer is maintained by another program and is read-only.
    #[error("layer {layer} is maintained by another program and is read-only here")]
    ReadOnlyLayer {
        /// The layer.
        layer: String,
    },
    /// The connection failed while a transaction was committed.
    #[error("{location}: the transaction may or may not have been committed: {source}")]
    OutcomeUnknown {
        /// The store, without secrets.
        location: String,
        /// The failure of the connection.
        source: sqlx::Error,
    },
    /// The database refused a statement or the connection failed.
    #[error("{location}: {}", reason(error))]
    Database {
        /// The store, without secrets.
        location: String,
        /// The error of the database library, not as a source: its text repeats the message.
        error: sqlx::Error,
    },
}

/// The message of the database alone, or what the driver says.
pub(crate) fn reason(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |refusal| refusal.message().to_owned())
}

/// Describes a failure to connect.
fn describe(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::TimedOut => "no answer".to_owned(),
        // The standard library has no kind for it.
        _ if error.to_string().starts_with("failed to lookup address") => "the host name is unknown".to_owned(),
        _ => error.to_string(),
    }
}

/// The remedy for an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A later attempt.
    Wait,
    /// Space on the disk of the store.
    Space,
    /// A role that may write.
    Permission,
    /// An operator who reads the log.
    Repair,
}

impl StoreError {
    /// The error for a failed COMMIT. If the database refused it, nothing was committed; after a lost connection, a
    /// shutdown or a failed write the transaction may have been committed.
    pub(crate) fn of_commit(location: &str, source: sqlx::Error) -> Self {
        let location = location.to_owned();
        let code = source.as_database_error().map(|error| error.code().unwrap_or_default());
        let is_refused = code.is_some_and(|code| match code.len() {
            5 => !["08", "57", "58"].iter().any(|class| code.starts_with(class)),
            // SQLITE_IOERR: the frame that commits may be in the write-ahead log.
            _ => code.parse::<i32>().is_ok_and(|code| code & 0xff != 10),
        });
        if is_refused { Self::Database { location, error: source } } else { Self::OutcomeUnknown { location, source } }
    }

    /// The remedy.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        let source = match self {
            Self::Unopened { .. }
            | Self::Unreachable { .. }
            | Self::Replaced { .. }
            | Self::Overwritten { .. }
            | Self::OtherLog { .. }
            | Self::File { .. }
            | Self::OutcomeUnknown { .. } => return Remedy::Wait,
            Self::Database { error, .. } => error,
            _ => return Remedy::Repair,
        };
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
        match source {
            // The driver reports a connection that breaks within a message as a protocol violation.
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed => Remedy::Wait,
            // PostgreSQL: disk_full. SQLite: SQLITE_FULL.
            sqlx::Error::Database(_) if matches!(&*code, "53100" | "13") => Remedy::Space,
            // PostgreSQL (appendix A): no connection, no resources, a lock or statement that took too long, the
            // database is stopping, serialization conflicts and deadlocks, and 25006, a primary that was demoted.
            // SQLite: busy, locked and failed reads or writes of the file, with their extended codes.
            sqlx::Error::Database(_)
                if ["08", "25006", "53", "55P03", "57", "40"]
                    .iter()
                    .any(|class| code.len() == 5 && code.starts_with(class))
                    || matches!(code.parse::<i32>().map(|code| code & 0xff), Ok(5 | 6 | 10) if code.len() < 5) =>
            {
                Remedy::Wait
            }
            sqlx::Error::Database(_) if matches!(&*code, "42501" | "8") => Remedy::Permission,
            _ => Remedy::Repair,
        }
    }
}
