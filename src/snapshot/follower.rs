//! Keeps the snapshot equal to the store; the only writer of [`SnapshotHandle`].

use std::any::Any;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::watch;

use super::{Layer, LayerDiff, Snapshot, SnapshotHandle, Version};
use crate::model::{Feature, FeatureId, LayerIndex, SharedState};
use crate::store::{Change, Changes, LayerContents, LogPosition, Store, StoreError};

/// Polling interval of the store.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// Wait after a notification for further changes, so that many small changes are applied together.
const GATHER: Duration = Duration::from_millis(10);
/// Maximum pause between two attempts to reach the store.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Interval of log messages during a long outage.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// Reads everything and builds a snapshot. Returns the log position to follow from.
///
/// # Errors
/// When the store cannot be read.
pub async fn build(store: &dyn Store) -> Result<(Snapshot, LogPosition), StoreError> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut features: Vec<Feature> = Vec::new();
    // A layer is built as soon as the next one begins, so that at most one is in memory twice.
    let mut take = |layer: LayerIndex, feature| {
        while layers.len() < layer.0 {
            layers.push(Layer::build(store.schemas()[layers.len()].clone(), std::mem::take(&mut features)));
        }
        features.push(feature);
    };
    let position = store.read_all(&mut take).await?;
    // Read after the features, because a store that was just reached has no schemas before.
    for schema in &store.schemas()[layers.len()..] {
        layers.push(Layer::build(schema.clone(), std::mem::take(&mut features)));
    }
    Ok((Snapshot::new(position.version(), layers).shared_as(position.shared()), position))
}

/// Follows the store until `stop` turns true, from a position or, without one, after a full read. Failures are retried
/// with growing pauses while readers use the current snapshot. A panic is logged, and everything is read again, because
/// the state of the task may be inconsistent.
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
        if started.elapsed() > LOG_EVERY {
            pauses = Pauses::default();
        }
        let reason = reason(&*panic);
        // Logging may be the cause of the panic, if the reader of the log has exited.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| {
            tracing::error!(reason, "following the store panicked; everything is read again");
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
        let (started_ms, started) = (now_ms(), Instant::now());
        let reached = tokio::select! {
            reached = catch_up(store, head, position.as_ref()) => reached,
            _ = stop.changed() => return,
        };
        let pause = match reached {
            Ok(reached) => {
                position = Some(reached);
                head.confirm(started_ms, started);
                if let Some(Outage { since, .. }) = outage.take() {
                    tracing::info!(
                        seconds = since.elapsed().as_secs(),
                        "the store is reachable again and the snapshot is current"
                    );
                }
                POLL_EVERY
            }
            Err(error) => outage.get_or_insert_with(Outage::begin).note(&error),
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = store.changed(), if outage.is_none() => tokio::time::sleep(GATHER).await,
            _ = stop.changed() => {}
        }
    }
}

/// A period in which the store cannot be reached.
struct Outage {
    since: Instant,
    pauses: Pauses,
    logged: Option<Instant>,
}

impl Outage {
    fn begin() -> Self {
        Self { since: Instant::now(), pauses: Pauses::default(), logged: None }
    }

    /// Logs the failure, at most once per interval, and returns the pause before the next attempt.
    fn note(&mut self, error: &StoreError) -> Duration {
        if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) {
            self.logged = Some(Instant::now());
            let seconds = self.since.elapsed().as_secs();
            tracing::warn!(%error, seconds, "the store cannot be read, the last snapshot is served; retrying");
        }
        self.pauses.next()
    }
}

/// Growing pauses between attempts.
struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(POLL_EVERY)
    }
}

impl Pauses {
    fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        // Random, so that several servers do not reconnect to the same store at the same time.
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
            // Entries of other layers count too, so that all servers give the same version to the same state.
            let is_newer = position.shared().is_some() && position.version() > current.version();
            if is_newer || !changes.is_empty() || !reloaded.is_empty() {
                let (version, shared) = next_version(&current, &position);
                tracing::debug!(version, changes = changes.len(), reloaded = reloaded.len(), "the snapshot changed");
                let is_known = reloaded.is_empty();
                let (snapshot, changed) = apply(&current, changes, version);
                let mut snapshot = snapshot.shared_as(shared);
                for LayerContents { layer, features } in reloaded {
                    // A table that has just appeared has fields that the snapshot does not know.
                    let schema = layer.of(store.schemas()).clone();
                    snapshot.layers[layer.0] = Arc::new(Layer::build(schema, features));
                }
                head.replace(snapshot, is_known.then_some(changed));
            }
            Ok(position)
        }
        Changes::Lost => {
            tracing::warn!("the change log no longer covers the snapshot's version; everything is read again");
            read_again(store, head, &current).await
        }
    }
}

async fn read_again(store: &dyn Store, head: &SnapshotHandle, current: &Snapshot) -> Result<LogPosition, StoreError> {
    let (mut snapshot, position) = build(store).await?;
    if snapshot.shared.is_some() && snapshot.shared == current.shared && has_same_schemas(&snapshot, current) {
        // Nothing changed while the store was away: versions stay those of the other servers.
        return Ok(position);
    }
    // A layer that cannot be read keeps its last state, also if the store does not know the fields of its table yet.
    for (layer, status) in snapshot.layers.iter_mut().zip(store.layer_statuses()) {
        let last = current.layers.iter().find(|last| {
            status.unavailable_for.is_some()
                && last.schema().id == layer.schema().id
                && (last.schema().fields == layer.schema().fields || layer.schema().fields.is_empty())
        });
        if let Some(last) = last {
            *layer = last.clone();
        }
    }
    let (version, shared) = next_version(current, &position);
    head.replace(Snapshot { version, shared, ..snapshot }, None);
    Ok(position)
}

/// The version of the next snapshot. Versions grow, so after a transaction that committed late to a file, a change that
/// is not in the log, or the restore of a backup, it is one that other servers do not have.
fn next_version(current: &Snapshot, position: &LogPosition) -> (Version, Option<SharedState>) {
    if position.version() > current.version() {
        (position.version(), position.shared())
    } else {
        (current.version() + 1, None)
    }
}

fn has_same_schemas(one: &Snapshot, other: &Snapshot) -> bool {
    let schemas = |snapshot: &Snapshot| snapshot.layers.iter().map(|layer| layer.schema().clone()).collect::<Vec<_>>();
    schemas(one) == schemas(other)
}

/// The snapshot after some changes, and the changes by layer.
fn apply(current: &Snapshot, changes: Vec<Change>, version: Version) -> (Snapshot, Vec<LayerDiff>) {
    let mut by_layer: BTreeMap<LayerIndex, Vec<(FeatureId, Option<Feature>)>> = BTreeMap::new();
    for change in changes {
        by_layer.entry(change.layer).or_default().push((change.id, change.now));
    }
    let mut layers = current.layers.clone();
    let mut diffs = Vec::new();
    for (index, changes) in by_layer {
        let layer = &mut layers[index.0];
        let (next, envelopes) = layer.with_changes(changes);
        diffs.push(LayerDiff::new(index, envelopes, [layer.envelope(), next.envelope()]));
        *layer = Arc::new(next);
    }
    (Snapshot { version, shared: None, layers }, diffs)
}
