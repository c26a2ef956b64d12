//! A hash of what replies depend on besides the data: servers of one database with the same hash send the same replies
//! with the same entity tags.

use std::time::UNIX_EPOCH;

use crate::config::Config;
use crate::model::stable_hash;

/// The hash for the running program and its configuration.
pub(super) fn configuration_hash(config: &Config) -> u64 {
    let Config { catalog, base_map, over_commitment, .. } = config;
    stable_hash(&(program(), format!("{catalog:?} {base_map:?} {over_commitment:?}")))
}

/// Identifies the program: its version, and the size and time of its file, which packages and images preserve.
fn program() -> (&'static str, u64, u64) {
    let file = std::env::current_exe().and_then(std::fs::metadata).ok();
    let size = file.as_ref().map_or(0, std::fs::Metadata::len);
    let modified = file.and_then(|file| file.modified().ok()?.duration_since(UNIX_EPOCH).ok());
    (env!("CARGO_PKG_VERSION"), size, modified.map_or(0, |modified| modified.as_secs()))
}
