//! The audit log in the table `onemap.audit`.

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::PostGis;
use super::follow_connection::answered;
use super::sql::{query, query_as, query_scalar};
use crate::model::AuditEntry;
use crate::store::audit::{AuditHead, AuditPart, AuditRow};
use crate::store::{Store, StoreError};

/// Advisory lock that puts the entries of all servers in one order. It is taken last in a transaction.
const LOCK: i64 = 0x0061_7564_6974;

/// Appends entries within a transaction; a lock keeps them in order until it ends.
pub(super) async fn append(connection: &mut PgConnection, entries: &[AuditEntry]) -> Result<(), sqlx::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    answered(query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *connection)).await?;
    let last = query_as("SELECT number, hash FROM onemap.audit ORDER BY number DESC LIMIT 1");
    let last: Option<(i64, String)> = answered(last.fetch_optional(&mut *connection)).await?;
    let mut head = last.map_or_else(AuditHead::default, |(number, hash)| AuditHead { number, hash });
    let rows: Vec<AuditRow> = entries.iter().map(|entry| head.append(entry)).collect();
    let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
    let ids: Vec<&str> = entries.iter().map(|entry| entry.entry.as_str()).collect();
    let bodies: Vec<&str> = rows.iter().map(|row| row.body.as_str()).collect();
    let hashes: Vec<&str> = rows.iter().map(|row| row.hash.as_str()).collect();
    let sql = "INSERT INTO onemap.audit (number, entry, body, hash) \
               SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[])";
    answered(query(sql).bind(numbers).bind(ids).bind(bodies).bind(hashes).execute(connection)).await.map(drop)
}

impl PostGis {
    pub(super) async fn record_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let mut transaction = answered(connection.begin()).await.map_err(failed)?;
        answered(query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction))
            .await
            .map_err(failed)?;
        let ids: Vec<&str> = entries.iter().map(|entry| entry.entry.as_str()).collect();
        let known = query_scalar("SELECT entry FROM onemap.audit WHERE entry = ANY($1)").bind(ids);
        let known: Vec<String> = answered(known.fetch_all(&mut *transaction)).await.map_err(failed)?;
        let new: Vec<AuditEntry> = entries.iter().filter(|entry| !known.contains(&entry.entry)).cloned().collect();
        append(&mut transaction, &new).await.map_err(failed)?;
        answered(transaction.commit()).await.map_err(|error| StoreError::of_commit(self.location(), error))
    }

    pub(super) async fn remove_audit(&self, through: i64, entry: &AuditEntry) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let mut transaction = answered(connection.begin()).await.map_err(failed)?;
        answered(query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction))
            .await
            .map_err(failed)?;
        let known = query_scalar("SELECT number FROM onemap.audit WHERE number <= $1 LIMIT 1").bind(through);
        let known: Option<i64> = answered(known.fetch_optional(&mut *transaction)).await.map_err(failed)?;
        if known.is_some() {
            // Appended first, because it follows the last entry, which may be removed too.
            append(&mut transaction, std::slice::from_ref(entry)).await.map_err(failed)?;
            let remove = query("DELETE FROM onemap.audit WHERE number <= $1").bind(through);
            answered(remove.execute(&mut *transaction)).await.map_err(failed)?;
        }
        answered(transaction.commit()).await.map_err(|error| StoreError::of_commit(self.location(), error))
    }

    pub(super) async fn read_audit(&self, part: AuditPart, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let (sql, bound) = match part {
            AuditPart::After(number) => {
                ("SELECT number, body, hash FROM onemap.audit WHERE number > $1 ORDER BY number LIMIT $2", number)
            }
            AuditPart::Before(number) => {
                ("SELECT number, body, hash FROM onemap.audit WHERE number < $1 ORDER BY number DESC LIMIT $2", number)
            }
        };
        let rows = query_as(sql).bind(bound).bind(i64::from(limit));
        let rows: Vec<(i64, String, String)> = answered(rows.fetch_all(&mut *connection)).await.map_err(failed)?;
        Ok(rows.into_iter().map(|(number, body, hash)| AuditRow { number, body, hash }).collect())
    }
}
