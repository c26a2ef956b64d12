//! Edits in one transaction: rows are locked, read and written together.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::audit;
use super::follow_connection::{ANY_BYTES, answered, within};
use super::reading::read_rows;
use super::sql::{query, query_as};
use super::{PostGis, copy_in, merge_in, tables};
use crate::model::{Applied, Batch, EditError, Feature, FeatureId, LayerIndex};
use crate::store::edits::{Plan, Stored, ids_by_layer, plan, read_outcomes, write_outcomes};
use crate::store::quoting::identifier;
use crate::store::read_warnings::ReadWarnings;
use crate::store::{Store, StoreError};

/// Limits the time of a write for locks and statements, but not of COMMIT, which waits for a standby as long as the
/// standby is absent.
const BOUNDS: &str = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '20s'";
/// How long a writer waits for COMMIT.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Why the outcome of a request is unknown whose key another request holds.
const UNFINISHED: &str = "an earlier request with the same key has not ended";
/// SQLSTATE of a lock that was waited for in vain.
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl PostGis {
    pub(super) async fn apply_batch(&self, batch: &Batch) -> Result<Applied, StoreError> {
        if let Some(foreign) = batch.edits.iter().find(|edit| !self.is_own(edit.layer)) {
            return Err(StoreError::ReadOnlyLayer { layer: foreign.layer.of(self.schemas()).id.clone() });
        }
        let mut connection = self.pool.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.apply_on(&mut connection, batch).await;
        if outcome.is_err() {
            // The connection is dropped: its state is unknown.
            drop(connection.detach());
        }
        outcome
    }

    async fn apply_on(&self, connection: &mut PgConnection, batch: &Batch) -> Result<Applied, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut transaction = answered(connection.begin()).await.map_err(failed)?;
        answered(sqlx::raw_sql(BOUNDS).execute(&mut *transaction)).await.map_err(failed)?;
        answered(sqlx::raw_sql(ANY_BYTES).execute(&mut *transaction)).await.map_err(failed)?;
        if let Some(applied) = self.earlier_outcome(&mut transaction, batch).await? {
            return Ok(applied);
        }
        let mut stored = Stored::new();
        for (layer, ids) in ids_by_layer(batch) {
            let source = layer.of(self.sources());
            let condition = format!("WHERE {} = ANY($1) ORDER BY 1 FOR UPDATE", source.key);
            let ids: Vec<&str> = ids.into_iter().map(FeatureId::as_str).collect();
            // The follower logs unreadable values.
            let mut warnings = ReadWarnings::new(&source.schema);
            let mut take = |feature: Feature| {
                stored.insert((layer, feature.id.clone()), feature);
            };
            let read = read_rows(&mut transaction, source, &condition, &ids, &mut warnings, &mut take);
            read.await.map_err(failed)?;
        }
        let plan = plan(self.schemas(), batch, &stored)?;
        self.write(&mut transaction, &plan).await.map_err(|error| match super::clashing_id(&error) {
            // Another transaction inserted it between the read and the write.
            Some(id) => {
                let index = batch.edits.iter().position(|edit| edit.id == id).unwrap_or(0);
                StoreError::Edit { index, reason: EditError::Duplicate }
            }
            None => failed(error),
        })?;
        if let Some(idempotency_key) = &batch.idempotency_key {
            let sql = "INSERT INTO onemap.idempotency_keys (key, digest, outcomes) VALUES ($1, $2, $3)";
            let outcomes = write_outcomes(self.schemas(), &plan.outcomes);
            let insert = query(sql).bind(&idempotency_key.key).bind(&idempotency_key.digest).bind(outcomes);
            answered(insert.execute(&mut *transaction)).await.map_err(failed)?;
        }
        audit::append(&mut transaction, &plan.audit).await.map_err(failed)?;
        let commit = within(COMMIT_TIMEOUT, transaction.commit());
        commit.await.map_err(|error| StoreError::of_commit(self.location(), error))?;
        Ok(Applied { outcomes: plan.outcomes, is_repeated: false })
    }

    /// The outcome of an earlier batch with the same key; requests with the same key are serialized.
    async fn earlier_outcome(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
    ) -> Result<Option<Applied>, StoreError> {
        let Some(idempotency_key) = &batch.idempotency_key else { return Ok(None) };
        let failed = |error: sqlx::Error| self.database(error);
        let lock = query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(&idempotency_key.key);
        answered(lock.execute(&mut *connection)).await.map_err(|error| {
            if super::has_code(&error, LOCK_NOT_AVAILABLE) {
                StoreError::of_commit(self.location(), sqlx::Error::Io(std::io::Error::other(UNFINISHED)))
            } else {
                failed(error)
            }
        })?;
        let forget = query("DELETE FROM onemap.idempotency_keys WHERE created_at < now() - interval '24 hours'");
        answered(forget.execute(&mut *connection)).await.map_err(failed)?;
        let found =
            query_as("SELECT digest, outcomes FROM onemap.idempotency_keys WHERE key = $1").bind(&idempotency_key.key);
        let found: Option<(String, String)> = answered(found.fetch_optional(connection)).await.map_err(failed)?;
        match found {
            None => Ok(None),
            Some((digest, _)) if digest != idempotency_key.digest => {
                Err(StoreError::KeyReused { key: idempotency_key.key.clone() })
            }
            Some((_, outcomes)) => {
                Ok(Some(Applied { outcomes: read_outcomes(self.schemas(), &outcomes), is_repeated: true }))
            }
        }
    }

    async fn write(&self, connection: &mut PgConnection, plan: &Plan) -> Result<(), sqlx::Error> {
        let names = |layer: LayerIndex| {
            let schema = layer.of(self.schemas());
            (tables::name(schema), tables::columns(schema))
        };
        for (&layer, features) in &plan.new {
            let (table, columns) = names(layer);
            answered(copy_in(connection, &table, &columns, &mut features.iter().cloned())).await?;
        }
        for ((layer, written), features) in &plan.changed {
            let (table, columns) = names(*layer);
            let written: Vec<String> = written.columns(layer.of(self.schemas())).map(identifier).collect();
            answered(merge_in(connection, &table, &columns, &written, &mut features.iter().cloned())).await?;
            answered(sqlx::raw_sql("DROP TABLE pg_temp.incoming").execute(&mut *connection)).await?;
        }
        for (&layer, ids) in &plan.gone {
            let ids: Vec<&str> = ids.iter().map(FeatureId::as_str).collect();
            let sql = format!("DELETE FROM {} WHERE id = ANY($1)", names(layer).0);
            answered(query(AssertSqlSafe(sql)).bind(ids).execute(&mut *connection)).await?;
        }
        Ok(())
    }
}
