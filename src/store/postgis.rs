//! The backend for PostgreSQL with PostGIS: one table for each layer in the schema `onemap`, and configured tables of
//! other programs.
//!
//! Sequence numbers are taken before their transaction commits, so reading all numbers above the last one would skip
//! the rows of a slow transaction. The log stores the transaction of each entry, and a read selects the entries that
//! are visible in its own snapshot and were not visible in the previous one.

mod audit;
mod change_log;
mod copy;
mod decode;
mod edits;
mod follow_connection;
mod foreign;
mod generation;
mod import;
mod migration;
mod reading;
mod source;
pub mod sql;
mod tables;
mod triggers;
mod undo;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgPool};

use self::copy::copy_in;
use self::follow_connection::{FollowConnection, NotifyListener, answered, within};
use self::foreign::DiscoverError;
use self::generation::Generation;
use self::migration::MigrationOutcome;
use self::reading::is_of_statement;
use self::source::Source;
use self::sql::query;
use self::triggers::Watchable;
use super::layer_state::ReadOutcome;
use super::log_retention::Trimming;
use super::{AuditPart, AuditRow, Changes, LayerStatus, LogPosition, Sink, Store, StoreError, TableLayer};
use crate::model::{
    Applied, AuditEntry, Batch, Feature, FeatureId, ImportCounts, ImportSource, LayerIndex, LayerSchema, PastImport,
    Undo, Undone,
};

const CONNECTIONS: u32 = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For rows that every server can create again: their commit must not wait for an absent standby.
const WITHOUT_STANDBY: &str = "SET LOCAL synchronous_commit = local";
/// Interval at which tables and their triggers are checked for changes.
const CHECK_TABLES_EVERY: Duration = Duration::from_secs(1);
/// Interval at which configured tables that were missing or unusable at start are checked.
const FIND_MISSING_TABLES_EVERY: Duration = Duration::from_secs(3);

/// A database opened for reading and writing.
pub struct PostGis {
    location: String,
    /// Host and port.
    address: String,
    /// For writing.
    pool: PgPool,
    /// For following.
    follow_connection: FollowConnection,
    notify_listener: NotifyListener,
    /// The layers; each later generation has one more of the configured tables.
    layers: Generation,
    /// Quoted schema of PostGIS.
    gis: String,
    is_new: bool,
    trimming: Trimming,
    /// When the tables were last checked.
    tables_checked: Mutex<Option<Instant>>,
    /// When the tables that cannot be used yet were last checked.
    missing_checked: Mutex<Instant>,
}

impl PostGis {
    /// Connects, and creates what is missing: the schema `onemap`, its change log, the tables and columns of the layers.
    ///
    /// # Errors
    /// When the database cannot be reached, has no PostGIS, was migrated by a newer program, or lacks something that
    /// the role may not create.
    pub async fn open(url: &str, schemas: Vec<LayerSchema>, foreign: &[TableLayer]) -> Result<Self, StoreError> {
        let options = options(url)?.application_name("onemap");
        let location = location(&options);
        // The pool would retry and then report only a timeout.
        let connecting = within(CONNECT_TIMEOUT, options.connect());
        let mut connection = connecting.await.map_err(|source| unreachable(&options, &location, source))?;
        let migrated = migration::run(&mut connection, &schemas).await;
        let (is_new, gis) = match migrated {
            Ok(MigrationOutcome::Complete { is_new, gis }) => (is_new, gis),
            Ok(MigrationOutcome::NoPostGis(reason)) => return Err(StoreError::NoPostGis { location, reason }),
            Ok(MigrationOutcome::Newer(steps)) => return Err(StoreError::NewerStore { location, steps }),
            Err(error) if has_code(&error, UNTRANSLATABLE) => return Err(StoreError::Encoding { location }),
            Err(source) if is_forbidden(&source) => return Err(StoreError::ReadOnly { location, source }),
            Err(error) => return Err(StoreError::Database { location, error }),
        };
        let mut sources: Vec<Source> = schemas.into_iter().map(|schema| Source::own(schema, &gis)).collect();
        add_foreign(&mut connection, &location, &mut sources, foreign, &gis).await?;
        let sources = sources.into_iter().map(Arc::new).collect();
        // The connection is not used again; an error does not matter.
        let _ = answered(connection.close()).await;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT_TIMEOUT);
        Ok(Self {
            location,
            address: address(&options),
            pool: pool.connect_lazy_with(options.clone()),
            follow_connection: FollowConnection::new(options.clone()),
            notify_listener: NotifyListener::open(options),
            layers: Generation::new(sources),
            gis,
            is_new,
            trimming: Trimming::default(),
            tables_checked: Mutex::default(),
            missing_checked: Mutex::new(Instant::now()),
        })
    }

    /// The location of a URL, without secrets.
    ///
    /// # Errors
    /// When it is not the URL of a database.
    pub fn location_of(url: &str) -> Result<String, StoreError> {
        options(url).map(|options| location(&options))
    }

    /// Whether opening created the schema: nothing has ever been stored.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether this program may write to a layer's table.
    fn is_own(&self, layer: LayerIndex) -> bool {
        layer.of(self.sources()).foreign.is_none()
    }

    /// One for each schema: own tables first, then those of other programs.
    fn sources(&self) -> &[Arc<Source>] {
        &self.layers.newest().sources
    }

    fn database(&self, source: sqlx::Error) -> StoreError {
        let location = self.location.clone();
        match source {
            sqlx::Error::Io(source) if source.kind() == std::io::ErrorKind::ConnectionRefused => {
                StoreError::Unreachable { address: self.address.clone(), location, source }
            }
            error => StoreError::Database { location, error },
        }
    }

    /// Checks periodically whether tables or triggers changed; if so, the triggers are restored and the layer is read
    /// again.
    async fn check_tables(&self) -> Result<(), sqlx::Error> {
        let now = Instant::now();
        {
            let mut tables_checked = self.tables_checked.lock().unwrap_or_else(PoisonError::into_inner);
            if tables_checked.is_some_and(|last| now.duration_since(last) < CHECK_TABLES_EVERY) {
                return Ok(());
            }
            *tables_checked = Some(now);
        }
        let structures = self
            .follow_connection
            .read(async |transaction| answered(triggers::structures(transaction, self.sources())).await);
        for (source, structure) in self.sources().iter().zip(structures.await?) {
            if !source.has_new_structure(&structure) || source.placeholder.is_some() {
                continue;
            }
            tracing::info!(layer = source.schema.id, "the table or its triggers changed; the layer is read again");
            if let Some(foreign) = &source.foreign {
                let (relation, layer) = (&source.relation, &source.schema.id);
                let watchable = Watchable { table: &foreign.table, relation, layer, key: &foreign.key };
                let mut transaction = answered(self.pool.begin()).await?;
                source.set_watch(answered(watchable.ensure(&mut transaction)).await?);
                answered(transaction.commit()).await?;
            }
            source.state.outdate();
        }
        Ok(())
    }

    /// Periodically tries to register the configured tables that were missing or not usable.
    async fn find_missing_tables(&self) -> Result<(), sqlx::Error> {
        {
            let mut missing_checked = self.missing_checked.lock().unwrap_or_else(PoisonError::into_inner);
            if missing_checked.elapsed() < FIND_MISSING_TABLES_EVERY {
                return Ok(());
            }
            *missing_checked = Instant::now();
        }
        for (at, source) in self.sources().iter().enumerate() {
            let Some(table) = &source.placeholder else { continue };
            let id = source.schema.id.clone();
            match answered(Box::pin(try_discover(&self.pool, table, id, &self.gis))).await? {
                Ok(found) => {
                    // All rows are read with the next changes.
                    found.state.succeed(&source.state);
                    self.layers.replace(at, found);
                }
                Err(reason) => source.state.record(&source.schema.id, ReadOutcome::Failed(reason)),
            }
        }
        Ok(())
    }

    async fn copy_all(
        &self,
        layer: &LayerSchema,
        features: &mut (dyn Iterator<Item = Feature> + Send),
    ) -> Result<usize, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.database(error))?;
        let mut transaction = connection.begin().await.map_err(|error| self.database(error))?;
        let (table, columns) = (tables::name(layer), tables::columns(layer));
        let stored = copy_in(&mut transaction, &table, &columns, features).await;
        let count = stored.map_err(|error| match clashing_id(&error) {
            Some(id) => StoreError::Duplicate { layer: layer.id.clone(), id },
            None => self.database(error),
        })?;
        answered(transaction.commit()).await.map_err(|error| StoreError::of_commit(&self.location, error))?;
        Ok(count)
    }
}

impl Store for PostGis {
    fn location(&self) -> &str {
        &self.location
    }

    fn schemas(&self) -> &[LayerSchema] {
        &self.layers.newest().schemas
    }

    fn read_all<'a>(&'a self, sink: Sink<'a>) -> BoxFuture<'a, Result<LogPosition, StoreError>> {
        Box::pin(async move {
            let read = self.follow_connection.read(async |transaction| self.read_layers(transaction, sink).await);
            let mut found = read.await.map_err(|error| self.database(error))?;
            found.remember();
            Ok(found.end)
        })
    }

    fn changes_since<'a>(&'a self, position: &'a LogPosition) -> BoxFuture<'a, Result<Changes, StoreError>> {
        Box::pin(async move {
            if self.trimming.is_due() {
                change_log::trim(&self.pool).await;
            }
            self.check_tables().await.map_err(|error| self.database(error))?;
            Box::pin(self.find_missing_tables()).await.map_err(|error| self.database(error))?;
            let mut read = self
                .follow_connection
                .read(async |transaction| self.read_changes(transaction, position, false).await)
                .await;
            if read.as_ref().is_err_and(is_of_statement) {
                read = self
                    .follow_connection
                    .read(async |transaction| self.read_changes(transaction, position, true).await)
                    .await;
            }
            let Some(mut found) = read.map_err(|error| self.database(error))? else { return Ok(Changes::Lost) };
            found.remember();
            self.sources().iter().for_each(|source| source.state.confirm());
            Ok(Changes::Since { position: found.end, changes: found.changes, reloaded: found.reloaded })
        })
    }

    fn layer_statuses(&self) -> Vec<LayerStatus> {
        self.sources().iter().map(|source| source.state.status()).collect()
    }

    fn has_unavailable_layers(&self) -> bool {
        self.sources().iter().any(|source| source.state.is_unavailable())
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.notify_listener.notified())
    }

    fn append<'a>(
        &'a self,
        layer: LayerIndex,
        features: &'a mut (dyn Iterator<Item = Feature> + Send),
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move {
            let schema = layer.of(self.schemas());
            if !self.is_own(layer) {
                return Err(StoreError::ReadOnlyLayer { layer: schema.id.clone() });
            }
            self.copy_all(schema, features).await
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
        Box::pin(async move {
            self.follow_connection.close().await;
            // A commit that waits for a standby would hold it up.
            let _ = tokio::time::timeout(CONNECT_TIMEOUT, self.pool.close()).await;
        })
    }
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let unreadable = |error| StoreError::Database { location: "the address of the database".to_owned(), error };
    url.parse().map_err(unreadable)
}

fn location(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    format!("postgres://{}:{}/{database}", options.get_host(), options.get_port())
}

fn address(options: &PgConnectOptions) -> String {
    format!("{}:{}", options.get_host(), options.get_port())
}

/// SQLSTATE of a character that the encoding of the database lacks.
const UNTRANSLATABLE: &str = "22P05";

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().is_some_and(|refusal| refusal.code().as_deref() == Some(code))
}

/// SQLSTATE 42501, insufficient privilege, and 25006, a read-only database.
fn is_forbidden(error: &sqlx::Error) -> bool {
    has_code(error, "42501") || has_code(error, "25006")
}

/// The error for a database that cannot be reached, with its address.
fn unreachable(options: &PgConnectOptions, location: &str, source: sqlx::Error) -> StoreError {
    let location = location.to_owned();
    match source {
        sqlx::Error::Io(source) => StoreError::Unreachable { address: address(options), location, source },
        error => StoreError::Database { location, error },
    }
}

/// Adds the tables of other programs. A missing or unusable table is unavailable until it becomes usable.
async fn add_foreign(
    connection: &mut PgConnection,
    location: &str,
    sources: &mut Vec<Source>,
    tables: &[TableLayer],
    gis: &str,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::Database { location: location.to_owned(), error };
    for table in tables {
        let id = foreign::layer_id(table)?;
        if sources.iter().any(|other| other.schema.id == id) {
            let reason = format!("another layer has the id {id:?}; set a different id");
            return Err(table.unusable(reason));
        }
        // One transaction for each, so that a lock on one table is not held while another is waited for.
        let mut transaction = connection.begin().await.map_err(failed)?;
        match foreign::discover(&mut transaction, table, id.clone(), gis).await {
            Ok(source) => {
                transaction.commit().await.map_err(failed)?;
                sources.push(source);
            }
            Err(DiscoverError::Unusable(reason)) => {
                transaction.rollback().await.map_err(failed)?;
                let source = foreign::placeholder(table, id);
                source.state.record(&source.schema.id, ReadOutcome::Failed(table.unusable(reason).to_string()));
                sources.push(source);
            }
            Err(DiscoverError::Config(error)) => return Err(error),
            Err(DiscoverError::Connection(source)) => return Err(failed(source)),
        }
    }
    Ok(())
}

/// Registers a table in a separate transaction. The inner error is the reason why it still cannot be used.
async fn try_discover(
    pool: &PgPool,
    table: &TableLayer,
    id: String,
    gis: &str,
) -> Result<Result<Source, String>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    match foreign::discover(&mut transaction, table, id, gis).await {
        Ok(source) => {
            transaction.commit().await?;
            Ok(Ok(source))
        }
        Err(DiscoverError::Connection(error)) => Err(error),
        Err(DiscoverError::Unusable(reason)) => {
            transaction.rollback().await?;
            Ok(Err(table.unusable(reason).to_string()))
        }
        Err(DiscoverError::Config(error)) => {
            transaction.rollback().await?;
            Ok(Err(error.to_string()))
        }
    }
}

/// The id of an existing row that an insert violates, from the message of the database: the message is translated, but
/// contains the key and its value as `(id)=(…)`.
fn clashing_id(error: &sqlx::Error) -> Option<FeatureId> {
    const UNIQUE_VIOLATION: &str = "23505";
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let detail = error.detail().filter(|_| error.code() == UNIQUE_VIOLATION)?;
    let (_, after) = detail.split_once("(id)=(")?;
    FeatureId::new(after.rsplit_once(')')?.0).ok()
}

/// Inserts rows, or writes these columns of the rows with the same id, through a temporary table.
async fn merge_in(
    connection: &mut PgConnection,
    table: &str,
    columns: &str,
    written: &[String],
    features: &mut (dyn Iterator<Item = Feature> + Send),
) -> Result<usize, sqlx::Error> {
    let incoming =
        format!("CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA");
    query(AssertSqlSafe(incoming)).execute(&mut *connection).await?;
    let count = copy_in(connection, "pg_temp.incoming", columns, features).await?;
    let update: Vec<String> = written.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let merge = format!(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM pg_temp.incoming ON CONFLICT (id) DO UPDATE SET {}",
        update.join(", ")
    );
    query(AssertSqlSafe(merge)).execute(connection).await?;
    Ok(count)
}
