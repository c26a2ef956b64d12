//! Imports: the rows of a file are staged in a temporary table, without a lock on the file, and then merged into the layer
//! in one transaction. What was stored before is kept for undoing.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::rows::{all_columns, insert};
use super::{GeoPackage, ROWS_PER_STATEMENT, audit, edits, release};
use crate::model::import::KEPT_IMPORTS;
use crate::model::{
    Feature, ImportCounts, ImportError, ImportRecord, ImportSource, LayerIndex, LayerSchema, Merge, Unmatched,
    format_instant,
};
use crate::store::imports::{AMBIGUOUS_IN_FILE, AMBIGUOUS_IN_LAYER, MergedColumns};
use crate::store::quoting::{identifier, literal};
use crate::store::{Store, StoreError};

/// Created at first use; private to this program and not registered as content of the package. `before` has the stored
/// values as SQL literals, in the order of `columns` of the import.
pub(super) const TABLES: &str = "\
    CREATE TABLE IF NOT EXISTS onemap_imports (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, \
      at TEXT NOT NULL, layer TEXT NOT NULL, file TEXT NOT NULL, actor TEXT NOT NULL, mode TEXT NOT NULL, \
      counts TEXT NOT NULL, columns TEXT NOT NULL, first_position INTEGER NOT NULL, position INTEGER NOT NULL, \
      undone_at TEXT, undo_first_position INTEGER, undo_position INTEGER); \
    CREATE TABLE IF NOT EXISTS onemap_import_rows (import TEXT NOT NULL, id TEXT NOT NULL, before TEXT, \
      PRIMARY KEY (import, id)) WITHOUT ROWID;";
/// Temporary tables: the rows of the file, and what becomes of each feature.
const STAGED: &str = "temp.onemap_staged";
const MERGED: &str = "temp.onemap_merged";
/// The last entry of the change log.
pub(super) const LAST_POSITION: &str = "SELECT coalesce(max(position), 0) FROM onemap_changes";
/// Features that are named in a message.
pub(super) const NAMED_IDS: usize = 10;

impl GeoPackage {
    pub(super) async fn import_features(
        &self,
        layer: LayerIndex,
        source: &mut dyn ImportSource,
    ) -> Result<Option<ImportCounts>, StoreError> {
        self.check_writable(layer)?;
        let schema = layer.of(self.schemas());
        let mut connection = self.pool()?.acquire().await.map_err(|error| self.database(error))?;
        let outcome = self.import_on(&mut connection, schema, source).await;
        let drop = format!("DROP TABLE IF EXISTS {STAGED}; DROP TABLE IF EXISTS {MERGED}");
        if sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *connection).await.is_err() {
            connection.close_on_drop();
            return outcome;
        }
        self.written.notify_one();
        release(connection, outcome)
    }

    async fn import_on(
        &self,
        connection: &mut SqliteConnection,
        layer: &LayerSchema,
        source: &mut dyn ImportSource,
    ) -> Result<Option<ImportCounts>, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        self.stage(connection, layer, &mut std::iter::from_fn(|| source.next_feature())).await.map_err(failed)?;
        let Some(merge) = source.merge() else { return Ok(None) };
        let begin = if merge.record.is_some() { "BEGIN IMMEDIATE" } else { "BEGIN" };
        let mut transaction = connection.begin_with(begin).await.map_err(failed)?;
        self.take_keys(&mut transaction, layer, &merge).await?;
        let columns = MergedColumns::new(layer, &merge);
        let counts = self.classify(&mut transaction, layer, &merge, &columns).await?;
        let Some(record) = &merge.record else { return Ok(Some(counts)) };
        edits::drop_spatial_indexes(&mut transaction, self.schemas()).await.map_err(failed)?;
        sqlx::raw_sql(TABLES).execute(&mut *transaction).await.map_err(failed)?;
        let last: i64 = sqlx::query_scalar(LAST_POSITION).fetch_one(&mut *transaction).await.map_err(failed)?;
        let kept = if record.is_kept {
            keep_before(&mut transaction, layer, &record.id).await.map_err(failed)?
        } else {
            Vec::new()
        };
        write_merged(&mut transaction, layer, &columns).await.map_err(failed)?;
        let entries = Entries { counts: &counts, kept: &kept, first: last + 1 };
        self.record_import(&mut transaction, layer, merge.mode.name(), record, entries).await?;
        audit::append(&mut transaction, &[counts.noted_in(&record.audit)]).await.map_err(failed)?;
        sqlx::query(
            "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE table_name = ?",
        )
        .bind(&layer.id)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(|error| StoreError::of_commit(self.location(), error))?;
        Ok(Some(counts))
    }

    /// Finds out what becomes of each feature.
    async fn classify(
        &self,
        connection: &mut SqliteConnection,
        layer: &LayerSchema,
        merge: &Merge,
        columns: &MergedColumns<'_>,
    ) -> Result<ImportCounts, StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        let differs = columns.compared.iter().map(|column| {
            let column = identifier(column);
            format!("stored.{column} IS NOT staged.{column}")
        });
        let differs: Vec<String> = differs.chain(["0".to_owned()]).collect();
        let table = identifier(&layer.id);
        let removed = "UNION ALL SELECT stored.id, 'removed' FROM {table} AS stored \
             WHERE NOT EXISTS (SELECT 1 FROM {STAGED} AS staged WHERE staged.id = stored.id) AND {in_scope}"
            .replace("{table}", &table)
            .replace("{STAGED}", STAGED)
            .replace("{in_scope}", &columns.in_scope);
        let merged = format!(
            "DROP TABLE IF EXISTS {MERGED}; \
             CREATE TEMP TABLE onemap_merged (id TEXT PRIMARY KEY, kind TEXT) WITHOUT ROWID; \
             INSERT INTO {MERGED} SELECT staged.id, CASE WHEN stored.rowid IS NULL THEN '{unmatched}' \
               WHEN NOT ({in_scope}) THEN 'foreign' WHEN {is_older} THEN 'older' \
               WHEN {} THEN 'changed' ELSE 'unchanged' END \
             FROM {STAGED} AS staged LEFT JOIN {table} AS stored ON stored.id = staged.id {}",
            differs.join(" OR "),
            if columns.removes { &removed } else { "" },
            unmatched = columns.unmatched,
            in_scope = columns.in_scope,
            is_older = columns.is_older
        );
        sqlx::raw_sql(AssertSqlSafe(merged)).execute(&mut *connection).await.map_err(failed)?;
        let kinds = format!("SELECT kind, count(*) FROM {MERGED} GROUP BY kind");
        let kinds: Vec<(String, i64)> =
            sqlx::query_as(AssertSqlSafe(kinds)).fetch_all(&mut *connection).await.map_err(failed)?;
        let counts = MergedColumns::counts(&kinds);
        if let Some(count) = MergedColumns::count_of(&kinds, "foreign") {
            let id = format!("SELECT id FROM {MERGED} WHERE kind = 'foreign' ORDER BY id LIMIT 1");
            let id = sqlx::query_scalar(AssertSqlSafe(id)).fetch_one(&mut *connection).await.map_err(failed)?;
            return Err(ImportError::OtherSource { count, id }.into());
        }
        if columns.refuses && counts.changed + counts.unchanged > 0 {
            let known = format!("SELECT id FROM {MERGED} WHERE kind IN ('changed', 'unchanged') ORDER BY id LIMIT 1");
            let known: String =
                sqlx::query_scalar(AssertSqlSafe(known)).fetch_one(&mut *connection).await.map_err(failed)?;
            return Err(StoreError::duplicate(layer, &known));
        }
        let unmatched = MergedColumns::count_of(&kinds, "unmatched");
        if let Some(count) = unmatched.filter(|_| merge.unmatched == Unmatched::Refuse) {
            let rows = format!(
                "SELECT CAST(staged.{} AS TEXT) FROM {STAGED} AS staged JOIN {MERGED} AS merged USING (id) \
                 WHERE merged.kind = 'unmatched' ORDER BY 1 LIMIT {NAMED_IDS}",
                identifier(&MergedColumns::naming(layer, merge))
            );
            let rows = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut *connection).await.map_err(failed)?;
            return Err(ImportError::NotStored { count, rows }.into());
        }
        Ok(counts)
    }

    /// Writes the record of an import.
    async fn record_import(
        &self,
        connection: &mut SqliteConnection,
        layer: &LayerSchema,
        mode: &str,
        record: &ImportRecord,
        Entries { counts, kept, first }: Entries<'_>,
    ) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| self.database(error);
        if !record.is_kept {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO onemap_imports (id, at, layer, file, actor, mode, counts, columns, first_position, position) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(position), 0) FROM onemap_changes))",
        )
        .bind(&record.id)
        .bind(format_instant(record.at))
        .bind(&layer.id)
        .bind(&record.file)
        .bind(&record.audit.actor)
        .bind(mode)
        .bind(serde_json::json!(counts).to_string())
        .bind(serde_json::json!(kept).to_string())
        .bind(first)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Writes the rows to a temporary table; the file is not locked.
    async fn stage(
        &self,
        connection: &mut SqliteConnection,
        layer: &LayerSchema,
        features: &mut (dyn Iterator<Item = Feature> + Send),
    ) -> Result<(), sqlx::Error> {
        let columns: Vec<String> = layer.fields.iter().map(|field| identifier(&field.name)).collect();
        // Columns have no type, so that values are compared as they were bound.
        let create = format!(
            "DROP TABLE IF EXISTS {STAGED}; CREATE TEMP TABLE onemap_staged (geom, id TEXT PRIMARY KEY NOT NULL, {})",
            columns.join(", ")
        );
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *connection).await?;
        let mut transaction = connection.begin().await?;
        loop {
            let batch: Vec<Feature> = features.take(ROWS_PER_STATEMENT).collect();
            if batch.is_empty() {
                break;
            }
            insert(&mut transaction, STAGED, layer, &batch, all_columns(layer)).await?;
        }
        transaction.commit().await
    }

    /// Gives staged rows the ids of the stored features with the same value of the key.
    async fn take_keys(
        &self,
        connection: &mut SqliteConnection,
        layer: &LayerSchema,
        merge: &Merge,
    ) -> Result<(), StoreError> {
        let Some(field) = merge.key.and_then(|at| layer.fields.get(at)) else { return Ok(()) };
        let failed = |error: sqlx::Error| self.database(error);
        let (table, key) = (identifier(&layer.id), identifier(&field.name));
        for (place, rows, among) in [
            (AMBIGUOUS_IN_FILE, STAGED.to_owned(), format!("{key} IS NOT NULL")),
            (AMBIGUOUS_IN_LAYER, table.clone(), format!("{key} IN (SELECT {key} FROM {STAGED})")),
        ] {
            let sql = format!(
                "SELECT CAST({key} AS TEXT) FROM {rows} WHERE {among} GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
            );
            let twice: Option<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_optional(&mut *connection).await.map_err(failed)?;
            if let Some(value) = twice {
                return Err(ImportError::AmbiguousKey { place, key: field.name.clone(), value }.into());
            }
        }
        let known = format!(
            "SELECT stored.id FROM {STAGED} AS staged JOIN {table} AS stored USING ({key}) \
             WHERE staged.id <> stored.id AND stored.id IN (SELECT id FROM {STAGED}) LIMIT 1"
        );
        let same: Option<String> =
            sqlx::query_scalar(AssertSqlSafe(known)).fetch_optional(&mut *connection).await.map_err(failed)?;
        if let Some(id) = same {
            return Err(ImportError::SameFeature { id }.into());
        }
        let take = format!(
            "UPDATE {STAGED} AS staged SET id = stored.id FROM {table} AS stored WHERE stored.{key} = staged.{key}"
        );
        sqlx::raw_sql(AssertSqlSafe(take)).execute(connection).await.map_err(failed).map(drop)
    }
}

/// What the record of an import is about.
struct Entries<'a> {
    counts: &'a ImportCounts,
    /// The columns that are kept for undoing.
    kept: &'a [String],
    /// The first entry of the change log that the import wrote.
    first: i64,
}

/// Writes what differs.
async fn write_merged(
    connection: &mut SqliteConnection,
    layer: &LayerSchema,
    columns: &MergedColumns<'_>,
) -> Result<(), sqlx::Error> {
    let table = identifier(&layer.id);
    let updates: Vec<String> = columns
        .written
        .iter()
        .map(|column| identifier(column))
        .map(|column| format!("{column} = staged.{column}"))
        .chain(columns.version.map(|column| {
            let column = identifier(column);
            format!("{column} = coalesce(stored.{column}, 0) + 1")
        }))
        .collect();
    let all: Vec<String> =
        std::iter::once("id".to_owned()).chain(all_columns(layer).map(identifier)).collect::<Vec<_>>();
    let all = all.join(", ");
    let write = format!(
        "UPDATE {table} AS stored SET {} FROM {STAGED} AS staged JOIN {MERGED} AS merged USING (id) \
           WHERE stored.id = staged.id AND merged.kind = 'changed'; \
         DELETE FROM {table} WHERE id IN (SELECT id FROM {MERGED} WHERE kind = 'removed'); \
         INSERT INTO {table} ({all}) SELECT {all} FROM {STAGED} \
           WHERE id IN (SELECT id FROM {MERGED} WHERE kind = 'new')",
        updates.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(write)).execute(connection).await.map(drop)
}

/// Keeps what is stored of the features that are about to change, and forgets imports that are too many. Returns the
/// columns that are kept.
async fn keep_before(
    connection: &mut SqliteConnection,
    layer: &LayerSchema,
    import: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?) WHERE pk = 0 ORDER BY cid")
        .bind(&layer.id)
        .fetch_all(&mut *connection)
        .await?;
    let quoted: Vec<String> = columns.iter().map(|column| format!("quote(stored.{})", identifier(column))).collect();
    let sql = format!(
        "DELETE FROM onemap_import_rows WHERE import IN \
           (SELECT id FROM onemap_imports WHERE layer = {} ORDER BY number DESC LIMIT -1 OFFSET {}); \
         INSERT INTO onemap_import_rows (import, id, before) \
           SELECT {}, merged.id, CASE WHEN stored.rowid IS NOT NULL THEN {} END \
           FROM {MERGED} AS merged LEFT JOIN {} AS stored ON stored.id = merged.id WHERE merged.kind IN ('new', 'changed', 'removed')",
        literal(&layer.id),
        KEPT_IMPORTS - 1,
        literal(import),
        quoted.join(" || ', ' || "),
        identifier(&layer.id)
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(columns)
}
