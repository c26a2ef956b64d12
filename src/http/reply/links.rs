//! Links between the resources of the OGC API (RFC 8288).

use serde_json::{Value as Json, json};

use crate::http::params::PROFILE;
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

/// The link to a profile of a reply (RFC 6906), by its id in the register of the OGC.
pub(crate) fn profile_link(id: &str) -> Json {
    json!({"href": format!("{PROFILE}{id}"), "rel": "profile", "title": format!("Profile {id}")})
}

/// Links to a resource itself and to its other media types. The URL has its query but no `f`.
pub(crate) fn own_links(address: &str, format: MediaType, offered: &[MediaType]) -> Vec<Json> {
    let of = |other: &MediaType| {
        let rel = if *other == format { "self" } else { "alternate" };
        // The first media type is the reply to the bare address.
        let is_bare = *other == format && offered.first() == Some(other);
        let href = if is_bare { address.to_owned() } else { with_format(address, other.name) };
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
        let media_type = link["type"].as_str().map(|own| format!("; type=\"{own}\"")).unwrap_or_default();
        format!("<{}>; rel=\"{}\"{media_type}", text(link, "href"), text(link, "rel"))
    };
    links.iter().map(of).collect::<Vec<_>>().join(", ")
}
