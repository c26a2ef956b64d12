//! The token that writers show: kept in a file that only its owner may read, made at first start.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;

use crate::http::BearerToken;
use crate::model::FingerprintKey;

/// Fewer characters are not a secret.
const SHORTEST: usize = 32;

/// Reads the token, or draws one where there is no file.
pub(super) fn load(path: &Path) -> anyhow::Result<BearerToken> {
    let secret = match std::fs::read_to_string(path) {
        Ok(text) => {
            refuse_shared(path)?;
            tracing::info!(file = %path.display(), "writers show the token in this file");
            text.trim().to_owned()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(path)?,
        Err(error) => return Err(error).with_context(|| format!("cannot read the token in {}", path.display())),
    };
    anyhow::ensure!(
        secret.len() >= SHORTEST,
        "the token in {} is shorter than {SHORTEST} characters; remove the file and a new one is made",
        path.display()
    );
    Ok(BearerToken::new(secret))
}

/// A token that others can read, or even write, is no secret.
fn refuse_shared(path: &Path) -> anyhow::Result<()> {
    let mode = std::fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?.mode() & 0o777;
    anyhow::ensure!(
        mode & 0o022 == 0,
        "others may write to the token file {} (mode {mode:03o}); run chmod 600 on it",
        path.display()
    );
    if mode & 0o044 != 0 {
        tracing::warn!(file = %path.display(), mode = format!("{mode:03o}"), "others may read the token; run chmod 600 on its file");
    }
    Ok(())
}

/// A seal for one run.
pub(super) fn ephemeral_key() -> anyhow::Result<FingerprintKey> {
    let secret = getrandom::u64().context("the system gives no random numbers")?;
    Ok(FingerprintKey::new(&secret.to_le_bytes()))
}

fn make(path: &Path) -> anyhow::Result<String> {
    let mut secret = String::new();
    for _ in 0..4 {
        write!(secret, "{:016x}", getrandom::u64().context("the system gives no random numbers")?)?;
    }
    let cannot = || format!("cannot write the token to {}; name another file with --token-file", path.display());
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).with_context(cannot)?;
    writeln!(file, "{secret}").and_then(|()| file.sync_all()).with_context(cannot)?;
    tracing::info!(file = %path.display(), token = secret, "made the token that writers show; it is told only now");
    Ok(secret)
}
