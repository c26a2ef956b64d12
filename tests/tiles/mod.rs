//! Tiles decoded by a second implementation, against their source.

mod areas;
mod budget;
mod clusters;
mod county;
mod decoded;
mod formats;
mod kept;
mod labels;
mod packs;
mod risk_grid;

use serde_json::Value as Json;

use crate::support::Server;

/// The layers of a server, from its description.
fn layers(server: &Server) -> Vec<Json> {
    server.get("/api/layers").json()["layers"].as_array().expect("layers").clone()
}

/// The features of a layer, as GeoJSON.
fn features(server: &Server, layer: &str) -> Vec<Json> {
    let items = server.get(&format!("/ogc/collections/{layer}/items?limit=10000")).json();
    items["features"].as_array().expect("features").clone()
}

#[test]
fn tilejson_describes_the_tiles() {
    let (_folder, server) = Server::of_sample();
    let described = server.get("/tiles/hazards,townships").json();
    assert_eq!(described["tilejson"], "3.0.0");
    let address = described["tiles"][0].as_str().expect("an address");
    assert!(address == format!("{}/tiles/hazards,townships/{{z}}/{{x}}/{{y}}", server.url), "{address}");
    let path = address.replace("{z}", "9").replace("{x}", "425").replace("{y}", "217");
    assert_eq!(server.get(path.trim_start_matches(&server.url)).status, 200);
    let layers: Vec<&Json> = described["vector_layers"].as_array().expect("layers").iter().collect();
    assert_eq!(layers[0]["id"], "hazards");
    assert_eq!(layers[0]["fields"]["risk_level"], "Number");
    assert!(layers[0]["fields"].get("phone").is_none());
}
