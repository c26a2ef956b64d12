//! Edits: a successful edit is committed, visible and applied once; errors name the cause.

use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::proxy::Proxy;
use crate::support::{Folder, Reply, Server};

/// A server and its token.
pub(super) struct Writer {
    folder: Folder,
    pub(super) server: Server,
    authorization: String,
}

impl Writer {
    pub(super) fn of_sample() -> Self {
        let (folder, server) = Server::of_sample();
        Self::new(folder, server, "onemap.gpkg.token")
    }

    fn over_postgis() -> Self {
        Self::of_database(&fresh_database())
    }

    /// A server with a configuration, over a GeoPackage or a database.
    pub(super) fn configured(config: &str, database: Option<&str>) -> Self {
        let folder = Folder::new();
        folder.write("onemap.toml", config);
        let store = database.map_or_else(Vec::new, |url| vec!["--store", url]);
        let server = Server::start(&folder, &store);
        Self::new(folder, server, if database.is_some() { "onemap.token" } else { "onemap.gpkg.token" })
    }

    pub(super) fn of_database(url: &str) -> Self {
        let folder = Folder::new();
        let server = Server::start(&folder, &["--store", url]);
        Self::new(folder, server, "onemap.token")
    }

    fn new(folder: Folder, server: Server, file: &str) -> Self {
        let token = std::fs::read_to_string(folder.file(file)).expect("a token");
        Self { folder, server, authorization: format!("Bearer {}", token.trim()) }
    }

    pub(super) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Json) -> Reply {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let own = [("Authorization", self.authorization.as_str()), ("Content-Type", kind)];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.server.send(method, path, &[&own[..], headers].concat(), &body)
    }

    /// Sends a body that need not be JSON.
    pub(super) fn send_text(&self, method: &str, path: &str, body: &str) -> Reply {
        let own = [("Authorization", self.authorization.as_str()), ("Content-Type", "application/json")];
        self.server.send(method, path, &own, body)
    }

    /// Sends JSON to a server that may be killed meanwhile.
    pub(super) fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Json) -> Option<Reply> {
        let own = [("Authorization", self.authorization.as_str()), ("Content-Type", "application/json")];
        self.server.try_send(method, path, &[&own[..], headers].concat(), &body.to_string())
    }

    pub(super) fn etag(&self, path: &str) -> String {
        self.server.get(path).header("etag").to_owned()
    }
}

pub(super) const ITEMS: &str = "/ogc/collections/shelters/items";

pub(super) fn shelter(id: &str, capacity: i64) -> Json {
    json!({"type": "Feature", "id": id, "geometry": {"type": "Point", "coordinates": [118.7012, 26.3345]},
        "properties": {"name": "新避灾点", "status": "open", "capacity": capacity, "phone": "13800001234"}})
}

pub(super) fn both(check: impl Fn(&Writer)) {
    check(&Writer::of_sample());
    check(&Writer::over_postgis());
}

#[test]
fn created_changed_and_deleted_features_are_visible_at_once() {
    both(|writer| {
        let made = writer.send("POST", ITEMS, &[], &shelter("X-1", 120));
        assert_eq!((made.status, made.json()), (201, json!({"id": "X-1"})), "{:?}", made.json());
        let own = format!("{ITEMS}/X-1");
        assert!(made.header("location").ends_with(&own));
        assert_eq!(made.header("x-onemap-snapshot"), "", "the snapshot was updated in time");
        // Without waiting: an acknowledged edit is visible at once.
        let item = writer.server.get(&own);
        assert_eq!(item.header("etag"), made.header("etag"));
        assert_eq!(item.json()["properties"]["version"], 1);
        assert_eq!(item.json()["properties"]["phone"], Json::Null, "it is sensitive");
        let nearest = || writer.server.get("/api/nearest?point=118.7012,26.3345&layer=shelters&k=1&status=any").json();
        assert_eq!(nearest()["features"][0]["id"], "X-1");
        let tile = || writer.server.get("/tiles/shelters/14/13594/6948").body;
        let with = tile();

        let mut moved = shelter("X-1", 90);
        moved["geometry"]["coordinates"] = json!([118.9, 26.0]);
        moved["properties"].as_object_mut().expect("properties").remove("phone");
        assert_eq!(writer.send("PUT", &own, &[], &moved).status, 204);
        assert_ne!(nearest()["features"][0]["id"], "X-1");
        assert_ne!(tile(), with);
        let item = writer.server.get(&own).json();
        assert_eq!((&item["properties"]["capacity"], &item["properties"]["version"]), (&json!(90), &json!(2)));

        let patch = json!({"properties": {"status": "full", "capacity": null}});
        let patched = writer.send("PATCH", &own, &[], &patch);
        assert_eq!(patched.status, 204);
        assert_eq!(patched.header("etag"), writer.etag(&own));
        let item = writer.server.get(&own).json();
        assert_eq!((&item["properties"]["status"], &item["properties"]["name"]), (&json!("full"), &json!("新避灾点")));
        assert_eq!(item["properties"]["capacity"], Json::Null);
        assert_eq!(writer.server.get_with(&own, ("If-None-Match", patched.header("etag"))).status, 304);

        assert_eq!(writer.send("DELETE", &own, &[], &Json::Null).status, 204);
        assert_eq!(writer.server.get(&own).status, 404);
        assert_eq!(writer.send("DELETE", &own, &[], &Json::Null).status, 404);
        assert_eq!(writer.send("POST", ITEMS, &[], &shelter("X-1", 1)).status, 201, "the same request again");
    });
}

#[test]
fn a_stock_list_has_the_same_tag_before_and_after_the_store() {
    both(|writer| {
        let stock = json!([{"unit": "顶", "item_code": "1010101", "quantity": 10.0, "name": "帐篷", "promised": 1e1}]);
        let depot = json!({"geometry": null, "properties": {"name": "库", "stock": stock}});
        let made = writer.send("POST", "/ogc/collections/depots/items", &[], &depot);
        assert_eq!(made.status, 201, "{:?}", made.json());
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let own = format!("/ogc/collections/depots/items/{id}");
        assert_eq!(writer.etag(&own), made.header("etag"));
        let known = ("If-Match", made.header("etag"));
        assert_eq!(writer.send("PATCH", &own, &[known], &json!({"properties": {"name": "仓"}})).status, 204);
    });
}

#[test]
fn every_character_of_an_id_can_be_in_an_address() {
    both(|writer| {
        for id in ["a/b", "50%", "%41", "a+b c", "避灾点?#1"] {
            let made = writer.send("POST", ITEMS, &[], &shelter(id, 1));
            assert_eq!(made.status, 201, "{id}: {}", made.json());
            let own = made.header("location").trim_start_matches(&writer.server.url).to_owned();
            assert_eq!(writer.server.get(&own).json()["id"], id, "{own}");
            let edit = json!({"properties": {"capacity": 2}});
            assert_eq!(writer.send("PATCH", &own, &[], &edit).status, 204, "{own}");
            assert_eq!(writer.send("DELETE", &own, &[], &Json::Null).status, 204, "{own}");
        }
    });
}

#[test]
fn the_second_of_two_conflicting_edits_is_refused() {
    both(|writer| {
        let own = format!("{ITEMS}/SH-0001");
        let seen = writer.etag(&own);
        let put = |capacity| {
            let status = || writer.send("PUT", &own, &[("If-Match", &seen)], &shelter("SH-0001", capacity)).status;
            status()
        };
        let mut answers = std::thread::scope(|scope| {
            let writers: Vec<_> = (1..=4).map(|n| scope.spawn(move || put(n))).collect();
            writers.into_iter().map(|writer| writer.join().expect("an answer")).collect::<Vec<u16>>()
        });
        answers.sort_unstable();
        assert_eq!(answers, [204, 412, 412, 412]);
        let refused = writer.send("DELETE", &own, &[("If-Match", &seen)], &Json::Null);
        assert_eq!((refused.status, refused.json()["parameter"].clone()), (412, json!("If-Match")));
        assert_eq!(refused.json()["accepted"], writer.etag(&own));
        assert_eq!(writer.send("DELETE", &own, &[("If-Match", "\"of another server\"")], &Json::Null).status, 412);
        let current = format!("\"{}\", {}", "0".repeat(32), writer.etag(&own));
        let refused = writer.send("DELETE", &own, &[("If-None-Match", &current)], &Json::Null);
        assert_eq!(
            (refused.status, refused.json()["type"].as_str()),
            (412, Some("urn:problem-type:onemap:precondition-failed"))
        );
        assert_eq!(writer.send("PUT", &own, &[("If-None-Match", &seen)], &shelter("SH-0001", 9)).status, 204);
        assert_eq!(writer.send("DELETE", &own, &[("If-Match", "*")], &Json::Null).status, 204);
    });
}

#[test]
fn a_request_repeated_with_its_key_is_applied_once() {
    both(|writer| {
        let mut feature = shelter("", 10);
        feature.as_object_mut().expect("a feature").remove("id");
        let key = ("Idempotency-Key", "a1b2-晚".trim_end_matches('晚'));
        let ids = std::thread::scope(|scope| {
            let post = || writer.send("POST", ITEMS, &[key], &feature);
            let posts: Vec<_> = (0..8).map(|_| scope.spawn(post)).collect();
            posts
                .into_iter()
                .map(|post| post.join().expect("an answer"))
                .map(|made| (made.status, made.json()["id"].clone()))
                .collect::<Vec<_>>()
        });
        assert!(ids.iter().all(|answer| answer == &ids[0] && answer.0 == 201), "{ids:?}");
        let count = writer.server.get(&format!("{ITEMS}?limit=10000")).json();
        let named = count["features"]
            .as_array()
            .expect("features")
            .iter()
            .filter(|one| one["properties"]["name"] == "新避灾点");
        assert_eq!(named.count(), 1);
        let other = writer.send("POST", ITEMS, &[key], &shelter("X-2", 10));
        assert_eq!((other.status, other.json()["parameter"].clone()), (422, json!("Idempotency-Key")));
    });
}

#[test]
fn keys_of_an_earlier_version_are_still_recognised() {
    let key = [("Idempotency-Key", "before-the-upgrade")];
    let repeat = |writer: Writer, store: &str, token: &str, to_earlier: &dyn Fn(&Folder)| {
        let first = writer.send("POST", ITEMS, &key, &shelter("X-1", 10));
        assert_eq!(first.status, 201);
        let Writer { folder, server, .. } = writer;
        assert_eq!(server.stop(), Some(0));
        to_earlier(&folder);
        let server = Server::start(&folder, &["--store", store]);
        let again = Writer::new(folder, server, token).send("POST", ITEMS, &key, &shelter("X-1", 10));
        assert_eq!((again.status, again.json()), (201, first.json()));
    };
    repeat(Writer::of_sample(), "onemap.gpkg", "onemap.gpkg.token", &|folder| {
        crate::support::listener::edit(
            &folder.file("onemap.gpkg"),
            "ALTER TABLE onemap_idempotency_keys RENAME TO onemap_done; \
             ALTER TABLE onemap_done RENAME COLUMN created_at TO done_at",
        );
    });
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    repeat(Writer::new(folder, server, "onemap.token"), &url, "onemap.token", &|_| {
        psql(
            &url,
            "ALTER TABLE onemap.idempotency_keys RENAME TO done; ALTER TABLE onemap.done RENAME created_at TO done_at; \
             ALTER INDEX onemap.idempotency_keys_pkey RENAME TO done_pkey; \
             ALTER INDEX onemap.idempotency_keys_created_at RENAME TO done_at; \
             DROP TABLE onemap.audit, onemap.imports, onemap.import_rows; \
             ALTER TABLE onemap.trimmed DROP COLUMN entries, DROP COLUMN digest; DELETE FROM onemap.migrations WHERE step >= 5",
        );
    });
}

#[test]
fn a_batch_is_atomic() {
    both(|writer| {
        let edit = |op: &str, id: &str| json!({"op": op, "collection": "shelters", "id": id});
        let create = |id: &str| json!({"op": "create", "collection": "shelters", "feature": shelter(id, 5)});
        let good = json!({"edits": [create("B-1"), create("B-2"), edit("delete", "SH-0002"), edit("delete", "B-1")]});
        let done = writer.send("POST", "/api/edits", &[], &good);
        assert_eq!(done.status, 200, "{:?}", done.json());
        assert_eq!(done.json()["edits"][2], json!({"collection": "shelters", "id": "SH-0002", "etag": null}));
        assert_eq!(done.json()["edits"][1]["etag"], writer.etag(&format!("{ITEMS}/B-2")));
        let status = |id: &str| writer.server.get(&format!("{ITEMS}/{id}")).status;
        assert_eq!((status("B-1"), status("B-2"), status("SH-0002")), (404, 200, 404));

        for (last, expected) in [(edit("delete", "nobody"), 404), (create("B-2"), 409), (edit("merge", "x"), 400)] {
            let bad = json!({"edits": [create("B-3"), last]});
            let refused = writer.send("POST", "/api/edits", &[], &bad);
            assert_eq!(refused.status, expected, "{:?}", refused.json());
            assert!(expected == 400 || refused.json()["edit"] == 1);
            assert_eq!(status("B-3"), 404);
        }
    });
}

#[test]
fn distant_positions_and_people_over_capacity_are_refused() {
    let writer = Writer::of_sample();
    let own = format!("{ITEMS}/SH-0001");
    // A feature as another server returns it, with additional members.
    let mut foreign = shelter("X-1", 5);
    foreign["geometry"]["coordinates"] = json!([26.22, 18.86]);
    foreign["conformsTo"] = json!(["http://www.opengis.net/spec/json-fg-1/0.2/conf/core"]);
    foreign["place"] = Json::Null;
    let anywhere = [("Onemap-Anywhere", "true")];
    assert_eq!(writer.send("POST", ITEMS, &anywhere, &foreign).status, 201);
    assert_eq!(writer.send("POST", ITEMS, &[("Onemap-Anywhere", "yes")], &foreign).status, 400);
    let moved = json!({"geometry": {"type": "Point", "coordinates": [0, 0]}});
    let patch = ("Content-Type", "application/merge-patch+json");
    let bearer = ("Authorization", writer.authorization.as_str());
    assert_eq!(writer.server.send("PATCH", &own, &[bearer, patch], &moved.to_string()).status, 422);
    let edit = json!({"edits": [{"op": "patch", "collection": "shelters", "id": "SH-0001", "feature": moved}]});
    let refused = writer.send("POST", "/api/edits", &[], &edit);
    assert_eq!((refused.status, &refused.json()["edit"]), (422, &json!(0)));
    // People over capacity, in one request and over two.
    let capacity =
        |body: Json| writer.server.send("PATCH", &own, &[bearer, patch], &json!({"properties": body}).to_string());
    assert_eq!(capacity(json!({"capacity": 50, "occupancy": 20, "promised": 10})).status, 204);
    for over in [json!({"promised": 51}), json!({"occupancy": 51}), json!({"capacity": 19})] {
        let refused = capacity(over);
        let problem = refused.json();
        assert_eq!(
            (refused.status, &problem["type"]),
            (422, &json!("urn:problem-type:onemap:over-capacity")),
            "{problem}"
        );
        assert!(problem["accepted"].as_str().is_some_and(|own| own.starts_with("up to")), "{problem}");
    }
    assert_eq!(capacity(json!({"capacity": null})).status, 204);
    assert_eq!(capacity(json!({"promised": 51})).status, 204);
}

#[test]
fn invalid_features_are_refused_with_the_accepted_values() {
    let writer = Writer::of_sample();
    let with = |pointer: &str, value: Json| {
        let mut feature = shelter("X-1", 5);
        *feature.pointer_mut(pointer).expect("a place") = value;
        feature
    };
    let bow = json!({"type": "Polygon", "coordinates": [[[118, 26], [119, 27], [119, 26], [118, 27], [118, 26]]]});
    let mut unknown = shelter("X-1", 5);
    unknown["properties"]["capcity"] = json!(5);
    for (collection, feature, parameter, accepted) in [
        ("shelters", with("/properties/capacity", json!("many")), "/properties/capacity", "integer, at least 0"),
        ("shelters", with("/properties/capacity", json!(-1)), "/properties/capacity", "at least 0"),
        ("shelters", with("/properties/status", json!("shut")), "/properties/status", "standby"),
        ("shelters", with("/geometry/coordinates", json!([118, 95])), "/geometry", "point"),
        ("shelters", with("/geometry", bow.clone()), "/geometry", "point"),
        ("shelters", with("/id", json!("")), "/id", "1 to 200 bytes"),
        ("shelters", with("/type", json!("Point")), "/type", "Feature"),
        ("shelters", unknown, "/properties/capcity", "capacity"),
        ("risk_zones", json!({"geometry": bow}), "/geometry", "polygon"),
        ("shelters", json!([1]), "", "a GeoJSON Feature"),
        ("shelters", json!({"propertys": {}}), "", "properties"),
        ("shelters", with("/geometry/coordinates", json!([0, 0])), "/geometry", "Onemap-Anywhere: true"),
        ("shelters", with("/geometry/coordinates", json!([26.22, 18.86])), "/geometry", "118.51,25.92"),
    ] {
        let refused = writer.send("POST", &format!("/ogc/collections/{collection}/items"), &[], &feature);
        let problem = refused.json();
        assert_eq!((refused.status, &problem["parameter"]), (422, &json!(parameter)), "{problem}");
        assert!(problem["accepted"].as_str().is_some_and(|own| own.contains(accepted)), "{problem}");
        assert!(problem["value"].is_string(), "{problem}");
    }
    let own = format!("{ITEMS}/SH-0001");
    for (method, path, headers, body, expected) in [
        ("POST", "/ogc/collections/nothing/items", vec![], shelter("X", 1), 404),
        ("PUT", &*format!("{ITEMS}/nobody"), vec![], shelter("nobody", 1), 404),
        ("PUT", &*own, vec![], shelter("another", 1), 422),
        ("PUT", &*own, vec![("If-Match", "\"a\", \"b\"")], shelter("SH-0001", 1), 412),
        ("PUT", &*own, vec![("If-None-Match", "*")], shelter("SH-0001", 1), 412),
        ("PUT", &*format!("{ITEMS}/nobody"), vec![("If-Match", "*")], shelter("nobody", 1), 412),
        ("POST", ITEMS, vec![("Content-Type", "text/plain")], shelter("X", 1), 415),
        ("POST", ITEMS, vec![("Idempotency-Key", "a b")], shelter("X", 1), 400),
        ("POST", "/api/edits", vec![], json!({"edits": []}), 400),
        ("DELETE", ITEMS, vec![], Json::Null, 405),
        ("POST", &*own, vec![], shelter("SH-0001", 1), 405),
        ("POST", "/api/layers", vec![], Json::Null, 405),
    ] {
        let kind = ("Content-Type", "application/json");
        let own = if headers.iter().any(|(name, _)| *name == "Content-Type") { vec![] } else { vec![kind] };
        let headers = [&[("Authorization", writer.authorization.as_str())][..], &own, &headers].concat();
        let refused = writer.server.send(method, path, &headers, &body.to_string());
        assert_eq!(refused.status, expected, "{method} {path} {}", String::from_utf8_lossy(&refused.body));
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert_eq!(expected == 405, !refused.header("allow").is_empty());
    }
    let long = format!("{{\"properties\": {{\"name\": \"{}\"}}}}", "长".repeat(1_500_000));
    let headers = [("Authorization", writer.authorization.as_str()), ("Content-Type", "application/json")];
    assert_eq!(writer.server.send("POST", ITEMS, &headers, &long).status, 413);
    assert_eq!(writer.server.send("POST", ITEMS, &headers, "{\"properties\": ").status, 400);
}

#[test]
fn edits_need_the_token() {
    use std::os::unix::fs::PermissionsExt;
    let writer = Writer::of_sample();
    let file = writer.folder.file("onemap.gpkg.token");
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let kind = ("Content-Type", "application/json");
    for authorization in [None, Some("Bearer wrong"), Some("Basic abc"), Some("Bearer ")] {
        let headers: Vec<_> = authorization.map(|value| ("Authorization", value)).into_iter().chain([kind]).collect();
        let refused = writer.server.send("POST", ITEMS, &headers, &shelter("X-1", 1).to_string());
        let schemes = "Bearer realm=\"onemap\", Basic realm=\"onemap\", charset=\"UTF-8\"";
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, schemes));
    }
    assert_eq!(writer.server.get(&format!("{ITEMS}/X-1")).status, 404);
    let Writer { folder, server, authorization } = writer;
    assert_eq!(server.stop(), Some(0));
    let server = Server::start(&folder, &["--no-write"]);
    let refused = server.send("DELETE", &format!("{ITEMS}/SH-0001"), &[("Authorization", &authorization)], "");
    assert_eq!(refused.status, 403);
}

#[test]
fn an_acknowledged_edit_survives_a_killed_server() {
    let writer = Writer::of_sample();
    assert_eq!(writer.send("POST", ITEMS, &[], &shelter("X-1", 1)).status, 201);
    let Writer { folder, server, .. } = writer;
    server.kill();
    assert_eq!(Server::start(&folder, &[]).get(&format!("{ITEMS}/X-1")).status, 200);
}

#[test]
fn edits_are_refused_while_the_database_is_unreachable() {
    let database = fresh_database();
    let (line, store) = Proxy::before(&database);
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &store]);
    let writer = Writer::new(folder, server, "onemap.token");
    line.cut();
    let refused = writer.send("POST", ITEMS, &[], &shelter("X-1", 1));
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    assert_eq!(psql(&database, "SELECT count(*) FROM onemap.shelters WHERE id = 'X-1'").trim(), "0");
    line.mend();
    let made = crate::support::until("it is stored", || {
        Some(writer.send("POST", ITEMS, &[("Idempotency-Key", "again")], &shelter("X-1", 1)).status)
            .filter(|status| *status != 503)
    });
    assert_eq!(made, 201);
}
