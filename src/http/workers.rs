//! Thread pools for long work: two pools with bounded queues, so that bulk requests never delay interactive ones.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::setpriority_process;
use tokio::sync::{Semaphore, oneshot};

use crate::http::fair_queue::FairQueue;
use crate::http::rate_limits::{ConcurrencyLimit, LimitedCaller};
use crate::http::reply::problem::Problem;

/// Maximum number of requests that wait for a thread, for each pool.
const QUEUE: usize = 256;
/// Maximum number of bulk requests of one caller, running and waiting: an office with one address has several browsers,
/// and one caller must not fill the queue.
const MAX_BULK_PER_CALLER: usize = QUEUE / 8;
/// Seconds until a client may retry after the queue was full.
const RETRY_AFTER_S: u32 = 2;
/// Nice value of bulk threads.
const BULK_NICENESS: i32 = 10;
/// Threads for the parallel loops of one bulk request.
const THREADS_PER_BULK_REQUEST: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// Bulk requests that wait for a thread. Callers who have no limit are one caller.
type BulkQueue = FairQueue<Option<LimitedCaller>, Job>;

/// The two pools.
pub(crate) struct Workers {
    interactive: Arc<Semaphore>,
    waiting: AtomicUsize,
    bulk: Arc<BulkQueue>,
    bulk_limit: ConcurrencyLimit,
}

impl Workers {
    /// Creates the pools: two interactive threads for each core, and one bulk thread for two cores.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn new() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let bulk = Arc::new(BulkQueue::new(QUEUE));
        for number in 0..cores.div_ceil(2) {
            let jobs = bulk.clone();
            std::thread::Builder::new().name(format!("bulk-{number}")).spawn(move || run_bulk(&jobs))?;
        }
        Ok(Self {
            interactive: Arc::new(Semaphore::new(2 * cores)),
            waiting: AtomicUsize::new(0),
            bulk,
            bulk_limit: ConcurrencyLimit::new("long requests at the same time", MAX_BULK_PER_CALLER),
        })
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

    /// Runs long work at lower priority; callers are served in turn. Work whose client disconnects while it is queued is
    /// not started.
    ///
    /// # Errors
    /// The error of the work, that the caller has too much of it, or that the queue is full.
    pub(crate) async fn bulk<T: Send + 'static>(
        &self,
        caller: Option<LimitedCaller>,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let admission = self.bulk_limit.admit(caller.as_ref())?;
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            let _admission = admission;
            if !sender.is_closed() {
                // Sending fails if the client has disconnected; the result is then dropped.
                let _ = sender.send(work());
            }
        };
        let ticket = self.bulk.push(caller, Box::new(job)).ok_or_else(|| full("bulk requests"))?;
        let _queued = QueuedRequest { queue: &self.bulk, ticket };
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

impl Drop for Workers {
    fn drop(&mut self) {
        self.bulk.close();
    }
}

/// Removes a bulk request from the queue when its client disconnects.
struct QueuedRequest<'a> {
    queue: &'a BulkQueue,
    ticket: u64,
}

impl Drop for QueuedRequest<'_> {
    fn drop(&mut self) {
        drop(self.queue.remove(self.ticket));
    }
}

/// Runs jobs one after the other. Each thread has its own pool for parallel loops: in a shared pool, work stealing
/// could start another request within this one, which would wait for a lock that this one holds.
fn run_bulk(jobs: &BulkQueue) {
    lower_priority();
    let loops = rayon::ThreadPoolBuilder::new()
        .num_threads(THREADS_PER_BULK_REQUEST)
        .start_handler(|_| lower_priority())
        .build()
        .map_err(|error| tracing::warn!(%error, "bulk requests use the shared thread pool"))
        .ok();
    while let Some((caller, job)) = jobs.take() {
        let run = || match &loops {
            Some(loops) => loops.install(job),
            None => job(),
        };
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            tracing::error!("a bulk request failed");
        }
        jobs.end_turn(&caller);
    }
}

/// Lowers the priority of the calling thread. On Linux each thread has its own nice value. A failure affects only
/// scheduling.
pub(crate) fn lower_priority() {
    if let Err(error) = setpriority_process(None, BULK_NICENESS) {
        tracing::debug!(%error, "bulk requests run at normal priority");
    }
}
