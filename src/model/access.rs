//! Roles of callers, and the access rules of layers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::LayerSchema;
use super::cluster::ClusterConfig;

/// What a caller may do. A role reads everything that a lower one reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads what the rules leave to the public.
    Public,
    /// Reads all layers, except what the rules reserve for higher roles.
    Viewer,
    /// Also writes, within the layers and regions of the account.
    Editor,
    /// Also reads contacts, and writes the layers whose rules say so.
    Dispatcher,
    /// Reads and writes everything.
    Admin,
}

impl Role {
    /// All roles, lowest first.
    pub const ALL: [Self; 5] = [Self::Public, Self::Viewer, Self::Editor, Self::Dispatcher, Self::Admin];

    /// Its name in the catalog, the configuration and replies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Dispatcher => "dispatcher",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is no role; accepted: {names}")
        })
    }
}

/// A proxy whose headers are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// Each with an address in a network.
    Network(IpNet),
    /// Each process that may use the Unix socket of the server.
    UnixSocket,
}

impl fmt::Display for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::UnixSocket => f.write_str("unix"),
        }
    }
}

/// What callers without credentials may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anonymous {
    /// What a viewer may.
    Viewer,
    /// What the public may.
    Public,
    /// Nothing.
    None,
}

/// The access rules of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerAccess {
    /// The lowest role that sees the layer at all.
    #[serde(default = "everybody")]
    pub read: Role,
    /// Roles that write the layer; an admin always does.
    #[serde(default = "editors")]
    pub write: BTreeSet<Role>,
    /// CQL2 text by role: callers of this role and of lower ones see only the features that match.
    #[serde(default)]
    pub rows: BTreeMap<Role, String>,
    /// The lowest role that sees a field, by field name.
    #[serde(default)]
    pub fields: BTreeMap<String, Role>,
}

fn everybody() -> Role {
    Role::Public
}

fn editors() -> BTreeSet<Role> {
    BTreeSet::from([Role::Editor])
}

impl Default for LayerAccess {
    fn default() -> Self {
        Self { read: everybody(), write: editors(), rows: BTreeMap::new(), fields: BTreeMap::new() }
    }
}

impl LayerAccess {
    /// The field of these rules that cannot be hidden, because it does not exist or because a role or the clusters of
    /// the layer read it, so that replies would depend on it.
    #[must_use]
    pub fn unsuitable_field(&self, schema: &LayerSchema) -> Option<&str> {
        let names = self.fields.keys().map(String::as_str);
        let mut hidden = names.filter(|name| self.fields[*name] > Role::Public);
        hidden.find(|name| {
            let contact = schema.roles.responsible.iter().any(|own| own.person == *name || own.phone == *name);
            let is_read = schema.roles.typed_fields().any(|(own, _)| own == *name) && !contact;
            let is_clustered = schema.clusters.iter().flat_map(ClusterConfig::fields).any(|own| own == *name);
            schema.position(name).is_none() || *name == "name" || is_read || is_clustered
        })
    }

    /// The filters that apply to a role.
    pub fn filters(&self, role: Role) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(move |(highest, _)| role <= **highest).map(|(_, filter)| filter.as_str())
    }

    /// The names of the fields that a role does not see.
    pub fn hidden_fields(&self, role: Role) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(_, lowest)| role < **lowest).map(|(name, _)| name.as_str())
    }
}
