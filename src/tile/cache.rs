//! Finished tiles, kept until something that they show has changed; bounded by bytes.
//!
//! Nobody tells the cache of a change. A tile carries the version it was made at, and who looks it up asks the
//! history whether anything of its layers changed since then within its reach: if not, its bytes are still right.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use quick_cache::sync::{Cache, GuardResult};

use super::{EncodedTile, FeatureFilter, TileAddress, reach, render};
use crate::snapshot::vertex_zooms::FULL_DETAIL_ZOOM;
use crate::snapshot::{Layer, LayerDiff, Snapshot, SnapshotHandle, Version};

/// Bytes that a kept tile costs beside its own.
const OVERHEAD_BYTES: u64 = 256;
/// What a tile weighs on the average, packed and plain, bytes.
const TYPICAL_BYTES: u64 = 8 * 1024;
/// Packed once and sent many times: worth more than the least effort, not worth the most (0..=11).
const BROTLI_QUALITY: u32 = 5;
/// Window of the brotli packer, as a power of two bytes.
const BROTLI_WINDOW: u32 = 20;

/// How the bytes of a tile are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentEncoding {
    /// Not at all.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
}

/// A tile that is ready to be sent.
#[derive(Debug)]
pub struct CachedTile {
    bytes: Bytes,
    packing: ContentEncoding,
    tag: Box<str>,
    omitted: Box<str>,
    made: Version,
    /// The newest version that it is known to be right for.
    valid_until: AtomicI64,
}

impl CachedTile {
    /// What is sent; empty when nothing is there.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How it is packed: as was asked for, or not at all where that would not make it smaller.
    #[must_use]
    pub fn packing(&self) -> ContentEncoding {
        self.packing
    }

    /// The name of its plain bytes.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// How many features of which layers were omitted, such as `pipelines=1234, roads=5`; empty when none were.
    #[must_use]
    pub fn omitted(&self) -> &str {
        &self.omitted
    }
}

/// Which tile is wanted.
#[derive(Clone, Copy)]
pub struct TileRequest<'a> {
    /// Remembers what changed.
    pub head: &'a SnapshotHandle,
    /// The snapshot that the tile is to show.
    pub snapshot: &'a Snapshot,
    /// Layers of that snapshot, in the order of drawing.
    pub layers: &'a [&'a Layer],
    /// The place.
    pub address: TileAddress,
    /// How it is to be packed.
    pub packing: ContentEncoding,
    /// Which features; all without it.
    pub choice: Option<FeatureFilter<'a>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    layers: Box<str>,
    choice: Box<str>,
    address: TileAddress,
    packing: ContentEncoding,
}

impl Key {
    fn of(wanted: TileRequest<'_>) -> Self {
        let names: Vec<&str> = wanted.layers.iter().map(|layer| layer.schema().id.as_str()).collect();
        Self {
            layers: names.join(",").into(),
            choice: wanted.choice.map_or("", |choice| choice.name).into(),
            address: wanted.address,
            packing: wanted.packing,
        }
    }
}

#[derive(Clone)]
struct Weight;

impl quick_cache::Weighter<Key, Arc<CachedTile>> for Weight {
    fn weight(&self, key: &Key, tile: &Arc<CachedTile>) -> u64 {
        OVERHEAD_BYTES
            + (key.layers.len() + key.choice.len() + tile.bytes.len() + tile.tag.len() + tile.omitted.len()) as u64
    }
}

/// The finished tiles.
pub struct TileCache {
    /// `None` when nothing is to be kept.
    kept: Option<Cache<Key, Arc<CachedTile>, Weight>>,
    budget_bytes: usize,
    tag: fn(&[u8]) -> String,
}

impl TileCache {
    /// Keeps up to so many bytes of tiles, each of which has up to `budget_bytes` before it is packed; `tag` names a tile
    /// by its plain bytes.
    #[must_use]
    pub fn new(capacity_bytes: u64, budget_bytes: usize, tag: fn(&[u8]) -> String) -> Self {
        let typical = usize::try_from(capacity_bytes / TYPICAL_BYTES).unwrap_or(usize::MAX).max(1);
        let kept = (capacity_bytes > 0).then(|| Cache::with_weighter(typical, capacity_bytes, Weight));
        Self { kept, budget_bytes, tag }
    }

    /// A tile that is kept and equals one made from the snapshot now.
    #[must_use]
    pub fn kept(&self, wanted: TileRequest<'_>) -> Option<Arc<CachedTile>> {
        self.kept.as_ref()?.get(&Key::of(wanted)).filter(|found| is_right(found, wanted))
    }

    /// A tile, equal to one made from the snapshot now. Callers who want the same tile at once wait for one maker.
    #[must_use]
    pub fn get(&self, wanted: TileRequest<'_>) -> Arc<CachedTile> {
        let Some(kept) = &self.kept else { return self.make(wanted) };
        let key = Key::of(wanted);
        loop {
            match kept.get_value_or_guard(&key, None) {
                GuardResult::Value(found) if is_right(&found, wanted) => return found,
                // A reader who still holds an older snapshot leaves the newer tile to the others.
                GuardResult::Value(found) if found.made > wanted.snapshot.version() => return self.make(wanted),
                GuardResult::Value(found) => {
                    kept.remove_if(&key, |still| Arc::ptr_eq(still, &found));
                }
                GuardResult::Guard(place) => {
                    let made = self.make(wanted);
                    // It is not kept when it alone is heavier than all that may be.
                    let _ = place.insert(made.clone());
                    return made;
                }
                GuardResult::Timeout => return self.make(wanted),
            }
        }
    }

    fn make(&self, wanted: TileRequest<'_>) -> Arc<CachedTile> {
        let version = wanted.snapshot.version();
        let valid_until = AtomicI64::new(version);
        Arc::new(if wanted.packing == ContentEncoding::Plain {
            let EncodedTile { bytes, omitted } =
                render(wanted.layers, wanted.address, wanted.choice, self.budget_bytes);
            let bytes = Bytes::from(bytes);
            let tag = (self.tag)(&bytes).into();
            let omitted: Vec<String> = omitted.into_iter().map(|(layer, count)| format!("{layer}={count}")).collect();
            let omitted = omitted.join(", ").into();
            CachedTile { bytes, packing: ContentEncoding::Plain, tag, omitted, made: version, valid_until }
        } else {
            let plain = self.get(TileRequest { packing: ContentEncoding::Plain, ..wanted });
            let packed = pack(&plain.bytes, wanted.packing).ok().filter(|packed| packed.len() < plain.bytes.len());
            let packing = packed.as_ref().map_or(ContentEncoding::Plain, |_| wanted.packing);
            let bytes = packed.map_or_else(|| plain.bytes.clone(), Bytes::from);
            let (tag, omitted) = (plain.tag.clone(), plain.omitted.clone());
            CachedTile { bytes, packing, tag, omitted, made: plain.made, valid_until }
        })
    }
}

/// Whether a tile shows the snapshot that is wanted.
fn is_right(tile: &CachedTile, wanted: TileRequest<'_>) -> bool {
    let now = wanted.snapshot.version();
    let valid_until = tile.valid_until.load(Ordering::Acquire);
    if (tile.made..=valid_until).contains(&now) {
        return true;
    }
    let right =
        if now > valid_until { is_untouched(wanted, valid_until, now) } else { is_untouched(wanted, now, tile.made) };
    if right {
        tile.valid_until.fetch_max(now, Ordering::AcqRel);
    }
    right
}

/// Whether nothing that a tile shows changed between two versions.
fn is_untouched(wanted: TileRequest<'_>, from: Version, to: Version) -> bool {
    let Some(swaps) = wanted.head.changes(from, to) else { return false };
    let boxes: Vec<_> = reach(wanted.address).split().collect();
    let zoom = wanted.address.mercator_zoom();
    let shown = |layer: usize| {
        let id = wanted.snapshot.layers().get(layer).map(|layer| &layer.schema().id);
        let own = wanted.layers.iter().find(|own| Some(&own.schema().id) == id).map(|own| own.schema());
        own.filter(|own| own.min_zoom <= zoom)
    };
    // A changed border may split an arc of a neighbour, which is then simplified in another way along its whole length.
    let touches = |edits: &LayerDiff| {
        shown(edits.layer()).is_some_and(|schema| {
            (schema.tessellation && zoom < FULL_DETAIL_ZOOM) || boxes.iter().any(|own| edits.touches(own))
        })
    };
    swaps.iter().all(|swap| swap.layers().is_some_and(|layers| !layers.iter().any(touches)))
}

fn pack(plain: &[u8], packing: ContentEncoding) -> std::io::Result<Vec<u8>> {
    let room = Vec::with_capacity(plain.len() / 2);
    match packing {
        ContentEncoding::Plain => Ok(plain.to_vec()),
        ContentEncoding::Gzip => {
            let mut packer = flate2::write::GzEncoder::new(room, flate2::Compression::default());
            packer.write_all(plain)?;
            packer.finish()
        }
        ContentEncoding::Brotli => {
            let mut packer = brotli::CompressorWriter::new(room, 4096, BROTLI_QUALITY, BROTLI_WINDOW);
            packer.write_all(plain)?;
            Ok(packer.into_inner())
        }
    }
}
