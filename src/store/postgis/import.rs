//! Imports: the rows of a file are copied to a temporary table and then merged into the layer, in one transaction. What
//! was stored before is kept for undoing.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::sql::{query, query_as, query_scalar};
use super::tables;
use super::{PostGis, audit, copy_in};
use crate::model::import::KEPT_IMPORTS;
use crate::model::{ImportCounts, ImportError, ImportRecord, ImportSource, LayerIndex, LayerSchema, Merge, Unmatched};
use crate::store::imports::{AMBIGUOUS_IN_FILE, AMBIGUOUS_IN_LAYER, MergedColumns};
use crate::store::quoting::{identifier, literal};
use crate::store::{Store, StoreError};

/// Temporary tables: the rows of the file, and what becomes of each feature.
pub(super) const STAGED: &str = "pg_temp.onemap_staged";
pub(super) const MERGED: &str = "pg_temp.onemap_merged";
/// Limits the time that an import waits for writers of the layer.
pub(super) const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '30s'";
/// The last entry of the change log.
pub(super) const LAST_POSITION: &str = "SELECT coalesce(max(position), 0) FROM onemap.changes";
/// Changes from which on an import notes that the whole layer changed, and builds the index of an empty layer afterwards.
const BULK_ROWS: u64 = 50_000;
/// New features that are kept in one row for undoing.
const IDS_PER_ROW: u32 = 10_000;
/// Features that are named in a message.
pub(super) const NAMED_IDS: usize = 10;

impl PostGis {
    pub(super) async fn import_features(
        &self,
        layer: LayerIndex,
        source: &mut dyn ImportSource,
    ) -> Result<Option<ImportCounts>, StoreError> {
        let schema = layer.of(self.schemas()).clone();
        if !self.is_own(layer) {
            return Err(StoreError::ReadOnlyLayer { layer: schema.id });
        }
        let mut connection = self.pool.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.import_on(&mut connection, &schema, source).await;
        if outcome.is_err() {
            // The connection is dropped: its state is unknown.
            drop(connection.detach());
        }
        outcome
    }

    async fn import_on(
        &self,
        connection: &mut PgConnection,
        layer: &LayerSchema,
        source: &mut dyn ImportSource,
    ) -> Result<Option<ImportCounts>, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let (table, all) = (tables::name(layer), tables::columns(layer));
        let mut transaction = connection.begin().await.map_err(failed)?;
        let create = format!(
            "{LOCK_TIMEOUT}; CREATE TEMP TABLE onemap_staged ON COMMIT DROP AS SELECT {all} FROM {table} WITH NO DATA"
        );
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *transaction).await.map_err(failed)?;
        let mut features = std::iter::from_fn(|| source.next_feature());
        copy_in(&mut transaction, STAGED, &all, &mut features).await.map_err(failed)?;
        let Some(merge) = source.merge() else { return Ok(None) };
        // Writers wait until the import is committed, so that what is kept for undoing is what was stored before.
        let lock = if merge.record.is_some() {
            format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE; ANALYZE {STAGED}")
        } else {
            format!("ANALYZE {STAGED}")
        };
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *transaction).await.map_err(failed)?;
        self.take_keys(&mut transaction, layer, &merge).await?;
        let columns = MergedColumns::new(layer, &merge);
        let counts = self.classify(&mut transaction, layer, &merge, &columns).await?;
        let Some(record) = &merge.record else { return Ok(Some(counts)) };
        let last: i64 = query_scalar(LAST_POSITION).fetch_one(&mut *transaction).await.map_err(failed)?;
        if record.is_kept {
            keep_before(&mut transaction, layer, &record.id).await.map_err(failed)?;
        }
        let changes = counts.new + counts.changed + counts.removed;
        if changes > BULK_ROWS {
            sqlx::raw_sql("SET LOCAL onemap.bulk = 'on'").execute(&mut *transaction).await.map_err(failed)?;
        }
        let index = if counts.new > BULK_ROWS { drop_index(&mut transaction, layer).await } else { Ok(None) };
        let index = index.map_err(failed)?;
        write_merged(&mut transaction, layer, &columns).await.map_err(failed)?;
        if let Some(index) = index {
            sqlx::raw_sql(AssertSqlSafe(index)).execute(&mut *transaction).await.map_err(failed)?;
        }
        if changes > BULK_ROWS {
            let note = query("SELECT onemap.note_reset($1, 'an import of many rows')").bind(&layer.id);
            note.execute(&mut *transaction).await.map_err(failed)?;
        }
        self.record_import(&mut transaction, layer, merge.mode.name(), record, (&counts, last + 1)).await?;
        audit::append(&mut transaction, &[counts.noted_in(&record.audit)]).await.map_err(failed)?;
        transaction.commit().await.map_err(|error| StoreError::of_commit(self.location(), error))?;
        Ok(Some(counts))
    }

    /// Finds out what becomes of each feature.
    async fn classify(
        &self,
        connection: &mut PgConnection,
        layer: &LayerSchema,
        merge: &Merge,
        columns: &MergedColumns<'_>,
    ) -> Result<ImportCounts, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let table = tables::name(layer);
        let differs = columns.compared.iter().map(|column| {
            let column = identifier(column);
            format!("stored.{column} IS DISTINCT FROM staged.{column}")
        });
        let differs: Vec<String> = differs.chain(["false".to_owned()]).collect();
        let removed = format!(
            "UNION ALL SELECT stored.id, 'removed' FROM {table} AS stored \
             WHERE NOT EXISTS (SELECT FROM {STAGED} AS staged WHERE staged.id = stored.id) AND {in_scope}",
            in_scope = columns.in_scope
        );
        let merged = format!(
            "CREATE TEMP TABLE onemap_merged ON COMMIT DROP AS \
             SELECT staged.id, CASE WHEN stored.id IS NULL THEN '{unmatched}' \
               WHEN NOT ({in_scope}) THEN 'foreign' WHEN {is_older} THEN 'older' WHEN {} THEN 'changed' ELSE 'unchanged' END AS kind \
             FROM {STAGED} AS staged LEFT JOIN {table} AS stored ON stored.id = staged.id {}; ANALYZE {MERGED}",
            differs.join(" OR "),
            if columns.removes { &removed } else { "" },
            unmatched = columns.unmatched,
            in_scope = columns.in_scope,
            is_older = columns.is_older
        );
        sqlx::raw_sql(AssertSqlSafe(merged)).execute(&mut *connection).await.map_err(failed)?;
        let kinds = format!("SELECT kind, count(*) FROM {MERGED} GROUP BY kind");
        let kinds: Vec<(String, i64)> =
            query_as(AssertSqlSafe(kinds)).fetch_all(&mut *connection).await.map_err(failed)?;
        let counts = MergedColumns::counts(&kinds);
        if let Some(count) = MergedColumns::count_of(&kinds, "foreign") {
            let id = format!("SELECT id FROM {MERGED} WHERE kind = 'foreign' ORDER BY id LIMIT 1");
            let id = query_scalar(AssertSqlSafe(id)).fetch_one(&mut *connection).await.map_err(failed)?;
            return Err(ImportError::OtherSource { count, id }.into());
        }
        if columns.refuses && counts.changed + counts.unchanged > 0 {
            let known = format!("SELECT id FROM {MERGED} WHERE kind IN ('changed', 'unchanged') ORDER BY id LIMIT 1");
            let known: String = query_scalar(AssertSqlSafe(known)).fetch_one(&mut *connection).await.map_err(failed)?;
            return Err(StoreError::duplicate(layer, &known));
        }
        let unmatched = MergedColumns::count_of(&kinds, "unmatched");
        if let Some(count) = unmatched.filter(|_| merge.unmatched == Unmatched::Refuse) {
            let rows = format!(
                "SELECT staged.{}::text FROM {STAGED} AS staged JOIN {MERGED} AS merged USING (id) \
                 WHERE merged.kind = 'unmatched' ORDER BY 1 LIMIT {NAMED_IDS}",
                identifier(&MergedColumns::naming(layer, merge))
            );
            let rows = query_scalar(AssertSqlSafe(rows)).fetch_all(&mut *connection).await.map_err(failed)?;
            return Err(ImportError::NotStored { count, rows }.into());
        }
        Ok(counts)
    }

    /// Writes the record of an import: what it changed, and the first entry of the change log that it wrote.
    async fn record_import(
        &self,
        connection: &mut PgConnection,
        layer: &LayerSchema,
        mode: &str,
        record: &ImportRecord,
        (counts, first): (&ImportCounts, i64),
    ) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        if !record.is_kept {
            return Ok(());
        }
        query(
            "INSERT INTO onemap.imports (id, at, layer, file, actor, mode, counts, first_position, position) \
             VALUES ($1, $2::timestamptz, $3, $4, $5, $6, $7, $8, (SELECT coalesce(max(position), 0) FROM onemap.changes))",
        )
        .bind(&record.id)
        .bind(record.at.to_offset(time::UtcOffset::UTC))
        .bind(&layer.id)
        .bind(&record.file)
        .bind(&record.audit.actor)
        .bind(mode)
        .bind(serde_json::json!(counts).to_string())
        .bind(first)
        .execute(connection)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Gives staged rows the ids of the stored features with the same value of the key.
    async fn take_keys(
        &self,
        connection: &mut PgConnection,
        layer: &LayerSchema,
        merge: &Merge,
    ) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        if let Some(field) = merge.key.and_then(|at| layer.fields.get(at)) {
            let (table, key) = (tables::name(layer), identifier(&field.name));
            for (place, rows, among) in [
                (AMBIGUOUS_IN_FILE, STAGED, format!("{key} IS NOT NULL")),
                (AMBIGUOUS_IN_LAYER, table.as_str(), format!("{key} IN (SELECT {key} FROM {STAGED})")),
            ] {
                let sql =
                    format!("SELECT {key}::text FROM {rows} WHERE {among} GROUP BY {key} HAVING count(*) > 1 LIMIT 1");
                let twice = query_scalar(AssertSqlSafe(sql)).fetch_optional(&mut *connection);
                if let Some(value) = twice.await.map_err(failed)? {
                    return Err(ImportError::AmbiguousKey { place, key: field.name.clone(), value }.into());
                }
            }
            let take = format!(
                "UPDATE {STAGED} AS staged SET id = stored.id FROM {table} AS stored WHERE stored.{key} = staged.{key}"
            );
            query(AssertSqlSafe(take)).execute(&mut *connection).await.map_err(failed)?;
        }
        let same = format!("SELECT id FROM {STAGED} GROUP BY id HAVING count(*) > 1 LIMIT 1");
        let same: Option<String> =
            query_scalar(AssertSqlSafe(same)).fetch_optional(connection).await.map_err(failed)?;
        same.map_or(Ok(()), |id| Err(ImportError::SameFeature { id }.into()))
    }
}

/// Writes what differs.
async fn write_merged(
    connection: &mut PgConnection,
    layer: &LayerSchema,
    columns: &MergedColumns<'_>,
) -> Result<(), sqlx::Error> {
    let (table, all) = (tables::name(layer), tables::columns(layer));
    let update = |column: &&str| {
        let column = identifier(column);
        format!("{column} = staged.{column}")
    };
    let version = columns.version.map(|column| {
        let column = identifier(column);
        format!("{column} = coalesce(stored.{column}, 0) + 1")
    });
    let updates: Vec<String> = columns.written.iter().map(update).chain(version).collect();
    let write = format!(
        "UPDATE {table} AS stored SET {} FROM {STAGED} AS staged JOIN {MERGED} AS merged USING (id) \
           WHERE stored.id = staged.id AND merged.kind = 'changed'; \
         DELETE FROM {table} AS stored USING {MERGED} AS merged \
           WHERE stored.id = merged.id AND merged.kind = 'removed'; \
         INSERT INTO {table} ({all}) SELECT {all} FROM {STAGED} \
           WHERE id IN (SELECT id FROM {MERGED} WHERE kind = 'new')",
        updates.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(write)).execute(connection).await.map(drop)
}

/// Drops the spatial index of an empty layer, if it is ours, because building it afterwards is much faster. Returns the
/// statement that builds it.
async fn drop_index(connection: &mut PgConnection, layer: &LayerSchema) -> Result<Option<String>, sqlx::Error> {
    let table = tables::name(layer);
    let is_used = format!("SELECT EXISTS (SELECT FROM {table})");
    if query_scalar(AssertSqlSafe(is_used)).fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    let found = "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index \
         JOIN pg_class AS own ON own.oid = indexrelid JOIN pg_am ON pg_am.oid = own.relam \
         WHERE indrelid = $1::regclass AND amname = 'gist' AND pg_has_role(own.relowner, 'USAGE') LIMIT 1";
    let found: Option<(String, String)> = query_as(found).bind(&table).fetch_optional(&mut *connection).await?;
    let Some((name, definition)) = found else { return Ok(None) };
    sqlx::raw_sql(AssertSqlSafe(format!("DROP INDEX {name}"))).execute(connection).await?;
    Ok(Some(definition))
}

/// Keeps what is stored of the features that differ, and forgets imports that are too many.
async fn keep_before(connection: &mut PgConnection, layer: &LayerSchema, import: &str) -> Result<(), sqlx::Error> {
    let (table, layer_id, import) = (tables::name(layer), literal(&layer.id), literal(import));
    let keep = format!(
        "DELETE FROM onemap.import_rows WHERE import IN \
           (SELECT id FROM onemap.imports WHERE layer = {layer_id} ORDER BY number DESC OFFSET {}); \
         INSERT INTO onemap.import_rows (import, id, before, geom) \
           SELECT {import}, stored.id, to_jsonb(stored) - 'geom', stored.geom \
           FROM {MERGED} AS merged JOIN {table} AS stored ON stored.id = merged.id \
           WHERE merged.kind IN ('changed', 'removed'); \
         INSERT INTO onemap.import_rows (import, ids) SELECT {import}, array_agg(id) FROM \
           (SELECT id, row_number() OVER () / {IDS_PER_ROW} AS part FROM {MERGED} WHERE kind = 'new') AS new GROUP BY part",
        KEPT_IMPORTS - 1
    );
    sqlx::raw_sql(AssertSqlSafe(keep)).execute(connection).await.map(drop)
}
