//! Loads the first snapshot: from the store, or from the disk cache while the store is unreachable.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::store::{Fill, StoreOptions};
use crate::clock;
use crate::model::Catalog;
use crate::snapshot::disk_cache::{CachedSnapshot, DiskCache};
use crate::snapshot::{Snapshot, Version, follower};
use crate::store::{DeferredStore, LogPosition, Store, StoreError};

/// If the store takes longer than this, the server starts from the disk cache, which even for a country takes little
/// longer, and reads the store while it serves.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Zooms from the world to a province.
const LOW_ZOOMS: RangeInclusive<u8> = 0..=6;

/// Options of the disk cache.
#[derive(Args)]
pub(super) struct CacheOptions {
    /// Directory of the disk cache of a database, from which the server starts and serves while the database is
    /// unreachable.
    #[arg(long, value_name = "FOLDER", default_value = "onemap-cache", env = "ONEMAP_CACHE")]
    cache: PathBuf,

    /// Disable the disk cache.
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
}

/// The first snapshot and its origin.
pub(super) struct StartedMap {
    pub(super) store: Arc<dyn Store>,
    pub(super) snapshot: Snapshot,
    /// When the snapshot last equalled the store, milliseconds since 1970.
    pub(super) confirmed_ms: i64,
    /// Position in the change log; `None` if the store was not reached.
    pub(super) position: Option<LogPosition>,
    pub(super) cache: Option<DiskCache>,
    /// The state in the disk cache.
    pub(super) saved: Option<(Version, i64)>,
}

/// Opens the store and loads a snapshot. If that fails or takes too long and a disk cache exists, loads the cache and
/// connects to the store in the background.
pub(super) async fn open(
    store: &StoreOptions,
    options: &CacheOptions,
    catalog: &Catalog,
    fill: Fill,
) -> anyhow::Result<StartedMap> {
    let location = store.database_location()?.filter(|_| !options.no_cache);
    let cache = location.as_ref().and_then(|location| open_cache(options, location));
    let Some((cache, location)) = cache.zip(location) else { return load(store, catalog, fill).await };
    if !cache.exists() {
        return Ok(StartedMap { cache: Some(cache), ..load(store, catalog, fill).await? });
    }
    let failure = match tokio::time::timeout(STORE_TIMEOUT, load(store, catalog, fill)).await {
        Ok(Ok(opened)) => return Ok(StartedMap { cache: Some(cache), ..opened }),
        // It would stay so, and the map would be old for ever.
        Ok(Err(error)) if matches!(error.downcast_ref(), Some(StoreError::NewerStore { .. })) => return Err(error),
        Ok(Err(error)) => error,
        Err(_) => anyhow::anyhow!("{location} did not respond within {} s", STORE_TIMEOUT.as_secs()),
    };
    let CachedSnapshot { snapshot, confirmed_ms } = match cache.load() {
        Ok(Some(cached)) => cached,
        Ok(None) => return Err(failure),
        Err(damage) => {
            tracing::error!(error = %damage, "the disk cache cannot be used");
            return Err(failure);
        }
    };
    let age_s = (clock::now_ms() - confirmed_ms) / 1000;
    tracing::error!(error = %failure, age_s, "the store cannot be opened; the snapshot was loaded from the disk cache");
    let schemas = snapshot.layers().iter().map(|layer| layer.schema().clone()).collect();
    let deferred = DeferredStore::new(location, schemas, store.opener(catalog)?);
    let saved = Some((snapshot.version(), confirmed_ms));
    Ok(StartedMap { store: Arc::new(deferred), snapshot, confirmed_ms, position: None, cache: Some(cache), saved })
}

/// Prepares the view of the whole country while the server already answers. A request may wait for a part of it, so it has
/// the priority of requests.
pub(super) fn prepare_low_zooms(snapshot: Arc<Snapshot>) {
    std::thread::spawn(move || snapshot.layers().iter().for_each(|layer| layer.prepare_clusters(LOW_ZOOMS)));
}

async fn load(store: &StoreOptions, catalog: &Catalog, fill: Fill) -> anyhow::Result<StartedMap> {
    let store = store.open(catalog, fill).await?;
    let confirmed_ms = clock::now_ms();
    let (snapshot, position) = follower::build(&*store).await?;
    Ok(StartedMap { store, snapshot, confirmed_ms, position: Some(position), cache: None, saved: None })
}

/// A failure is logged: the server works without a disk cache.
fn open_cache(options: &CacheOptions, location: &str) -> Option<DiskCache> {
    DiskCache::open(&options.cache, location)
        .inspect_err(|error| tracing::warn!(%error, "the disk cache is disabled (--cache names another directory)"))
        .ok()
}
