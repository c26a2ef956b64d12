//! Reads layers and their changes within one transaction. A layer that cannot be read is omitted and marked
//! unavailable; all others are read.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, SqlitePool};

use super::rows::read_feature;
use super::{GeoPackage, select, tables};
use crate::model::{Feature, FeatureId, LayerIndex};
use crate::store::layer_state::{LayerState, ReadOutcome};
use crate::store::read_warnings::ReadWarnings;
use crate::store::{Change, Changes, LayerContents, LogPosition, Sink, reason};

/// Rows that were inserted without an id have none until the trigger assigns one.
const ALL_ROWS: &str = "WHERE id IS NOT NULL ORDER BY fid";

/// What changed after a position. Another program may store any bytes as an id: its row is left out, the others are read.
const TOUCHED: &str = "SELECT DISTINCT layer, CAST(id AS BLOB) FROM onemap_changes WHERE position > ? ORDER BY 1, 2";

impl GeoPackage {
    /// Reads rows of a layer that meet a condition, which may name an id as `?`.
    async fn read_rows(
        &self,
        transaction: &mut SqliteConnection,
        at: LayerIndex,
        condition: &str,
        id: Option<&FeatureId>,
        warnings: &mut ReadWarnings<'_>,
        take: &mut (dyn FnMut(Feature) + Send),
    ) -> Result<(), sqlx::Error> {
        let (layer, transform) = (at.of(&self.schemas), self.transform(at));
        let mut query = sqlx::query(AssertSqlSafe(select(layer, condition)));
        if let Some(id) = id {
            query = query.bind(id.as_str());
        }
        let mut rows = query.fetch(transaction);
        while let Some(row) = rows.try_next().await? {
            if let Some(feature) = read_feature(&row, layer, &transform, warnings) {
                take(feature);
            }
        }
        Ok(())
    }

    pub(super) async fn read_layers(&self, pool: SqlitePool, sink: Sink<'_>) -> Result<LogPosition, sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let position = log_end(&mut transaction).await?;
        self.structure.lock().await.check(&mut transaction, &self.schemas).await?;
        let mut outcomes = Vec::with_capacity(self.schemas.len());
        for (at, layer) in LayerIndex::each(&self.schemas) {
            let mut warnings = ReadWarnings::new(layer);
            let mut count = 0_usize;
            let mut take = |feature| {
                count += 1;
                sink(at, feature);
            };
            outcomes.push(match self.read_rows(&mut transaction, at, ALL_ROWS, None, &mut warnings, &mut take).await {
                Ok(()) => (at, ReadOutcome::All(warnings)),
                Err(error) if is_of_layer(&error) && count == 0 => (at, ReadOutcome::Failed(reason(&error))),
                Err(error) => return Err(error),
            });
        }
        transaction.commit().await?;
        self.record(outcomes);
        Ok(position)
    }

    /// Checks whether tables or triggers changed; if so, missing triggers are created and the layer is read again.
    async fn check_tables(&self, pool: &SqlitePool) -> Result<(), sqlx::Error> {
        let mut structure = self.structure.lock().await;
        let mut connection = pool.acquire().await?;
        for at in structure.check(&mut connection, &self.schemas).await? {
            let layer = at.of(&self.schemas);
            tracing::info!(layer = layer.id, "the table or its triggers changed; the layer is read again");
            at.of(&self.states).outdate();
            if structure.has(at)
                && let Err(error) =
                    sqlx::raw_sql(AssertSqlSafe(tables::triggers(layer))).execute(&mut *connection).await
            {
                tracing::warn!(layer = layer.id, %error, "its triggers could not be added; trying again");
                structure.forget(at);
            }
        }
        Ok(())
    }

    pub(super) async fn read_changes(&self, pool: SqlitePool, position: &LogPosition) -> Result<Changes, sqlx::Error> {
        self.check_tables(&pool).await?;
        let mut connection = pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let end = log_end(&mut transaction).await?;
        let first: Option<i64> =
            sqlx::query_scalar("SELECT min(position) FROM onemap_changes").fetch_one(&mut *transaction).await?;
        let is_cut = end.newest > position.newest && first.is_none_or(|first| first > position.newest + 1);
        if end.newest < position.newest
            || is_cut
            || entry_at(&mut transaction, position.newest).await? != position.entry
        {
            return Ok(Changes::Lost);
        }
        let touched: Vec<(String, Vec<u8>)> =
            sqlx::query_as(TOUCHED).bind(position.newest).fetch_all(&mut *transaction).await?;
        let mut changes = Vec::with_capacity(touched.len());
        let (mut reloaded, mut outcomes) = (Vec::new(), Vec::new());
        for (at, layer) in LayerIndex::each(&self.schemas) {
            let state = at.of(&self.states);
            if state.needs_reload() {
                let (mut warnings, mut features) = (ReadWarnings::new(layer), Vec::new());
                let mut take = |feature| features.push(feature);
                match self.read_rows(&mut transaction, at, ALL_ROWS, None, &mut warnings, &mut take).await {
                    Ok(()) => {
                        outcomes.push((at, ReadOutcome::All(warnings)));
                        reloaded.push(LayerContents { layer: at, features });
                    }
                    Err(error) if is_of_layer(&error) => outcomes.push((at, ReadOutcome::Failed(reason(&error)))),
                    Err(error) => return Err(error),
                }
                continue;
            }
            if state.is_unavailable() {
                continue;
            }
            let ids = touched.iter().filter(|(name, _)| *name == layer.id);
            let usable = |id: &[u8]| std::str::from_utf8(id).ok().and_then(|id| FeatureId::new(id).ok());
            let ids: Vec<FeatureId> = ids.filter_map(|(_, id)| usable(id)).collect();
            outcomes.push((at, self.read_touched(&mut transaction, at, ids, &mut changes).await?));
        }
        transaction.commit().await?;
        self.record(outcomes);
        self.states.iter().for_each(LayerState::confirm);
        Ok(Changes::Since { position: end, changes, reloaded })
    }

    /// Reads the rows of a layer that are in the change log.
    async fn read_touched(
        &self,
        transaction: &mut SqliteConnection,
        at: LayerIndex,
        ids: Vec<FeatureId>,
        changes: &mut Vec<Change>,
    ) -> Result<ReadOutcome<'_>, sqlx::Error> {
        let mut warnings = ReadWarnings::new(at.of(&self.schemas));
        let mut found = Vec::with_capacity(ids.len());
        for id in &ids {
            let mut now = None;
            let mut take = |feature| now = Some(feature);
            match self.read_rows(transaction, at, "WHERE id = ?", Some(id), &mut warnings, &mut take).await {
                Ok(()) => found.push(Change { layer: at, id: id.clone(), now }),
                Err(error) if is_of_layer(&error) => return Ok(ReadOutcome::Failed(reason(&error))),
                Err(error) => return Err(error),
            }
        }
        changes.extend(found);
        Ok(ReadOutcome::Rows(ids, warnings))
    }

    fn record(&self, outcomes: Vec<(LayerIndex, ReadOutcome<'_>)>) {
        for (at, outcome) in outcomes {
            at.of(&self.states).record(&at.of(&self.schemas).id, outcome);
        }
    }
}

async fn log_end(connection: &mut SqliteConnection) -> Result<LogPosition, sqlx::Error> {
    // The sequence outlives trimmed rows.
    let newest: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'onemap_changes'")
        .fetch_optional(&mut *connection)
        .await?;
    let newest = newest.unwrap_or(0);
    let entry = entry_at(connection, newest).await?;
    // The file belongs to one server.
    Ok(LogPosition {
        newest,
        seen: None,
        also_seen: Vec::new(),
        history: None,
        entry,
        covered: None,
        is_logged: true,
        is_complete: true,
    })
}

/// The content of the log at a position: another entry with the same number means that a backup was restored.
async fn entry_at(connection: &mut SqliteConnection, position: i64) -> Result<Option<String>, sqlx::Error> {
    const SQL: &str = "SELECT changed_at || '/' || layer || '/' || hex(id) FROM onemap_changes WHERE position = ?";
    sqlx::query_scalar(SQL).bind(position).fetch_optional(connection).await
}

/// Whether an error is about one table: it or a column is missing (1), or its pages are damaged (11).
fn is_of_layer(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| matches!(code & 0xff, 1 | 11))
}
