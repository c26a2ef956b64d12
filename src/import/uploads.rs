//! Files that were sent to be imported, until they are imported or discarded.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use time::{Duration, UtcDateTime};

use crate::private_file;

/// How long a file is kept.
const KEPT_FOR: Duration = Duration::hours(1);
/// Files that wait, of one account and of all, and their size in bytes.
pub const MAX_FILES_OF_ACCOUNT: usize = 10;
const MAX_FILES: usize = 100;
const MAX_BYTES: u64 = 2_000_000_000;

/// A file that waits.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Where it is.
    pub path: PathBuf,
    /// What its sender calls it.
    pub name: String,
    /// The layer.
    pub collection: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// When it is removed.
    pub expires_at: UtcDateTime,
    /// The account that sent it.
    owner: String,
}

/// Why a file is not kept.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It cannot be written.
    #[error("{0}")]
    File(#[from] io::Error),
    /// Too many files wait.
    #[error("{limit} files wait to be imported, the maximum; import or discard some")]
    TooMany {
        /// How many may wait.
        limit: usize,
    },
}

/// The files that wait.
#[derive(Debug)]
pub struct Uploads {
    folder: PathBuf,
    waiting: Mutex<HashMap<String, Upload>>,
}

impl Uploads {
    /// Keeps files in a folder, which is created at first use. Old files that an earlier process left in it are removed.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        let is_old = |file: &std::fs::DirEntry| {
            let age = file.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
            age.is_some_and(|age| age > KEPT_FOR.unsigned_abs())
        };
        let files = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        files.filter(is_old).for_each(|file| remove(&file.path()));
        Self { folder, waiting: Mutex::default() }
    }

    /// Keeps a file. The ending of its name shows its format.
    ///
    /// # Errors
    /// When it cannot be written, or too many files wait.
    pub fn keep(
        &self,
        id: &str,
        owner: &str,
        (collection, name): (&str, &str),
        bytes: &[u8],
        now: UtcDateTime,
    ) -> Result<Upload, UploadError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, upload| {
            let is_kept = upload.expires_at > now;
            if !is_kept {
                remove(&upload.path);
            }
            is_kept
        });
        let own = waiting.values().filter(|upload| upload.owner == owner).count();
        if own >= MAX_FILES_OF_ACCOUNT {
            return Err(UploadError::TooMany { limit: MAX_FILES_OF_ACCOUNT });
        }
        let size: u64 = waiting.values().map(|upload| upload.bytes).sum();
        if waiting.len() >= MAX_FILES || size + bytes.len() as u64 > MAX_BYTES {
            return Err(UploadError::TooMany { limit: MAX_FILES });
        }
        std::fs::create_dir_all(&self.folder)?;
        // Only the ending of a name from outside becomes part of a path.
        let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let ending: String = ending.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
        let path = self.folder.join(format!("{id}.{ending}"));
        let mut file = private_file::open(&path, std::fs::File::options().create(true).truncate(true).write(true))?;
        if let Err(error) = file.write_all(bytes) {
            remove(&path);
            return Err(error.into());
        }
        let upload = Upload {
            path,
            name: name.to_owned(),
            collection: collection.to_owned(),
            bytes: bytes.len() as u64,
            expires_at: now.checked_add(KEPT_FOR).unwrap_or(now),
            owner: owner.to_owned(),
        };
        waiting.insert(id.to_owned(), upload.clone());
        Ok(upload)
    }

    /// A file of an account.
    #[must_use]
    pub fn find(&self, id: &str, owner: &str, now: UtcDateTime) -> Option<Upload> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(id).filter(|upload| upload.owner == owner && upload.expires_at > now).cloned()
    }

    /// Removes a file.
    pub fn discard(&self, id: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(upload) = waiting.remove(id) {
            remove(&upload.path);
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, file = %path.display(), "an uploaded file was not removed");
    }
}
