//! The HTTP service: routes from the endpoint table, conversion of requests to calls and of replies to responses.

use std::borrow::Cow;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::dev::Server;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode, Version, header};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, HttpServer, web};
use tokio::sync::watch;

use crate::clock;
use crate::http::call::Call;
use crate::http::endpoint::{Access, Endpoint, Handler, Thread, Verb};
use crate::http::metrics::Metrics;
use crate::http::params::auth::Caller;
use crate::http::params::{QueryParams, invalid, layer};
use crate::http::peer::{self, Peer};
use crate::http::rate_limits::LimitedCaller;
use crate::http::reply::Reply;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::problem::Problem;
use crate::http::request_log::{CallerRole, RequestId};
use crate::http::response_head::with_head;
use crate::http::routes::ENDPOINTS;
use crate::http::state::{AppState, Audience, Limits, Service};
use crate::http::tiles::xyz::tile_reply;
use crate::http::tls::Tls;
use crate::query::cancel::CancelToken;

/// Seconds that running requests may take after shutdown has begun.
const SHUTDOWN_TIMEOUT_S: u64 = 10;
/// Time after which a connection is closed if its client does not read.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Time limit for receiving a body.
const BODY_TIMEOUT: Duration = Duration::from_mins(1);

/// Features and groups of features that a request may visit on the web thread: about a millisecond.
const WEB_BUDGET: usize = 2_000;
/// Time limits of interactive and of bulk requests, including their time in the queue.
const INTERACTIVE_LIMIT: Duration = Duration::from_secs(10);
const BULK_LIMIT: Duration = Duration::from_secs(30);

/// CORS: headers that pages of other origins may send.
const REQUEST_HEADERS: &str = "Accept, Authorization, Content-Crs, Content-Type, Idempotency-Key, If-Match, \
                               If-Modified-Since, If-None-Match, If-Range, If-Unmodified-Since, Last-Event-ID, \
                               Onemap-Anywhere, Range";
/// A socket on which the server listens.
#[derive(Debug)]
pub enum Listener {
    /// For TCP, over TLS if it is configured.
    Tcp(TcpListener),
    /// For processes on this machine, never over TLS.
    Unix(UnixListener),
}

/// Serves on listeners until its handle is stopped, over TLS if it is configured. Event streams end once `closing` turns
/// true.
///
/// # Errors
/// When a listener cannot be used, or no thread can be started.
pub fn serve(
    service: Service,
    limits: Limits,
    closing: watch::Receiver<bool>,
    listeners: Vec<Listener>,
    tls: Option<&Tls>,
) -> std::io::Result<Server> {
    let has_tls = tls.is_some();
    let metrics = Metrics::new(&ENDPOINTS).map_err(std::io::Error::other)?;
    let state = web::Data::new(AppState::new(service, limits, closing, metrics)?);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap(from_fn(move |request, next| with_head(has_tls, request, next)))
            .configure(routes)
    });
    // A caller who hangs up sends the same as one who only ends its sending side. Its work is to be cancelled.
    let mut server = server.h1_allow_half_closed(false).shutdown_timeout(SHUTDOWN_TIMEOUT_S).disable_signals();
    // The end of a reply that is sent in two parts must not wait for the acknowledgement of the first.
    server = server.on_connect(peer::mark).tcp_nodelay(true);
    for listener in listeners {
        server = match (listener, tls) {
            (Listener::Tcp(listener), Some(Tls(tls))) => {
                end_when_unread(&listener);
                server.listen_rustls_0_23(listener, tls.clone())?
            }
            (Listener::Tcp(listener), None) => {
                end_when_unread(&listener);
                server.listen(listener)?
            }
            (Listener::Unix(listener), _) => server.listen_uds(listener)?,
        };
    }
    Ok(server.run())
}

/// Lets the kernel close a connection whose client stops reading (`TCP_USER_TIMEOUT`), because a response that waits to
/// write has no timeout. Connections inherit the option from their listener.
fn end_when_unread(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_user_timeout(Some(UNREAD_TIMEOUT)) {
        tracing::debug!(%error, "cannot set the time limit of connections");
    }
}

/// One resource for each path of the table.
fn routes(app: &mut web::ServiceConfig) {
    let mut paths: Vec<&'static str> = Vec::new();
    for endpoint in ENDPOINTS.iter() {
        if !paths.contains(&endpoint.path) {
            paths.push(endpoint.path);
        }
    }
    for path in paths {
        let at_path = || ENDPOINTS.iter().copied().enumerate().filter(move |(_, endpoint)| endpoint.path == path);
        let resource = web::resource(path).default_service(web::to(move |request: HttpRequest| {
            std::future::ready(HttpResponse::from(other_method(&request, path)))
        }));
        let resource = at_path().fold(resource, |resource, (number, endpoint)| {
            let answer = move |request: HttpRequest, payload: web::Payload| answer(number, endpoint, request, payload);
            let route = web::method(endpoint.method.method()).to(answer);
            let resource = resource.route(route);
            if endpoint.method == Verb::Get { resource.route(web::head().to(answer)) } else { resource }
        });
        // A kept tile is compressed already.
        if at_path().any(|(_, endpoint)| matches!(endpoint.handler, Handler::Cached { .. })) {
            app.service(resource);
        } else {
            app.service(resource.wrap(Compress::default()));
        }
    }
    app.default_service(web::to(|request: HttpRequest| {
        std::future::ready(HttpResponse::from(Reply::from(not_found(&request))))
    }));
}

fn not_found(request: &HttpRequest) -> Problem {
    let mut accepted: Vec<&str> = ENDPOINTS.iter().filter(|own| own.tag.is_some()).map(|own| own.path).collect();
    accepted.sort_unstable();
    accepted.dedup();
    Problem::NotFound {
        what: "path",
        value: request.path().chars().take(200).collect(),
        accepted: format!("/, /docs, {}", accepted.join(", ")),
    }
}

/// Methods of a path that the server offers.
fn allowed(state: &AppState, path: &str) -> String {
    let mut methods: Vec<String> = Vec::new();
    for endpoint in
        ENDPOINTS.iter().filter(|endpoint| endpoint.path == path && endpoint.is_offered(state.access.offers_edits()))
    {
        methods.push(endpoint.method.method().to_string());
        if endpoint.method == Verb::Get {
            methods.push("HEAD".to_owned());
        }
    }
    methods.push("OPTIONS".to_owned());
    methods.join(", ")
}

/// `OPTIONS`: the methods of the path; an error for other methods.
fn other_method(request: &HttpRequest, path: &'static str) -> Reply {
    let Some(state) = request.app_data::<web::Data<AppState>>() else { return Problem::Unavailable.into() };
    // A preflight request has no credentials and must not fail for what its caller may see.
    let names_collection = request.match_info().get("collectionId");
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if let Some(name) = names_collection.filter(|_| !is_preflight) {
        let visible = state.audience(state.access.anonymous().role());
        if let Err(missing) = visible.and_then(|visible| layer(&visible.snapshots.load(), "collection", name).map(drop))
        {
            return missing.into();
        }
    }
    let allowed = allowed(state, path);
    if request.method() != Method::OPTIONS {
        return Problem::MethodNotAllowed { method: request.method().to_string(), allowed }.into();
    }
    Reply::new(StatusCode::OK)
        .header((header::ALLOW, allowed.as_str()))
        .header((header::ACCESS_CONTROL_ALLOW_METHODS, allowed.as_str()))
        .header((header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
        .header((header::ACCESS_CONTROL_MAX_AGE, "86400"))
}

async fn answer(
    number: usize,
    endpoint: &'static Endpoint,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse<BoxBody> {
    let started = Instant::now();
    let reply = run(endpoint, &request, payload).await.unwrap_or_else(Reply::from);
    if let Some(state) = request.app_data::<web::Data<AppState>>() {
        state.metrics.observe(number, reply.status.as_u16(), started.elapsed());
    }
    if reply.is_tile() {
        return reply.into();
    }
    // With several media types the reply depends on the Accept header, also if none is acceptable.
    let reply = if endpoint.formats.len() > 1 { reply.varying_by("Accept") } else { reply };
    // Shared caches keep what the public sees apart from what an account sees.
    let reply =
        if endpoint.access == Access::Open { reply } else { reply.varying_by("Authorization").varying_by("Cookie") };
    reply.compressed_for(request.headers()).into()
}

async fn run(endpoint: &'static Endpoint, request: &HttpRequest, payload: web::Payload) -> Result<Reply, Problem> {
    let admitted = admit(endpoint, request).await?;
    if matches!(endpoint.handler, Handler::Cached { .. })
        && let Some(reply) = admitted.requested_tile(request)
    {
        return Ok(reply);
    }
    let call = read(endpoint, request, payload, admitted).await?;
    match &endpoint.handler {
        Handler::Async(handler) => handler(call.into_owned()).await,
        Handler::Cached { lookup, make } => match lookup(&call)? {
            Some(reply) => Ok(reply),
            None => on_thread(thread_of(endpoint, &call), *make, call).await,
        },
        Handler::Sync(handler) => on_thread(thread_of(endpoint, &call), *handler, call).await,
        Handler::Budgeted(handler) => {
            let call = Call { cancel: CancelToken::with_budget(WEB_BUDGET), ..call };
            match handler(&call) {
                Err(_) if call.cancel.is_cancelled() => {
                    let call = Call { cancel: CancelToken::new(), ..call };
                    on_thread(thread_of(endpoint, &call), *handler, call).await
                }
                reply => reply,
            }
        }
    }
}

/// The thread of a request: that of its endpoint, but long requests leave the interactive pool.
fn thread_of(endpoint: &Endpoint, call: &Call<'_>) -> Thread {
    if endpoint.thread == Thread::Interactive && (endpoint.is_long)(call) { Thread::Bulk } else { endpoint.thread }
}

/// Runs a handler on the thread of its endpoint. Work on a pool is cancelled at its time limit, and when the client
/// disconnects.
async fn on_thread(
    thread: Thread,
    handler: fn(&Call<'_>) -> Result<Reply, Problem>,
    call: Call<'_>,
) -> Result<Reply, Problem> {
    let (state, call) = match thread {
        Thread::Web => return handler(&call),
        Thread::Interactive | Thread::Bulk => (call.state.clone(), call.into_owned()),
    };
    let caller = call.limited_caller();
    let _guard = CancelOnDrop(call.cancel.clone());
    let work = move || {
        let reply = handler(&call);
        // What a computation returned after something that it needs had failed must not be used.
        match call.cancel.failure() {
            Some(reason) => Err(Problem::RoadEngine { reason: reason.to_owned() }),
            None => reply,
        }
    };
    let (limit, reply) = if thread == Thread::Bulk {
        (BULK_LIMIT, tokio::time::timeout(BULK_LIMIT, state.workers.bulk(caller, work)).await)
    } else {
        (INTERACTIVE_LIMIT, tokio::time::timeout(INTERACTIVE_LIMIT, state.workers.interactive(work)).await)
    };
    reply.map_err(|_| Problem::Timeout { limit_s: limit.as_secs() })?
}

/// Cancels its token when the future of a handler is dropped.
struct CancelOnDrop(CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A request whose caller may make it.
struct Admitted<'a> {
    state: web::Data<AppState>,
    peer: Peer,
    headers: Cow<'a, HeaderMap>,
    caller: Caller,
    audience: Arc<Audience>,
    current: RequestSnapshot,
}

impl Admitted<'_> {
    /// A tile that the same request got before.
    fn requested_tile(&self, request: &HttpRequest) -> Option<Reply> {
        let version = self.current.snapshot.version();
        let (format, tile) = self.audience.requested_tiles.find(request.uri(), &self.headers, version)?;
        Some(tile_reply(&self.current, &self.headers, format, &tile))
    }
}

/// Identifies the caller of an endpoint, counts the request, and loads the snapshot.
async fn admit<'a>(endpoint: &'static Endpoint, request: &'a HttpRequest) -> Result<Admitted<'a>, Problem> {
    let state = request.app_data::<web::Data<AppState>>().ok_or(Problem::Unavailable)?.clone();
    let peer = Peer::of(request);
    let headers = headers_with_host(request);
    // Authorization is checked before the body is read.
    let is_local = || state.reachability.is_local(request.headers(), peer);
    let is_proxied = state.reachability.is_proxied(peer);
    let caller = state.access.identify(endpoint.access, request.headers(), is_proxied, is_local, clock::now()).await;
    let caller = limited(&state, endpoint, request.headers(), peer, caller)?;
    if state.traces.is_some() {
        request.extensions_mut().insert(CallerRole(caller.role()));
    }
    let audience = state.audience(caller.role())?.clone();
    let current = RequestSnapshot::now(&audience, &*state.store);
    Ok(Admitted { state, peer, headers, caller, audience, current })
}

/// Parses a request according to its endpoint.
async fn read<'a>(
    endpoint: &'static Endpoint,
    request: &'a HttpRequest,
    payload: web::Payload,
    admitted: Admitted<'a>,
) -> Result<Call<'a>, Problem> {
    let Admitted { state, peer, headers, caller, audience, current } = admitted;
    // Bytes that are no text would become replacement characters, and name another feature.
    let path = request.uri().path();
    if path.contains('%') && percent_encoding::percent_decode_str(path).decode_utf8().is_err() {
        return Err(invalid("path", path, "it is not UTF-8", "percent-encoded UTF-8"));
    }
    // The router leaves %2F, %25 and %2B as they are, and decodes everything else.
    let decode = |value: &str| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
    let path: Vec<(String, String)> =
        request.match_info().iter().map(|(name, value)| (name.to_owned(), decode(value))).collect();
    let own_layer = path.iter().find(|(name, _)| name == "collectionId");
    let current = if let Some((_, id)) = own_layer { current.of_layer(id) } else { current };
    let params = {
        let collection = own_layer.filter(|_| endpoint.property_params);
        let layer = collection.map(|(_, name)| layer(&current.snapshot, "collection", name)).transpose()?;
        let view = layer.map(|layer| caller.view(layer.schema()));
        let fields = view.iter().flat_map(|view| view.fields().map(|(_, field)| field.name.as_str()));
        let properties: Vec<&str> = fields.chain(view.iter().map(|_| "id")).collect();
        QueryParams::read(request.query_string(), endpoint.params, &properties, endpoint.ignores_unknown)?
    };
    let body = match endpoint.body {
        None => web::Bytes::new(),
        Some(body) => read_body(request, payload, body.media_types, body.max_bytes).await?,
    };
    Ok(Call {
        formats: endpoint.formats,
        state,
        audience,
        current,
        caller,
        params,
        body,
        cancel: CancelToken::new(),
        method: request.method().clone(),
        uri: request.uri().clone(),
        headers,
        peer,
        request_id: request.extensions().get::<RequestId>().cloned(),
        path,
    })
}

/// The headers of a request. In HTTP/2 the host is part of the address; it is added as the header that HTTP/1.1 has.
fn headers_with_host(request: &HttpRequest) -> Cow<'_, HeaderMap> {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    match authority {
        Some(Ok(host)) if request.version() == Version::HTTP_2 && !request.headers().contains_key(header::HOST) => {
            let mut headers = request.headers().clone();
            headers.insert(header::HOST, host);
            Cow::Owned(headers)
        }
        _ => Cow::Borrowed(request.headers()),
    }
}

/// Counts the request of a caller, or its wrong credentials.
///
/// # Errors
/// The error of the identification, or that there were too many.
fn limited(
    state: &AppState,
    endpoint: &Endpoint,
    headers: &HeaderMap,
    peer: Peer,
    caller: Result<Caller, Problem>,
) -> Result<Caller, Problem> {
    // Health checks are never limited.
    if endpoint.access == Access::Open || state.reachability.is_local(headers, peer) {
        return caller;
    }
    let address = state.reachability.client(headers, peer);
    let has_credentials = headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::COOKIE);
    if let Some(address) = address
        && caller.as_ref().is_err_and(Problem::is_wrong_secret)
        && has_credentials
    {
        state.rate_limits.count_failure(address)?;
    }
    let caller = caller?;
    if let Some(limited) = LimitedCaller::new(&caller, address) {
        state.rate_limits.admit(&limited)?;
    }
    Ok(caller)
}

async fn read_body(
    request: &HttpRequest,
    payload: web::Payload,
    accepted: &[&str],
    limit_bytes: usize,
) -> Result<web::Bytes, Problem> {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !accepted.contains(&essence.as_str()) {
        let given = given.chars().take(200).collect();
        return Err(Problem::WrongMediaType { given, accepted: accepted.join(", ") });
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(limit_bytes)).await;
    let read = read.map_err(|_| Problem::BodyTimeout { timeout_s: BODY_TIMEOUT.as_secs() })?;
    let bytes = read.map_err(|_| Problem::TooLarge { limit_bytes })?;
    bytes.map_err(|error| invalid("body", "", &error.to_string(), "a complete body"))
}
