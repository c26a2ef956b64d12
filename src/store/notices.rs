//! Subscriptions of other services, what they have seen, and their notices: a private SQLite file beside the store.
//!
//! They are not in the store: they change with every change of it, hold secrets of webhooks, and must be kept and delivered
//! while the store is unreachable or read-only.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{FromRow, Row as _, SqlitePool};

use super::StoreError;
use crate::private_file;

/// Notices that are kept for streams to resume, and how long.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;
const KEPT_NOTICES: i64 = 10_000;
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS subscriptions (id TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, document TEXT NOT NULL,
    created_ms INTEGER NOT NULL, last_sequence INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS seen (subscription TEXT NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    layer TEXT NOT NULL, feature TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (subscription, layer, feature))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notices (subscription TEXT NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    sequence INTEGER NOT NULL, content TEXT NOT NULL, at_ms INTEGER NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due_ms INTEGER NOT NULL DEFAULT 0, reason TEXT,
    PRIMARY KEY (subscription, sequence)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS notices_by_state ON notices (state, due_ms);";

/// A stored subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSubscription {
    /// Its id.
    pub id: String,
    /// Id of the account that created it; empty for the token of the machine.
    pub owner: String,
    /// What it watches and where notices go, as JSON.
    pub document: String,
    /// When it was created, milliseconds since 1970.
    pub created_ms: i64,
    /// Sequence number of its last notice; 0 without one.
    pub last_sequence: i64,
}

/// A stored notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredNotice {
    /// Id of the subscription.
    pub subscription: String,
    /// Its number within the subscription, from 1.
    pub sequence: i64,
    /// What happened, as JSON.
    pub content: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// How often its delivery was tried.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub reason: Option<String>,
}

impl FromRow<'_, SqliteRow> for StoredSubscription {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            owner: row.try_get("owner")?,
            document: row.try_get("document")?,
            created_ms: row.try_get("created_ms")?,
            last_sequence: row.try_get("last_sequence")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for StoredNotice {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            subscription: row.try_get("subscription")?,
            sequence: row.try_get("sequence")?,
            content: row.try_get("content")?,
            at_ms: row.try_get("at_ms")?,
            attempts: row.try_get("attempts")?,
            reason: row.try_get("reason")?,
        })
    }
}

/// A feature that a subscription has seen: layer, id, and its state as JSON; `None` if it is no longer in the area.
pub type SeenRow = (String, String, Option<String>);

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The receiver has the notice.
    Delivered,
    /// It is tried again.
    Again {
        /// When, milliseconds since 1970.
        due_ms: i64,
        /// Why it failed.
        reason: String,
    },
    /// It is not tried again by itself.
    GivenUp {
        /// Why it failed.
        reason: String,
    },
}

/// Counts of notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticeCounts {
    /// Subscriptions.
    pub subscriptions: i64,
    /// Notices that wait for a webhook.
    pub undelivered: i64,
    /// Notices that were given up.
    pub dead: i64,
    /// Time of the oldest notice that waits, milliseconds since 1970.
    pub oldest_ms: Option<i64>,
}

/// The file.
#[derive(Clone, Debug)]
pub struct NoticeFile {
    path: PathBuf,
    pool: SqlitePool,
}

impl NoticeFile {
    /// Opens or creates the file, which only its owner may read.
    ///
    /// # Errors
    /// When it cannot be created, or is no such file.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let created = private_file::open(path, File::options().create(true).truncate(false).read(true).write(true));
        created.map_err(|source| StoreError::File { path: path.display().to_string(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let failed = |error| StoreError::Database { location: path.display().to_string(), error };
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await.map_err(failed)?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await.map_err(failed)?;
        Ok(Self { path: path.to_owned(), pool })
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::Database { location: self.path.display().to_string(), error }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All subscriptions, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn subscriptions(&self) -> Result<Vec<StoredSubscription>, StoreError> {
        let all = sqlx::query_as("SELECT * FROM subscriptions ORDER BY created_ms, id");
        all.fetch_all(&self.pool).await.map_err(|error| self.failed(error))
    }

    /// The ids of all subscriptions.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn ids(&self) -> Result<Vec<String>, StoreError> {
        let all = sqlx::query_scalar("SELECT id FROM subscriptions ORDER BY id");
        all.fetch_all(&self.pool).await.map_err(|error| self.failed(error))
    }

    /// A subscription.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn subscription(&self, id: &str) -> Result<Option<StoredSubscription>, StoreError> {
        let one = sqlx::query_as("SELECT * FROM subscriptions WHERE id = ?").bind(id);
        one.fetch_optional(&self.pool).await.map_err(|error| self.failed(error))
    }

    /// Adds a subscription with what it has seen, unless its owner, or all together, have `limits` already; returns
    /// whether it was added.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn add(
        &self,
        new: &StoredSubscription,
        seen: &[SeenRow],
        limits: (i64, i64),
    ) -> Result<bool, StoreError> {
        let failed = |error| self.failed(error);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let counts = "SELECT count(*) FILTER (WHERE owner = ?), count(*) FROM subscriptions";
        let (own, all): (i64, i64) =
            sqlx::query_as(counts).bind(&new.owner).fetch_one(&mut *transaction).await.map_err(failed)?;
        if own >= limits.0 || all >= limits.1 {
            return Ok(false);
        }
        let insert = "INSERT INTO subscriptions (id, owner, document, created_ms) VALUES (?, ?, ?, ?)";
        let insert = sqlx::query(insert).bind(&new.id).bind(&new.owner).bind(&new.document).bind(new.created_ms);
        insert.execute(&mut *transaction).await.map_err(failed)?;
        remember(&mut transaction, &new.id, seen).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(true)
    }

    /// Removes a subscription with its notices.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn remove(&self, id: &str) -> Result<(), StoreError> {
        let remove = sqlx::query("DELETE FROM subscriptions WHERE id = ?").bind(id);
        remove.execute(&self.pool).await.map(drop).map_err(|error| self.failed(error))
    }

    /// What a subscription has seen: layer, id and state.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn seen(&self, id: &str) -> Result<Vec<(String, String, String)>, StoreError> {
        let seen = sqlx::query_as("SELECT layer, feature, state FROM seen WHERE subscription = ?").bind(id);
        seen.fetch_all(&self.pool).await.map_err(|error| self.failed(error))
    }

    /// Stores what a subscription has seen, together with the notices of it, which wait for a webhook if there is one.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing is stored.
    pub async fn advance(
        &self,
        id: &str,
        seen: &[SeenRow],
        notices: &[String],
        (at_ms, has_webhook): (i64, bool),
    ) -> Result<(), StoreError> {
        let failed = |error| self.failed(error);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let last = sqlx::query_scalar("SELECT last_sequence FROM subscriptions WHERE id = ?").bind(id);
        let last: Option<i64> = last.fetch_optional(&mut *transaction).await.map_err(failed)?;
        // It was deleted meanwhile.
        let Some(mut sequence) = last else { return Ok(()) };
        remember(&mut transaction, id, seen).await.map_err(failed)?;
        let state = if has_webhook { "due" } else { "told" };
        for content in notices {
            sequence += 1;
            let insert = "INSERT INTO notices (subscription, sequence, content, at_ms, state) VALUES (?, ?, ?, ?, ?)";
            let insert = sqlx::query(insert).bind(id).bind(sequence).bind(content).bind(at_ms).bind(state);
            insert.execute(&mut *transaction).await.map_err(failed)?;
        }
        let update = sqlx::query("UPDATE subscriptions SET last_sequence = ? WHERE id = ?").bind(sequence).bind(id);
        update.execute(&mut *transaction).await.map_err(failed)?;
        let forget = "DELETE FROM notices WHERE subscription = ? AND state = 'told' AND (at_ms < ? OR sequence <= ?)";
        let forget = sqlx::query(forget).bind(id).bind(at_ms - KEPT_MS).bind(sequence - KEPT_NOTICES);
        forget.execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// The notices of a subscription after a number, ascending.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn after(&self, id: &str, sequence: i64, limit: i64) -> Result<Vec<StoredNotice>, StoreError> {
        let sql = "SELECT subscription, sequence, content, at_ms, attempts, reason FROM notices \
                   WHERE subscription = ? AND sequence > ? ORDER BY sequence LIMIT ?";
        let after = sqlx::query_as(sql).bind(id).bind(sequence).bind(limit);
        after.fetch_all(&self.pool).await.map_err(|error| self.failed(error))
    }

    /// For each subscription the notice that is due first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn due(&self, now_ms: i64) -> Result<Vec<StoredNotice>, StoreError> {
        let sql = "SELECT subscription, min(sequence) AS sequence, content, at_ms, attempts, reason FROM notices \
                   WHERE state = 'due' AND due_ms <= ? GROUP BY subscription";
        sqlx::query_as(sql).bind(now_ms).fetch_all(&self.pool).await.map_err(|error| self.failed(error))
    }

    /// Records the outcome of an attempt.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn settle(&self, notice: &StoredNotice, attempt: &Attempt) -> Result<(), StoreError> {
        let (state, due_ms, reason) = match attempt {
            Attempt::Delivered => ("told", 0, None),
            Attempt::Again { due_ms, reason } => ("due", *due_ms, Some(reason)),
            Attempt::GivenUp { reason } => ("dead", 0, Some(reason)),
        };
        let sql = "UPDATE notices SET state = ?, due_ms = ?, reason = ?, attempts = attempts + 1 \
                   WHERE subscription = ? AND sequence = ?";
        let update = sqlx::query(sql).bind(state).bind(due_ms).bind(reason);
        let update = update.bind(&notice.subscription).bind(notice.sequence);
        update.execute(&self.pool).await.map(drop).map_err(|error| self.failed(error))
    }

    /// Notices of a subscription that were given up, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn dead(&self, id: &str, limit: i64) -> Result<Vec<StoredNotice>, StoreError> {
        let sql = "SELECT subscription, sequence, content, at_ms, attempts, reason FROM notices \
                   WHERE subscription = ? AND state = 'dead' ORDER BY sequence LIMIT ?";
        let dead = sqlx::query_as(sql).bind(id).bind(limit);
        dead.fetch_all(&self.pool).await.map_err(|error| self.failed(error))
    }

    /// Lets all notices of a subscription that were given up be delivered again, as if they had just happened; returns
    /// their number.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn resend(&self, id: &str, now_ms: i64) -> Result<u64, StoreError> {
        let sql = "UPDATE notices SET state = 'due', due_ms = ?, attempts = 0, at_ms = ?, reason = NULL \
                   WHERE subscription = ? AND state = 'dead'";
        let update = sqlx::query(sql).bind(now_ms).bind(now_ms).bind(id);
        let done = update.execute(&self.pool).await.map_err(|error| self.failed(error))?;
        Ok(done.rows_affected())
    }

    /// Counts of all notices.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn counts(&self) -> Result<NoticeCounts, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM subscriptions), \
                   (SELECT count(*) FROM notices WHERE state = 'due'), \
                   (SELECT count(*) FROM notices WHERE state = 'dead'), \
                   (SELECT min(at_ms) FROM notices WHERE state = 'due')";
        let counts: (i64, i64, i64, Option<i64>) =
            sqlx::query_as(sql).fetch_one(&self.pool).await.map_err(|error| self.failed(error))?;
        let (subscriptions, undelivered, dead, oldest_ms) = counts;
        Ok(NoticeCounts { subscriptions, undelivered, dead, oldest_ms })
    }
}

async fn remember(
    connection: &mut sqlx::SqliteConnection,
    subscription: &str,
    seen: &[SeenRow],
) -> Result<(), sqlx::Error> {
    for (layer, feature, state) in seen {
        if let Some(state) = state {
            let sql = "INSERT OR REPLACE INTO seen (subscription, layer, feature, state) VALUES (?, ?, ?, ?)";
            let insert = sqlx::query(sql).bind(subscription).bind(layer).bind(feature).bind(state);
            insert.execute(&mut *connection).await?;
        } else {
            let sql = "DELETE FROM seen WHERE subscription = ? AND layer = ? AND feature = ?";
            sqlx::query(sql).bind(subscription).bind(layer).bind(feature).execute(&mut *connection).await?;
        }
    }
    Ok(())
}
