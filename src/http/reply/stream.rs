//! Answers of any length: written by a thread of their own, sent as they are read, a few at a time.

use std::io::{self, Write};
use std::sync::Arc;

use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::{Semaphore, mpsc};

use crate::http::reply::problem::Problem;

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
    pub(crate) fn begin<W>(&self, write: W) -> Result<impl Stream<Item = io::Result<Bytes>> + use<W>, Problem>
    where
        W: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        let permit = self.0.clone().try_acquire_owned();
        let permit =
            permit.map_err(|_| Problem::TooMany { what: "downloads", limit: MOST, retry_after_s: RETRY_AFTER_S })?;
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || {
            let mut pieces = Pieces { sender, buffer: Vec::with_capacity(PIECE) };
            if let Err(error) = write(&mut pieces).and_then(|()| pieces.flush())
                && error.kind() != io::ErrorKind::BrokenPipe
            {
                tracing::warn!(%error, "a download was cut off");
                let _ = pieces.sender.blocking_send(Err(error));
            }
            drop(permit);
        });
        Ok(stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|piece| (piece, receiver)) }))
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
