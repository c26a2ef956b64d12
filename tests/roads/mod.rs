//! Travel by road: times against another library, closures, and what is refused.

mod coverage;
mod isochrones;
mod pgrouting;

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::conformance::clients::python;
use crate::nearest::vincenty;
use crate::support::listener::{edit, point_literal};
use crate::support::{Folder, Server, await_that, chances, foreign, run_well};

/// Reads arcs and pairs of nodes and prints the least time of each pair, or `none`.
const ORACLE: &str = "\
import json, sys, networkx
problem = json.load(open(sys.argv[1]))
graph = networkx.MultiDiGraph()
for start, end, seconds in problem['arcs']:
    graph.add_edge(start, end, weight=seconds)
for start, end in problem['pairs']:
    try:
        print(networkx.shortest_path_length(graph, start, end, weight='weight'))
    except (networkx.NetworkXNoPath, networkx.NodeNotFound):
        print('none')
";

const PAIRS: usize = 300;
const CLOSED_ROADS: usize = 40;

fn speed_km_h(class: &str) -> f64 {
    match class {
        "expressway" => 90.0,
        "national" => 50.0,
        "provincial" => 45.0,
        "county" => 35.0,
        "township" => 25.0,
        other => panic!("{other}"),
    }
}

fn items(server: &Server, layer: &str) -> Vec<Json> {
    let page = server.get(&format!("/ogc/collections/{layer}/items?limit=10000")).json();
    page["features"].as_array().expect("features").clone()
}

/// The properties of the route between two positions, or the closures that cut it off.
fn route(server: &Server, from: &str, to: &str) -> Result<Json, Json> {
    let reply = server.get(&format!("/api/routes?from={from}&to={to}"));
    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    match body["features"][0]["properties"].clone() {
        Json::Null => Err(body["unreachable"]["closures"].clone()),
        properties => Ok(properties),
    }
}

fn text(at: &Json) -> String {
    format!("{},{}", at[0], at[1])
}

/// The arcs of the open roads, each with its start, its end and the seconds of its length by Vincenty, and the positions
/// that have access.
fn graph(roads: &[Json]) -> (Vec<Json>, Vec<String>) {
    let (mut arcs, mut ends) = (Vec::new(), Vec::new());
    for road in roads {
        let properties = &road["properties"];
        let class = properties["class"].as_str().expect("a class");
        let line = road["geometry"]["coordinates"].as_array().expect("a line");
        if class != "expressway" {
            ends.extend(line.iter().map(text));
        }
        if properties["status"] == "closed" {
            continue;
        }
        for pair in line.windows(2) {
            let at = |at: &Json| (at[0].as_f64().expect("degrees"), at[1].as_f64().expect("degrees"));
            let metres = vincenty::distance_m(at(&pair[0]), at(&pair[1])).expect("a distance");
            let seconds = metres / (speed_km_h(class) / 3.6);
            arcs.push(json!([text(&pair[0]), text(&pair[1]), seconds]));
            if properties["oneway"] != true {
                arcs.push(json!([text(&pair[1]), text(&pair[0]), seconds]));
            }
        }
    }
    (arcs, ends)
}

#[test]
fn times_equal_those_of_another_library_with_one_way_and_closed_roads() {
    let (folder, server) = Server::of_sample();
    let mut chance = chances(7);
    let roads = items(&server, "roads");
    let mut pick = |length: usize| at_random(&mut chance, length);
    let closed: BTreeSet<String> =
        (0..CLOSED_ROADS).map(|_| roads[pick(roads.len())]["id"].as_str().expect("an id").to_owned()).collect();
    let one_way: BTreeSet<String> =
        (0..CLOSED_ROADS).map(|_| roads[pick(roads.len())]["id"].as_str().expect("an id").to_owned()).collect();
    let listed = |ids: &BTreeSet<String>| ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
    edit(
        &folder.file("onemap.gpkg"),
        &format!(
            "UPDATE incidents SET status = 'closed'; UPDATE roads SET status = 'closed' WHERE id IN ({}); UPDATE roads SET oneway = 1 WHERE id IN ({});",
            listed(&closed),
            listed(&one_way)
        ),
    );
    await_that("the roads are closed", || {
        let states = items(&server, "roads");
        let is = |name: &str, value: Json| states.iter().filter(|road| road["properties"][name] == value).count();
        is("status", json!("closed")) == closed.len() && is("oneway", json!(true)) >= one_way.len()
    });

    let (arcs, ends) = graph(&items(&server, "roads"));
    let pairs: Vec<(String, String)> =
        (0..PAIRS).map(|_| (ends[pick(ends.len())].clone(), ends[pick(ends.len())].clone())).collect();
    let problem = folder.write("problem.json", json!({"arcs": arcs, "pairs": pairs}).to_string());
    let script = folder.write("oracle.py", ORACLE);
    let answers = foreign(&python("python"), &[&script.display().to_string(), &problem.display().to_string()]);
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), PAIRS);
    let (mut compared, mut wrong) = (0, String::new());
    for ((from, to), expected) in pairs.iter().zip(answers) {
        let ours = route(&server, from, to);
        // A position at a closed road is joined to the next open one, on foot; the other library knows no such access.
        if ours.as_ref().is_ok_and(|ours| ours["access_m"].as_f64() > Some(0.01)) {
            continue;
        }
        compared += 1;
        let equal = match (&ours, expected.parse::<f64>()) {
            (Ok(ours), Ok(seconds)) => (ours["duration_s"].as_f64().expect("seconds") - seconds).abs() <= 0.51,
            (Err(_), Err(_)) => true,
            _ => false,
        };
        if !equal {
            let _ = writeln!(wrong, "{from} to {to}: {ours:?}, expected {expected}");
        }
    }
    assert_eq!(wrong, "");
    assert!(compared > PAIRS / 2, "{compared} pairs");
}

#[test]
fn nearest_by_road_has_the_shortest_routes_in_their_direction() {
    let (_folder, server) = Server::of_sample();
    for (layer, point) in [("shelters", "118.86,26.22"), ("teams", "118.72,26.1"), ("teams", "118.63,26.05")] {
        let reply = server.get(&format!("/api/nearest?layer={layer}:7&point={point}&by=road&status=any")).json();
        let found: Vec<(f64, String)> = reply["features"]
            .as_array()
            .expect("features")
            .iter()
            .map(|own| (own["properties"]["duration_s"].as_f64().expect("seconds"), own["id"].to_string()))
            .collect();
        let of_feature = |own: &Json| {
            let place = text(&own["geometry"]["coordinates"]);
            // People go to a shelter; a team comes.
            let way = if layer == "shelters" { route(&server, point, &place) } else { route(&server, &place, point) };
            way.ok().map(|way| (way["duration_s"].as_f64().expect("seconds"), own["id"].to_string()))
        };
        let mut all: Vec<(f64, String)> = items(&server, layer).iter().filter_map(of_feature).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let times = |list: &[(f64, String)]| list.iter().take(7).map(|own| own.0).collect::<Vec<f64>>();
        assert!(!found.is_empty());
        assert_eq!(times(&found), times(&all), "{layer} from {point}");
    }
}

/// A store with two shelters: one near along a road, one far on the other side, and a way around a hill.
fn small_county(folder: &Folder, roads: &[(&str, &str, &[[f64; 2]])]) {
    let line = |(id, class, line): &(&str, &str, &[[f64; 2]])| {
        json!({"type": "Feature", "id": id, "properties": {"name": id, "class": class},
            "geometry": {"type": "LineString", "coordinates": line}})
    };
    let shelter = |id: &str, lon: f64| {
        let properties = json!({"name": id, "capacity": 100, "occupancy": 0, "status": "open"});
        json!({"type": "Feature", "id": id, "properties": properties,
            "geometry": {"type": "Point", "coordinates": [lon, 26.2]}})
    };
    let lines: Vec<String> = roads.iter().map(|road| line(road).to_string()).collect();
    folder.write("roads.ndjson", lines.join("\n"));
    folder.write(
        "shelters.ndjson",
        [shelter("east", 118.82).to_string(), shelter("west", 118.77).to_string()].join("\n"),
    );
    run_well(folder, &["import", "roads.ndjson", "--layer", "roads"]);
    run_well(folder, &["import", "shelters.ndjson", "--layer", "shelters"]);
}

const FROM: &str = "118.8,26.2";

fn nearest(server: &Server, more: &str) -> Json {
    server.get(&format!("/api/nearest?layer=shelters&k=2&point={FROM}&by=road&explain=true{more}")).json()
}

fn ids(reply: &Json) -> Vec<&str> {
    reply["features"].as_array().expect("features").iter().filter_map(|own| own["id"].as_str()).collect()
}

#[test]
fn a_closure_makes_a_detour_or_cuts_off_and_is_named() {
    let folder = Folder::new();
    let main: &[[f64; 2]] = &[[118.77, 26.2], [118.8, 26.2], [118.82, 26.2]];
    let around: &[[f64; 2]] = &[[118.8, 26.2], [118.81, 26.23], [118.82, 26.2]];
    small_county(&folder, &[("main", "county", main), ("around", "township", around)]);
    let server = Server::start(&folder, &[]);
    assert_eq!(ids(&nearest(&server, "")), ["east", "west"]);
    let direct = route(&server, FROM, "118.82,26.2").expect("a route");
    assert_eq!((&direct["detour_s"], &direct["closures_avoided"]), (&json!(0.0), &json!([])));

    // A landslide on the main road to the east, 10 m beside its line.
    let file = folder.file("onemap.gpkg");
    let incident = format!(
        "INSERT INTO incidents (id, name, kind, status, geom) VALUES \
         ('IN-1', '塌方', 'road_closure', 'responding', {});",
        point_literal(118.81, 26.2001)
    );
    edit(&file, &incident);
    await_that("the detour is longer than the way to the west", || ids(&nearest(&server, "")) == ["west", "east"]);
    let detour = route(&server, FROM, "118.82,26.2").expect("a route");
    assert_eq!(detour["closures_avoided"], json!([{"layer": "incidents", "id": "IN-1", "name": "塌方"}]));
    let longer_s = detour["duration_s"].as_f64().expect("seconds") - direct["duration_s"].as_f64().expect("seconds");
    assert!((detour["detour_s"].as_f64().expect("seconds") - longer_s).abs() <= 1.0, "{detour}");
    let roads: Vec<&Json> = detour["roads"].as_array().expect("roads").iter().map(|road| &road["id"]).collect();
    assert_eq!(roads, ["around"]);

    edit(&file, "UPDATE roads SET status = 'closed' WHERE id = 'around';");
    await_that("the east is cut off", || ids(&nearest(&server, "")) == ["west"]);
    let reply = nearest(&server, "");
    let excluded = &reply["layers"][0]["excluded"][0];
    assert_eq!((&excluded["id"], &excluded["reasons"][0]["code"]), (&json!("east"), &json!("unreachable")));
    assert_eq!(excluded["reasons"][0]["zh"], "道路被“塌方”阻断");
    assert_eq!(
        route(&server, FROM, "118.82,26.2"),
        Err(json!([{"layer": "incidents", "id": "IN-1", "name": "塌方"}])),
        "the quickest way without closures is the main road"
    );
    // Beyond the closure, the road can be used up to it.
    let beyond = route(&server, "118.8105,26.2", "118.82,26.2").expect("a route");
    assert!(beyond["road_m"].as_f64() < Some(1_000.0), "{beyond}");

    edit(&file, "UPDATE incidents SET status = 'closed' WHERE id = 'IN-1';");
    await_that("the road is open again", || ids(&nearest(&server, "")) == ["east", "west"]);
    let far = nearest(&server, "&max_minutes=4");
    assert_eq!(ids(&far), ["east"], "the west is over 5 minutes away");
    assert_eq!(far["layers"][0]["excluded"][0]["reasons"][0]["code"], "too_long");
}

#[test]
fn islands_of_roads_are_not_reached_and_nothing_is_blamed() {
    let folder = Folder::new();
    let west: &[[f64; 2]] = &[[118.77, 26.2], [118.8, 26.2]];
    let east: &[[f64; 2]] = &[[118.81, 26.2], [118.82, 26.2]];
    small_county(&folder, &[("west", "county", west), ("east", "county", east)]);
    // Something is closed, though not what separates the two.
    edit(
        &folder.file("onemap.gpkg"),
        "INSERT INTO roads (id, name, class, status, geom) SELECT 'far', '远', class, 'closed', geom FROM roads WHERE id = 'east';",
    );
    let server = Server::start(&folder, &[]);
    let reply = nearest(&server, "");
    assert_eq!(ids(&reply), ["west"]);
    let excluded = &reply["layers"][0]["excluded"][0];
    assert_eq!((&excluded["id"], &excluded["reasons"][0]["code"]), (&json!("east"), &json!("unreachable")));
    assert_eq!(excluded["reasons"][0]["closures"], json!([]));
    assert_eq!(route(&server, FROM, "118.82,26.2"), Err(json!([])));
    let body =
        json!({"layer": "shelters", "by": "road", "demands": [{"id": "A", "point": [118.77, 26.2], "amount": 150}]});
    let plan =
        server.send("POST", "/api/allocations", &[("Content-Type", "application/json")], &body.to_string()).json();
    assert_eq!((&plan["totals"]["served"], &plan["demands"][0]["unserved"]), (&json!(100), &json!(50)));
}

#[test]
fn a_road_is_closed_to_a_vehicle_that_exceeds_its_limit() {
    let folder = Folder::new();
    let main: &[[f64; 2]] = &[[118.77, 26.2], [118.8, 26.2], [118.82, 26.2]];
    let around: &[[f64; 2]] = &[[118.8, 26.2], [118.81, 26.23], [118.82, 26.2]];
    small_county(&folder, &[("main", "county", main), ("around", "township", around)]);
    edit(&folder.file("onemap.gpkg"), "UPDATE roads SET max_weight_t = 10, max_height_m = 3.5 WHERE id = 'main';");
    let server = Server::start(&folder, &[]);
    let way = |more: &str| route(&server, FROM, &format!("118.82,26.2{more}"));
    let roads = |way: &Json| way["roads"][0]["id"].clone();
    for fits in ["", "&vehicle_weight_t=10", "&vehicle_height_m=3.5&vehicle_width_m=2.5"] {
        assert_eq!(roads(&way(fits).expect("a route")), "main", "{fits}");
    }
    let heavy = way("&vehicle_weight_t=18").expect("a route");
    assert_eq!(roads(&heavy), "around");
    let limit = json!({"layer": "roads", "id": "main", "name": "main", "max_weight_t": 10.0});
    assert_eq!(heavy["closures_avoided"], json!([limit]));
    let high = way("&vehicle_height_m=3.8").expect("a route");
    assert_eq!(high["closures_avoided"][0]["max_height_m"], 3.5);
    // A limit that cuts a place off is a reason.
    edit(&folder.file("onemap.gpkg"), "UPDATE roads SET max_weight_t = 15 WHERE id = 'around';");
    await_that("the east is cut off for the vehicle", || {
        ids(&nearest(&server, "&vehicle_weight_t=18")) == ["west"]
            || nearest(&server, "&vehicle_weight_t=18")["features"] == json!([])
    });
    let excluded = nearest(&server, "&vehicle_weight_t=18")["layers"][0]["excluded"][0].clone();
    assert_eq!(excluded["reasons"][0]["code"], "unreachable", "{excluded}");
    assert_eq!(excluded["reasons"][0]["closures"], json!([limit]));
    assert_eq!(excluded["reasons"][0]["zh"], "道路被“main”（限重10吨）阻断");
    let areas = |more: &str| server.get(&format!("/api/isochrones?point={FROM}&minutes=10{more}")).json();
    assert!(areas("")["features"][0]["geometry"].is_object());
    assert!(areas("&vehicle_weight_t=18")["features"][0]["geometry"].is_null());
    for wrong in ["vehicle_weight_t=0", "vehicle_height_m=NaN", "vehicle_width_m=99", "by=walk&vehicle_width_m=2"] {
        let reply = server.get(&format!("/api/routes?from={FROM}&to=118.82,26.2&{wrong}"));
        assert_eq!(
            (reply.status, reply.json()["parameter"].as_str().is_some_and(|own| wrong.contains(own))),
            (400, true)
        );
    }
    assert_eq!(server.get(&format!("/api/nearest?layer=shelters&point={FROM}&vehicle_width_m=2")).status, 400);
}

#[test]
fn an_area_closes_what_is_inside_it_and_routes_tell_what_they_cross() {
    let folder = Folder::new();
    small_county(&folder, &[("main", "county", &[[118.77, 26.2], [118.82, 26.2]])]);
    folder.write(
        "zone.geojson",
        json!({"type": "Feature", "id": "Z-1", "properties": {"name": "滑坡区", "hazard": "landslide", "risk_level": 2},
            "geometry": {"type": "Polygon", "coordinates":
                [[[118.805, 26.19], [118.81, 26.19], [118.81, 26.21], [118.805, 26.21], [118.805, 26.19]]]}})
        .to_string(),
    );
    run_well(&folder, &["import", "zone.geojson", "--layer", "risk_zones"]);
    let closure = |id: &str, status: &str| {
        json!({"type": "Feature", "id": id, "properties": {"name": "漫水", "kind": "road_closure", "status": status},
            "geometry": {"type": "Polygon", "coordinates":
                [[[118.812, 26.19], [118.814, 26.19], [118.814, 26.21], [118.812, 26.21], [118.812, 26.19]]]}})
        .to_string()
    };
    folder.write("closed.geojson", closure("IN-1", "closed"));
    run_well(&folder, &["import", "closed.geojson", "--layer", "incidents"]);
    {
        let server = Server::start(&folder, &[]);
        let way = route(&server, FROM, "118.82,26.2").expect("a route");
        assert_eq!(
            way["crosses"],
            json!([{"layer": "risk_zones", "id": "Z-1", "name": "滑坡区", "hazard": "landslide", "risk_level": 2}])
        );
    }
    folder.write("active.geojson", closure("IN-2", "responding"));
    run_well(&folder, &["import", "active.geojson", "--layer", "incidents"]);
    let server = Server::start(&folder, &[]);
    assert!(route(&server, FROM, "118.82,26.2").is_err());
    // Who is inside walks to the edge.
    let out = route(&server, "118.8136,26.2", "118.82,26.2").expect("a route");
    let access_m = out["access_m"].as_f64().expect("metres");
    assert!((access_m - 40.0).abs() < 1.0, "{out}");
}

#[test]
fn an_allocation_by_road_has_the_times_of_routes_and_tells_what_is_cut_off() {
    let folder = Folder::new();
    let main: &[[f64; 2]] = &[[118.77, 26.2], [118.8, 26.2], [118.82, 26.2]];
    small_county(&folder, &[("main", "county", main)]);
    let server = Server::start(&folder, &[]);
    let plan = |more: &str| {
        let body = format!(
            r#"{{"layer": "shelters", "by": "road"{more}, "demands": [
                {{"id": "A", "point": [118.8, 26.2], "amount": 120}}, {{"id": "B", "point": [118.78, 26.2], "amount": 60}}]}}"#
        );
        let reply = server.send("POST", "/api/allocations", &[("Content-Type", "application/json")], &body);
        (reply.status, reply.json())
    };
    let (status, both) = plan("");
    assert_eq!(status, 200, "{both}");
    assert_eq!(both["totals"]["served"], 180);
    let mut unit_s = 0.0;
    for feature in both["features"].as_array().expect("features") {
        let own = &feature["properties"];
        let from = if own["demand"] == "A" { FROM } else { "118.78,26.2" };
        let to = if own["resource"] == "east" { "118.82,26.2" } else { "118.77,26.2" };
        let way = route(&server, from, to).expect("a route");
        assert_eq!((&own["duration_s"], &own["road_m"]), (&way["duration_s"], &way["road_m"]), "{own}");
        assert!(feature["geometry"]["coordinates"].as_array().map(Vec::len) >= Some(2));
        unit_s += own["amount"].as_f64().expect("an amount") * own["duration_s"].as_f64().expect("seconds");
    }
    assert!((both["totals"]["unit_h"].as_f64().expect("hours") - unit_s / 3_600.0).abs() < 0.1, "{both}");

    let incident = format!(
        "INSERT INTO incidents (id, name, kind, status, geom) VALUES ('IN-1', '塌方', 'road_closure', 'responding', {});",
        point_literal(118.79, 26.2)
    );
    edit(&folder.file("onemap.gpkg"), &incident);
    await_that("A cannot go west, so 20 of it stay", || plan("").1["totals"]["served"] == 160);
    edit(&folder.file("onemap.gpkg"), "UPDATE shelters SET status = 'closed' WHERE id = 'west';");
    await_that("B can go nowhere", || plan("").1["totals"]["served"] == 100);
    let (_, cut) = plan("");
    let of_b = &cut["demands"][1]["reason"];
    assert_eq!((&of_b["code"], &of_b["closures"][0]["id"]), (&json!("unreachable"), &json!("IN-1")), "{cut}");
    let (_, soon) = plan(r#", "max_minutes": 1"#);
    assert_eq!(soon["totals"]["served"], 0, "{soon}");
}

#[test]
fn a_gap_in_a_drawing_is_closed_and_a_bridge_is_no_junction() {
    let folder = Folder::new();
    // It ends a metre before the other; the third crosses both without a vertex.
    let own: &[[f64; 2]] = &[[118.77, 26.2], [118.79999, 26.2]];
    let other: &[[f64; 2]] = &[[118.8, 26.19], [118.8, 26.205]];
    let bridge: &[[f64; 2]] = &[[118.78, 26.195], [118.82, 26.2035]];
    small_county(&folder, &[("own", "county", own), ("other", "county", other), ("bridge", "county", bridge)]);
    let server = Server::start(&folder, &[]);
    assert!(route(&server, "118.77,26.2", "118.8,26.19").is_ok());
    assert_eq!(route(&server, "118.77,26.2", "118.78,26.195"), Err(json!([])), "no road leads to the bridge");
}

#[test]
fn journeys_without_roads_or_ends_are_refused() {
    let (_folder, server) = Server::of_sample();
    for (path, parameter) in [
        ("/api/nearest?layer=shelters&point=118.86,26.22&by=boat", "by"),
        ("/api/nearest?layer=shelters&near=LINESTRING(118.8%2026.2,118.9%2026.3)&by=road", "by"),
        ("/api/nearest?layer=shelters&point=118.86,26.22&max_minutes=10", "max_minutes"),
        ("/api/nearest?layer=shelters&point=118.86,26.22&by=road&max_minutes=0", "max_minutes"),
        ("/api/routes?from=118.86,26.22", "to"),
        ("/api/routes?from=26.22,118.86&to=118.86,26.22", "from"),
        ("/api/routes?from=118.86,26.22&to=118.8,26.2&by=line", "by"),
    ] {
        let reply = server.get(path);
        assert_eq!((reply.status, reply.json()["parameter"].as_str()), (400, Some(parameter)), "{path}");
    }
    // The open sea is far from any road.
    assert_eq!(route(&server, "118.86,26.22", "122,24"), Err(json!([])));
    let at_sea = server.get("/api/nearest?layer=shelters&point=122,24&by=road").json();
    assert_eq!(at_sea["features"], json!([]));
    assert_eq!(at_sea["layers"][0]["excluded"][0]["reasons"][0]["code"], "unreachable");
}

/// An index below a length.
fn at_random(chance: &mut impl FnMut() -> f64, length: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index below the length"
    )]
    let index = (chance() * length as f64) as usize;
    index
}
