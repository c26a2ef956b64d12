//! Copies of a file while servers use it, and their restoration.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::{check_header, file_error, side_files};
use crate::private_file::{self, beside};
use crate::store::StoreError;

/// Copies a GeoPackage to a new file, as of one moment and complete; others may write meanwhile.
///
/// # Errors
/// When the file is no GeoPackage or damaged, or the new one exists or cannot be written; then no new file remains.
pub async fn backup(path: &Path, target: &Path) -> Result<(), StoreError> {
    check_header(path)?;
    if target.exists() {
        return Err(StoreError::Exists { path: target.display().to_string() });
    }
    let draft = Draft::beside(target)?;
    let failed = |error| database_error(path, error);
    let mut source = SqliteConnectOptions::new().filename(path).connect().await.map_err(failed)?;
    let copied = sqlx::query("VACUUM INTO ?").bind(draft.0.display().to_string()).execute(&mut source).await;
    let closed = source.close().await;
    copied.map_err(failed)?;
    closed.map_err(failed)?;
    check_integrity(&draft.0).await?;
    draft.replace(target)
}

/// Puts a copy of a GeoPackage in the place of another one, which is kept under the returned name. A running server reads
/// the restored file at once.
///
/// # Errors
/// When the copy is no GeoPackage or damaged, or the file cannot be written; then nothing has changed.
pub async fn restore(copy: &Path, path: &Path) -> Result<Option<PathBuf>, StoreError> {
    check_header(copy)?;
    check_integrity(copy).await?;
    let draft = Draft::beside(path)?;
    // The user of the service reads what root restores in its folder.
    let mut target =
        private_file::open(&draft.0, File::options().write(true).create_new(true)).map_err(file_error(&draft.0))?;
    let mut source = File::open(copy).map_err(file_error(copy))?;
    io::copy(&mut source, &mut target).map_err(file_error(&draft.0))?;
    let mut kept = None;
    if path.exists() {
        // Its write-ahead log has the name that the log of the restored file will have.
        let failed = |error| database_error(path, error);
        let mut old = SqliteConnectOptions::new().filename(path).connect().await.map_err(failed)?;
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut old).await.map_err(failed)?;
        old.close().await.map_err(failed)?;
        let name = unused(path)?;
        fs::hard_link(path, &name).map_err(file_error(&name))?;
        kept = Some(name);
    } else {
        // The log of a lost file would be applied to the copy.
        for name in side_files(path) {
            match fs::remove_file(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(&name)(error)),
                _ => (),
            }
        }
    }
    draft.replace(path)?;
    Ok(kept)
}

/// A file under a temporary name, removed unless it is renamed.
struct Draft(PathBuf);

impl Draft {
    fn beside(target: &Path) -> Result<Self, StoreError> {
        let draft = beside(target, ".unfinished");
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(&draft)(error)),
            _ => Ok(Self(draft)),
        }
    }

    fn replace(self, target: &Path) -> Result<(), StoreError> {
        File::open(&self.0).and_then(|file| file.sync_all()).map_err(file_error(&self.0))?;
        fs::rename(&self.0, target).map_err(file_error(target))?;
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(file_error(folder))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the renaming there is none.
        let _ = fs::remove_file(&self.0);
    }
}

/// A name for the file that is replaced.
fn unused(path: &Path) -> Result<PathBuf, StoreError> {
    let names = (1..1_000).map(|number| beside(path, &format!(".before-restore-{number}")));
    let unused = names.into_iter().find(|name| !name.exists());
    unused.ok_or_else(|| StoreError::Exists { path: beside(path, ".before-restore-999").display().to_string() })
}

/// Checks every page of a file without changing it.
async fn check_integrity(path: &Path) -> Result<(), StoreError> {
    let failed = |error| database_error(path, error);
    // Immutable: the copy may be on a read-only medium, and nobody writes it.
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let mut connection: SqliteConnection = options.connect().await.map_err(failed)?;
    let found = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await;
    let found: String = found.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    if found == "ok" {
        return Ok(());
    }
    Err(StoreError::Damaged { path: path.display().to_string(), reason: found })
}

fn database_error(path: &Path, error: sqlx::Error) -> StoreError {
    StoreError::Database { location: path.display().to_string(), error }
}
