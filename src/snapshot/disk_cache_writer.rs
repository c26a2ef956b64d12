//! Keeps the local copy near the snapshot: soon after a change, and never so often that it burdens the machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::setpriority_process;
use tokio::sync::{oneshot, watch};

use super::disk_cache::LocalCopy;
use super::{SnapshotHandle, Version};

/// The copy is looked after this often.
const EVERY: Duration = Duration::from_secs(10);
/// Writing takes at most one part in so many of the time.
const REST_PER_WORK: u32 = 20;
/// The most considerate there is.
const NICENESS: i32 = 19;

/// Writes the copy whenever the snapshot, or the time at which it was known to equal the store, has moved on since;
/// once more when `stop` turns true. `saved` names what the copy holds already.
pub async fn keep(
    mut copy: LocalCopy,
    head: Arc<SnapshotHandle>,
    mut saved: Option<(Version, i64)>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let is_last = *stop.borrow();
        let mut pause = EVERY;
        // In this order the snapshot is at least as new as the time that is written beside it.
        let confirmed_ms = head.confirmed_ms();
        let snapshot = head.load();
        let state = (snapshot.version(), confirmed_ms);
        if saved != Some(state) {
            let started = Instant::now();
            let written = in_the_background(move || {
                let result = copy.save(&snapshot, confirmed_ms);
                (copy, result)
            });
            let Ok((back, result)) = written.await else {
                tracing::error!(
                    "writing the local copy panicked; the copy stays as it is until the server is restarted"
                );
                return;
            };
            copy = back;
            match result {
                Ok(()) => saved = Some(state),
                Err(error) => tracing::warn!(%error, "the local copy was not written; the one before still stands"),
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

/// Does something on a thread of its own that gives way to whoever answers requests.
fn in_the_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (done, outcome) = oneshot::channel();
    std::thread::spawn(move || {
        // On Linux a thread has a niceness of its own. Without it the work is only less considerate.
        if let Err(error) = setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "the local copy is written at common priority");
        }
        // Nobody waits any more when the server was cut off.
        let _ = done.send(work());
    });
    outcome
}
