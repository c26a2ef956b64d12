//! Commitments: nothing is promised twice, whoever asks at the same time and whatever fails meanwhile.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value as Json, json};

use super::edits::{ITEMS, Writer, both, shelter};
use crate::access::account;
use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Reply, Server, await_that, foreign};

const COMMITMENTS: &str = "/api/commitments";
const INCIDENT: &str = "IN-01";

fn people(count: i64) -> Json {
    json!({"incident": INCIDENT, "resource": {"layer": "shelters", "id": "X-1"}, "people": count})
}

fn commit(writer: &Writer, body: &Json) -> Reply {
    writer.send("POST", COMMITMENTS, &[], body)
}

/// A writer whose store has a shelter X-1 with 120 places.
fn with_shelter(writer: &Writer) {
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
    assert_eq!(server.get(COMMITMENTS).status, 404);
    assert_eq!(server.get("/ogc/collections/commitments").status, 404);
}

/// Fifty dispatchers at two servers want the last places, and one server is killed meanwhile.
#[test]
fn concurrent_dispatchers_at_two_servers_never_promise_more_than_there_is() {
    const FREE: usize = 100;
    const EACH: usize = 3;
    let url = fresh_database();
    let writers = [Writer::of_database(&url), Writer::of_database(&url)];
    with_shelter(&writers[0]);
    await_that("the other server has the shelter", || writers[1].server.get(&format!("{ITEMS}/X-1")).status == 200);
    let killed = AtomicBool::new(false);
    let dispatch = |number: usize| -> Vec<String> {
        let writer = &writers[number % 2];
        let mut made = Vec::new();
        for _ in 0..3 {
            let Some(reply) = writer.try_send("POST", COMMITMENTS, &people(3)) else { break };
            match reply.status {
                201 => made.push(reply.json()["id"].as_str().expect("an id").to_owned()),
                409 => {}
                other => panic!("{other}: {:?}", reply.json()),
            }
            if number == 1 && !killed.swap(true, Ordering::SeqCst) {
                foreign("kill", &["-9", &writers[1].server.process_id().to_string()]);
            }
        }
        made
    };
    let dispatch = &dispatch;
    let acknowledged: Vec<String> = thread::scope(|scope| {
        let dispatchers: Vec<_> = (0..50).map(|number| scope.spawn(move || dispatch(number))).collect();
        dispatchers.into_iter().flat_map(|own| own.join().expect("a dispatcher")).collect()
    });
    let stored = psql(&url, "SELECT id FROM onemap.commitments WHERE state = 'committed'");
    let stored: BTreeSet<&str> = stored.lines().map(str::trim).filter(|id| !id.is_empty()).collect();
    let promised = psql(&url, "SELECT promised FROM onemap.shelters WHERE id = 'X-1'");
    let promised: usize = promised.trim().parse().expect("a number");
    assert_eq!(promised, stored.len() * EACH, "the promised places are the sum of the commitments");
    assert_eq!(stored.len(), FREE / EACH, "all that fits is promised, and no more");
    let distinct: BTreeSet<&str> = acknowledged.iter().map(String::as_str).collect();
    assert_eq!(distinct.len(), acknowledged.len());
    // The killed server may have stored what it did not acknowledge, but nothing that it acknowledged is gone.
    assert!(distinct.is_subset(&stored), "{distinct:?} {stored:?}");
}
