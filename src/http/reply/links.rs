//! Links between the resources of the OGC API (RFC 8288).

use serde_json::{Value as Json, json};

use crate::http::reply::media::MediaType;

/// URIs of link relations that have no registered short name.
pub(crate) const REL: &str = "http://www.opengis.net/def/rel/ogc/1.0/";

/// Everything but RFC 3986's unreserved characters and commas.
const ESCAPED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',');

/// Percent-encodes everything but RFC 3986's unreserved characters and commas.
pub(crate) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, ESCAPED).to_string()
}

pub(crate) fn link(href: &str, rel: &str, media_type: &str, title: &str) -> Json {
    json!({"href": href, "rel": rel, "type": media_type, "title": title})
}

/// Links to a resource itself and to its other media types. The URL has its query but no `f`.
pub(crate) fn own_links(address: &str, format: MediaType, offered: &[MediaType]) -> Vec<Json> {
    let of = |other: &MediaType| {
        let (href, rel) = if *other == format {
            (address.to_owned(), "self")
        } else {
            (with_format(address, other.name), "alternate")
        };
        link(&href, rel, other.media_type, other.title)
    };
    let mut links: Vec<Json> = offered.iter().filter(|other| **other == format).map(of).collect();
    links.extend(offered.iter().filter(|other| **other != format).map(of));
    links
}

/// A URL with the parameter `f` added to its query.
pub(crate) fn with_format(address: &str, name: &str) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}f={name}")
}

/// Links as the value of the header Link.
pub(crate) fn link_header(links: &[Json]) -> String {
    let text = |link: &Json, name: &str| link[name].as_str().unwrap_or_default().to_owned();
    let of = |link: &Json| {
        format!("<{}>; rel=\"{}\"; type=\"{}\"", text(link, "href"), text(link, "rel"), text(link, "type"))
    };
    links.iter().map(of).collect::<Vec<_>>().join(", ")
}
