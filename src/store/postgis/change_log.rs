//! Reads the end of the change log and what came after a position, and removes old entries.
//!
//! Transaction numbers are unique within one history of one database: after a failover, the restore of a backup or a
//! crash, the same numbers denote other transactions. A crash resets the statistics of the server: a transaction that was
//! rolled back before it leaves no trace on disk, so its number is given again. In another history a position holds only
//! if the entries that it covers are exactly those that were read.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, PgPool};

use super::WITHOUT_STANDBY;
use super::follow_connection::answered;
use super::sql::{query, query_as, query_scalar};
use crate::model::stable_hash;
use crate::store::LogPosition;
use crate::store::log_position::CoveredEntries;

/// The content of an entry.
const ENTRY: &str = "concat_ws('/', position, transaction, extract(epoch FROM changed_at), layer, id)";
/// An entry that was not visible at a position: `$1` and `$2` are its `seen` and `also_seen`.
const IS_NEW: &str = "transaction >= pg_snapshot_xmin($1::pg_snapshot) \
    AND NOT pg_visible_in_snapshot(transaction, $1::pg_snapshot) AND position <> ALL($2)";

/// Whether the log continues a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuation {
    /// It does.
    Follows,
    /// The position is too old, or the log is another one: the database was replaced or restored from a backup.
    Lost,
}

/// The entries after a position.
pub(super) struct NewEntries {
    /// Layers and ids that changed; without an id, all of the layer may have changed.
    pub(super) touched: Vec<(String, Option<String>)>,
    count: i64,
    digest: u64,
}

impl NewEntries {
    pub(super) async fn since(connection: &mut PgConnection, position: &LogPosition) -> Result<Self, sqlx::Error> {
        let sql = format!(
            "SELECT layer, id, count(*), sum(hashtextextended({ENTRY}, 0))::text FROM onemap.changes \
             WHERE {IS_NEW} GROUP BY layer, id ORDER BY layer, id"
        );
        let rows = query_as(AssertSqlSafe(sql)).bind(&position.seen).bind(&position.also_seen);
        let rows: Vec<(String, Option<String>, i64, String)> = rows.fetch_all(connection).await?;
        let count = rows.iter().map(|(_, _, count, _)| count).sum();
        let digest = rows.iter().fold(0_u64, |digest, (_, _, _, sum)| digest.wrapping_add(wrapped(sum)));
        let touched = rows.into_iter().map(|(layer, id, ..)| (layer, id)).collect();
        Ok(Self { touched, count, digest })
    }

    /// The end of the log, which covers what the position covers and these entries.
    pub(super) fn extend(&self, position: &LogPosition, end: LogPosition) -> LogPosition {
        let covered = position.covered.map(|before| CoveredEntries {
            count: before.count + self.count,
            digest: before.digest.wrapping_add(self.digest),
            ..before
        });
        LogPosition { covered, is_logged: position.is_logged, ..end }
    }
}

/// The end of the log, without the entries that it covers.
pub(super) async fn log_end(connection: &mut PgConnection) -> Result<LogPosition, sqlx::Error> {
    const SQL: &str = "\
        SELECT coalesce(max(position), 0), pg_current_snapshot()::text, concat_ws('/', \
          (SELECT system_identifier FROM pg_control_system()), \
          (SELECT oid FROM pg_database WHERE datname = current_database()), \
          CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END, \
          (SELECT extract(epoch FROM stats_reset) FROM pg_stat_bgwriter)), pg_is_in_recovery() \
        FROM onemap.changes";
    let (newest, seen, history, is_standby): (i64, String, String, bool) =
        query_as(SQL).fetch_one(&mut *connection).await?;
    let (seen, also_seen) = if is_standby { seen_on_standby(connection, &seen).await? } else { (seen, Vec::new()) };
    let entry = entry_at(connection, newest).await?;
    Ok(LogPosition {
        newest,
        seen: Some(seen),
        also_seen,
        history: Some(history),
        entry,
        covered: None,
        is_logged: true,
        is_complete: true,
    })
}

/// What is visible on a standby, where `pg_current_snapshot` does not list the transactions in progress: those below the
/// oldest of them, and the entries of later ones.
async fn seen_on_standby(connection: &mut PgConnection, snapshot: &str) -> Result<(String, Vec<i64>), sqlx::Error> {
    const SQL: &str = "SELECT position FROM onemap.changes WHERE transaction >= pg_snapshot_xmin($1::pg_snapshot)";
    let oldest = snapshot.split(':').next().unwrap_or_default();
    let seen = format!("{oldest}:{oldest}:");
    let also_seen = query_scalar(SQL).bind(&seen).fetch_all(connection).await?;
    Ok((seen, also_seen))
}

/// An end of the log with all entries that it covers, including those that were removed.
pub(super) async fn whole_log(connection: &mut PgConnection, end: LogPosition) -> Result<LogPosition, sqlx::Error> {
    let (count, digest) = totals(connection, "true", &end).await?;
    let log = log_identity(connection).await?;
    Ok(LogPosition { covered: Some(CoveredEntries { log, count, digest }), ..end })
}

/// Number and digest of the entries that meet a condition, and of those that were removed.
async fn totals(
    connection: &mut PgConnection,
    condition: &str,
    position: &LogPosition,
) -> Result<(i64, u64), sqlx::Error> {
    let sql = format!(
        "SELECT count(*) + coalesce((SELECT entries FROM onemap.trimmed), 0), \
           (coalesce(sum(hashtextextended({ENTRY}, 0)), 0) + coalesce((SELECT digest FROM onemap.trimmed), 0))::text \
         FROM onemap.changes WHERE ({condition}) AND $1::text IS NOT NULL AND $2::bigint[] IS NOT NULL"
    );
    let found = query_as(AssertSqlSafe(sql)).bind(&position.seen).bind(&position.also_seen);
    let (count, sum): (i64, String) = found.fetch_one(connection).await?;
    Ok((count, wrapped(&sum)))
}

/// Identifies the log: the database, and when its schema was created.
async fn log_identity(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    const SQL: &str = "\
        SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()), \
          (SELECT oid FROM pg_database WHERE datname = current_database()), \
          (SELECT extract(epoch FROM applied_at) FROM onemap.migrations WHERE step = 1))";
    let identity: String = query_scalar(SQL).fetch_one(connection).await?;
    Ok(stable_hash(&identity))
}

/// A sum of hashes, modulo 2⁶⁴.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the sum is taken modulo 2⁶⁴")]
fn wrapped(sum: &str) -> u64 {
    sum.parse::<i128>().unwrap_or_default() as u64
}

/// Whether the log, which ends at `end`, continues a position.
pub(super) async fn continuation(
    connection: &mut PgConnection,
    position: &LogPosition,
    end: &LogPosition,
) -> Result<Continuation, sqlx::Error> {
    let Some((before, covered)) = position.seen.as_ref().zip(position.covered) else { return Ok(Continuation::Lost) };
    let is_same_history = end.history == position.history;
    if is_same_history {
        let is_known = end.newest >= position.newest
            && entry_at(connection, position.newest).await? == position.entry
            && !is_cut(connection, before).await?;
        return Ok(if is_known { Continuation::Follows } else { Continuation::Lost });
    }
    if log_identity(connection).await? != covered.log || is_cut(connection, before).await? {
        return Ok(Continuation::Lost);
    }
    let (count, digest) = totals(connection, &format!("NOT ({IS_NEW})"), position).await?;
    if (count, digest) == (covered.count, covered.digest) {
        tracing::info!("another database server continues the change log");
        return Ok(Continuation::Follows);
    }
    let is_behind = count < covered.count && is_standby(connection).await?;
    if is_behind {
        // Reading it would put the map back to an earlier state.
        return Err(sqlx::Error::Io(std::io::Error::other(
            "this standby has not yet replayed the changes that were read from another server",
        )));
    }
    Ok(Continuation::Lost)
}

async fn is_standby(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    query_scalar("SELECT pg_is_in_recovery()").fetch_one(connection).await
}

/// The content of the log at a position: another entry with the same number means that a backup was restored.
async fn entry_at(connection: &mut PgConnection, position: i64) -> Result<Option<String>, sqlx::Error> {
    let sql = format!("SELECT {ENTRY} FROM onemap.changes WHERE position = $1");
    query_scalar(AssertSqlSafe(sql)).bind(position).fetch_optional(connection).await
}

/// Whether entries that a reader at this snapshot has not seen were removed.
async fn is_cut(connection: &mut PgConnection, before: &str) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT up_to >= pg_snapshot_xmin($1::pg_snapshot) FROM onemap.trimmed";
    let is_cut: Option<bool> = query_scalar(SQL).bind(before).fetch_optional(connection).await?;
    Ok(is_cut == Some(true))
}

/// Deletes entries of the log that no reader needs: old ones that every later read has passed. The newest entry stays,
/// because it identifies the log.
pub(super) async fn trim(pool: &PgPool) {
    let sql = format!(
        "WITH gone AS (DELETE FROM onemap.changes WHERE changed_at < now() - interval '7 days' \
           AND position < (SELECT max(position) FROM onemap.changes) \
           AND transaction < pg_snapshot_xmin(pg_current_snapshot()) \
           RETURNING transaction, hashtextextended({ENTRY}, 0) AS hash), \
         total AS (SELECT count(*) AS entries, sum(hash) AS digest FROM gone) \
         INSERT INTO onemap.trimmed (up_to, entries, digest) \
         SELECT transaction, entries, digest FROM gone, total ORDER BY transaction DESC LIMIT 1 \
         ON CONFLICT (only_row) DO UPDATE SET up_to = greatest(trimmed.up_to, excluded.up_to), \
           entries = trimmed.entries + excluded.entries, digest = trimmed.digest + excluded.digest"
    );
    let trimmed = async {
        let mut transaction = answered(pool.begin()).await?;
        answered(sqlx::raw_sql(WITHOUT_STANDBY).execute(&mut *transaction)).await?;
        answered(query(AssertSqlSafe(sql)).execute(&mut *transaction)).await?;
        answered(transaction.commit()).await
    };
    if let Err(error) = trimmed.await {
        tracing::debug!(%error, "the change log was not trimmed");
    }
}
