//! A position in the change log of a store, and what it tells about the data up to it.

use crate::model::SharedState;

/// A position in the change log of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// The newest entry seen.
    pub(super) newest: i64,
    /// The transactions that were visible, in the format of the backend, if entries do not become visible in the order
    /// of their numbers.
    pub(super) seen: Option<String>,
    /// Further entries that were visible, of transactions that `seen` does not cover.
    pub(super) also_seen: Vec<i64>,
    /// The history to which the numbers belong, if the store can have several.
    pub(super) history: Option<String>,
    /// Content of the newest entry: after the restore of a backup, a different entry may have this number.
    pub(super) entry: Option<String>,
    /// The set of entries up to here, if several servers can follow the log.
    pub(super) covered: Option<CoveredEntries>,
    /// Whether the log tells of every change since the first read, so that every server reads the same.
    pub(super) is_logged: bool,
    /// Whether every layer was read up to here.
    pub(super) is_complete: bool,
}

/// A set of entries of a log. Entries of concurrent transactions become visible in another order than that of their
/// numbers, and one server reads together what another reads one by one: only the set tells whether two servers have the
/// same state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CoveredEntries {
    /// Identifies the log.
    pub(super) log: u64,
    /// Number of entries.
    pub(super) count: i64,
    /// Sum of their hashes.
    pub(super) digest: u64,
}

impl LogPosition {
    /// The number of the newest entry.
    #[must_use]
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// The version of the data at this position: grows with every entry that becomes visible.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.covered.map_or(self.newest, |covered| covered.count)
    }

    /// What other servers have in common at this position; `None` if the data or the store are those of one server.
    #[must_use]
    pub fn shared(&self) -> Option<SharedState> {
        self.covered
            .filter(|_| self.is_logged && self.is_complete)
            .map(|CoveredEntries { log, digest, .. }| SharedState { log, digest })
    }
}
