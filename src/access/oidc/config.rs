//! The section `[oidc]` in its checked form: where tokens come from, and what their claims mean.

use std::path::PathBuf;

use url::{Host, Url};

use crate::access::identity::GrantRules;

/// Where tokens come from, and what their claims mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcConfig {
    /// The issuer: the `iss` of tokens, and the base of the address with its metadata.
    pub issuer: String,
    /// What `aud` of tokens must contain.
    pub audience: String,
    /// Address of the keys; `None` for the one in the metadata of the issuer.
    pub jwks_url: Option<String>,
    /// Certificates in PEM that issued the one of the provider; `None` for the usual authorities of the web.
    pub ca_file: Option<PathBuf>,
    /// The claim with the name of the caller.
    pub name: String,
    /// The claims with its role and limits.
    pub rules: GrantRules,
}

/// Whether what an address gives is from its host: over HTTPS, or on this machine.
#[must_use]
pub fn is_authentic(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for authentic in
            ["https://sso.example/jwks", "http://127.0.0.1:8080/jwks", "http://[::1]/", "http://localhost/"]
        {
            assert!(is_authentic(authentic), "{authentic}");
        }
        for other in ["http://sso.example/jwks", "http://localhost.example/", "ftp://127.0.0.1/", "file:///etc", "sso"]
        {
            assert!(!is_authentic(other), "{other}");
        }
    }
}
