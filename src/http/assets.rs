//! Bytes built into the program: the viewer and the map styles.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::AppState;
use crate::http::params::{QueryParams, origin};
use crate::http::reply::freshness::{etag, is_known};
use crate::http::reply::problem::Problem;

/// Nothing is ever loaded from another host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; worker-src 'self' blob:; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors *";

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/viewer"]
#[allow_missing = true]
struct Viewer;

#[derive(RustEmbed)]
#[folder = "styles"]
struct Styles;

pub(crate) async fn viewer(request: HttpRequest) -> Result<HttpResponse, Problem> {
    embedded(&request, "index.html")
}

/// The description of the API, for people.
pub(crate) async fn docs(request: HttpRequest) -> Result<HttpResponse, Problem> {
    embedded(&request, "docs.html")
}

pub(crate) async fn viewer_file(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    embedded(&request, &format!("viewer/{path}"))
}

/// A style with the server's own address in the place of `{base}`: style addresses must be absolute.
pub(crate) async fn style(
    request: HttpRequest,
    state: web::Data<AppState>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    QueryParams::read(&request, &[])?;
    let missing = || {
        let names: Vec<String> = Styles::iter().map(|file| file.trim_end_matches(".json").to_owned()).collect();
        Problem::NotFound { what: "style", value: path.to_string(), accepted: names.join(", ") }
    };
    let file = Styles::get(&format!("{path}.json")).ok_or_else(missing)?;
    let style = String::from_utf8_lossy(&file.data).replace("{base}", &origin(&request, state.public_url.as_deref()));
    Ok(tagged(&request, "application/json", &etag(style.as_bytes()), style.into_bytes()))
}

fn embedded(request: &HttpRequest, name: &str) -> Result<HttpResponse, Problem> {
    let missing = || Problem::NotFound { what: "file", value: name.to_owned(), accepted: String::new() };
    let EmbeddedFile { data, metadata } = Viewer::get(name).ok_or_else(missing)?;
    let hash = metadata.sha256_hash().first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
    let mut response = tagged(request, content_type(name), &format!("W/\"{hash:016x}\""), data.into_owned());
    let policy = header::HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

fn tagged(request: &HttpRequest, content_type: &str, etag: &str, bytes: Vec<u8>) -> HttpResponse {
    if is_known(request, etag) {
        return HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish();
    }
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::ETAG, etag))
        .body(bytes)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
