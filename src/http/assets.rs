//! Files embedded in the binary: the viewer and the map styles.

use actix_web::http::{StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::call::Call;
use crate::http::map_style;
use crate::http::reply::Reply;
use crate::http::reply::etag::{etag, is_known};
use crate::http::reply::problem::Problem;

/// Pages load nothing from another host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; worker-src 'self' blob:; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors *";

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/viewer"]
#[allow_missing = true]
struct Viewer;

#[derive(RustEmbed)]
#[folder = "styles"]
struct Styles;

/// `GET /`: the viewer.
pub(crate) fn viewer(call: &Call<'_>) -> Result<Reply, Problem> {
    embedded(call, "index.html")
}

/// `GET /docs`: the documentation page of the API.
pub(crate) fn docs(call: &Call<'_>) -> Result<Reply, Problem> {
    embedded(call, "docs.html")
}

/// `GET /viewer/{file}`: a file of the viewer.
pub(crate) fn viewer_file(call: &Call<'_>) -> Result<Reply, Problem> {
    embedded(call, &format!("viewer/{}", call.segment("file")))
}

/// `GET /styles/{styleId}.json`: a style, filled with values from the catalog.
pub(crate) fn style(call: &Call<'_>) -> Result<Reply, Problem> {
    style_as(call, "application/json")
}

/// The style that the path names, as a media type.
///
/// # Errors
/// When there is none.
pub(crate) fn style_as(call: &Call<'_>, media_type: &'static str) -> Result<Reply, Problem> {
    let name = call.segment("styleId");
    let missing = || Problem::NotFound { what: "style", value: name.to_owned(), accepted: style_names().join(", ") };
    let file = Styles::get(&format!("{name}.json")).ok_or_else(missing)?;
    let layers = call.current.snapshot.layers().iter().map(|layer| layer.schema());
    let style = map_style::fill(&file.data, &call.state.catalog, layers, &call.base_url());
    let style = style.map_err(|error| Problem::internal(&error))?;
    Ok(tagged(call, media_type, &etag(&style), style))
}

/// Names of the styles, in alphabetical order.
pub(crate) fn style_names() -> Vec<String> {
    let mut names: Vec<String> = Styles::iter().map(|file| file.trim_end_matches(".json").to_owned()).collect();
    names.sort();
    names
}

fn embedded(call: &Call<'_>, name: &str) -> Result<Reply, Problem> {
    let missing = || Problem::NotFound { what: "file", value: name.to_owned(), accepted: String::new() };
    let EmbeddedFile { data, metadata } = Viewer::get(name).ok_or_else(missing)?;
    let hash = metadata.sha256_hash().first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
    let reply = tagged(call, content_type(name), &format!("W/\"{hash:016x}\""), data.into_owned());
    Ok(reply.header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)))
}

/// A reply that does not depend on the snapshot, with its entity tag.
pub(crate) fn tagged(call: &Call<'_>, content_type: &'static str, etag: &str, bytes: Vec<u8>) -> Reply {
    let reply = Reply::new(StatusCode::OK)
        .header((header::CONTENT_TYPE, content_type))
        .header((header::CACHE_CONTROL, "no-cache"))
        .header((header::ETAG, etag));
    if is_known(&call.headers, etag) { reply.not_modified() } else { reply.body(bytes) }
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
