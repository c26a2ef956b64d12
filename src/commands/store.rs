//! The options `--store` and `--config`, and how a store is opened.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use sha2::{Digest, Sha256};

use super::sample;
use crate::config::Config;
use crate::config::roads::RoadEngineConfig;
use crate::model::Catalog;
use crate::private_file::beside;
use crate::routing::pgrouting::PgRouting;
use crate::store::deferred::Opener;
use crate::store::geopackage::NewFile;
use crate::store::{GeoPackage, PostGis, Store};

/// The store and the configuration.
#[derive(Args)]
pub(super) struct StoreOptions {
    /// GeoPackage file, which serve and import create if missing, or postgres://USER:PASSWORD@HOST/DATABASE with PostGIS.
    #[arg(long, value_name = "FILE|URL", default_value = "onemap.gpkg", env = "ONEMAP_STORE", hide_env_values = true)]
    store: Location,

    /// Configuration file [default: onemap.toml if it exists].
    #[arg(long, value_name = "FILE", env = "ONEMAP_CONFIG")]
    config: Option<PathBuf>,
}

/// Content of a new store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// The sample county.
    Sample,
    /// Nothing.
    Nothing,
}

#[derive(Clone)]
enum Location {
    File(PathBuf),
    /// May contain a password, so it is never printed.
    Database(String),
    /// The scheme of an unsupported URL; the rest may contain a password.
    Unsupported(String),
}

impl FromStr for Location {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once("://") {
            Some((scheme, rest))
                if ["postgres", "postgresql"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) =>
            {
                Self::Database(format!("{}://{rest}", scheme.to_ascii_lowercase()))
            }
            Some((scheme, _)) => Self::Unsupported(scheme.to_owned()),
            None => Self::File(text.into()),
        })
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Database(_) => f.write_str("postgres://***"),
            Self::Unsupported(scheme) => write!(f, "{scheme}://***"),
        }
    }
}

impl StoreOptions {
    /// Opens the store. A missing store is created, with or without the sample county.
    pub(super) async fn open(&self, catalog: &Catalog, fill: Fill) -> anyhow::Result<Arc<dyn Store>> {
        let config = self.config()?;
        let store: Arc<dyn Store> = match &self.store {
            Location::File(path) => {
                refuse_tables(&config)?;
                refuse_other_than_file(path)?;
                if !path.try_exists().with_context(|| format!("cannot access {}", path.display()))? {
                    let draft = GeoPackage::create(path, catalog).await?;
                    fill_new(draft.store(), &path.display().to_string(), catalog, fill).await?;
                    draft.finish().await?;
                }
                Arc::new(GeoPackage::open(path, catalog).await?)
            }
            Location::Database(url) => {
                let store = PostGis::open(url, catalog.layers.clone(), &config.layers).await?;
                if store.is_new() {
                    fill_new(&store, store.location(), catalog, fill).await?;
                }
                Arc::new(store)
            }
            Location::Unsupported(scheme) => return Err(unsupported(scheme)),
        };
        tracing::info!(store = store.location(), "store opened");
        Ok(store)
    }

    /// Opens the store for an import. A missing file is created, and put in place only when the import is finished.
    pub(super) async fn open_for_import(&self, catalog: &Catalog) -> anyhow::Result<ImportTarget> {
        if let Location::File(path) = &self.store {
            refuse_other_than_file(path)?;
            if !path.try_exists().with_context(|| format!("cannot access {}", path.display()))? {
                tracing::info!(store = %path.display(), "creating an empty store");
                return Ok(ImportTarget::New(Box::new(GeoPackage::create(path, catalog).await?)));
            }
        }
        self.open(catalog, Fill::Nothing).await.map(ImportTarget::Existing)
    }

    /// The engine that computes travel on roads: in the database of the store, if the configuration names no other.
    pub(super) fn road_engine(&self, config: Option<RoadEngineConfig>) -> anyhow::Result<Option<Arc<PgRouting>>> {
        let Some(RoadEngineConfig { url, table }) = config else { return Ok(None) };
        let ((Some(url), _) | (None, Location::Database(url))) = (&url, &self.store) else {
            anyhow::bail!("the configuration needs roads.url, because the store is no PostGIS database");
        };
        Ok(Some(Arc::new(PgRouting::open(url, table)?)))
    }

    /// The file; `None` for a database.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.store {
            Location::File(path) => Some(path),
            Location::Database(_) | Location::Unsupported(_) => None,
        }
    }

    /// Opens an existing store.
    pub(super) async fn open_existing(&self, catalog: &Catalog) -> anyhow::Result<Arc<dyn Store>> {
        Ok(self.opener(catalog)?().await?)
    }

    /// Location of the database without secrets; `None` for a file.
    pub(super) fn database_location(&self) -> anyhow::Result<Option<String>> {
        Ok(match &self.store {
            Location::File(_) => None,
            Location::Database(url) => Some(PostGis::location_of(url)?),
            Location::Unsupported(scheme) => return Err(unsupported(scheme)),
        })
    }

    /// A file with an ending, such as `.token`: beside the GeoPackage, or in the working directory.
    pub(super) fn file_beside(&self, ending: &str) -> PathBuf {
        match &self.store {
            Location::File(path) => beside(path, ending),
            Location::Database(_) | Location::Unsupported(_) => format!("onemap{ending}").into(),
        }
    }

    /// The file of audit entries that wait for the store.
    pub(super) fn audit_spool_file(&self) -> PathBuf {
        self.file_beside(".audit-pending")
    }

    /// The file of subscriptions: one for each database, because what they have seen of one is wrong for another.
    pub(super) fn subscriptions_file(&self) -> anyhow::Result<PathBuf> {
        let Some(location) = self.database_location()? else { return Ok(self.file_beside(".subscriptions")) };
        let digest = Sha256::digest(location.as_bytes());
        let digest = digest.iter().take(4).fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        Ok(self.file_beside(&format!("-{digest}.subscriptions")))
    }

    /// A function that opens the store and does not fill it.
    pub(super) fn opener(&self, catalog: &Catalog) -> anyhow::Result<Opener> {
        let (catalog, tables) = (catalog.clone(), self.config()?.layers);
        match self.store.clone() {
            Location::File(path) => {
                refuse_other_than_file(&path)?;
                Ok(Box::new(move || {
                    let (path, catalog) = (path.clone(), catalog.clone());
                    Box::pin(async move {
                        let store: Arc<dyn Store> = Arc::new(GeoPackage::open(&path, &catalog).await?);
                        Ok(store)
                    })
                }))
            }
            Location::Database(url) => Ok(Box::new(move || {
                let (url, layers, tables) = (url.clone(), catalog.layers.clone(), tables.clone());
                Box::pin(async move {
                    let store: Arc<dyn Store> = Arc::new(PostGis::open(&url, layers, &tables).await?);
                    Ok(store)
                })
            })),
            Location::Unsupported(scheme) => Err(unsupported(&scheme)),
        }
    }

    /// The configuration file; `None` without one.
    pub(super) fn config_file(&self) -> Option<&Path> {
        config_file(self.config.as_deref())
    }

    /// Reads the configuration file; the defaults without one.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        Ok(self.config_file().map_or_else(Config::built_in, Config::read)?)
    }
}

/// The store of an import.
pub(super) enum ImportTarget {
    /// It existed.
    Existing(Arc<dyn Store>),
    /// A file that is not yet in place.
    New(Box<NewFile>),
}

impl ImportTarget {
    pub(super) fn store(&self) -> &dyn Store {
        match self {
            Self::Existing(store) => store.as_ref(),
            Self::New(file) => file.store(),
        }
    }

    /// Closes the store with what was imported.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Existing(store) => store.close().await,
            Self::New(file) => file.finish().await?,
        }
        Ok(())
    }

    /// Closes the store; a new file is removed.
    pub(super) async fn discard(self) {
        match self {
            Self::Existing(store) => store.close().await,
            Self::New(file) => file.discard().await,
        }
    }
}

fn refuse_tables(config: &Config) -> anyhow::Result<()> {
    match config.layers.first() {
        None => Ok(()),
        Some(layer) => anyhow::bail!(
            "the configuration names table {}, which needs a PostGIS store; set --store postgres://…",
            layer.table
        ),
    }
}

fn unsupported(scheme: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "--store: unknown scheme {scheme:?}; accepted: postgres://USER:PASSWORD@HOST/DATABASE, or a file name"
    )
}

/// Opening a pipe would block, and a directory is not a store.
fn refuse_other_than_file(path: &Path) -> anyhow::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => anyhow::bail!("{} is a directory; --store names a file", path.display()),
        Ok(found) if !found.is_file() => {
            anyhow::bail!("{} is a pipe, socket or device; --store names a regular file", path.display())
        }
        // A missing file is created; other errors are reported when it is opened.
        _ => Ok(()),
    }
}

async fn fill_new(store: &dyn Store, location: &str, catalog: &Catalog, fill: Fill) -> anyhow::Result<()> {
    if fill == Fill::Nothing {
        tracing::info!(store = location, "creating an empty store");
        return Ok(());
    }
    tracing::info!(store = location, "creating a store with the sample county (示例数据)");
    sample::fill(store, catalog).await
}

/// The configuration file that is named, or the default if it exists.
pub(super) fn config_file(named: Option<&Path>) -> Option<&Path> {
    const DEFAULT: &str = "onemap.toml";
    named.or_else(|| Path::new(DEFAULT).is_file().then_some(Path::new(DEFAULT)))
}
