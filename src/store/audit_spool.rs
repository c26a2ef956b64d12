//! Audit entries that are not part of a transaction: kept in a file until the store has them.
//!
//! A dispatcher reads a phone number also while the database is unreachable; the entry must not be lost then.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Store, StoreError};
use crate::model::AuditEntry;
use crate::private_file;

/// Interval at which entries are moved into the store.
const EVERY: Duration = Duration::from_secs(1);
/// Entries per transaction.
const BATCH: usize = 500;

/// The file of entries that wait for the store.
#[derive(Clone, Debug)]
pub struct AuditSpool(PathBuf);

impl AuditSpool {
    /// The file at a path; it need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Appends an entry; it is on the disk when this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&self, entry: &AuditEntry) -> io::Result<()> {
        let _lock = private_file::lock(&self.0)?;
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut file = private_file::open(&self.0, File::options().create(true).append(true))?;
        file.write_all(&line).and_then(|()| file.sync_all())
    }

    /// Moves all entries into the store and returns their number. The file is set aside first, so that other entries are
    /// appended meanwhile; an entry that the store has already is not repeated.
    ///
    /// # Errors
    /// When the store cannot be written; the entries remain in the file. A file that cannot be read is an error of the
    /// store too.
    pub async fn drain(&self, store: &dyn Store) -> Result<usize, StoreError> {
        let file_error = |source| StoreError::AuditSpool { path: self.0.display().to_string(), source };
        let taken = private_file::beside(&self.0, ".taken");
        let Some(text) = self.take(&taken).map_err(file_error)? else { return Ok(0) };
        let read = |line: &str| serde_json::from_str(line).ok();
        // A line that was cut off by the end of the machine belongs to a request that was not answered.
        let entries: Vec<AuditEntry> = text.lines().filter_map(read).collect();
        for batch in entries.chunks(BATCH) {
            store.record(batch).await?;
        }
        fs::remove_file(&taken).map_err(file_error)?;
        Ok(entries.len())
    }

    /// Sets the file aside, unless an earlier one still is; its text, `None` if there is none.
    fn take(&self, taken: &Path) -> io::Result<Option<String>> {
        let _lock = private_file::lock(&self.0)?;
        if !taken.exists() {
            match fs::rename(&self.0, taken) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                moved => moved?,
            }
        }
        fs::read(taken).map(|bytes| Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Whether entries wait.
    fn is_filled(&self) -> bool {
        self.0.exists() || private_file::beside(&self.0, ".taken").exists()
    }
}

/// Moves entries into the store as they come, until `stop` turns true, and once more then.
pub async fn keep_draining(spool: AuditSpool, store: Arc<dyn Store>, mut stop: watch::Receiver<bool>) {
    let mut is_reported = false;
    while !*stop.borrow() {
        if spool.is_filled() {
            match spool.drain(&*store).await {
                Ok(_) => is_reported = false,
                Err(error) => {
                    if !std::mem::replace(&mut is_reported, true) {
                        tracing::warn!(%error, file = %spool.path().display(), "audit entries wait for the store");
                    }
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
    if spool.is_filled() {
        // What remains is moved at the next start.
        let _ = spool.drain(&*store).await;
    }
}
