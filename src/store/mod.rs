//! The store: one contract, and the backends that implement it.

pub mod deferred;
mod edits;
mod ewkb;
pub mod geopackage;
mod layer_state;
mod log_retention;
pub mod postgis;
mod read_warnings;
mod wkb;
mod wkb_geometry;

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::schema::Label;
use crate::model::{Applied, Batch, EditError, Feature, FeatureId, LayerSchema};

pub use deferred::DeferredStore;
pub use geopackage::GeoPackage;
pub use layer_state::LayerStatus;
pub use postgis::PostGis;

/// How far a store's change log was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// The newest entry seen; grows, and survives restarts.
    pub newest: i64,
    /// The transactions that were visible, in the backend's own format, where entries do not become visible in the
    /// order of their numbers.
    seen: Option<String>,
    /// Which history of the store these numbers belong to, where it can have several.
    history: Option<String>,
    /// Content of the newest entry: in a log that was restored from a backup and continued, another entry has its
    /// number.
    entry: Option<String>,
}

/// What to do with a feature whose id is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Refuse the whole batch.
    Refuse,
    /// Put the new one in the place of the old.
    Replace,
}

/// One change: the new state of a feature, or its deletion.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Position of the layer in [`Store::schemas`].
    pub layer: usize,
    /// Which feature.
    pub id: FeatureId,
    /// What it is now; `None` when deleted.
    pub now: Option<Feature>,
}

/// All features of a layer, which take the place of those before.
#[derive(Debug)]
pub struct LayerContents {
    /// Position of the layer in [`Store::schemas`].
    pub layer: usize,
    /// Its features.
    pub features: Vec<Feature>,
}

/// The changes since a position of the log.
#[derive(Debug)]
pub enum Changes {
    /// Everything that became visible, and the new position.
    /// Several changes of one feature are one entry.
    Since {
        /// Position that the changes lead to.
        position: LogPosition,
        /// The changed features.
        changes: Vec<Change>,
        /// Layers that changed more than the log records.
        reloaded: Vec<LayerContents>,
    },
    /// The log does not reach back to the position: everything must be read.
    Lost,
}

/// A table or view of another program that is served as a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct TableLayer {
    /// `schema.table`.
    pub table: String,
    /// File and line that name it, for messages.
    pub place: String,
    /// Id of the layer; the table's own name where it is not given.
    pub id: Option<String>,
    /// Column that names a row; the primary key where it is not given.
    pub key: Option<String>,
    /// Geometry column; the only one where it is not given.
    pub geometry: Option<String>,
    /// EPSG code of the coordinates, for a column without an SRID.
    pub srid: Option<i32>,
    /// Column that is shown as the feature's name.
    pub name: Option<String>,
    /// The displayed title of the layer.
    pub title: Option<Label>,
    /// Its group on the layer panel.
    pub group: String,
    /// Columns that never leave the server to a caller who may not see them.
    pub sensitive: Vec<String>,
    /// Columns that are carried in vector tiles, beside the name.
    pub tile: Vec<String>,
    /// How often it is read again where no triggers can be put on it.
    pub refresh: Duration,
}

impl TableLayer {
    /// The reason why it cannot be a layer, with the line of the configuration.
    pub(crate) fn unusable(&self, reason: String) -> StoreError {
        StoreError::UnusableTable { place: self.place.clone(), table: self.table.clone(), reason }
    }
}

/// Takes the features of a whole reading, layer after layer: position of the layer in [`Store::schemas`], feature.
pub type Sink<'a> = &'a mut (dyn FnMut(usize, Feature) + Send);

/// A backend that stores layers.
///
/// Every backend guarantees:
/// - What [`append`](Store::append) and [`apply`](Store::apply) acknowledged is committed and survives the end of any
///   process.
/// - A reading sees one consistent state: never half a transaction.
/// - A change made by any program is in the log once its transaction is committed.
/// - A value that cannot be read is unknown and a row that cannot be read is left out; both are counted in
///   [`layer_statuses`](Store::layer_statuses) and stop nothing else.
/// - A layer that cannot be read is never replaced by an empty one: it is unavailable and its last state is served.
/// - A configured table that is missing is an unavailable layer without fields until it appears; then its schema in
///   [`schemas`](Store::schemas) changes, at the same position and with the same id.
pub trait Store: Send + Sync {
    /// Its location for messages, without secrets.
    fn location(&self) -> &str;

    /// The layers, in drawing order.
    fn schemas(&self) -> &[LayerSchema];

    /// Reads everything as of one consistent state and returns the log position of that state.
    fn read_all<'a>(&'a self, sink: Sink<'a>) -> BoxFuture<'a, Result<LogPosition, StoreError>>;

    /// Reads the changes after a position.
    fn changes_since<'a>(&'a self, position: &'a LogPosition) -> BoxFuture<'a, Result<Changes, StoreError>>;

    /// How well each layer could be read when it was last read, in the order of [`schemas`](Store::schemas).
    fn layer_statuses(&self) -> Vec<LayerStatus>;

    /// Resolves when a change may have happened, where the backend can signal it. This is a hint to poll; polling
    /// alone is sufficient.
    fn changed(&self) -> BoxFuture<'_, ()>;

    /// Adds features to a layer: all of them or none. Returns their number.
    fn append<'a>(
        &'a self,
        layer: usize,
        features: &'a mut (dyn Iterator<Item = Feature> + Send),
        on_conflict: OnConflict,
    ) -> BoxFuture<'a, Result<usize, StoreError>>;

    /// Changes features: all edits of the batch or none. They are committed when it returns.
    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, StoreError>>;

    /// Closes every connection.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A failure of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is something else.
    #[error("{path} is not a GeoPackage: {reason}; give another --store, or move the file away to create a new one")]
    NotGeoPackage {
        /// The file.
        path: String,
        /// What it is instead of a GeoPackage.
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
    /// The file of the store was replaced.
    #[error("{path} was replaced by another file, which is read")]
    Replaced {
        /// The file.
        path: String,
    },
    /// The content of the file was overwritten while it was open.
    #[error(
        "{path} was overwritten while it was open; it is read anew once the copy is complete. If this message stays, \
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
    /// A layer of the file is in a reference system that is not known here.
    #[error("layer {layer} is in {crs}: {reason}; convert the file with ogr2ogr -t_srs EPSG:4326")]
    UnsupportedCrs {
        /// The layer.
        layer: String,
        /// The reference system in the file.
        crs: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A feature with that id is already there.
    #[error("layer {layer} already has a feature {id}; nothing was stored (--replace overwrites existing features)")]
    Duplicate {
        /// The layer.
        layer: String,
        /// The id.
        id: FeatureId,
    },
    /// It has not been reached since the server started.
    #[error("{location} has not been reached yet")]
    Unopened {
        /// The store, without secrets.
        location: String,
    },
    /// An edit of a batch is refused; no edit of the batch was applied.
    #[error("edit {index}: {reason}")]
    Edit {
        /// Position in the batch, from 0.
        index: usize,
        /// Why.
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
        /// Why.
        reason: String,
    },
    /// The layer belongs to another program and is read-only.
    #[error("layer {layer} belongs to another program and is read-only here")]
    NotOurs {
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

/// What resolves an error.
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
    /// A failure of COMMIT. What the database refused did not happen; after a lost connection, a shutdown or a failed
    /// write the transaction may have been committed.
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

    /// What resolves it.
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
            // database is stopping, transactions that met, and 25006, a primary that was demoted. SQLite: busy,
            // locked and failed reads or writes of the file, with their extended codes.
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
