//! What all streams of server-sent events share (WHATWG HTML, section 9.2): headers, pauses, and the end of an account.

use std::time::Duration;

use actix_web::http::{StatusCode, header};

use crate::access::identity::Identity;
use crate::clock;
use crate::http::reply::Reply;
use crate::http::state::AppState;

/// Interval of comments on a silent stream, so that proxies keep the connection.
pub(crate) const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Delay before a disconnected client reconnects, milliseconds.
pub(crate) const RETRY_MS: u32 = 2_000;

/// The head of a stream of events.
pub(crate) fn event_stream() -> Reply {
    Reply::new(StatusCode::OK)
        .header((header::CONTENT_TYPE, "text/event-stream"))
        .header((header::CACHE_CONTROL, "no-store"))
        // Disables response buffering in nginx.
        .header(("x-accel-buffering", "no"))
        .header(header::ContentEncoding::Identity)
        .closing()
}

/// Whether an identity may still read the stream that it opened; a stream without one has no end of this kind.
pub(crate) fn is_permitted(state: &AppState, identity: Option<&Identity>) -> bool {
    identity.is_none_or(|own| state.access.is_current(own, clock::now()))
}
