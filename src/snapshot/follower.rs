//! Keeps the snapshot equal to the store; the only writer of [`SnapshotHandle`].

use std::any::Any;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::watch;

use super::{Layer, Snapshot, SnapshotHandle, Version};
use crate::model::{Feature, FeatureId};
use crate::store::{Change, Changes, LayerContents, LogPosition, Store, StoreError};

/// Polling interval of the change log.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// After a notification, waits this long for more changes, because one large update costs as much as a small one.
const BATCH_DELAY: Duration = Duration::from_millis(10);
/// Longest pause between attempts to reach the store.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Interval of log messages during an outage.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// Reads the whole store, builds a snapshot, and returns it with its position in the change log.
///
/// # Errors
/// When the store cannot be read.
pub async fn build(store: &dyn Store) -> Result<(Snapshot, LogPosition), StoreError> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut features: Vec<Feature> = Vec::new();
    // A layer is built as soon as the next one begins, so that at most one layer is in memory twice.
    let mut take = |layer: usize, feature| {
        while layers.len() < layer {
            layers.push(Layer::build(store.schemas()[layers.len()].clone(), std::mem::take(&mut features)));
        }
        features.push(feature);
    };
    let position = store.read_all(&mut take).await?;
    // Requested after reading, because a deferred store knows its layers only once it is connected.
    for schema in &store.schemas()[layers.len()..] {
        layers.push(Layer::build(schema.clone(), std::mem::take(&mut features)));
    }
    Ok((Snapshot::new(position.newest, layers), position))
}

/// Follows the store until `stop` becomes true: from a position, or without one from a full read. Failures are retried
/// with growing pauses, while readers use the current snapshot. After a panic, which is logged, the state of the task
/// is discarded and everything is read again.
pub async fn follow(
    store: Arc<dyn Store>,
    head: Arc<SnapshotHandle>,
    mut position: Option<LogPosition>,
    now_ms: fn() -> i64,
    mut stop: watch::Receiver<bool>,
) {
    let mut pauses = Pauses::default();
    loop {
        let started = Instant::now();
        let run = follow_once(&*store, &head, position.take(), now_ms, stop.clone());
        let Err(panic) = AssertUnwindSafe(run).catch_unwind().await else { return };
        if started.elapsed() > LOG_INTERVAL {
            pauses = Pauses::default();
        }
        let reason = reason(&*panic);
        // Logging may be the cause of the panic: the reader of the log may be gone.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| {
            tracing::error!(reason, "following the store panicked; reading everything again");
        }));
        tokio::select! {
            () = tokio::time::sleep(pauses.next()) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The message of a panic.
fn reason(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

async fn follow_once(
    store: &dyn Store,
    head: &SnapshotHandle,
    mut position: Option<LogPosition>,
    now_ms: fn() -> i64,
    mut stop: watch::Receiver<bool>,
) {
    let mut outage = None;
    while !*stop.borrow() {
        let (requested_ms, requested) = (now_ms(), Instant::now());
        let reached = tokio::select! {
            reached = catch_up(store, head, position.as_ref()) => reached,
            _ = stop.changed() => return,
        };
        let pause = match reached {
            Ok(reached) => {
                position = Some(reached);
                head.confirm(requested_ms, requested);
                if let Some(Outage { since, .. }) = outage.take() {
                    tracing::info!(
                        seconds = since.elapsed().as_secs(),
                        "the store is reachable again, the snapshot is up to date"
                    );
                }
                POLL_INTERVAL
            }
            Err(error) => outage.get_or_insert_with(Outage::begin).note(&error),
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = store.changed(), if outage.is_none() => tokio::time::sleep(BATCH_DELAY).await,
            _ = stop.changed() => {}
        }
    }
}

/// An outage of the store.
struct Outage {
    since: Instant,
    pauses: Pauses,
    logged: Option<Instant>,
}

impl Outage {
    fn begin() -> Self {
        Self { since: Instant::now(), pauses: Pauses::default(), logged: None }
    }

    /// Logs the outage at intervals and returns the pause before the next attempt.
    fn note(&mut self, error: &StoreError) -> Duration {
        if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL) {
            self.logged = Some(Instant::now());
            let seconds = self.since.elapsed().as_secs();
            tracing::warn!(%error, seconds, "the store is unreachable, the snapshot is kept; retrying");
        }
        self.pauses.next()
    }
}

/// Growing pauses between attempts.
struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(POLL_INTERVAL)
    }
}

impl Pauses {
    fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).min(MAX_PAUSE);
        // Randomized, so that servers of one store do not reconnect in step.
        let share = f64::from(u16::try_from(RandomState::new().hash_one(()) >> 48).unwrap_or(0)) / f64::from(u16::MAX);
        self.0.mul_f64(0.5 + 0.5 * share)
    }
}

/// Updates the snapshot to the current state of the store.
async fn catch_up(
    store: &dyn Store,
    head: &SnapshotHandle,
    from: Option<&LogPosition>,
) -> Result<LogPosition, StoreError> {
    let current = head.load();
    let Some(from) = from else { return read_again(store, head, &current).await };
    match store.changes_since(from).await? {
        Changes::Since { position, changes, reloaded } => {
            if !changes.is_empty() || !reloaded.is_empty() {
                // A transaction that commits late adds entries older than the newest one seen.
                let version = position.newest.max(current.version() + 1);
                tracing::debug!(version, changes = changes.len(), reloaded = reloaded.len(), "snapshot replaced");
                let is_known = reloaded.is_empty();
                let (mut snapshot, changed) = apply(&current, changes, version);
                for LayerContents { layer, features } in reloaded {
                    let schema = current.layers[layer].schema().clone();
                    snapshot.layers[layer] = Arc::new(Layer::build(schema, features));
                }
                head.replace(snapshot, is_known.then_some(changed));
            }
            Ok(position)
        }
        Changes::Lost => {
            tracing::warn!("the change log no longer contains the version of the snapshot; reading everything again");
            read_again(store, head, &current).await
        }
    }
}

async fn read_again(store: &dyn Store, head: &SnapshotHandle, current: &Snapshot) -> Result<LogPosition, StoreError> {
    let (mut snapshot, position) = build(store).await?;
    // An unreadable layer keeps its state.
    for (layer, status) in snapshot.layers.iter_mut().zip(store.layer_statuses()) {
        let last = current.layers.iter().find(|last| {
            status.unavailable_for.is_some()
                && last.schema().id == layer.schema().id
                && last.schema().fields == layer.schema().fields
        });
        if let Some(last) = last {
            *layer = last.clone();
        }
    }
    head.replace(Snapshot { version: snapshot.version.max(current.version() + 1), ..snapshot }, None);
    Ok(position)
}

/// The snapshot after changes, and the ids of the changed features by layer index.
fn apply(current: &Snapshot, changes: Vec<Change>, version: Version) -> (Snapshot, Vec<(usize, Vec<FeatureId>)>) {
    let mut by_layer: BTreeMap<usize, Vec<(FeatureId, Option<Feature>)>> = BTreeMap::new();
    for change in changes {
        by_layer.entry(change.layer).or_default().push((change.id, change.now));
    }
    let mut layers = current.layers.clone();
    let mut ids = Vec::new();
    for (at, changes) in by_layer {
        ids.push((at, changes.iter().map(|(id, _)| id.clone()).collect()));
        layers[at] = Arc::new(layers[at].with_changes(changes));
    }
    (Snapshot { version, layers }, ids)
}
