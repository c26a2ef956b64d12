//! In which form an answer is given: what the parameter `f` says, or else what the header Accept likes best.

use actix_web::HttpRequest;
use actix_web::http::header::{self, Accept, Header};

use crate::http::params::{QueryParams, invalid};
use crate::http::reply::problem::Problem;

/// A form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// What `f` calls it.
    pub(crate) name: &'static str,
    /// Its media type, without parameters.
    pub(crate) media_type: &'static str,
    /// What people call it.
    pub(crate) title: &'static str,
}

pub(crate) const JSON: MediaType = MediaType { name: "json", media_type: "application/json", title: "JSON" };
pub(crate) const GEOJSON: MediaType = MediaType { name: "json", media_type: "application/geo+json", title: "GeoJSON" };
pub(crate) const SCHEMA: MediaType =
    MediaType { name: "json", media_type: "application/schema+json", title: "JSON Schema" };
pub(crate) const HTML: MediaType = MediaType { name: "html", media_type: "text/html", title: "HTML" };
pub(crate) const CSV: MediaType = MediaType { name: "csv", media_type: "text/csv", title: "CSV" };
pub(crate) const FLATGEOBUF: MediaType =
    MediaType { name: "fgb", media_type: "application/vnd.flatgeobuf", title: "FlatGeobuf" };
/// RFC 8142.
pub(crate) const SEQUENCE: MediaType =
    MediaType { name: "geojsonseq", media_type: "application/geo+json-seq", title: "GeoJSON text sequence" };

/// The form to answer in; the first that is offered when the caller does not care.
///
/// # Errors
/// When `f` names another, or Accept takes none of them.
pub(crate) fn negotiate(
    request: &HttpRequest,
    parameters: &QueryParams,
    offered: &[MediaType],
) -> Result<MediaType, Problem> {
    if let Some(name) = parameters.get("f") {
        let names = || offered.iter().map(|form| form.name).collect::<Vec<_>>().join(", ");
        let found = offered.iter().find(|form| form.name == name || form.media_type == name);
        return found.copied().ok_or_else(|| invalid("f", name, "this form is not offered", &names()));
    }
    let ranked = Accept::parse(request).map(|accept| accept.ranked()).unwrap_or_default();
    if ranked.is_empty() {
        return Ok(offered[0]);
    }
    let liked = ranked.iter().find_map(|liked| offered.iter().find(|form| is_of(form.media_type, liked.essence_str())));
    liked.copied().ok_or_else(|| {
        let given = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let offered: Vec<&str> = offered.iter().map(|form| form.media_type).collect();
        Problem::NotAcceptable { given: given.chars().take(200).collect(), offered: offered.join(", ") }
    })
}

/// Whether a media type is one that the caller likes. Whoever takes JSON takes what is written in it.
fn is_of(own: &str, liked: &str) -> bool {
    match liked.split_once('/') {
        Some(("*", _)) => true,
        Some((kind, "*")) => own.split('/').next() == Some(kind),
        _ => own == liked || (liked == "application/json" && own.ends_with("+json")),
    }
}
