//! How the map is first drawn: from the store, or from the local copy while the store cannot be reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::store::{Fill, StoreOptions};
use crate::clock;
use crate::model::Catalog;
use crate::snapshot::disk_cache::{Copied, LocalCopy};
use crate::snapshot::{Snapshot, Version, follower};
use crate::store::{DeferredStore, LogPosition, Store};

/// A database that takes longer than this is drawn later; until then the copy answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the snapshot is kept for the time without a database.
#[derive(Args)]
pub(super) struct CacheOptions {
    /// Folder that keeps a copy of the map while it stands in a database, so that the server also starts, and answers,
    /// when the database is gone.
    #[arg(long, value_name = "FOLDER", default_value = "onemap-copy", env = "ONEMAP_COPY")]
    copy: PathBuf,

    /// Keep no copy.
    #[arg(long, conflicts_with = "copy")]
    no_copy: bool,
}

/// The first snapshot, and what it was made from.
pub(super) struct StartedMap {
    pub(super) store: Arc<dyn Store>,
    pub(super) snapshot: Snapshot,
    /// When the snapshot was known to equal the store, milliseconds since 1970.
    pub(super) confirmed_ms: i64,
    /// Where to follow on from; nowhere, when the store was not reached.
    pub(super) position: Option<LogPosition>,
    pub(super) copy: Option<LocalCopy>,
    /// What the copy holds.
    pub(super) saved: Option<(Version, i64)>,
}

/// Opens the store and draws it. If that fails, or takes long, and there is a copy, the copy is drawn and the store
/// is awaited.
pub(super) async fn open(
    store: &StoreOptions,
    options: &CacheOptions,
    catalog: &Catalog,
    fill: Fill,
) -> anyhow::Result<StartedMap> {
    let location = store.database_location()?.filter(|_| !options.no_copy);
    let copy = location.as_ref().and_then(|location| open_copy(options, location));
    let Some((copy, location)) = copy.zip(location) else { return draw(store, catalog, fill).await };
    if !copy.is_there() {
        return Ok(StartedMap { copy: Some(copy), ..draw(store, catalog, fill).await? });
    }
    let failure = match tokio::time::timeout(PATIENCE, draw(store, catalog, fill)).await {
        Ok(Ok(opened)) => return Ok(StartedMap { copy: Some(copy), ..opened }),
        Ok(Err(error)) => error,
        Err(_) => anyhow::anyhow!("{location} takes longer than {} s", PATIENCE.as_secs()),
    };
    let Copied { snapshot, confirmed_ms } = match copy.load() {
        Ok(Some(copied)) => copied,
        Ok(None) => return Err(failure),
        Err(damage) => {
            tracing::error!(error = %damage, "the local copy cannot be used");
            return Err(failure);
        }
    };
    let age_s = (clock::now_ms() - confirmed_ms) / 1000;
    tracing::error!(error = %failure, age_s, "the store cannot be opened; the map is drawn from the local copy");
    let schemas = snapshot.layers().iter().map(|layer| layer.schema().clone()).collect();
    let awaited = DeferredStore::new(location, schemas, store.opener(catalog)?);
    let saved = Some((snapshot.version(), confirmed_ms));
    Ok(StartedMap { store: Arc::new(awaited), snapshot, confirmed_ms, position: None, copy: Some(copy), saved })
}

async fn draw(store: &StoreOptions, catalog: &Catalog, fill: Fill) -> anyhow::Result<StartedMap> {
    let store = store.open(catalog, fill).await?;
    let confirmed_ms = clock::now_ms();
    let (snapshot, position) = follower::build(&*store).await?;
    Ok(StartedMap { store, snapshot, confirmed_ms, position: Some(position), copy: None, saved: None })
}

/// A server without a copy still serves.
fn open_copy(options: &CacheOptions, location: &str) -> Option<LocalCopy> {
    LocalCopy::open(&options.copy, location)
        .inspect_err(|error| tracing::warn!(%error, "no local copy is kept (--copy names another folder)"))
        .ok()
}
