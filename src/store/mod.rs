//! Where it is kept: one contract, and the houses that keep it.

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
    /// Which transactions had been seen, in the backend's own words, where entries do not appear in
    /// the order of their numbers.
    seen: Option<String>,
    /// Which history of the store these numbers belong to, where it can have several.
    history: Option<String>,
    /// What the newest entry says: in a log that was set back and written on, another one has its number.
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

/// One thing that happened: the feature as it is now, or that it is gone.
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

/// What happened since a position of the log.
#[derive(Debug)]
pub enum Changes {
    /// Everything that became visible, and the new position; nothing, where `changes` is empty.
    /// Several changes of one feature are one entry.
    Since {
        /// Position that the changes lead to.
        position: LogPosition,
        /// The changed features.
        changes: Vec<Change>,
        /// Layers of which more changed than the log tells.
        reloaded: Vec<LayerContents>,
    },
    /// The log does not reach back so far: only a whole reading will do.
    Lost,
}

/// A table or view of another program that stands on the map as a layer.
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
    /// EPSG code of the coordinates, where the column does not say it.
    pub srid: Option<i32>,
    /// Column that is shown as the feature's name.
    pub name: Option<String>,
    /// What people call the layer.
    pub title: Option<Label>,
    /// The group it stands in on the layer panel.
    pub group: String,
    /// Columns that never leave the server to a caller who may not see them.
    pub sensitive: Vec<String>,
    /// Columns that are carried in vector tiles, beside the name.
    pub tile: Vec<String>,
    /// How often it is read again where no triggers can be put on it.
    pub refresh: Duration,
}

impl TableLayer {
    /// Why it cannot be a layer, with the place that names it.
    pub(crate) fn unusable(&self, reason: String) -> StoreError {
        StoreError::UnusableTable { place: self.place.clone(), table: self.table.clone(), reason }
    }
}

/// Takes the features of a whole reading, layer after layer: position of the layer in [`Store::schemas`], feature.
pub type Sink<'a> = &'a mut (dyn FnMut(usize, Feature) + Send);

/// A backend that keeps layers.
///
/// Promises, kept by every backend:
/// - What [`append`](Store::append) and [`apply`](Store::apply) acknowledged is committed and survives the death of any process.
/// - A reading sees one moment: never half a transaction.
/// - A change made by any program is in the log once its transaction is committed.
/// - A value that cannot be read is unknown and a row that cannot be read is left out; both are counted in
///   [`layer_statuses`](Store::layer_statuses) and stop nothing else.
/// - A layer that cannot be read is never mapped to emptiness: it is unavailable and its last state stays.
pub trait Store: Send + Sync {
    /// Where it is, for people; without secrets.
    fn location(&self) -> &str;

    /// The layers kept here, in drawing order.
    fn schemas(&self) -> &[LayerSchema];

    /// Reads everything as of one moment and answers the log position of that moment.
    fn read_all<'a>(&'a self, sink: Sink<'a>) -> BoxFuture<'a, Result<LogPosition, StoreError>>;

    /// Reads what happened after a position.
    fn changes_since<'a>(&'a self, position: &'a LogPosition) -> BoxFuture<'a, Result<Changes, StoreError>>;

    /// How well each layer could be read when it was last read, in the order of [`schemas`](Store::schemas).
    fn layer_statuses(&self) -> Vec<LayerStatus>;

    /// Resolves when a change may have happened, where the backend can tell. A hint to look, never the news itself:
    /// looking from time to time is enough without it.
    fn changed(&self) -> BoxFuture<'_, ()>;

    /// Adds features to a layer: all of them or none. Answers how many.
    fn append<'a>(
        &'a self,
        layer: usize,
        features: &'a mut (dyn Iterator<Item = Feature> + Send),
        on_conflict: OnConflict,
    ) -> BoxFuture<'a, Result<usize, StoreError>>;

    /// Changes features: all edits of the batch or none. What is answered is committed.
    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, StoreError>>;

    /// Closes every connection in order.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Why a store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is something else.
    #[error("{path} is not a GeoPackage: {reason}; give another --store, or move the file away and a new one is made")]
    NotGeoPackage {
        /// The file.
        path: String,
        /// What it is instead.
        reason: &'static str,
    },
    /// The file or its folder cannot be opened or made.
    #[error("{path}: {source}; the store needs a folder it may write to")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another file stands under the name of the store.
    #[error("{path} is another file now; what is in it is read anew")]
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
        /// The system as the file names it.
        crs: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A feature with that id is already there.
    #[error(
        "layer {layer} already has a feature {id}; nothing was stored (--replace puts new ones in the place of old)"
    )]
    Duplicate {
        /// The layer.
        layer: String,
        /// The id.
        id: FeatureId,
    },
    /// It was not yet reached since the server started.
    #[error("{location} was not reached yet")]
    Unopened {
        /// The store, without secrets.
        location: String,
    },
    /// An edit of a batch cannot happen; none of it did.
    #[error("edit {index}: {reason}")]
    Edit {
        /// Position in the batch, from 0.
        index: usize,
        /// Why.
        reason: EditError,
    },
    /// Another batch has happened under the same key.
    #[error("another batch has happened under the key {key:?}")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// The database has no PostGIS.
    #[error(
        "{location} has no PostGIS and it could not be added ({reason}); run CREATE EXTENSION postgis there as a superuser"
    )]
    NoPostGis {
        /// The store, without secrets.
        location: String,
        /// What the database said when it was to be created.
        reason: String,
    },
    /// Nothing answers at the address of the database.
    #[error("{location}: {} at {address}", describe(source))]
    Unreachable {
        /// The store, without secrets.
        location: String,
        /// Host and port.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A newer program has changed the database's tables.
    #[error("{location} was made by a newer version of this program ({steps} steps); use that version")]
    NewerStore {
        /// The store, without secrets.
        location: String,
        /// Steps that it has seen.
        steps: i32,
    },
    /// Something is missing that the role may not make.
    #[error(
        "{location} lacks tables that this role may not make: {source}; start once with a role that may create the \
         schema onemap, after that reading is enough"
    )]
    ReadOnly {
        /// The store, without secrets.
        location: String,
        /// What the database library said.
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
    /// A layer that belongs to another program is not written to.
    #[error("layer {layer} belongs to another program and is only read here")]
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
    /// The database said no or could not be reached.
    #[error("{location}: {source}")]
    Database {
        /// The store, without secrets.
        location: String,
        /// What the database library said.
        source: sqlx::Error,
    },
}

/// A failure to connect in plain words.
fn describe(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::TimedOut => "no answer".to_owned(),
        _ => error.to_string(),
    }
}

/// What helps against an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Asking again later.
    Wait,
    /// Space on the disk of the store.
    Space,
    /// A role that may write.
    Permission,
    /// Somebody who looks at the log.
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
        if is_refused { Self::Database { location, source } } else { Self::OutcomeUnknown { location, source } }
    }

    /// What helps against it.
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
            Self::Database { source, .. } => source,
            _ => return Remedy::Repair,
        };
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
        match source {
            // A line that breaks in the middle of a word is a breach of protocol to who listens.
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
                if ["08", "25006", "53", "55P03", "57", "40"].iter().any(|class| code.len() == 5 && code.starts_with(class))
                    || matches!(code.parse::<i32>().map(|code| code & 0xff), Ok(5 | 6 | 10) if code.len() < 5) =>
            {
                Remedy::Wait
            }
            sqlx::Error::Database(_) if matches!(&*code, "42501" | "8") => Remedy::Permission,
            _ => Remedy::Repair,
        }
    }
}
