//! The OGC API: Features (parts 1 to 5 and sorting) and Tiles, for QGIS, GDAL, ArcGIS, OpenLayers and the like.

pub(crate) mod collections;
pub(crate) mod conformance;
pub(crate) mod edits;
pub(crate) mod items;
mod items_html;
pub(crate) mod items_params;
pub(crate) mod landing;
pub(crate) mod schemas;

pub(crate) use items::encode;

use actix_web::HttpRequest;
use serde_json::{Value as Json, json};

use crate::http::AppState;
use crate::http::params::origin;
use crate::http::reply::html::escape;
use crate::http::reply::media::MediaType;

/// Parameters of a page that only has forms.
pub(crate) const FORM: [&str; 1] = ["f"];

/// Addresses of link relations that have no short name.
pub(crate) const REL: &str = "http://www.opengis.net/def/rel/ogc/1.0/";

/// The address of the API.
pub(crate) fn base(request: &HttpRequest, state: &AppState) -> String {
    format!("{}/ogc", origin(request, state.public_url.as_deref()))
}

pub(crate) fn link(href: &str, rel: &str, media_type: &str, title: &str) -> Json {
    json!({"href": href, "rel": rel, "type": media_type, "title": title})
}

/// Links to a page itself and to its other forms. The address has its query but no `f`.
pub(crate) fn own_links(address: &str, form: MediaType, offered: &[MediaType]) -> Vec<Json> {
    let with_form = |name: &str| {
        let joint = if address.contains('?') { '&' } else { '?' };
        format!("{address}{joint}f={name}")
    };
    let of = |other: &MediaType| {
        let (href, rel) =
            if *other == form { (address.to_owned(), "self") } else { (with_form(other.name), "alternate") };
        link(&href, rel, other.media_type, other.title)
    };
    let mut links: Vec<Json> = offered.iter().filter(|other| **other == form).map(of).collect();
    links.extend(offered.iter().filter(|other| **other != form).map(of));
    links
}

/// A row of links to the other forms of a page, for people.
pub(crate) fn form_links(address: &str, forms: &[MediaType]) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    let of = |form: &MediaType| {
        format!("<a href=\"{}\">{}</a>", escape(&format!("{address}{joint}f={}", form.name)), form.title)
    };
    format!("<p class=\"forms\">{}</p>", forms.iter().map(of).collect::<String>())
}
