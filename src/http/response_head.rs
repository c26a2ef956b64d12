//! The head of every response: request id, security headers, CORS, and what old clients need.
//!
//! One middleware does all of it: each middleware costs more than what it adds.

use std::borrow::Cow;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{ConnectionType, Uri, Version, header};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::http::request_log::log_request;
use crate::http::state::AppState;

/// CORS: headers that pages of other origins may read.
const REPLY_HEADERS: &str = "Accept-Ranges, Age, Allow, Content-Crs, Content-Range, ETag, Idempotency-Replayed, Link, \
                             Location, Retry-After, Warning, X-Onemap-Data-Version, X-Onemap-Omitted, X-Onemap-Snapshot, \
                             X-Request-Id";
/// Headers of all responses. Of a device, pages of the server may use the location, for the
/// map.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        header::PERMISSIONS_POLICY,
        HeaderValue::from_static("geolocation=(self), camera=(), microphone=(), payment=(), usb=()"),
    ),
];
/// Browsers that reached the server over TLS do so for a year.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Passes a request on, with a path in normal form, and completes the head of its response.
pub(super) async fn with_head(
    has_tls: bool,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    normalize_path(&mut request);
    let is_old = request.version() < Version::HTTP_11;
    let origin = request.headers().get(header::ORIGIN).cloned();
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let mut response = log_request(request, next).await?;
    let head = response.response_mut();
    let headers = head.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    if has_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    if let Some(state) = state {
        allow_origin(headers, &state, origin.as_ref());
    }
    // `identity` only disables the compressor and is not a content coding (RFC 9110, section 8.4.1).
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "identity") {
        headers.remove(header::CONTENT_ENCODING);
    }
    if is_old {
        // An HTTP/1.0 client cannot read chunks (RFC 9112, section 6.1).
        head.head_mut().no_chunking(true);
        head.head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// Removes slashes at the end of a path and repeated ones, as people and programs type them.
fn normalize_path(request: &mut ServiceRequest) {
    let Cow::Owned(path) = normal_path(request.path()) else { return };
    let mut parts = request.uri().clone().into_parts();
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    parts.path_and_query = PathAndQuery::try_from(path + &query).ok();
    let Ok(uri) = Uri::from_parts(parts) else { return };
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
}

fn normal_path(path: &str) -> Cow<'_, str> {
    if path == "/" || !(path.ends_with('/') || path.contains("//")) {
        return path.into();
    }
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    format!("/{}", segments.join("/")).into()
}

/// Shows browsers which pages of other origins may read a response.
fn allow_origin(headers: &mut HeaderMap, state: &AppState, origin: Option<&HeaderValue>) {
    let allowed = state.allowed_origins.header(origin, state.access.lets_everybody_in());
    if allowed.as_ref().is_none_or(|allowed| allowed != "*") {
        let known = headers.get(header::VARY).and_then(|known| known.to_str().ok()).unwrap_or_default();
        if !known.split(',').any(|own| own.trim() == "Origin") {
            let separator = if known.is_empty() { "" } else { ", " };
            let varies = HeaderValue::try_from(format!("{known}{separator}Origin"));
            headers.insert(header::VARY, varies.unwrap_or(HeaderValue::from_static("Origin")));
        }
    }
    if let Some(allowed) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(REPLY_HEADERS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_end_and_repeated_ones_are_no_part_of_a_path() {
        for (given, normal) in
            [("/", "/"), ("//", "/"), ("/ogc/", "/ogc"), ("//ogc///api//", "/ogc/api"), ("/a/b", "/a/b")]
        {
            assert_eq!(normal_path(given), normal);
        }
        assert!(matches!(normal_path("/tiles/hazards/1/2/3"), Cow::Borrowed(_)));
    }
}
