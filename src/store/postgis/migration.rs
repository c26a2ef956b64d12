//! Migrates a database: numbered steps, each applied once, then the tables of the layers.
//!
//! Everything runs in one transaction under a lock, so that two servers that start together do not conflict. A complete
//! database is not written to, so a read-only role can serve it.

use std::fmt::Write;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::WITHOUT_STANDBY;
use super::sql::{query, query_as, query_scalar};
use super::tables;
use crate::model::LayerSchema;
use crate::store::quoting::identifier;

/// Advisory lock that keeps two servers from migrating at the same time.
const LOCK: i64 = 0x6f6e_656d_6170;
/// The steps, in order; a released step is never changed.
const STEPS: [&str; 8] = [
    include_str!("migrations/0001_change_log.sql"),
    include_str!("migrations/0002_foreign_tables.sql"),
    include_str!("migrations/0003_done.sql"),
    include_str!("migrations/0004_unhindered.sql"),
    include_str!("migrations/0005_idempotency_keys.sql"),
    include_str!("migrations/0006_audit.sql"),
    include_str!("migrations/0007_imports.sql"),
    include_str!("migrations/0008_trimmed_entries.sql"),
];
/// Placeholder in a step for the quoted schema of PostGIS.
const POSTGIS: &str = "{postgis}";
/// Limits the time that a migration waits for other transactions.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '10s'";

const FOUNDATION: &str = "\
CREATE SCHEMA IF NOT EXISTS onemap;
COMMENT ON SCHEMA onemap IS '应急管理一张图 One map for emergency management';
CREATE TABLE onemap.migrations (step integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp());
";

/// The outcome of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MigrationOutcome {
    /// The database is complete.
    Complete {
        /// The schema did not exist before.
        is_new: bool,
        /// Quoted name of the schema of PostGIS.
        gis: String,
    },
    /// The database has no PostGIS, and it could not be created for this reason.
    NoPostGis(String),
    /// A newer program migrated it, with this many steps.
    Newer(i32),
}

/// Applies missing steps and creates missing tables and columns.
pub(super) async fn run(
    connection: &mut PgConnection,
    layers: &[LayerSchema],
) -> Result<MigrationOutcome, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut *transaction).await?;
    sqlx::raw_sql(WITHOUT_STANDBY).execute(&mut *transaction).await?;
    query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    let gis = match postgis_schema(&mut transaction).await? {
        Ok(schema) => identifier(&schema),
        Err(reason) => return Ok(MigrationOutcome::NoPostGis(reason)),
    };
    let applied = applied_steps(&mut transaction).await?;
    let known = i32::try_from(STEPS.len()).unwrap_or(i32::MAX);
    if let Some(steps) = applied.filter(|&steps| steps > known) {
        return Ok(MigrationOutcome::Newer(steps));
    }
    let mut sql = if applied.is_none() { FOUNDATION.to_owned() } else { String::new() };
    for (number, step) in (1..).zip(STEPS).filter(|(number, _)| *number > applied.unwrap_or(0)) {
        sql.push_str(&step.replace(POSTGIS, &gis));
        let _ = writeln!(sql, "INSERT INTO onemap.migrations (step) VALUES ({number});");
    }
    let columns: Vec<(String, String)> = query_as(
        "SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
         JOIN pg_namespace ON pg_namespace.oid = relnamespace \
         WHERE nspname = 'onemap' AND attnum > 0 AND NOT attisdropped",
    )
    .fetch_all(&mut *transaction)
    .await?;
    for layer in layers {
        let present: Vec<&str> =
            columns.iter().filter(|(table, _)| *table == layer.id).map(|(_, column)| column.as_str()).collect();
        let missing =
            if present.is_empty() { tables::create(layer, &gis) } else { tables::add_columns(layer, &present) };
        sql.push_str(&missing);
    }
    if !sql.is_empty() {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(MigrationOutcome::Complete { is_new: applied.is_none(), gis })
}

/// The schema of PostGIS, which is created if the role may do so; otherwise the reason why it could not be created.
async fn postgis_schema(connection: &mut PgConnection) -> Result<Result<String, String>, sqlx::Error> {
    const SCHEMA: &str = "SELECT nspname::text FROM pg_extension \
        JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'postgis'";
    if let Some(schema) = query_scalar(SCHEMA).fetch_optional(&mut *connection).await? {
        return Ok(Ok(schema));
    }
    let mut attempt = connection.begin().await?;
    match sqlx::raw_sql("CREATE EXTENSION postgis").execute(&mut *attempt).await {
        Ok(_) => {
            let schema = query_scalar(SCHEMA).fetch_one(&mut *attempt).await?;
            attempt.commit().await?;
            tracing::info!("created the extension postgis in the database");
            Ok(Ok(schema))
        }
        Err(error) => match error.as_database_error().map(|refusal| refusal.message().to_owned()) {
            Some(reason) => {
                attempt.rollback().await?;
                Ok(Err(reason))
            }
            None => Err(error),
        },
    }
}

/// Number of applied steps; `None` for a database without the schema.
async fn applied_steps(connection: &mut PgConnection) -> Result<Option<i32>, sqlx::Error> {
    let present: bool =
        query_scalar("SELECT to_regclass('onemap.migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !present {
        return Ok(None);
    }
    query_scalar("SELECT coalesce(max(step), 0) FROM onemap.migrations").fetch_one(connection).await.map(Some)
}
