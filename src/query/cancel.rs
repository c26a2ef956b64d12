//! The end of a request that takes too long, or that nobody waits for any more: long loops look at a token.
//!
//! Query functions know no clock. Whoever starts one cancels its token when the time is up or the caller is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that its copies share; once cancelled it stays so.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

/// The computation was cancelled before it had a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the computation was cancelled")]
pub struct Cancelled;

impl CancelToken {
    /// A token that nobody has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the computations that look at this token or at a copy of it.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled; costs one relaxed load.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// To be called once for each feature of a long loop.
    ///
    /// # Errors
    /// When it was cancelled.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}
