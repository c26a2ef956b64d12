//! Edits in one exclusive write transaction.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::audit;
use super::rows::{all_columns, insert, read_feature};
use super::{GeoPackage, ROWS_PER_STATEMENT, release, select};
use crate::model::{Applied, Batch, FeatureId, LayerIndex, LayerSchema};
use crate::store::edits::{Plan, Stored, ids_by_layer, plan, read_outcomes, write_outcomes};
use crate::store::quoting::identifier;
use crate::store::read_warnings::ReadWarnings;
use crate::store::{Store, StoreError};

/// Created at first use; private to this program and not registered as content of the package.
const IDEMPOTENCY_KEYS: &str = "CREATE TABLE IF NOT EXISTS onemap_idempotency_keys (key TEXT PRIMARY KEY NOT NULL, digest TEXT NOT NULL, \
    outcomes TEXT NOT NULL, created_at DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))";

/// Moves the keys of the table of early versions. The table with the present name exists too if an early version wrote a file
/// after a later one.
pub(super) fn move_earlier_idempotency_keys() -> String {
    format!(
        "{IDEMPOTENCY_KEYS}; INSERT OR IGNORE INTO onemap_idempotency_keys (key, digest, outcomes, created_at) \
         SELECT key, digest, outcomes, done_at FROM onemap_done; DROP TABLE onemap_done;"
    )
}

impl GeoPackage {
    pub(super) async fn apply_batch(&self, batch: &Batch) -> Result<Applied, StoreError> {
        for edit in &batch.edits {
            self.check_writable(edit.layer)?;
        }
        let mut connection = self.pool()?.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.apply_on(&mut connection, batch).await;
        release(connection, outcome)
    }

    async fn apply_on(&self, connection: &mut SqliteConnection, batch: &Batch) -> Result<Applied, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        if let Some(applied) = self.earlier_outcome(&mut transaction, batch).await? {
            return Ok(applied);
        }
        drop_spatial_indexes(&mut transaction, self.schemas()).await.map_err(failed)?;
        let mut stored = Stored::new();
        for (layer, ids) in ids_by_layer(batch) {
            let ids: Vec<&FeatureId> = ids.into_iter().collect();
            for ids in ids.chunks(ROWS_PER_STATEMENT) {
                self.read_stored(&mut transaction, layer, ids, &mut stored).await.map_err(failed)?;
            }
        }
        let plan = plan(self.schemas(), batch, &stored)?;
        self.write(&mut transaction, &plan).await.map_err(failed)?;
        audit::append(&mut transaction, &plan.audit).await.map_err(failed)?;
        if let Some(idempotency_key) = &batch.idempotency_key {
            let sql = "INSERT INTO onemap_idempotency_keys (key, digest, outcomes) VALUES (?, ?, ?)";
            let outcomes = write_outcomes(self.schemas(), &plan.outcomes);
            let insert = sqlx::query(sql).bind(&idempotency_key.key).bind(&idempotency_key.digest).bind(outcomes);
            insert.execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(|error| StoreError::of_commit(self.location(), error))?;
        self.written.notify_one();
        Ok(Applied { outcomes: plan.outcomes, is_repeated: false })
    }

    async fn earlier_outcome(
        &self,
        connection: &mut SqliteConnection,
        batch: &Batch,
    ) -> Result<Option<Applied>, StoreError> {
        let Some(idempotency_key) = &batch.idempotency_key else { return Ok(None) };
        let failed = |error: sqlx::Error| self.database(error);
        sqlx::raw_sql(IDEMPOTENCY_KEYS).execute(&mut *connection).await.map_err(failed)?;
        let forget =
            "DELETE FROM onemap_idempotency_keys WHERE created_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-24 hours')";
        sqlx::raw_sql(forget).execute(&mut *connection).await.map_err(failed)?;
        let found: Option<(String, String)> =
            sqlx::query_as("SELECT digest, outcomes FROM onemap_idempotency_keys WHERE key = ?")
                .bind(&idempotency_key.key)
                .fetch_optional(connection)
                .await
                .map_err(failed)?;
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

    async fn read_stored(
        &self,
        connection: &mut SqliteConnection,
        layer: LayerIndex,
        ids: &[&FeatureId],
        stored: &mut Stored,
    ) -> Result<(), sqlx::Error> {
        let schema = layer.of(self.schemas());
        let sql = select(schema, &format!("WHERE id IN ({})", vec!["?"; ids.len()].join(",")));
        let query = ids.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, id| query.bind(id.as_str()));
        // The follower logs unreadable values.
        let mut warnings = ReadWarnings::new(schema);
        for row in query.fetch_all(connection).await? {
            if let Some(feature) = read_feature(&row, schema, &None, &mut warnings) {
                stored.insert((layer, feature.id.clone()), feature);
            }
        }
        Ok(())
    }

    async fn write(&self, connection: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
        for (&layer, features) in &plan.new {
            let schema = layer.of(self.schemas());
            for features in features.chunks(ROWS_PER_STATEMENT) {
                insert(connection, &identifier(&schema.id), schema, features, all_columns(schema)).await?;
            }
        }
        for ((layer, written), features) in &plan.changed {
            let schema = layer.of(self.schemas());
            for features in features.chunks(ROWS_PER_STATEMENT) {
                insert(connection, &identifier(&schema.id), schema, features, written.columns(schema)).await?;
            }
        }
        for (&layer, ids) in &plan.gone {
            let sql = format!("DELETE FROM {} WHERE id = ?", identifier(&layer.of(self.schemas()).id));
            for id in ids {
                sqlx::query(AssertSqlSafe(sql.clone())).bind(id.as_str()).execute(&mut *connection).await?;
            }
        }
        Ok(())
    }
}

/// Removes the spatial indexes of the layers from a file: their triggers call functions that plain SQLite lacks, so
/// that every write by this program would fail. A package is valid without them, and a GIS program can create them
/// again.
pub(super) async fn drop_spatial_indexes(
    connection: &mut SqliteConnection,
    schemas: &[LayerSchema],
) -> Result<(), sqlx::Error> {
    const EXTENSION: &str = "gpkg_rtree_index";
    const PRESENT: &str = "SELECT 1 FROM sqlite_master WHERE name = 'gpkg_extensions'";
    let present: Option<i64> = sqlx::query_scalar(PRESENT).fetch_optional(&mut *connection).await?;
    if present.is_none() {
        return Ok(());
    }
    let indexed: Vec<(String, String)> =
        sqlx::query_as("SELECT table_name, column_name FROM gpkg_extensions WHERE extension_name = ?")
            .bind(EXTENSION)
            .fetch_all(&mut *connection)
            .await?;
    for (table, column) in indexed.iter().filter(|(table, _)| schemas.iter().any(|schema| schema.id == *table)) {
        let index = format!("rtree_{table}_{column}");
        let triggers: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? AND name LIKE ? || '\\_%' ESCAPE '\\'",
        )
        .bind(table)
        .bind(&index)
        .fetch_all(&mut *connection)
        .await?;
        let drop = |name: &String| format!("DROP TRIGGER {};", identifier(name));
        let drops: String = triggers.iter().map(drop).collect();
        let sql = format!("{drops}DROP TABLE IF EXISTS {};", identifier(&index));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        sqlx::query("DELETE FROM gpkg_extensions WHERE extension_name = ? AND table_name = ?")
            .bind(EXTENSION)
            .bind(table)
            .execute(&mut *connection)
            .await?;
        tracing::info!(
            layer = table,
            "its spatial index was removed from the file, because its triggers prevent writes by programs without spatial functions"
        );
    }
    Ok(())
}
