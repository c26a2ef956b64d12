//! Unix sockets: bound with access for the owner and the group, and removed at the end.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The owner and the group may connect, such as a proxy that is a member of it.
const OWNER_AND_GROUP: u32 = 0o660;

/// The file of a bound socket; dropping it removes the file.
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server may have replaced it.
        if id_of(&self.path).is_ok_and(|id| id == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(file = %self.path.display(), %error, "the socket cannot be removed");
        }
    }
}

/// Binds a socket. One that a server has left behind is replaced.
///
/// # Errors
/// When a server listens on it, or the file is no socket, or cannot be created.
pub(super) fn bind(path: &Path) -> anyhow::Result<(UnixListener, SocketFile)> {
    let cannot = || format!("cannot listen on unix:{}", path.display());
    remove_stale(path).with_context(cannot)?;
    // The file mode creation mask of this program permits only the owner until the mode is set.
    let listener = UnixListener::bind(path).with_context(cannot)?;
    let file = SocketFile { path: path.to_owned(), id: id_of(path).with_context(cannot)? };
    fs::set_permissions(path, Permissions::from_mode(OWNER_AND_GROUP)).with_context(cannot)?;
    Ok((listener, file))
}

/// Removes the file of a socket on which nobody listens.
fn remove_stale(path: &Path) -> anyhow::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    anyhow::ensure!(found.file_type().is_socket(), "the file exists and is no socket");
    match UnixStream::connect(path) {
        Ok(_) => anyhow::bail!("another server listens on it"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) => Err(error).context("it exists, and whether a server listens on it is unknown"),
    }
}

fn id_of(path: &Path) -> std::io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
