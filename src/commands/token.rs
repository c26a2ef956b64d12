//! The bearer token for edits: a file that only its owner can read, created at first start.

use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

use crate::http::BearerToken;
use crate::model::FingerprintKey;
use crate::private_file;

/// Minimum length of a token.
const SHORTEST: usize = 32;
/// Permissions of the token file.
const OWNER_ONLY: u32 = 0o600;
/// Permission bits of group and others.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;

/// Reads the token, or creates it if the file is missing. The token is never logged.
pub(super) fn load(path: &Path) -> anyhow::Result<BearerToken> {
    // Opening a pipe would wait for a writer.
    anyhow::ensure!(
        std::fs::metadata(path).map_or(true, |found| found.is_file()),
        "{} is no regular file; --token-file names one, or a new file",
        path.display()
    );
    let secret = match File::open(path) {
        Ok(file) => {
            let secret = read(file, path)?;
            tracing::info!(file = %path.display(), "edits need the token in this file");
            secret
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(path)?,
        Err(error) => return Err(error).with_context(|| format!("cannot read the token in {}", path.display())),
    };
    anyhow::ensure!(
        secret.len() >= SHORTEST,
        "the token in {} is shorter than {SHORTEST} characters; remove the file to create a new one",
        path.display()
    );
    Ok(BearerToken::new(secret))
}

/// Reads the file and removes permissions of others. A file that others can write is refused, because they may have set
/// the token.
fn read(mut file: File, path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read the token in {}", path.display());
    let mode = file.metadata().with_context(cannot)?.permissions().mode();
    anyhow::ensure!(
        mode & OTHERS_WRITE == 0,
        "others may write to the token file {0}; remove it to create a new one, or keep it with chmod 600 {0}",
        path.display()
    );
    if mode & OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(OWNER_ONLY)).with_context(|| {
            format!(
                "others may read the token file {0} and its permissions cannot be changed; run chmod 600 {0}",
                path.display()
            )
        })?;
        tracing::warn!(
            file = %path.display(),
            "others could read the token file, now only its owner can; if others may know the token, remove the file to \
             create a new one"
        );
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(cannot)?;
    Ok(text.trim().to_owned())
}

/// A random fingerprint key for this process.
pub(super) fn ephemeral_key() -> anyhow::Result<FingerprintKey> {
    let secret = getrandom::u64().context("the system returns no random numbers")?;
    Ok(FingerprintKey::new(&secret.to_le_bytes()))
}

fn make(path: &Path) -> anyhow::Result<String> {
    let mut secret = String::new();
    for _ in 0..4 {
        write!(secret, "{:016x}", getrandom::u64().context("the system returns no random numbers")?)?;
    }
    let cannot = || format!("cannot write the token to {}; name another file with --token-file", path.display());
    let mut file = private_file::open(path, File::options().write(true).create_new(true)).with_context(cannot)?;
    writeln!(file, "{secret}").and_then(|()| file.sync_all()).with_context(cannot)?;
    tracing::info!(file = %path.display(), "token for edits created in this file");
    Ok(secret)
}
