//! The other end of a connection: an address, or a process on this machine that uses the Unix socket.

use std::any::Any;
use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::UnixStream;

/// The other end of a connection: the caller, or a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A TCP connection.
    Address(IpAddr),
    /// A connection to a Unix socket, which has no address.
    UnixSocket,
    /// A TCP connection that was closed before its address was read. It is not taken for one to a Unix socket.
    Unknown,
}

/// Marks a connection to a Unix socket.
struct OverUnixSocket;

/// Marks a connection by the type of its stream.
pub(super) fn mark(stream: &dyn Any, connection: &mut Extensions) {
    if stream.is::<UnixStream>() {
        connection.insert(OverUnixSocket);
    }
}

impl Peer {
    /// The peer of a request.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        if request.conn_data::<OverUnixSocket>().is_some() {
            return Self::UnixSocket;
        }
        request.peer_addr().map_or(Self::Unknown, |peer| Self::Address(peer.ip().to_canonical()))
    }

    /// Its address, if it has one.
    pub(crate) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::UnixSocket | Self::Unknown => None,
        }
    }
}
