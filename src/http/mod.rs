//! The door: parse, call, render. This page is the whole URL map.

mod analysis;
mod answer;
mod assets;
mod features;
mod layers;
mod operations;
mod problem;
mod request;
mod tiles;

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, DefaultHeaders, NormalizePath};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Route, guard, web};

use crate::model::Catalog;
use crate::snapshot::Head;
use problem::Problem;

/// Seconds that requests under way may take after a stop was asked for.
const SHUTDOWN_TIMEOUT_S: u64 = 10;

/// What every handler may use.
pub struct Door {
    /// The picture.
    pub head: Arc<Head>,
    /// Code lists and their labels.
    pub catalog: Catalog,
    /// The address people reach the server by, when it is behind a proxy.
    pub public_url: Option<String>,
}

/// Answers on a listener until its handle is told to stop.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(door: Door, listener: TcpListener) -> std::io::Result<Server> {
    let door = web::Data::new(door);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(door.clone())
            .wrap(Compress::default())
            .wrap(NormalizePath::trim())
            .wrap(
                DefaultHeaders::new()
                    .add(("X-Content-Type-Options", "nosniff"))
                    .add(("Access-Control-Allow-Origin", "*"))
                    .add(("Access-Control-Expose-Headers", "ETag, Link, X-Onemap-Data-Version")),
            )
            .configure(urls)
    });
    Ok(server.listen(listener)?.shutdown_timeout(SHUTDOWN_TIMEOUT_S).disable_signals().run())
}

fn urls(app: &mut web::ServiceConfig) {
    let mut at = |path: &str, answer: Route| {
        app.service(web::resource(path).route(answer).default_service(web::to(wrong_method)));
    };
    at("/", read().to(assets::viewer));
    at("/viewer/{file:.*}", read().to(assets::viewer_file));
    at("/styles/{style}.json", read().to(assets::style));

    at("/api/layers", read().to(layers::layers));
    at("/api/nearest", read().to(analysis::nearest));

    at("/ogc", read().to(features::landing_page));
    at("/ogc/conformance", read().to(features::conformance));
    at("/ogc/collections", read().to(features::collections));
    at("/ogc/collections/{collection}", read().to(features::collection));
    at("/ogc/collections/{collection}/items", read().to(features::items));
    at("/ogc/collections/{collection}/items/{feature}", read().to(features::item));

    at("/tiles/{layers}", read().to(tiles::tilejson));
    at("/tiles/{layers}/{z}/{x}/{y}", read().to(tiles::tile));

    at("/health/live", read().to(operations::live));
    at("/health/ready", read().to(operations::ready));
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
        accepted: "/, /api/layers, /api/nearest, /ogc, /tiles/{layers}, /styles/onemap.json, /health/ready".to_owned(),
    })
}

async fn wrong_method(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::MethodNotAllowed { method: request.method().to_string(), allowed: "GET, HEAD" })
}
