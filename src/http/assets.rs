//! Files embedded in the binary: the viewer and the map styles.

use actix_web::http::{StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde_json::Value as Json;

use crate::http::call::Call;
use crate::http::map_style;
use crate::http::map_theme::MapTheme;
use crate::http::reply::Reply;
use crate::http::reply::etag::{etag, is_known};
use crate::http::reply::problem::Problem;
use crate::model::base_map::{BaseMap, TileTemplate, VectorSchema};

/// The security policy of pages: they load nothing from another host but the tiles of a base map.
pub(crate) fn viewer_policy(base_map: Option<&BaseMap>) -> String {
    let mut origins: Vec<&str> = base_map.iter().flat_map(|own| &own.tiles).filter_map(TileTemplate::origin).collect();
    origins.dedup();
    let more = origins.join(" ");
    format!(
        "default-src 'self'; worker-src 'self' blob:; connect-src 'self' {more}; \
         img-src 'self' data: blob: {more}; frame-ancestors *"
    )
}

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/viewer"]
#[allow_missing = true]
struct Viewer;

/// Style files, and folders with their themes, base maps and fonts.
#[derive(RustEmbed)]
#[folder = "styles"]
pub(crate) struct Styles;

const THEMES: &str = "themes/";
const BASE_MAPS: &str = "base_map/";
const JSON_ENDING: &str = ".json";

/// `GET /`: the viewer.
pub(crate) fn viewer(call: &Call<'_>) -> Result<Reply, Problem> {
    embedded(call, "index.html")
}

/// `GET /service-worker.js`: keeps the viewer for the time without a server.
pub(crate) fn service_worker(call: &Call<'_>) -> Result<Reply, Problem> {
    embedded(call, "service-worker.js")
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
    let styles = styles().map_err(|error| Problem::internal(&error))?;
    let missing = || {
        let accepted = styles.iter().map(|own| own.name.as_str()).collect::<Vec<_>>().join(", ");
        Problem::NotFound { what: "style", value: name.to_owned(), accepted }
    };
    let own = styles.iter().find(|own| own.name == name).ok_or_else(missing)?;
    let file = Styles::get(&own.file).ok_or_else(missing)?;
    let layers = call.current.snapshot.layers().iter().map(|layer| layer.schema());
    let drawn = call.state.base_map.as_ref().and_then(|base_map| base_map.schema).map(base_map_layers).transpose();
    let drawn = drawn.map_err(|error| Problem::internal(&error))?;
    let style = map_style::fill(
        &file.data,
        (own.theme.as_ref(), call.state.base_map.as_ref(), drawn),
        &call.state.catalog,
        layers,
        &call.base_url(),
    );
    let style = style.map_err(|error| Problem::internal(&error))?;
    Ok(tagged(call, media_type, &etag(&style), style))
}

/// The style layers that draw vector tiles of a schema.
///
/// # Errors
/// Only if the embedded file is invalid.
fn base_map_layers(schema: VectorSchema) -> Result<Vec<Json>, serde_json::Error> {
    let file = Styles::get(&format!("{BASE_MAPS}{}{JSON_ENDING}", schema.name()));
    file.map_or_else(|| Ok(Vec::new()), |file| serde_json::from_slice(&file.data))
}

/// A map style: a style file, and a theme of it.
pub(crate) struct NamedStyle {
    pub(crate) name: String,
    file: String,
    /// `None` for the file as it is.
    pub(crate) theme: Option<MapTheme>,
}

/// The styles in alphabetical order: each file, and each file in each theme.
///
/// # Errors
/// Only if an embedded theme is invalid.
pub(crate) fn styles() -> Result<Vec<NamedStyle>, serde_json::Error> {
    let themes: Vec<_> = Styles::iter().filter(|file| file.starts_with(THEMES)).collect();
    let files = Styles::iter().filter(|file| !file.contains('/'));
    let mut styles = Vec::new();
    for file in files {
        let name = file.trim_end_matches(JSON_ENDING);
        styles.push(NamedStyle { name: name.to_owned(), file: file.to_string(), theme: None });
        for theme in &themes {
            let title = theme.trim_start_matches(THEMES).trim_end_matches(JSON_ENDING);
            let own = Styles::get(theme).map(|file| MapTheme::parse(&file.data)).transpose()?;
            styles.push(NamedStyle { name: format!("{name}-{title}"), file: file.to_string(), theme: own });
        }
    }
    styles.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(styles)
}

fn embedded(call: &Call<'_>, name: &str) -> Result<Reply, Problem> {
    let missing = || Problem::NotFound { what: "file", value: name.to_owned(), accepted: String::new() };
    let EmbeddedFile { data, metadata } = Viewer::get(name).ok_or_else(missing)?;
    let hash = metadata.sha256_hash().first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
    let reply = tagged(call, content_type(name), &format!("W/\"{hash:016x}\""), data.into_owned());
    Ok(reply.header((header::CONTENT_SECURITY_POLICY, call.state.viewer_policy.as_str())))
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
