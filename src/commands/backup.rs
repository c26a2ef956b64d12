//! `onemap backup` and `onemap restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::store::StoreOptions;
use crate::store::geopackage::backup;

/// Copy the store to a new file while servers use it.
#[derive(Args)]
#[command(after_help = "\
The copy is complete, of one moment, and checked; it holds all layers, the change log and the audit log. Copy onemap.toml
and the files .accounts and .token beside the store too.

Examples:
  onemap backup county-2026-11-26.gpkg
  onemap backup --store postgres://onemap@db/county county.dump    prints the command of pg_dump")]
pub(super) struct BackupOptions {
    /// The new file.
    file: PathBuf,

    #[command(flatten)]
    store: StoreOptions,
}

/// Put a copy in the place of the store, which is kept beside it; a running server reads it at once.
#[derive(Args)]
#[command(after_help = "\
Examples:
  onemap restore county-2026-11-26.gpkg
  onemap restore --store postgres://onemap@db/county county.dump   prints the command of pg_restore")]
pub(super) struct RestoreOptions {
    /// The copy.
    file: PathBuf,

    #[command(flatten)]
    store: StoreOptions,
}

pub(super) async fn backup(options: BackupOptions) -> anyhow::Result<ExitCode> {
    let Some(store) = options.store.file() else {
        let location = options.store.database_location()?.unwrap_or_default();
        anyhow::bail!(
            "{location} is a database; copy it with pg_dump --format=custom --schema=onemap --file={} \"$ONEMAP_STORE\"",
            options.file.display()
        );
    };
    backup::backup(store, &options.file).await?;
    tracing::info!(file = %options.file.display(), "the store was copied");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(options: RestoreOptions) -> anyhow::Result<ExitCode> {
    let Some(store) = options.store.file() else {
        let location = options.store.database_location()?.unwrap_or_default();
        anyhow::bail!(
            "{location} is a database; stop the servers and restore it with pg_restore --clean --if-exists \
             --dbname=\"$ONEMAP_STORE\" {}",
            options.file.display()
        );
    };
    let kept = backup::restore(&options.file, store).await?;
    let kept = kept.map(|kept| kept.display().to_string());
    tracing::info!(store = %store.display(), kept, "the store was restored");
    Ok(ExitCode::SUCCESS)
}
