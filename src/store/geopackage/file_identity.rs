//! The file as it was opened, and whether it is still the one that stands under its name.
//!
//! A file that is moved away or replaced under an open connection lives on without a name: what is written to it is
//! lost for everybody else. So every reading and every write asks first.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{BUSY_TIMEOUT, CONNECTIONS, file_error};
use crate::store::StoreError;

/// Connections to one file.
pub(super) struct OpenFile {
    path: PathBuf,
    pub(super) pool: SqlitePool,
    file: FileIdentity,
    log: Option<FileIdentity>,
}

/// Device and number of a file.
type FileIdentity = (u64, u64);

fn identity(path: &Path) -> std::io::Result<FileIdentity> {
    std::fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

impl OpenFile {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(options)
            .await
            .map_err(|source| StoreError::Database { location: path.display().to_string(), source })?;
        let file = identity(path).map_err(file_error(path))?;
        Ok(Self { path: path.to_owned(), pool, file, log: None })
    }

    /// Remembers the write-ahead log, which is there once something was read or written.
    pub(super) fn remember_log(&mut self) {
        self.log = identity(&log_of(&self.path)).ok();
    }

    /// The connections, if the file still stands under its name.
    ///
    /// # Errors
    /// [`StoreError::File`] when nothing stands there, [`StoreError::Replaced`] when another file does.
    pub(super) fn pool(&self) -> Result<SqlitePool, StoreError> {
        if identity(&self.path).map_err(file_error(&self.path))? != self.file {
            return Err(StoreError::Replaced { path: self.path.display().to_string() });
        }
        Ok(self.pool.clone())
    }

    /// Lets go of a file that was replaced. Its write-ahead log stays behind under the name of the new file's, and
    /// would be played into it: it is removed, but only if it is the old one's.
    pub(super) async fn abandon(pool: SqlitePool, path: &Path, log: Option<FileIdentity>) {
        pool.close().await;
        let left = log_of(path);
        if log.is_some() && identity(&left).ok() == log {
            for ending in ["-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(ending);
                // What is not there need not be removed.
                let _ = std::fs::remove_file(name);
            }
        }
    }

    pub(super) fn log(&self) -> Option<FileIdentity> {
        self.log
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
