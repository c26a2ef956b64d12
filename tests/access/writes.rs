//! What an account writes: its layers, its divisions, and nothing that it does not see.

use serde_json::{Value as Json, json};

use super::{account, get, machine_token, send};
use crate::support::{Folder, Reply, Server};

const SHELTERS: &str = "/ogc/collections/shelters/items";

fn status(server: &Server, secret: &str, id: &str, patch: &Json) -> Reply {
    let body = json!({"properties": patch}).to_string();
    send(server, secret, "PATCH", &format!("{SHELTERS}/{id}"), &body)
}

/// The first shelter of a township.
fn shelter_in(server: &Server, secret: &str, township: &str) -> String {
    let path = format!("{SHELTERS}?limit=1&filter=region_code%20LIKE%20%27{township}%25%27");
    get(server, secret, &path).json()["features"][0]["id"].as_str().expect("a shelter").to_owned()
}

#[test]
fn a_township_edits_its_own_shelters_only() {
    let folder = Folder::new();
    let arguments = ["--role", "editor", "--layer", "shelters", "--region", "350124101000"];
    let township = account(&folder, "梅溪镇", &arguments);
    let county = account(&folder, "县局", &["--role", "editor"]);
    let server = Server::start(&folder, &[]);
    let (own, other) = (shelter_in(&server, &county, "350124101"), shelter_in(&server, &county, "350124102"));
    let session = get(&server, &township, "/api/session").json();
    assert_eq!((&session["writable_layers"], &session["regions"]), (&json!(["shelters"]), &json!(["350124101000"])));
    assert_eq!(status(&server, &township, &own, &json!({"status": "full"})).status, 204);
    assert_eq!(get(&server, &township, &format!("{SHELTERS}/{own}")).json()["properties"]["status"], "full");
    let before = get(&server, &county, &format!("{SHELTERS}/{other}")).header("etag").to_owned();
    let out = "urn:problem-type:onemap:out-of-scope";
    for (method, path, body) in [
        ("PATCH", format!("{SHELTERS}/{other}"), json!({"properties": {"status": "full"}})),
        ("DELETE", format!("{SHELTERS}/{other}"), json!({})),
        // Neither taken out of the division nor into it.
        ("PATCH", format!("{SHELTERS}/{own}"), json!({"properties": {"region_code": "350124102001"}})),
        ("PATCH", format!("{SHELTERS}/{own}"), json!({"properties": {"region_code": null}})),
        ("PATCH", format!("{SHELTERS}/{other}"), json!({"properties": {"region_code": "350124101001"}})),
        ("POST", SHELTERS.to_owned(), shelter("350124102001")),
        ("PATCH", "/ogc/collections/teams/items/TM-001".to_owned(), json!({"properties": {"status": "out"}})),
    ] {
        let reply = send(&server, &township, method, &path, &body.to_string());
        assert_eq!((reply.status, &reply.json()["type"]), (403, &json!(out)), "{method} {path} {body}");
    }
    let batch = json!({"edits": [
        {"op": "patch", "collection": "shelters", "id": own, "feature": {"properties": {"status": "open"}}},
        {"op": "patch", "collection": "shelters", "id": other, "feature": {"properties": {"status": "open"}}},
    ]});
    let reply = send(&server, &township, "POST", "/api/edits", &batch.to_string());
    assert_eq!((reply.status, &reply.json()["edit"]), (403, &json!(1)));
    assert_eq!(get(&server, &county, &format!("{SHELTERS}/{own}")).json()["properties"]["status"], "full");
    assert_eq!(get(&server, &county, &format!("{SHELTERS}/{other}")).header("etag"), before);
    let created = send(&server, &township, "POST", SHELTERS, &shelter("350124101001").to_string());
    assert_eq!(created.status, 201);
}

fn shelter(division: &str) -> Json {
    json!({
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [118.8, 26.2]},
        "properties": {"name": "新避灾点", "status": "open", "capacity": 20, "region_code": division},
    })
}

#[test]
fn a_role_writes_what_the_rules_say() {
    let folder = Folder::new();
    let secret = |role: &str| account(&folder, role, &["--role", role]);
    let [public, viewer, editor, dispatcher, admin] = ["public", "viewer", "editor", "dispatcher", "admin"].map(secret);
    let server = Server::start(&folder, &[]);
    let id = shelter_in(&server, &viewer, "350124100");
    let village = get(&server, &viewer, "/ogc/collections/villages/items?limit=1").json()["features"][0]["id"].clone();
    let village = format!("/ogc/collections/villages/items/{}", village.as_str().expect("a village"));
    let of_village =
        |secret: &str| send(&server, secret, "PATCH", &village, r#"{"properties": {"households": 7}}"#).status;
    let of_shelter = |secret: &str| status(&server, secret, &id, &json!({"occupancy": 1})).status;
    let found: Vec<_> = [&public, &viewer, &editor, &dispatcher, &admin, &machine_token(&folder)]
        .map(|secret| (of_shelter(secret), of_village(secret)))
        .into();
    assert_eq!(found, [(403, 403), (403, 403), (204, 204), (204, 403), (204, 204), (204, 204)]);
    assert_eq!(of_shelter(""), 401);
    let refused = status(&server, &viewer, &id, &json!({"occupancy": 1})).json();
    assert_eq!((&refused["value"], &refused["accepted"]), (&json!("viewer"), &json!("editor")));
}

#[test]
fn hidden_parts_are_neither_written_nor_lost() {
    let folder = Folder::new();
    let catalog = std::fs::read_to_string(crate::support::project().join("data/catalog.json")).expect("the catalog");
    let rules = r#"{"fields": {"capacity_m3": "dispatcher"}, "rows": {"editor": "kind <> 'dam'"}}"#;
    let catalog = catalog.replace(r#"{"fields": {"capacity_m3": "viewer"}}"#, rules);
    let catalog = catalog.replacen(r#""access": {"read": "viewer"}"#, r#""access": {"read": "dispatcher"}"#, 1);
    folder.write("catalog.json", catalog);
    folder.write("onemap.toml", "catalog = \"catalog.json\"\n");
    let editor = account(&folder, "县局", &["--role", "editor"]);
    let server = Server::start(&folder, &[]);
    let admin = machine_token(&folder);
    let works = "/ogc/collections/water_works/items";
    let work = |kind: &str, volume: f64| {
        json!({"type": "Feature", "id": kind, "geometry": {"type": "Point", "coordinates": [118.8, 26.2]},
            "properties": {"name": kind, "kind": kind, "capacity_m3": volume}})
    };
    for kind in ["dam", "dike"] {
        assert_eq!(send(&server, &admin, "POST", works, &work(kind, 5.0).to_string()).status, 201);
    }
    let dike = format!("{works}/dike");
    assert!(get(&server, &editor, &dike).json()["properties"].get("capacity_m3").is_none());
    // A replacement keeps the value that the editor does not see.
    let replaced = json!({"type": "Feature", "geometry": null, "properties": {"name": "堤", "kind": "dike"}});
    assert_eq!(send(&server, &editor, "PUT", &dike, &replaced.to_string()).status, 204);
    let now = get(&server, &admin, &dike).json();
    assert_eq!((&now["properties"]["capacity_m3"], &now["properties"]["name"]), (&json!(5.0), &json!("堤")));
    let reply = send(&server, &editor, "PATCH", &dike, r#"{"properties": {"capacity_m3": 9.0}}"#);
    assert_eq!((reply.status, &reply.json()["value"]), (403, &json!("capacity_m3")));
    // A hidden feature does not exist.
    for (method, body) in [("PATCH", r#"{"properties": {"name": "x"}}"#), ("DELETE", "")] {
        assert_eq!(send(&server, &editor, method, &format!("{works}/dam"), body).status, 404);
    }
    assert_eq!(get(&server, &admin, &format!("{works}/dam")).status, 200);
    // Of layers, the metrics tell those that the caller sees, whoever asked before.
    let tells = |secret: &str, layer: &str| {
        let metrics = String::from_utf8(get(&server, secret, "/metrics").body).expect("text");
        metrics.contains(&format!("onemap_features{{layer=\"{layer}\"}}"))
    };
    for (secret, layer, is_told) in [
        (&admin, "pipelines", true),
        (&editor, "pipelines", false),
        (&editor, "shelters", true),
        (&admin, "pipelines", true),
    ] {
        assert_eq!(tells(secret, layer), is_told, "{layer}");
    }
}
