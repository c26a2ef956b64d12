//! The configuration file `onemap.toml`: parsed and checked; a mistake is reported with its line and a caret.

mod arrivals;
mod identity;
pub mod options;
pub mod roads;
mod subscriptions;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;
use url::Url;

use crate::access::oidc::OidcConfig;
use crate::access::proxy_identity::ProxyIdentityConfig;
use crate::import::sync::SyncedCollection;
use crate::import::watch::WatchedFolder;
use crate::model::access::{Anonymous, TrustedProxy};
use crate::model::base_map::{BaseMap, BaseMapDatum, TileTemplate, VectorSchema};
use crate::model::catalog::{CatalogError, distances_grow};
use crate::model::schema::Label;
use crate::model::{Catalog, LayerAccess, OverCommitment};
use crate::store::TableLayer;
use crate::subscription::webhook::DeliveryRules;
use arrivals::{RawSync, RawWatch};
use identity::{RawOidc, RawProxyIdentity};
use roads::{RawRoads, RoadEngineConfig};
use subscriptions::RawSubscriptions;

/// The checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tables of other programs, served as layers.
    pub layers: Vec<TableLayer>,
    /// County, layers, code lists and rings: the built-in catalog, or the file that `catalog` names.
    pub catalog: Catalog,
    /// Whether `catalog` names a file.
    pub has_own_catalog: bool,
    /// Proxies whose headers are believed.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// What callers without credentials may do; `None` for the default.
    pub anonymous: Option<Anonymous>,
    /// Raster tiles below the layers.
    pub base_map: Option<BaseMap>,
    /// Collections of other servers that are kept in layers of this one.
    pub syncs: Vec<SyncedCollection>,
    /// Folders whose files are imported.
    pub watches: Vec<WatchedFolder>,
    /// What happens to commitments of more than is free.
    pub over_commitment: OverCommitment,
    /// How webhooks are sent.
    pub delivery: DeliveryRules,
    /// Web pages of other origins that may read replies; `None` for the default.
    pub allowed_origins: Option<Vec<String>>,
    /// The engine that computes travel on roads; `None` for the roads on the map.
    pub road_engine: Option<RoadEngineConfig>,
    /// The identity provider whose tokens are accepted.
    pub oidc: Option<OidcConfig>,
    /// The headers by which trusted proxies state who a caller is.
    pub proxy_identity: Option<ProxyIdentityConfig>,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// Invalid TOML, or an unknown or invalid value.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The mistake, with its position.
        reason: String,
    },
    /// The built-in catalog is invalid.
    #[error("the built-in catalog: {0}")]
    BuiltIn(CatalogError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    catalog: Option<Spanned<PathBuf>>,
    #[serde(default)]
    trusted_proxies: Vec<Spanned<String>>,
    #[serde(default)]
    access: RawAccess,
    #[serde(default)]
    layer: Vec<RawTable>,
    #[serde(default)]
    rings_m: BTreeMap<Spanned<String>, Spanned<Vec<f64>>>,
    base_map: Option<RawBaseMap>,
    #[serde(default)]
    sync: Vec<RawSync>,
    #[serde(default)]
    watch: Vec<RawWatch>,
    #[serde(default)]
    commitments: RawCommitments,
    #[serde(default)]
    subscriptions: RawSubscriptions,
    #[serde(default)]
    roads: RawRoads,
    #[serde(default)]
    cors: RawCors,
    oidc: Option<RawOidc>,
    proxy_identity: Option<RawProxyIdentity>,
    /// Options of the command line, which the commands read.
    #[serde(default, rename = "options")]
    _options: IgnoredAny,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCors {
    origins: Option<Vec<Spanned<String>>>,
}

impl RawCors {
    fn checked(self) -> Result<Option<Vec<String>>, Mistake> {
        let checked = |origin: Spanned<String>| {
            if Url::parse(origin.get_ref()).is_ok_and(|url| url.origin().ascii_serialization() == *origin.get_ref())
                || origin.get_ref() == "*"
            {
                return Ok(origin.into_inner());
            }
            let reason = format!(
                "cors.origins: {:?} is no origin; accepted: a scheme and a host, such as https://board.example, or *",
                origin.get_ref()
            );
            Err((origin.span().start, reason))
        };
        self.origins.map(|origins| origins.into_iter().map(checked).collect()).transpose()
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommitments {
    #[serde(default)]
    over: OverCommitment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBaseMap {
    tiles: Spanned<Vec<Spanned<String>>>,
    attribution: Option<String>,
    max_zoom: Option<Spanned<u8>>,
    tile_px: Option<Spanned<u16>>,
    schema: Option<Spanned<VectorSchema>>,
    #[serde(default)]
    datum: BaseMapDatum,
}

impl RawBaseMap {
    fn checked(self) -> Result<BaseMap, Mistake> {
        let template = |text: &Spanned<String>| {
            TileTemplate::parse(text.get_ref())
                .map_err(|reason| (text.span().start, format!("base_map.tiles: {reason}")))
        };
        let tiles: Vec<TileTemplate> = self.tiles.get_ref().iter().map(template).collect::<Result<_, _>>()?;
        if tiles.is_empty() {
            return Err((self.tiles.span().start, "base_map.tiles is empty".to_owned()));
        }
        let schema = self.schema.as_ref().map(|schema| *schema.get_ref());
        let usual_zoom = schema.map_or(DEFAULT_BASE_MAP_ZOOM, VectorSchema::max_zoom);
        let max_zoom = self.max_zoom.as_ref().map_or(usual_zoom, |zoom| *zoom.get_ref());
        let tile_px = self.tile_px.as_ref().map_or(DEFAULT_TILE_PX, |px| *px.get_ref());
        if let Some(zoom) = self.max_zoom.filter(|zoom| *zoom.get_ref() > MAX_BASE_MAP_ZOOM) {
            let reason = format!("base_map.max_zoom {} is above {MAX_BASE_MAP_ZOOM}", zoom.get_ref());
            return Err((zoom.span().start, reason));
        }
        if let Some(px) = self.tile_px.as_ref().filter(|px| ![256, 512].contains(px.get_ref())) {
            return Err((px.span().start, format!("base_map.tile_px {} is neither 256 nor 512", px.get_ref())));
        }
        if let Some(schema) = self.schema {
            let reason = match (tiles.len(), self.datum, &self.tile_px) {
                (1, BaseMapDatum::Wgs84, None) => None,
                (1, BaseMapDatum::Gcj02, _) => Some("only raster tiles may be in GCJ-02"),
                (1, ..) => Some("tile_px is for raster tiles"),
                _ => Some("vector tiles have one template"),
            };
            if let Some(reason) = reason {
                return Err((schema.span().start, format!("base_map.schema: {reason}")));
            }
        }
        Ok(BaseMap { tiles, attribution: self.attribution, max_zoom, tile_px, schema, datum: self.datum })
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccess {
    anonymous: Option<Anonymous>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    table: Spanned<String>,
    id: Option<Spanned<String>>,
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
    refresh_s: Option<Spanned<u64>>,
    access: Option<LayerAccess>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLabel {
    zh: String,
    en: String,
}

const DEFAULT_REFRESH_S: u64 = 10;
const DEFAULT_BASE_MAP_ZOOM: u8 = 18;
const MAX_BASE_MAP_ZOOM: u8 = 22;
const DEFAULT_TILE_PX: u16 = 256;

/// Reads columns and the fields that they fill: `"COLUMN" = "FIELD"` per line.
///
/// # Errors
/// When the file cannot be read, is not TOML, or has a value that is no text.
pub fn read_columns(path: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let text = read_text(path)?;
    let pairs: Result<BTreeMap<String, String>, _> = toml::from_str(&text);
    let content = |error: toml::de::Error| ConfigError::Content { path: path.to_owned(), reason: error.to_string() };
    Ok(pairs.map_err(content)?.into_iter().collect())
}

/// A mistake: its byte offset in the text, and a message.
type Mistake = (usize, String);

impl Config {
    /// The configuration without a file.
    ///
    /// # Errors
    /// Only if the built-in catalog is invalid.
    pub fn built_in() -> Result<Self, ConfigError> {
        let catalog = Catalog::built_in().map_err(ConfigError::BuiltIn)?;
        Ok(Self {
            layers: Vec::new(),
            catalog,
            has_own_catalog: false,
            trusted_proxies: Vec::new(),
            anonymous: None,
            base_map: None,
            syncs: Vec::new(),
            watches: Vec::new(),
            over_commitment: OverCommitment::default(),
            delivery: DeliveryRules::default(),
            allowed_origins: None,
            road_engine: None,
            oidc: None,
            proxy_identity: None,
        })
    }

    /// Reads a configuration file and the catalog that it names.
    ///
    /// # Errors
    /// When one of them cannot be read, is not valid TOML or JSON, or contains an unknown or invalid value.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path)?;
        let content = |reason: String| ConfigError::Content { path: path.to_owned(), reason };
        let mistake = |(offset, reason): Mistake| {
            let (line, column) = position(&text, offset);
            content(excerpt(&text, line, column, &reason))
        };
        let raw: RawConfig = toml::from_str(&text).map_err(|error| content(error.to_string()))?;
        let place = |layer: &RawTable| {
            let (line, _) = position(&text, layer.table.span().start);
            format!("{} line {line}", path.display())
        };
        let mut access = BTreeMap::new();
        let mut layers: Vec<TableLayer> = Vec::new();
        for mut layer in raw.layer {
            if let Some(rules) = layer.access.take() {
                let start = layer.table.span().start;
                let id = layer.id.as_ref().map(|id| id.get_ref().clone());
                let id = id.ok_or_else(|| mistake((start, "access rules need the id of the layer".to_owned())))?;
                access.insert(id, rules);
            }
            let place = place(&layer);
            let layer = layer.checked(place).map_err(mistake)?;
            layers.push(layer);
        }
        let has_own_catalog = raw.catalog.is_some();
        let mut catalog = match raw.catalog {
            Some(named) => {
                let file = path.parent().unwrap_or(Path::new("")).join(named.get_ref());
                if !file.is_file() {
                    let reason = format!("file {} does not exist", file.display());
                    return Err(mistake((named.span().start, reason)));
                }
                read_catalog(&file)?
            }
            None => Catalog::built_in().map_err(ConfigError::BuiltIn)?,
        };
        catalog.access.extend(access);
        set_rings(&mut catalog, raw.rings_m).map_err(mistake)?;
        let proxy = |text: Spanned<String>| {
            parse_trusted_proxy(text.get_ref())
                .map_err(|reason| mistake((text.span().start, format!("trusted_proxies: {reason}"))))
        };
        let trusted_proxies = raw.trusted_proxies.into_iter().map(proxy).collect::<Result<_, _>>()?;
        let base_map = raw.base_map.map(RawBaseMap::checked).transpose().map_err(mistake)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let syncs = raw.sync.into_iter().map(|sync| sync.checked(&catalog, folder));
        let syncs = syncs.collect::<Result<Vec<_>, _>>().map_err(mistake)?;
        let watches = raw.watch.into_iter().map(|watch| watch.checked(&catalog, folder));
        let watches = watches.collect::<Result<Vec<_>, _>>().map_err(mistake)?;
        let delivery = raw.subscriptions.checked().map_err(mistake)?;
        let road_engine = raw.roads.checked().map_err(mistake)?;
        let allowed_origins = raw.cors.checked().map_err(mistake)?;
        let oidc = raw.oidc.map(|oidc| oidc.checked(folder)).transpose().map_err(mistake)?;
        let proxy_identity = raw.proxy_identity.map(RawProxyIdentity::checked).transpose().map_err(mistake)?;
        Ok(Self {
            layers,
            catalog,
            has_own_catalog,
            trusted_proxies,
            anonymous: raw.access.anonymous,
            base_map,
            syncs,
            watches,
            over_commitment: raw.commitments.over,
            delivery,
            allowed_origins,
            road_engine,
            oidc,
            proxy_identity,
        })
    }
}

/// Sets the rings of kinds of incidents.
fn set_rings(catalog: &mut Catalog, rings_m: BTreeMap<Spanned<String>, Spanned<Vec<f64>>>) -> Result<(), Mistake> {
    let kinds = catalog.incident_kinds();
    for (kind, rings) in rings_m {
        if !kinds.contains(kind.get_ref()) {
            let reason = format!("unknown kind of incident {:?}; accepted: {}", kind.get_ref(), kinds.join(", "));
            return Err((kind.span().start, reason));
        }
        if !distances_grow(rings.get_ref()) {
            let reason = format!("rings_m.{} is not an ascending list of distances above 0, in metres", kind.get_ref());
            return Err((rings.span().start, reason));
        }
        catalog.rings_m.insert(kind.into_inner(), rings.into_inner());
    }
    Ok(())
}

/// Reads an IP address, or a network in CIDR notation.
///
/// # Errors
/// When the text is neither; the message names it and what is accepted.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
        format!("{text:?} is no IP address and no network; accepted: an address such as 127.0.0.1 or ::1, or a network such as 10.1.0.0/16")
    })
}

/// Reads `unix`, an IP address, or a network in CIDR notation.
///
/// # Errors
/// When the text is none of them; the message names it and what is accepted.
pub fn parse_trusted_proxy(text: &str) -> Result<TrustedProxy, String> {
    if text == "unix" {
        return Ok(TrustedProxy::UnixSocket);
    }
    let network = parse_network(text).map(TrustedProxy::Network);
    network.map_err(|reason| format!("{reason}, or unix for those that use the Unix socket"))
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })
}

fn read_catalog(path: &Path) -> Result<Catalog, ConfigError> {
    let text = read_text(path)?;
    Catalog::parse(&text).map_err(|CatalogError { line, column, fault }| ConfigError::Content {
        path: path.to_owned(),
        reason: excerpt(&text, line, column, &fault.to_string()),
    })
}

/// Line and column, from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// Formats a mistake with its line and a caret, like the errors of the TOML parser.
fn excerpt(text: &str, line: usize, column: usize, reason: &str) -> String {
    let shown: String = text.lines().nth(line - 1).unwrap_or_default().replace('\t', " ").chars().take(200).collect();
    let margin = " ".repeat(line.to_string().len());
    let before = " ".repeat(column - 1);
    format!("line {line}, column {column}: {reason}\n{margin} |\n{line} | {shown}\n{margin} | {before}^")
}

impl RawTable {
    fn checked(self, place: String) -> Result<TableLayer, Mistake> {
        let table = self.table.get_ref();
        let at = self.table.span().start;
        if table.split('.').count() != 2 || table.split('.').any(str::is_empty) {
            return Err((at, format!("table = {table:?} is not SCHEMA.TABLE, such as public.reservoirs")));
        }
        let at = self.id.as_ref().map_or(at, |id| id.span().start);
        let id = self.id.as_ref().map(Spanned::get_ref).map(String::as_str);
        let id = id.or(table.rsplit('.').next()).unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if id.is_empty() || !id.chars().all(plain) {
            return Err((
                at,
                format!(
                    "layer of table {table:?}: {id:?} is not a valid layer id; set id = \"…\" of lower-case ASCII \
                     letters, digits and underscores"
                ),
            ));
        }
        let refresh_s = self.refresh_s.as_ref().map_or(DEFAULT_REFRESH_S, |seconds| *seconds.get_ref());
        if refresh_s == 0 {
            let at = self.refresh_s.map_or(at, |seconds| seconds.span().start);
            return Err((at, format!("layer of table {table:?}: refresh_s must be at least 1")));
        }
        Ok(TableLayer {
            id: Some(id.to_owned()),
            table: self.table.into_inner(),
            place,
            key: self.key,
            geometry: self.geometry,
            srid: self.srid,
            name: self.name,
            title: self.title.map(|title| Label { zh: title.zh, en: title.en }),
            group: self.group.unwrap_or_else(|| "base".to_owned()),
            sensitive: self.sensitive,
            tile: self.tile,
            refresh: Duration::from_secs(refresh_s),
        })
    }
}
