//! Commitments: nothing is promised twice, whoever asks at the same time and whatever fails meanwhile.

use std::thread;

use serde_json::{Value as Json, json};

use super::edits::{ITEMS, Writer, both, shelter};
use crate::access::account;
use crate::support::database::fresh_database;
use crate::support::listener::Listener;
use crate::support::{Folder, Reply, Server, await_that};

pub(super) const COMMITMENTS: &str = "/api/commitments";
const INCIDENT: &str = "IN-01";

pub(super) fn people(count: i64) -> Json {
    json!({"incident": INCIDENT, "resource": {"layer": "shelters", "id": "X-1"}, "people": count})
}

fn commit(writer: &Writer, body: &Json) -> Reply {
    writer.send("POST", COMMITMENTS, &[], body)
}

/// A writer whose store has a shelter X-1 with 120 places.
pub(super) fn with_shelter(writer: &Writer) {
    assert_eq!(writer.send("POST", ITEMS, &[], &shelter("X-1", 120)).status, 201);
    assert_eq!(
        writer.send("PATCH", &format!("{ITEMS}/X-1"), &[], &json!({"properties": {"occupancy": 20}})).status,
        204
    );
}

fn property(writer: &Writer, layer: &str, id: &str, name: &str) -> Json {
    writer.server.get(&format!("/ogc/collections/{layer}/items/{id}")).json()["properties"][name].clone()
}

fn promised(writer: &Writer) -> i64 {
    property(writer, "shelters", "X-1", "promised").as_i64().unwrap_or(0)
}

fn open_commitments(writer: &Writer) -> Vec<Json> {
    writer.server.get(COMMITMENTS).json()["features"].as_array().expect("features").clone()
}

#[test]
fn what_is_promised_is_not_offered_again_until_it_is_released() {
    both(|writer| {
        with_shelter(writer);
        let made = commit(writer, &people(80));
        assert_eq!(made.status, 201, "{:?}", made.json());
        let (id, own) = (made.json()["id"].as_str().expect("an id").to_owned(), made.json()["properties"].clone());
        assert_eq!(
            (&own["state"], &own["people"], &own["incident"]),
            (&json!("committed"), &json!(80), &json!(INCIDENT))
        );
        assert!(made.header("location").ends_with(&format!("{COMMITMENTS}/{id}")));
        assert_eq!(promised(writer), 80);
        let nearest = |people: u32| {
            let path = format!("/api/nearest?point=118.7012,26.3345&layer=shelters&k=1&people={people}");
            writer.server.get(&path).json()["features"][0]["id"].clone()
        };
        assert_eq!(nearest(20), "X-1");
        assert_ne!(nearest(21), "X-1");
        // One too many, then what is left.
        let refused = commit(writer, &people(21));
        assert_eq!((refused.status, &refused.json()["accepted"]), (409, &json!("up to 20")), "{:?}", refused.json());
        assert_eq!(refused.json()["type"], "urn:problem-type:onemap:over-committed");
        assert_eq!((promised(writer), open_commitments(writer).len()), (80, 1));
        let second = commit(writer, &people(20)).json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(promised(writer), 100);
        // Under way keeps the promise; released returns it, once.
        let path = format!("{COMMITMENTS}/{id}");
        let moved = writer.send("PATCH", &path, &[], &json!({"state": "en_route", "note": "第一批"}));
        assert_eq!((moved.status, &moved.json()["properties"]["note"]), (200, &json!("第一批")));
        assert_eq!(promised(writer), 100);
        assert_eq!(writer.send("PATCH", &path, &[], &json!({"state": "committed"})).status, 400, "backwards");
        let released = writer.send("PATCH", &path, &[], &json!({"state": "released"}));
        assert_eq!((released.status, &released.json()["properties"]["state"]), (200, &json!("released")));
        assert_eq!(promised(writer), 20);
        assert_eq!(writer.send("PATCH", &path, &[], &json!({"state": "released"})).status, 400);
        assert_eq!(promised(writer), 20);
        let open = open_commitments(writer);
        assert_eq!((open.len(), open[0]["id"].as_str()), (1, Some(&*second)));
        let all = writer.server.get(&format!("{COMMITMENTS}?state=released&incident={INCIDENT}")).json();
        assert_eq!(all["numberReturned"], 1);
        // Its own requests alone write a commitment.
        let item = format!("/ogc/collections/commitments/items/{second}");
        assert_eq!(writer.send("DELETE", &item, &[], &Json::Null).status, 403);
        assert_eq!(writer.send("PATCH", &item, &[], &json!({"properties": {"people": 1}})).status, 403);
    });
}

#[test]
fn a_reason_overrides_the_limit_and_is_recorded() {
    let writer = Writer::of_sample();
    with_shelter(&writer);
    let mut more = people(130);
    assert_eq!(commit(&writer, &more).status, 409);
    more["override"] = json!("村民已在途，操场可加铺");
    assert_eq!(commit(&writer, &more).status, 201);
    assert_eq!(promised(&writer), 130);
    let log = writer.send("GET", "/api/audit?limit=1000", &[], &Json::Null).json();
    let entries = log["entries"].as_array().expect("entries");
    let reserved = entries.iter().map(|own| &own["entry"]).find(|own| own["action"] == "reserve").expect("an entry");
    assert_eq!((&reserved["id"], &reserved["reason"]), (&json!("X-1"), &more["override"]));
    assert_eq!(reserved["changes"]["promised"], json!([null, "130"]));
    // A closed shelter too needs a reason.
    writer.send("PATCH", &format!("{ITEMS}/X-1"), &[], &json!({"properties": {"status": "closed", "promised": 0}}));
    let refused = commit(&writer, &people(1));
    assert_eq!((refused.status, &refused.json()["parameter"]), (409, &json!("resource")), "{:?}", refused.json());
}

#[test]
fn teams_are_promised_whole_and_stock_by_item() {
    let writer = Writer::of_sample();
    let first = |layer: &str| {
        let path = format!("/api/nearest?point=118.86,26.22&layer={layer}&k=1");
        writer.server.get(&path).json()["features"][0].clone()
    };
    let team = first("teams");
    let (id, before) = (team["id"].as_str().expect("an id"), team["properties"]["status"].clone());
    let whole = json!({"incident": INCIDENT, "resource": {"layer": "teams", "id": id}});
    let made = commit(&writer, &whole).json();
    assert_eq!(property(&writer, "teams", id, "status"), "out");
    assert_eq!(commit(&writer, &whole).status, 409, "the team is out");
    let path = format!("{COMMITMENTS}/{}", made["id"].as_str().expect("an id"));
    writer.send("PATCH", &path, &[], &json!({"state": "en_route"}));
    assert_eq!(property(&writer, "teams", id, "status"), "en_route");
    writer.send("PATCH", &path, &[], &json!({"state": "released"}));
    assert_eq!(property(&writer, "teams", id, "status"), before);

    let depot = first("depots");
    let id = depot["id"].as_str().expect("an id");
    let lots = |id: &str| -> Vec<Json> {
        let stock = property(&writer, "depots", id, "stock");
        stock
            .as_array()
            .cloned()
            .unwrap_or_else(|| serde_json::from_str(stock.as_str().expect("a list")).expect("a list"))
    };
    let lot = lots(id).into_iter().find(|lot| lot["quantity"].as_f64() > Some(5.0)).expect("a stocked item");
    let code = lot["item_code"].as_str().expect("a code");
    let total = |member: &str| -> f64 {
        lots(id).iter().filter(|own| own["item_code"] == code).filter_map(|own| own[member].as_f64()).sum()
    };
    let free = total("quantity") - total("promised");
    let body = |quantity: f64| {
        json!({"incident": INCIDENT, "resource": {"layer": "depots", "id": id},
        "items": [{"code": code, "quantity": quantity}]})
    };
    let refused = commit(&writer, &body(free + 1.0));
    assert_eq!(
        (refused.status, &refused.json()["parameter"]),
        (409, &json!("/items/0/quantity")),
        "{:?}",
        refused.json()
    );
    let promised = total("promised");
    let made = commit(&writer, &body(5.0));
    assert_eq!(made.status, 201, "{:?}", made.json());
    assert!((total("promised") - promised - 5.0).abs() < 1e-9);
    let path = format!("{COMMITMENTS}/{}", made.json()["id"].as_str().expect("an id"));
    writer.send("PATCH", &path, &[], &json!({"state": "released"}));
    assert!((total("promised") - promised).abs() < 1e-9);
}

#[test]
fn several_are_made_together_or_not_at_all() {
    let writer = Writer::of_sample();
    with_shelter(&writer);
    let refused = commit(&writer, &json!({"commitments": [people(60), people(41)]}));
    assert_eq!((refused.status, &refused.json()["edit"]), (409, &json!(1)), "{:?}", refused.json());
    assert_eq!((promised(&writer), open_commitments(&writer).len()), (0, 0));
    let list = json!({"commitments": [people(60), people(40)]});
    let made = writer.send("POST", COMMITMENTS, &[("Idempotency-Key", "plan-7")], &list);
    assert_eq!((made.status, made.json()["features"].as_array().map(Vec::len)), (201, Some(2)));
    let again = writer.send("POST", COMMITMENTS, &[("Idempotency-Key", "plan-7")], &list);
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(promised(&writer), 100);
    // A proposal promises nothing until it is committed.
    let mut proposal = people(5);
    proposal["state"] = json!("proposed");
    let made = commit(&writer, &proposal).json();
    assert_eq!(promised(&writer), 100);
    let path = format!("{COMMITMENTS}/{}", made["id"].as_str().expect("an id"));
    assert_eq!(writer.send("PATCH", &path, &[], &json!({"state": "committed"})).status, 409);
    writer.send("PATCH", &path, &[], &json!({"state": "released"}));
    assert_eq!(promised(&writer), 100);
}

#[test]
fn a_commitment_ends_with_its_time_and_with_its_incident() {
    both(|writer| {
        with_shelter(writer);
        let mut short = people(10);
        short["until"] = json!("2099-01-01T00:00:00Z");
        let made = commit(writer, &short).json();
        let path = format!("{COMMITMENTS}/{}", made["id"].as_str().expect("an id"));
        assert_eq!(commit(writer, &people(30)).status, 201);
        assert_eq!(promised(writer), 40);
        // The clock of the server decides, so the end is set to shortly after now.
        let soon = time::UtcDateTime::now() + time::Duration::milliseconds(1_500);
        let soon = onemap::model::format_instant(soon);
        assert_eq!(writer.send("PATCH", &path, &[], &json!({"until": soon})).status, 200);
        await_that("the first is released", || promised(writer) == 30);
        let item = format!("/ogc/collections/incidents/items/{INCIDENT}");
        assert_eq!(writer.send("PATCH", &item, &[], &json!({"properties": {"status": "closed"}})).status, 204);
        await_that("the second is released", || promised(writer) == 0 && open_commitments(writer).is_empty());
        let closed = commit(writer, &people(1));
        assert_eq!((closed.status, &closed.json()["parameter"]), (400, &json!("/incident")));
    });
}

#[test]
fn wrong_commitments_are_refused_by_name() {
    let writer = Writer::of_sample();
    with_shelter(&writer);
    let with = |pointer: &str, value: Json| {
        let mut body = people(1);
        match pointer.split_once('/') {
            Some((object, member)) => body[object][member] = value,
            None => body[pointer] = value,
        }
        body
    };
    for (body, status, parameter) in [
        (with("incident", json!("IN-99")), 400, "/incident"),
        (with("incident", json!("IN-04")), 400, "/incident"),
        (with("resource/id", json!("X-2")), 400, "/resource/id"),
        (with("resource/id", json!("")), 400, "/resource/id"),
        (with("resource/layer", json!("nope")), 400, "/resource/layer"),
        (with("resource/layer", json!("townships")), 400, "/resource/id"),
        (with("people", json!(0)), 400, "/people"),
        (with("people", json!(-5)), 400, "/people"),
        (with("people", json!(1e9)), 400, "body"),
        (with("people", json!(3_000_000)), 400, "/people"),
        (with("items", json!([{"code": "A", "quantity": 1}])), 400, "/items"),
        (with("until", json!("2020-01-01T00:00:00Z")), 400, "/until"),
        (with("until", json!("morgen")), 400, "/until"),
        (with("people", json!("NaN")), 400, "body"),
        (with("people", json!(null)), 400, "/resource"),
        (with("resource/id", json!("a".repeat(300))), 400, "/resource/id"),
        (with("state", json!("released")), 400, "/state"),
        (with("override", json!("  ")), 400, "/override"),
        (with("nope", json!(1)), 400, "body"),
        (json!({"commitments": []}), 400, "/commitments"),
        (json!({"incident": INCIDENT, "resource": {"layer": "shelters", "id": "X-1"}}), 400, "/resource"),
        (
            json!({"incident": INCIDENT, "resource": {"layer": "depots", "id": "X-1"}, "items": [{"code": "A", "quantity": -1}]}),
            400,
            "/items/0/quantity",
        ),
    ] {
        let reply = commit(&writer, &body);
        assert_eq!(
            (reply.status, &reply.json()["parameter"]),
            (status, &json!(parameter)),
            "{body}: {:?}",
            reply.json()
        );
    }
    // JSON has neither NaN nor infinity.
    for number in ["NaN", "Infinity", "1e999", "-1e999"] {
        let body = people(1).to_string().replace("\"people\":1", &format!("\"people\":{number}"));
        assert!(body.contains(number), "{body}");
        let reply = writer.send_text("POST", COMMITMENTS, &body);
        assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!("body")), "{number}: {:?}", reply.json());
    }
    assert_eq!(writer.send("PATCH", &format!("{COMMITMENTS}/none"), &[], &json!({"state": "released"})).status, 404);
    assert_eq!(writer.server.get(&format!("{COMMITMENTS}?state=lost")).status, 400);
    assert_eq!(promised(&writer), 0);
}

#[test]
fn dispatchers_commit_and_the_public_sees_nothing_of_it() {
    let folder = Folder::new();
    let dispatcher = account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let township = account(&folder, "梅城镇", &["--role", "dispatcher", "--region", "350124100"]);
    let editor = account(&folder, "编辑", &["--role", "editor"]);
    let server = Server::start(&folder, &[]);
    let items = server.get("/ogc/collections/shelters/items?limit=1000").json();
    let of = |prefix: bool| {
        let found = items["features"].as_array().expect("features").iter().find(|own| {
            let own = &own["properties"];
            let code = own["region_code"].as_str().unwrap_or_default();
            code.starts_with("350124100") == prefix && own["status"] == "standby" && own["capacity"].as_i64() > Some(20)
        });
        found.expect("a shelter")["id"].as_str().expect("an id").to_owned()
    };
    let send = |secret: &str, id: &str| {
        let body = json!({"incident": INCIDENT, "resource": {"layer": "shelters", "id": id}, "people": 2});
        let authorization = format!("Bearer {secret}");
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        server.send("POST", COMMITMENTS, if secret.is_empty() { &headers[1..] } else { &headers }, &body.to_string())
    };
    let (own, other) = (of(true), of(false));
    assert_eq!(send("", &own).status, 401);
    assert_eq!(send(&editor, &own).status, 403);
    assert_eq!(send(&township, &other).status, 403);
    assert_eq!(send(&township, &own).status, 201);
    let made = send(&dispatcher, &other);
    assert_eq!((made.status, &made.json()["properties"]["made_by"]), (201, &json!("指挥中心")));
    // Nor does a township release what another division has promised.
    let path = format!("{COMMITMENTS}/{}", made.json()["id"].as_str().expect("an id"));
    let release = |secret: &str| {
        let authorization = format!("Bearer {secret}");
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        server.send("PATCH", &path, &headers, r#"{"state": "released"}"#)
    };
    let refused = release(&township);
    assert_eq!((refused.status, &refused.json()["parameter"]), (403, &json!("region_code")), "{:?}", refused.json());
    assert_eq!(release(&dispatcher).status, 200);
    assert_eq!(server.get(COMMITMENTS).status, 404);
    assert_eq!(server.get("/ogc/collections/commitments").status, 404);
}

const WARN: &str = "[commitments]\nover = \"warn\"\n";

/// What is promised beyond the 100 free places is the sum of what the commitments say, whoever was first.
#[test]
fn with_a_warning_more_is_taken_and_each_commitment_tells_its_part_beyond() {
    let url = fresh_database();
    for writer in [Writer::configured(WARN, None), Writer::configured(WARN, Some(&url))] {
        with_shelter(&writer);
        let writer = &writer;
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(move || assert_eq!(commit(writer, &people(7)).status, 201));
            }
        });
        let open = open_commitments(writer);
        let sum = |name: &str| -> i64 { open.iter().filter_map(|own| own["properties"][name].as_i64()).sum() };
        assert_eq!((open.len(), sum("people"), promised(writer)), (20, 140, 140));
        assert_eq!(sum("over_people"), 140 - 100);
        assert!(
            open.iter().all(|own| own["properties"]["over_people"].as_i64().is_none_or(|over| (1..=7).contains(&over)))
        );
        // The last one says so in its reply, in the log, in the tile and in the answers of nearest.
        let mut events = Listener::open(&writer.server, "?layers=commitments");
        let made = commit(writer, &people(9)).json();
        assert_eq!(made["properties"]["over_people"], 9);
        assert_eq!(events.change().data["ids"], json!([made["id"]]));
        let log = writer.send("GET", "/api/audit?limit=1000", &[], &Json::Null).json();
        let entries = log["entries"].as_array().expect("entries");
        let entry = entries.iter().map(|own| &own["entry"]).find(|own| own["id"] == made["id"]).expect("an entry");
        assert_eq!(entry["changes"]["over_people"], json!([null, "9"]));
        let tile = writer.server.get("/tiles/commitments/14/13594/6948");
        assert_eq!(tile.status, 200);
        assert!(tile.body.windows(11).any(|own| own == b"over_people"));
        let path = "/api/nearest?point=118.7012,26.3345&layer=shelters&k=1&status=any";
        let nearest = writer.server.get(path).json()["features"][0].clone();
        assert_eq!((&nearest["id"], &nearest["properties"]["free_places"]), (&json!("X-1"), &json!(0)));
        assert_eq!(nearest["properties"]["over_committed"], json!({"people": 49}));
        // Released, everything is free again.
        for own in open_commitments(writer) {
            let path = format!("{COMMITMENTS}/{}", own["id"].as_str().expect("an id"));
            assert_eq!(writer.send("PATCH", &path, &[], &json!({"state": "released"})).status, 200);
        }
        assert_eq!(promised(writer), 0);
        let nearest = writer.server.get(path).json()["features"][0]["properties"].clone();
        assert_eq!((&nearest["free_places"], &nearest["over_committed"]), (&json!(100), &Json::Null));
        // A proposal is marked when it is committed, and a closed shelter is refused nevertheless.
        let mut proposal = people(103);
        proposal["state"] = json!("proposed");
        let made = commit(writer, &proposal).json();
        assert_eq!(made["properties"]["over_people"], Json::Null);
        let path = format!("{COMMITMENTS}/{}", made["id"].as_str().expect("an id"));
        let committed = writer.send("PATCH", &path, &[], &json!({"state": "committed"})).json();
        assert_eq!(committed["properties"]["over_people"], 3, "{committed}");
        writer.send("PATCH", &format!("{ITEMS}/X-1"), &[], &json!({"properties": {"status": "closed"}}));
        let closed = commit(writer, &people(1));
        assert_eq!((closed.status, &closed.json()["parameter"]), (409, &json!("resource")), "{:?}", closed.json());
    }
}

#[test]
fn stock_beyond_what_there_is_is_told_by_item() {
    let writer = Writer::configured(WARN, None);
    let stock = json!([{"item_code": "1010101", "quantity": 10}, {"item_code": "1010102", "quantity": 4},
        {"item_code": "1010103", "quantity": 7}]);
    let depot = json!({"type": "Feature", "id": "D-1", "geometry": {"type": "Point", "coordinates": [118.7012, 26.3345]},
        "properties": {"name": "库", "stock": stock}});
    let made = writer.send("POST", "/ogc/collections/depots/items", &[], &depot);
    assert_eq!(made.status, 201, "{:?}", made.json());
    let body = |first: f64, second: f64| {
        json!({"incident": INCIDENT, "resource": {"layer": "depots", "id": "D-1"},
            "items": [{"code": "1010101", "quantity": first}, {"code": "1010102", "quantity": second}]})
    };
    assert_eq!(commit(&writer, &body(8.0, 4.0)).json()["properties"]["over_items"], Json::Null);
    let over = commit(&writer, &body(5.0, 1.5)).json()["properties"]["over_items"].clone();
    let over = over.as_str().map_or(over.clone(), |text| serde_json::from_str(text).expect("a list"));
    let expected = json!([{"item_code": "1010101", "quantity": 3.0}, {"item_code": "1010102", "quantity": 1.5}]);
    let number = |list: &Json, at: usize| list[at]["quantity"].as_f64();
    assert_eq!((number(&over, 0), number(&over, 1)), (number(&expected, 0), number(&expected, 1)), "{over}");
    let near = writer.server.get("/api/nearest?point=118.7012,26.3345&layer=depots&k=1").json();
    let told = &near["features"][0]["properties"]["over_committed"]["items"];
    assert_eq!((number(told, 0), number(told, 1)), (Some(3.0), Some(1.5)), "{told}");
}
