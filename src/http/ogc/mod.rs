//! The OGC API: Features (parts 1 to 5 and sorting) and Tiles, for QGIS, GDAL, ArcGIS, OpenLayers and the like.

pub(crate) mod collections;
pub(crate) mod conformance;
pub(crate) mod edits;
pub(crate) mod items;
pub(crate) mod items_html;
pub(crate) mod items_links;
pub(crate) mod items_params;
pub(crate) mod landing;
pub(crate) mod schemas;

use crate::http::reply::html::escape;
use crate::http::reply::media::MediaType;

/// A row of links to the other forms of a page, for people.
pub(crate) fn form_links(address: &str, forms: &[MediaType]) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    let of = |form: &MediaType| {
        format!("<a href=\"{}\">{}</a>", escape(&format!("{address}{joint}f={}", form.name)), form.title)
    };
    format!("<p class=\"forms\">{}</p>", forms.iter().map(of).collect::<String>())
}
