//! Shared state of all handlers, and the limits of the server.

use std::sync::Arc;

use tokio::sync::watch;

use crate::http::forwarded::Reachability;
use crate::http::metrics::Metrics;
use crate::http::params::auth::BearerToken;
use crate::http::reply::etag::etag;
use crate::http::reply::modified::AnnouncedDates;
use crate::http::reply::stream::{Downloads, EventStreams};
use crate::http::workers::Workers;
use crate::model::{Catalog, FingerprintKey};
use crate::snapshot::{DerivedLayer, SnapshotHandle};
use crate::store::Store;
use crate::tile::cache::TileCache;

/// The parts of a server.
pub struct Service {
    /// Handle of the current snapshot.
    pub snapshots: Arc<SnapshotHandle>,
    /// The store, for edits.
    pub store: Arc<dyn Store>,
    /// The token required for edits; `None` disables edits.
    pub token: Option<BearerToken>,
    /// Key of the feature fingerprints, which are their entity tags.
    pub fingerprint_key: FingerprintKey,
    /// Layers, code lists and their labels.
    pub catalog: Catalog,
    /// The public base URL and the trusted proxies.
    pub reachability: Reachability,
    /// Whether each request is logged.
    pub access_log: bool,
}

/// Limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of concurrent event streams.
    pub event_streams: usize,
    /// Maximum size of the tile cache, bytes; 0 disables it.
    pub tile_cache_bytes: u64,
    /// Maximum size of a tile before compression, bytes.
    pub tile_budget_bytes: usize,
}

/// Shared state of all handlers.
pub(crate) struct AppState {
    pub(crate) snapshots: Arc<SnapshotHandle>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) token: Option<BearerToken>,
    pub(crate) fingerprint_key: FingerprintKey,
    pub(crate) catalog: Catalog,
    pub(crate) reachability: Reachability,
    pub(crate) access_log: bool,
    pub(crate) tiles: TileCache,
    pub(crate) coverage: DerivedLayer,
    pub(crate) downloads: Downloads,
    pub(crate) announced_dates: AnnouncedDates,
    pub(crate) streams: EventStreams,
    pub(crate) workers: Workers,
    pub(crate) metrics: Metrics,
    /// Random id of this run of the program, because versions of different runs are not comparable.
    pub(crate) run: String,
}

impl AppState {
    /// The state of a server whose event streams end once `closing` turns true.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn new(
        service: Service,
        limits: Limits,
        closing: watch::Receiver<bool>,
        metrics: Metrics,
    ) -> std::io::Result<Self> {
        let Service { snapshots, store, token, fingerprint_key, catalog, reachability, access_log } = service;
        let run = format!("{:016x}", snapshots.instance());
        Ok(Self {
            snapshots,
            store,
            token,
            fingerprint_key,
            catalog,
            reachability,
            access_log,
            tiles: TileCache::new(limits.tile_cache_bytes, limits.tile_budget_bytes, etag),
            coverage: DerivedLayer::default(),
            downloads: Downloads::default(),
            announced_dates: AnnouncedDates::default(),
            streams: EventStreams::new(limits.event_streams, closing),
            workers: Workers::new()?,
            metrics,
            run,
        })
    }
}
