//! Keeps features of other servers in layers of this one: the resources of a neighbour or of the city, under their names and
//! read-only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use time::UtcDateTime;
use tokio::sync::watch;

use super::file::{ImportFile, ImportFileError, ImportOptions};
use super::remote::{Fetched, RemoteCollection, RemoteError};
use crate::exchange::{RecordSource, Unreadable};
use crate::model::{
    AuditEntry, Catalog, ImportCounts, ImportMode, ImportRecord, ImportScope, LayerIndex, Origin, Role, format_instant,
};
use crate::store::{Store, StoreError};

/// A collection of another server, and the layer that its features are kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedCollection {
    /// Where it is.
    pub remote: RemoteCollection,
    /// The layer.
    pub layer: String,
    /// The field `source` of its features: who maintains them.
    pub source: String,
    /// Their ids here are `PREFIX:ID`.
    pub prefix: String,
    /// Pause between two readings.
    pub every: Duration,
    /// Columns and the fields that they fill.
    pub columns: Vec<(String, String)>,
}

/// How a collection is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SyncStatus {
    /// Who maintains the features.
    pub source: String,
    /// The layer.
    pub layer: String,
    /// When its features were last equal to those of the other server.
    #[serde(serialize_with = "as_text")]
    pub confirmed_at: Option<UtcDateTime>,
    /// Features that were left out at the last reading, because the layer does not accept them.
    pub refused: usize,
    /// Whether the last reading failed.
    pub is_failing: bool,
    /// Whether the features are kept equal to those of the other server, and are read-only here.
    #[serde(skip)]
    pub is_kept: bool,
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn as_text<S: Serializer>(at: &Option<UtcDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(format_instant).serialize(serializer)
}

/// The status of all collections.
pub type SyncStatuses = Arc<Mutex<Vec<SyncStatus>>>;

/// Why a collection was not kept.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The other server cannot be read.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Its features do not fit the layer.
    #[error(transparent)]
    File(#[from] ImportFileError),
    /// The store refuses them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The layer does not exist.
    #[error("layer {0} does not exist")]
    NoLayer(String),
    /// Not every page could be read.
    #[error("not every page could be read: {0}; nothing was changed")]
    Cut(String),
    /// There are none, although there were some.
    #[error("the other server has no features; those that are stored are kept")]
    Empty,
    /// The system has no random numbers or threads.
    #[error("{0}")]
    System(String),
}

/// The result of reading a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// What changed; `None` if the other server says that nothing did.
    pub counts: Option<ImportCounts>,
    /// Features that the layer does not accept.
    pub refused: usize,
    /// The entity tag for the next reading.
    pub tag: Option<String>,
}

/// Reads a collection once and merges it. Features that it no longer has are deleted.
///
/// # Errors
/// When it cannot be read as a whole, or does not fit the layer; nothing is changed then.
pub async fn sync(
    store: &dyn Store,
    catalog: &Catalog,
    synced: &SyncedCollection,
    tag: Option<&str>,
    now: UtcDateTime,
) -> Result<Synced, SyncError> {
    let index = LayerIndex::find(store.schemas(), &synced.layer);
    let index = index.ok_or_else(|| SyncError::NoLayer(synced.layer.clone()))?;
    let (remote, own_tag) = (synced.remote.clone(), tag.map(str::to_owned));
    let fetched = tokio::task::spawn_blocking(move || remote.fetch(own_tag.as_deref())).await;
    let fetched = fetched.map_err(|error| SyncError::System(error.to_string()))??;
    let Fetched::Features { source, tag } = fetched else {
        return Ok(Synced { tag: tag.map(str::to_owned), ..Synced::default() });
    };
    let options = ImportOptions {
        columns: synced.columns.clone(),
        mode: ImportMode::Replace,
        scope: ImportScope::Only(synced.source.clone()),
        // Others decide where their resources are and what they tell of them.
        anywhere: true,
        incomplete: true,
        ..ImportOptions::default()
    };
    let schema = index.of(store.schemas());
    let source = named(source, synced);
    let mut file = ImportFile::of_source(catalog, schema, source, &synced.source, &options, now)?;
    file.skip_bad = true;
    let origin = Origin::of_program(format!("sync of {}", synced.source), Role::Editor);
    let origin = origin.map_err(|error| SyncError::System(error.to_string()))?;
    let audit = AuditEntry { layer: Some(synced.layer.clone()), ..origin.entry(0, "sync", now) };
    file.record = Some(ImportRecord { id: origin.entry, at: now, file: synced.source.clone(), audit, is_kept: false });
    let counts = store.import(index, &mut file).await?;
    let is_empty = file.report().read == 0;
    let report = file.into_report();
    match counts {
        Some(counts) => Ok(Synced { counts: Some(counts), refused: report.refused_count, tag }),
        None if is_empty => Err(SyncError::Empty),
        None => Err(SyncError::Cut(report.refused.last().map(|issue| issue.reason.clone()).unwrap_or_default())),
    }
}

/// The features under the names of their server.
fn named(source: RecordSource, synced: &SyncedCollection) -> RecordSource {
    let (prefix, name) = (synced.prefix.clone(), synced.source.clone());
    let records = source.records.map(move |record| {
        let mut record = record?;
        let own = record.id.take().or_else(|| match record.properties.get("id") {
            Some(Json::String(id)) => Some(id.clone()),
            Some(Json::Number(id)) => Some(id.to_string()),
            _ => None,
        });
        let missing = || Unreadable { row: record.row, line: None, reason: "it has no id".to_owned(), is_end: false };
        let id = format!("{prefix}:{}", own.ok_or_else(missing)?);
        record.properties.insert("id".to_owned(), Json::from(id));
        record.properties.insert("source".to_owned(), Json::from(name.as_str()));
        Ok(record)
    });
    RecordSource { records: Box::new(records), ..source }
}

/// Statuses before the first reading.
#[must_use]
pub fn statuses_of(collections: &[SyncedCollection]) -> SyncStatuses {
    let status = |own: &SyncedCollection| SyncStatus {
        source: own.source.clone(),
        layer: own.layer.clone(),
        is_kept: true,
        ..SyncStatus::default()
    };
    Arc::new(Mutex::new(collections.iter().map(status).collect()))
}

/// Reads a collection again and again until `stop` turns true. `at` is its index among the statuses.
pub async fn keep_syncing(
    store: Arc<dyn Store>,
    catalog: Arc<Catalog>,
    (synced, at): (SyncedCollection, usize),
    statuses: SyncStatuses,
    now: fn() -> UtcDateTime,
    mut stop: watch::Receiver<bool>,
) {
    let mut tag: Option<String> = None;
    let mut last_error: Option<String> = None;
    let (source, layer) = (&synced.source, &synced.layer);
    let note = |note: &dyn Fn(&mut SyncStatus)| {
        statuses.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at).map(note);
    };
    loop {
        match sync(&*store, &catalog, &synced, tag.as_deref(), now()).await {
            Ok(done) => {
                note(&|status| {
                    (status.confirmed_at, status.is_failing) = (Some(now()), false);
                    if done.counts.is_some() {
                        status.refused = done.refused;
                    }
                });
                let ImportCounts { new, changed, removed, .. } = done.counts.unwrap_or_default();
                if new + changed + removed > 0 {
                    tracing::info!(source, layer, new, changed, removed, "features of another server changed");
                }
                (tag, last_error) = (done.tag, None);
            }
            Err(error) => {
                note(&|status| status.is_failing = true);
                // Each failure is logged once; it may name addresses that are not for everybody.
                let error = Some(error.to_string());
                if let Some(error) = error.as_ref().filter(|_| error != last_error) {
                    tracing::warn!(source, layer, "features of another server are not current: {error}");
                }
                last_error = error;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(synced.every) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
