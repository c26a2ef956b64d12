//! The keys of an identity provider over HTTP: its metadata (OpenID Connect Discovery), and the key set that it names.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::config::{OidcConfig, is_authentic};
use super::keys::KeySet;

/// Time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest document, bytes.
const MAX_BYTES: u64 = 1_000_000;
/// The metadata, below the issuer.
const METADATA: &str = ".well-known/openid-configuration";

/// Where keys are fetched.
#[derive(Clone)]
pub(super) struct KeySource {
    agent: ureq::Agent,
    issuer: String,
    jwks_url: Option<String>,
}

/// Why the certificates of the authorities cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct CertificatesError {
    path: PathBuf,
    reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl KeySource {
    /// # Errors
    /// When the certificates cannot be read.
    pub(super) fn new(config: &OidcConfig) -> Result<Self, CertificatesError> {
        // A redirect could lead from HTTPS to a server that anybody may answer for.
        let agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        let agent = agent.max_redirects(0);
        let agent = match &config.ca_file {
            None => agent,
            Some(path) => {
                let unreadable = |reason| CertificatesError { path: path.clone(), reason };
                let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
                let mut certificates: Vec<Certificate<'static>> = Vec::new();
                for item in parse_pem(&pem) {
                    if let PemItem::Certificate(own) = item.map_err(|error| unreadable(error.to_string()))? {
                        certificates.push(own);
                    }
                }
                if certificates.is_empty() {
                    return Err(unreadable("it has no certificate in PEM".to_owned()));
                }
                let roots = RootCerts::new_with_certs(&certificates);
                agent.tls_config(TlsConfig::builder().root_certs(roots).build())
            }
        };
        Ok(Self { agent: agent.build().into(), issuer: config.issuer.clone(), jwks_url: config.jwks_url.clone() })
    }

    /// Fetches the keys. Blocks while it waits for the provider.
    ///
    /// # Errors
    /// When the provider does not answer, or not with keys.
    pub(super) fn fetch(&self) -> Result<KeySet, String> {
        let url = match &self.jwks_url {
            Some(url) => url.clone(),
            None => self.discovered()?,
        };
        KeySet::read(&self.get(&url)?).map_err(|reason| format!("{url}: {reason}"))
    }

    fn discovered(&self) -> Result<String, String> {
        let url = format!("{}/{METADATA}", self.issuer.trim_end_matches('/'));
        let metadata: Metadata =
            serde_json::from_slice(&self.get(&url)?).map_err(|error| format!("{url}: no metadata: {error}"))?;
        if metadata.issuer != self.issuer {
            return Err(format!("{url}: the issuer there is {:?}; oidc.issuer must be the same", metadata.issuer));
        }
        if !is_authentic(&metadata.jwks_uri) {
            return Err(format!("{url}: jwks_uri {:?} is no address with https", metadata.jwks_uri));
        }
        Ok(metadata.jwks_uri)
    }

    fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let failed = |error: ureq::Error| format!("{url}: {error}");
        let mut reply = self.agent.get(url).header("accept", "application/json").call().map_err(failed)?;
        match reply.status().as_u16() {
            200 => reply.body_mut().with_config().limit(MAX_BYTES).read_to_vec().map_err(failed),
            status => Err(format!("{url}: the server answers {status}")),
        }
    }
}
