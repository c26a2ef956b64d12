//! The audit log in the table `onemap_audit`, created at first use and private to this program.

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::{GeoPackage, release};
use crate::model::AuditEntry;
use crate::store::audit::{AuditHead, AuditPart, AuditRow};
use crate::store::{Store, StoreError};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS onemap_audit (number INTEGER PRIMARY KEY NOT NULL, \
    entry TEXT NOT NULL UNIQUE, body TEXT NOT NULL, hash TEXT NOT NULL)";

/// Appends entries within a write transaction.
pub(super) async fn append(connection: &mut SqliteConnection, entries: &[AuditEntry]) -> Result<(), sqlx::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    sqlx::raw_sql(TABLE).execute(&mut *connection).await?;
    let last = sqlx::query_as("SELECT number, hash FROM onemap_audit ORDER BY number DESC LIMIT 1");
    let last: Option<(i64, String)> = last.fetch_optional(&mut *connection).await?;
    let mut head = last.map_or_else(AuditHead::default, |(number, hash)| AuditHead { number, hash });
    for entry in entries {
        let AuditRow { number, body, hash } = head.append(entry);
        let insert = sqlx::query("INSERT INTO onemap_audit (number, entry, body, hash) VALUES (?, ?, ?, ?)");
        insert.bind(number).bind(&entry.entry).bind(body).bind(hash).execute(&mut *connection).await?;
    }
    Ok(())
}

impl GeoPackage {
    pub(super) async fn record_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let mut connection = self.pool()?.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.record_on(&mut connection, entries).await;
        release(connection, outcome)
    }

    async fn record_on(&self, connection: &mut SqliteConnection, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::raw_sql(TABLE).execute(&mut *transaction).await.map_err(failed)?;
        let mut new = Vec::new();
        for entry in entries {
            let known = sqlx::query_scalar("SELECT 1 FROM onemap_audit WHERE entry = ?").bind(&entry.entry);
            let known: Option<i64> = known.fetch_optional(&mut *transaction).await.map_err(failed)?;
            if known.is_none() {
                new.push(entry.clone());
            }
        }
        append(&mut transaction, &new).await.map_err(failed)?;
        transaction.commit().await.map_err(|error| StoreError::of_commit(self.location(), error))
    }

    pub(super) async fn remove_audit(&self, through: i64, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut connection = self.pool()?.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.remove_on(&mut connection, through, entry).await;
        release(connection, outcome)
    }

    async fn remove_on(
        &self,
        connection: &mut SqliteConnection,
        through: i64,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let known = sqlx::query_scalar("SELECT 1 FROM onemap_audit WHERE number <= ? LIMIT 1").bind(through);
        let known: Option<i64> = known.fetch_optional(&mut *transaction).await.map_err(failed)?;
        if known.is_some() {
            // Appended first, because it follows the last entry, which may be removed too.
            append(&mut transaction, std::slice::from_ref(entry)).await.map_err(failed)?;
            let remove = sqlx::query("DELETE FROM onemap_audit WHERE number <= ?").bind(through);
            remove.execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(|error| StoreError::of_commit(self.location(), error))
    }

    pub(super) async fn read_audit(&self, part: AuditPart, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut connection = self.pool()?.acquire().await.map_err(failed)?;
        let table = sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE name = 'onemap_audit'");
        let table: Option<i64> = table.fetch_optional(&mut *connection).await.map_err(failed)?;
        if table.is_none() {
            return Ok(Vec::new());
        }
        let (sql, bound) = match part {
            AuditPart::After(number) => {
                ("SELECT number, body, hash FROM onemap_audit WHERE number > $1 ORDER BY number LIMIT $2", number)
            }
            AuditPart::Before(number) => {
                ("SELECT number, body, hash FROM onemap_audit WHERE number < $1 ORDER BY number DESC LIMIT $2", number)
            }
        };
        let rows = sqlx::query_as(sql).bind(bound).bind(limit).fetch_all(&mut *connection).await;
        let rows: Vec<(i64, String, String)> = rows.map_err(failed)?;
        Ok(rows.into_iter().map(|(number, body, hash)| AuditRow { number, body, hash }).collect())
    }
}
