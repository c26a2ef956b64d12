//! The imports of a file, and undoing them.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::import::{LAST_POSITION, NAMED_IDS, TABLES};
use super::{GeoPackage, audit, edits, release};
use crate::model::{ImportError, LayerIndex, LayerSchema, PastImport, Undo, Undone, format_instant};
use crate::store::imports::{ImportRow, OF_UNDONE_IMPORTS, past_import};
use crate::store::quoting::{identifier, literal};
use crate::store::{Store, StoreError};

impl GeoPackage {
    pub(super) async fn past_imports(&self, id: Option<&str>, limit: u32) -> Result<Vec<PastImport>, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut connection = self.pool()?.acquire().await.map_err(failed)?;
        let present = "SELECT count(*) FROM sqlite_master WHERE name = 'onemap_imports'";
        let present: i64 = sqlx::query_scalar(present).fetch_one(&mut *connection).await.map_err(failed)?;
        if present == 0 {
            return Ok(Vec::new());
        }
        let sql = "SELECT id, at, layer, file, actor, mode, counts, undone_at FROM onemap_imports \
                   WHERE ?1 IS NULL OR id = ?1 ORDER BY number DESC LIMIT ?2";
        let rows = sqlx::query_as(sql).bind(id).bind(limit);
        let rows: Vec<ImportRow> = rows.fetch_all(&mut *connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(past_import).collect())
    }

    pub(super) async fn undo(&self, undo: &Undo) -> Result<Undone, StoreError> {
        let mut connection = self.pool()?.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.undo_on(&mut connection, undo).await;
        self.written.notify_one();
        release(connection, outcome)
    }

    async fn undo_on(&self, connection: &mut SqliteConnection, undo: &Undo) -> Result<Undone, StoreError> {
        type Found = (String, String, i64, Option<String>);
        let failed = |error: sqlx::Error| self.database(error);
        let id = &undo.id;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::raw_sql(TABLES).execute(&mut *transaction).await.map_err(failed)?;
        let found: Option<Found> =
            sqlx::query_as("SELECT layer, columns, position, undone_at FROM onemap_imports WHERE id = ?")
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
        let Some((layer, columns, position, undone_at)) = found else {
            return Err(ImportError::Unknown { id: id.clone() }.into());
        };
        if let Some(at) = undone_at {
            return Err(ImportError::AlreadyUndone { id: id.clone(), at }.into());
        }
        let layer = LayerIndex::find(self.schemas(), &layer)
            .ok_or_else(|| StoreError::from(ImportError::Unknown { id: id.clone() }))?;
        self.check_writable(layer)?;
        let schema = layer.of(self.schemas());
        let first: Option<i64> = sqlx::query_scalar("SELECT min(position) FROM onemap_changes WHERE position > ?")
            .bind(position)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed)?;
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM onemap_import_rows WHERE import = ?")
            .bind(id)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed)?;
        if first.is_some_and(|first| first > position + 1) || rows == 0 {
            return Err(ImportError::TooOld { id: id.clone() }.into());
        }
        let changed = self.changed_since(&mut transaction, id, schema, position).await?;
        let mut undone = Undone { kept: changed.len() as u64, ..Undone::default() };
        if !changed.is_empty() && !undo.skip_changed {
            let ids = changed.into_iter().take(NAMED_IDS).collect();
            return Err(ImportError::ChangedSince { count: undone.kept, ids }.into());
        }
        edits::drop_spatial_indexes(&mut transaction, self.schemas()).await.map_err(failed)?;
        let last: i64 = sqlx::query_scalar(LAST_POSITION).fetch_one(&mut *transaction).await.map_err(failed)?;
        let columns: Vec<String> = serde_json::from_str(&columns).unwrap_or_default();
        self.restore(&mut transaction, id, schema, &columns, &changed, &mut undone).await?;
        let undone_at = "UPDATE onemap_imports SET undone_at = ?, undo_first_position = ?, \
            undo_position = (SELECT coalesce(max(position), 0) FROM onemap_changes) WHERE id = ?";
        sqlx::query(undone_at)
            .bind(format_instant(undo.at))
            .bind(last + 1)
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("DELETE FROM onemap_import_rows WHERE import = ?")
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        audit::append(&mut transaction, &[undone.noted_in(&undo.audit, &schema.id)]).await.map_err(failed)?;
        transaction.commit().await.map_err(|error| StoreError::of_commit(self.location(), error))?;
        Ok(undone)
    }

    /// Ids of features of an import that changed since.
    async fn changed_since(
        &self,
        connection: &mut SqliteConnection,
        import: &str,
        layer: &LayerSchema,
        position: i64,
    ) -> Result<Vec<String>, StoreError> {
        let changed = format!(
            "SELECT DISTINCT rows.id FROM onemap_import_rows AS rows JOIN onemap_changes AS changes ON changes.id = rows.id \
             WHERE rows.import = ? AND changes.layer = ? AND changes.position > ? AND NOT {} ORDER BY 1",
            OF_UNDONE_IMPORTS.replace("{imports}", "onemap_imports")
        );
        sqlx::query_scalar(AssertSqlSafe(changed))
            .bind(import)
            .bind(&layer.id)
            .bind(position)
            .fetch_all(connection)
            .await
            .map_err(|error| self.database(error))
    }

    /// Writes what was kept of an import.
    async fn restore(
        &self,
        connection: &mut SqliteConnection,
        import: &str,
        layer: &LayerSchema,
        columns: &[String],
        changed: &[String],
        undone: &mut Undone,
    ) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let columns: Vec<String> = columns.iter().map(|column| identifier(column)).collect();
        let table = identifier(&layer.id);
        let rows: Vec<(String, Option<String>)> =
            sqlx::query_as("SELECT id, before FROM onemap_import_rows WHERE import = ?")
                .bind(import)
                .fetch_all(&mut *connection)
                .await
                .map_err(failed)?;
        let columns = columns.join(", ");
        for (row, before) in rows.iter().filter(|(row, _)| changed.binary_search(row).is_err()) {
            let Some(values) = before else {
                undone.removed += 1;
                let delete = sqlx::query(AssertSqlSafe(format!("DELETE FROM {table} WHERE id = ?"))).bind(row);
                delete.execute(&mut *connection).await.map_err(failed)?;
                continue;
            };
            undone.restored += 1;
            let update = format!("UPDATE {table} SET ({columns}) = ({values}) WHERE id = {}", literal(row));
            let updated = sqlx::raw_sql(AssertSqlSafe(update)).execute(&mut *connection).await.map_err(failed)?;
            if updated.rows_affected() == 0 {
                let insert = format!("INSERT INTO {table} ({columns}) VALUES ({values})");
                sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut *connection).await.map_err(failed)?;
            }
        }
        Ok(())
    }
}
