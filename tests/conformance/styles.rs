//! OGC API Styles (draft OGC 20-009), by requirement.

use std::collections::BTreeSet;

use serde_json::json;

use super::{document, link, path};
use crate::support::Server;

const MEDIA_TYPE: &str = "application/vnd.mapbox.style+json";

#[test]
fn the_landing_page_leads_to_every_style() {
    let (_folder, server) = Server::of_sample();
    let landing = document(&server, "/ogc");
    let styles = document(&server, path(&server, &link(&landing, "styles", "application/json")));
    let list = styles["styles"].as_array().expect("styles");
    let ids: BTreeSet<&str> = list.iter().filter_map(|style| style["id"].as_str()).collect();
    assert_eq!(ids.len(), list.len(), "each id once");
    assert!(styles["default"].as_str().is_some_and(|own| ids.contains(own)), "{styles}");
    let collections = document(&server, "/ogc/collections")["collections"].clone();
    let collections = collections.as_array().expect("collections").iter().filter_map(|own| own["id"].as_str());
    let collections: BTreeSet<&str> = collections.chain(["labels", "risk_grid"]).collect();
    for style in list {
        assert!(style["title"].as_str().is_some_and(|title| !title.is_empty()), "{style}");
        let address = link(style, "stylesheet", MEDIA_TYPE);
        let own = path(&server, &address);
        let reply = server.get_with(own, ("Accept", MEDIA_TYPE));
        assert_eq!((reply.status, reply.header("content-type")), (200, MEDIA_TYPE), "{own}");
        assert_eq!(server.get_with(own, ("If-None-Match", reply.header("etag"))).status, 304, "{own}");
        assert_eq!(server.get(&format!("{own}?f=mapbox")).body, reply.body, "{own}");
        // The same style as the viewer's, which names its layers by collections.
        let id = style["id"].as_str().expect("an id");
        assert_eq!(server.get(&format!("/styles/{id}.json")).body, reply.body, "{own}");
        let content = reply.json();
        assert_eq!(content["version"], json!(8), "{own}");
        let layers = content["layers"].as_array().expect("layers");
        let named: BTreeSet<&str> = layers.iter().filter_map(|layer| layer["source-layer"].as_str()).collect();
        assert!(named.len() > 5 && named.is_subset(&collections), "{own}: {named:?}");
    }
    let missing = server.get("/ogc/styles/none");
    assert_eq!((missing.status, &missing.json()["parameter"]), (404, &json!("style")));
    assert_eq!(server.get("/ogc/styles/onemap?f=sld10").status, 400);
    let page = server.get_with("/ogc/styles", ("Accept", "text/html"));
    assert!(String::from_utf8_lossy(&page.body).contains("stylesheet"));
}
