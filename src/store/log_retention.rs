//! Interval of trimming the change log: at most once an hour, by the follower.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_hours(1);

/// The time of the last trimming.
#[derive(Debug, Default)]
pub(super) struct Trimming(Mutex<Option<Instant>>);

impl Trimming {
    /// Whether trimming is due; if so, it is next due an hour later.
    pub(super) fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.duration_since(last) >= EVERY);
        if due {
            *last = Some(now);
        }
        due
    }
}
