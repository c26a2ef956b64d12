//! Index from feature id to chunk.
//!
//! Ids are hashed into buckets; a bucket is a sorted list of hash and chunk. A change copies only the buckets it
//! touches and shares the others with the previous index.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rayon::prelude::*;

use super::Chunk;
use crate::model::FeatureId;

/// Ids per bucket when an index is built; it is rebuilt when buckets hold four times as many.
const BUCKET_IDS: usize = 512;

/// Chunks that may contain an id: one for nearly every id.
#[derive(Clone, Debug)]
pub(super) struct IdIndex {
    /// Upper half of the hash of the id, and index of the chunk, sorted. The number of buckets is a power of two.
    buckets: Vec<Arc<[(u32, u32)]>>,
    len: usize,
}

/// A change of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexOp {
    /// The id is added to a chunk.
    Add(usize),
    /// The id is removed from a chunk.
    Remove(usize),
}

impl IdIndex {
    /// Builds the index of all ids in chunks.
    pub(super) fn build(chunks: &[Arc<Chunk>]) -> Self {
        let len = chunks.iter().map(|chunk| chunk.len()).sum::<usize>();
        let count = (len / BUCKET_IDS).next_power_of_two();
        let mut buckets = vec![Vec::new(); count];
        let hashes: Vec<Vec<u64>> = chunks.par_iter().map(|chunk| chunk.ids().iter().map(hash).collect()).collect();
        for (hashes, at) in hashes.into_iter().zip(0..) {
            for hash in hashes {
                buckets[bucket(hash, count)].push((entry(hash), at));
            }
        }
        let sorted = |mut bucket: Vec<(u32, u32)>| {
            bucket.sort_unstable();
            bucket.into()
        };
        Self { buckets: buckets.into_par_iter().map(sorted).collect(), len }
    }

    /// Indices of the chunks that may contain an id.
    pub(super) fn candidates(&self, id: &FeatureId) -> impl Iterator<Item = usize> + use<'_> {
        let hash = hash(id);
        let bucket = &self.buckets[bucket(hash, self.buckets.len())];
        let own = entry(hash);
        let start = bucket.partition_point(|(other, _)| *other < own);
        bucket[start..].iter().take_while(move |(other, _)| *other == own).map(|(_, at)| *at as usize)
    }

    /// The index after changes; `chunks` are the new chunks.
    pub(super) fn with(&self, ops: Vec<(FeatureId, IndexOp)>, chunks: &[Arc<Chunk>]) -> Self {
        let mut by_bucket: BTreeMap<usize, Vec<(u64, IndexOp)>> = BTreeMap::new();
        let mut len = self.len;
        for (id, op) in ops {
            match op {
                IndexOp::Add(_) => len += 1,
                IndexOp::Remove(_) => len = len.saturating_sub(1),
            }
            let hash = hash(&id);
            by_bucket.entry(bucket(hash, self.buckets.len())).or_default().push((hash, op));
        }
        if len > 4 * BUCKET_IDS * self.buckets.len() {
            return Self::build(chunks);
        }
        let mut buckets = self.buckets.clone();
        for (at, ops) in by_bucket {
            let mut bucket = buckets[at].to_vec();
            for (hash, op) in ops {
                match op {
                    IndexOp::Add(chunk) => bucket.push((entry(hash), position(chunk))),
                    IndexOp::Remove(chunk) => {
                        if let Some(found) = bucket.iter().position(|own| *own == (entry(hash), position(chunk))) {
                            bucket.swap_remove(found);
                        }
                    }
                }
            }
            bucket.sort_unstable();
            buckets[at] = bucket.into();
        }
        Self { buckets, len }
    }
}

fn hash(id: &FeatureId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// What a bucket keeps of a hash: the bits that did not choose the bucket. Equal ones of different ids cost a lookup.
fn entry(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "only the low bits are used")]
fn bucket(hash: u64, count: usize) -> usize {
    hash as usize & (count - 1)
}

fn position(chunk: usize) -> u32 {
    u32::try_from(chunk).unwrap_or(u32::MAX)
}
