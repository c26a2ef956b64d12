//! Files that only their owner may read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

const OWNER_ONLY: u32 = 0o600;

/// Opens a file; if it is created, only its owner may read it. A file that root creates in the folder of a service
/// belongs to the user of the service, who otherwise could not read it.
///
/// # Errors
/// When the file cannot be opened.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let is_new = !path.exists();
    let file = options.mode(OWNER_ONLY).open(path)?;
    if is_new && rustix::process::geteuid().is_root() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let owner = std::fs::metadata(folder)?;
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}

/// Excludes other processes that lock the same file while the returned file is open; the lock is a file beside it.
///
/// # Errors
/// When the lock cannot be created.
pub fn lock(path: &Path) -> io::Result<File> {
    let file = open(&beside(path, ".lock"), File::options().create(true).truncate(false).write(true))?;
    file.lock()?;
    Ok(file)
}

/// The same without waiting; `None` while another process holds the lock.
///
/// # Errors
/// When the lock cannot be created.
pub fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open(&beside(path, ".lock"), File::options().create(true).truncate(false).write(true))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// A new file beside its final name. It is removed unless it is finished.
pub struct UnfinishedFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    is_finished: bool,
}

impl UnfinishedFile {
    /// Creates the file for a final name.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(target: &Path) -> io::Result<Self> {
        let path = beside(target, ".unfinished");
        let file = File::create(&path)?;
        Ok(Self { file, path, target: target.to_owned(), is_finished: false })
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes it to the disk and gives it its final name; a file of that name is replaced.
    ///
    /// # Errors
    /// When the disk or the directory refuses.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, &self.target)?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be removed is replaced by the next attempt.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The name of a file with an ending added.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
