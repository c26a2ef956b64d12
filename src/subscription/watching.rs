//! Compares what subscriptions have seen with the snapshot, and stores the notices.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use time::UtcDateTime;

use super::registry::{Registry, SubscriptionDocument};
use crate::model::{FeatureId, Role, format_instant};
use crate::query::geofence::{FenceStep, Geofence, SeenFeature, SeenFeatures};
use crate::snapshot::{Snapshot, SnapshotHandle, Version};
use crate::store::notices::{SeenRow, StoredSubscription};
use crate::store::{Store, StoreError};

/// Interval of the checks without a change of the snapshot: for subscriptions that another process has taken, and accounts.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Age of the snapshot up to which it is compared: after a start without the store, an old copy would undo what was seen.
const FRESH: Duration = Duration::from_secs(3);

/// A subscription at work.
struct FenceWatch {
    id: String,
    owner: String,
    has_webhook: bool,
    fence: Geofence,
    seen: SeenFeatures,
    /// What was compared last; `None` compares all features.
    compared: Option<(u64, Version)>,
}

/// Writes down what happens, as long as this process holds the lock, until `stop` turns true.
pub async fn keep_noticing(
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    now: fn() -> UtcDateTime,
    mut stop: tokio::sync::watch::Receiver<bool>,
) {
    let mut watches: HashMap<String, FenceWatch> = HashMap::new();
    // The view of administrators is replaced last.
    let of_admin = registry.views.iter().find(|(roles, _)| roles.contains(&Role::Admin));
    let mut versions = of_admin.map(|(_, handle)| handle.versions());
    let mut updates = registry.updates.subscribe();
    let mut is_failing = false;
    while !*stop.borrow() {
        if registry.holds_lock() {
            match round(&registry, &*store, &mut watches, now()).await {
                Ok(()) => is_failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::error!(%error, "notices cannot be stored; retrying");
                    }
                    // What was stored is read again.
                    watches.clear();
                    tokio::time::sleep(CHECK_EVERY).await;
                }
            }
        }
        let changed = async {
            match &mut versions {
                Some(versions) => versions.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            is_open = changed => if !is_open { return },
            _ = updates.changed() => {}
            () = tokio::time::sleep(CHECK_EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Compares every subscription once.
async fn round(
    registry: &Registry,
    store: &dyn Store,
    watches: &mut HashMap<String, FenceWatch>,
    now: UtcDateTime,
) -> Result<(), StoreError> {
    let ids = registry.file.ids().await?;
    watches.retain(|id, _| ids.binary_search(id).is_ok());
    for id in ids {
        if !watches.contains_key(&id) {
            let Some(watch) = open(registry, &id).await? else { continue };
            watches.insert(id.clone(), watch);
        }
        let Some(mut watch) = watches.remove(&id) else { continue };
        if let Some(handle) = registry.view_of(&watch.owner, now) {
            watch = advance(registry, store, watch, handle, now).await?;
        }
        watches.insert(id, watch);
    }
    Ok(())
}

/// Reads a subscription and what it has seen; `None` if it was deleted, or cannot be understood.
async fn open(registry: &Registry, id: &str) -> Result<Option<FenceWatch>, StoreError> {
    let Some(StoredSubscription { id, owner, document, .. }) = registry.file.subscription(id).await? else {
        return Ok(None);
    };
    let read = serde_json::from_str::<SubscriptionDocument>(&document).map_err(|error| error.to_string());
    let ready = read.and_then(|own| Ok((own.webhook.is_some(), Geofence::new(own.fence)?)));
    let (has_webhook, fence) = match ready {
        Ok(ready) => ready,
        Err(error) => {
            tracing::error!(subscription = id, error, "a stored subscription cannot be read");
            return Ok(None);
        }
    };
    let rows = registry.file.seen(&id).await?;
    let seen = rows.into_iter().filter_map(|(layer, feature, state)| {
        Some(((layer, FeatureId::new(&feature).ok()?), serde_json::from_str::<SeenFeature>(&state).ok()?))
    });
    Ok(Some(FenceWatch { seen: seen.collect(), id, owner, has_webhook, fence, compared: None }))
}

async fn advance(
    registry: &Registry,
    store: &dyn Store,
    mut watch: FenceWatch,
    handle: Arc<SnapshotHandle>,
    now: UtcDateTime,
) -> Result<FenceWatch, StoreError> {
    let snapshot = handle.load();
    let compared = Some((handle.instance(), snapshot.version()));
    if handle.age() > FRESH || watch.compared == compared {
        return Ok(watch);
    }
    // A layer that cannot be read, or was never read, is not empty.
    let statuses = store.schemas().iter().zip(store.layer_statuses());
    let unavailable: BTreeSet<String> =
        statuses.filter(|(_, own)| own.unavailable_for.is_some()).map(|(schema, _)| schema.id.clone()).collect();
    let changed = watch
        .compared
        .filter(|(instance, _)| *instance == handle.instance())
        .and_then(|(_, version)| changed_features(&handle, &snapshot, version));
    let is_whole = watch.fence.definition().layers.iter().all(|layer| !unavailable.contains(layer));
    let version = snapshot.version();
    let compare = move || {
        let step = watch.fence.step(&mut watch.seen, &snapshot, changed.as_ref(), &|layer| unavailable.contains(layer));
        (watch, step)
    };
    let done = tokio::task::spawn_blocking(compare).await;
    let (mut watch, step) = done.map_err(|error| StoreError::File {
        path: registry.file.path().display().to_string(),
        source: std::io::Error::other(error),
    })?;
    if !step.remembered.is_empty() {
        let notices = contents(&step, version, now);
        let at_ms = i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        let seen = seen_rows(step);
        registry.file.advance(&watch.id, &seen, &notices, (at_ms, watch.has_webhook)).await?;
        if !notices.is_empty() {
            registry.notify();
        }
    }
    watch.compared = compared.filter(|_| is_whole);
    Ok(watch)
}

/// The features that changed since a version, by layer; `None` if that is not known.
fn changed_features(
    handle: &SnapshotHandle,
    snapshot: &Snapshot,
    since: Version,
) -> Option<BTreeMap<String, BTreeSet<FeatureId>>> {
    let mut changed: BTreeMap<String, BTreeSet<FeatureId>> = BTreeMap::new();
    for diff in handle.changes(since, snapshot.version())? {
        for layer in diff.layers()? {
            let id = snapshot.layers().get(layer.layer().0)?.schema().id.clone();
            changed.entry(id).or_default().extend(layer.changes()?.iter().map(|change| change.id.clone()));
        }
    }
    Some(changed)
}

/// What happened, as the contents of notices.
fn contents(step: &FenceStep, version: Version, now: UtcDateTime) -> Vec<String> {
    let content = |own: &crate::query::geofence::Happening| {
        let mut content = serde_json::json!({"layer": own.layer, "feature": own.feature.as_str()});
        if let (Some(content), Json::Object(what)) = (content.as_object_mut(), &own.what) {
            content.extend(what.clone());
        }
        content["data_version"] = version.to_string().into();
        content["time"] = format_instant(now).into();
        content.to_string()
    };
    step.happenings.iter().map(content).collect()
}

/// What is remembered, as rows of the file.
#[must_use]
pub fn seen_rows(step: FenceStep) -> Vec<SeenRow> {
    let row = |((layer, feature), seen): ((String, FeatureId), Option<SeenFeature>)| {
        let state = seen.map(|seen| serde_json::to_string(&seen).unwrap_or_default());
        (layer, feature.as_str().to_owned(), state)
    };
    step.remembered.into_iter().map(row).collect()
}
