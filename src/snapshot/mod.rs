//! The snapshot: all data of the map at one version, immutable, in memory.
//!
//! A [`Snapshot`] has layers, a layer has chunks of a few thousand neighbouring features, a chunk has columns, shapes
//! and spatial indexes. A change rebuilds the affected chunks and shares all others with the previous snapshot.
//! [`SnapshotHandle`] replaces a pointer, so readers never wait, and a reply that holds an `Arc<Snapshot>` has one
//! version throughout.

mod chunk;
mod column;
mod derived;
pub mod disk_cache;
pub mod disk_cache_writer;
pub mod follower;
mod history;
mod id_index;
mod label_point;
mod layer;
mod packed_integers;
mod pyramid;
mod resources;
mod restriction;
mod spatial_index;
mod texts;
pub mod vertex_zooms;
mod visible_row;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::model::{LayerSchema, SharedState};

pub use chunk::{Chunk, Group, Row};
pub use derived::DerivedLayer;
pub use history::{FeatureChange, LayerDiff, SnapshotDiff};
pub use layer::Layer;
pub use pyramid::{CellAddress, ClusterStats, RowFilter, TileContent, TileWindow};
pub use resources::{ChunkResources, ResourceFields, StockItem, SupplyMaximum, SupplySummary};
pub use restriction::{LayerRestriction, Restriction, RowRule, RowTest};
pub use visible_row::VisibleRow;

/// The version of the data: grows with the change log of the store.
pub type Version = i64;

/// All layers at one version.
#[derive(Clone, Debug)]
pub struct Snapshot {
    version: Version,
    /// `None` if only this process has the snapshot.
    shared: Option<SharedState>,
    layers: Vec<Arc<Layer>>,
}

impl Snapshot {
    /// A snapshot without layers.
    #[must_use]
    pub fn empty(schemas: &[LayerSchema]) -> Self {
        Self::new(0, schemas.iter().map(|schema| Layer::build(schema.clone(), Vec::new())).collect())
    }

    /// A snapshot of these layers.
    #[must_use]
    pub fn new(version: Version, layers: Vec<Layer>) -> Self {
        Self { version, shared: None, layers: layers.into_iter().map(Arc::new).collect() }
    }

    /// The same snapshot, which other processes have too.
    #[must_use]
    pub fn shared_as(self, shared: Option<SharedState>) -> Self {
        Self { shared, ..self }
    }

    /// What identifies it on all servers of one database; `None` if only this process has it, and the version counts
    /// only together with [`SnapshotHandle::instance`].
    #[must_use]
    pub fn shared(&self) -> Option<SharedState> {
        self.shared
    }

    /// Version of its newest change.
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

/// The current snapshot. Only the follower replaces it.
#[derive(Debug)]
pub struct SnapshotHandle {
    current: ArcSwap<Snapshot>,
    confirmation: Arc<Confirmation>,
    history: RwLock<history::History>,
    newest: watch::Sender<Version>,
    instance: u64,
    /// What other callers see of this snapshot; replaced together with it.
    restricted: Mutex<Vec<(Restriction, Arc<SnapshotHandle>)>>,
}

/// When a snapshot last equalled the store.
#[derive(Debug)]
struct Confirmation {
    /// Milliseconds since 1970.
    wall_ms: AtomicI64,
    /// The same on the monotonic clock.
    monotonic: RwLock<Confirmed>,
}

/// A time at which the age of the snapshot was known.
#[derive(Clone, Copy, Debug)]
struct Confirmed {
    at: Instant,
    age: Duration,
}

impl SnapshotHandle {
    /// Creates a handle with a snapshot that equals the store at this time (milliseconds since 1970).
    #[must_use]
    pub fn new(snapshot: Snapshot, now_ms: i64) -> Self {
        Self::aged(snapshot, now_ms, Duration::ZERO)
    }

    /// Creates a handle with a snapshot that equalled the store at a time (milliseconds since 1970), `age` ago.
    #[must_use]
    pub fn aged(snapshot: Snapshot, confirmed_ms: i64, age: Duration) -> Self {
        let monotonic = RwLock::new(Confirmed { at: Instant::now(), age });
        Self::confirmed_by(snapshot, Arc::new(Confirmation { wall_ms: AtomicI64::new(confirmed_ms), monotonic }))
    }

    fn confirmed_by(snapshot: Snapshot, confirmation: Arc<Confirmation>) -> Self {
        Self {
            newest: watch::Sender::new(snapshot.version),
            current: ArcSwap::from_pointee(snapshot),
            confirmation,
            history: RwLock::default(),
            instance: RandomState::new().hash_one(()),
            restricted: Mutex::default(),
        }
    }

    /// A handle of what a restriction leaves of this snapshot, always equally new. Its version is that of this snapshot
    /// after the last visible change, so that nobody learns of other changes; its instance is another, because the same
    /// version has other content.
    #[must_use]
    pub fn restricted(&self, restriction: Restriction) -> Arc<Self> {
        let mut all = self.restricted.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = restriction.apply(&self.load());
        let handle = Arc::new(Self::confirmed_by(snapshot, self.confirmation.clone()));
        all.push((restriction, handle.clone()));
        handle
    }

    /// Identifies the process: the version of a snapshot that is not shared identifies content only within one process,
    /// because changes found by comparing rows increment the version without an entry in the log.
    #[must_use]
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// The current snapshot. Load it once per reply.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// When the snapshot last equalled the store, milliseconds since 1970.
    #[must_use]
    pub fn confirmed_ms(&self) -> i64 {
        self.confirmation.wall_ms.load(Ordering::Acquire)
    }

    /// The version as a channel that signals each replacement.
    #[must_use]
    pub fn versions(&self) -> watch::Receiver<Version> {
        self.newest.subscribe()
    }

    /// The changes between two versions; `None` if they are no longer kept.
    #[must_use]
    pub fn changes(&self, from: Version, to: Version) -> Option<Vec<Arc<SnapshotDiff>>> {
        self.history.read().unwrap_or_else(PoisonError::into_inner).between(from, to)
    }

    /// The newest version up to this one whose changes are known; `None` if it is too old.
    #[must_use]
    pub fn known_version(&self, version: Version) -> Option<Version> {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        let current = self.load().version;
        if version >= current { Some(current) } else { history.known_version(version) }
    }

    /// Replaces the snapshot. `changes` are the changes by layer; `None` if anything may have changed.
    fn replace(&self, snapshot: Snapshot, changes: Option<Vec<LayerDiff>>) {
        let before = self.load();
        let version = snapshot.version;
        // Locked to the end, so that a new restriction begins with the snapshot before or after.
        let restricted = self.restricted.lock().unwrap_or_else(PoisonError::into_inner);
        for (restriction, handle) in &*restricted {
            let (own, changes) = restriction.follow(&before, &handle.load(), &snapshot, changes.as_deref());
            if changes.as_ref().is_some_and(|changes| changes.iter().all(|diff| diff.count() == 0)) {
                // Values that are not visible are kept current; what identifies the state stays.
                let Snapshot { version, shared, .. } = *handle.load();
                handle.current.store(Arc::new(Snapshot { version, shared, ..own }));
            } else {
                handle.replace(own, changes);
            }
        }
        {
            // Both under the lock of the history, so that a reader of a change finds it in the snapshot.
            let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
            history.push(before.version, version, changes);
            self.current.store(Arc::new(snapshot));
        }
        self.newest.send_replace(version);
    }

    /// Time since the snapshot last equalled the store; independent of changes of the system clock.
    #[must_use]
    pub fn age(&self) -> Duration {
        let confirmed = *self.confirmation.monotonic.read().unwrap_or_else(PoisonError::into_inner);
        confirmed.at.elapsed() + confirmed.age
    }

    /// Records that the snapshot equalled the store at this time, on both clocks.
    fn confirm(&self, now_ms: i64, now: Instant) {
        let Confirmation { wall_ms, monotonic } = &*self.confirmation;
        wall_ms.store(now_ms, Ordering::Release);
        *monotonic.write().unwrap_or_else(PoisonError::into_inner) = Confirmed { at: now, age: Duration::ZERO };
    }
}
