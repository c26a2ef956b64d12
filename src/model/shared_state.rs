//! What identifies the state of the data on all servers of one database.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

/// Identifies the data of a snapshot: equal on all servers that follow the same log and have read the same entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedState {
    /// Identifies the log, in which versions are comparable.
    pub log: u64,
    /// Identifies the set of entries.
    pub digest: u64,
}

/// A hash that is the same in every process of one program.
pub fn stable_hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
