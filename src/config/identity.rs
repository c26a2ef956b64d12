//! The sections `[oidc]` and `[proxy_identity]`: other systems that identify callers, and what their statements mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::Mistake;
use crate::access::identity::GrantRules;
use crate::access::oidc::{OidcConfig, is_authentic};
use crate::access::proxy_identity::ProxyIdentityConfig;
use crate::model::Role;

/// The claim that Keycloak and others give the name of a user.
const NAME: &str = "preferred_username";
const ROLE: &str = "onemap_role";
const USER_HEADER: &str = "x-remote-user";
const ROLE_HEADER: &str = "x-remote-role";
/// Headers that have another meaning.
const RESERVED: [&str; 7] =
    ["authorization", "cookie", "host", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOidc {
    issuer: Spanned<String>,
    audience: Spanned<String>,
    jwks_url: Option<Spanned<String>>,
    ca_file: Option<PathBuf>,
    name: Option<String>,
    role: Option<String>,
    region: Option<String>,
    layers: Option<String>,
    #[serde(default)]
    roles: BTreeMap<String, Role>,
}

impl RawOidc {
    /// The checked section; paths are relative to the folder of the file.
    pub(super) fn checked(self, folder: &Path) -> Result<OidcConfig, Mistake> {
        if Url::parse(self.issuer.get_ref()).is_err() {
            let reason = format!(
                "oidc.issuer: {:?} is no URL; accepted: the iss of the tokens, such as https://sso.example/realms/county",
                self.issuer.get_ref()
            );
            return Err((self.issuer.span().start, reason));
        }
        if self.audience.get_ref().is_empty() {
            return Err((self.audience.span().start, "oidc.audience is empty".to_owned()));
        }
        let (name, fetched) = match &self.jwks_url {
            Some(url) => ("oidc.jwks_url", url),
            None => ("oidc.issuer", &self.issuer),
        };
        if !is_authentic(fetched.get_ref()) {
            let reason = format!(
                "{name}: the keys would come from {:?}, and anybody on the way could replace them; accepted: https, or \
                 http on this machine",
                fetched.get_ref()
            );
            return Err((fetched.span().start, reason));
        }
        Ok(OidcConfig {
            issuer: self.issuer.into_inner(),
            audience: self.audience.into_inner(),
            jwks_url: self.jwks_url.map(Spanned::into_inner),
            ca_file: self.ca_file.map(|file| folder.join(file)),
            name: self.name.unwrap_or_else(|| NAME.to_owned()),
            rules: GrantRules {
                role: self.role.unwrap_or_else(|| ROLE.to_owned()),
                region: self.region,
                layers: self.layers,
                roles: self.roles,
            },
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProxyIdentity {
    user_header: Option<Spanned<String>>,
    role_header: Option<Spanned<String>>,
    region_header: Option<Spanned<String>>,
    layers_header: Option<Spanned<String>>,
    #[serde(default)]
    roles: BTreeMap<String, Role>,
}

impl RawProxyIdentity {
    pub(super) fn checked(self) -> Result<ProxyIdentityConfig, Mistake> {
        let mut names: Vec<String> = Vec::new();
        let mut header = |given: Option<Spanned<String>>| {
            let Some(given) = given else { return Ok(None) };
            let name = given.get_ref().to_ascii_lowercase();
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            let is_own = !name.is_empty() && name.bytes().all(is_token) && !RESERVED.contains(&name.as_str());
            if !is_own || names.contains(&name) {
                let reason = format!(
                    "proxy_identity: {:?} is no header of its own; accepted: names such as {USER_HEADER}, each once",
                    given.get_ref()
                );
                return Err((given.span().start, reason));
            }
            names.push(name.clone());
            Ok(Some(name))
        };
        let user_header = header(self.user_header)?.unwrap_or_else(|| USER_HEADER.to_owned());
        let role = header(self.role_header)?.unwrap_or_else(|| ROLE_HEADER.to_owned());
        let (region, layers) = (header(self.region_header)?, header(self.layers_header)?);
        Ok(ProxyIdentityConfig { user_header, rules: GrantRules { role, region, layers, roles: self.roles } })
    }
}
