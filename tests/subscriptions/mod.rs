//! Subscriptions: notices of what happens in an area reach their receiver, once the change is stored.

mod receiver;
mod refusals;

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::access::account;
use crate::support::database::fresh_database;
use crate::support::listener::{Listener, edit, point_literal};
use crate::support::{Folder, Reply, Server, await_that, run_well, until};
use receiver::{Answer, Receiver};

const PATH: &str = "/api/subscriptions";
const ITEMS: &str = "/ogc/collections/shelters/items";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A server that sends webhooks to this machine, and the secret of an account that may subscribe.
struct Service {
    folder: Folder,
    server: Server,
    store: Option<String>,
    secret: String,
}

impl Service {
    fn start(settings: &str, store: Option<String>) -> Self {
        let folder = Folder::new();
        folder.write("onemap.toml", format!("[subscriptions]\nallow = [\"127.0.0.1\"]\n{settings}"));
        let store_arguments = store.as_ref().map_or_else(Vec::new, |url| vec!["--store", url]);
        let secret = account(&folder, "水利", &[&["--role", "admin"], &store_arguments[..]].concat());
        let server = Server::start(&folder, &store_arguments);
        Self { folder, server, store, secret }
    }

    /// Another server with the same files.
    fn another(&self) -> Server {
        Server::start(&self.folder, &self.store.as_ref().map_or_else(Vec::new, |url| vec!["--store", url]))
    }

    fn send_as(&self, secret: &str, method: &str, path: &str, body: &Json) -> Reply {
        let authorization = format!("Bearer {secret}");
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", kind)];
        self.server.send(method, path, &headers, &if body.is_null() { String::new() } else { body.to_string() })
    }

    fn send(&self, method: &str, path: &str, body: &Json) -> Reply {
        self.send_as(&self.secret, method, path, body)
    }

    /// Subscribes and returns the path of the subscription.
    fn subscribe(&self, body: &Json) -> String {
        let made = self.send("POST", PATH, body);
        assert_eq!(made.status, 201, "{:?}", made.json());
        let path = format!("{PATH}/{}", made.json()["id"].as_str().expect("an id"));
        assert!(made.header("location").ends_with(&path));
        path
    }

    fn create(&self, id: &str, lon: f64, capacity: i64) {
        let shelter = json!({"type": "Feature", "id": id, "geometry": {"type": "Point", "coordinates": [lon, 26.3345]},
            "properties": {"name": "新避灾点", "status": "open", "capacity": capacity}});
        let made = self.send("POST", ITEMS, &shelter);
        assert_eq!(made.status, 201, "{:?}", made.json());
    }

    fn patch(&self, id: &str, change: &Json) {
        let done = self.send("PATCH", &format!("{ITEMS}/{id}"), change);
        assert_eq!(done.status, 204, "{:?}", String::from_utf8_lossy(&done.body));
    }
}

fn area() -> Json {
    json!({"type": "Polygon",
        "coordinates": [[[118.70, 26.33], [118.71, 26.33], [118.71, 26.34], [118.70, 26.34], [118.70, 26.33]]]})
}

fn request(receiver: Option<&Receiver>) -> Json {
    let webhook = receiver.map(|receiver| json!({"url": receiver.url(), "secret": SECRET}));
    json!({"layers": ["shelters"], "area": area(), "webhook": webhook, "when":
        ["enters", "leaves", {"field": "status", "becomes": ["closed", "full"]}, {"field": "capacity", "below": 100}]})
}

/// The edits of the tests: a shelter enters, becomes closed, crosses the threshold, and leaves.
fn play(service: &Service, id: &str) {
    service.create(id, 118.7012, 120);
    service.patch(id, &json!({"properties": {"status": "closed"}}));
    service.patch(id, &json!({"properties": {"capacity": 80}}));
    service.patch(id, &json!({"geometry": {"type": "Point", "coordinates": [118.9, 26.2]}}));
}

/// Waits for a notice of each edit, because states are compared and edits may fall together.
fn play_slowly(service: &Service, id: &str, path: &str) {
    let start = service.send("GET", path, &Json::Null).json()["last_sequence"].as_i64().expect("a number");
    let told = |count: i64| {
        await_that("the notice is stored", || {
            service.send("GET", path, &Json::Null).json()["last_sequence"].as_i64() == Some(start + count)
        });
    };
    service.create(id, 118.7012, 120);
    told(1);
    service.patch(id, &json!({"properties": {"status": "closed"}}));
    told(2);
    service.patch(id, &json!({"properties": {"capacity": 80}}));
    told(3);
    service.patch(id, &json!({"geometry": {"type": "Point", "coordinates": [118.9, 26.2]}}));
    told(4);
}

fn events(notices: &[Json]) -> Vec<&str> {
    notices.iter().map(|own| own["event"].as_str().unwrap_or_default()).collect()
}

fn sorted(mut notices: Vec<Json>) -> Vec<Json> {
    notices.sort_by_key(|own| own["sequence"].as_i64());
    notices
}

#[test]
fn notices_are_signed_and_sent_again_until_the_receiver_takes_them() {
    for store in [None, Some(fresh_database())] {
        let service = Service::start("timeout_s = 1\n", store);
        let receiver = Receiver::start(&[
            Answer::Status(500),
            Answer::HangUp,
            Answer::Slow,
            Answer::Status(200),
            Answer::Redirect,
        ]);
        // What is in the area already is not told.
        service.create("X-0", 118.7013, 50);
        let path = service.subscribe(&request(Some(&receiver)));
        play_slowly(&service, "X-1", &path);
        let notices = sorted(receiver.taken(4));
        assert_eq!(events(&notices), ["enters", "becomes", "crosses", "leaves"], "{notices:?}");
        let id = path.rsplit('/').next().expect("an id");
        for (at, notice) in notices.iter().enumerate() {
            assert_eq!((&notice["feature"], &notice["layer"]), (&json!("X-1"), &json!("shelters")));
            assert_eq!((&notice["subscription"], &notice["sequence"]), (&json!(id), &json!(at + 1)));
            assert_eq!(notice["id"], format!("{id}-{}", at + 1));
            assert!(notice["data_version"].is_string() && notice["time"].is_string());
        }
        assert_eq!((&notices[1]["before"], &notices[1]["after"]), (&json!("open"), &json!("closed")));
        assert_eq!((&notices[2]["before"], &notices[2]["after"]), (&json!(120), &json!(80)));
        receiver.check_signatures(SECRET);
        let requests = receiver.received();
        assert!(requests.iter().all(|own| own.path == "/hook"), "a redirection is not followed");
        assert!(
            requests.iter().all(|own| own.notice()["id"] == own.id.as_str()),
            "each attempt has the id of the notice"
        );
        assert_eq!(requests.iter().filter(|own| !own.is_taken).count(), 4);
        await_that("the figures are current", || {
            let ready = service.server.get("/health/ready").json()["subscriptions"].clone();
            (&ready["undelivered"], &ready["delivered"]) == (&json!(0), &json!(4))
        });
        assert_eq!(service.send("DELETE", &path, &Json::Null).status, 204);
        assert_eq!(service.send("GET", &path, &Json::Null).status, 404);
    }
}

#[test]
fn what_happened_before_the_server_was_killed_is_delivered_after_it_starts_again() {
    let mut service = Service::start("", None);
    let port = {
        let receiver = Receiver::start(&[]);
        receiver.port
    };
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    assert_ne!(port, unused);
    let mut body = request(None);
    body["webhook"] = json!({"url": format!("http://127.0.0.1:{unused}/hook"), "secret": SECRET});
    let path = service.subscribe(&body);
    play_slowly(&service, "X-1", &path);
    await_that("an attempt fails", || service.server.get("/health/ready").json()["subscriptions"]["failed"] != 0);
    let Service { folder, server, store, secret } = service;
    server.kill();
    // Another program edits the file while no server runs.
    let place = point_literal(118.7014, 26.3346);
    edit(
        &folder.file("onemap.gpkg"),
        &format!("INSERT INTO shelters (id, name, status, capacity, geom) VALUES ('X-2', '新', 'open', 300, {place})"),
    );
    let server = Server::start(&folder, &[]);
    service = Service { folder, server, store, secret };
    let receiver = Receiver::start_at(unused);
    let notices = sorted(receiver.taken(5));
    assert_eq!(events(&notices), ["enters", "becomes", "crosses", "leaves", "enters"]);
    assert_eq!(notices[4]["feature"], "X-2");
    receiver.check_signatures(SECRET);
    // The stream has all of them too, after what the client has seen.
    let authorization = format!("Bearer {}", service.secret);
    let headers = [("Authorization", authorization.as_str()), ("Last-Event-ID", "2")];
    let mut stream = Listener::open_at(&service.server, &format!("{path}/events"), &headers);
    for notice in &notices[2..] {
        let event = stream.receive().expect("an event");
        assert_eq!((event.name.as_str(), &event.data), ("notice", notice));
        assert_eq!(event.id, Some(notice["sequence"].to_string()));
    }
    service.create("X-3", 118.7015, 10);
    assert_eq!(stream.receive().expect("an event").data["feature"], "X-3");
    assert_eq!(service.send("DELETE", &path, &Json::Null).status, 204);
    assert!(stream.receive().is_none(), "the stream ends with the subscription");
}

#[test]
fn notices_that_are_too_old_are_listed_and_sent_again_on_demand() {
    let service = Service::start("max_age_s = 1\n", None);
    let receiver = Receiver::start(&[]);
    receiver.always(Some(Answer::Status(500)));
    let path = service.subscribe(&request(Some(&receiver)));
    service.create("X-1", 118.7012, 120);
    let dead = || service.send("GET", &format!("{path}/dead"), &Json::Null).json()["notices"].clone();
    await_that("the notice is given up", || dead().as_array().map(Vec::len) == Some(1));
    assert_eq!((&dead()[0]["event"], &dead()[0]["reason"]), (&json!("enters"), &json!("the receiver answers 500")));
    let metrics = until("the metrics", || {
        let text = String::from_utf8(service.send("GET", "/metrics", &Json::Null).body).expect("text");
        text.contains("onemap_notices{state=\"dead\"} 1").then_some(text)
    });
    assert!(metrics.contains("onemap_notice_deliveries_total{outcome=\"given_up\"} 1"), "{metrics}");
    assert!(metrics.contains("onemap_notice_oldest_age_seconds 0"), "{metrics}");
    // A receiver that is gone gets no second attempt.
    receiver.always(Some(Answer::Status(410)));
    let attempts = receiver.received().len();
    service.create("X-2", 118.7013, 120);
    await_that("the second is given up", || dead().as_array().map(Vec::len) == Some(2));
    assert_eq!(receiver.received().len(), attempts + 1);
    receiver.always(None);
    assert_eq!(service.send("POST", &format!("{path}/resend"), &Json::Null).json(), json!({"resent": 2}));
    let notices = sorted(receiver.taken(2));
    assert_eq!((&notices[0]["feature"], &notices[1]["feature"]), (&json!("X-1"), &json!("X-2")));
    await_that("none is left", || dead() == json!([]));
}

#[test]
fn of_two_servers_with_the_same_files_one_delivers_and_the_other_takes_over() {
    let url = fresh_database();
    let mut service = Service::start("", Some(url));
    let second = service.another();
    let receiver = Receiver::start(&[]);
    let path = service.subscribe(&request(Some(&receiver)));
    play_slowly(&service, "X-1", &path);
    assert_eq!(events(&sorted(receiver.taken(4))), ["enters", "becomes", "crosses", "leaves"]);
    let first = std::mem::replace(&mut service.server, second);
    first.kill();
    play_slowly(&service, "X-2", &path);
    let sequences =
        || -> Vec<i64> { sorted(receiver.taken(8)).iter().filter_map(|own| own["sequence"].as_i64()).collect() };
    await_that("all notices are delivered", || BTreeSet::from_iter(sequences()).len() == 8);
    // The server that was killed may have delivered notices without having recorded that.
    let twice: Vec<i64> = sequences().windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(twice.iter().all(|sequence| *sequence <= 4), "{twice:?} came twice");
    assert_eq!(BTreeSet::from_iter(sequences()), BTreeSet::from([1, 2, 3, 4, 5, 6, 7, 8]));
}

/// A dispatcher whose role does not see a layer, some features and a field hears nothing of them.
#[test]
fn what_a_role_does_not_see_is_not_told() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(crate::support::project().join("data/catalog.json")).expect("a catalog");
    let mut catalog: Json = serde_json::from_str(&text).expect("JSON");
    for layer in catalog["layers"].as_array_mut().expect("layers") {
        match layer["id"].as_str() {
            Some("shelters") => {
                layer["access"] = json!({"fields": {"area_m2": "admin"}, "rows": {"dispatcher": "name <> '密'"}});
            }
            Some("hazards") => layer["access"] = json!({"read": "admin"}),
            _ => {}
        }
    }
    folder.write("catalog.json", catalog.to_string());
    folder.write("onemap.toml", "catalog = \"catalog.json\"\n");
    let admin = account(&folder, "管理", &["--role", "admin"]);
    let low = account(&folder, "指挥", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    let service = Service { folder, server, store: None, secret: admin.clone() };
    let body = json!({"layers": ["shelters"], "area": area(), "when": ["enters", "leaves", "changes"]});
    let made = |secret: &str, body: &Json| service.send_as(secret, "POST", PATH, body);
    let (of_admin, of_low) = (made(&admin, &body).json(), made(&low, &body).json());
    let hidden = made(&low, &json!({"layers": ["hazards"], "area": area(), "when": ["enters"]}));
    assert_eq!((hidden.status, &hidden.json()["parameter"]), (400, &json!("/layers/0")));
    let by_field = |field: &str| {
        made(&low, &json!({"layers": ["shelters"], "area": area(), "when": [{"field": field, "above": 1}]})).status
    };
    assert_eq!((by_field("capacity"), by_field("area_m2")), (201, 400));
    let filtered = json!({"layers": ["shelters"], "area": area(), "when": ["enters"], "filter": "area_m2 > 1"});
    assert_eq!((made(&low, &filtered).status, made(&admin, &filtered).status), (400, 201));
    // Nobody but its account and administrators sees a subscription.
    let path = |made: &Json| format!("{PATH}/{}", made["id"].as_str().expect("an id"));
    assert_eq!(service.send_as(&low, "GET", &path(&of_admin), &Json::Null).status, 404);
    assert_eq!(service.send_as(&low, "DELETE", &path(&of_admin), &Json::Null).status, 404);
    assert_eq!(service.send_as(&admin, "GET", &path(&of_low), &Json::Null).status, 200);
    let listed = service.send_as(&low, "GET", PATH, &Json::Null).json();
    assert_eq!(listed["subscriptions"].as_array().map(Vec::len), Some(2));

    let stream = |secret: &str, made: &Json| {
        let authorization = format!("Bearer {secret}");
        let own = format!("{}/events", path(made));
        Listener::open_at(&service.server, &own, &[("Authorization", authorization.as_str())])
    };
    let (mut high_stream, mut low_stream) = (stream(&admin, &of_admin), stream(&low, &of_low));
    let count = std::cell::Cell::new(0);
    let step = |change: &dyn Fn()| {
        change();
        count.set(count.get() + 1);
        await_that("the administrator's notice is stored", || {
            service.send("GET", &path(&of_admin), &Json::Null).json()["last_sequence"] == count.get()
        });
    };
    step(&|| service.create("X-1", 118.7012, 100));
    step(&|| service.patch("X-1", &json!({"properties": {"name": "密"}})));
    step(&|| service.patch("X-1", &json!({"properties": {"capacity": 90}})));
    step(&|| service.create("X-2", 118.7013, 100));
    let is_own = |event: crate::support::listener::Event| {
        (
            event.data["feature"].as_str().unwrap_or_default().to_owned(),
            event.data["event"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let pair = |feature: &str, event: &str| (feature.to_owned(), event.to_owned());
    let high: Vec<_> = (0..4).map(|_| is_own(high_stream.receive().expect("an event"))).collect();
    assert_eq!(high, [pair("X-1", "enters"), pair("X-1", "changes"), pair("X-1", "changes"), pair("X-2", "enters")]);
    let own: Vec<_> = (0..3).map(|_| is_own(low_stream.receive().expect("an event"))).collect();
    assert_eq!(own, [pair("X-1", "enters"), pair("X-1", "leaves"), pair("X-2", "enters")]);
    // The account is revoked: its stream ends, and nothing more is written down for it.
    run_well(&service.folder, &["token", "revoke", "指挥"]);
    assert!(low_stream.receive().is_none());
    let last = service.send("GET", &path(&of_low), &Json::Null).json()["last_sequence"].clone();
    step(&|| service.create("X-3", 118.7014, 100));
    assert_eq!(service.send("GET", &path(&of_low), &Json::Null).json()["last_sequence"], last);
}
