//! `onemap sync`: reads the configured collections of other servers once.

use std::process::ExitCode;

use clap::Args;

use super::store::{Fill, StoreOptions};
use crate::clock;
use crate::import::sync::{Synced, sync};
use crate::model::ImportCounts;

/// Read the collections of other servers that the configuration names ([[sync]]), once; a server does so all the time.
#[derive(Args)]
pub(super) struct SyncArguments {
    #[command(flatten)]
    store: StoreOptions,
}

pub(super) async fn run(arguments: SyncArguments) -> anyhow::Result<ExitCode> {
    let config = arguments.store.config()?;
    anyhow::ensure!(
        !config.syncs.is_empty(),
        "the configuration has no [[sync]]; see the README, section \"Other servers\""
    );
    let store = arguments.store.open(&config.catalog, Fill::Nothing).await?;
    let mut has_failed = false;
    for synced in &config.syncs {
        let (source, layer) = (&synced.source, &synced.layer);
        match sync(&*store, &config.catalog, synced, None, clock::now()).await {
            Ok(Synced { counts, refused, .. }) => {
                let ImportCounts { new, changed, unchanged, removed, .. } = counts.unwrap_or_default();
                tracing::info!(source, layer, new, changed, unchanged, removed, refused, "read");
            }
            Err(error) => {
                has_failed = true;
                tracing::error!(source, layer, "not read: {error}");
            }
        }
    }
    store.close().await;
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
