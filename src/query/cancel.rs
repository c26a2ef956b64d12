//! Cancellation of requests at their time limit or after their client disconnected: long loops check a token.
//!
//! Query functions read no clock; the caller cancels the token on timeout or disconnect. A token with a budget cancels
//! itself after so many checks, so that a caller can try a request at a known cost.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A flag shared by its clones; once cancelled it stays cancelled.
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    state: Arc<CancelState>,
    /// Checks that are left; `None` without a budget.
    budget: Option<Arc<AtomicUsize>>,
}

#[derive(Debug, Default)]
struct CancelState {
    cancelled: AtomicBool,
    /// Why it cannot be completed.
    failure: OnceLock<String>,
}

/// The computation was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the computation was cancelled")]
pub struct Cancelled;

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that cancels itself after so many checks. Computations with it stay on the calling thread.
    #[must_use]
    pub fn with_budget(checks: usize) -> Self {
        Self { budget: Some(Arc::new(AtomicUsize::new(checks))), ..Self::default() }
    }

    /// Whether it has a budget.
    #[must_use]
    pub fn has_budget(&self) -> bool {
        self.budget.is_some()
    }

    /// Cancels the computations that check this token or a clone of it.
    pub fn cancel(&self) {
        self.state.cancelled.store(true, Ordering::Relaxed);
    }

    /// Cancels them because something that they need has failed: what they return must not be used.
    pub fn fail(&self, reason: &str) {
        self.state.failure.get_or_init(|| reason.to_owned());
        self.cancel();
    }

    /// What failed.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.state.failure.get().map(String::as_str)
    }

    /// Whether it is cancelled; costs one relaxed load.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Ordering::Relaxed)
    }

    /// Call this once per feature, or group of features, in a long loop.
    ///
    /// # Errors
    /// When it was cancelled, or the budget is used up.
    pub fn check(&self) -> Result<(), Cancelled> {
        if let Some(budget) = &self.budget {
            // One computation uses a budget, on one thread, so no check is lost between load and store.
            match budget.load(Ordering::Relaxed).checked_sub(1) {
                Some(left) => budget.store(left, Ordering::Relaxed),
                None => self.cancel(),
            }
        }
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_and_does_not_come_back() {
        let token = CancelToken::with_budget(2);
        assert_eq!([token.check(), token.check(), token.check()], [Ok(()), Ok(()), Err(Cancelled)]);
        assert!(token.is_cancelled() && token.clone().check().is_err());
        assert!((0..10_000).all(|_| CancelToken::new().check().is_ok()));
    }
}
