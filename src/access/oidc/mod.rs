//! Tokens of an identity provider (OpenID Connect): signed JWTs whose claims give the name, role and limits of a caller.
//!
//! The keys of the provider are fetched in the background and kept. A request waits for them only if it presents a token
//! whose key is not among them, and then without a thread.

mod config;
mod fetch;
mod keys;
mod verified_tokens;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value as Json};
use time::UtcDateTime;
use tokio::sync::{Notify, watch};

use super::identity::{ExternalIdentity, GrantRefusal, plain_name};
pub use config::{OidcConfig, is_authentic};
pub use fetch::CertificatesError;
use fetch::KeySource;
use keys::{KeySet, TokenHeader};
pub use keys::{TokenFault, accepted_algorithms};
use verified_tokens::VerifiedTokens;

/// Difference between the clocks of the provider and of this machine that is tolerated, seconds.
const CLOCK_SKEW_S: u64 = 60;
const SKEW: time::Duration = time::Duration::seconds(CLOCK_SKEW_S.cast_signed());
/// Pause between two fetches of the keys.
const REFRESH_EVERY: Duration = Duration::from_mins(10);
/// Pauses after a fetch that failed: the first, and the longest; each is twice the one before.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// Pause between two fetches that tokens with an unknown key cause: anybody can send such tokens.
const KEY_REQUEST_EVERY: Duration = Duration::from_mins(1);
/// Time for which a request waits for the keys.
const WAIT: Duration = Duration::from_secs(5);
/// Longest `sub` (OpenID Connect Core, section 2).
const MAX_SUBJECT_CHARS: usize = 255;

/// Why a token gives no identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// A check failed.
    Invalid {
        /// The check.
        fault: TokenFault,
        /// What would be accepted.
        accepted: String,
    },
    /// It is valid, but its claims permit nothing.
    NoGrant(GrantRefusal),
    /// The keys that it is checked with could not be fetched.
    NoKeys,
}

/// How the keys are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyStatus {
    /// Number of keys.
    pub keys: usize,
    /// When they were last fetched.
    pub confirmed_at: Option<UtcDateTime>,
    /// Whether the last fetch failed.
    pub is_failing: bool,
    /// Fetches that have failed since the start.
    pub failures: u64,
}

/// An identity provider and its keys.
pub struct IdentityProvider {
    config: OidcConfig,
    validation: Validation,
    source: KeySource,
    state: Mutex<KeyState>,
    verified: VerifiedTokens,
    /// Notified when a token needs keys that have not been fetched.
    requested: Notify,
    /// Number of fetches that have ended.
    fetches: watch::Sender<u64>,
}

#[derive(Default)]
struct KeyState {
    keys: Option<Arc<KeySet>>,
    status: KeyStatus,
    is_fetching: bool,
    /// When a token last caused a fetch.
    requested_at: Option<Instant>,
    /// Fetches that have failed in a row.
    failures: u32,
    last_error: Option<String>,
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityProvider").field("config", &self.config).finish_non_exhaustive()
    }
}

impl IdentityProvider {
    /// A provider whose keys have not been fetched.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn new(config: OidcConfig) -> Result<Self, CertificatesError> {
        let source = KeySource::new(&config)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = CLOCK_SKEW_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let (requested, fetches) = (Notify::new(), watch::Sender::new(0));
        let verified = VerifiedTokens::default();
        Ok(Self { config, validation, source, state: Mutex::default(), verified, requested, fetches })
    }

    /// Fetches the keys without keeping them, and returns their number.
    ///
    /// # Errors
    /// When the provider does not answer, or not with keys.
    pub async fn check(&self) -> Result<usize, String> {
        let source = self.source.clone();
        let fetched = tokio::task::spawn_blocking(move || source.fetch()).await;
        fetched.unwrap_or_else(|error| Err(error.to_string())).map(|keys| keys.len())
    }

    /// The issuer of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// How its keys are kept.
    #[must_use]
    pub fn status(&self) -> KeyStatus {
        self.locked().status
    }

    /// The identity that a token gives. If its key is unknown, the keys are fetched again, at most once in a minute.
    ///
    /// # Errors
    /// When the token is not valid, or gives no role, or the keys cannot be fetched.
    pub async fn identify(&self, token: &str, now: UtcDateTime) -> Result<Arc<ExternalIdentity>, TokenRefusal> {
        let keys = self.locked().keys.clone();
        if let Some(known) = keys.and_then(|keys| self.verified.find(token, &keys, now)) {
            return Ok(known);
        }
        let header = TokenHeader::read(token).map_err(|fault| self.invalid(fault))?;
        // Subscribed to before the fetch is requested, so that its end is not missed.
        let mut fetches = self.fetches.subscribe();
        if !self.has_key_of(&header) && self.requests_fetch() {
            let _ = tokio::time::timeout(WAIT, fetches.changed()).await;
        }
        let (keys, is_failing) = {
            let state = self.locked();
            (state.keys.clone().ok_or(TokenRefusal::NoKeys)?, state.status.is_failing)
        };
        let claims = keys.claims(token, &header, &self.validation).map_err(|fault| match fault {
            // The provider may have the key by now.
            TokenFault::Key if is_failing => TokenRefusal::NoKeys,
            fault => self.invalid(fault),
        })?;
        let identity = Arc::new(self.identity(&claims)?);
        let end = identity.expires_at.and_then(|end| end.checked_add(SKEW));
        if let Some(end) = end {
            self.verified.keep(token, keys, identity.clone(), end);
        }
        Ok(identity)
    }

    /// Whether the end of an identity is past, with the tolerance that its token had.
    #[must_use]
    pub fn is_past(expires_at: UtcDateTime, now: UtcDateTime) -> bool {
        expires_at.checked_add(SKEW).is_some_and(|end| end <= now)
    }

    fn identity(&self, claims: &Map<String, Json>) -> Result<ExternalIdentity, TokenRefusal> {
        let grant = self.config.rules.grant(|claim| values_of(claims, claim)).map_err(TokenRefusal::NoGrant)?;
        let is_plain = |subject: &&str| {
            (1..=MAX_SUBJECT_CHARS).contains(&subject.chars().count()) && !subject.chars().any(char::is_control)
        };
        let subject = claims.get("sub").and_then(Json::as_str).filter(is_plain);
        let subject = subject.ok_or_else(|| self.invalid(TokenFault::Claims))?;
        let name = values_of(claims, &self.config.name).first().and_then(|name| plain_name(name));
        let expires_at = claims.get("exp").and_then(seconds).and_then(|end| UtcDateTime::from_unix_timestamp(end).ok());
        Ok(ExternalIdentity {
            id: format!("oidc:{subject}"),
            name: name.unwrap_or_else(|| subject.to_owned()),
            grant,
            expires_at: Some(expires_at.ok_or_else(|| self.invalid(TokenFault::Claims))?),
        })
    }

    fn invalid(&self, fault: TokenFault) -> TokenRefusal {
        let accepted = match fault {
            TokenFault::Format => "the secret of an account, or a signed JWT in its compact form".to_owned(),
            TokenFault::Algorithm => format!("{}, if the key is for it", accepted_algorithms()),
            TokenFault::Key | TokenFault::Signature => format!("a token that {} signed", self.config.issuer),
            TokenFault::Expired => "a token whose exp is in the future".to_owned(),
            TokenFault::NotYetValid => "a token whose nbf is in the past".to_owned(),
            TokenFault::Issuer => format!("iss {}", self.config.issuer),
            TokenFault::Audience => format!("aud {}", self.config.audience),
            TokenFault::Claims => "exp in seconds since 1970, and iss, aud and sub as texts".to_owned(),
        };
        TokenRefusal::Invalid { fault, accepted }
    }

    fn has_key_of(&self, header: &TokenHeader) -> bool {
        self.locked().keys.as_ref().is_some_and(|keys| keys.has_key_of(header))
    }

    /// Requests a fetch, unless one was requested within the last minute. Returns whether a fetch runs. Keys that have never
    /// been fetched are fetched again soon without a request.
    fn requests_fetch(&self) -> bool {
        let mut state = self.locked();
        if state.is_fetching {
            return true;
        }
        if state.keys.is_none() || state.requested_at.is_some_and(|at| at.elapsed() < KEY_REQUEST_EVERY) {
            return false;
        }
        state.requested_at = Some(Instant::now());
        state.is_fetching = true;
        self.requested.notify_one();
        true
    }

    /// Keeps the result of a fetch, and returns the pause until the next.
    fn take(&self, fetched: Result<KeySet, String>, now: UtcDateTime) -> Duration {
        let issuer = &self.config.issuer;
        let mut state = self.locked();
        state.is_fetching = false;
        state.status.is_failing = fetched.is_err();
        let pause = match fetched {
            Ok(keys) => {
                if state.last_error.take().is_some() || state.keys.is_none() {
                    tracing::info!(issuer, keys = keys.len(), "the keys of the identity provider are current");
                }
                let failures = state.status.failures;
                state.status = KeyStatus { keys: keys.len(), confirmed_at: Some(now), is_failing: false, failures };
                // Tokens that were verified stay so as long as the keys are the same.
                if state.keys.as_ref().is_none_or(|known| !known.is_same(&keys)) {
                    state.keys = Some(Arc::new(keys));
                    self.verified.clear();
                }
                state.failures = 0;
                REFRESH_EVERY
            }
            Err(error) => {
                // Each failure is logged once.
                if state.last_error.as_ref() != Some(&error) {
                    let kept = state.status.keys;
                    tracing::warn!(issuer, kept, "the keys of the identity provider cannot be fetched: {error}");
                }
                state.last_error = Some(error);
                state.status.failures += 1;
                let (first, longest) = RETRY_AFTER;
                let pause = first.saturating_mul(2_u32.saturating_pow(state.failures)).min(longest);
                state.failures = state.failures.saturating_add(1);
                pause
            }
        };
        drop(state);
        self.fetches.send_modify(|count| *count += 1);
        pause
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, KeyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the keys of a provider current until `stop` turns true.
pub async fn keep_keys(provider: Arc<IdentityProvider>, now: fn() -> UtcDateTime, mut stop: watch::Receiver<bool>) {
    loop {
        provider.locked().is_fetching = true;
        let source = provider.source.clone();
        let fetched = tokio::task::spawn_blocking(move || source.fetch()).await;
        let fetched = fetched.unwrap_or_else(|error| Err(error.to_string()));
        let pause = provider.take(fetched, now());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = provider.requested.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The values of a claim: one, or those of a list. Its name may have points, or be a path of members joined by points.
fn values_of(claims: &Map<String, Json>, name: &str) -> Vec<String> {
    let text = |value: &Json| match value {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        // A division code may arrive as a number.
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match member(claims, name) {
        Some(Json::Array(values)) => values.iter().filter_map(text).collect(),
        value => value.and_then(text).into_iter().collect(),
    }
}

fn member<'a>(claims: &'a Map<String, Json>, path: &str) -> Option<&'a Json> {
    if let Some(own) = claims.get(path) {
        return Some(own);
    }
    let (first, rest) = path.split_once('.')?;
    member(claims.get(first)?.as_object()?, rest)
}

/// Whole seconds; fractions are permitted (RFC 7519, section 2).
#[expect(clippy::cast_possible_truncation, reason = "fractions are cut, and casts of floats saturate")]
fn seconds(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_found_by_its_name_and_by_a_path() {
        let claims = json!({
            "realm_access": {"roles": ["viewer", "", 1, null]}, "https://onemap/role": "editor", "region": 350_124, "a": {"b": {}}
        });
        let Json::Object(claims) = claims else { panic!("an object") };
        for (name, values) in [
            ("realm_access.roles", &["viewer", "1"][..]),
            ("https://onemap/role", &["editor"]),
            ("region", &["350124"]),
            ("realm_access", &[]),
            ("a.b.c", &[]),
            ("none", &[]),
        ] {
            assert_eq!(values_of(&claims, name), values, "{name}");
        }
    }
}
