//! In which chunk a feature is, by its id.
//!
//! Ids are spread over buckets by their hash; a bucket is a sorted list of hash and chunk. A change copies only the
//! buckets that it touches and shares the others with the index before.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::Chunk;
use crate::model::FeatureId;

/// Ids of a bucket when an index is built; an index whose buckets hold four times as many is built anew.
const BUCKET_IDS: usize = 512;

/// Which chunks may hold an id: one for nearly every id.
#[derive(Clone, Debug)]
pub(super) struct IdIndex {
    /// Hash of the id and position of the chunk, sorted. Their number is a power of two.
    buckets: Vec<Arc<[(u64, u32)]>>,
    len: usize,
}

/// What happens to an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexOp {
    /// It comes into a chunk.
    Add(usize),
    /// It leaves a chunk.
    Remove(usize),
}

impl IdIndex {
    /// The index of all ids of these chunks.
    pub(super) fn build(chunks: &[Arc<Chunk>]) -> Self {
        let len = chunks.iter().map(|chunk| chunk.len()).sum::<usize>();
        let count = (len / BUCKET_IDS).next_power_of_two();
        let mut buckets = vec![Vec::new(); count];
        for (chunk, at) in chunks.iter().zip(0..) {
            for id in chunk.ids() {
                let hash = hash(id);
                buckets[bucket(hash, count)].push((hash, at));
            }
        }
        let sorted = |mut bucket: Vec<(u64, u32)>| {
            bucket.sort_unstable();
            bucket.into()
        };
        Self { buckets: buckets.into_iter().map(sorted).collect(), len }
    }

    /// Positions of the chunks that may hold an id.
    pub(super) fn candidates(&self, id: &FeatureId) -> impl Iterator<Item = usize> + use<'_> {
        let hash = hash(id);
        let bucket = &self.buckets[bucket(hash, self.buckets.len())];
        let start = bucket.partition_point(|(other, _)| *other < hash);
        bucket[start..].iter().take_while(move |(other, _)| *other == hash).map(|(_, at)| *at as usize)
    }

    /// The index after some ids came and went; `chunks` are those that it then leads to.
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
                    IndexOp::Add(chunk) => bucket.push((hash, position(chunk))),
                    IndexOp::Remove(chunk) => {
                        if let Some(found) = bucket.iter().position(|entry| *entry == (hash, position(chunk))) {
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

#[expect(clippy::cast_possible_truncation, reason = "only the low bits are wanted")]
fn bucket(hash: u64, count: usize) -> usize {
    hash as usize & (count - 1)
}

fn position(chunk: usize) -> u32 {
    u32::try_from(chunk).unwrap_or(u32::MAX)
}
