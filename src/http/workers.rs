//! Thread pools for long work: two pools with bounded queues, so that bulk requests never delay interactive ones.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::setpriority_process;
use tokio::sync::{Semaphore, oneshot};

use crate::http::reply::problem::Problem;

/// Maximum number of requests that wait for a thread, for each pool.
const QUEUE: usize = 256;
/// Seconds until a client may retry after the queue was full.
const RETRY_AFTER_S: u32 = 2;
/// Nice value of bulk threads.
const BULK_NICENESS: i32 = 10;
/// Threads for the parallel loops of one bulk request.
const THREADS_PER_BULK_REQUEST: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// The two pools.
pub(crate) struct Workers {
    interactive: Arc<Semaphore>,
    waiting: AtomicUsize,
    bulk: SyncSender<Job>,
}

impl Workers {
    /// Creates the pools: two interactive threads for each core, and one bulk thread for two cores.
    ///
    /// # Errors
    /// When no thread can be started.
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

    /// Runs interactive work.
    ///
    /// # Errors
    /// The error of the work, or that the queue is full.
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

    /// Runs long work at lower priority. Work whose client disconnects while it is queued is not started.
    ///
    /// # Errors
    /// The error of the work, or that the queue is full.
    pub(crate) async fn bulk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            if !sender.is_closed() {
                // Sending fails if the client has disconnected; the result is then dropped.
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

/// Counts a waiting request until it starts or its client disconnects.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs jobs one after the other. Each thread has its own pool for parallel loops: in a shared pool, work stealing
/// could start another request within this one, which would wait for a lock that this one holds.
fn run_bulk(jobs: &Mutex<Receiver<Job>>) {
    lower_priority();
    let loops = rayon::ThreadPoolBuilder::new()
        .num_threads(THREADS_PER_BULK_REQUEST)
        .start_handler(|_| lower_priority())
        .build()
        .map_err(|error| tracing::warn!(%error, "bulk requests use the shared thread pool"))
        .ok();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // The server has shut down.
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

/// Lowers the priority of the calling thread. On Linux each thread has its own nice value. A failure affects only
/// scheduling.
pub(crate) fn lower_priority() {
    if let Err(error) = setpriority_process(None, BULK_NICENESS) {
        tracing::debug!(%error, "bulk requests run at normal priority");
    }
}
