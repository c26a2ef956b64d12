//! Keeps the picture equal to the store; the only writer of [`Head`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Head, Layer, Snapshot, Version};
use crate::model::{Feature, FeatureId};
use crate::store::{Change, Changes, Error, LogPosition, Store};

/// How often the store is asked whether something happened.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Longest pause between two attempts to reach a store that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Reads everything and builds a picture, and answers where to follow on from.
///
/// # Errors
/// When the store cannot be read.
pub async fn build(store: &dyn Store) -> Result<(Snapshot, LogPosition), Error> {
    let mut features: Vec<Vec<Feature>> = store.schemas().iter().map(|_| Vec::new()).collect();
    let position = store.read_all(&mut |layer, feature| features[layer].push(feature)).await?;
    let version = position.newest;
    let layers = store.schemas().iter().cloned().zip(features);
    let layers = layers.map(|(schema, features)| Layer::build(schema, features, version)).collect();
    Ok((Snapshot::new(version, layers), position))
}

/// Follows the store from a position until `stop` turns true. What fails is tried again, with growing
/// pauses, while readers go on with the picture they have.
pub async fn follow(
    store: Arc<dyn Store>,
    head: Arc<Head>,
    mut position: LogPosition,
    now_ms: fn() -> i64,
    mut stop: watch::Receiver<bool>,
) {
    let mut pause = LOOK_EVERY;
    while !*stop.borrow() {
        let asked_ms = now_ms();
        match catch_up(&*store, &head, &position).await {
            Ok(reached) => {
                position = reached;
                head.confirm(asked_ms);
                pause = LOOK_EVERY;
            }
            Err(error) => {
                pause = (pause * 2).min(LONGEST_PAUSE);
                tracing::warn!(%error, retry_in_ms = pause.as_millis(), "the store does not answer, the map stays as it was");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Brings the picture to where the store is now.
async fn catch_up(store: &dyn Store, head: &Head, from: &LogPosition) -> Result<LogPosition, Error> {
    let current = head.load();
    match store.changes_since(from).await? {
        Changes::Since { position, changes } => {
            if !changes.is_empty() {
                // A transaction that was slow to commit brings entries older than the newest one seen.
                let version = position.newest.max(current.version() + 1);
                tracing::debug!(version, changes = changes.len(), "the map changed");
                let (snapshot, changed) = apply(&current, changes, version);
                head.replace(snapshot, Some(changed));
            }
            Ok(position)
        }
        Changes::Lost => {
            tracing::warn!("the change log does not reach back to the map's version, everything is read again");
            let (snapshot, position) = build(store).await?;
            head.replace(Snapshot { version: snapshot.version.max(current.version() + 1), ..snapshot }, None);
            Ok(position)
        }
    }
}

/// The picture after some changes, and which features they are, by position of their layer.
fn apply(current: &Snapshot, changes: Vec<Change>, version: Version) -> (Snapshot, Vec<(usize, Vec<FeatureId>)>) {
    let mut by_layer: BTreeMap<usize, Vec<(FeatureId, Option<Feature>)>> = BTreeMap::new();
    for change in changes {
        by_layer.entry(change.layer).or_default().push((change.id, change.now));
    }
    let mut layers = current.layers.clone();
    let mut ids = Vec::new();
    for (at, changes) in by_layer {
        ids.push((at, changes.iter().map(|(id, _)| id.clone()).collect()));
        layers[at] = Arc::new(layers[at].with_changes(changes, version));
    }
    (Snapshot { version, layers }, ids)
}
