//! The identity of the open file: whether the path still refers to it, and whether its content was overwritten.
//!
//! If a file is moved or replaced while a connection is open, the connection keeps using the old file, and its writes
//! are lost. If the content is overwritten in place, SQLite reads stale pages. So every read and every write checks
//! both first.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{BUSY_TIMEOUT, CONNECTIONS, file_error};
use crate::private_file::beside;
use crate::store::StoreError;

/// Maximum wait of the follower for a lock; its reads need none.
const FOLLOW_BUSY_TIMEOUT: Duration = Duration::from_millis(100);
const FOLLOW_CONNECTIONS: u32 = 2;
/// An overwritten file is opened again after it has not changed for this long, because a copy may be in progress.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// Maximum time between the last write to the log and the end of its checkpoint, seconds.
const LONGEST_CHECKPOINT_S: i64 = 60;

/// Connections to one file.
pub(super) struct OpenFile {
    path: PathBuf,
    /// For writing.
    pool: SqlitePool,
    /// For following: writers that wait for a lock occupy all connections of the other pool.
    follow_pool: SqlitePool,
    file: FileIdentity,
    log: Option<FileIdentity>,
    content: Mutex<Content>,
    /// The index of the write-ahead log. It stays open, because closing it would release the locks of SQLite in this
    /// process (POSIX `fcntl`). For the same reason the file itself is never opened here while it has connections.
    log_index: Mutex<Option<(FileIdentity, File)>>,
}

/// Device and inode number of a file.
type FileIdentity = (u64, u64);

/// The known state of the file's content.
#[derive(Debug, Default)]
struct Content {
    last: Option<Observation>,
    /// The file was overwritten: its state, and since when it has that state.
    overwritten: Option<(FileState, Instant)>,
}

/// The state of the file while no checkpoint ran. In WAL mode only a checkpoint writes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Observation {
    file: FileState,
    checkpoint: CheckpointState,
}

/// Time of the last write, seconds and nanoseconds, and size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState(i64, i64, u64);

/// Progress of copying the write-ahead log into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CheckpointState {
    /// Changes whenever the log restarts.
    salts: [u32; 2],
    /// Frames that were copied.
    copied: u32,
    /// Frames that were or are being copied.
    attempted: u32,
}

fn identity(path: &Path) -> std::io::Result<FileIdentity> {
    std::fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

impl OpenFile {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        check_log(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let follow_options = options.clone().busy_timeout(FOLLOW_BUSY_TIMEOUT);
        let at = |error| StoreError::Database { location: path.display().to_string(), error };
        // Connections stay open, so that SQLite does not delete and recreate the log index.
        let lasting = || SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None);
        let pool = lasting().max_connections(CONNECTIONS).connect_with(options).await.map_err(at)?;
        // Following is abandoned at shutdown. A connection that is just being opened then belongs to no pool: it may
        // close at the same time as the last one, and neither copies the write-ahead log into the file. So all are
        // opened here.
        let follow_pool = lasting().min_connections(FOLLOW_CONNECTIONS).max_connections(FOLLOW_CONNECTIONS);
        let follow_pool = follow_pool.connect_with(follow_options).await.map_err(at)?;
        let file = identity(path).map_err(file_error(path))?;
        Ok(Self {
            path: path.to_owned(),
            pool,
            follow_pool,
            file,
            log: None,
            content: Mutex::default(),
            log_index: Mutex::default(),
        })
    }

    /// Opens the index of the write-ahead log, which exists after the first read or write.
    pub(super) fn remember_log(&mut self) {
        self.log = identity(&beside(&self.path, "-wal")).ok();
    }

    /// The connections for writing, if the file is still the one that was opened.
    ///
    /// # Errors
    /// [`StoreError::File`] when the file does not exist, [`StoreError::Replaced`] when it must be opened again,
    /// [`StoreError::Overwritten`] when its content was overwritten.
    pub(super) fn pool(&self) -> Result<SqlitePool, StoreError> {
        self.check()?;
        Ok(self.pool.clone())
    }

    /// The connections for following; like [`pool`](Self::pool).
    ///
    /// # Errors
    /// Like [`pool`](Self::pool).
    pub(super) fn follow_pool(&self) -> Result<SqlitePool, StoreError> {
        self.check()?;
        Ok(self.follow_pool.clone())
    }

    fn check(&self) -> Result<(), StoreError> {
        if identity(&self.path).map_err(file_error(&self.path))? != self.file {
            return Err(StoreError::Replaced { path: self.path.display().to_string() });
        }
        let overwritten = || StoreError::Overwritten { path: self.path.display().to_string() };
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, since)) = content.overwritten {
            let now = file_state(&self.path).map_err(file_error(&self.path))?;
            if now != before {
                content.overwritten = Some((now, Instant::now()));
            } else if since.elapsed() >= SETTLED_AFTER && self.is_log_empty() {
                return Err(StoreError::Replaced { path: self.path.display().to_string() });
            }
            return Err(overwritten());
        }
        let Some(now) = self.observe() else { return Ok(()) };
        let before = content.last.replace(now);
        if before.is_some_and(|before| before.file != now.file && before.checkpoint == now.checkpoint) {
            content.overwritten = Some((now.file, Instant::now()));
            return Err(overwritten());
        }
        Ok(())
    }

    /// The state of the file; `None` while a checkpoint runs.
    fn observe(&self) -> Option<Observation> {
        let checkpoint = self.checkpoint_state()?;
        let file = file_state(&self.path).ok()?;
        let is_quiet = checkpoint.copied == checkpoint.attempted && self.checkpoint_state() == Some(checkpoint);
        is_quiet.then_some(Observation { file, checkpoint })
    }

    /// From the index of the write-ahead log: `WalIndexHdr` and `WalCkptInfo`, <https://sqlite.org/walformat.html>.
    fn checkpoint_state(&self) -> Option<CheckpointState> {
        const SALTS: usize = 32;
        const COPIED: usize = 96;
        const ATTEMPTED: usize = 128;
        let path = beside(&self.path, "-shm");
        let own = identity(&path).ok()?;
        let mut index = self.log_index.lock().unwrap_or_else(PoisonError::into_inner);
        if index.as_ref().is_none_or(|(opened, _)| *opened != own) {
            *index = Some((own, File::open(&path).ok()?));
        }
        let mut header = [0; ATTEMPTED + 4];
        index.as_ref()?.1.read_exact_at(&mut header, 0).ok()?;
        let number = |at: usize| Some(u32::from_ne_bytes(header.get(at..at + 4)?.try_into().ok()?));
        Some(CheckpointState {
            salts: [number(SALTS)?, number(SALTS + 4)?],
            copied: number(COPIED)?,
            attempted: number(ATTEMPTED)?,
        })
    }

    /// Whether the write-ahead log is completely copied into the file.
    pub(super) fn is_log_empty(&self) -> bool {
        std::fs::metadata(beside(&self.path, "-wal")).map_or(true, |log| log.len() == 0)
    }

    /// Closes a file that was replaced or overwritten. The write-ahead log of a replaced file has the name that the log
    /// of the new file needs, and SQLite would apply it to the new file. It is removed, if it belongs to the old file.
    /// The log of an overwritten file is empty.
    pub(super) async fn abandon(parts: Abandoned, path: &Path) {
        parts.follow_pool.close().await;
        parts.pool.close().await;
        let is_replaced = identity(path).is_ok_and(|file| file != parts.file);
        if is_replaced && parts.log.is_some() && identity(&beside(path, "-wal")).ok() == parts.log {
            for ending in ["-wal", "-shm"] {
                // The file may not exist.
                let _ = std::fs::remove_file(beside(path, ending));
            }
        }
    }

    /// Closes the index of the log, after the connections were closed and before others are opened.
    pub(super) fn close_log_index(&self) {
        *self.log_index.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The connections, to close the file without borrowing it.
    pub(super) fn parts(&self) -> Abandoned {
        Abandoned { pool: self.pool.clone(), follow_pool: self.follow_pool.clone(), file: self.file, log: self.log }
    }
}

/// The connections of a file that is closed.
pub(super) struct Abandoned {
    pool: SqlitePool,
    follow_pool: SqlitePool,
    file: FileIdentity,
    log: Option<FileIdentity>,
}

impl Abandoned {
    /// Closes a file that keeps its name: SQLite copies the log into it.
    pub(super) async fn close(self) {
        self.follow_pool.close().await;
        self.pool.close().await;
    }
}

fn file_state(path: &Path) -> std::io::Result<FileState> {
    std::fs::metadata(path).map(|found| FileState(found.mtime(), found.mtime_nsec(), found.size()))
}

/// Refuses a file that was written long after its write-ahead log: SQLite would apply the log to the wrong content.
fn check_log(path: &Path) -> Result<(), StoreError> {
    let (Ok(file), Ok(log)) = (std::fs::metadata(path), std::fs::metadata(beside(path, "-wal"))) else {
        return Ok(());
    };
    let written_s = |found: &std::fs::Metadata| found.mtime().max(found.ctime());
    if log.len() > 0 && written_s(&file).saturating_sub(written_s(&log)) > LONGEST_CHECKPOINT_S {
        return Err(StoreError::OtherLog { path: path.display().to_string() });
    }
    Ok(())
}
