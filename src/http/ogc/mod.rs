//! The OGC API: Features (parts 1 to 5 and sorting) and Tiles, for QGIS, GDAL, ArcGIS, OpenLayers and the like.

pub(super) mod ask;
pub(super) mod collections;
pub(super) mod conformance;
mod download;
pub(super) mod items;
mod items_page;
pub(super) mod landing;
pub(super) mod schemas;
pub(super) mod tilesets;

pub(super) use download::Downloads;
pub(super) use items::encode;

use actix_web::HttpRequest;
use serde_json::{Value as Json, json};

use super::Door;
use super::form::Form;
use super::html::escape;
use super::request::origin;

/// Parameters of a page that only has forms.
pub(super) const FORM: [&str; 1] = ["f"];

/// Addresses of link relations that have no short name.
const REL: &str = "http://www.opengis.net/def/rel/ogc/1.0/";

/// The address of the API.
fn base(request: &HttpRequest, door: &Door) -> String {
    format!("{}/ogc", origin(request, door.public_url.as_deref()))
}

fn link(href: &str, rel: &str, media_type: &str, title: &str) -> Json {
    json!({"href": href, "rel": rel, "type": media_type, "title": title})
}

/// Links to a page itself and to its other forms. The address has its query but no `f`.
fn own_links(address: &str, form: Form, offered: &[Form]) -> Vec<Json> {
    let with_form = |name: &str| {
        let joint = if address.contains('?') { '&' } else { '?' };
        format!("{address}{joint}f={name}")
    };
    let of = |other: &Form| {
        let (href, rel) =
            if *other == form { (address.to_owned(), "self") } else { (with_form(other.name), "alternate") };
        link(&href, rel, other.media_type, other.title)
    };
    let mut links: Vec<Json> = offered.iter().filter(|other| **other == form).map(of).collect();
    links.extend(offered.iter().filter(|other| **other != form).map(of));
    links
}

/// A row of links to the other forms of a page, for people.
fn form_links(address: &str, forms: &[Form]) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    let of =
        |form: &Form| format!("<a href=\"{}\">{}</a>", escape(&format!("{address}{joint}f={}", form.name)), form.title);
    format!("<p class=\"forms\">{}</p>", forms.iter().map(of).collect::<String>())
}
