//! The imports of a database, and undoing them.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::import::{LAST_POSITION, LOCK_TIMEOUT, MERGED, NAMED_IDS, STAGED};
use super::sql::{query, query_as, query_scalar};
use super::tables;
use super::{PostGis, audit};
use crate::model::{ImportError, LayerIndex, LayerSchema, PastImport, Undo, Undone};
use crate::store::imports::{ImportRow, OF_UNDONE_IMPORTS, past_import};
use crate::store::quoting::{identifier, literal};
use crate::store::{Store, StoreError};

/// The change log covers at least this time.
const COVERED: &str = "6 days 23 hours";
/// Times as RFC 3339 in UTC.
const UTC: &str = "YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"";

impl PostGis {
    pub(super) async fn past_imports(&self, id: Option<&str>, limit: u32) -> Result<Vec<PastImport>, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let sql = "SELECT id, to_char(at AT TIME ZONE 'UTC', $2), layer, file, actor, mode, counts, \
                   to_char(undone_at AT TIME ZONE 'UTC', $2) FROM onemap.imports \
                   WHERE $3::text IS NULL OR id = $3 ORDER BY number DESC LIMIT $1";
        let rows = query_as(sql).bind(i64::from(limit)).bind(UTC).bind(id);
        let rows: Vec<ImportRow> = rows.fetch_all(&mut *connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(past_import).collect())
    }

    pub(super) async fn undo(&self, undo: &Undo) -> Result<Undone, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.undo_on(&mut connection, undo).await;
        if outcome.is_err() {
            drop(connection.detach());
        }
        outcome
    }

    async fn undo_on(&self, connection: &mut PgConnection, undo: &Undo) -> Result<Undone, StoreError> {
        type Found = (String, i64, Option<String>, bool);
        let failed = |error: sqlx::Error| self.database(error);
        let id = &undo.id;
        let unknown = || StoreError::from(ImportError::Unknown { id: id.clone() });
        let mut transaction = connection.begin().await.map_err(failed)?;
        sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut *transaction).await.map_err(failed)?;
        let found = "SELECT layer, position, to_char(undone_at AT TIME ZONE 'UTC', $2), at < now() - $3::interval \
                     FROM onemap.imports WHERE id = $1 FOR UPDATE";
        let found = query_as(found).bind(id).bind(UTC).bind(COVERED).fetch_optional(&mut *transaction);
        let found: Option<Found> = found.await.map_err(failed)?;
        let (layer, position, undone_at, is_old) = found.ok_or_else(unknown)?;
        if let Some(at) = undone_at {
            return Err(ImportError::AlreadyUndone { id: id.clone(), at }.into());
        }
        let layer = LayerIndex::find(self.schemas(), &layer).filter(|layer| self.is_own(*layer)).ok_or_else(unknown)?;
        let schema = layer.of(self.schemas()).clone();
        let table = tables::name(&schema);
        let lock = format!(
            "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE; \
             CREATE TEMP TABLE onemap_merged ON COMMIT DROP AS SELECT id, before, geom FROM onemap.import_rows \
               WHERE import = {id} AND ids IS NULL \
               UNION ALL SELECT unnest(ids), NULL, NULL FROM onemap.import_rows WHERE import = {id} AND ids IS NOT NULL; \
             CREATE TEMP TABLE onemap_staged ON COMMIT DROP AS SELECT DISTINCT changes.id FROM onemap.changes AS changes \
               JOIN {MERGED} AS merged USING (id) WHERE changes.layer = {} AND changes.position > {position} AND NOT {}; \
             ANALYZE {MERGED}",
            literal(&schema.id),
            OF_UNDONE_IMPORTS.replace("{imports}", "onemap.imports"),
            id = literal(id),
        );
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *transaction).await.map_err(failed)?;
        let rows = format!("SELECT count(*) FROM {MERGED}");
        let rows: i64 = query_scalar(AssertSqlSafe(rows)).fetch_one(&mut *transaction).await.map_err(failed)?;
        // After an import of very many rows, only the layer is known.
        let is_reset = format!(
            "SELECT EXISTS (SELECT FROM onemap.changes AS changes \
             WHERE changes.layer = $1 AND changes.id IS NULL AND changes.position > $2 AND NOT {})",
            OF_UNDONE_IMPORTS.replace("{imports}", "onemap.imports")
        );
        let is_reset = query_scalar(AssertSqlSafe(is_reset)).bind(&schema.id).bind(position);
        let is_reset: bool = is_reset.fetch_one(&mut *transaction).await.map_err(failed)?;
        if is_old || is_reset || rows == 0 {
            return Err(ImportError::TooOld { id: id.clone() }.into());
        }
        let changed = format!("SELECT id FROM {STAGED} ORDER BY id");
        let changed: Vec<String> =
            query_scalar(AssertSqlSafe(changed)).fetch_all(&mut *transaction).await.map_err(failed)?;
        let mut undone = Undone { kept: changed.len() as u64, ..Undone::default() };
        if !changed.is_empty() && !undo.skip_changed {
            let ids = changed.into_iter().take(NAMED_IDS).collect();
            return Err(ImportError::ChangedSince { count: undone.kept, ids }.into());
        }
        let discard = format!("DELETE FROM {MERGED} WHERE id IN (SELECT id FROM {STAGED})");
        query(AssertSqlSafe(discard)).execute(&mut *transaction).await.map_err(failed)?;
        let last: i64 = query_scalar(LAST_POSITION).fetch_one(&mut *transaction).await.map_err(failed)?;
        restore(&mut transaction, &schema, &mut undone).await.map_err(failed)?;
        let undone_at = query(
            "UPDATE onemap.imports SET undone_at = $2::timestamptz, undo_first_position = $3, \
             undo_position = (SELECT coalesce(max(position), 0) FROM onemap.changes) WHERE id = $1",
        );
        let undone_at = undone_at.bind(id).bind(undo.at.to_offset(time::UtcOffset::UTC)).bind(last + 1);
        undone_at.execute(&mut *transaction).await.map_err(failed)?;
        query("DELETE FROM onemap.import_rows WHERE import = $1")
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        audit::append(&mut transaction, &[undone.noted_in(&undo.audit, &schema.id)]).await.map_err(failed)?;
        transaction.commit().await.map_err(|error| StoreError::of_commit(self.location(), error))?;
        Ok(undone)
    }
}

/// Writes what was kept of an import.
async fn restore(connection: &mut PgConnection, layer: &LayerSchema, undone: &mut Undone) -> Result<(), sqlx::Error> {
    let (table, all) = (tables::name(layer), tables::columns(layer));
    let fields: Vec<String> = layer.fields.iter().map(|field| identifier(&field.name)).collect();
    let restored: Vec<String> = fields.iter().map(|field| format!("{field} = (of_before).{field}")).collect();
    let values: Vec<String> = fields.iter().map(|field| format!("(of_before).{field}")).collect();
    let kept = format!(
        "(SELECT merged.id, merged.geom, jsonb_populate_record(NULL::{table}, before) AS of_before \
          FROM {MERGED} AS merged WHERE before IS NOT NULL) AS kept"
    );
    let update = format!(
        "UPDATE {table} AS stored SET geom = kept.geom, {} FROM {kept} WHERE stored.id = kept.id",
        restored.join(", ")
    );
    let insert = format!(
        "INSERT INTO {table} ({all}) SELECT kept.id, kept.geom, {} FROM {kept} \
         WHERE NOT EXISTS (SELECT FROM {table} AS stored WHERE stored.id = kept.id)",
        values.join(", ")
    );
    let delete = format!("DELETE FROM {table} WHERE id IN (SELECT id FROM {MERGED} WHERE before IS NULL)");
    let mut counts = [0; 3];
    for (sql, count) in [update, insert, delete].into_iter().zip(&mut counts) {
        let done = query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        *count = done.rows_affected();
    }
    undone.restored = counts[0] + counts[1];
    undone.removed = counts[2];
    Ok(())
}
