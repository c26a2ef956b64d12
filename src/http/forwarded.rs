//! The URL under which a caller reached the server, and whether the caller is on this machine: from the connection, or
//! from what trusted proxies say in `Forwarded` (RFC 7239) and `X-Forwarded-*`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use actix_web::http::header::{self, HeaderMap, HeaderName};

use crate::http::peer::Peer;
use crate::model::access::TrustedProxy;

/// Most proxies in a row that are read; more make a header malformed.
const MAX_HOPS: usize = 32;
/// Most characters of a path prefix.
const MAX_PREFIX: usize = 256;

const X_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// Headers by which a request shows that a proxy passed it on.
const MARKS: [HeaderName; 8] =
    [header::FORWARDED, X_FOR, X_PROTO, X_HOST, X_PORT, X_PREFIX, HeaderName::from_static("x-real-ip"), header::VIA];

/// How the server is reached: its public URL, and the proxies whose headers are believed.
#[derive(Clone, Debug, Default)]
pub struct Reachability {
    /// The URL people reach the server by; it takes precedence over all headers.
    pub public_url: Option<String>,
    /// The proxies.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Whether connections to the server itself use TLS.
    pub has_tls: bool,
}

impl Reachability {
    fn trusts(&self, address: IpAddr) -> bool {
        let is_in =
            |own: &TrustedProxy| matches!(own, TrustedProxy::Network(own) if own.contains(&address.to_canonical()));
        self.trusted_proxies.iter().any(is_in)
    }

    /// Whether a connection comes from a trusted proxy.
    pub(crate) fn is_proxied(&self, peer: Peer) -> bool {
        match peer {
            Peer::Address(address) => self.trusts(address),
            Peer::UnixSocket => self.trusted_proxies.contains(&TrustedProxy::UnixSocket),
            Peer::Unknown => false,
        }
    }

    /// Whether what proxies say of a request is believed: it came from one that is trusted.
    fn believes(&self, headers: &HeaderMap, peer: Peer) -> bool {
        self.is_proxied(peer) && is_forwarded(headers)
    }

    /// The URL of the server as the caller reached it, without a trailing slash; nothing else decides the base of
    /// absolute links. Headers of a peer that is not trusted are not read; a malformed one of a trusted peer counts as
    /// absent.
    pub(crate) fn base_url(&self, headers: &HeaderMap, peer: Peer) -> String {
        if let Some(url) = &self.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let own = headers.get(header::HOST).and_then(|value| Host::read(value.to_str().ok()?));
        let host = own.unwrap_or_else(|| Host { name: "localhost".to_owned(), port: None });
        let said = if self.believes(headers, peer) { self.said(headers) } else { Said::default() };
        // Connections to the Unix socket have no TLS.
        let has_tls = self.has_tls && peer != Peer::UnixSocket;
        said.base_url(host, if has_tls { "https" } else { "http" })
    }

    /// Whether the caller is on this machine. A request that a trusted proxy passed on is local only if its headers name
    /// at least one client and only clients on this machine: the first entries of a list may be forged, and a proxy may
    /// pass on headers that it does not know, so every entry must be local. A request that another proxy passed on is
    /// never local, because its headers are not believed. A Unix socket is there for proxies, so a request over it is local
    /// only if one is trusted and names such clients.
    pub(crate) fn is_local(&self, headers: &HeaderMap, peer: Peer) -> bool {
        match peer {
            Peer::Address(address) if !address.is_loopback() => return false,
            Peer::Address(_) if !is_forwarded(headers) => return true,
            Peer::Unknown => return false,
            Peer::Address(_) | Peer::UnixSocket => {}
        }
        if !self.believes(headers, peer) {
            return false;
        }
        let (Some(hops), Some(clients), Some(real)) =
            (Hop::all(headers), clients(headers, &X_FOR), clients(headers, &X_REAL_IP))
        else {
            return false;
        };
        let mut named = hops.iter().filter_map(|hop| hop.client).chain(clients).chain(real).peekable();
        named.peek().is_some() && named.all(Client::is_loopback)
    }

    /// The address of the caller: that of the connection, or the one that the outermost trusted proxy names. A Unix socket
    /// has none of its own.
    pub(crate) fn client(&self, headers: &HeaderMap, peer: Peer) -> Option<IpAddr> {
        if !self.believes(headers, peer) {
            return peer.address();
        }
        let hops: Vec<Option<Client>> = Hop::all(headers).unwrap_or_default().iter().map(|hop| hop.client).collect();
        let listed = clients(headers, &X_FOR).unwrap_or_default().into_iter().map(Some).collect();
        let named = if hops.is_empty() { listed } else { hops };
        match named.get(self.outermost(named.iter().copied())) {
            Some(Some(Client::Address(address))) => Some(address.to_canonical()),
            _ => peer.address(),
        }
    }

    fn said(&self, headers: &HeaderMap) -> Said {
        let hops = Hop::all(headers).unwrap_or_default();
        let near = hops.get(self.outermost(hops.iter().map(|hop| hop.client))..).unwrap_or_default();
        let scheme = near.iter().find_map(|hop| hop.scheme);
        let host = near.iter().find_map(|hop| hop.host.clone());
        let clients = clients(headers, &X_FOR).unwrap_or_default();
        let count = clients.len() - self.outermost(clients.iter().copied().map(Some));
        let value = |name: &HeaderName| {
            let values = elements(headers, name)?;
            // Each proxy appends to the lists; one that replaces a list leaves a single value.
            values.get(values.len().saturating_sub(count.max(1))).cloned()
        };
        Said {
            scheme: agreed(scheme, value(&X_PROTO).and_then(|text| scheme_of(&text))),
            host: agreed(host, value(&X_HOST).and_then(|text| Host::read(&text))),
            port: value(&X_PORT).and_then(|text| port_of(&text)),
            prefix: value(&X_PREFIX).and_then(|text| prefix_of(&text)),
        }
    }

    /// The position of the entry that the outermost trusted proxy wrote, in the order of the header: the last ones are
    /// written by the nearest proxies, and each names whom that proxy got the request from.
    fn outermost(&self, clients: impl DoubleEndedIterator<Item = Option<Client>> + ExactSizeIterator) -> usize {
        let last = clients.len().saturating_sub(1);
        let is_proxy =
            |client: &Option<Client>| matches!(client, Some(Client::Address(address)) if self.trusts(*address));
        last - clients.rev().take_while(is_proxy).count().min(last)
    }
}

/// Whether a request has a header by which proxies pass requests on.
fn is_forwarded(headers: &HeaderMap) -> bool {
    MARKS.iter().any(|mark| headers.contains_key(mark))
}

/// What proxies say of the URL.
#[derive(Default)]
struct Said {
    scheme: Option<&'static str>,
    host: Option<Host>,
    port: Option<u16>,
    prefix: Option<String>,
}

impl Said {
    /// The URL; `own` is the host of the request, `scheme` that of the connection.
    fn base_url(self, own: Host, scheme: &'static str) -> String {
        let scheme = self.scheme.unwrap_or(scheme);
        // A port that the public host names itself is the public port.
        let host = match (self.host, self.port) {
            (Some(host), _) if host.port.is_some() => host,
            (host, port) => {
                let host = host.unwrap_or(own);
                let usual = if scheme == "https" { 443 } else { 80 };
                match port {
                    Some(port) => Host { port: (port != usual).then_some(port), ..host },
                    None => host,
                }
            }
        };
        let port = host.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{}{port}{}", host.name, self.prefix.unwrap_or_default())
    }
}

/// One of two values, or both if they are equal; none where the headers contradict each other.
fn agreed<T: PartialEq>(standard: Option<T>, customary: Option<T>) -> Option<T> {
    match (standard, customary) {
        (Some(one), Some(other)) => (one == other).then_some(one),
        (one, other) => one.or(other),
    }
}

/// Whom a proxy got a request from.
#[derive(Clone, Copy)]
enum Client {
    Address(IpAddr),
    /// `unknown`, or an identifier that hides the address.
    Hidden,
}

impl Client {
    /// An address, with or without a port; IPv6 in brackets or, in `X-Forwarded-For`, without them.
    fn read(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("unknown") {
            return Some(Self::Hidden);
        }
        let is_hidden = |rest: &str| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte))
        };
        if let Some(rest) = text.strip_prefix('_') {
            return is_hidden(rest).then_some(Self::Hidden);
        }
        let unbracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = match unbracketed {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            None => text.parse::<IpAddr>().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())).or_else(|| {
                // RFC 7239 allows a port that is hidden too.
                let (node, _) = text.rsplit_once(":_").filter(|(_, port)| is_hidden(port))?;
                match node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                    Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::from),
                    None => node.parse::<Ipv4Addr>().ok().map(IpAddr::from),
                }
            }),
        };
        address.map(|address| Self::Address(address.to_canonical()))
    }

    fn is_loopback(self) -> bool {
        matches!(self, Self::Address(address) if address.is_loopback())
    }
}

/// A host with its port, as it stands in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    fn read(text: &str) -> Option<Self> {
        let (name, port) = if let Some((address, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            address.parse::<Ipv6Addr>().ok()?;
            (format!("[{address}]"), rest)
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (name, rest) = text.split_at_checked(end)?;
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            let is_name = (1..=253).contains(&name.len()) && name.bytes().all(is_plain);
            (is_name.then(|| name.to_owned())?, rest)
        };
        let port = if port.is_empty() { None } else { Some(port_of(port.strip_prefix(':')?)?) };
        Some(Self { name, port })
    }
}

fn port_of(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u16>().ok().filter(|port| is_number && *port > 0)
}

fn scheme_of(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|own| text.eq_ignore_ascii_case(own))
}

/// A path such as `/gis/onemap`, without a trailing slash.
fn prefix_of(text: &str) -> Option<String> {
    let path = text.trim_end_matches('/');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
    let is_path = path.is_empty() || (path.starts_with('/') && !path.contains("//") && !path.contains(".."));
    (is_path && path.len() <= MAX_PREFIX && path.bytes().all(is_plain)).then(|| path.to_owned())
}

/// The elements of a header that is a list, over all its lines; `None` when a line is not text or there are too many.
fn elements(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let lines = headers.get_all(name).map(|value| value.to_str().ok()).collect::<Option<Vec<_>>>()?;
    let elements = lines.into_iter().flat_map(|line| line.split(','));
    let elements: Vec<String> = elements.take(MAX_HOPS + 1).map(|element| element.trim().to_owned()).collect();
    (elements.len() <= MAX_HOPS).then_some(elements)
}

/// The clients that a header lists; `None` when it is malformed.
fn clients(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<Client>> {
    elements(headers, name)?.iter().map(|element| Client::read(element)).collect()
}

/// What one proxy says in `Forwarded`.
#[derive(Default)]
struct Hop {
    client: Option<Client>,
    scheme: Option<&'static str>,
    host: Option<Host>,
}

impl Hop {
    /// All elements of `Forwarded`, over all its lines; `None` when one is malformed.
    fn all(headers: &HeaderMap) -> Option<Vec<Self>> {
        let mut hops = Vec::new();
        for line in headers.get_all(header::FORWARDED) {
            let mut rest = line.to_str().ok()?;
            loop {
                let (hop, after) = Self::read(rest)?;
                hops.push(hop);
                if hops.len() > MAX_HOPS {
                    return None;
                }
                match after {
                    Some(after) => rest = after,
                    None => break,
                }
            }
        }
        Some(hops)
    }

    /// Reads an element: pairs `name=value` joined by semicolons, up to a comma. Returns what follows the comma.
    fn read(text: &str) -> Option<(Self, Option<&str>)> {
        let mut hop = Self::default();
        let mut rest = text;
        loop {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after)?;
            let is_new = match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.client.replace(Client::read(&value)?).is_none(),
                "proto" => hop.scheme.replace(scheme_of(&value)?).is_none(),
                "host" => hop.host.replace(Host::read(&value)?).is_none(),
                name => !name.is_empty() && name.bytes().all(is_token),
            };
            let after = after.trim_start();
            match (is_new, after.chars().next()) {
                (true, None) => return Some((hop, None)),
                (true, Some(',')) => return Some((hop, after.get(1..))),
                (true, Some(';')) => rest = after.get(1..)?,
                _ => return None,
            }
        }
    }
}

/// A token or a quoted string (RFC 9110, section 5.6), and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end)?;
        // Proxies write addresses and hosts with a port without the quotes that the standard asks for.
        let is_plain = |byte: u8| is_token(byte) || b":[]".contains(&byte);
        return (!token.is_empty() && token.bytes().all(is_plain)).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
