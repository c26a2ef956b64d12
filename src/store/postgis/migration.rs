//! Brings a database to what this program needs: numbered steps, each applied once, then the tables of the layers.
//!
//! Everything happens in one transaction under a lock, so two servers that start together do not meet. A database
//! that lacks nothing is not written to, so a role that may only read can serve it.

use std::fmt::Write;

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Connection};

use super::tables;
use crate::model::LayerSchema;

/// Keeps two servers from making the tables at the same time.
const LOCK: i64 = 0x6f6e_656d_6170;
/// The steps, in order; one that was released is never changed.
const STEPS: [&str; 3] = [
    include_str!("migrations/0001_change_log.sql"),
    include_str!("migrations/0002_foreign_tables.sql"),
    include_str!("migrations/0003_done.sql"),
];

const FOUNDATION: &str = "\
CREATE SCHEMA IF NOT EXISTS onemap;
COMMENT ON SCHEMA onemap IS '应急管理一张图 One map for emergency management';
CREATE TABLE onemap.migrations (step integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp());
";

/// What was found and done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MigrationOutcome {
    /// There was nothing before.
    Made,
    /// It was there, and is complete now.
    Present,
    /// The database has no PostGIS.
    NoPostGis,
    /// A newer program made it: this many steps.
    Newer(i32),
}

/// Applies what is missing.
pub(super) async fn run(pool: &PgPool, layers: &[LayerSchema]) -> Result<MigrationOutcome, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    let postgis: Option<String> = sqlx::query_scalar("SELECT extversion FROM pg_extension WHERE extname = 'postgis'")
        .fetch_optional(&mut *transaction)
        .await?;
    if postgis.is_none() {
        return Ok(MigrationOutcome::NoPostGis);
    }
    let applied = applied_steps(&mut transaction).await?;
    let known = i32::try_from(STEPS.len()).unwrap_or(i32::MAX);
    if let Some(steps) = applied.filter(|&steps| steps > known) {
        return Ok(MigrationOutcome::Newer(steps));
    }
    let mut sql = if applied.is_none() { FOUNDATION.to_owned() } else { String::new() };
    for (number, step) in (1..).zip(STEPS).filter(|(number, _)| *number > applied.unwrap_or(0)) {
        sql.push_str(step);
        let _ = writeln!(sql, "INSERT INTO onemap.migrations (step) VALUES ({number});");
    }
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'onemap'",
    )
    .fetch_all(&mut *transaction)
    .await?;
    for layer in layers {
        let present: Vec<&str> =
            columns.iter().filter(|(table, _)| *table == layer.id).map(|(_, column)| column.as_str()).collect();
        sql.push_str(&if present.is_empty() { tables::create(layer) } else { tables::add_columns(layer, &present) });
    }
    if !sql.is_empty() {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(if applied.is_none() { MigrationOutcome::Made } else { MigrationOutcome::Present })
}

/// How many steps the database has; `None` when it has never seen this program.
async fn applied_steps(connection: &mut PgConnection) -> Result<Option<i32>, sqlx::Error> {
    let present: bool =
        sqlx::query_scalar("SELECT to_regclass('onemap.migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !present {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT coalesce(max(step), 0) FROM onemap.migrations").fetch_one(connection).await.map(Some)
}
