//! Streamed replies of any length: each is written by its own thread into a bounded queue.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::http::rate_limits::{ConcurrencyLimit, LimitedCaller};
use crate::http::reply::problem::Problem;
use crate::http::workers::lower_priority;

/// Maximum number of concurrent downloads; each uses a thread.
const MAX_DOWNLOADS: usize = 16;
/// Maximum number of concurrent downloads of one caller.
const MAX_DOWNLOADS_PER_CALLER: usize = MAX_DOWNLOADS / 2;
/// Size of a piece, bytes.
const PIECE: usize = 65_536;
/// Capacity of the queue between thread and connection, pieces.
const QUEUED_PIECES: usize = 4;
const RETRY_AFTER_S: u32 = 5;

/// Limits the number of concurrent downloads.
pub(crate) struct Downloads {
    places: Arc<Semaphore>,
    by_caller: ConcurrencyLimit,
}

impl Default for Downloads {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_DOWNLOADS)),
            by_caller: ConcurrencyLimit::new("downloads at the same time", MAX_DOWNLOADS_PER_CALLER),
        }
    }
}

impl Downloads {
    /// Begins a download; the closure writes its content. An error aborts the transfer, so that a client cannot take
    /// the part for the whole.
    ///
    /// # Errors
    /// When the maximum is reached, of the caller or of all.
    pub(crate) fn begin<W>(
        &self,
        caller: Option<&LimitedCaller>,
        write: W,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<W>, Problem>
    where
        W: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        let admission = self.by_caller.admit(caller)?;
        let permit = self.places.clone().try_acquire_owned();
        let permit = permit.map_err(|_| Problem::TooMany {
            what: "downloads",
            limit: MAX_DOWNLOADS,
            retry_after_s: RETRY_AFTER_S,
        })?;
        let (sender, receiver) = mpsc::channel(QUEUED_PIECES);
        let run = move || {
            lower_priority();
            let mut pieces = Pieces { sender, buffer: Vec::with_capacity(PIECE) };
            if let Err(error) = write(&mut pieces).and_then(|()| pieces.flush())
                && error.kind() != io::ErrorKind::BrokenPipe
            {
                tracing::warn!(%error, "a download was aborted");
                let _ = pieces.sender.blocking_send(Err(error));
            }
            drop((permit, admission));
        };
        thread::Builder::new().name("download".to_owned()).spawn(run).map_err(|error| Problem::internal(&error))?;
        Ok(stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|piece| (piece, receiver)) }))
    }
}

/// Event streams: their maximum number, and their end at shutdown.
pub(crate) struct EventStreams {
    limit: usize,
    places: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl EventStreams {
    /// Seconds until a client may retry after the maximum was reached.
    const RETRY_AFTER_S: u32 = 10;

    /// At most `limit` at once, until `closing` turns true.
    pub(crate) fn new(limit: usize, closing: watch::Receiver<bool>) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self { limit, places: Arc::new(Semaphore::new(limit)), closing }
    }

    /// A permit for one stream, released when dropped.
    ///
    /// # Errors
    /// When the maximum is reached.
    pub(crate) fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.places.clone().try_acquire_owned().map_err(|_| Problem::TooMany {
            what: "event streams",
            limit: self.limit,
            retry_after_s: Self::RETRY_AFTER_S,
        })
    }

    /// Turns true when streams must end.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.clone()
    }
}

struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE)));
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
