//! The section `[oidc]`: the identity provider, and what the claims of its tokens mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::Mistake;
use crate::access::identity::GrantRules;
use crate::access::oidc::{OidcConfig, is_authentic};
use crate::model::Role;

/// The claim that Keycloak and others give the name of a user.
const NAME: &str = "preferred_username";
const ROLE: &str = "onemap_role";

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
