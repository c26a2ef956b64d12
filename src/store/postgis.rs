//! Kept in PostgreSQL with PostGIS, in the schema `onemap`, one table for each layer.
//!
//! Sequence numbers are taken before their transaction commits, so "all above the last seen" would
//! skip the rows of a slow transaction. The log keeps the transaction of each entry, and a reading asks for those
//! that are visible in its own snapshot and were not in the one before.

mod copy;
mod edits;
mod follow_connection;
mod foreign;
mod migration;
mod source;
mod tables;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Connection, PgPool, Row};

use self::follow_connection::{FollowConnection, NotifyListener, answered};
use self::migration::MigrationOutcome;
use self::source::{Source, Watch};
use super::log_retention::Trimming;
use super::{Change, Changes, LogPosition, OnConflict, Sink, Store, StoreError, TableLayer, ewkb};
use crate::model::{Applied, Batch, Feature, FeatureId, Field, FieldType, LayerSchema, Shape, Value};

const CONNECTIONS: u32 = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// COPY sends its rows in pieces of about this many bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// A database opened for reading and writing.
pub struct PostGis {
    location: String,
    /// For writing.
    pool: PgPool,
    /// For following.
    follow_connection: FollowConnection,
    notify_listener: NotifyListener,
    schemas: Vec<LayerSchema>,
    /// One for each schema: ours first, then those of other programs.
    sources: Vec<Source>,
    is_new: bool,
    trimming: Trimming,
}

impl PostGis {
    /// Connects, and makes what is missing: the schema `onemap`, its change log, the tables and columns of the layers.
    ///
    /// # Errors
    /// When the database cannot be reached, has no PostGIS, was made by a newer program, or lacks something that
    /// the role may not make.
    pub async fn open(url: &str, schemas: Vec<LayerSchema>, foreign: &[TableLayer]) -> Result<Self, StoreError> {
        let options = options(url)?.application_name("onemap");
        let location = location(&options);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_with(options.clone())
            .await
            .map_err(|source| StoreError::Database { location: location.clone(), source })?;
        let sources = schemas.iter().cloned().map(Source::own).collect();
        let (follow_connection, notify_listener, trimming) =
            (FollowConnection::new(options.clone()), NotifyListener::open(options), Trimming::default());
        let mut store =
            Self { location, pool, follow_connection, notify_listener, schemas, sources, is_new: false, trimming };
        store.is_new = store.migrate().await?;
        store.add_foreign(foreign).await?;
        Ok(store)
    }

    /// Where an address leads to, without secrets.
    ///
    /// # Errors
    /// When it is not the address of a database.
    pub fn location_of(url: &str) -> Result<String, StoreError> {
        options(url).map(|options| location(&options))
    }

    /// Whether opening made the schema: nothing has ever been stored.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    async fn add_foreign(&mut self, tables: &[TableLayer]) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.database(error))?;
        for table in tables {
            let source = foreign::discover(&mut connection, table).await?;
            if self.schemas.iter().any(|schema| schema.id == source.schema.id) {
                let reason = format!("there is another layer {:?}; give this one an id of its own", source.schema.id);
                return Err(StoreError::UnusableTable { table: table.table.clone(), reason });
            }
            self.schemas.push(source.schema.clone());
            self.sources.push(source);
        }
        Ok(())
    }

    async fn migrate(&self) -> Result<bool, StoreError> {
        let location = || self.location.clone();
        match migration::run(&self.pool, &self.schemas).await {
            Ok(MigrationOutcome::Made) => Ok(true),
            Ok(MigrationOutcome::Present) => Ok(false),
            Ok(MigrationOutcome::NoPostGis) => Err(StoreError::NoPostGis { location: location() }),
            Ok(MigrationOutcome::Newer(steps)) => Err(StoreError::NewerStore { location: location(), steps }),
            Err(error) if is_forbidden(&error) => Err(StoreError::ReadOnly { location: location(), source: error }),
            Err(error) => Err(self.database(error)),
        }
    }

    /// Whether a layer's table is ours to write to.
    fn is_own(&self, layer: usize) -> bool {
        self.sources[layer].relation == tables::name(&self.schemas[layer])
    }

    fn database(&self, source: sqlx::Error) -> StoreError {
        StoreError::Database { location: self.location.clone(), source }
    }

    async fn read_layers(&self, transaction: &mut PgConnection, sink: Sink<'_>) -> Result<LogPosition, sqlx::Error> {
        let position = answered(log_end(transaction)).await?;
        for (at, source) in self.sources.iter().enumerate() {
            let mut compared = Vec::new();
            let mut rows = sqlx::query(AssertSqlSafe(source.select(""))).fetch(&mut *transaction);
            while let Some(row) = answered(rows.try_next()).await? {
                let Some(feature) = read_feature(&row, &source.schema)? else { continue };
                if matches!(source.watch, Watch::Compare(_)) {
                    compared.push(feature.clone());
                }
                sink(at, feature);
            }
            if let Watch::Compare(comparison) = &source.watch {
                comparison.differences(compared);
            }
        }
        Ok(position)
    }

    async fn read_changes(
        &self,
        transaction: &mut PgConnection,
        position: &LogPosition,
    ) -> Result<Changes, sqlx::Error> {
        let Some(before) = &position.seen else { return Ok(Changes::Lost) };
        let end = answered(log_end(transaction)).await?;
        let cut = sqlx::query_scalar("SELECT up_to >= pg_snapshot_xmin($1::pg_snapshot) FROM onemap.trimmed");
        let is_cut: Option<bool> = answered(cut.bind(before).fetch_optional(&mut *transaction)).await?;
        if is_cut == Some(true) || end.newest < position.newest || end.history != position.history {
            // Too old, or another log: the database was replaced or set back.
            return Ok(Changes::Lost);
        }
        let touched = sqlx::query_as(
            "SELECT DISTINCT layer, id FROM onemap.changes \
             WHERE transaction >= pg_snapshot_xmin($1::pg_snapshot) \
               AND NOT pg_visible_in_snapshot(transaction, $1::pg_snapshot) ORDER BY layer, id",
        );
        let touched: Vec<(String, Option<String>)> =
            answered(touched.bind(before).fetch_all(&mut *transaction)).await?;
        let mut changes = Vec::with_capacity(touched.len());
        for (at, source) in self.sources.iter().enumerate() {
            let layer = &source.schema;
            if let Watch::Compare(comparison) = &source.watch {
                if comparison.is_due() {
                    let now = read_rows(transaction, source, "", &[]).await?;
                    let differences = comparison.differences(now).into_iter();
                    changes.extend(differences.map(|(id, now)| Change { layer: at, id, now }));
                }
                continue;
            }
            let mut ids: Vec<&str> = Vec::new();
            for (_, id) in touched.iter().filter(|(name, _)| *name == layer.id) {
                match id {
                    Some(id) => ids.push(id),
                    None => return Ok(Changes::Lost),
                }
            }
            if ids.is_empty() {
                continue;
            }
            let condition = format!("WHERE {} = ANY($1)", source.key);
            let rows = read_rows(transaction, source, &condition, &ids).await?;
            let mut now: BTreeMap<FeatureId, Feature> =
                rows.into_iter().map(|feature| (feature.id.clone(), feature)).collect();
            let ids = ids.into_iter().filter_map(|id| FeatureId::new(id).ok());
            changes.extend(ids.map(|id| Change { layer: at, now: now.remove(&id), id }));
        }
        Ok(Changes::Since { position: end, changes })
    }

    /// Forgets entries of the log that no reader can still want: old ones, and only those that every reading from now
    /// on has behind it, so that whoever reads after the cut follows on from there.
    async fn trim(&self) {
        const SQL: &str = "\
            WITH gone AS (DELETE FROM onemap.changes WHERE changed_at < now() - interval '7 days' \
                            AND transaction < pg_snapshot_xmin(pg_current_snapshot()) RETURNING transaction) \
            INSERT INTO onemap.trimmed (up_to) SELECT transaction FROM gone ORDER BY transaction DESC LIMIT 1 \
            ON CONFLICT (only_row) DO UPDATE SET up_to = greatest(trimmed.up_to, excluded.up_to)";
        if let Err(error) = answered(sqlx::query(SQL).execute(&self.pool)).await {
            tracing::debug!(%error, "the change log was not shortened");
        }
    }

    async fn copy_all(
        &self,
        layer: &LayerSchema,
        features: &mut (dyn Iterator<Item = Feature> + Send),
        on_conflict: OnConflict,
    ) -> Result<usize, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.database(error))?;
        let mut transaction = connection.begin().await.map_err(|error| self.database(error))?;
        let (table, columns) = (tables::name(layer), tables::columns(layer));
        let stored = match on_conflict {
            OnConflict::Refuse => copy_in(&mut transaction, &table, &columns, features).await,
            OnConflict::Replace => merge_in(&mut transaction, &table, &columns, features).await,
        };
        let count = stored.map_err(|error| match clashing_id(&error) {
            Some(id) => StoreError::Duplicate { layer: layer.id.clone(), id },
            None => self.database(error),
        })?;
        transaction.commit().await.map_err(|error| self.database(error))?;
        Ok(count)
    }
}

impl Store for PostGis {
    fn location(&self) -> &str {
        &self.location
    }

    fn schemas(&self) -> &[LayerSchema] {
        &self.schemas
    }

    fn read_all<'a>(&'a self, sink: Sink<'a>) -> BoxFuture<'a, Result<LogPosition, StoreError>> {
        Box::pin(async move {
            let read = self.follow_connection.read(async |transaction| self.read_layers(transaction, sink).await);
            read.await.map_err(|error| self.database(error))
        })
    }

    fn changes_since<'a>(&'a self, position: &'a LogPosition) -> BoxFuture<'a, Result<Changes, StoreError>> {
        Box::pin(async move {
            if self.trimming.is_due() {
                self.trim().await;
            }
            let read = self.follow_connection.read(async |transaction| self.read_changes(transaction, position).await);
            read.await.map_err(|error| self.database(error))
        })
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.notify_listener.notified())
    }

    fn append<'a>(
        &'a self,
        layer: usize,
        features: &'a mut (dyn Iterator<Item = Feature> + Send),
        on_conflict: OnConflict,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move {
            let schema = &self.schemas[layer];
            if !self.is_own(layer) {
                return Err(StoreError::NotOurs { layer: schema.id.clone() });
            }
            self.copy_all(schema, features, on_conflict).await
        })
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, StoreError>> {
        Box::pin(self.apply_batch(batch))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.follow_connection.close().await;
            self.pool.close().await;
        })
    }
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let unreadable = |source| StoreError::Database { location: "the address of the database".to_owned(), source };
    url.parse().map_err(unreadable)
}

fn location(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    format!("postgres://{}:{}/{database}", options.get_host(), options.get_port())
}

/// SQLSTATE 42501, insufficient privilege, and 25006, a database that takes no writes.
fn is_forbidden(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| matches!(&*code, "42501" | "25006"))
}

/// Where the log ends at this moment. Transactions are numbered within one history of one database: after a standby
/// took over, or a backup was put back, the same numbers mean something else.
async fn log_end(connection: &mut PgConnection) -> Result<LogPosition, sqlx::Error> {
    const SQL: &str = "\
        SELECT coalesce(max(position), 0), pg_current_snapshot()::text, concat_ws('/', \
          (SELECT system_identifier FROM pg_control_system()), \
          (SELECT oid FROM pg_database WHERE datname = current_database()), \
          CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END) \
        FROM onemap.changes";
    let (newest, seen, history) = sqlx::query_as(SQL).fetch_one(connection).await?;
    Ok(LogPosition { newest, seen: Some(seen), history: Some(history) })
}

/// The id that a row has in common with one that is already there, from the words of the database: they are
/// translated, but the key and its value stand in them as `(id)=(…)`.
fn clashing_id(error: &sqlx::Error) -> Option<FeatureId> {
    const UNIQUE_VIOLATION: &str = "23505";
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let detail = error.detail().filter(|_| error.code() == UNIQUE_VIOLATION)?;
    let (_, after) = detail.split_once("(id)=(")?;
    FeatureId::new(after.rsplit_once(')')?.0).ok()
}

/// Puts rows in the place of those with the same id, by way of a table that lives as long as the transaction.
async fn merge_in(
    connection: &mut PgConnection,
    table: &str,
    columns: &str,
    features: &mut (dyn Iterator<Item = Feature> + Send),
) -> Result<usize, sqlx::Error> {
    let incoming =
        format!("CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA");
    sqlx::query(AssertSqlSafe(incoming)).execute(&mut *connection).await?;
    let count = copy_in(connection, "pg_temp.incoming", columns, features).await?;
    let update: Vec<String> =
        columns.split(", ").skip(1).map(|column| format!("{column} = excluded.{column}")).collect();
    let merge = format!(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM pg_temp.incoming ON CONFLICT (id) DO UPDATE SET {}",
        update.join(", ")
    );
    sqlx::query(AssertSqlSafe(merge)).execute(connection).await?;
    Ok(count)
}

/// Sends rows to a table by COPY.
async fn copy_in(
    connection: &mut PgConnection,
    table: &str,
    columns: &str,
    features: &mut (dyn Iterator<Item = Feature> + Send),
) -> Result<usize, sqlx::Error> {
    let statement = format!("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)");
    let mut copy = connection.copy_in_raw(&statement).await?;
    let mut piece = copy::HEADER.to_vec();
    let mut count = 0;
    for feature in features {
        copy::write_row(&mut piece, &feature).map_err(sqlx::Error::Protocol)?;
        count += 1;
        if piece.len() >= PIECE_BYTES {
            copy.send(std::mem::take(&mut piece)).await?;
        }
    }
    piece.extend_from_slice(&copy::TRAILER);
    copy.send(piece).await?;
    copy.finish().await?;
    Ok(count)
}

/// Rows that meet a condition, which may name the ids as `$1`.
async fn read_rows(
    connection: &mut PgConnection,
    source: &Source,
    condition: &str,
    ids: &[&str],
) -> Result<Vec<Feature>, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(source.select(condition)));
    if !ids.is_empty() {
        query = query.bind(ids);
    }
    let rows = answered(query.fetch_all(connection)).await?;
    rows.iter().filter_map(|row| read_feature(row, &source.schema).transpose()).collect()
}

fn read_feature(row: &PgRow, layer: &LayerSchema) -> Result<Option<Feature>, sqlx::Error> {
    let text: String = row.try_get(0)?;
    let Ok(id) = FeatureId::new(&text) else {
        tracing::warn!(layer = layer.id, id = text, "the id is not usable, the feature is left out");
        return Ok(None);
    };
    let bytes: Option<Vec<u8>> = row.try_get(1)?;
    let geometry = bytes.and_then(|bytes| read_shape(&bytes, layer, &id));
    let values =
        layer.fields.iter().enumerate().map(|(at, field)| read_value(row, at + 2, field)).collect::<Result<_, _>>()?;
    Ok(Some(Feature { id, geometry, values }))
}

/// What is not a place on earth is told and read as a feature without a place.
fn read_shape(bytes: &[u8], layer: &LayerSchema, id: &FeatureId) -> Option<Shape> {
    let shape = match ewkb::read(bytes) {
        Ok(geometry) => Shape::new(geometry?).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    shape.map_err(|reason| tracing::warn!(layer = layer.id, %id, reason, "the geometry is not usable")).ok()
}

fn read_value(row: &PgRow, at: usize, field: &Field) -> Result<Value, sqlx::Error> {
    let value = match field.field_type {
        FieldType::Boolean => row.try_get::<Option<bool>, _>(at)?.map(Value::Boolean),
        FieldType::Integer => row.try_get::<Option<i64>, _>(at)?.map(Value::Integer),
        FieldType::Real => row.try_get::<Option<f64>, _>(at)?.filter(|number| number.is_finite()).map(Value::Real),
        FieldType::Text => row.try_get::<Option<String>, _>(at)?.map(Value::Text),
        FieldType::Date => row.try_get::<Option<time::Date>, _>(at)?.map(Value::Date),
        FieldType::DateTime => {
            row.try_get::<Option<time::OffsetDateTime>, _>(at)?.map(|instant| Value::DateTime(instant.to_utc()))
        }
        FieldType::TextList => row.try_get::<Option<Vec<String>>, _>(at)?.map(Value::TextList),
        FieldType::Json => {
            row.try_get::<Option<serde_json::Value>, _>(at)?.map(|document| Value::Json(document.to_string()))
        }
    };
    Ok(value.unwrap_or(Value::Unknown))
}
