//! The value of `--listen`: an IP address or a host name, and a port.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::str::FromStr;

/// A host and a port; the host is resolved when the server binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListenAddress {
    host: String,
    port: u16,
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port: address.port() });
        }
        let accepted = || "expected HOST:PORT, such as 127.0.0.1:8080, localhost:8080 or [::1]:8080".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(accepted)?;
        let is_name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        match port.parse() {
            Ok(port) if is_name => Ok(Self { host: host.to_owned(), port }),
            _ => Err(accepted()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Binds to the first usable address of the host.
pub(super) fn bind(address: &ListenAddress) -> anyhow::Result<TcpListener> {
    TcpListener::bind((address.host.as_str(), address.port)).map_err(|error| {
        let other = address.port ^ 1;
        anyhow::anyhow!(
            "cannot listen on {address}: {error}; --listen names another address, such as 127.0.0.1:{other}"
        )
    })
}

/// Refuses an address that other machines reach, unless the operator has agreed: anybody could read pipelines, reservoirs
/// and shelters that are not public.
pub(super) fn require_consent(address: SocketAddr, is_agreed: bool) -> anyhow::Result<()> {
    if is_agreed || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    anyhow::bail!(
        "{address} can be reached from other machines, and reading needs no login; make accounts with onemap token add, \
         set anonymous = \"public\" under [access] in onemap.toml, or agree with --insecure-public"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_both_kinds_of_ip_addresses_are_read() {
        for text in ["127.0.0.1:8080", "localhost:8080", "0.0.0.0:0", "[::1]:8080", "one-map.example.org:65535"] {
            assert_eq!(text.parse::<ListenAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        for text in ["everywhere", "8080", ":8080", "localhost:", "localhost:65536", "http://localhost:80", "::1"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
