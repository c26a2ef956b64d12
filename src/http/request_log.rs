//! Request ids and the access log.
//!
//! Log lines have no query string, so that the position from which somebody asks is not kept.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use opentelemetry::propagation::Extractor;

use crate::clock;
use crate::http::peer::Peer;
use crate::http::state::AppState;
use crate::http::store_time::measured;
use crate::model::Role;
use crate::traces::TracedRequest;

/// The header with the id of a request: taken from the client or a proxy, or generated, and sent with the response.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Maximum length of an id that is taken from a request.
const MAX_ID_CHARS: usize = 128;

/// The id of a request, as an extension of it.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The id; it has no character that a header could not have.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The role of the caller, as an extension of its request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallerRole(pub(crate) Role);

/// Adds the request id to the response, logs the request if the access log is on, and records its span if it is traced.
pub(super) async fn log_request(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = RequestId(given_id(&request).unwrap_or_else(new_id));
    request.extensions_mut().insert(id.clone());
    let state = request.app_data::<web::Data<AppState>>();
    let is_logged = state.is_some_and(|state| state.access_log);
    let traces = state.and_then(|state| state.traces.clone());
    let line = is_logged.then(|| {
        let client = match Peer::of(request.request()) {
            Peer::Address(address) => address.to_string(),
            Peer::UnixSocket => "unix".to_owned(),
            Peer::Unknown => String::new(),
        };
        (client, request.method().to_string(), request.path().to_owned())
    });
    let mut response = if let Some(traces) = traces {
        let (started_at, parent) = (clock::now(), traces.parent(&Headers(request.headers())));
        let (response, store) = measured(next.call(request)).await;
        let response = response?;
        let request = response.request();
        let route = request.match_pattern();
        let span = TracedRequest {
            method: method_name(request.method()),
            route: route.as_deref(),
            status: response.status().as_u16(),
            role: request.extensions().get().map(|CallerRole(role)| role.name()),
            started: started_at.into(),
            duration: started.elapsed(),
            store,
            request_id: id.as_str().to_owned(),
        };
        traces.record(span, &parent);
        response
    } else {
        next.call(request).await?
    };
    if let Some((client, method, path)) = line {
        let (status, ms) = (response.status().as_u16(), started.elapsed().as_secs_f64() * 1e3);
        tracing::info!(target: "access", request_id = id.as_str(), client, method, path, status, ms, "request");
    }
    response.headers_mut().insert(REQUEST_ID, id.0);
    Ok(response)
}

/// The headers with the trace of the caller.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// A method in a span; any other word that a client sends is one name (semantic conventions of OpenTelemetry).
fn method_name(method: &Method) -> &'static str {
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    NAMES.into_iter().find(|name| method == name).unwrap_or("_OTHER")
}

/// The id that the request has, if it is a plain word.
fn given_id(request: &ServiceRequest) -> Option<HeaderValue> {
    let given = request.headers().get(REQUEST_ID)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte);
    ((1..=MAX_ID_CHARS).contains(&given.len()) && given.as_bytes().iter().copied().all(is_plain)).then(|| given.clone())
}

/// A new id: the requests of this process since a random start. Without random numbers, ids of several processes may be
/// equal.
fn new_id() -> HeaderValue {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(getrandom::u64().unwrap_or_default()));
    let id = format!("{:016x}", NEXT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("-"))
}
