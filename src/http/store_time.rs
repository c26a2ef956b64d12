//! The time in which a request waits for the store, for its trace.

use std::cell::Cell;
use std::time::{Duration, Instant};

tokio::task_local! {
    static WAITED: Cell<Option<Duration>>;
}

/// Runs the work of a request, and returns the time in which it waited for the store; `None` if it did not.
pub(crate) async fn measured<T>(work: impl Future<Output = T>) -> (T, Option<Duration>) {
    WAITED.scope(Cell::new(None), async { (work.await, WAITED.with(Cell::get)) }).await
}

/// Waits for the store.
pub(crate) async fn of_store<T>(work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let outcome = work.await;
    // Work that is not part of a request is not measured.
    let _ = WAITED.try_with(|waited| waited.set(Some(waited.get().unwrap_or_default() + started.elapsed())));
    outcome
}
