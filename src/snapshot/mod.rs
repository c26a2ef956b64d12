//! The snapshot: everything on the map at one moment, immutable, in memory.
//!
//! A [`Snapshot`] holds layers, a layer holds chunks of a few thousand neighbouring features, a chunk
//! holds columns, shapes and two R-trees. A change rebuilds the chunks it touches and shares all
//! others with the snapshot before; [`SnapshotHandle`] swaps the pointer, so readers never wait and an answer
//! that holds one `Arc<Snapshot>` has one version throughout.

mod chunk;
mod column;
mod derived;
pub mod disk_cache;
pub mod disk_cache_writer;
pub mod follower;
mod history;
mod id_index;
mod layer;
mod pyramid;
mod resources;
mod spatial_index;
pub mod vertex_zooms;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::model::{FeatureId, LayerSchema};

pub use chunk::{Chunk, Group, Row};
pub use derived::DerivedLayer;
pub use history::{FeatureChange, LayerDiff, SnapshotDiff};
pub use layer::Layer;
pub use pyramid::{CellAddress, ClusterStats, RowFilter, TileContent, TileWindow};
pub use resources::{ChunkResources, ResourceFields, StockItem, SupplyMaximum, SupplySummary};

/// Names the data an answer was made from: the position in the store's change log.
pub type Version = i64;

/// Everything on the map at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    version: Version,
    layers: Vec<Arc<Layer>>,
}

impl Snapshot {
    /// An empty map.
    #[must_use]
    pub fn empty(schemas: &[LayerSchema]) -> Self {
        Self::new(0, schemas.iter().map(|schema| Layer::build(schema.clone(), Vec::new())).collect())
    }

    /// The map made of these layers.
    #[must_use]
    pub fn new(version: Version, layers: Vec<Layer>) -> Self {
        Self { version, layers: layers.into_iter().map(Arc::new).collect() }
    }

    /// The version of the newest change in it.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// All layers in drawing order.
    #[must_use]
    pub fn layers(&self) -> &[Arc<Layer>] {
        &self.layers
    }

    /// A layer by its id.
    #[must_use]
    pub fn layer(&self, id: &str) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.schema().id == id).map(Arc::as_ref)
    }
}

/// The one place where the snapshot is replaced.
#[derive(Debug)]
pub struct SnapshotHandle {
    current: ArcSwap<Snapshot>,
    /// When the snapshot was last known to equal the store, milliseconds since 1970.
    confirmed_ms: AtomicI64,
    /// The same by a clock that nobody sets.
    confirmed: RwLock<Confirmed>,
    history: RwLock<history::History>,
    newest: watch::Sender<Version>,
    instance: u64,
}

/// When the snapshot was known to be so old.
#[derive(Clone, Copy, Debug)]
struct Confirmed {
    at: Instant,
    age: Duration,
}

impl SnapshotHandle {
    /// Starts with a snapshot that equals the store at this time (milliseconds since 1970).
    #[must_use]
    pub fn new(snapshot: Snapshot, now_ms: i64) -> Self {
        Self::aged(snapshot, now_ms, Duration::ZERO)
    }

    /// Starts with a snapshot that was known to equal the store at a time (milliseconds since 1970) that is so long ago.
    #[must_use]
    pub fn aged(snapshot: Snapshot, confirmed_ms: i64, age: Duration) -> Self {
        Self {
            newest: watch::Sender::new(snapshot.version),
            current: ArcSwap::from_pointee(snapshot),
            confirmed_ms: AtomicI64::new(confirmed_ms),
            confirmed: RwLock::new(Confirmed { at: Instant::now(), age }),
            history: RwLock::default(),
            instance: RandomState::new().hash_one(()),
        }
    }

    /// Differs from one run of a server to another: a version names one content within one run only, because what is
    /// noticed by comparing rows counts the version up without an entry in the store's log.
    #[must_use]
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// The snapshot now. Load it once for one answer.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// When the snapshot was last known to equal the store, milliseconds since 1970.
    #[must_use]
    pub fn confirmed_ms(&self) -> i64 {
        self.confirmed_ms.load(Ordering::Acquire)
    }

    /// The version of the snapshot, to wait on: wakes at each replacement.
    #[must_use]
    pub fn versions(&self) -> watch::Receiver<Version> {
        self.newest.subscribe()
    }

    /// What led from one version of the snapshot to a later one; `None` when that is not remembered.
    #[must_use]
    pub fn changes(&self, from: Version, to: Version) -> Option<Vec<Arc<SnapshotDiff>>> {
        self.history.read().unwrap_or_else(PoisonError::into_inner).between(from, to)
    }

    /// Puts a snapshot in the place of the one before. `changed` names the features that differ, by position of
    /// their layer; `None` when anything may differ.
    fn replace(&self, snapshot: Snapshot, changed: Option<Vec<(usize, Vec<FeatureId>)>>) {
        let before = self.load();
        let version = snapshot.version;
        let edits = changed.map(|changed| history::compare(&before, &snapshot, changed));
        {
            // Whoever reads of a change finds it in the snapshot.
            let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
            history.push(before.version, version, edits);
            self.current.store(Arc::new(snapshot));
        }
        self.newest.send_replace(version);
    }

    /// How long ago the snapshot was last known to equal the store. The system's clock may be set meanwhile.
    #[must_use]
    pub fn age(&self) -> Duration {
        let confirmed = *self.confirmed.read().unwrap_or_else(PoisonError::into_inner);
        confirmed.at.elapsed() + confirmed.age
    }

    /// The snapshot equalled the store at this time, by both clocks.
    fn confirm(&self, now_ms: i64, now: Instant) {
        self.confirmed_ms.store(now_ms, Ordering::Release);
        *self.confirmed.write().unwrap_or_else(PoisonError::into_inner) = Confirmed { at: now, age: Duration::ZERO };
    }
}
