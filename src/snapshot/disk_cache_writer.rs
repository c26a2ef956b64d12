//! Writes the disk cache soon after a change of the snapshot, with a bounded share of the machine's time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::setpriority_process;
use tokio::sync::{oneshot, watch};

use super::disk_cache::DiskCache;
use super::{SnapshotHandle, Version};

/// Interval at which the snapshot is checked for changes.
const EVERY: Duration = Duration::from_secs(10);
/// Minimum pause after a write, as a multiple of its duration.
const REST_PER_WORK: u32 = 20;
/// The lowest priority.
const NICENESS: i32 = 19;

/// Writes the cache whenever the snapshot, or the time at which it was known to equal the store, has changed, and once
/// more when `stop` turns true. `saved` is the state that the cache already has.
pub async fn keep(
    mut cache: DiskCache,
    head: Arc<SnapshotHandle>,
    mut saved: Option<(Version, i64)>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let is_last = *stop.borrow();
        let mut pause = EVERY;
        // Read in this order, the snapshot is at least as new as the time that is written with it.
        let confirmed_ms = head.confirmed_ms();
        let snapshot = head.load();
        let state = (snapshot.version(), confirmed_ms);
        if saved != Some(state) {
            let started = Instant::now();
            let written = on_low_priority_thread(move || {
                let result = catch_unwind(AssertUnwindSafe(|| cache.save(&snapshot, confirmed_ms)));
                (cache, result)
            });
            // The sender is dropped only with the runtime.
            let Ok((back, result)) = written.await else { return };
            cache = back;
            match result {
                Err(_) => tracing::error!("writing the disk cache panicked; it is written again"),
                Ok(Ok(())) => saved = Some(state),
                Ok(Err(error)) => tracing::warn!(%error, "the disk cache was not written; the previous one is kept"),
            }
            pause = EVERY.max(started.elapsed() * REST_PER_WORK);
        }
        if is_last {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Runs work on a separate thread of low priority.
fn on_low_priority_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (done, outcome) = oneshot::channel();
    std::thread::spawn(move || {
        // On Linux each thread has its own nice value. Without it the work runs at normal priority.
        if let Err(error) = setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "the disk cache is written at normal priority");
        }
        // The receiver is dropped if the server was aborted.
        let _ = done.send(work());
    });
    outcome
}
