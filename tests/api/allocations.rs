//! Allocations over HTTP: nothing is given twice, the plan is never worse than serving one demand after the other.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::support::{Reply, Server, encoded};

const JSON_BODY: [(&str, &str); 1] = [("Content-Type", "application/json")];

fn allocate(server: &Server, body: &Json) -> Reply {
    server.send("POST", "/api/allocations", &JSON_BODY, &body.to_string())
}

/// Five villages at one place that want more than the nearest shelters have.
fn villages() -> Json {
    let village = |number: u32| {
        let lon = 118.855 + f64::from(number) / 500.0;
        json!({"id": format!("V{number}"), "point": [lon, 26.22], "amount": 300})
    };
    (0..5).map(village).collect()
}

#[test]
fn places_are_given_once_and_the_plan_is_no_longer_than_nearest_first() {
    let (_folder, server) = Server::of_sample();
    let reply = allocate(&server, &json!({"layer": "shelters", "night": true, "demands": villages()}));
    let plan = reply.json();
    assert_eq!(reply.status, 200, "{plan}");
    let mut given: BTreeMap<String, i64> = BTreeMap::new();
    for feature in plan["features"].as_array().expect("features") {
        let properties = &feature["properties"];
        let amount = properties["amount"].as_i64().expect("an amount");
        *given.entry(properties["resource"].as_str().expect("an id").to_owned()).or_default() += amount;
        let line = feature["geometry"]["coordinates"].as_array().expect("a line");
        assert_eq!(line.len(), 2);
    }
    for (id, amount) in &given {
        let shelter = server.get(&format!("/ogc/collections/shelters/items/{id}")).json()["properties"].clone();
        let number = |name: &str| shelter[name].as_i64().unwrap_or(0);
        let free = number("capacity_night") - number("occupancy") - number("promised");
        assert!(*amount <= free, "{id}: {amount} of {free}");
        assert!(["standby", "opening", "open"].contains(&shelter["status"].as_str().unwrap_or_default()), "{shelter}");
    }
    assert_eq!(given.values().sum::<i64>(), 1_500);
    assert_eq!(plan["totals"]["served"], 1_500);
    assert_eq!(plan["gap"], 0.0);
    let km = |of: &str| plan[of]["unit_km"].as_f64().expect("a number");
    assert!(km("totals") <= km("nearest_first"), "{plan}");
    let total_served: i64 =
        plan["demands"].as_array().expect("demands").iter().filter_map(|own| own["served"].as_i64()).sum();
    assert_eq!(total_served, 1_500);

    let table = server.send(
        "POST",
        "/api/allocations?f=csv",
        &JSON_BODY,
        &json!({"layer": "shelters", "demands": villages()}).to_string(),
    );
    let text = String::from_utf8(table.body).expect("text");
    assert!(text.starts_with("\u{feff}需求 demand"), "{text}");
    assert!(text.lines().count() > 5);
}

#[test]
fn a_plan_has_an_address_and_is_printed() {
    let (_folder, server) = Server::of_sample();
    let far = json!({"id": "远", "point": [117.0, 25.0], "amount": 7});
    let demands: Vec<Json> = villages().as_array().expect("demands").iter().cloned().chain([far]).collect();
    let request = json!({"layer": "shelters", "by": "road", "demands": demands}).to_string();
    let posted = server.send("POST", "/api/allocations", &JSON_BODY, &request).json();
    let address = format!("/api/allocations?request={}", encoded(&request));
    assert_eq!(server.get(&address).json()["features"], posted["features"]);
    let page = server.get(&format!("{address}&f=html"));
    assert_eq!(page.header("content-security-policy"), "default-src 'none'; style-src 'unsafe-inline'");
    let html = String::from_utf8(page.body).expect("text");
    for feature in posted["features"].as_array().expect("features") {
        let of = |name: &str| feature["properties"][name].as_str().expect("a name").to_owned();
        assert!(html.contains(&of("resource_name")) && html.contains(&of("demand")), "{feature}");
    }
    let figures =
        format!("{} / {}", posted["totals"]["served"], posted["totals"]["served"].as_u64().expect("a number") + 7);
    assert!(html.contains("<h1>转移安置方案</h1>") && html.contains(&figures), "{figures}: {html}");
    assert!(html.contains("尚未安排") && html.contains("没有道路可达") || html.contains("在限定距离内"), "{html}");
    for (wrong, words) in [("request=%7B", "EOF"), ("request=3", "not a JSON object"), ("", "missing")] {
        let reply = server.get(&format!("/api/allocations?{wrong}"));
        assert_eq!(reply.status, 400);
        assert!(reply.json()["detail"].as_str().is_some_and(|own| own.contains(words)), "{wrong}: {:?}", reply.json());
    }
}

#[test]
fn a_demand_that_stays_together_is_in_one_place_and_what_is_out_of_reach_is_told() {
    let (_folder, server) = Server::of_sample();
    let body = json!({"layer": "shelters", "together": true, "max_distance_m": 30_000, "demands": [
        {"id": "A", "point": [118.86, 26.22], "amount": 90},
        {"id": "B", "point": [118.86, 26.22], "amount": 80},
        {"id": "sea", "point": [122.0, 24.0], "amount": 10},
        {"id": "city", "point": [118.86, 26.22], "amount": 900_000},
    ]});
    let plan = allocate(&server, &body).json();
    let of =
        |id: &str| plan["demands"].as_array().expect("demands").iter().find(|own| own["id"] == id).expect("it").clone();
    assert_eq!((of("A")["served"].clone(), of("B")["served"].clone()), (json!(90), json!(80)));
    assert_eq!(of("sea")["reason"]["code"], "out_of_reach");
    assert_eq!((of("city")["served"].clone(), of("city")["reason"]["code"].clone()), (json!(0), json!("exhausted")));
    let lines = |id: &str| {
        plan["features"].as_array().expect("features").iter().filter(|own| own["properties"]["demand"] == id).count()
    };
    assert_eq!((lines("A"), lines("B"), lines("sea"), lines("city")), (1, 1, 0, 0));
}

#[test]
fn stock_teams_and_the_villages_of_an_area_are_allocated() {
    let (_folder, server) = Server::of_sample();
    let tents = allocate(
        &server,
        &json!({"layer": "depots", "item": "tent", "demands": [
            {"id": "one", "point": [118.86, 26.22], "amount": 20}, {"id": "two", "point": [118.7, 26.3], "amount": 20},
        ]}),
    )
    .json();
    assert_eq!(tents["totals"]["served"], 40, "{tents}");
    let teams = allocate(
        &server,
        &json!({"layer": "teams", "demands": [
            {"id": "fire", "point": [118.86, 26.22], "amount": 2}, {"id": "flood", "point": [118.7, 26.3], "amount": 1},
        ]}),
    )
    .json();
    assert_eq!(teams["totals"]["served"], 3, "{teams}");
    let resources: Vec<&str> = teams["features"]
        .as_array()
        .expect("features")
        .iter()
        .filter_map(|own| own["properties"]["resource"].as_str())
        .collect();
    assert_eq!(resources.len(), 3, "no team twice: {resources:?}");
    let villages = server.get("/ogc/collections/villages/items?limit=1").json()["features"][0].clone();
    let place = json!({"layer": "villages", "id": villages["id"]});
    let own = allocate(&server, &json!({"layer": "shelters", "demands": [{"place": place}]})).json();
    assert_eq!(own["demands"][0]["amount"], villages["properties"]["population"], "{own}");
    let townships = server.get("/ogc/collections/townships/items?limit=1").json()["features"][0]["id"].clone();
    let all = json!({"each_of": "villages", "inside": {"layer": "townships", "id": townships}, "amount": 10});
    let plan = allocate(&server, &json!({"layer": "shelters", "demands": [all]})).json();
    assert!(plan["demands"].as_array().is_some_and(|all| all.len() > 3), "{plan}");
}

#[test]
fn the_frail_of_the_villages_of_an_area_are_allocated() {
    let (_folder, server) = Server::of_sample();
    let demand = json!({"each_of": "villages", "inside": {"layer": "incidents", "id": "IN-01"}, "frail": true});
    let all =
        json!({"each_of": "villages", "inside": {"layer": "warnings", "id": "WN-01"}, "frail": true, "share": 0.5});
    let villages = server.get("/ogc/collections/villages/items?limit=1000").json();
    let frail: BTreeMap<&str, i64> = villages["features"]
        .as_array()
        .expect("features")
        .iter()
        .map(|own| (own["id"].as_str().expect("an id"), own["properties"]["frail"].as_i64().expect("a number")))
        .collect();
    let plan = allocate(&server, &json!({"layer": "shelters", "demands": [all]})).json();
    let demands = plan["demands"].as_array().expect("demands");
    assert!(demands.len() > 10, "{plan}");
    for own in demands {
        let frail = frail[own["id"].as_str().expect("an id")];
        assert_eq!(own["amount"], json!((frail + 1) / 2), "{own}");
    }
    let refused = json!({"point": [118.86, 26.22], "amount": 3, "frail": true});
    assert_eq!(allocate(&server, &json!({"layer": "shelters", "demands": [refused, demand]})).status, 400);
}

#[test]
fn allocations_that_make_no_sense_are_refused() {
    let (_folder, server) = Server::of_sample();
    let one = json!([{"point": [118.86, 26.22], "amount": 1}]);
    let refuses = |body: Json, status: u16, parameter: &str| {
        let reply = allocate(&server, &body);
        assert_eq!(
            (reply.status, reply.json()["parameter"].clone()),
            (status, json!(parameter)),
            "{body}: {}",
            reply.json()
        );
    };
    refuses(json!({"layer": "shelters"}), 400, "demands");
    refuses(json!({"layer": "shelters", "demands": []}), 400, "demands");
    refuses(json!({"layer": "shelters", "demands": [{"point": [26.22, 118.86], "amount": 1}]}), 400, "demands");
    refuses(json!({"layer": "shelters", "demands": [{"point": [118.86, 26.22], "amount": -1}]}), 400, "demands");
    refuses(json!({"layer": "shelters", "demands": [{"point": [118.86, 26.22], "amount": 0}]}), 400, "demands");
    refuses(json!({"layer": "shelters", "demands": [{"point": [118.86, 26.22], "amount": 2_000_000}]}), 400, "demands");
    refuses(json!({"layer": "shelters", "demands": [{"amount": 5}]}), 400, "demands");
    refuses(json!({"layer": "shelters", "demands": vec![one[0].clone(); 2_001]}), 400, "demands");
    refuses(json!({"layer": "shelters,teams", "demands": one}), 400, "layer");
    refuses(json!({"layer": "none", "demands": one}), 404, "layer");
    refuses(json!({"demands": one}), 400, "layer");
    refuses(json!({"layer": "depots", "demands": one}), 400, "item");
    refuses(json!({"layer": "depots", "item": "gold", "demands": one}), 400, "items");
    refuses(json!({"layer": "shelters", "item": "tent", "demands": one}), 400, "item");
    refuses(json!({"layer": "shelters", "together": 1, "demands": one}), 400, "together");
    refuses(json!({"layer": "shelters", "k": 5, "demands": one}), 400, "k");
    assert_eq!(allocate(&server, &json!([1])).status, 400);
    let missing = json!({"layer": "shelters", "demands": [{"place": {"layer": "villages", "id": "none"}}]});
    assert_eq!(allocate(&server, &missing).status, 404);
}
