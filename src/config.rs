//! The configuration file: what stands in it, checked, with the place of every mistake.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::model::schema::Label;
use crate::store::TableLayer;

/// What a configuration file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Tables of other programs that stand on the map as layers.
    pub layers: Vec<TableLayer>,
    /// Rings around what happened, metres, growing, by the kind of incident; others stay as they are built in.
    pub rings_m: BTreeMap<String, Vec<f64>>,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not TOML, or holds something that is not known.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[serde(default)]
    layer: Vec<RawTable>,
    #[serde(default)]
    rings_m: BTreeMap<String, Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    table: toml::Spanned<String>,
    id: Option<String>,
    key: Option<String>,
    geometry: Option<String>,
    srid: Option<i32>,
    name: Option<String>,
    title: Option<RawLabel>,
    group: Option<String>,
    #[serde(default)]
    sensitive: Vec<String>,
    #[serde(default)]
    tile: Vec<String>,
    #[serde(default = "default_refresh_s")]
    refresh_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLabel {
    zh: String,
    en: String,
}

fn default_refresh_s() -> u64 {
    10
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or holds something that is not known.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let content = |reason: String| ConfigError::Content { path: path.to_owned(), reason };
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        let raw: RawConfig = toml::from_str(&text).map_err(|error| content(error.to_string()))?;
        let place = |layer: &RawTable| {
            let before = text.bytes().take(layer.table.span().start);
            format!("{} line {}", path.display(), 1 + before.filter(|byte| *byte == b'\n').count())
        };
        let layers = raw.layer.into_iter().map(|layer| {
            let place = place(&layer);
            layer.checked(place).map_err(content)
        });
        let layers = layers.collect::<Result<_, _>>()?;
        for (kind, rings) in &raw.rings_m {
            if rings.is_empty() || rings[0] <= 0.0 || !rings.is_sorted_by(|a, b| a < b) {
                return Err(content(format!("rings_m.{kind} is not a list of growing distances above 0, in metres")));
            }
        }
        Ok(Self { layers, rings_m: raw.rings_m })
    }
}

impl RawTable {
    fn checked(self, place: String) -> Result<TableLayer, String> {
        let table = self.table.into_inner();
        let id = self.id.as_deref().or(table.rsplit('.').next()).unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if id.is_empty() || !id.chars().all(plain) {
            return Err(format!(
                "layer of table {table:?}: {id:?} cannot be a layer's id; give one with id = \"…\" of lower-case ASCII \
                 letters, digits and underscores"
            ));
        }
        if table.split('.').count() != 2 || table.split('.').any(str::is_empty) {
            return Err(format!("table = {table:?} is not SCHEMA.TABLE, such as public.reservoirs"));
        }
        if self.refresh_s == 0 {
            return Err(format!("layer of table {table:?}: refresh_s must be at least 1"));
        }
        Ok(TableLayer {
            id: Some(id.to_owned()),
            table,
            place,
            key: self.key,
            geometry: self.geometry,
            srid: self.srid,
            name: self.name,
            title: self.title.map(|title| Label { zh: title.zh, en: title.en }),
            group: self.group.unwrap_or_else(|| "base".to_owned()),
            sensitive: self.sensitive,
            tile: self.tile,
            refresh: Duration::from_secs(self.refresh_s),
        })
    }
}
