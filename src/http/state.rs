//! What every handler may use, and how much the server takes.

use std::sync::Arc;

use tokio::sync::watch;

use crate::http::forwarded::Reachability;
use crate::http::params::auth::BearerToken;
use crate::http::reply::etag::etag;
use crate::http::reply::modified::AnnouncedDates;
use crate::http::reply::stream::{Downloads, EventStreams};
use crate::http::workers::Workers;
use crate::model::{Catalog, FingerprintKey};
use crate::snapshot::{DerivedLayer, SnapshotHandle};
use crate::store::Store;
use crate::tile::cache::TileCache;

/// What a server is started with.
pub struct Service {
    /// The snapshot, replaced as the store changes.
    pub snapshots: Arc<SnapshotHandle>,
    /// Where writes go.
    pub store: Arc<dyn Store>,
    /// What writers must present; `None` when writes are disabled.
    pub token: Option<BearerToken>,
    /// Key of the fingerprints of features, which are their entity tags.
    pub fingerprint_key: FingerprintKey,
    /// Layers, code lists and their labels.
    pub catalog: Catalog,
    /// How people reach the server, when it is behind a proxy.
    pub reachability: Reachability,
}

/// How much a server takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most event streams at once.
    pub event_streams: usize,
    /// Most bytes of finished tiles in memory; 0 keeps none.
    pub tile_cache_bytes: u64,
    /// Most bytes of one tile before it is compressed.
    pub tile_budget_bytes: usize,
}

/// What every handler may use.
pub(crate) struct AppState {
    pub(crate) snapshots: Arc<SnapshotHandle>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) token: Option<BearerToken>,
    pub(crate) fingerprint_key: FingerprintKey,
    pub(crate) catalog: Catalog,
    pub(crate) reachability: Reachability,
    pub(crate) tiles: TileCache,
    pub(crate) coverage: DerivedLayer,
    pub(crate) downloads: Downloads,
    pub(crate) announced_dates: AnnouncedDates,
    pub(crate) streams: EventStreams,
    pub(crate) workers: Workers,
    /// Names this run of the program: versions of an earlier run are not compared with its own.
    pub(crate) run: String,
}

impl AppState {
    /// The state of a server whose event streams end once `closing` turns true.
    ///
    /// # Errors
    /// When the system starts no threads.
    pub(crate) fn new(service: Service, limits: Limits, closing: watch::Receiver<bool>) -> std::io::Result<Self> {
        let Service { snapshots, store, token, fingerprint_key, catalog, reachability } = service;
        let run = format!("{:016x}", snapshots.instance());
        Ok(Self {
            snapshots,
            store,
            token,
            fingerprint_key,
            catalog,
            reachability,
            tiles: TileCache::new(limits.tile_cache_bytes, limits.tile_budget_bytes, etag),
            coverage: DerivedLayer::default(),
            downloads: Downloads::default(),
            announced_dates: AnnouncedDates::default(),
            streams: EventStreams::new(limits.event_streams, closing),
            workers: Workers::new()?,
            run,
        })
    }
}
