//! The OGC API: Features (parts 1 to 5 and sorting) and Tiles, for QGIS, GDAL, ArcGIS, OpenLayers and the like.

pub(crate) mod collections;
pub(crate) mod conformance;
pub(crate) mod edits;
pub(crate) mod items;
mod items_html;
pub(crate) mod items_params;
pub(crate) mod landing;
mod pages;
pub(crate) mod schemas;

pub(crate) use items::encode;

use actix_web::HttpRequest;
use maud::{Markup, html};
use serde_json::{Value as Json, json};

use crate::http::AppState;
use crate::http::params::origin;
use crate::http::reply::media::MediaType;

/// Parameters of a page that only has forms.
pub(crate) const FORM: [&str; 1] = ["f"];

/// Addresses of link relations that have no short name.
pub(crate) const REL: &str = "http://www.opengis.net/def/rel/ogc/1.0/";

/// Path of the OGC API below the root URL of the server.
const BASE_PATH: &str = "/ogc";

/// The address of the API.
pub(crate) fn base(request: &HttpRequest, state: &AppState) -> String {
    format!("{}{BASE_PATH}", origin(request, state.public_url.as_deref()))
}

/// The root URL of the server, from the address of the API.
fn root_of(base: &str) -> &str {
    base.strip_suffix(BASE_PATH).unwrap_or(base)
}

pub(crate) fn link(href: &str, rel: &str, media_type: &str, title: &str) -> Json {
    json!({"href": href, "rel": rel, "type": media_type, "title": title})
}

/// Links to a page itself and to its other forms. The address has its query but no `f`.
pub(crate) fn own_links(address: &str, form: MediaType, offered: &[MediaType]) -> Vec<Json> {
    let of = |other: &MediaType| {
        let (href, rel) =
            if *other == form { (address.to_owned(), "self") } else { (with_form(address, other.name), "alternate") };
        link(&href, rel, other.media_type, other.title)
    };
    let mut links: Vec<Json> = offered.iter().filter(|other| **other == form).map(of).collect();
    links.extend(offered.iter().filter(|other| **other != form).map(of));
    links
}

/// An address with the parameter `f` added to its query.
fn with_form(address: &str, name: &str) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}f={name}")
}

/// A paragraph of links to the other media types of an address.
fn form_links(address: &str, forms: &[MediaType]) -> Markup {
    html! {
        p.forms { @for form in forms { a href=(with_form(address, form.name)) { (form.title) } } }
    }
}
