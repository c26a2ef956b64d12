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

/// The name of a file with an ending added.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
