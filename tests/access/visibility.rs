//! What is hidden from a role influences none of its replies.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{account, get, machine_token, send};
use crate::support::database::fresh_database;
use crate::support::listener::Listener;
use crate::support::{Folder, Server, await_that, encoded};

/// A text in everything that is hidden from the public.
const MARKER: &str = "隐藏标记9174";
const PLACE: [f64; 2] = [118.8623, 26.2214];

/// Requests of every kind: each representation, with orders, filters, pages and places.
fn requests(server: &Server, secret: &str) -> Vec<String> {
    let layers = ["shelters", "water_works", "incidents", "hazards"];
    let mut paths: Vec<String> = Vec::new();
    let description = get(server, secret, "/openapi.json").json();
    let described = description["paths"].as_object().expect("paths");
    for (path, methods) in described {
        if methods.get("get").is_some() && !path.contains('{') && !["/api/events", "/metrics"].contains(&path.as_str())
        {
            paths.push(path.clone());
        }
    }
    for layer in layers {
        let items = format!("/ogc/collections/{layer}/items");
        for form in ["json", "html", "csv", "fgb", "jsonfg", "geojson"] {
            paths.push(format!("{items}?limit=10000&f={form}"));
        }
        for query in [
            "sortby=-name&limit=20",
            "filter=name%20LIKE%20%27%25%E9%9A%90%25%27",
            "bbox=118.86,26.22,118.87,26.23",
            "ids=HID-1",
        ] {
            paths.push(format!("{items}?{query}"));
        }
        paths.push(format!("{items}?q={}", encoded(MARKER)));
        for page in ["", "/queryables", "/schema", "/sortables", "/tiles", "/items/HID-1"] {
            paths.push(format!("/ogc/collections/{layer}{page}"));
        }
    }
    for layer in ["pipelines", "hidden_dangers"] {
        for page in ["", "/items?limit=10000", "/queryables", "/items/HID-1", "/tiles"] {
            paths.push(format!("/ogc/collections/{layer}{page}"));
        }
        paths.push(format!("/tiles/{layer}"));
    }
    let (lon, lat) = (PLACE[0].to_radians(), PLACE[1].to_radians());
    for zoom in [0_i32, 5, 8, 10, 12, 14, 16] {
        let side = f64::from(zoom).exp2();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tile of the place")]
        let (x, y) = (
            ((lon / std::f64::consts::TAU + 0.5) * side) as u32,
            ((0.5 - lat.tan().asinh() / std::f64::consts::TAU) * side) as u32,
        );
        for layers in ["shelters", "incidents", "water_works", "shelters,incidents,hazards"] {
            paths.push(format!("/tiles/{layers}/{zoom}/{x}/{y}"));
        }
        paths.push(format!("/ogc/tiles/WebMercatorQuad/{zoom}/{y}/{x}"));
    }
    let at = format!("{},{}", PLACE[0], PLACE[1]);
    for query in [
        "layer=shelters&k=20",
        "layer=shelters&k=5&explain=true&people=30",
        "layer=shelters&cover=true&people=3000",
        "layer=depots,teams&avoid=any",
    ] {
        paths.push(format!("/api/nearest?point={at}&{query}"));
    }
    for form in ["json", "html", "csv"] {
        paths.push(format!("/api/surroundings?point={at}&radius_m=5000&f={form}"));
    }
    paths.push(format!("/api/search?q={}", encoded(MARKER)));
    paths.push("/api/search?q=HID-1".to_owned());
    paths.push("/styles/onemap.json".to_owned());
    paths.extend(posts().into_iter().map(|(path, _)| format!("POST {path}")));
    paths.push("/api/audits/siting".to_owned());
    paths
}

/// Requests with a body.
fn posts() -> Vec<(&'static str, Json)> {
    let area =
        json!({"type": "Polygon", "coordinates": [[[118.8, 26.2], [118.9, 26.2], [118.9, 26.3], [118.8, 26.2]]]});
    vec![
        ("/api/nearest", json!({"point": PLACE, "layer": ["shelters"], "k": 20})),
        ("/api/surroundings", area),
        ("/api/allocations", json!({"layer": "shelters", "demands": [{"id": "a", "point": PLACE, "amount": 4000}]})),
    ]
}

/// A reply without what tells its time.
fn content(server: &Server, secret: &str, path: &str) -> (u16, Vec<u8>) {
    let post = posts().into_iter().find(|(own, _)| path.strip_prefix("POST ") == Some(own));
    let reply = match post {
        Some((path, body)) => send(server, secret, "POST", path, &body.to_string()),
        None => get(server, secret, path),
    };
    let body = reply.body;
    let Ok(mut json) = serde_json::from_slice::<Json>(&body) else {
        // Pages tell the version and the age.
        let text = String::from_utf8_lossy(&body).into_owned();
        let is_page =
            reply.headers.get("content-type").is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.contains("html")));
        return (reply.status, if is_page { undated(&text).into_bytes() } else { body });
    };
    if let Some(members) = json.as_object_mut() {
        for name in ["data_version", "data_age_s", "timeStamp", "stale"] {
            members.shift_remove(name);
        }
    }
    (reply.status, json.to_string().into_bytes())
}

/// A page without digits.
fn undated(page: &str) -> String {
    page.chars().filter(|own| !own.is_ascii_digit()).collect()
}

/// Adds features, each hidden from the public by another rule.
fn plant(server: &Server, admin: &str) {
    let point = json!({"type": "Point", "coordinates": PLACE});
    let near = json!({"type": "Point", "coordinates": [PLACE[0] + 0.0001, PLACE[1]]});
    let line = json!({"type": "LineString", "coordinates": [PLACE, [118.87, 26.23]]});
    let edits: Vec<Json> = [
        ("shelters", &point, json!({"public": false, "status": "open", "capacity": 5000, "capacity_night": 5000, "occupancy": 0, "promised": 0})),
        ("shelters", &near, json!({"status": "open", "capacity": 5000, "capacity_night": 5000, "occupancy": 0, "promised": 0})),
        ("incidents", &point, json!({"status": "reported", "kind": "flood", "severity": 1, "started_at": "2026-01-01T00:00:00Z"})),
        ("pipelines", &line, json!({"kind": "gas"})),
        ("hidden_dangers", &point, json!({"level": "major"})),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, (layer, geometry, mut properties))| {
        properties["name"] = json!(format!("{MARKER}{number}"));
        let id = if number == 1 { "HID-2" } else { "HID-1" };
        json!({"op": "create", "collection": layer, "feature": {"type": "Feature", "id": id, "geometry": geometry, "properties": properties}})
    })
    .collect();
    let reply = send(server, admin, "POST", "/api/edits", &json!({"edits": edits}).to_string());
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
}

#[test]
fn what_is_hidden_changes_no_reply() {
    let folder = Folder::new();
    let [public, viewer] = ["public", "viewer"].map(|role| account(&folder, role, &["--role", role]));
    let server = Server::start(&folder, &[]);
    let admin = machine_token(&folder);
    let paths = requests(&server, &public);
    assert!(paths.len() > 100);
    let callers = ["", &public];
    let before: Vec<_> =
        callers.map(|secret| paths.iter().map(|path| content(&server, secret, path)).collect::<Vec<_>>()).into();
    let mut events = Listener::open_as(&server, "", &public);
    plant(&server, &admin);
    let mut seen = BTreeSet::new();
    for (caller, before) in callers.iter().zip(&before) {
        for (path, before) in paths.iter().zip(before) {
            let after = content(&server, caller, path);
            assert_eq!(
                (after.0, String::from_utf8_lossy(&after.1)),
                (before.0, String::from_utf8_lossy(&before.1)),
                "{path} changed for {caller:?}"
            );
            let (_, whole) = content(&server, &viewer, path);
            if String::from_utf8_lossy(&whole).contains(MARKER) {
                seen.insert(path.split('?').next().unwrap_or_default().to_owned());
            }
        }
    }
    // The same requests of a viewer find all of it.
    for path in [
        "/ogc/collections/shelters/items",
        "/ogc/collections/incidents/items",
        "/ogc/collections/pipelines/items",
        "/ogc/collections/hidden_dangers/items",
        "/api/search",
        "/api/nearest",
        "POST /api/nearest",
        "POST /api/allocations",
    ] {
        assert!(seen.contains(path), "{path}: {seen:?}");
    }
    assert!(seen.iter().any(|path| path.starts_with("/tiles/shelters/16/")), "{seen:?}");
    // A visible change is the first event: the others were hidden.
    let id = get(&server, &public, "/ogc/collections/shelters/items?limit=1").json()["features"][0]["id"].clone();
    let patch = format!("/ogc/collections/shelters/items/{}", id.as_str().expect("a shelter"));
    assert_eq!(send(&server, &admin, "PATCH", &patch, r#"{"properties": {"occupancy": 1}}"#).status, 204);
    let event = events.change();
    assert_eq!((&event.data["layer"], &event.data["ids"]), (&json!("shelters"), &json!([id])));
    // A feature that becomes public appears, and disappears again.
    let own = "/ogc/collections/shelters/items/HID-1";
    for (is_public, status) in [(true, 200), (false, 404)] {
        let body = json!({"properties": {"public": is_public}}).to_string();
        assert_eq!(send(&server, &admin, "PATCH", own, &body).status, 204);
        await_that("the public sees it", || get(&server, &public, own).status == status);
        let tile = get(
            &server,
            &public,
            &paths.iter().find(|path| path.starts_with("/tiles/shelters/16/")).expect("a tile").clone(),
        );
        assert_eq!(String::from_utf8_lossy(&tile.body).contains(MARKER), is_public);
        assert_eq!(events.change().data["ids"], json!(["HID-1"]));
    }
}

#[test]
fn what_is_hidden_changes_no_tag_over_a_database() {
    let (folder, url) = (Folder::new(), fresh_database());
    let store = ["--store", url.as_str()];
    let [public, admin] =
        ["public", "admin"].map(|role| account(&folder, role, &[&["--role", role][..], &store].concat()));
    let server = Server::start(&folder, &store);
    let paths =
        ["limit=5", "limit=5&f=csv", "sortby=name"].map(|query| format!("/ogc/collections/shelters/items?{query}"));
    let tags = || {
        paths.each_ref().map(|path| {
            let reply = get(&server, &public, path);
            ["etag", "x-onemap-data-version"].map(|name| reply.header(name).to_owned())
        })
    };
    let before = tags();
    assert!(before.iter().flatten().all(|value| !value.is_empty()), "{before:?}");
    plant(&server, &admin);
    assert_eq!(tags(), before);
    let id = get(&server, &public, &paths[0]).json()["features"][0]["id"].clone();
    let patch = format!("/ogc/collections/shelters/items/{}", id.as_str().expect("a shelter"));
    assert_eq!(send(&server, &admin, "PATCH", &patch, r#"{"properties": {"occupancy": 1}}"#).status, 204);
    await_that("a visible change has new tags", || tags().iter().zip(&before).all(|(now, before)| now != before));
}

#[test]
fn a_hidden_field_is_not_in_replies_filters_or_orders() {
    let folder = Folder::new();
    let [public, viewer] = ["public", "viewer"].map(|role| account(&folder, role, &["--role", role]));
    let server = Server::start(&folder, &[]);
    let items = "/ogc/collections/water_works/items";
    for form in ["json", "csv", "html", "jsonfg", "fgb"] {
        let path = format!("{items}?limit=100&f={form}");
        let has = |secret: &str| String::from_utf8_lossy(&get(&server, secret, &path).body).contains("2586000");
        assert!(!has(&public) && (has(&viewer) || form == "html" || form == "fgb"), "{form}");
    }
    for page in ["queryables", "sortables", "schema"] {
        let path = format!("/ogc/collections/water_works/{page}");
        let names = |secret: &str| get(&server, secret, &path).json()["properties"].get("capacity_m3").is_some();
        assert!(!names(&public) && names(&viewer), "{page}");
    }
    for query in ["filter=capacity_m3%20%3E%201", "sortby=capacity_m3", "properties=capacity_m3", "capacity_m3=2586000"]
    {
        let path = format!("{items}?{query}");
        assert_eq!((get(&server, &public, &path).status, get(&server, &viewer, &path).status), (400, 200), "{query}");
    }
    for path in ["/api/layers", "/openapi.json", "/tiles/water_works"] {
        assert!(!String::from_utf8_lossy(&get(&server, &public, path).body).contains("capacity_m3"), "{path}");
    }
    assert_eq!(get(&server, &public, "/metrics").status, 403);
    // Shared caches keep the two apart.
    for secret in [&public, &viewer] {
        assert!(get(&server, secret, items).header("vary").contains("Authorization"));
    }
    let tag = get(&server, &viewer, items).header("etag").to_owned();
    let authorization = format!("Bearer {public}");
    let headers = [("Authorization", authorization.as_str()), ("If-None-Match", tag.as_str())];
    assert_eq!(server.send("GET", items, &headers, "").status, 200);
}
