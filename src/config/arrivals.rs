//! What arrives from elsewhere: collections of other servers, and documents in folders and at addresses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::Mistake;
use crate::import::download::WatchedUrl;
use crate::import::remote::RemoteCollection;
use crate::import::sync::SyncedCollection;
use crate::import::watch::WatchedFolder;
use crate::model::{Catalog, ImportMode};

/// Pause between two requests.
const DEFAULT_PAUSE_S: u64 = 60;
const MAX_PREFIX_BYTES: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWatch {
    folder: Spanned<PathBuf>,
    layer: Spanned<String>,
    #[serde(default = "update")]
    mode: ImportMode,
    crs: Option<String>,
    #[serde(default)]
    skip_bad: bool,
    #[serde(default)]
    columns: BTreeMap<String, String>,
    url: Option<Spanned<String>>,
    every_s: Option<Spanned<u64>>,
    secret_file: Option<PathBuf>,
}

/// Files that arrive one after the other change what is stored.
fn update() -> ImportMode {
    ImportMode::Update
}

impl RawWatch {
    /// `folder` is that of the configuration, to which file names are relative.
    pub(super) fn checked(self, catalog: &Catalog, folder: &Path) -> Result<WatchedFolder, Mistake> {
        let layer = self.layer.get_ref();
        if !takes_features(catalog, layer) {
            return Err((self.layer.span().start, format!("watch.layer = {layer:?} is no layer that takes features")));
        }
        let watched = folder.join(self.folder.get_ref());
        if !watched.is_dir() {
            return Err((self.folder.span().start, format!("watch.folder = {} is no folder", watched.display())));
        }
        let download = match &self.url {
            Some(url) => Some(WatchedUrl {
                url: http_url("watch.url", url)?,
                secret: secret(self.secret_file.as_deref(), folder, url)?,
                every: pause("watch.every_s", self.every_s.as_ref())?,
            }),
            None if self.every_s.is_some() || self.secret_file.is_some() => {
                let reason = "watch.every_s and watch.secret_file are for a watch.url".to_owned();
                return Err((self.folder.span().start, reason));
            }
            None => None,
        };
        Ok(WatchedFolder {
            download,
            folder: watched,
            layer: self.layer.into_inner(),
            mode: self.mode,
            crs: self.crs,
            skip_bad: self.skip_bad,
            columns: self.columns.into_iter().collect(),
        })
    }
}

/// Whether a layer is one that is not written by requests of its own.
fn takes_features(catalog: &Catalog, layer: &str) -> bool {
    catalog.layer(layer).is_some_and(|schema| !schema.roles.commitments)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSync {
    url: Spanned<String>,
    collection: String,
    layer: Spanned<String>,
    source: Spanned<String>,
    prefix: Spanned<String>,
    every_s: Option<Spanned<u64>>,
    secret_file: Option<PathBuf>,
    #[serde(default)]
    columns: BTreeMap<String, String>,
}

impl RawSync {
    /// `folder` is that of the configuration, to which file names are relative.
    pub(super) fn checked(self, catalog: &Catalog, folder: &Path) -> Result<SyncedCollection, Mistake> {
        let mistake = |at: usize, reason: String| Err((at, reason));
        let url = http_url("sync.url", &self.url)?;
        let layer = self.layer.get_ref();
        if !takes_features(catalog, layer) {
            return mistake(self.layer.span().start, format!("sync.layer = {layer:?} is no layer that takes features"));
        }
        let prefix = self.prefix.get_ref();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if prefix.is_empty() || prefix.len() > MAX_PREFIX_BYTES || !prefix.chars().all(is_plain) {
            let reason = format!("sync.prefix = {prefix:?} is not 1 to {MAX_PREFIX_BYTES} letters, digits, - and _");
            return mistake(self.prefix.span().start, reason);
        }
        if self.source.get_ref().trim().is_empty() {
            return mistake(self.source.span().start, "sync.source is blank".to_owned());
        }
        let every = pause("sync.every_s", self.every_s.as_ref())?;
        let secret = secret(self.secret_file.as_deref(), folder, &self.url)?;
        Ok(SyncedCollection {
            remote: RemoteCollection { url, collection: self.collection, secret },
            layer: self.layer.into_inner(),
            source: self.source.into_inner(),
            prefix: self.prefix.into_inner(),
            every,
            columns: self.columns.into_iter().collect(),
        })
    }
}

/// An address of the web.
fn http_url(name: &str, url: &Spanned<String>) -> Result<String, Mistake> {
    let text = url.get_ref();
    if ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(text.clone());
    }
    Err((url.span().start, format!("{name} = {text:?} does not begin with http:// or https://")))
}

/// The pause between two requests.
fn pause(name: &str, every_s: Option<&Spanned<u64>>) -> Result<Duration, Mistake> {
    match every_s {
        Some(seconds) if *seconds.get_ref() == 0 => Err((seconds.span().start, format!("{name} must be at least 1"))),
        seconds => Ok(Duration::from_secs(seconds.map_or(DEFAULT_PAUSE_S, |seconds| *seconds.get_ref()))),
    }
}

/// The secret in a file; its name is relative to the folder of the configuration.
fn secret(file: Option<&Path>, folder: &Path, url: &Spanned<String>) -> Result<Option<String>, Mistake> {
    let read = |file: &Path| {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok::<_, String>(text.trim().to_owned())
    };
    file.map(read).transpose().map_err(|reason| (url.span().start, reason))
}
