//! The door: parse, call, render. This page is the whole URL map.

mod api;
mod assets;
mod ogc;
mod openapi;
mod params;
mod reply;
mod tiles;

use std::any::Any;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Extensions, Server};
use actix_web::http::{Method, header};
use actix_web::middleware::{Compress, DefaultHeaders, NormalizePath};
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Route, guard, web};
use tokio::sync::watch;

use crate::model::{Catalog, FingerprintKey};
use crate::snapshot::SnapshotHandle;
use crate::store::Store;
use crate::tile::cache::TileCache;
use reply::problem::Problem;

pub use params::auth::BearerToken;

/// Seconds that requests under way may take after a stop was asked for.
const SHUTDOWN_TIMEOUT_S: u64 = 10;

/// Headers that a page of another site may send, and those that it may read.
const HEADERS_OF_CALLERS: &str = "Accept, Authorization, Content-Crs, Content-Type, Idempotency-Key, If-Match, If-None-Match, \
                                  If-Range, Last-Event-ID, Range";
const HEADERS_OF_ANSWERS: &str = "Accept-Ranges, Allow, Content-Crs, Content-Range, ETag, Link, Location, \
                                  Retry-After, X-Onemap-Data-Version";

/// How long bytes may wait for a caller who does not take them.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// What every handler may use.
pub struct AppState {
    /// The snapshot.
    pub head: Arc<SnapshotHandle>,
    /// Where writes go.
    pub store: Arc<dyn Store>,
    /// What writers must show; `None` when nobody may write.
    pub token: Option<BearerToken>,
    /// Names the states of features.
    pub fingerprint_key: FingerprintKey,
    /// Code lists and their labels.
    pub catalog: Catalog,
    /// The address people reach the server by, when it is behind a proxy.
    pub public_url: Option<String>,
}

/// How much the door may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most streams of events at once.
    pub event_streams: usize,
    /// Most bytes of finished tiles that are kept; 0 keeps none.
    pub tile_cache_bytes: u64,
}

/// Answers on a listener until its handle is told to stop. Streams of events end once `closing` turns true.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(
    state: AppState,
    limits: Limits,
    closing: watch::Receiver<bool>,
    listener: TcpListener,
) -> std::io::Result<Server> {
    let state = web::Data::new(state);
    let tiles = web::Data::new(TileCache::new(limits.tile_cache_bytes, reply::freshness::etag));
    let coverage = web::Data::new(api::coverage::CoverageLayer::default());
    let downloads = web::Data::new(reply::stream::Downloads::default());
    let streams = web::Data::new(api::events::Streams::new(limits.event_streams, closing));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(tiles.clone())
            .app_data(coverage.clone())
            .app_data(streams.clone())
            .app_data(downloads.clone())
            .wrap(Compress::default())
            .wrap(NormalizePath::trim())
            .wrap(
                DefaultHeaders::new()
                    .add(("X-Content-Type-Options", "nosniff"))
                    .add(("Access-Control-Allow-Origin", "*"))
                    .add(("Access-Control-Expose-Headers", HEADERS_OF_ANSWERS)),
            )
            .configure(urls)
    });
    let server = server.on_connect(end_when_unread);
    Ok(server.listen(listener)?.shutdown_timeout(SHUTDOWN_TIMEOUT_S).disable_signals().run())
}

/// Lets the kernel end a connection whose other side takes nothing for a while: a response that waits for room
/// to write would not notice.
fn end_when_unread(connection: &dyn Any, _: &mut Extensions) {
    #[cfg(target_os = "linux")]
    if let Some(socket) = connection.downcast_ref::<TcpStream>()
        && let Err(error) = socket2::SockRef::from(socket).set_tcp_user_timeout(Some(UNREAD_TIMEOUT))
    {
        tracing::debug!(%error, "a connection cannot be given a time limit");
    }
}

fn urls(app: &mut web::ServiceConfig) {
    const READ: &str = "GET, HEAD";
    let mut add = |path: &str, routes: Vec<Route>, allowed: &'static str| {
        let resource = web::resource(path)
            .default_service(web::to(move |request: HttpRequest| std::future::ready(other_method(&request, allowed))));
        app.service(routes.into_iter().fold(resource, actix_web::Resource::route));
    };
    add(
        "/ogc/collections/{collectionId}/items",
        vec![read().to(ogc::items::items), web::post().to(ogc::edits::create)],
        "GET, HEAD, POST",
    );
    add(
        "/ogc/collections/{collectionId}/items/{featureId}",
        vec![
            read().to(ogc::items::item),
            web::put().to(ogc::edits::replace),
            web::patch().to(ogc::edits::patch),
            web::delete().to(ogc::edits::delete),
        ],
        "GET, HEAD, PUT, PATCH, DELETE",
    );
    add("/api/edits", vec![web::post().to(ogc::edits::batch)], "POST");
    add(
        "/api/nearest",
        vec![read().to(api::nearest::nearest), web::post().to(api::nearest::nearest_of_body)],
        "GET, HEAD, POST",
    );
    add(
        "/api/surroundings",
        vec![read().to(api::surroundings::surroundings), web::post().to(api::surroundings::surroundings_of_body)],
        "GET, HEAD, POST",
    );
    let mut at = |path: &str, answer: Route| add(path, vec![answer], READ);
    at("/", read().to(assets::viewer));
    at("/viewer/{file:.*}", read().to(assets::viewer_file));
    at("/styles/{styleId}.json", read().to(assets::style));

    at("/api/layers", read().to(api::layers::layers));
    at("/api/audits/siting", read().to(api::siting::siting));
    at("/api/search", read().to(api::search::search));
    at("/api/coverage", read().to(api::coverage::coverage));
    at("/api/events", read().to(api::events::events));

    at("/ogc", read().to(ogc::landing::landing_page));
    at("/ogc/conformance", read().to(ogc::conformance::conformance));
    at("/ogc/functions", read().to(ogc::collections::functions));
    at("/ogc/collections", read().to(ogc::collections::collections));
    at("/ogc/collections/{collectionId}", read().to(ogc::collections::collection));
    at("/ogc/collections/{collectionId}/queryables", read().to(ogc::collections::queryables));
    at("/ogc/collections/{collectionId}/sortables", read().to(ogc::collections::sortables));
    at("/ogc/collections/{collectionId}/schema", read().to(ogc::collections::features_schema));

    at("/ogc/tileMatrixSets", read().to(tiles::tilesets::tile_matrix_sets));
    at("/ogc/tileMatrixSets/{tileMatrixSetId}", read().to(tiles::tilesets::tile_matrix_set));
    at("/ogc/tiles", read().to(tiles::tilesets::tilesets));
    at("/ogc/tiles/{tileMatrixSetId}", read().to(tiles::tilesets::tileset));
    at("/ogc/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}", read().to(tiles::tilesets::tile));
    at("/ogc/collections/{collectionId}/tiles", read().to(tiles::tilesets::tilesets_of_collection));
    at("/ogc/collections/{collectionId}/tiles/{tileMatrixSetId}", read().to(tiles::tilesets::tileset_of_collection));
    at(
        "/ogc/collections/{collectionId}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}",
        read().to(tiles::tilesets::tile_of_collection),
    );

    at("/tiles/{layers}", read().to(tiles::xyz::tilejson));
    at("/tiles/{layers}/{z}/{x}/{y}", read().to(tiles::xyz::tile));

    at("/openapi.json", read().to(openapi::document));
    at("/docs", read().to(assets::docs));

    at("/health/live", read().to(api::health::live));
    at("/health/ready", read().to(api::health::ready));
    app.default_service(web::to(nothing_here));
}

/// GET and HEAD.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn nothing_here(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::NotFound {
        what: "path",
        value: request.path().chars().take(200).collect(),
        accepted:
            "/, /api/layers, /api/nearest, /api/surroundings, /api/search, /api/audits/siting, /api/coverage, /api/events, /api/edits, /ogc, /tiles/{layers}, /styles/onemap.json, /openapi.json, /docs, /health/ready"
                .to_owned(),
    })
}

/// What is taken, to whoever asks; a refusal to others.
fn other_method(request: &HttpRequest, allowed: &'static str) -> Result<HttpResponse, Problem> {
    if request.method() == Method::OPTIONS {
        let mut response = HttpResponse::NoContent();
        response.insert_header((header::ALLOW, format!("{allowed}, OPTIONS")));
        response.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, format!("{allowed}, OPTIONS")));
        response.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS_OF_CALLERS));
        return Ok(response.insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400")).finish());
    }
    Err(Problem::MethodNotAllowed { method: request.method().to_string(), allowed })
}
