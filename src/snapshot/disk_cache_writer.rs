//! Writes the disk cache soon after a change, with a bounded share of processor time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::setpriority_process;
use tokio::sync::{oneshot, watch};

use super::disk_cache::LocalCopy;
use super::{SnapshotHandle, Version};

/// Interval between checks.
const EVERY: Duration = Duration::from_secs(10);
/// Writing takes at most one part in this many of the time.
const REST_PER_WORK: u32 = 20;
/// The lowest priority.
const NICENESS: i32 = 19;

/// Writes the cache whenever the snapshot or its confirmation time has changed, and once more when `stop` becomes true.
/// `saved` is the state that the cache already holds.
pub async fn keep(
    mut copy: LocalCopy,
    head: Arc<SnapshotHandle>,
    mut saved: Option<(Version, i64)>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let is_last = *stop.borrow();
        let mut pause = EVERY;
        // Read in this order, so that the snapshot is at least as new as the time stored with it.
        let confirmed_ms = head.confirmed_ms();
        let snapshot = head.load();
        let state = (snapshot.version(), confirmed_ms);
        if saved != Some(state) {
            let started = Instant::now();
            let written = at_low_priority(move || {
                let result = copy.save(&snapshot, confirmed_ms);
                (copy, result)
            });
            let Ok((back, result)) = written.await else {
                tracing::error!("writing the disk cache panicked; it is not updated until the server is restarted");
                return;
            };
            copy = back;
            match result {
                Ok(()) => saved = Some(state),
                Err(error) => tracing::warn!(%error, "the disk cache was not written; its previous state stays valid"),
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

/// Runs work on a thread of low priority, so that requests take precedence.
fn at_low_priority<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (done, outcome) = oneshot::channel();
    std::thread::spawn(move || {
        // On Linux, niceness is per thread. If it cannot be set, the work runs at normal priority.
        if let Err(error) = setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "the disk cache is written at normal priority");
        }
        // The receiver is gone when the server was aborted.
        let _ = done.send(work());
    });
    outcome
}
