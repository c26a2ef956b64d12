//! Answers of any length: written by a thread of their own, sent as they are read, a few at a time.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::http::reply::problem::Problem;
use crate::http::workers::lower_priority;

/// Most downloads at once: each holds a thread.
const MOST: usize = 16;
/// Bytes that are sent at once.
const PIECE: usize = 65_536;
/// Pieces that wait for a slow reader.
const WAITING: usize = 4;
const RETRY_AFTER_S: u32 = 5;

/// The downloads that are under way.
pub(crate) struct Downloads(Arc<Semaphore>);

impl Default for Downloads {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Downloads {
    /// Begins one; what the closure writes is what the reader gets. An error cuts the answer off, so that nobody takes
    /// a part for the whole.
    ///
    /// # Errors
    /// When there are too many.
    pub(crate) fn begin<W>(&self, write: W) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<W>, Problem>
    where
        W: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        let permit = self.0.clone().try_acquire_owned();
        let permit =
            permit.map_err(|_| Problem::TooMany { what: "downloads", limit: MOST, retry_after_s: RETRY_AFTER_S })?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let run = move || {
            lower_priority();
            let mut pieces = Pieces { sender, buffer: Vec::with_capacity(PIECE) };
            if let Err(error) = write(&mut pieces).and_then(|()| pieces.flush())
                && error.kind() != io::ErrorKind::BrokenPipe
            {
                tracing::warn!(%error, "a download was cut off");
                let _ = pieces.sender.blocking_send(Err(error));
            }
            drop(permit);
        };
        thread::Builder::new().name("download".to_owned()).spawn(run).map_err(|error| Problem::internal(&error))?;
        Ok(stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|piece| (piece, receiver)) }))
    }
}

/// Event streams: how many there may be, and when they end.
pub(crate) struct EventStreams {
    limit: usize,
    places: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl EventStreams {
    /// When a caller for whom there was no place may try again, seconds.
    const RETRY_AFTER_S: u32 = 10;

    /// At most `limit` at once, until `closing` turns true.
    pub(crate) fn new(limit: usize, closing: watch::Receiver<bool>) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self { limit, places: Arc::new(Semaphore::new(limit)), closing }
    }

    /// A place for one stream, as long as it is held.
    ///
    /// # Errors
    /// When all are taken.
    pub(crate) fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.places.clone().try_acquire_owned().map_err(|_| Problem::TooMany {
            what: "event streams",
            limit: self.limit,
            retry_after_s: Self::RETRY_AFTER_S,
        })
    }

    /// Turns true when streams end.
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
