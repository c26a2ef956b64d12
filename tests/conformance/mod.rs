//! OGC API conformance, by requirement and with other clients.

pub(crate) mod clients;
mod codelists;
mod features;
mod json_fg;
mod limits;
mod pages;
mod styles;
mod tilesets;

use serde_json::Value as Json;

use crate::support::Server;

/// The link with a relation and optionally a media type.
fn link(document: &Json, rel: &str, media_type: &str) -> String {
    let links = document["links"].as_array().unwrap_or_else(|| panic!("no links: {document}"));
    let found = links.iter().find(|link| {
        link["rel"].as_str().is_some_and(|own| own == rel || own.ends_with(&format!("/{rel}")))
            && link["type"].as_str().is_some_and(|own| own.starts_with(media_type))
    });
    let found = found.unwrap_or_else(|| panic!("no link {rel} {media_type}: {document}"));
    found["href"].as_str().expect("an address").to_owned()
}

/// The path of a URL of the server.
fn path<'a>(server: &Server, address: &'a str) -> &'a str {
    address.strip_prefix(&server.url).unwrap_or_else(|| panic!("{address} is elsewhere"))
}

/// Fetches a document, which must exist.
fn document(server: &Server, path: &str) -> Json {
    let reply = server.get(path);
    assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
    reply.json()
}
