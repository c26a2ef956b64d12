//! Rows that another thread decodes ahead of their reader. Their number in memory is bounded, whatever the size of the file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{Record, Unreadable};

/// A row, or why it cannot be decoded.
pub type Row = Result<Record, Unreadable>;

/// Rows that are handed over together, and how many such batches wait.
const BATCH_ROWS: usize = 256;
const WAITING_BATCHES: usize = 4;

/// Takes the rows of a decoder.
pub struct Rows {
    sender: SyncSender<Vec<Row>>,
    batch: Vec<Row>,
    sent: usize,
}

impl Rows {
    /// Hands a row over. Returns false when nobody reads any more.
    pub fn push(&mut self, row: Row) -> bool {
        self.batch.push(row);
        self.sent += 1;
        self.batch.len() < BATCH_ROWS || self.flush()
    }

    /// Hands over that the rest of the file cannot be read.
    pub fn push_cut(&mut self, line: Option<usize>, reason: String) {
        let row = self.sent + 1;
        self.push(Err(Unreadable { row, line, reason, is_end: true }));
    }

    /// The number of rows so far.
    pub fn count(&self) -> usize {
        self.sent
    }

    fn flush(&mut self) -> bool {
        self.sender.send(std::mem::take(&mut self.batch)).is_ok()
    }
}

/// Runs a decoder in a thread of its own. A decoder that panics, because a library does so on a damaged file, ends with an
/// unreadable row.
pub fn read_ahead(decode: impl FnOnce(&mut Rows) + Send + 'static) -> Box<dyn Iterator<Item = Row> + Send> {
    let (sender, receiver) = sync_channel(WAITING_BATCHES);
    std::thread::spawn(move || {
        let mut rows = Rows { sender, batch: Vec::new(), sent: 0 };
        if catch_unwind(AssertUnwindSafe(|| decode(&mut rows))).is_err() {
            rows.push_cut(None, "the file is damaged here".to_owned());
        }
        rows.flush();
    });
    Box::new(Received { receiver, batch: Vec::new().into_iter() })
}

struct Received {
    receiver: Receiver<Vec<Row>>,
    batch: std::vec::IntoIter<Row>,
}

impl Iterator for Received {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.batch.next() {
                return Some(row);
            }
            self.batch = self.receiver.recv().ok()?.into_iter();
        }
    }
}
