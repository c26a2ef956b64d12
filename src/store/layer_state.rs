//! Whether a layer of a store can be read: the reason if not, since when, and when reading is retried.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::read_warnings::{ReadWarningCount, ReadWarnings};
use crate::model::FeatureId;

/// Pause before an unavailable layer is read again; doubled after each failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(15);
const RETRY_AFTER_TIMEOUT: Duration = Duration::from_mins(5);

/// The current state of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerStatus {
    /// Number of unreadable values and skipped rows.
    pub read_warnings: u64,
    /// The layer cannot be read: the time since its last state was known to equal the store.
    pub unavailable_for: Option<Duration>,
}

/// The outcome of reading a layer; recorded after the whole read has succeeded.
pub(super) enum ReadOutcome<'a> {
    /// All of its rows were read.
    All(ReadWarnings<'a>),
    /// Rows of these ids were read.
    Rows(Vec<FeatureId>, ReadWarnings<'a>),
    /// It cannot be read.
    Failed(String),
    /// It could not be read in time. Reading it delays all other layers, so it is rarely tried again.
    TimedOut(String),
}

/// The state of one layer, shared between the follower and the health report.
#[derive(Debug, Default)]
pub(super) struct LayerState {
    state: Mutex<State>,
    /// Whether the state is unavailable, for requests, which must not wait for a lock of each layer.
    is_unavailable: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    warnings: ReadWarningCount,
    confirmed: Option<Instant>,
    unavailable: Option<Unavailable>,
    /// All rows must be read again, although the layer is available.
    is_outdated: bool,
}

#[derive(Debug)]
struct Unavailable {
    since: Instant,
    retry_at: Instant,
    pause: Duration,
    reason: String,
}

impl LayerState {
    /// Every assignment leaves a consistent state, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_unavailable(&self, state: &mut State, unavailable: Option<Unavailable>) -> Option<Unavailable> {
        self.is_unavailable.store(unavailable.is_some(), Ordering::Release);
        std::mem::replace(&mut state.unavailable, unavailable)
    }

    pub(super) fn status(&self) -> LayerStatus {
        let state = self.lock();
        LayerStatus {
            read_warnings: state.warnings.total(),
            unavailable_for: state.unavailable.as_ref().map(|unavailable| unavailable.since.elapsed()),
        }
    }

    pub(super) fn is_unavailable(&self) -> bool {
        self.is_unavailable.load(Ordering::Acquire)
    }

    /// Whether all rows must be read: the layer is unavailable and a retry is due, or it changed more than the change
    /// log records.
    pub(super) fn needs_reload(&self) -> bool {
        let state = self.lock();
        state.unavailable.as_ref().map_or(state.is_outdated, |unavailable| Instant::now() >= unavailable.retry_at)
    }

    /// Requests that all rows are read with the next changes, without waiting for the retry of an unavailable layer.
    pub(super) fn outdate(&self) {
        let mut state = self.lock();
        state.is_outdated = true;
        if let Some(unavailable) = &mut state.unavailable {
            unavailable.retry_at = Instant::now();
        }
    }

    /// Replaces the state of a placeholder: unavailable for as long as the placeholder, and due to be read at once.
    pub(super) fn succeed(&self, placeholder: &Self) {
        let unavailable = placeholder.set_unavailable(&mut placeholder.lock(), None);
        self.set_unavailable(&mut self.lock(), unavailable);
        self.outdate();
    }

    /// Records the outcome of a read.
    pub(super) fn record(&self, layer: &str, outcome: ReadOutcome<'_>) {
        match outcome {
            ReadOutcome::All(warnings) => self.read_all(layer, warnings),
            ReadOutcome::Rows(ids, warnings) => self.lock().warnings.update(&ids, warnings),
            ReadOutcome::Failed(reason) => self.fail(layer, reason, Duration::ZERO),
            ReadOutcome::TimedOut(reason) => self.fail(layer, reason, RETRY_AFTER_TIMEOUT),
        }
    }

    fn read_all(&self, layer: &str, warnings: ReadWarnings<'_>) {
        let mut state = self.lock();
        state.warnings.replace(warnings);
        state.confirmed = Some(Instant::now());
        state.is_outdated = false;
        if let Some(unavailable) = self.set_unavailable(&mut state, None) {
            tracing::info!(layer, seconds = unavailable.since.elapsed().as_secs(), "the layer is available again");
        }
    }

    /// Records that the layer equals the store now.
    pub(super) fn confirm(&self) {
        let mut state = self.lock();
        if state.unavailable.is_none() {
            state.confirmed = Some(Instant::now());
        }
    }

    /// The layer could not be read: its last state is served.
    fn fail(&self, layer: &str, reason: String, least_pause: Duration) {
        let mut state = self.lock();
        let now = Instant::now();
        let since = state.confirmed.unwrap_or(now);
        let (since, pause, known) = match state.unavailable.take() {
            Some(before) => (before.since, (before.pause * 2).min(LONGEST_RETRY), before.reason == reason),
            None => (since, FIRST_RETRY, false),
        };
        let pause = pause.max(least_pause);
        if !known {
            tracing::warn!(
                layer,
                reason,
                "the layer cannot be read and is unavailable until it can be; its last state is served, other layers are not affected"
            );
        }
        self.set_unavailable(&mut state, Some(Unavailable { since, retry_at: now + pause, pause, reason }));
    }
}
