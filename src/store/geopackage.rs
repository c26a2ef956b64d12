//! The backend for one GeoPackage file (OGC 12-128r17, version 1.3) through SQLite in WAL mode.
//!
//! The file has no RTree extension on purpose: the triggers of the extension call ST_* functions that plain SQLite
//! lacks, and the snapshot has its own indexes. So any SQLite program can edit the file, and triggers record its
//! changes in the change log.

mod audit;
pub mod backup;
mod edits;
mod exported;
mod file_identity;
mod import;
mod reading;
mod rows;
mod structure;
mod tables;
mod undo;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqlitePool};
use tokio::sync::{Mutex, Notify};

pub use self::exported::write_layer;
use self::file_identity::OpenFile;
use self::rows::{all_columns, first_present, insert};
use self::structure::{Structure, Transform};
use super::layer_state::LayerState;
use super::log_retention::Trimming;
use super::{AuditPart, AuditRow, Changes, LayerStatus, LogPosition, Sink, Store, StoreError};
use crate::model::{
    Applied, AuditEntry, Batch, Catalog, Feature, ImportCounts, ImportSource, LayerIndex, LayerSchema, PastImport,
    Undo, Undone,
};
use crate::private_file;
use crate::store::quoting::identifier;

const SCHEMA: &str = include_str!("geopackage/schema.sql");
/// Maximum wait of a writer for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTIONS: u32 = 4;
/// Interval at which the write-ahead log is copied into the file if it is not empty.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// Number of change log entries kept for disconnected followers.
const KEPT_ENTRIES: i64 = 100_000;
/// Rows of one INSERT; the number of values stays below SQLite's limit of 32,766 parameters.
const ROWS_PER_STATEMENT: usize = 200;

/// A GeoPackage opened for reading and writing.
pub struct GeoPackage {
    location: String,
    path: PathBuf,
    catalog: Catalog,
    opened: RwLock<OpenFile>,
    schemas: Vec<LayerSchema>,
    /// One for each schema.
    transforms: RwLock<Vec<Transform>>,
    states: Vec<LayerState>,
    structure: Mutex<Structure>,
    trimming: Trimming,
    /// When the write-ahead log was last copied into the file.
    checkpointed: std::sync::Mutex<Instant>,
    /// Notified by writes of this process.
    written: Notify,
}

impl GeoPackage {
    /// Creates a new file with the catalog's layers, all empty. The file is renamed into place when it is complete.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub async fn create(path: &Path, catalog: &Catalog) -> Result<NewFile, StoreError> {
        let unfinished = path.with_extension("gpkg.unfinished");
        for leftover in side_files(&unfinished) {
            match std::fs::remove_file(&leftover) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file_error(path)(error)),
                _ => {}
            }
        }
        // Created here first, so that a read-only folder is reported with the error of the system.
        let private = private_file::open(&unfinished, std::fs::File::options().write(true).create_new(true));
        private.map_err(file_error(path))?;
        let store = Self::connect(&unfinished, catalog).await?;
        let mut sql = SCHEMA.to_owned();
        for layer in &store.schemas {
            sql.push_str(&tables::create(layer, catalog));
        }
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&store.pool()?).await.map_err(|error| store.database(error))?;
        Ok(NewFile { store, unfinished, path: path.to_owned() })
    }

    /// Opens an existing file. Missing layers and fields of the catalog are added, empty.
    ///
    /// # Errors
    /// When the file is not a GeoPackage, is read-only, or contains a table with the name of a layer that lacks the
    /// columns of every layer.
    pub async fn open(path: &Path, catalog: &Catalog) -> Result<Self, StoreError> {
        check_header(path)?;
        // SQLite would open a read-only file without an error and fail at the first write.
        std::fs::OpenOptions::new().append(true).open(path).map_err(file_error(path))?;
        let store = Self::connect(path, catalog).await?;
        store.migrate().await?;
        Ok(store)
    }

    async fn connect(path: &Path, catalog: &Catalog) -> Result<Self, StoreError> {
        Ok(Self {
            location: path.display().to_string(),
            path: path.to_owned(),
            catalog: catalog.clone(),
            opened: RwLock::new(OpenFile::open(path).await?),
            schemas: catalog.layers.clone(),
            transforms: RwLock::new(vec![None; catalog.layers.len()]),
            states: catalog.layers.iter().map(|_| LayerState::default()).collect(),
            structure: Mutex::default(),
            trimming: Trimming::default(),
            checkpointed: std::sync::Mutex::new(Instant::now()),
            written: Notify::new(),
        })
    }

    /// Connections for writing.
    fn pool(&self) -> Result<SqlitePool, StoreError> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).pool()
    }

    /// Connections for following.
    fn follow_pool(&self) -> Result<SqlitePool, StoreError> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).follow_pool()
    }

    /// Copies the write-ahead log into the file at intervals, so that a copy of the file alone is complete and no log
    /// remains.
    async fn checkpoint(&self, pool: &SqlitePool) {
        {
            let mut checkpointed = self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner);
            let is_empty = self.opened.read().unwrap_or_else(PoisonError::into_inner).is_log_empty();
            if is_empty || checkpointed.elapsed() < CHECKPOINT_EVERY {
                return;
            }
            *checkpointed = Instant::now();
        }
        // A lock held by another program is not an error; the next interval retries.
        if let Err(error) = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(pool).await {
            tracing::debug!(%error, "the write-ahead log was not copied into the file");
        }
        // Checks the file now, because later writes to it are not from this checkpoint; the next reading reports an
        // error.
        let _ = self.follow_pool();
    }

    /// Opens the file that now has the path, instead of the previous one.
    async fn open_again(&self) -> Result<(), StoreError> {
        let old = self.opened.read().unwrap_or_else(PoisonError::into_inner).parts();
        OpenFile::abandon(old, &self.path).await;
        self.opened.read().unwrap_or_else(PoisonError::into_inner).close_log_index();
        // Only after the file is closed: reading the file releases SQLite's locks on it.
        check_header(&self.path)?;
        let opened = OpenFile::open(&self.path).await?;
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = opened;
        self.migrate().await
    }

    /// Adds the change log and missing layers, fields and triggers.
    async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.pool()?.acquire().await.map_err(|error| self.database(error))?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.database(error))?;
        let present: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            .fetch_all(&mut *transaction)
            .await
            .map_err(|error| self.database(error))?;
        let present: BTreeSet<String> = present.into_iter().collect();
        let mut sql = missing_base_schema(&present);
        if present.contains("onemap_done") {
            sql.push_str(&edits::move_earlier_idempotency_keys());
        }
        for layer in &self.schemas {
            if present.contains(&layer.id) {
                let columns = self.columns(&mut transaction, layer).await?;
                sql.push_str(&tables::add_columns(layer, &columns, &self.catalog));
                sql.push_str(&tables::triggers(layer));
            } else {
                sql.push_str(&tables::create(layer, &self.catalog));
            }
        }
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.map_err(|error| self.database(error))?;
        let mut transforms = Vec::with_capacity(self.schemas.len());
        for layer in &self.schemas {
            transforms.push(structure::transform(&mut transaction, layer, |error| self.database(error)).await?);
        }
        transaction.commit().await.map_err(|error| self.database(error))?;
        *self.transforms.write().unwrap_or_else(PoisonError::into_inner) = transforms;
        self.opened.write().unwrap_or_else(PoisonError::into_inner).remember_log();
        Ok(())
    }

    /// The columns of a layer's table; an error if one that every layer needs is missing.
    async fn columns(&self, connection: &mut SqliteConnection, layer: &LayerSchema) -> Result<Vec<String>, StoreError> {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
            .bind(&layer.id)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| self.database(error))?;
        let kind: Option<String> =
            sqlx::query_scalar("SELECT type FROM sqlite_master WHERE name = ? AND type IN ('table', 'view')")
                .bind(&layer.id)
                .fetch_optional(connection)
                .await
                .map_err(|error| self.database(error))?;
        let missing = |needed: &&str| !columns.iter().any(|column| column.eq_ignore_ascii_case(needed));
        // Columns cannot be added to a view.
        let fields = layer.fields.iter().map(|field| field.name.as_str()).filter(|_| kind.as_deref() == Some("view"));
        match ["fid", "geom", "id"].into_iter().chain(fields).find(missing) {
            Some(column) => Err(StoreError::MissingColumn { table: layer.id.clone(), column: column.to_owned() }),
            None => Ok(columns),
        }
    }

    fn database(&self, source: sqlx::Error) -> StoreError {
        StoreError::Database { location: self.location.clone(), error: source }
    }

    fn transform(&self, layer: LayerIndex) -> Transform {
        layer.of(&self.transforms.read().unwrap_or_else(PoisonError::into_inner)).clone()
    }

    /// A layer in another reference system is read-only: transforming back would move unchanged geometries slightly.
    fn check_writable(&self, layer: LayerIndex) -> Result<(), StoreError> {
        match self.transform(layer) {
            None => Ok(()),
            Some(_) => Err(StoreError::ReadOnlyLayer { layer: layer.of(&self.schemas).id.clone() }),
        }
    }

    /// Deletes entries of the log that no reader needs.
    async fn trim(&self, pool: &SqlitePool) {
        const SQL: &str = "DELETE FROM onemap_changes WHERE position <= (SELECT max(position) FROM onemap_changes) - ?";
        if let Err(error) = sqlx::query(SQL).bind(KEPT_ENTRIES).execute(pool).await {
            tracing::debug!(%error, "the change log was not trimmed");
        }
    }

    async fn insert_all(
        &self,
        layer: &LayerSchema,
        features: &mut (dyn Iterator<Item = Feature> + Send),
    ) -> Result<usize, StoreError> {
        let mut connection = self.pool()?.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.insert_all_on(&mut connection, layer, features).await;
        release(connection, outcome)
    }

    async fn insert_all_on(
        &self,
        connection: &mut SqliteConnection,
        layer: &LayerSchema,
        features: &mut (dyn Iterator<Item = Feature> + Send),
    ) -> Result<usize, StoreError> {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.database(error))?;
        let without_indexes = edits::drop_spatial_indexes(&mut transaction, &self.schemas);
        without_indexes.await.map_err(|error| self.database(error))?;
        let mut count = 0;
        loop {
            let batch: Vec<Feature> = features.take(ROWS_PER_STATEMENT).collect();
            if batch.is_empty() {
                break;
            }
            if let Some(id) = first_present(&mut transaction, layer, &batch).await.map_err(|e| self.database(e))? {
                return Err(StoreError::Duplicate { layer: layer.id.clone(), id });
            }
            let table = identifier(&layer.id);
            insert(&mut transaction, &table, layer, &batch, all_columns(layer))
                .await
                .map_err(|error| self.database(error))?;
            count += batch.len();
        }
        let bounds =
            "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE table_name = ?";
        sqlx::query(bounds).bind(&layer.id).execute(&mut *transaction).await.map_err(|error| self.database(error))?;
        transaction.commit().await.map_err(|error| StoreError::of_commit(&self.location, error))?;
        Ok(count)
    }
}

impl Store for GeoPackage {
    fn location(&self) -> &str {
        &self.location
    }

    fn schemas(&self) -> &[LayerSchema] {
        &self.schemas
    }

    fn read_all<'a>(&'a self, sink: Sink<'a>) -> BoxFuture<'a, Result<LogPosition, StoreError>> {
        Box::pin(async move { self.read_layers(self.follow_pool()?, sink).await.map_err(|error| self.database(error)) })
    }

    fn changes_since<'a>(&'a self, position: &'a LogPosition) -> BoxFuture<'a, Result<Changes, StoreError>> {
        Box::pin(async move {
            let pool = match self.follow_pool() {
                Err(replaced @ StoreError::Replaced { .. }) => {
                    tracing::warn!("{replaced}");
                    self.open_again().await?;
                    return Ok(Changes::Lost);
                }
                pool => pool?,
            };
            if self.trimming.is_due() {
                self.trim(&pool).await;
            }
            let changes = self.read_changes(pool.clone(), position).await.map_err(|error| self.database(error))?;
            self.checkpoint(&pool).await;
            Ok(changes)
        })
    }

    fn layer_statuses(&self) -> Vec<LayerStatus> {
        self.states.iter().map(LayerState::status).collect()
    }

    fn has_unavailable_layers(&self) -> bool {
        self.states.iter().any(LayerState::is_unavailable)
    }

    /// SQLite does not signal changes by other programs.
    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.written.notified())
    }

    fn append<'a>(
        &'a self,
        layer: LayerIndex,
        features: &'a mut (dyn Iterator<Item = Feature> + Send),
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move {
            self.check_writable(layer)?;
            self.insert_all(layer.of(&self.schemas), features).await
        })
    }

    fn import<'a>(
        &'a self,
        layer: LayerIndex,
        source: &'a mut dyn ImportSource,
    ) -> BoxFuture<'a, Result<Option<ImportCounts>, StoreError>> {
        Box::pin(self.import_features(layer, source))
    }

    fn imports<'a>(&'a self, id: Option<&'a str>, limit: u32) -> BoxFuture<'a, Result<Vec<PastImport>, StoreError>> {
        Box::pin(self.past_imports(id, limit))
    }

    fn undo_import<'a>(&'a self, undo: &'a Undo) -> BoxFuture<'a, Result<Undone, StoreError>> {
        Box::pin(self.undo(undo))
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, StoreError>> {
        Box::pin(self.apply_batch(batch))
    }

    fn record<'a>(&'a self, entries: &'a [AuditEntry]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.record_audit(entries))
    }

    fn audit_rows(&self, part: AuditPart, limit: u32) -> BoxFuture<'_, Result<Vec<AuditRow>, StoreError>> {
        Box::pin(self.read_audit(part, limit))
    }

    fn prune_audit<'a>(&'a self, through: i64, entry: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.remove_audit(through, entry))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner).parts();
        Box::pin(opened.close())
    }
}

/// A new file with a temporary name.
pub struct NewFile {
    store: GeoPackage,
    unfinished: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// The store, to be filled.
    #[must_use]
    pub fn store(&self) -> &GeoPackage {
        &self.store
    }

    /// Removes the file.
    pub async fn discard(self) {
        self.store.close().await;
        for file in side_files(&self.unfinished) {
            // What remains is removed when the file is created the next time.
            let _ = std::fs::remove_file(file);
        }
    }

    /// Renames the file into place.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub async fn finish(self) -> Result<(), StoreError> {
        // Closing the last connection copies the write-ahead log into the file.
        self.store.close().await;
        std::fs::rename(&self.unfinished, &self.path).map_err(file_error(&self.path))
    }
}

/// Returns a connection to the pool, except after a failure: SQLite rolls back a transaction by itself if the disk is
/// full, and the driver does not notice.
fn release<T>(mut connection: PoolConnection<Sqlite>, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
    if matches!(outcome, Err(StoreError::Database { .. } | StoreError::OutcomeUnknown { .. })) {
        connection.close_on_drop();
    }
    outcome
}

fn file_error(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |source| StoreError::File { path: path.display().to_string(), source }
}

/// A database file and the files that SQLite creates beside it.
fn side_files(path: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    ["", "-wal", "-shm", "-journal"].into_iter().map(move |suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

/// Checks the first bytes: SQLite's magic text, and "GPKG" at offset 68.
pub(super) fn check_header(path: &Path) -> Result<(), StoreError> {
    const HEADER_BYTES: u64 = 100;
    let wrong = |reason| Err(StoreError::NotGeoPackage { path: path.display().to_string(), reason });
    // Opening a pipe would block until its other end is opened.
    let kind = std::fs::metadata(path).map_err(file_error(path))?.file_type();
    if !kind.is_file() {
        return wrong(if kind.is_dir() { "it is a folder" } else { "it is not a regular file" });
    }
    let mut header = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(HEADER_BYTES).read_to_end(&mut header))
        .map_err(file_error(path))?;
    if !header.starts_with(b"SQLite format 3\0") {
        return wrong("it is not an SQLite database");
    }
    if header.get(68..72) != Some(b"GPKG") {
        return wrong("it is an SQLite database without the GeoPackage application id");
    }
    Ok(())
}

/// Statements of the base schema whose table a file lacks.
fn missing_base_schema(present: &BTreeSet<String>) -> String {
    let mut sql = String::new();
    let mut is_missing = false;
    for statement in SCHEMA.split_inclusive(";\n") {
        let start =
            statement.find("CREATE TABLE ").or_else(|| statement.find("INSERT INTO ")).map(|at| &statement[at..]);
        match start.map(|statement| statement.split_whitespace().collect::<Vec<_>>()) {
            Some(words) if words[0] == "CREATE" => is_missing = !present.contains(words[2]),
            Some(_) => {}
            None => is_missing = false,
        }
        if is_missing {
            sql.push_str(statement);
        }
    }
    sql
}

/// Columns are named with their table: SQLite takes the quoted name of a missing column for a text.
fn select(layer: &LayerSchema, condition: &str) -> String {
    let table = identifier(&layer.id);
    let columns: Vec<String> =
        layer.fields.iter().map(|field| format!("{table}.{}", identifier(&field.name))).collect();
    format!("SELECT geom, id, {} FROM {table} {condition}", columns.join(", "))
}
