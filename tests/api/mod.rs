//! Every path: its replies and how it refuses invalid requests.

mod allocations;
mod commitment_failures;
mod commitments;
mod edits;
mod events;
mod filters;
mod glyphs;
mod load;
mod modified;
mod monitoring;
mod night;
mod printed_pages;
mod proxies;
mod statistics;
mod sync;
mod times;
mod watch;

use serde_json::{Value as Json, json};

use crate::support::{Folder, Server};

/// Expects problem details with the parameter, the value and the accepted values.
fn refuses(server: &Server, path: &str, status: u16, parameter: &str, accepted: &str) {
    let reply = server.get(path);
    let body = reply.json();
    assert_eq!(reply.status, status, "{path}: {body}");
    assert_eq!(reply.header("content-type"), "application/problem+json", "{path}");
    assert_eq!(body["status"], json!(status), "{path}");
    for member in ["type", "title", "detail"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{path} lacks {member}: {body}");
    }
    assert_eq!(body["parameter"], json!(parameter), "{path}: {body}");
    assert!(body["accepted"].to_string().contains(accepted), "{path}: {body}");
}

#[test]
fn wrong_input_is_refused_with_the_accepted_values() {
    let (_folder, server) = Server::of_sample();
    for (path, status, parameter, accepted) in [
        ("/api/nearest?point=118.8,26.2&layer=shelter", 404, "layer", "shelters"),
        ("/api/nearest?point=118.8,26.2", 400, "layer", "shelters"),
        ("/api/nearest?layer=shelters", 400, "point", "LON,LAT"),
        ("/api/nearest?point=118.8&layer=shelters", 400, "point", "LON,LAT"),
        ("/api/nearest?point=118.8,95&layer=shelters", 400, "point", "LON,LAT"),
        ("/api/nearest?point=NaN,26&layer=shelters", 400, "point", "LON,LAT"),
        ("/api/nearest?point=1e308,26&layer=shelters", 400, "point", "LON,LAT"),
        ("/api/nearest?point=118.8,26.2&layer=shelters&k=0", 400, "k", "1 to 1000"),
        ("/api/nearest?point=118.8,26.2&layer=shelters&k=10000", 400, "k", "1 to 1000"),
        ("/api/nearest?point=118.8,26.2&layer=shelters&k=many", 400, "k", "1 to 1000"),
        ("/api/nearest?point=118.8,26.2&layer=shelters&k=2&k=3", 400, "k", "once"),
        ("/api/nearest?point=118.8,26.2&layer=shelters&max_distance_m=-1", 400, "max_distance_m", "metres"),
        ("/api/nearest?point=118.8,26.2&layer=shelters&radius=5", 400, "radius", "max_distance_m"),
        ("/ogc/collections/nope", 404, "collection", "hazards"),
        ("/ogc/collections/hazards/items?bbox=1,2,3", 400, "bbox", "WEST,SOUTH"),
        ("/ogc/collections/hazards/items?bbox=118,27,119,26", 400, "bbox", "WEST,SOUTH"),
        ("/ogc/collections/hazards/items?limit=0", 400, "limit", "1 to 10000"),
        ("/ogc/collections/hazards/items?f=dwg", 400, "f", "json"),
        ("/ogc/collections/hazards/items/none", 404, "feature", ""),
        ("/tiles/hazards,nope", 404, "layer", "hazards"),
        ("/tiles/hazards,hazards", 400, "layers", "once"),
        ("/tiles/hazards/40/1/1", 404, "z", "0..=22"),
        ("/tiles/hazards/3/8/1", 404, "x", "0..=7"),
        ("/tiles/hazards/3/1/8", 404, "y", "0..=7"),
        ("/tiles/hazards/3/1/-1", 400, "y", "whole number"),
        ("/tiles/hazards/z/1/1", 400, "z", "whole number"),
        ("/styles/nope.json", 404, "style", "onemap, onemap-dark, onemap-print"),
        ("/nowhere", 404, "path", "/api/nearest"),
    ] {
        refuses(&server, path, status, parameter, accepted);
    }
    let swapped = server.get("/api/nearest?point=26.2,118.8&layer=shelters").json();
    assert!(swapped["detail"].as_str().is_some_and(|text| text.contains("did you mean 118.8,26.2?")), "{swapped}");
}

#[test]
fn an_unknown_layer_is_a_described_refusal() {
    let (_folder, server) = Server::of_sample();
    let body = r#"{"point": [118.8, 26.2], "layer": "nosuch"}"#;
    let reply = server.send("POST", "/api/nearest", &[("Content-Type", "application/json")], body);
    assert_eq!((reply.status, &reply.json()["parameter"]), (404, &json!("layer")));
    let described = server.get("/openapi.json").json();
    for method in ["get", "post"] {
        assert!(described["paths"]["/api/nearest"][method]["responses"]["404"].is_object(), "{method}");
    }
}

#[test]
fn no_input_stops_the_server() {
    let (_folder, server) = Server::of_sample();
    let long = "9".repeat(20_000);
    for path in [
        format!("/api/nearest?point={long}&layer=shelters"),
        "/api/nearest?point=%ff%fe&layer=shelters".to_owned(),
        "/api/nearest?point=,&layer=%00".to_owned(),
        "/ogc/collections/hazards/items/%00".to_owned(),
        "/ogc/collections/hazards/items/%B1%DC".to_owned(),
        "/ogc/collections/hazards/items?bbox=180,-90,-180,90".to_owned(),
        "/tiles/,/0/0/0".to_owned(),
        "/tiles/hazards/4294967296/0/0".to_owned(),
        "/viewer/../../Cargo.toml".to_owned(),
        "/viewer/%2e%2e/%2e%2e/Cargo.toml".to_owned(),
    ] {
        let status = server.get(&path).status;
        assert!(status == 200 || (400..500).contains(&status), "{path}: {status}");
    }
    // GBK, which would name the feature of replacement characters.
    let reply = server.get("/ogc/collections/hazards/items/%B1%DC");
    assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!("path")));
    assert_eq!(server.get("/health/live").status, 200);
}

#[test]
fn an_unsupported_method_is_refused_with_the_allowed_ones() {
    let (_folder, server) = Server::of_sample();
    let reply = ureq::delete(&format!("{}/api/layers", server.url))
        .config()
        .http_status_as_error(false)
        .build()
        .call()
        .expect("an answer");
    assert_eq!(reply.status(), 405);
    assert_eq!(reply.headers()["allow"], "GET, HEAD, OPTIONS");
    let head = ureq::head(&format!("{}/api/layers", server.url)).call().expect("an answer");
    assert_eq!(head.status(), 200);
}

#[test]
fn the_catalog_counts_existing_features() {
    let (_folder, server) = Server::of_sample();
    let catalog = server.get("/api/layers").json();
    let layers = catalog["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 22);
    for layer in layers {
        let id = layer["id"].as_str().expect("an id");
        let items = server.get(&format!("/ogc/collections/{id}/items?limit=1")).json();
        assert_eq!(items["numberMatched"], layer["count"], "{id}");
        let fields = layer["fields"].to_string();
        for sensitive in ["\"phone\"", "\"contact\"", "\"grid_officer\"", "\"commander\"", "\"reporter\""] {
            assert!(!fields.contains(sensitive), "{id} shows {sensitive}");
        }
    }
    assert_eq!(catalog["codes"]["category"].as_array().map(Vec::len), Some(47));
    assert_eq!(
        catalog["codes"]["risk_level"][0],
        json!({"code": 1, "zh": "重大风险", "en": "Major", "color": "#d7263d"})
    );
}

#[test]
fn pages_hold_each_feature_once_in_order() {
    let (_folder, server) = Server::of_sample();
    for query in ["limit=100", "limit=37&bbox=118.6,26.0,118.9,26.3"] {
        let mut path = format!("/ogc/collections/hazards/items?{query}");
        let mut ids: Vec<String> = Vec::new();
        let matched = loop {
            let page = server.get(&path).json();
            let features = page["features"].as_array().expect("features");
            assert_eq!(page["numberReturned"], json!(features.len()));
            ids.extend(features.iter().map(|feature| feature["id"].as_str().expect("an id").to_owned()));
            let next = page["links"].as_array().expect("links").iter().find(|link| link["rel"] == "next");
            let Some(next) = next else { break page["numberMatched"].clone() };
            path = next["href"].as_str().expect("an address").trim_start_matches(&server.url).to_owned();
        };
        assert_eq!(json!(ids.len()), matched, "{query}");
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{query}: not in order of id");
    }
}

#[test]
fn a_box_over_the_antimeridian_finds_both_sides() {
    let folder = Folder::new();
    let point = |id: &str, lon: f64| json!({"type": "Feature", "id": id, "properties": {"name": id}, "geometry": {"type": "Point", "coordinates": [lon, 10.0]}});
    let line = json!({"type": "Feature", "id": "line", "properties": {"name": "line"}, "geometry":
        {"type": "MultiLineString", "coordinates": [[[179.0, 10.0], [180.0, 10.0]], [[-180.0, 10.0], [-179.0, 10.0]]]}});
    let points = json!({"type": "FeatureCollection", "features": [point("west", -179.5), point("east", 179.5), point("far", 0.0)]});
    folder.write("points.geojson", points.to_string());
    folder.write("line.geojson", line.to_string());
    crate::support::run_well(&folder, &["import", "points.geojson", "--layer", "stations", "--anywhere"]);
    crate::support::run_well(&folder, &["import", "line.geojson", "--layer", "roads", "--anywhere"]);
    let server = Server::start(&folder, &[]);
    for (layer, expected) in [("stations", json!(["east", "west"])), ("roads", json!(["line"]))] {
        let found = server.get(&format!("/ogc/collections/{layer}/items?bbox=179,0,-179,20")).json();
        let ids: Vec<Json> = found["features"].as_array().expect("features").iter().map(|f| f["id"].clone()).collect();
        assert_eq!(json!(ids), expected, "{layer}");
    }
}

#[test]
fn every_reply_has_its_version_and_age() {
    let (_folder, server) = Server::of_sample();
    for path in [
        "/api/layers",
        "/api/nearest?point=118.86,26.22&layer=teams",
        "/ogc/collections",
        "/ogc/collections/teams/items",
        "/health/ready",
        "/tiles/teams",
    ] {
        let body = server.get(path).json();
        assert!(body["data_version"].as_str().is_some_and(|version| version.parse::<i64>().is_ok()), "{path}: {body}");
        assert!(body["data_age_s"].as_f64().is_some_and(|age| age < 3.0), "{path}: {body}");
        assert_eq!(body["stale"], json!(false), "{path}");
    }
}

#[test]
fn a_known_tile_is_not_sent_again() {
    let (_folder, server) = Server::of_sample();
    let path = "/tiles/hazards,shelters/10/850/435";
    let tile = server.get(path);
    assert_eq!((tile.status, tile.header("content-type")), (200, "application/vnd.mapbox-vector-tile"));
    let tag = tile.header("etag").to_owned();
    assert_eq!(server.get_with(path, ("If-None-Match", &tag)).status, 304);
    assert_eq!(server.get(path).body, tile.body, "the same data gives the same bytes");
    assert_eq!(server.get("/tiles/hazards/10/1/1").status, 204);
}

#[test]
fn compressed_replies_have_the_same_content() {
    let (_folder, server) = Server::of_sample();
    let plain = server.get("/api/layers");
    let packed = server.get_with("/api/layers", ("Accept-Encoding", "gzip"));
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() * 3 < plain.body.len(), "{} against {}", packed.body.len(), plain.body.len());
}

#[test]
fn metrics_count_requests_and_tell_the_state_of_the_data() {
    let (folder, server) = Server::of_sample();
    for _ in 0..3 {
        server.get("/api/nearest?point=118.86,26.22&layer=shelters");
    }
    server.get("/api/nearest?point=nowhere&layer=shelters");
    let metrics = || String::from_utf8(server.get("/metrics").body).expect("text");
    let text = metrics();
    for line in [
        "onemap_requests_total{endpoint=\"getNearest\",status=\"2xx\"} 3",
        "onemap_requests_total{endpoint=\"getNearest\",status=\"4xx\"} 1",
        "onemap_request_duration_seconds_count{endpoint=\"getNearest\"} 4",
        "onemap_data_stale 0",
        "onemap_layer_unavailable{layer=\"shelters\"} 0",
        "onemap_layer_read_warnings{layer=\"shelters\"} 0",
    ] {
        assert!(text.lines().any(|own| own == line), "{line} is missing:\n{text}");
    }
    let shelters = server.get("/ogc/collections/shelters/items?limit=1").json()["numberMatched"].clone();
    assert!(text.contains(&format!("onemap_features{{layer=\"shelters\"}} {shelters}\n")), "{text}");
    assert!(text.contains("process_resident_memory_bytes "), "{text}");
    assert!(server.get("/metrics").header("content-type").starts_with("text/plain; version=0.0.4"));
    crate::support::listener::edit(&folder.file("onemap.gpkg"), "ALTER TABLE shelters RENAME TO away");
    crate::support::await_that("the layer is unavailable", || {
        metrics().contains("onemap_layer_unavailable{layer=\"shelters\"} 1")
    });
}

#[test]
fn requests_have_an_id_and_are_logged_without_the_place_that_they_ask_for() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--access-log"]);
    let path = "/api/nearest?point=118.8612,26.2234&layer=shelters";
    let generated = server.get(path);
    assert_eq!(generated.header("x-request-id").len(), 16);
    assert_ne!(generated.header("x-request-id"), server.get(path).header("x-request-id"));
    let given = server.get_with(path, ("X-Request-Id", "gateway-7f.3"));
    assert_eq!(given.header("x-request-id"), "gateway-7f.3");
    let too_long = "x".repeat(200);
    for odd in ["a b", "<script>", too_long.as_str()] {
        assert_eq!(server.get_with(path, ("X-Request-Id", odd)).header("x-request-id").len(), 16, "{odd}");
    }
    assert_eq!(server.get("/nothing").header("x-request-id").len(), 16);
    let line = crate::support::until("the log", || {
        let log = server.log();
        log.lines().find(|line| line.contains("gateway-7f.3")).map(str::to_owned)
    });
    let fields = serde_json::from_str::<Json>(&line).expect("JSON")["fields"].clone();
    assert_eq!((fields["method"].clone(), fields["path"].clone()), (json!("GET"), json!("/api/nearest")), "{line}");
    assert_eq!((fields["status"].clone(), fields["client"].clone()), (json!(200), json!("127.0.0.1")), "{line}");
    assert!(fields["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
    assert!(!server.log().contains("118.8612"), "{}", server.log());
    for name in ["referrer-policy", "permissions-policy", "x-content-type-options"] {
        assert!(!given.header(name).is_empty(), "{name}");
    }
    let (_quiet_folder, quiet) = Server::of_sample();
    assert_eq!(quiet.get(path).status, 200);
    assert!(!quiet.log().contains("/api/nearest"), "{}", quiet.log());
}
