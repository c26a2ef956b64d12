//! Kinds of endpoints: what rows of the endpoint table have in common.

use crate::http::api::health;
use crate::http::call::Call;
use crate::http::endpoint::{Access, Body, Endpoint, Handler, Success, Thread, Verb, empty, ok};
use crate::http::openapi;
use crate::http::params::lists::FORMAT_ONLY;
use crate::http::reply::Reply;
use crate::http::reply::media::{CSV_UTF8, HTML, HTML_UTF8, JSON, MediaType, SCHEMA, TILE_FORMATS};
use crate::http::reply::problem::Problem;
use crate::tile::TileFormat;

pub(crate) const JSON_TYPE: &str = "application/json";
pub(crate) const GEOJSON_TYPE: &str = "application/geo+json";
pub(crate) const JSON_HTML: &[MediaType] = &[JSON, HTML];

/// Sections of the API description.
pub(crate) const OGC: Option<&str> = Some("OGC API");
pub(crate) const TILES: Option<&str> = Some("Tiles");
pub(crate) const DISPATCH: Option<&str> = Some("Dispatch");
pub(crate) const EDITING: Option<&str> = Some("Editing");
pub(crate) const MAP: Option<&str> = Some("Map");
pub(crate) const OPERATION: Option<&str> = Some("Operation");

pub(crate) const PAGE: Success = ok(HTML_UTF8, "");
pub(crate) const TABLE: Success = ok(CSV_UTF8, "");
pub(crate) const SCHEMA_REPLIES: &[Success] = &[ok(SCHEMA.media_type, "jsonSchema"), PAGE];
pub(crate) const OPENAPI: MediaType = MediaType { name: "json", media_type: openapi::MEDIA_TYPE, title: "OpenAPI 3.0" };
const TILE: &[Success] =
    &[ok(TileFormat::Mvt.media_type(), ""), ok(TileFormat::Mlt.media_type(), ""), empty(204), empty(304)];

/// A tile: cached tiles on the web thread, others rendered on the pool.
pub(crate) const fn tile_endpoint(path: &'static str, lookup: Lookup, make: Make) -> Endpoint {
    Endpoint {
        tag: TILES,
        thread: Thread::Interactive,
        handler: Handler::Cached { lookup, make },
        replies: TILE,
        formats: &TILE_FORMATS,
        ..Endpoint::get(path, make)
    }
}

pub(crate) type Make = fn(&Call<'_>) -> Result<Reply, Problem>;
pub(crate) type Lookup = fn(&Call<'_>) -> Result<Option<Reply>, Problem>;

/// A page of the OGC API in JSON and HTML.
pub(crate) const fn ogc_page(path: &'static str, handler: Make) -> Endpoint {
    Endpoint { tag: OGC, params: FORMAT_ONLY, formats: JSON_HTML, ..Endpoint::get(path, handler) }
}

/// A document of OGC API Tiles.
pub(crate) const fn tiles_page(path: &'static str, handler: Make) -> Endpoint {
    Endpoint { tag: TILES, params: FORMAT_ONLY, formats: &[JSON, HTML], ..Endpoint::get(path, handler) }
}

/// An edit, which requires the token.
pub(crate) const fn write(method: Verb, path: &'static str, handler: Handler) -> Endpoint {
    Endpoint { method, tag: EDITING, access: Access::Write, handler, ..Endpoint::get(path, health::live) }
}

pub(crate) const FEATURE_BODY: Option<Body> =
    Some(Body { media_types: &[GEOJSON_TYPE, JSON_TYPE], schema: "newFeature", max_bytes: 4_000_000 });
