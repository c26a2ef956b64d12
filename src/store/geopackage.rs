//! The backend for one GeoPackage file (OGC 12-128r17, version 1.3) through SQLite in WAL mode.
//!
//! The file has no RTree extension on purpose: its triggers call ST_* functions that plain SQLite lacks, and the snapshot
//! has its own indexes. So any SQLite program can edit the file, and triggers record its changes in the change log.

mod edits;
mod file_identity;
mod reading;
mod rows;
mod structure;
mod tables;

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqlitePool};
use tokio::sync::{Mutex, Notify};

use self::file_identity::OpenFile;
use self::rows::{all_columns, first_present, insert};
use self::structure::{Structure, Transform};
use super::layer_state::LayerState;
use super::log_retention::Trimming;
use super::{Changes, LayerStatus, LogPosition, OnConflict, Sink, Store, StoreError};
use crate::model::{Applied, Batch, Catalog, Feature, LayerSchema};

const SCHEMA: &str = include_str!("geopackage/schema.sql");
/// How long a writer waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTIONS: u32 = 4;
/// How often the write-ahead log is copied into the file when it is not empty.
const FOLD_LOG_EVERY: Duration = Duration::from_secs(1);
/// Entries of the change log that are kept for followers that were disconnected.
const KEPT_ENTRIES: i64 = 100_000;
/// Rows of one INSERT; columns times rows stays below SQLite's 32,766 parameters.
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
    folded: std::sync::Mutex<Instant>,
    /// Notified by writes of this process.
    written: Notify,
}

impl GeoPackage {
    /// Creates a new file with the catalog's layers, all empty. The file gets its name only when it is complete.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub async fn create(path: &Path, catalog: &Catalog) -> Result<NewFile, StoreError> {
        let unfinished = path.with_extension("gpkg.unfinished");
        for leftover in side_files(&unfinished) {
            match std::fs::remove_file(&leftover) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file_error(path)(error)),
                _ => {}
            }
        }
        // Creating it here first reports the system's own error for a read-only folder.
        let private = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&unfinished);
        private.map_err(file_error(path))?;
        let store = Self::connect(&unfinished, catalog).await?;
        let mut sql = SCHEMA.to_owned();
        for layer in &store.schemas {
            sql.push_str(&tables::create(layer, catalog));
        }
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&store.pool()?).await.map_err(|error| store.database(error))?;
        Ok(NewFile { store, unfinished, path: path.to_owned() })
    }

    /// Opens an existing file. Layers and fields of the catalog that it does not have are added, empty.
    ///
    /// # Errors
    /// When the file is not a GeoPackage, cannot be written to, or holds a table of a layer's name
    /// without the columns that every layer has.
    pub async fn open(path: &Path, catalog: &Catalog) -> Result<Self, StoreError> {
        check_header(path)?;
        // SQLite would fall back to reading only and fail at the first write.
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
            folded: std::sync::Mutex::new(Instant::now()),
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

    /// Copies the write-ahead log into the file from time to time, so that a copy of the file alone is complete and no
    /// log is left behind.
    async fn fold_log(&self, pool: &SqlitePool) {
        {
            let mut folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
            let is_empty = self.opened.read().unwrap_or_else(PoisonError::into_inner).is_log_empty();
            if is_empty || folded.elapsed() < FOLD_LOG_EVERY {
                return;
            }
            *folded = Instant::now();
        }
        // A lock of another program is no failure: it is tried again.
        if let Err(error) = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(pool).await {
            tracing::debug!(%error, "the write-ahead log was not copied into the file");
        }
        // Whoever writes the file from now on is no checkpoint of ours; the next reading reports what is found.
        let _ = self.follow_pool();
    }

    /// Opens the file that is there now in place of the one that was.
    async fn open_again(&self) -> Result<(), StoreError> {
        let old = self.opened.read().unwrap_or_else(PoisonError::into_inner).parts();
        OpenFile::abandon(old, &self.path).await;
        self.opened.read().unwrap_or_else(PoisonError::into_inner).close_log_index();
        // Not before: reading the file would release SQLite's locks on it.
        check_header(&self.path)?;
        let opened = OpenFile::open(&self.path).await?;
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = opened;
        self.migrate().await
    }

    /// Adds what a file lacks: our change log, missing layers, fields and triggers.
    async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.pool()?.acquire().await.map_err(|error| self.database(error))?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.database(error))?;
        let present: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            .fetch_all(&mut *transaction)
            .await
            .map_err(|error| self.database(error))?;
        let present: BTreeSet<String> = present.into_iter().collect();
        let mut sql = missing_base_schema(&present);
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

    /// The columns of a layer's table, which has at least those that every layer needs.
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
        // A view cannot be given columns.
        let fields = layer.fields.iter().map(|field| field.name.as_str()).filter(|_| kind.as_deref() == Some("view"));
        match ["fid", "geom", "id"].into_iter().chain(fields).find(missing) {
            Some(column) => Err(StoreError::MissingColumn { table: layer.id.clone(), column: column.to_owned() }),
            None => Ok(columns),
        }
    }

    fn database(&self, source: sqlx::Error) -> StoreError {
        StoreError::Database { location: self.location.clone(), error: source }
    }

    fn transform(&self, layer: usize) -> Transform {
        self.transforms.read().unwrap_or_else(PoisonError::into_inner)[layer].clone()
    }

    /// A layer in another reference system is read-only: transforming back would move unchanged geometries slightly.
    fn check_writable(&self, layer: usize) -> Result<(), StoreError> {
        match self.transform(layer) {
            None => Ok(()),
            Some(_) => Err(StoreError::NotOurs { layer: self.schemas[layer].id.clone() }),
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
        on_conflict: OnConflict,
    ) -> Result<usize, StoreError> {
        let mut connection = self.pool()?.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.insert_all_on(&mut connection, layer, features, on_conflict).await;
        release(connection, outcome)
    }

    async fn insert_all_on(
        &self,
        connection: &mut SqliteConnection,
        layer: &LayerSchema,
        features: &mut (dyn Iterator<Item = Feature> + Send),
        on_conflict: OnConflict,
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
            if on_conflict == OnConflict::Refuse
                && let Some(id) = first_present(&mut transaction, layer, &batch).await.map_err(|e| self.database(e))?
            {
                return Err(StoreError::Duplicate { layer: layer.id.clone(), id });
            }
            insert(&mut transaction, layer, &batch, all_columns(layer)).await.map_err(|error| self.database(error))?;
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
            self.fold_log(&pool).await;
            Ok(changes)
        })
    }

    fn layer_statuses(&self) -> Vec<LayerStatus> {
        self.states.iter().map(LayerState::status).collect()
    }

    /// SQLite does not signal changes by other programs.
    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.written.notified())
    }

    fn append<'a>(
        &'a self,
        layer: usize,
        features: &'a mut (dyn Iterator<Item = Feature> + Send),
        on_conflict: OnConflict,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move {
            self.check_writable(layer)?;
            self.insert_all(&self.schemas[layer], features, on_conflict).await
        })
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, StoreError>> {
        Box::pin(self.apply_batch(batch))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner).parts();
        Box::pin(opened.close())
    }
}

/// A new file that does not have its name yet.
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

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the file system refuses.
    pub async fn finish(self) -> Result<(), StoreError> {
        // Closing the last connection copies the write-ahead log into the file.
        self.store.close().await;
        std::fs::rename(&self.unfinished, &self.path).map_err(file_error(&self.path))
    }
}

/// Gives a connection back, but not after a failure: SQLite ends a transaction that meets a full disk by itself, which
/// the driver does not know.
fn release<T>(mut connection: PoolConnection<Sqlite>, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
    if matches!(outcome, Err(StoreError::Database { .. } | StoreError::OutcomeUnknown { .. })) {
        connection.close_on_drop();
    }
    outcome
}

fn file_error(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |source| StoreError::File { path: path.display().to_string(), source }
}

/// A database file and what SQLite keeps beside it.
fn side_files(path: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    ["", "-wal", "-shm", "-journal"].into_iter().map(move |suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

/// Checks the first bytes: SQLite's magic text, and "GPKG" at offset 68.
fn check_header(path: &Path) -> Result<(), StoreError> {
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
    let mut wanted = false;
    for statement in SCHEMA.split_inclusive(";\n") {
        let start =
            statement.find("CREATE TABLE ").or_else(|| statement.find("INSERT INTO ")).map(|at| &statement[at..]);
        match start.map(|statement| statement.split_whitespace().collect::<Vec<_>>()) {
            Some(words) if words[0] == "CREATE" => wanted = !present.contains(words[2]),
            Some(_) => {}
            None => wanted = false,
        }
        if wanted {
            sql.push_str(statement);
        }
    }
    sql
}

/// Columns are named with their table: SQLite takes the quoted name of a missing column for a text.
fn select(layer: &LayerSchema, condition: &str) -> String {
    let table = tables::identifier(&layer.id);
    let columns: Vec<String> =
        layer.fields.iter().map(|field| format!("{table}.{}", tables::identifier(&field.name))).collect();
    format!("SELECT geom, id, {} FROM {table} {condition}", columns.join(", "))
}
