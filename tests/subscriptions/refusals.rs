//! Subscriptions that are refused, each by name, and areas of every kind.

use serde_json::{Value as Json, json};

use super::{PATH, Receiver, SECRET, Service, area, play, request};
use crate::access::account;
use crate::support::{Folder, Server, await_that};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn wrong_subscriptions_are_refused_by_name() {
    let service = Service::start("", None);
    let with = |member: &str, value: Json| {
        let mut body = request(None);
        body[member] = value;
        body
    };
    let condition = |value: Json| with("when", json!([value]));
    let hook = |url: &str| with("webhook", json!({"url": url}));
    let ring: Vec<[f64; 2]> = (0..10_001)
        .map(|number| {
            let angle = f64::from(number) / 10_001.0 * std::f64::consts::TAU;
            [118.7 + 0.01 * angle.cos(), 26.3 + 0.01 * angle.sin()]
        })
        .chain([[118.71, 26.3]])
        .collect();
    for (body, parameter) in [
        (json!([]), "body"),
        (json!({}), "body"),
        (with("nope", json!(1)), "body"),
        (with("layers", json!([])), "/layers"),
        (with("layers", json!(["nope"])), "/layers/0"),
        (with("layers", json!(["shelters", "shelters"])), "/layers/1"),
        (with("name", json!("a\u{0}b")), "/name"),
        (with("filter", json!("capacity >")), "/filter"),
        (with("filter", json!("nope = 1")), "/filter"),
        (with("filter", json!("phone = '1'")), "/filter"),
        (with("when", json!([])), "/when"),
        (with("when", json!(["enters", "enters"])), "/when/1"),
        (condition(json!("explodes")), "/when/0"),
        (condition(json!(7)), "/when/0"),
        (condition(json!({"field": "status"})), "/when/0"),
        (condition(json!({"field": "capacity", "above": 1, "below": 2})), "/when/0"),
        (condition(json!({"field": "capacity", "above": "much"})), "/when/0"),
        (condition(json!({"field": "status", "above": 1})), "/when/0/field"),
        (condition(json!({"field": "nope", "becomes": ["a"]})), "/when/0/field"),
        (condition(json!({"field": "phone", "becomes": ["1"]})), "/when/0/field"),
        (condition(json!({"field": "status", "becomes": []})), "/when/0/becomes"),
        (condition(json!({"field": "status", "becomes": ["nope"]})), "/when/0/becomes"),
        (with("area", json!(null)), "/area"),
        (with("area", json!({"type": "Point", "coordinates": [118.7, 26.3]})), "/area"),
        (with("area", json!({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]})), "/area"),
        (with("area", json!({"type": "Polygon", "coordinates": [[[999, 0], [1, 1], [0, 1], [999, 0]]]})), "/area"),
        (with("area", json!({"type": "Polygon", "coordinates": [ring]})), "/area"),
        (with("area", json!({"division": "福州"})), "/area/division"),
        (with("area", json!({"division": "350124", "nope": 1})), "/area"),
        (with("area", json!({"layer": "nope", "id": "IN-01"})), "/area/layer"),
        (with("area", json!({"layer": "incidents", "id": "nope"})), "/area/id"),
        (with("area", json!({"layer": "incidents", "id": "IN-01", "buffer_m": -1})), "/area/buffer_m"),
        (with("area", json!({"layer": "incidents", "id": "IN-01", "buffer_m": 1e9})), "/area/buffer_m"),
        (hook("http://localhost/"), "/webhook/url"),
        (hook("http://10.0.0.1/"), "/webhook/url"),
        (hook("http://169.254.169.254/latest/meta-data"), "/webhook/url"),
        (hook("http://user:password@127.0.0.1/"), "/webhook/url"),
        (hook("ftp://127.0.0.1/"), "/webhook/url"),
        (hook("file:///etc/passwd"), "/webhook/url"),
        (hook(&format!("http://127.0.0.1/{}", "a".repeat(3_000))), "/webhook/url"),
        (with("webhook", json!({"url": "http://127.0.0.1/", "secret": "short"})), "/webhook/secret"),
    ] {
        let reply = service.send("POST", PATH, &body);
        let shown: String = body.to_string().chars().take(300).collect();
        assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!(parameter)), "{shown}: {:?}", reply.json());
        assert!(reply.json()["accepted"].is_string(), "{shown}");
    }
    // JSON has no such numbers.
    for number in ["NaN", "Infinity", "1e999"] {
        let body = request(None).to_string().replace("\"below\":100", &format!("\"below\":{number}"));
        let authorization = format!("Bearer {}", service.secret);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        assert_eq!(service.server.send("POST", PATH, &headers, &body).status, 400, "{number}");
    }
    assert_eq!(service.send("POST", PATH, &with("name", json!("a".repeat(600_000)))).status, 413);
    for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/dead"), ("POST", "/resend"), ("GET", "/events")] {
        let reply = service.send(method, &format!("{PATH}/none{path}"), &Json::Null);
        assert_eq!((reply.status, &reply.json()["parameter"]), (404, &json!("subscriptionId")), "{method} {path}");
    }
    let path = service.subscribe(&request(None));
    for wrong in ["1", "-1", "x", "99999999999999999999"] {
        let authorization = format!("Bearer {}", service.secret);
        let headers = [("Authorization", authorization.as_str()), ("Last-Event-ID", wrong)];
        let reply = service.server.send("GET", &format!("{path}/events"), &headers, "");
        assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!("Last-Event-ID")), "{wrong}");
    }
    // One account has a limited number.
    let statuses: Vec<u16> = (0..50).map(|_| service.send("POST", PATH, &request(None)).status).collect();
    assert_eq!((statuses[..49].iter().all(|own| *own == 201), statuses[49]), (true, 429));
}

#[test]
fn no_webhook_goes_anywhere_by_default_and_only_dispatchers_subscribe() {
    let folder = Folder::new();
    let dispatcher = account(&folder, "指挥", &["--role", "dispatcher"]);
    let editor = account(&folder, "编辑", &["--role", "editor"]);
    let server = Server::start(&folder, &[]);
    let service = Service { folder, server, store: None, secret: dispatcher };
    let mut body = request(None);
    assert_eq!(service.send("POST", PATH, &body).status, 201);
    assert_eq!(service.send_as(&editor, "POST", PATH, &body).status, 403);
    assert_eq!(service.server.get(PATH).status, 401);
    body["webhook"] = json!({"url": "http://127.0.0.1:9/"});
    let refused = service.send("POST", PATH, &body);
    assert_eq!((refused.status, &refused.json()["parameter"]), (400, &json!("/webhook/url")), "{:?}", refused.json());
    // The file is for its owner only, because it holds secrets.
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(service.folder.file("onemap.gpkg.subscriptions")).expect("a file").permissions(),
    );
    assert_eq!(mode & 0o077, 0);
    let folder = Folder::new();
    folder.write("onemap.toml", "[subscriptions]\nallow = [\"300.1.1.1\"]\n");
    let failed = crate::support::run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(!failed.status.success() && String::from_utf8_lossy(&failed.stderr).contains("subscriptions.allow"));
}

#[test]
fn divisions_and_surroundings_of_features_are_areas_too() {
    let service = Service::start("", None);
    let receiver = Receiver::start(&[]);
    let anchor = json!({"type": "Feature", "id": "A-1", "geometry": {"type": "Point", "coordinates": [118.7012, 26.3345]},
        "properties": {"name": "点", "status": "open"}});
    assert_eq!(service.send("POST", super::ITEMS, &anchor).status, 201);
    let subscribe = |area: Json, when: Json| {
        let webhook = json!({"url": receiver.url(), "secret": SECRET});
        service.subscribe(&json!({"layers": ["shelters"], "area": area, "when": when, "webhook": webhook}))
    };
    let near = subscribe(json!({"layer": "shelters", "id": "A-1", "buffer_m": 500}), json!(["enters"]));
    let division = subscribe(json!({"division": "350124100000"}), json!(["enters", "leaves"]));
    let shown = service.send("GET", &near, &Json::Null).json();
    assert_eq!(shown["area"], json!({"layer": "shelters", "id": "A-1", "buffer_m": 500.0}));
    assert_eq!((&shown["webhook"]["url"], &shown["webhook"]["secret"]), (&json!(receiver.url()), &Json::Null));
    let number = |path: &str| service.send("GET", path, &Json::Null).json()["last_sequence"].as_i64();
    // About 300 and 2,000 metres away.
    service.create("X-1", 118.7042, 10);
    service.create("X-2", 118.7212, 10);
    await_that("the nearer one is told", || number(&near) == Some(1));
    service.patch("X-2", &json!({"properties": {"region_code": "350124100201"}}));
    await_that("it enters the division", || number(&division) == Some(1));
    service.patch("X-2", &json!({"properties": {"region_code": "350124101201"}}));
    await_that("it leaves the division", || number(&division) == Some(2));
    assert_eq!(number(&near), Some(1));
    let notices = receiver.taken(3);
    assert!(notices.iter().any(|own| own["feature"] == "X-1" && own["event"] == "enters"));
    // Without a webhook the notices are in the stream only.
    let silent = service.subscribe(&json!({"layers": ["shelters"], "area": area(), "when": ["leaves"]}));
    play(&service, "X-9");
    assert_eq!(service.send("DELETE", &format!("{}/X-1", super::ITEMS), &Json::Null).status, 204);
    await_that("a deleted feature leaves", || number(&silent).is_some_and(|own| own >= 1));
}
