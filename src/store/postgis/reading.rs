//! Reads layers and their changes within one transaction. A layer that cannot be read is omitted and marked
//! unavailable; all others are read.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::change_log::{Continuation, NewEntries, continuation, log_end, whole_log};
use super::decode::read_feature;
use super::follow_connection::answered;
use super::source::{Fingerprints, Source, Watch, fingerprint};
use super::sql::query;
use super::{PostGis, triggers};
use crate::model::{Feature, FeatureId, LayerIndex};
use crate::store::layer_state::ReadOutcome;
use crate::store::read_warnings::ReadWarnings;
use crate::store::{Change, LayerContents, LogPosition, Sink, reason};

/// How long the rows of a table or view that is compared may be read, seconds: less than the wait for a lost connection.
const READING_S: u32 = 25;
const BOUND_READING: &str = "SET LOCAL statement_timeout = '25s'";
const UNBOUND_READING: &str = "SET LOCAL statement_timeout TO DEFAULT";

/// The result of a read, to be recorded after its transaction has succeeded.
pub(super) struct ReadResult<'s> {
    pub(super) end: LogPosition,
    pub(super) changes: Vec<Change>,
    pub(super) reloaded: Vec<LayerContents>,
    outcomes: Vec<(&'s Source, Fingerprints, ReadOutcome<'s>)>,
}

impl<'s> ReadResult<'s> {
    fn at(end: LogPosition) -> Self {
        Self { end, changes: Vec::new(), reloaded: Vec::new(), outcomes: Vec::new() }
    }

    /// Whether no layer failed.
    fn is_complete(&self) -> bool {
        let mut outcomes = self.outcomes.iter().map(|(_, _, outcome)| outcome);
        outcomes.all(|outcome| matches!(outcome, ReadOutcome::All(_) | ReadOutcome::Rows(..)))
    }

    fn note(&mut self, source: &'s Source, outcome: ReadOutcome<'s>) {
        self.outcomes.push((source, Fingerprints::new(), outcome));
    }

    /// Records the outcomes; called after the transaction has succeeded.
    pub(super) fn remember(&mut self) {
        for (source, seen, outcome) in self.outcomes.drain(..) {
            if matches!(outcome, ReadOutcome::All(_)) && source.watch() == Watch::Compare {
                source.remember(seen);
            }
            source.state.record(&source.schema.id, outcome);
        }
    }
}

impl PostGis {
    /// Reads everything.
    pub(super) async fn read_layers<'s>(
        &'s self,
        transaction: &mut PgConnection,
        sink: Sink<'_>,
    ) -> Result<ReadResult<'s>, sqlx::Error> {
        let end = answered(log_end(transaction)).await?;
        let mut found = ReadResult::at(answered(whole_log(transaction, end)).await?);
        let structures = answered(triggers::structures(transaction, self.sources())).await?;
        for ((at, source), structure) in LayerIndex::each(self.sources()).zip(structures) {
            source.has_new_structure(&structure);
            if source.placeholder.is_some() {
                continue;
            }
            if source.foreign.is_none() {
                // Rows are passed on without buffering the layer; a failure after the first row fails the whole read.
                let mut warnings = ReadWarnings::new(&source.schema);
                let mut count = 0_usize;
                let mut take = |feature| {
                    count += 1;
                    sink(at, feature);
                };
                let read = in_savepoint(transaction, async |transaction| {
                    read_rows(transaction, source, "", &[], &mut warnings, &mut take).await
                });
                match read.await? {
                    Ok(()) => found.note(source, ReadOutcome::All(warnings)),
                    Err(error) if count > 0 => return Err(error),
                    Err(error) => found.note(source, ReadOutcome::Failed(reason(&error))),
                }
                continue;
            }
            match read_whole(transaction, source).await? {
                Ok(Whole { features, fingerprints, warnings }) => {
                    for feature in features {
                        sink(at, feature);
                    }
                    found.outcomes.push((source, fingerprints, ReadOutcome::All(warnings)));
                }
                Err(error) => found.note(source, failure(&error)),
            }
        }
        found.end.is_logged = self.has_only_logged_layers();
        found.end.is_complete = found.is_complete();
        Ok(found)
    }

    /// Whether triggers write every change into the log.
    fn has_only_logged_layers(&self) -> bool {
        self.sources().iter().all(|source| source.placeholder.is_none() && source.watch() == Watch::Log)
    }

    /// Reads the changes after a position; `None` when the log no longer covers it. With `isolated`, a layer that
    /// cannot be read does not stop the others; without it, the transaction is faster.
    pub(super) async fn read_changes<'s>(
        &'s self,
        transaction: &mut PgConnection,
        position: &LogPosition,
        isolated: bool,
    ) -> Result<Option<ReadResult<'s>>, sqlx::Error> {
        let end = answered(log_end(transaction)).await?;
        if answered(continuation(transaction, position, &end)).await? == Continuation::Lost {
            return Ok(None);
        }
        let entries = answered(NewEntries::since(transaction, position)).await?;
        let mut found = ReadResult::at(entries.extend(position, end));
        let touched = entries.touched;
        for (at, source) in LayerIndex::each(self.sources()).filter(|(_, source)| source.placeholder.is_none()) {
            let touched = touched.iter().filter(|(layer, _)| *layer == source.schema.id).map(|(_, id)| id.as_deref());
            let touched: Option<Vec<&str>> = touched.collect();
            let is_logged = source.watch() == Watch::Log;
            let is_unavailable = source.state.is_unavailable();
            // Its table changed without an entry in the log.
            found.end.is_logged &= is_unavailable || !source.state.needs_reload();
            if source.state.needs_reload() || (touched.is_none() && is_logged && !is_unavailable) {
                match read_whole(transaction, source).await? {
                    Ok(Whole { features, fingerprints, warnings }) => {
                        found.outcomes.push((source, fingerprints, ReadOutcome::All(warnings)));
                        found.reloaded.push(LayerContents { layer: at, features });
                    }
                    Err(error) => found.note(source, failure(&error)),
                }
            } else if is_unavailable {
                // Its changes are found when all of its rows are read.
                found.end.is_complete = false;
            } else if source.is_due() {
                match read_whole(transaction, source).await? {
                    Ok(Whole { features, fingerprints, warnings }) => {
                        let differences = source.differences(features, &fingerprints).into_iter();
                        found.changes.extend(differences.map(|(id, now)| Change { layer: at, id, now }));
                        found.outcomes.push((source, fingerprints, ReadOutcome::All(warnings)));
                    }
                    Err(error) => found.note(source, failure(&error)),
                }
            } else if let Some(ids) = touched.filter(|ids| is_logged && !ids.is_empty()) {
                self.read_touched(transaction, at, &ids, isolated, &mut found).await?;
            }
        }
        found.end.is_logged &= self.has_only_logged_layers();
        found.end.is_complete &= found.is_complete();
        Ok(Some(found))
    }

    async fn read_touched<'s>(
        &'s self,
        transaction: &mut PgConnection,
        at: LayerIndex,
        ids: &[&str],
        isolated: bool,
        found: &mut ReadResult<'s>,
    ) -> Result<(), sqlx::Error> {
        let source = at.of(self.sources());
        let mut warnings = ReadWarnings::new(&source.schema);
        let mut now: BTreeMap<FeatureId, Feature> = BTreeMap::new();
        let mut take = |feature: Feature| {
            now.insert(feature.id.clone(), feature);
        };
        let condition = format!("WHERE {} = ANY($1)", source.key);
        if isolated {
            let read = async |transaction: &mut PgConnection| {
                read_rows(transaction, source, &condition, ids, &mut warnings, &mut take).await
            };
            if let Err(error) = in_savepoint(transaction, read).await? {
                if source.geometry.tolerate() {
                    // All rows are read next, with the expression that tolerates unusable geometries.
                    source.state.outdate();
                    found.end.is_complete = false;
                } else {
                    found.note(source, ReadOutcome::Failed(reason(&error)));
                }
                return Ok(());
            }
        } else {
            read_rows(transaction, source, &condition, ids, &mut warnings, &mut take).await?;
        }
        let ids: Vec<FeatureId> = ids.iter().filter_map(|id| FeatureId::new(id).ok()).collect();
        found.changes.extend(ids.iter().map(|id| Change { layer: at, now: now.remove(id), id: id.clone() }));
        found.note(source, ReadOutcome::Rows(ids, warnings));
        Ok(())
    }
}

/// All rows of a layer.
struct Whole<'s> {
    features: Vec<Feature>,
    /// Empty if triggers record changes.
    fingerprints: Fingerprints,
    warnings: ReadWarnings<'s>,
}

/// Reads all rows of a layer. The inner error affects only this layer.
async fn read_whole<'s>(
    transaction: &mut PgConnection,
    source: &'s Source,
) -> Result<Result<Whole<'s>, sqlx::Error>, sqlx::Error> {
    loop {
        let mut warnings = ReadWarnings::new(&source.schema);
        let mut features = Vec::new();
        let mut take = |feature| features.push(feature);
        let read = async |transaction: &mut PgConnection| {
            if source.watch() == Watch::Log {
                return read_rows(transaction, source, "", &[], &mut warnings, &mut take).await;
            }
            answered(sqlx::raw_sql(BOUND_READING).execute(&mut *transaction)).await?;
            read_rows(transaction, source, "", &[], &mut warnings, &mut take).await?;
            answered(sqlx::raw_sql(UNBOUND_READING).execute(transaction)).await.map(drop)
        };
        match in_savepoint(transaction, read).await? {
            Ok(()) if source.watch() == Watch::Log => {
                return Ok(Ok(Whole { features, fingerprints: Fingerprints::new(), warnings }));
            }
            Ok(()) => {
                let (features, fingerprints) = distinct(features, &mut warnings);
                return Ok(Ok(Whole { features, fingerprints, warnings }));
            }
            // A single row may be the reason: read again with the expression that tolerates it.
            Err(error) if !is_timeout(&error) && source.geometry.tolerate() => {}
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// The outcome of a failed read of a layer.
fn failure(error: &sqlx::Error) -> ReadOutcome<'static> {
    if is_timeout(error) {
        ReadOutcome::TimedOut(format!("its rows could not be read within {READING_S} s"))
    } else {
        ReadOutcome::Failed(reason(error))
    }
}

/// SQLSTATE 57014: the statement timed out.
fn is_timeout(error: &sqlx::Error) -> bool {
    super::has_code(error, "57014")
}

/// One feature for each id. Of rows that share an id, the one with the least fingerprint stays, so that every read
/// chooses the same row.
fn distinct(features: Vec<Feature>, warnings: &mut ReadWarnings<'_>) -> (Vec<Feature>, Fingerprints) {
    let mut fingerprints = Fingerprints::with_capacity(features.len());
    for feature in &features {
        let own = fingerprint(feature);
        let least = fingerprints.entry(feature.id.clone()).or_insert(own);
        *least = own.min(*least);
    }
    if fingerprints.len() == features.len() {
        return (features, fingerprints);
    }
    let mut kept = std::collections::HashSet::with_capacity(fingerprints.len());
    let mut is_kept = |feature: &Feature| {
        let is_least = fingerprints.get(&feature.id) == Some(&fingerprint(feature));
        let is_kept = is_least && kept.insert(feature.id.clone());
        if !is_kept {
            warnings.row(feature.id.as_str(), "another row has the same key");
        }
        is_kept
    };
    let features = features.into_iter().filter(|feature| is_kept(feature)).collect();
    (features, fingerprints)
}

/// Runs statements whose failure does not abort the transaction: the inner error is that of the statement.
async fn in_savepoint<T>(
    transaction: &mut PgConnection,
    read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
) -> Result<Result<T, sqlx::Error>, sqlx::Error> {
    answered(sqlx::raw_sql("SAVEPOINT layer").execute(&mut *transaction)).await?;
    let (result, end) = match read(&mut *transaction).await {
        Ok(value) => (Ok(value), "RELEASE SAVEPOINT layer"),
        Err(error) if is_of_statement(&error) => (Err(error), "ROLLBACK TO SAVEPOINT layer; RELEASE SAVEPOINT layer"),
        Err(error) => return Err(error),
    };
    answered(sqlx::raw_sql(end).execute(&mut *transaction)).await?;
    Ok(result)
}

/// Whether an error concerns one statement and the connection is still usable: not a lost connection (class 08), lack of
/// resources (53), a shutdown (57P) or a rolled back transaction (40).
pub(super) fn is_of_statement(error: &sqlx::Error) -> bool {
    let Some(code) = error.as_database_error().map(|error| error.code().unwrap_or_default()) else { return false };
    !["08", "53", "57P", "40"].iter().any(|class| code.starts_with(class))
}

/// Rows that meet a condition, which may name ids as `$1`.
pub(super) async fn read_rows(
    connection: &mut PgConnection,
    source: &Source,
    condition: &str,
    ids: &[&str],
    warnings: &mut ReadWarnings<'_>,
    take: &mut (dyn FnMut(Feature) + Send),
) -> Result<(), sqlx::Error> {
    let mut statement = query(AssertSqlSafe(source.select(condition)));
    if !ids.is_empty() {
        statement = statement.bind(ids);
    }
    let mut rows = statement.fetch(connection);
    while let Some(row) = answered(rows.try_next()).await? {
        if let Some(feature) = read_feature(&row, &source.schema, warnings) {
            take(feature);
        }
    }
    Ok(())
}
