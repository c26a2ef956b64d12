//! The value of `--listen`: an IP address or a host name and a port, or a Unix socket.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::str::FromStr;

use super::unix_socket::{self, SocketFile};
use crate::http::Listener;

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListenAddress {
    /// A host and a port; the host is resolved when the server binds.
    Tcp { host: String, port: u16 },
    /// The file of a Unix socket.
    Unix(PathBuf),
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Tcp { host: address.ip().to_string(), port: address.port() });
        }
        let accepted = || {
            "expected HOST:PORT, such as 127.0.0.1:8080, localhost:8080 or [::1]:8080, or unix:FILE, such as \
             unix:/run/onemap/onemap.sock"
                .to_owned()
        };
        if let Some(file) = text.strip_prefix("unix:") {
            return if file.is_empty() { Err(accepted()) } else { Ok(Self::Unix(PathBuf::from(file))) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(accepted)?;
        let is_name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        match port.parse() {
            Ok(port) if is_name => Ok(Self::Tcp { host: host.to_owned(), port }),
            _ => Err(accepted()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(file) => write!(f, "unix:{}", file.display()),
        }
    }
}

/// The sockets on which the server listens.
#[derive(Default)]
pub(super) struct BoundSockets {
    pub(super) listeners: Vec<Listener>,
    /// The addresses of the TCP sockets.
    pub(super) addresses: Vec<SocketAddr>,
    /// The files of the Unix sockets, which are removed with this value.
    pub(super) files: Vec<SocketFile>,
}

impl BoundSockets {
    /// Binds each address: to the first usable one of a host.
    ///
    /// # Errors
    /// When one cannot be used.
    pub(super) fn bind(addresses: &[ListenAddress]) -> anyhow::Result<Self> {
        let mut bound = Self::default();
        for address in addresses {
            match address {
                ListenAddress::Tcp { host, port } => {
                    let listener = TcpListener::bind((host.as_str(), *port)).map_err(|error| {
                        let other = port ^ 1;
                        anyhow::anyhow!(
                            "cannot listen on {address}: {error}; --listen names another address, such as \
                             127.0.0.1:{other}"
                        )
                    })?;
                    bound.addresses.push(listener.local_addr()?);
                    bound.listeners.push(Listener::Tcp(listener));
                }
                ListenAddress::Unix(path) => {
                    let (listener, file) = unix_socket::bind(path)?;
                    bound.files.push(file);
                    bound.listeners.push(Listener::Unix(listener));
                }
            }
        }
        Ok(bound)
    }

    /// The addresses as URLs; those of Unix sockets as `--listen` takes them.
    pub(super) fn urls(&self, scheme: &str) -> Vec<String> {
        let tcp = self.addresses.iter().map(|address| format!("{scheme}://{address}/"));
        tcp.chain(self.files.iter().map(|file| format!("unix:{}", file.path().display()))).collect()
    }
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
        for text in [
            "127.0.0.1:8080",
            "localhost:8080",
            "0.0.0.0:0",
            "[::1]:8080",
            "one-map.example.org:65535",
            "unix:/run/onemap/onemap.sock",
        ] {
            assert_eq!(text.parse::<ListenAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        for text in
            ["everywhere", "8080", ":8080", "localhost:", "localhost:65536", "http://localhost:80", "::1", "unix:"]
        {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
