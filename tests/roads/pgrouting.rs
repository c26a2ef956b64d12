//! Travel against pgRouting: as an oracle for the network in memory, and as the engine in its place.

use std::collections::BTreeSet;
use std::fmt::Write;

use geo::Area;
use serde_json::{Value as Json, json};

use super::isochrones::areas;
use super::{at_random, items, route, text};
use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, await_that, chances, run, run_well};

/// The edges of a network from the roads of a store: each straight part of a line between two vertices.
const WAYS: &str = "\
CREATE EXTENSION IF NOT EXISTS pgrouting;
DROP TABLE IF EXISTS public.ways;
CREATE TABLE public.ways AS
WITH speeds(class, km_h) AS (VALUES ('expressway', 90), ('national', 50), ('provincial', 45), ('county', 35),
  ('township', 25)),
parts AS (SELECT id AS road, status, coalesce(class = 'expressway', false) AS limited_access, coalesce(oneway, false)
  AS oneway, coalesce(km_h, 25) / 3.6 AS m_s, (ST_DumpSegments(geom)).geom AS the_geom
  FROM onemap.roads LEFT JOIN speeds USING (class)),
measured AS (SELECT *, ST_Length(the_geom::geography) AS length_m FROM parts),
ends AS (SELECT *, ST_AsText(ST_StartPoint(the_geom), 7) AS a, ST_AsText(ST_EndPoint(the_geom), 7) AS b
  FROM measured WHERE length_m > 0),
vertices AS (SELECT at, row_number() OVER (ORDER BY at) AS number
  FROM (SELECT a AS at FROM ends UNION SELECT b FROM ends) AS u)
SELECT row_number() OVER (ORDER BY road, a, b) AS gid, s.number AS source, t.number AS target, road, status,
  limited_access, length_m, length_m / m_s AS cost_s, CASE WHEN oneway THEN -1 ELSE length_m / m_s END AS reverse_cost_s,
  the_geom
FROM ends JOIN vertices AS s ON s.at = a JOIN vertices AS t ON t.at = b;
CREATE INDEX ON public.ways USING gist (the_geom);
ANALYZE public.ways;";

const ENGINE: &str =
    "[roads]\nengine = \"pgrouting\"\nedges = \"public.ways\"\nroad = \"road\"\nlimited_access = \"limited_access\"\n";

/// Closes some roads and makes others open in one direction only.
fn change_roads(server: &Server, url: &str, chance: &mut impl FnMut() -> f64, count: usize) {
    let roads = items(server, "roads");
    let mut pick = || -> BTreeSet<String> {
        (0..count)
            .map(|_| format!("'{}'", roads[at_random(chance, roads.len())]["id"].as_str().expect("an id")))
            .collect()
    };
    let listed = |ids: &BTreeSet<String>| ids.iter().cloned().collect::<Vec<_>>().join(",");
    let (closed, one_way) = (pick(), pick());
    psql(
        url,
        &format!(
            "UPDATE onemap.roads SET oneway = true WHERE id IN ({}); UPDATE onemap.roads SET status = 'closed' WHERE id IN ({})",
            listed(&one_way),
            listed(&closed)
        ),
    );
    await_that("the roads are closed", || {
        items(server, "roads").iter().filter(|road| road["properties"]["status"] == "closed").count() >= closed.len()
    });
}

/// Compares quickest routes between vertices with those of pgRouting; returns how many were compared, and how many of them
/// are cut off.
fn compare(server: &Server, url: &str, chance: &mut impl FnMut() -> f64, pairs: usize) -> (usize, usize) {
    psql(url, WAYS);
    let listed = psql(
        url,
        "SELECT DISTINCT source, ST_X(ST_StartPoint(the_geom)) || ',' || ST_Y(ST_StartPoint(the_geom)) FROM ways \
         WHERE NOT limited_access AND status IS DISTINCT FROM 'closed' ORDER BY 1",
    );
    let vertices: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.split_once('|')).collect();
    let chosen: Vec<[(&str, &str); 2]> =
        (0..pairs).map(|_| [(); 2].map(|()| vertices[at_random(chance, vertices.len())])).collect();
    let wanted: Vec<String> = chosen.iter().map(|[from, to]| format!("({},{})", from.0, to.0)).collect();
    let answers = psql(
        url,
        &format!(
            "SELECT d.start_vid, d.end_vid, sum(d.cost), sum(w.length_m) FROM pgr_dijkstra( \
               'SELECT gid AS id, source, target, cost_s AS cost, reverse_cost_s AS reverse_cost FROM public.ways \
                WHERE status IS DISTINCT FROM ''closed''', \
               'SELECT * FROM (VALUES {}) AS c(source, target)') AS d JOIN public.ways AS w ON w.gid = d.edge GROUP BY 1, 2",
            wanted.join(",")
        ),
    );
    let expected = |from: &str, to: &str| {
        let found = answers.lines().map(|line| line.split('|').collect::<Vec<_>>());
        let mut found = found.filter(|columns| columns[0] == from && columns[1] == to);
        found.next().map(|columns| [2, 3].map(|at| columns[at].parse::<f64>().expect("a number")))
    };
    let (mut compared, mut cut, mut closed_gaps, mut wrong) = (0, 0, 0, String::new());
    for [from, to] in chosen.into_iter().filter(|[from, to]| from.0 != to.0) {
        let ours = route(server, from.1, to.1);
        compared += 1;
        let near =
            |own: &Json, expected: f64| (own.as_f64().unwrap_or(-1.0) - expected).abs() <= expected * 0.001 + 0.51;
        let is_equal = match (&ours, expected(from.0, to.0)) {
            (Ok(ours), Some([seconds, metres])) if near(&ours["duration_s"], seconds) => near(&ours["road_m"], metres),
            // Only this program joins a road that ends within 2 m of another.
            (Ok(ours), Some([seconds, _])) if ours["duration_s"].as_f64() < Some(seconds) => {
                closed_gaps += 1;
                true
            }
            (Err(_), None) => {
                cut += 1;
                true
            }
            _ => false,
        };
        if !is_equal {
            let _ = writeln!(wrong, "{} to {}: {ours:?}, expected {:?}", from.1, to.1, expected(from.0, to.0));
        }
    }
    assert_eq!(wrong, "");
    assert!(closed_gaps * 100 <= compared, "{closed_gaps} of {compared} are quicker");
    (compared, cut)
}

#[test]
fn routes_of_the_sample_equal_those_of_pgrouting() {
    let (folder, url) = (Folder::new(), fresh_database());
    let server = Server::start(&folder, &["--store", &url]);
    psql(&url, "UPDATE onemap.incidents SET status = 'closed'");
    let mut chance = chances(11);
    change_roads(&server, &url, &mut chance, 12);
    let (compared, cut) = compare(&server, &url, &mut chance, 150);
    assert!(compared > 140 && cut < compared / 2, "{compared} compared, {cut} cut off");
}

#[test]
fn routes_of_a_country_equal_those_of_pgrouting() {
    let Some(data) = std::env::var_os("ONEMAP_REAL_DATA") else { return };
    let file = std::path::Path::new(&data).join("osm/andorra.osm.pbf");
    let (folder, url) = (Folder::new(), fresh_database());
    let store = ["--store", url.as_str()];
    run_well(
        &folder,
        &[&["import", &file.display().to_string(), "--layer", "roads", "--anywhere"][..], &store].concat(),
    );
    let server = Server::start(&folder, &[&["--empty"][..], &store].concat());
    let mut chance = chances(3);
    change_roads(&server, &url, &mut chance, 50);
    let (compared, cut) = compare(&server, &url, &mut chance, 500);
    assert!(compared > 450 && cut < compared / 2, "{compared} compared, {cut} cut off");
}

/// Two servers of one database: travel in memory, and by the engine.
fn servers() -> (Folder, Folder, String, [Server; 2]) {
    let (own, other, url) = (Folder::new(), Folder::new(), fresh_database());
    let memory = Server::start(&own, &["--store", &url]);
    psql(&url, "UPDATE onemap.incidents SET status = 'closed'");
    psql(&url, WAYS);
    other.write("onemap.toml", ENGINE);
    let engine = Server::start(&other, &["--store", &url]);
    (own, other, url, [memory, engine])
}

/// Ids and journeys of features.
fn journeys(server: &Server, path: &str) -> Vec<(String, f64)> {
    let reply = server.get(path);
    assert_eq!(reply.status, 200, "{path}: {:?}\n{}", reply.json(), server.log());
    let body = reply.json();
    let features = body["features"].as_array().expect("features").iter();
    features.map(|own| (own["id"].to_string(), own["properties"]["duration_s"].as_f64().unwrap_or(-1.0))).collect()
}

fn assert_alike(ours: &[(String, f64)], theirs: &[(String, f64)], what: &str) {
    assert!(!ours.is_empty() && ours.len() == theirs.len(), "{what}: {ours:?} and {theirs:?}");
    for (own, their) in ours.iter().zip(theirs) {
        // The engine finds the nearest place of a line in a plane.
        assert!((own.1 - their.1).abs() <= 2.0 + own.1 * 0.005, "{what}: {ours:?} and {theirs:?}");
    }
}

#[test]
fn an_engine_gives_the_answers_of_the_network_in_memory() {
    let (_own, _other, url, [memory, engine]) = servers();
    for point in ["118.86,26.22", "118.72,26.1", "118.63,26.05"] {
        for query in [
            "layer=shelters:5&by=road",
            "layer=teams:5&by=road&status=any",
            "layer=shelters:5&by=walk&explain=true",
            "layer=shelters&k=3&by=road&max_minutes=20&people=100",
            "layer=shelters&by=road&people=600&cover=true",
        ] {
            let path = format!("/api/nearest?point={point}&{query}");
            assert_alike(&journeys(&memory, &path), &journeys(&engine, &path), &path);
        }
    }
    let villages = items(&memory, "villages");
    let demands: Vec<Json> = villages
        .iter()
        .step_by(30)
        .map(|own| json!({"id": own["id"], "amount": 50, "point": own["geometry"]["coordinates"]}))
        .collect();
    let body = json!({"layer": "shelters", "by": "road", "demands": demands}).to_string();
    let plan = |server: &Server| {
        server.send("POST", "/api/allocations", &[("Content-Type", "application/json")], &body).json()
    };
    let (ours, theirs) = (plan(&memory), plan(&engine));
    assert_eq!(ours["totals"]["served"], theirs["totals"]["served"]);
    let hours = |plan: &Json| plan["totals"]["unit_h"].as_f64().expect("hours");
    assert!(
        (hours(&ours) - hours(&theirs)).abs() <= hours(&ours) * 0.005,
        "{} and {}",
        ours["totals"],
        theirs["totals"]
    );
    let is_line = |own: &Json| own["geometry"]["coordinates"].as_array().is_some_and(|line| line.len() > 2);
    let journeys = theirs["features"].as_array().expect("features");
    assert!(
        journeys.iter().any(is_line) && journeys.iter().all(|own| own["properties"]["road_m"].is_number()),
        "{theirs}"
    );

    // What a team reaches is inside the area, and what it does not reach is outside.
    let area = |server: &Server, direction: &str| {
        areas(server, &format!("point=118.86,26.22&minutes=15&by=road&direction={direction}"))[0].1.unsigned_area()
    };
    for direction in ["outward", "inward"] {
        let (ours, theirs) = (area(&memory, direction), area(&engine, direction));
        assert!(ours > 1e-4 && (ours - theirs).abs() < ours * 0.01, "{direction}: {ours} and {theirs}");
    }

    // A closed road, and an incident on another.
    let from = text(&villages[0]["geometry"]["coordinates"]);
    let to = text(&villages[150]["geometry"]["coordinates"]);
    let before = route(&engine, &from, &to).expect("a route");
    let roads = before["roads"].as_array().expect("roads");
    let longest =
        roads.iter().max_by(|a, b| a["length_m"].as_f64().unwrap().total_cmp(&b["length_m"].as_f64().unwrap()));
    let longest = longest.expect("a road")["id"].as_str().expect("an id").to_owned();
    psql(&url, &format!("UPDATE onemap.roads SET status = 'closed' WHERE id = '{longest}'"));
    let told = |server: &Server| match route(server, &from, &to) {
        Ok(route) => route["closures_avoided"].clone(),
        Err(closures) => closures,
    };
    for server in [&memory, &engine] {
        await_that("the road is closed", || told(server)[0]["id"] == json!(longest));
    }
    match (route(&memory, &from, &to), route(&engine, &from, &to)) {
        (Ok(ours), Ok(theirs)) => {
            let seconds = |own: &Json| own["duration_s"].as_f64().expect("seconds");
            assert!((seconds(&ours) - seconds(&theirs)).abs() <= 2.0 + seconds(&ours) * 0.005, "{ours} and {theirs}");
        }
        (ours, theirs) => assert_eq!(ours.is_err(), theirs.is_err()),
    }
}

#[test]
fn an_engine_that_does_not_answer_is_a_problem_and_no_straight_line() {
    let (_own, other, url, [_memory, engine]) = servers();
    let paths = [
        "/api/nearest?point=118.86,26.22&layer=shelters:5&by=road",
        "/api/routes?from=118.86,26.22&to=118.72,26.1",
        "/api/isochrones?point=118.86,26.22",
        "/api/coverage?by=road",
    ];
    let check = || run(&other, &["check", "--store", &url]);
    assert!(String::from_utf8_lossy(&check().stdout).contains("road engine\tpgRouting"));
    psql(&url, "ALTER TABLE public.ways RENAME TO other");
    let checked = check();
    assert!(!checked.status.success() && String::from_utf8_lossy(&checked.stdout).contains("public.ways"));
    for path in paths {
        let reply = engine.get(path);
        assert_eq!((reply.status, reply.header("retry-after")), (503, "5"), "{path}: {:?}", reply.json());
        assert!(reply.json()["type"].as_str().is_some_and(|kind| kind.ends_with("road-engine")), "{:?}", reply.json());
        assert!(!reply.json().to_string().contains("ways"), "the table is not told");
    }
    assert_eq!(engine.get("/api/nearest?point=118.86,26.22&layer=shelters:5").status, 200);
    psql(&url, "ALTER TABLE public.other RENAME TO ways");
    assert_eq!(engine.get(paths[0]).status, 200);
    // Without a column that says so, nobody knows where people may walk.
    drop(engine);
    other.write("onemap.toml", ENGINE.replace("limited_access = \"limited_access\"\n", ""));
    let engine = Server::start(&other, &["--store", &url]);
    assert_eq!(engine.get("/api/routes?from=118.86,26.22&to=118.72,26.1&by=walk").status, 400);
    assert_eq!(engine.get("/api/routes?from=118.86,26.22&to=118.72,26.1").status, 200);
}
