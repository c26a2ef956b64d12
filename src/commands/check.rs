//! `onemap check`: the effective configuration, and what is wrong with the stored features.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::accounts::AccountOptions;
use super::file_options::FileOptions;
use super::option_sources;
use super::store::StoreOptions;
use crate::access;
use crate::access::identity::GrantRules;
use crate::access::oidc::{IdentityProvider, OidcConfig};
use crate::access::proxy_identity::ProxyIdentityConfig;
use crate::config::Config;
use crate::exchange::reader::{check_place, check_value};
use crate::geodesy::validity::check_validity;
use crate::model::{Catalog, Feature, GeometryKind, LayerIndex, LayerSchema, Value};
use crate::store::Store;

/// Features that are named for each kind of problem.
const MAX_NAMED: usize = 5;
/// The field with the division of a feature, and that with the code of a division itself.
const REGION_CODE: &str = "region_code";
const DIVISION_CODE: &str = "code";

/// Check the configuration and the store; exit code 1 if something is wrong.
#[derive(Args)]
#[command(after_help = "\
Prints each option of the server with its value and where that comes from: the command line, a variable, the
configuration file, or the default. Reads
everything and changes no feature, also while servers run. Reports unreadable values, values outside of their range or
code list, invalid geometries, places far outside the county, more people than places, and divisions that do not exist.

Examples:
  onemap check
  onemap check --config onemap.toml --store postgres://onemap@db/county")]
pub(super) struct CheckOptions {
    #[command(flatten)]
    accounts: AccountOptions,

    #[command(flatten)]
    store: StoreOptions,
}

/// Problems of one kind in a layer.
#[derive(Default)]
struct Problems {
    count: usize,
    /// The first ones: id, and what is wrong.
    named: Vec<String>,
}

/// What was found, by layer and kind.
type Found = BTreeMap<(LayerIndex, &'static str), Problems>;

pub(super) async fn check(
    options: CheckOptions,
    command_line: &[OsString],
    file_options: &FileOptions,
) -> anyhow::Result<ExitCode> {
    let config = options.store.config()?;
    let accounts = options.accounts.file(&options.store);
    let mut out = std::io::stdout();
    for (name, value) in configuration(&options.store, &config, accounts.read()?.len()) {
        writeln!(out, "{name}\t{value}")?;
    }
    for (name, value) in option_sources::of_server(command_line, file_options)? {
        writeln!(out, "{name}\t{value}")?;
    }
    access::restrictions(&config.catalog)?;
    let store = options.store.open_existing(&config.catalog).await?;
    let (counts, found) = examine(&*store, &config.catalog).await?;
    let statuses = store.layer_statuses();
    store.close().await;
    let mut is_sound = true;
    for (index, schema) in LayerIndex::each(store.schemas()) {
        let count = counts.get(&index).copied().unwrap_or(0);
        writeln!(out, "{}\t{count} features", schema.id)?;
        let status = statuses.get(index.0).copied().unwrap_or_default();
        if status.unavailable_for.is_some() {
            is_sound = false;
            writeln!(out, "  cannot be read")?;
        }
        if status.read_warnings > 0 {
            is_sound = false;
            writeln!(out, "  {} unreadable values or rows", status.read_warnings)?;
        }
        for ((_, kind), problems) in found.range((index, "")..(LayerIndex(index.0 + 1), "")) {
            is_sound = false;
            let more = if problems.count > problems.named.len() { ", …" } else { "" };
            writeln!(out, "  {} {kind}: {}{more}", problems.count, problems.named.join("; "))?;
        }
    }
    if let Some(engine) = options.store.road_engine(config.road_engine)? {
        let found = engine.check().await;
        is_sound &= found.is_ok();
        writeln!(out, "road engine\t{}", found.map_or_else(|error| error.to_string(), |()| "pgRouting".to_owned()))?;
    }
    if let Some(oidc) = config.oidc {
        let found = IdentityProvider::new(oidc)?.check().await;
        is_sound &= found.is_ok();
        writeln!(out, "keys of the identity provider\t{}", found.map_or_else(|error| error, |keys| keys.to_string()))?;
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The effective configuration: names and values.
fn configuration(store: &StoreOptions, config: &Config, accounts: usize) -> Vec<(&'static str, String)> {
    let catalog = if config.has_own_catalog { "own" } else { "built in" };
    let proxies = config.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let anonymous = match (config.anonymous, accounts) {
        (Some(anonymous), _) => format!("{anonymous:?} (configured)").to_lowercase(),
        (None, 0) if config.oidc.is_none() && config.proxy_identity.is_none() => "viewer (no accounts)".to_owned(),
        (None, 0) => "public (others identify callers)".to_owned(),
        (None, _) => "public (there are accounts)".to_owned(),
    };
    let mut lines = vec![
        ("configuration", store.config_file().map_or_else(|| "none".to_owned(), |file| file.display().to_string())),
        (
            "catalog",
            format!("{catalog}, {} layers, county {}", config.catalog.layers.len(), config.catalog.county.code),
        ),
        ("tables of other programs", config.layers.len().to_string()),
        ("accounts", accounts.to_string()),
        ("callers without credentials", anonymous),
        ("trusted proxies", if proxies.is_empty() { "none".to_owned() } else { proxies }),
    ];
    if let Some(OidcConfig { issuer, audience, jwks_url, ca_file, name, rules }) = &config.oidc {
        let keys = jwks_url.clone().unwrap_or_else(|| "as the issuer states".to_owned());
        let authorities = ca_file.as_ref().map(|file| format!(", authorities {}", file.display())).unwrap_or_default();
        lines.push(("identity provider", format!("{issuer}, audience {audience}, keys {keys}{authorities}")));
        lines.push(("its claims", format!("name {name}, {}", rules_text(rules))));
    }
    if let Some(ProxyIdentityConfig { user_header, rules }) = &config.proxy_identity {
        let lack = if config.trusted_proxies.is_empty() { ", refused without --trusted-proxy" } else { "" };
        lines.push(("headers of trusted proxies", format!("user {user_header}, {}{lack}", rules_text(rules))));
    }
    lines
}

/// What the statements of another system mean.
fn rules_text(GrantRules { role, region, layers, roles }: &GrantRules) -> String {
    let limits = [("region", region), ("layers", layers)];
    let limits = limits.into_iter().filter_map(|(name, own)| Some(format!(", {name} {}", own.as_ref()?)));
    let mapped = roles.iter().map(|(value, role)| format!("{value} = {}", role.name())).collect::<Vec<_>>().join(", ");
    let mapped = if mapped.is_empty() { String::new() } else { format!(" ({mapped})") };
    format!("role {role}{mapped}{}", limits.collect::<String>())
}

async fn examine(store: &dyn Store, catalog: &Catalog) -> anyhow::Result<(BTreeMap<LayerIndex, usize>, Found)> {
    let mut counts: BTreeMap<LayerIndex, usize> = BTreeMap::new();
    let mut found = Found::new();
    let mut divisions: BTreeSet<String> = BTreeSet::new();
    let mut regions: Vec<(LayerIndex, String, String)> = Vec::new();
    let schemas = store.schemas().to_vec();
    let mut take = |index: LayerIndex, feature: Feature| {
        *counts.entry(index).or_default() += 1;
        let schema = index.of(&schemas);
        for (kind, reason) in problems_of(catalog, schema, &feature) {
            let problems = found.entry((index, kind)).or_default();
            problems.count += 1;
            if problems.named.len() < MAX_NAMED {
                problems.named.push(format!("{}: {reason}", feature.id));
            }
        }
        if schema.geometry == GeometryKind::Polygon {
            divisions.extend(text(schema, &feature, DIVISION_CODE));
        }
        if let Some(code) = text(schema, &feature, REGION_CODE) {
            regions.push((index, feature.id.to_string(), code));
        }
    };
    store.read_all(&mut take).await?;
    for (index, id, code) in regions {
        let is_known = divisions.is_empty() || divisions.iter().any(|own| lies_in(&code, own));
        if !is_known {
            let problems = found.entry((index, "in divisions that do not exist")).or_default();
            problems.count += 1;
            if problems.named.len() < MAX_NAMED {
                problems.named.push(format!("{id}: {code}"));
            }
        }
    }
    Ok((counts, found))
}

/// Whether a division is another one, or within it.
fn lies_in(code: &str, other: &str) -> bool {
    crate::model::division::division_prefix(other).is_some_and(|prefix| code.starts_with(prefix))
}

fn text(schema: &LayerSchema, feature: &Feature, field: &str) -> Option<String> {
    match feature.values.get(schema.position(field)?)? {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// The problems of a feature: kind and reason. Values of sensitive fields are not named.
fn problems_of(catalog: &Catalog, schema: &LayerSchema, feature: &Feature) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    for (field, value) in schema.fields.iter().zip(&feature.values) {
        if let Err(reason) = check_value(catalog, field, value) {
            let reason = if field.sensitive { "not shown".to_owned() } else { reason };
            problems.push(("values that are not accepted", format!("{} {reason}", field.name)));
        }
    }
    if let Err(over) = schema.check_capacity(&feature.values) {
        problems.push(("with more people than places", over.to_string()));
    }
    if let Some(shape) = &feature.geometry {
        if let Err(error) = check_validity(shape.geometry()) {
            problems.push(("invalid geometries", error.to_string()));
        }
        if let Err(defect) = check_place(&catalog.county, shape) {
            problems.push(("far outside the county", defect.reason));
        }
    }
    problems
}
