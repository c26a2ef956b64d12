//! Shared state of all handlers, and the limits of the server.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::http::assets;
use crate::http::cors::AllowedOrigins;
use crate::http::forwarded::Reachability;
use crate::http::metrics::Metrics;
use crate::http::params::auth::AccessControl;
use crate::http::rate_limits::RateLimits;
use crate::http::reply::etag::etag;
use crate::http::reply::modified::AnnouncedDates;
use crate::http::reply::problem::Problem;
use crate::http::reply::stream::{Downloads, EventStreams};
use crate::http::tiles::packs::Packs;
use crate::http::tiles::requested::RequestedTiles;
use crate::http::workers::Workers;
use crate::import::sync::SyncStatuses;
use crate::import::uploads::Uploads;
use crate::model::base_map::BaseMap;
use crate::model::{Catalog, FingerprintKey, OverCommitment, Role, stable_hash};
use crate::query::road::RoadNetworks;
use crate::query::road::engine::RoadEngine;
use crate::snapshot::{DerivedLayer, Snapshot, SnapshotHandle};
use crate::store::{AuditSpool, Store};
use crate::subscription::{Registry, Views};
use crate::tile::cache::TileCache;
use crate::traces::Traces;

/// The parts of a server.
pub struct Service {
    /// Handle of the current snapshot.
    pub snapshots: Arc<SnapshotHandle>,
    /// The store, for edits.
    pub store: Arc<dyn Store>,
    /// How callers are identified.
    pub access: AccessControl,
    /// Audit entries that wait for the store.
    pub audit: AuditSpool,
    /// What each role sees.
    pub views: Views,
    /// Key of the feature fingerprints, which are their entity tags.
    pub fingerprint_key: FingerprintKey,
    /// Layers, code lists and their labels.
    pub catalog: Catalog,
    /// The public base URL and the trusted proxies.
    pub reachability: Reachability,
    /// Whether each request is logged.
    pub access_log: bool,
    /// Directory of PMTiles archives.
    pub packs: Option<PathBuf>,
    /// Raster tiles below the layers.
    pub base_map: Option<BaseMap>,
    /// Folder for files that wait to be imported.
    pub uploads: PathBuf,
    /// How collections of other servers are kept.
    pub sync_statuses: SyncStatuses,
    /// What happens to commitments of more than is free.
    pub over_commitment: OverCommitment,
    /// Subscriptions of other services; `None` if there can be none.
    pub subscriptions: Option<Arc<Registry>>,
    /// Pages of other origins that may read replies.
    pub allowed_origins: AllowedOrigins,
    /// The engine that computes travel on roads; `None` for the roads on the map.
    pub road_engine: Option<Arc<dyn RoadEngine>>,
    /// Hash of the program and its configuration: replies of servers with the same hash are the same.
    pub configuration: u64,
    /// Records a span of each request; `None` without a collector.
    pub traces: Option<Arc<Traces>>,
}

/// Limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of concurrent event streams.
    pub event_streams: usize,
    /// Maximum size of the tile cache, bytes; 0 disables it.
    pub tile_cache_bytes: u64,
    /// Requests per second of one caller; 0 sets no limit.
    pub requests_per_s: u32,
    /// Maximum size of a tile before compression, bytes.
    pub tile_budget_bytes: usize,
}

/// Shared state of all handlers.
pub(crate) struct AppState {
    pub(crate) snapshots: Arc<SnapshotHandle>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) access: AccessControl,
    pub(crate) audit: AuditSpool,
    audiences: Vec<(Vec<Role>, Arc<Audience>)>,
    pub(crate) fingerprint_key: FingerprintKey,
    pub(crate) catalog: Catalog,
    pub(crate) reachability: Reachability,
    pub(crate) access_log: bool,
    pub(crate) packs: Packs,
    pub(crate) base_map: Option<BaseMap>,
    /// Security policy of the viewer.
    pub(crate) viewer_policy: String,
    pub(crate) road_networks: RoadNetworks,
    pub(crate) allowed_origins: AllowedOrigins,
    /// The engine that computes travel instead.
    pub(crate) road_engine: Option<Arc<dyn RoadEngine>>,
    pub(crate) traces: Option<Arc<Traces>>,
    pub(crate) downloads: Downloads,
    pub(crate) streams: EventStreams,
    pub(crate) workers: Workers,
    pub(crate) metrics: Metrics,
    pub(crate) rate_limits: RateLimits,
    pub(crate) uploads: Uploads,
    /// Held by the import that runs.
    pub(crate) import_turn: Semaphore,
    pub(crate) sync_statuses: SyncStatuses,
    pub(crate) over_commitment: OverCommitment,
    pub(crate) subscriptions: Option<Arc<Registry>>,
    /// Values of `source` of the features that other servers maintain.
    pub(crate) synced_sources: Vec<String>,
    /// The runtime of the store.
    pub(crate) runtime: Handle,
}

/// What callers with some roles see, and what is kept of it.
pub(crate) struct Audience {
    pub(crate) snapshots: Arc<SnapshotHandle>,
    pub(crate) tiles: TileCache,
    pub(crate) requested_tiles: RequestedTiles,
    pub(crate) coverage: DerivedLayer,
    pub(crate) announced_dates: AnnouncedDates,
    /// What replies depend on in addition to the snapshot: the program, its configuration, and what these callers see.
    variant: u64,
}

impl Audience {
    fn new(snapshots: Arc<SnapshotHandle>, variant: u64, tile_cache_bytes: u64, tile_budget_bytes: usize) -> Self {
        Self {
            snapshots,
            tiles: TileCache::new(tile_cache_bytes, tile_budget_bytes, etag),
            requested_tiles: RequestedTiles::default(),
            coverage: DerivedLayer::default(),
            announced_dates: AnnouncedDates::default(),
            variant,
        }
    }

    /// Identifies the state of the data that these callers see: equal on all servers of one database with the same
    /// program and configuration.
    pub(crate) fn state_id(&self, snapshot: &Snapshot) -> String {
        let digest = snapshot.shared().map_or(0, |shared| shared.digest);
        let hash = stable_hash(&(self.variant, digest, self.lineage_number(snapshot)));
        format!("{hash:016x}-{}", snapshot.version())
    }

    /// Identifies the log in which the version of a snapshot counts: that of the database, or this run of the program.
    pub(crate) fn lineage(&self, snapshot: &Snapshot) -> String {
        format!("{:016x}", self.lineage_number(snapshot))
    }

    fn lineage_number(&self, snapshot: &Snapshot) -> u64 {
        match snapshot.shared() {
            Some(shared) => stable_hash(&(self.variant, shared.log)),
            None => self.snapshots.instance(),
        }
    }
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
        let Service {
            snapshots,
            store,
            access,
            audit,
            views,
            fingerprint_key,
            catalog,
            reachability,
            access_log,
            packs,
            base_map,
            uploads,
            sync_statuses,
            over_commitment,
            subscriptions,
            allowed_origins,
            road_engine,
            configuration,
            traces,
        } = service;
        let synced_sources = {
            let statuses = sync_statuses.lock().unwrap_or_else(PoisonError::into_inner);
            statuses.iter().filter(|status| status.is_kept).map(|status| status.source.clone()).collect()
        };
        let share = limits.tile_cache_bytes / views.len().max(1) as u64;
        let audience = |(roles, own): (Vec<Role>, _)| {
            let variant = stable_hash(&(configuration, format!("{roles:?}"), limits.tile_budget_bytes));
            (roles, Arc::new(Audience::new(own, variant, share, limits.tile_budget_bytes)))
        };
        Ok(Self {
            audiences: views.into_iter().map(audience).collect(),
            snapshots,
            store,
            access,
            audit,
            fingerprint_key,
            catalog,
            reachability,
            access_log,
            packs: Packs::new(packs),
            viewer_policy: assets::viewer_policy(base_map.as_ref()),
            base_map,
            road_networks: RoadNetworks::default(),
            allowed_origins,
            road_engine,
            traces,
            downloads: Downloads::default(),
            streams: EventStreams::new(limits.event_streams, closing),
            workers: Workers::new()?,
            metrics,
            rate_limits: RateLimits::new(limits.requests_per_s),
            uploads: Uploads::new(uploads),
            sync_statuses,
            over_commitment,
            subscriptions,
            synced_sources,
            import_turn: Semaphore::new(1),
            runtime: Handle::try_current().map_err(std::io::Error::other)?,
        })
    }

    /// What a role sees.
    ///
    /// # Errors
    /// When the server has no restriction for the role.
    pub(crate) fn audience(&self, role: Role) -> Result<&Arc<Audience>, Problem> {
        let found = self.audiences.iter().find(|(roles, _)| roles.contains(&role));
        found.map(|(_, audience)| audience).ok_or(Problem::Unavailable)
    }
}
