//! A night at the command post, from the first report to the last release: every question over HTTP, as a dispatcher.

use serde_json::{Value as Json, json};

use crate::access::account;
use crate::support::{Folder, Reply, Server};

const PLACE: [f64; 2] = [118.842, 26.238];
const LOCATION: &str = "point=118.842,26.238";

struct Night {
    _folder: Folder,
    server: Server,
    secret: String,
}

impl Night {
    fn begin() -> Self {
        let folder = Folder::new();
        let secret = account(&folder, "指挥中心", &["--role", "dispatcher"]);
        let server = Server::start(&folder, &[]);
        Self { _folder: folder, server, secret }
    }

    fn send(&self, method: &str, path: &str, body: &Json) -> Reply {
        let authorization = format!("Bearer {}", self.secret);
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", kind)];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.server.send(method, path, &headers, &body);
        assert!(reply.status < 300, "{method} {path}: {} {:?}", reply.status, String::from_utf8_lossy(&reply.body));
        reply
    }

    fn get(&self, path: &str) -> Json {
        let reply = self.send("GET", path, &Json::Null).json();
        assert!(reply["stale"] != json!(true), "{path}");
        reply
    }

    fn features(&self, path: &str) -> Vec<Json> {
        self.get(path)["features"].as_array().expect("features").clone()
    }

    fn property(&self, layer: &str, id: &Json, name: &str) -> Json {
        let id = id.as_str().expect("an id");
        self.get(&format!("/ogc/collections/{layer}/items/{id}"))["properties"][name].clone()
    }

    fn commit(&self, body: &Json) -> String {
        let reply = self.send("POST", "/api/commitments", body).json();
        reply["id"].as_str().expect("an id").to_owned()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one night, in order")]
fn the_questions_of_a_night_are_answered_from_report_to_release() {
    let night = Night::begin();
    let now = onemap::model::format_instant(onemap::clock::now());
    // 1. A flood is reported, and is on the map of whoever is signed in.
    let feature = json!({"type": "Feature", "id": "N-1", "geometry": {"type": "Point", "coordinates": PLACE},
        "properties": {"name": "梅溪镇河水上涨", "kind": "flood", "severity": 2, "status": "responding", "report": "first",
            "started_at": now, "region_code": "350124101000"}});
    night.send("POST", "/ogc/collections/incidents/items", &feature);
    let running = night.features("/ogc/collections/incidents/items?filter=status%3D'responding'");
    assert!(running.iter().any(|own| own["id"] == "N-1"));

    // 2. Which places take 40 people tonight, suit a flood, and are outside danger? And why not the nearer ones?
    let conditions = "people=40&night=true&hazard=flood&avoid=flood,landslide,warnings";
    let path = format!("/api/nearest?{LOCATION}&layer=shelters:3&{conditions}&explain=true&max_distance_m=60000");
    let nearest = night.get(&path);
    let shelters = nearest["features"].as_array().expect("features");
    assert_eq!(shelters.len(), 3, "{nearest}");
    for shelter in shelters {
        let number = |name: &str| night.property("shelters", &shelter["id"], name).as_i64().unwrap_or(0);
        assert!(number("capacity_night") - number("occupancy") - number("promised") >= 40, "{shelter}");
        assert!(night.property("shelters", &shelter["id"], "fits").to_string().contains("flood"));
    }
    let excluded = nearest["excluded"].as_array().or(nearest["layers"][0]["excluded"].as_array()).expect("a list");
    assert!(!excluded.is_empty() && excluded.iter().all(|own| !own["reasons"][0]["zh"].is_null()), "{excluded:?}");

    // 3. What is around it within a kilometre, and how many people?
    let around = night.get("/api/surroundings?incident=N-1&radius_m=1000");
    let layers = around["rings"][0]["layers"].as_array().expect("layers");
    assert!(
        layers.iter().any(|own| own["layer"] == "villages" && own["people"]["known"].as_i64() > Some(0)),
        "{around}"
    );
    assert!(around["responsible"].as_array().is_some_and(|whom| !whom.is_empty()), "a dispatcher sees whom to call");

    // 4. What do they need for three days, and which depots have it?
    let needs = night.get("/api/needs?people=40&days=3");
    let items = needs["items"].as_str().expect("items");
    let depots =
        night.features(&format!("/api/nearest?{LOCATION}&layer=depots&items={items}&cover=true&prefer=fewest"));
    assert!(!depots.is_empty());

    // 5. Which team is there first by road?
    let teams = night.features(&format!("/api/nearest?{LOCATION}&layer=teams:2&by=road"));
    let minutes = |team: &Json| team["properties"]["duration_s"].as_f64().expect("a time");
    assert!(minutes(&teams[0]) <= minutes(&teams[1]));

    // 6. They are promised, so that the next incident is not offered the same.
    let shelter = shelters[0]["id"].clone();
    let before = shelters[0]["properties"]["free_places"].clone();
    let places = night.commit(
        &json!({"incident": "N-1", "resource": {"layer": "shelters", "id": shelter}, "people": 40, "night": true}),
    );
    let team = night.commit(&json!({"incident": "N-1", "resource": {"layer": "teams", "id": teams[0]["id"]}}));
    let next = night.features(&format!("/api/nearest?{LOCATION}&layer=teams:1&by=road"));
    assert_eq!(next[0]["id"], teams[1]["id"], "the first team is on its way");
    let again = night.features(&format!("/api/nearest?{LOCATION}&layer=shelters:349&{conditions}&status=any"));
    let left = again.iter().find(|own| own["id"] == shelter).map(|own| own["properties"]["free_places"].clone());
    assert!(left.is_none_or(|left| left.as_i64() < before.as_i64()));

    // 7. The road is cut: the way changes, and says what it avoids.
    let route = |to: &str| format!("/api/routes?from=118.842,26.238&to={to}");
    let to = teams[0]["geometry"]["coordinates"].as_array().expect("a position");
    let to = format!("{},{}", to[0], to[1]);
    let direct = night.features(&route(&to))[0].clone();
    let line = direct["geometry"]["coordinates"].as_array().expect("a line");
    let middle = line[line.len() / 2].clone();
    let closure = json!({"type": "Feature", "id": "N-2", "geometry": {"type": "Point", "coordinates": middle},
        "properties": {"name": "塌方", "kind": "road_closure", "severity": 4, "status": "responding", "started_at": now,
            "region_code": "350124101000"}});
    night.send("POST", "/ogc/collections/incidents/items", &closure);
    let detour = night.get(&route(&to));
    let found = detour["features"].as_array().expect("features");
    let is_longer = found
        .first()
        .is_none_or(|own| own["properties"]["duration_s"].as_f64() > direct["properties"]["duration_s"].as_f64());
    assert!(is_longer && detour.to_string().contains("N-2"), "{detour}");

    // 8. A warning area is evacuated: all its villages at once, by road, and promised in one step.
    let body = json!({"layer": "shelters", "night": true, "hazard": "flood", "avoid": "flood,landslide", "by": "road",
        "demands": [{"each_of": "villages", "inside": {"layer": "incidents", "id": "IN-01"}, "share": 0.2},
            {"id": "N-1", "point": PLACE, "amount": 60}]});
    let plan = night.send("POST", "/api/allocations", &body).json();
    let served = plan["totals"]["served"].as_i64().expect("a number");
    assert!(served >= 60, "{plan}");
    let promises: Vec<Json> = plan["features"]
        .as_array()
        .expect("features")
        .iter()
        .map(|own| {
            json!({"incident": "IN-01", "resource": {"layer": "shelters", "id": own["properties"]["resource"]},
            "people": own["properties"]["amount"], "night": true})
        })
        .collect();
    let made = night.send("POST", "/api/commitments", &json!({"commitments": promises})).json();
    assert_eq!(made["features"].as_array().map(Vec::len), Some(promises.len()), "{made}");

    // 9. Whom does the warning concern, who calls whom, by which plan?
    let alert = night.get("/api/alerts/WN-01");
    assert!(alert["people"]["known"].as_i64() > Some(0) && alert["plans"].as_array().is_some_and(|own| own.len() > 1));
    let person = alert["townships"][0]["person"].as_str().expect("a person");
    assert!(person.contains('*'), "{person}");

    // 10. The township reports; the county sees who has not.
    let report = json!({"type": "Feature", "id": "N-3", "geometry": {"type": "Point", "coordinates": PLACE},
        "properties": {"name": "续报", "region_code": "350124101000", "incident": "N-1", "report": "follow_up", "as_of": now,
            "evacuated": 40, "settled": 40, "dead": 0}});
    night.send("POST", "/ogc/collections/situation_reports/items", &report);
    let reported = night.get("/api/statistics?incident=N-1");
    let today = reported["days"].as_array().expect("days").last().expect("today").clone();
    assert_eq!((&today["totals"]["evacuated"], &today["totals"]["dead"]), (&json!(40), &json!(0)), "{today}");

    // At the end of the incident everything is free again.
    night.send("PATCH", "/ogc/collections/incidents/items/N-1", &json!({"properties": {"status": "closed"}}));
    crate::support::await_that("the release", || {
        let open = night.features("/api/commitments?incident=N-1");
        open.iter().all(|own| own["id"] != json!(places) && own["id"] != json!(team))
    });
    assert_eq!(night.property("teams", &teams[0]["id"], "status"), "standby");
}
