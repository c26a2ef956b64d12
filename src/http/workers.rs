//! Where long work runs: two pools with bounded queues, so that bulk requests never hold up those that people wait for.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::setpriority_process;
use tokio::sync::{Semaphore, oneshot};

use crate::http::reply::problem::Problem;

/// Requests that may wait for a thread, in each pool.
const QUEUE: usize = 256;
/// When a caller who found the queue full may try again, seconds.
const RETRY_AFTER_S: u32 = 2;
/// How much bulk threads give way to others (nice value).
const BULK_NICENESS: i32 = 10;
/// Threads on which one bulk request spreads its loops.
const THREADS_PER_BULK_REQUEST: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// The two pools.
pub(crate) struct Workers {
    interactive: Arc<Semaphore>,
    waiting: AtomicUsize,
    bulk: SyncSender<Job>,
}

impl Workers {
    /// Twice as many interactive requests at once as the machine has cores, and half as many bulk requests.
    ///
    /// # Errors
    /// When the system starts no threads.
    pub(crate) fn new() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (bulk, jobs) = sync_channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..cores.div_ceil(2) {
            let jobs = jobs.clone();
            std::thread::Builder::new().name(format!("bulk-{number}")).spawn(move || run_bulk(&jobs))?;
        }
        Ok(Self { interactive: Arc::new(Semaphore::new(2 * cores)), waiting: AtomicUsize::new(0), bulk })
    }

    /// Runs work that somebody waits for.
    ///
    /// # Errors
    /// What the work answers, or that the queue is full.
    pub(crate) async fn interactive<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let waiting = self.waiting.fetch_add(1, Ordering::AcqRel);
        let place = Waiting(&self.waiting);
        if waiting >= QUEUE {
            return Err(full("interactive requests"));
        }
        let thread = self.interactive.clone().acquire_owned().await.map_err(|error| Problem::internal(&error))?;
        drop(place);
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(thread);
            result
        });
        done.await.map_err(|error| Problem::internal(&error))?
    }

    /// Runs long work, which gives way to everything else. Work whose caller is gone before its turn is not begun.
    ///
    /// # Errors
    /// What the work answers, or that the queue is full.
    pub(crate) async fn bulk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            if !sender.is_closed() {
                // Nobody listens to a result whose caller has gone away meanwhile.
                let _ = sender.send(work());
            }
        };
        self.bulk.try_send(Box::new(job)).map_err(|_| full("bulk requests"))?;
        receiver.await.map_err(|error| Problem::internal(&error))?
    }
}

fn full(what: &'static str) -> Problem {
    Problem::TooMany { what, limit: QUEUE, retry_after_s: RETRY_AFTER_S }
}

/// Counts a waiting request for as long as it waits, also when its caller goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Takes one job after the other. Each thread has a pool of its own for parallel loops: in a shared one the thread
/// could begin another request in the middle of this one, and wait for a lock that it holds itself.
fn run_bulk(jobs: &Mutex<Receiver<Job>>) {
    lower_priority();
    let loops = rayon::ThreadPoolBuilder::new()
        .num_threads(THREADS_PER_BULK_REQUEST)
        .start_handler(|_| lower_priority())
        .build()
        .map_err(|error| tracing::warn!(%error, "bulk requests share the common threads"))
        .ok();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // The server is gone.
        let Ok(job) = job else { return };
        let run = || match &loops {
            Some(loops) => loops.install(job),
            None => job(),
        };
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            tracing::error!("a bulk request failed");
        }
    }
}

/// Makes the calling thread give way to others. On Linux a thread has a niceness of its own. Without it the work is
/// only less considerate.
pub(crate) fn lower_priority() {
    if let Err(error) = setpriority_process(None, BULK_NICENESS) {
        tracing::debug!(%error, "bulk requests run at common priority");
    }
}
