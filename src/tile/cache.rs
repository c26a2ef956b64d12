//! The tile cache: rendered tiles, valid until a visible change, bounded by bytes.
//!
//! Nothing invalidates the cache explicitly. A tile has the version it was rendered at, and a lookup checks in the
//! history whether its layers changed within its envelope since then. If not, the bytes are still valid.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use quick_cache::sync::{Cache, GuardResult};

use super::compress::{ContentEncoding, compress};
use super::{Drawing, EncodeError, EncodedTile, FeatureFilter, TileAddress, TileFormat, render, visible_envelope};
use crate::model::LayerIndex;
use crate::snapshot::vertex_zooms::FULL_DETAIL_ZOOM;
use crate::snapshot::{Layer, LayerDiff, Snapshot, SnapshotHandle, Version};

/// Overhead of a cached tile, bytes.
const OVERHEAD_BYTES: u64 = 256;
/// Average size of a tile, compressed and uncompressed, bytes.
const TYPICAL_BYTES: u64 = 8 * 1024;

/// A rendered tile.
#[derive(Debug)]
pub struct CachedTile {
    bytes: Bytes,
    encoding: ContentEncoding,
    tag: Box<str>,
    omitted: Box<str>,
    rendered_at: Version,
    /// The newest version for which it is known to be valid.
    valid_until: AtomicI64,
}

impl CachedTile {
    /// The body; empty for an empty tile.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its encoding: the requested one, or none if compression does not make it smaller.
    #[must_use]
    pub fn encoding(&self) -> ContentEncoding {
        self.encoding
    }

    /// Tag of its uncompressed bytes.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Whether it is known, without a look at the history, to equal one rendered at a version.
    #[must_use]
    pub fn is_known_for(&self, version: Version) -> bool {
        (self.rendered_at..=self.valid_until.load(Ordering::Acquire)).contains(&version)
    }

    /// Number of omitted features by layer, such as `pipelines=1234, roads=5`; empty if none.
    #[must_use]
    pub fn omitted(&self) -> &str {
        &self.omitted
    }
}

/// A request for a tile.
#[derive(Clone, Copy)]
pub struct TileRequest<'a> {
    /// The history of changes.
    pub head: &'a SnapshotHandle,
    /// The snapshot to render.
    pub snapshot: &'a Snapshot,
    /// Layers of that snapshot, in drawing order.
    pub layers: &'a [&'a Layer],
    /// What it draws of them.
    pub drawing: Drawing,
    /// The tile address.
    pub address: TileAddress,
    /// The requested format.
    pub format: TileFormat,
    /// The requested encoding.
    pub encoding: ContentEncoding,
    /// A filter on features; `None` for all.
    pub filter: Option<FeatureFilter<'a>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    layers: Box<str>,
    filter: Box<str>,
    drawing: Drawing,
    address: TileAddress,
    format: TileFormat,
    encoding: ContentEncoding,
}

impl Key {
    fn of(request: TileRequest<'_>) -> Self {
        let names: Vec<&str> = request.layers.iter().map(|layer| layer.schema().id.as_str()).collect();
        Self {
            layers: names.join(",").into(),
            filter: request.filter.map_or("", |filter| filter.name).into(),
            drawing: request.drawing,
            address: request.address,
            format: request.format,
            encoding: request.encoding,
        }
    }
}

#[derive(Clone)]
struct Weight;

impl quick_cache::Weighter<Key, Arc<CachedTile>> for Weight {
    fn weight(&self, key: &Key, tile: &Arc<CachedTile>) -> u64 {
        OVERHEAD_BYTES
            + (key.layers.len() + key.filter.len() + tile.bytes.len() + tile.tag.len() + tile.omitted.len()) as u64
    }
}

/// A cache of rendered tiles.
pub struct TileCache {
    /// `None` if caching is disabled.
    kept: Option<Cache<Key, Arc<CachedTile>, Weight>>,
    budget_bytes: usize,
    tag: fn(&[u8]) -> String,
}

impl TileCache {
    /// Creates a cache of up to `bytes` bytes; a tile has at most `budget_bytes` before compression. `tag` computes a
    /// tag from uncompressed bytes.
    #[must_use]
    pub fn new(capacity_bytes: u64, budget_bytes: usize, tag: fn(&[u8]) -> String) -> Self {
        let typical = usize::try_from(capacity_bytes / TYPICAL_BYTES).unwrap_or(usize::MAX).max(1);
        let kept = (capacity_bytes > 0).then(|| Cache::with_weighter(typical, capacity_bytes, Weight));
        Self { kept, budget_bytes, tag }
    }

    /// A cached tile that equals one rendered from the current snapshot.
    #[must_use]
    pub fn kept(&self, request: TileRequest<'_>) -> Option<Arc<CachedTile>> {
        self.kept.as_ref()?.get(&Key::of(request)).filter(|found| is_valid_for(found, request))
    }

    /// A tile equal to one rendered from the current snapshot. Concurrent requests for a tile wait for one rendering.
    ///
    /// # Errors
    /// When the tile cannot be expressed in its format.
    pub fn get(&self, request: TileRequest<'_>) -> Result<Arc<CachedTile>, EncodeError> {
        let Some(kept) = &self.kept else { return self.make(request) };
        let key = Key::of(request);
        loop {
            match kept.get_value_or_guard(&key, None) {
                GuardResult::Value(found) if is_valid_for(&found, request) => return Ok(found),
                // A request with an older snapshot leaves the newer tile in the cache.
                GuardResult::Value(found) if found.rendered_at > request.snapshot.version() => {
                    return self.make(request);
                }
                GuardResult::Value(found) => {
                    kept.remove_if(&key, |still| Arc::ptr_eq(still, &found));
                }
                GuardResult::Guard(place) => {
                    let rendered = self.make(request)?;
                    // A tile larger than the cache is not stored.
                    let _ = place.insert(rendered.clone());
                    return Ok(rendered);
                }
                GuardResult::Timeout => return self.make(request),
            }
        }
    }

    fn make(&self, request: TileRequest<'_>) -> Result<Arc<CachedTile>, EncodeError> {
        let version = request.snapshot.version();
        let valid_until = AtomicI64::new(version);
        Ok(Arc::new(if request.encoding == ContentEncoding::Plain {
            let EncodedTile { bytes, omitted } = render(
                request.layers,
                request.drawing,
                request.address,
                request.format,
                request.filter,
                self.budget_bytes,
            )?;
            let bytes = Bytes::from(bytes);
            let tag = (self.tag)(&bytes).into();
            let omitted: Vec<String> = omitted.into_iter().map(|(layer, count)| format!("{layer}={count}")).collect();
            let omitted = omitted.join(", ").into();
            CachedTile { bytes, encoding: ContentEncoding::Plain, tag, omitted, rendered_at: version, valid_until }
        } else {
            let plain = self.get(TileRequest { encoding: ContentEncoding::Plain, ..request })?;
            let packed = compress(&plain.bytes, request.encoding).ok();
            let packed = packed.filter(|packed| packed.len() < plain.bytes.len());
            let encoding = packed.as_ref().map_or(ContentEncoding::Plain, |_| request.encoding);
            let bytes = packed.map_or_else(|| plain.bytes.clone(), Bytes::from);
            let (tag, omitted) = (plain.tag.clone(), plain.omitted.clone());
            CachedTile { bytes, encoding, tag, omitted, rendered_at: plain.rendered_at, valid_until }
        }))
    }
}

/// Whether a tile is valid for the requested snapshot.
fn is_valid_for(tile: &CachedTile, request: TileRequest<'_>) -> bool {
    let now = request.snapshot.version();
    if tile.is_known_for(now) {
        return true;
    }
    let valid_until = tile.valid_until.load(Ordering::Acquire);
    let right = if now > valid_until {
        is_unchanged(request, valid_until, now)
    } else {
        is_unchanged(request, now, tile.rendered_at)
    };
    if right {
        tile.valid_until.fetch_max(now, Ordering::AcqRel);
    }
    right
}

/// Whether nothing visible in a tile changed between two versions.
fn is_unchanged(request: TileRequest<'_>, from: Version, to: Version) -> bool {
    let Some(diffs) = request.head.changes(from, to) else { return false };
    let boxes: Vec<_> = visible_envelope(request.address).split().collect();
    let zoom = request.address.mercator_zoom();
    let shown = |layer: LayerIndex| {
        let id = request.snapshot.layers().get(layer.0).map(|layer| &layer.schema().id);
        let own = request.layers.iter().find(|own| Some(&own.schema().id) == id).map(|own| own.schema());
        own.filter(|own| request.drawing == Drawing::RiskGrid || own.min_zoom <= zoom)
    };
    // A changed border may split an arc of a neighbouring area, which then simplifies differently along its whole
    // length.
    let touches = |edits: &LayerDiff| {
        shown(edits.layer()).is_some_and(|schema| {
            (schema.tessellation && zoom < FULL_DETAIL_ZOOM) || boxes.iter().any(|own| edits.touches(own))
        })
    };
    diffs.iter().all(|diff| diff.layers().is_some_and(|layers| !layers.iter().any(touches)))
}
