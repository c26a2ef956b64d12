//! Webhooks by the Standard Webhooks specification: where they may be sent, how they are signed, and one attempt to send one.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use sha2::Sha256;
use url::{Host, Url};

/// Begins a secret; the rest is its key in Base64.
pub const SECRET_PREFIX: &str = "whsec_";
/// Lengths of a key, bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const USER_AGENT: &str = concat!("onemap/", env!("CARGO_PKG_VERSION"));

/// The hosts that webhooks may be sent to. None by default, because a server reaches hosts that a client does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// Networks of hosts that a URL names by address.
    pub networks: Vec<IpNet>,
    /// Names of hosts, lower-case; the operator trusts the addresses that they have.
    pub names: Vec<String>,
}

/// How webhooks are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRules {
    /// Where they may be sent.
    pub destinations: Destinations,
    /// Age at which a notice that cannot be delivered is given up.
    pub max_age: Duration,
    /// Time limit of an attempt.
    pub timeout: Duration,
}

impl Default for DeliveryRules {
    fn default() -> Self {
        let (max_age, timeout) = (Duration::from_hours(24), Duration::from_secs(10));
        Self { destinations: Destinations::default(), max_age, timeout }
    }
}

impl Destinations {
    /// Checks that webhooks may be sent to a URL.
    ///
    /// # Errors
    /// The reason why they may not.
    pub fn check(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(format!("the scheme {} is not http or https", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it contains a user name or a password".to_owned());
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::from(address),
            Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical(),
            Some(Host::Domain(name)) => {
                let is_named = self.names.iter().any(|own| own == &name.to_ascii_lowercase());
                return if is_named { Ok(url) } else { Err("its host is not among [subscriptions] allow".to_owned()) };
            }
            None => return Err("it has no host".to_owned()),
        };
        if self.networks.iter().any(|network| network.contains(&address)) {
            Ok(url)
        } else {
            Err("its address is not in a network of [subscriptions] allow".to_owned())
        }
    }

    /// What a URL must be, for messages.
    #[must_use]
    pub fn accepted(&self) -> String {
        let networks = self.networks.iter().map(ToString::to_string);
        let hosts: Vec<String> = self.names.iter().cloned().chain(networks).collect();
        if hosts.is_empty() {
            return "no webhook: the configuration has no [subscriptions] allow; notices are at /events".to_owned();
        }
        format!("an http or https URL without user name, to one of {}", hosts.join(", "))
    }
}

/// The key of a secret; `None` if it is none.
#[must_use]
pub fn key_of(secret: &str) -> Option<Vec<u8>> {
    let key = BASE64_STANDARD.decode(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
    KEY_BYTES.contains(&key.len()).then_some(key)
}

/// A new secret.
///
/// # Errors
/// When the system returns no random numbers.
pub fn new_secret() -> Result<String, getrandom::Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    Ok(format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(key)))
}

/// The signature of a message: `v1,` and HMAC-SHA256 over its id, the time in seconds and the body, in Base64.
fn sign(key: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    // Longer keys than one block are refused before.
    let mut block = [0; 64];
    let length = key.len().min(block.len());
    block[..length].copy_from_slice(&key[..length]);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Message {
    /// Identifies the notice in all attempts.
    pub id: String,
    /// JSON.
    pub body: String,
    /// Where to.
    pub url: String,
    /// Key of the signature.
    pub key: Vec<u8>,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The receiver does not answer, or not in time.
    #[error("{0}")]
    Unreachable(String),
    /// The receiver answers with an error.
    #[error("the receiver answers {0}")]
    Status(u16),
    /// The URL is no longer permitted.
    #[error("{0}")]
    NotPermitted(String),
}

/// Sends a message once. Blocks until the receiver has answered, at most for the time limit.
///
/// # Errors
/// When the receiver does not answer with a status of success. A redirection is none.
pub fn send(rules: &DeliveryRules, message: &Message, now_s: i64) -> Result<(), SendError> {
    let url = rules.destinations.check(&message.url).map_err(SendError::NotPermitted)?;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(rules.timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A proxy of the environment could reach other hosts.
        .proxy(None)
        .user_agent(USER_AGENT)
        .build()
        .into();
    let request = agent
        .post(url.as_str())
        .header("content-type", "application/json")
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", now_s.to_string())
        .header("webhook-signature", sign(&message.key, &message.id, now_s, &message.body));
    // The body of the answer is not read.
    let answer = request.send(message.body.as_str()).map_err(|error| SendError::Unreachable(error.to_string()))?;
    if answer.status().is_success() { Ok(()) } else { Err(SendError::Status(answer.status().as_u16())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        let key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for wrong in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_%%"] {
            assert_eq!(key_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn webhooks_go_to_listed_hosts_only() {
        assert!(Destinations::default().check("http://127.0.0.1/").is_err(), "none by default");
        let some = Destinations {
            networks: vec!["10.0.0.0/8".parse().expect("a network")],
            names: vec!["hooks.example".to_owned()],
        };
        for url in ["http://10.1.2.3/a", "https://hooks.example:8443/x?y", "http://HOOKS.example/", "http://0x0a.1/"] {
            assert!(some.check(url).is_ok(), "{url}");
        }
        for url in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://localhost/",
            "http://169.254.169.254/latest",
            "http://11.0.0.1/",
            "http://hooks.example.org/",
            "http://a.hooks.example/",
            "http://user@hooks.example/",
            "http://u:p@10.0.0.1/",
            "ftp://10.0.0.1/",
            "file:///etc/passwd",
            "hooks.example",
            "http://",
            "",
        ] {
            assert!(some.check(url).is_err(), "{url}");
        }
        assert!(some.check("http://[::ffff:10.0.0.1]/").is_ok());
        assert!(some.check("http://[::ffff:127.0.0.1]/").is_err());
    }
}
