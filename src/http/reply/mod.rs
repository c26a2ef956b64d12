//! Replies: status, headers and body, problem details, freshness, media types, ranges, HTML, streams.

pub(crate) mod encoding;
pub(crate) mod etag;
pub(crate) mod event_stream;
pub(crate) mod freshness;
pub(crate) mod geojson;
pub(crate) mod html;
pub(crate) mod identity_problem;
pub(crate) mod links;
pub(crate) mod media;
pub(crate) mod modified;
pub(crate) mod numbers;
pub(crate) mod page_language;
pub(crate) mod printed_page;
pub(crate) mod problem;
mod problem_text;
pub(crate) mod range;
mod store_problem;
pub(crate) mod stream;

use std::io;
use std::pin::Pin;

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody};
use actix_web::http::header::{self, HeaderMap, HeaderValue, TryIntoHeaderPair};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::web::Bytes;
use futures_util::Stream;

/// A reply that can be built on any thread.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: ReplyBody,
    /// Whether the connection is closed after the reply.
    closes: bool,
}

/// Request headers that tiles depend on.
const TILE_VARY: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding, Authorization, Cookie");

type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

enum ReplyBody {
    Empty,
    Bytes(Bytes),
    Stream(ByteStream),
}

impl Reply {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: ReplyBody::Empty, closes: false }
    }

    /// Sets a header; an invalid header is omitted.
    #[must_use]
    pub(crate) fn header(mut self, pair: impl TryIntoHeaderPair) -> Self {
        self.set_header(pair);
        self
    }

    /// Sets a header; an invalid header is omitted.
    pub(crate) fn set_header(&mut self, pair: impl TryIntoHeaderPair) {
        if let Ok((name, value)) = pair.try_into_pair() {
            self.headers.insert(name, value);
        }
    }

    #[must_use]
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub(crate) fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = ReplyBody::Bytes(bytes.into());
        self
    }

    #[must_use]
    pub(crate) fn stream(mut self, stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        self.body = ReplyBody::Stream(Box::pin(stream));
        self
    }

    /// Says that the reply is a tile: compressed already, and dependent on what tiles depend on.
    #[must_use]
    pub(crate) fn of_tile(self) -> Self {
        self.header((header::VARY, TILE_VARY))
    }

    pub(crate) fn is_tile(&self) -> bool {
        self.headers.get(header::VARY).is_some_and(|vary| *vary == TILE_VARY)
    }

    /// Adds a request header to the header Vary, unless it is present.
    #[must_use]
    pub(crate) fn varying_by(mut self, name: &'static str) -> Self {
        let own = self.headers.get(header::VARY).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if own.split(',').any(|own| own.trim().eq_ignore_ascii_case(name)) {
            return self;
        }
        let all = if own.is_empty() { name.to_owned() } else { format!("{own}, {name}") };
        self.set_header((header::VARY, all));
        self
    }

    /// Closes the connection after the reply.
    #[must_use]
    pub(crate) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// A reply to a conditional request: the same headers, without content.
    #[must_use]
    pub(crate) fn not_modified(mut self) -> Self {
        self.status = StatusCode::NOT_MODIFIED;
        self.headers.remove(header::CONTENT_TYPE);
        self.body = ReplyBody::Empty;
        self
    }
}

impl From<Reply> for HttpResponse {
    fn from(reply: Reply) -> Self {
        let mut response = match reply.body {
            ReplyBody::Empty => Self::new(reply.status),
            ReplyBody::Bytes(bytes) => Self::with_body(reply.status, BoxBody::new(bytes)),
            ReplyBody::Stream(stream) => Self::with_body(reply.status, BoxBody::new(BodyStream::new(stream))),
        };
        // The headers are moved as they are.
        *response.headers_mut() = reply.headers;
        if reply.closes {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }
}
