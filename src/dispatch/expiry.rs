//! Releases commitments whose time or whose incident has ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use time::UtcDateTime;
use tokio::sync::watch;

use super::commitment::{CommitmentState, StateChange, is_running, list, update};
use crate::model::{Batch, FeatureId, FingerprintKey, Origin, Role};
use crate::snapshot::{Snapshot, SnapshotHandle};
use crate::store::{Store, StoreError};

/// Interval of the checks.
const EVERY: Duration = Duration::from_secs(1);
/// Name in the audit log.
const ACTOR: &str = "expiry";

/// Releases commitments as they end, until `stop` turns true. Several servers may do so: a commitment is released once.
pub async fn keep_releasing(
    store: Arc<dyn Store>,
    snapshots: Arc<SnapshotHandle>,
    key: FingerprintKey,
    now: fn() -> UtcDateTime,
    mut stop: watch::Receiver<bool>,
) {
    let mut reported: BTreeSet<FeatureId> = BTreeSet::new();
    while !*stop.borrow() {
        let snapshot = snapshots.load();
        for id in ended(&snapshot, now()) {
            match release(&*store, &snapshot, &id, &key, now()).await {
                Ok(()) => {
                    tracing::info!(commitment = id.as_str(), "released, because its time or its incident has ended");
                }
                // Another server, or a dispatcher, was first.
                Err(StoreError::Edit { .. }) => {}
                Err(error) => {
                    if reported.insert(id.clone()) {
                        tracing::warn!(%error, commitment = id.as_str(), "an ended commitment cannot be released yet");
                    }
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Open commitments that have ended.
fn ended(snapshot: &Snapshot, now: UtcDateTime) -> Vec<FeatureId> {
    let open = list(snapshot).filter(super::Commitment::is_open);
    let ended =
        open.filter(|own| own.until.is_some_and(|until| until <= now) || !is_running(snapshot, own.incident, now));
    ended.map(|own| own.row.id().clone()).collect()
}

async fn release(
    store: &dyn Store,
    snapshot: &Snapshot,
    id: &FeatureId,
    key: &FingerprintKey,
    now: UtcDateTime,
) -> Result<(), StoreError> {
    let change = StateChange { state: Some(CommitmentState::Released), ..StateChange::default() };
    let Ok(edits) = update(snapshot, store.schemas(), id.as_str(), &change, key, now) else { return Ok(()) };
    // Without random numbers the release is not in the audit log, but the places are free again.
    let origin = Origin::of_program(ACTOR.to_owned(), Role::Admin).ok();
    let batch = Batch { edits, now, fingerprint_key: key.clone(), idempotency_key: None, origin };
    store.apply(&batch).await.map(drop)
}
