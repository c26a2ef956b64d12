//! Coverage by road: the times are those of nearest by road; a closed road cuts villages off and is named.

use serde_json::{Value as Json, json};

use super::small_county;
use crate::support::listener::{edit, point_literal};
use crate::support::{Folder, Server, await_that, run_well};

fn villages(server: &Server, query: &str) -> Vec<Json> {
    let reply = server.get(&format!("/api/coverage?{query}"));
    assert_eq!(reply.status, 200, "{query}: {:?}", reply.json());
    reply.json()["features"].as_array().expect("features").clone()
}

#[test]
fn times_to_help_are_those_of_nearest_by_road() {
    let (_folder, server) = Server::of_sample();
    let all = villages(&server, "by=road&max_minutes=10");
    assert_eq!(all.len(), 292);
    for village in all.iter().step_by(11) {
        let at = &village["geometry"]["coordinates"];
        let own = &village["properties"];
        let mut beyond = 0;
        for (help, layer) in [("shelter", "shelters"), ("team", "teams"), ("depot", "depots")] {
            let people = if help == "shelter" { "&people=1" } else { "" };
            let path = format!("/api/nearest?point={},{}&layer={layer}:1&by=road{people}", at[0], at[1]);
            let nearest = server.get(&path).json()["features"][0]["properties"].clone();
            assert_eq!(own[format!("{help}_s")], nearest["duration_s"], "{help}: {village}");
            beyond += usize::from(nearest["duration_s"].as_f64().is_none_or(|seconds| seconds > 600.0));
        }
        assert_eq!(own["beyond"].as_array().map(Vec::len), Some(beyond), "{village}");
    }
    let on_foot = villages(&server, "by=walk");
    let slower =
        |index: usize| on_foot[index]["properties"]["team_s"].as_f64() >= all[index]["properties"]["team_s"].as_f64();
    assert!((0..all.len()).all(slower));
    let table = String::from_utf8(server.get("/api/coverage?by=road&f=csv").body).expect("text");
    let header = table.lines().next().expect("a header");
    assert!(header.contains("shelter_s") && header.contains("depot_s"), "{header}");
    for (query, parameter) in [
        ("by=road&shelter_m=3000", "shelter_m"),
        ("max_minutes=10", "max_minutes"),
        ("by=boat", "by"),
        ("by=road&max_minutes=0", "max_minutes"),
    ] {
        let refused = server.get(&format!("/api/coverage?{query}"));
        assert_eq!((refused.status, &refused.json()["parameter"]), (400, &json!(parameter)), "{query}");
    }
}

#[test]
fn what_cuts_a_village_off_is_named() {
    let folder = Folder::new();
    small_county(&folder, &[("main", "county", &[[118.8, 26.2], [118.82, 26.2]])]);
    let village = json!({"type": "Feature", "id": "V", "properties": {"name": "村", "population": 40},
        "geometry": {"type": "Point", "coordinates": [118.8, 26.2]}});
    folder.write("villages.ndjson", village.to_string());
    run_well(&folder, &["import", "villages.ndjson", "--layer", "villages"]);
    let team = json!({"type": "Feature", "id": "T", "properties": {"name": "队", "status": "standby"},
        "geometry": {"type": "Point", "coordinates": [118.82, 26.2]}});
    folder.write("teams.ndjson", team.to_string());
    run_well(&folder, &["import", "teams.ndjson", "--layer", "teams"]);
    edit(
        &folder.file("onemap.gpkg"),
        "UPDATE shelters SET status = 'closed' WHERE id = 'west'; UPDATE roads SET oneway = 1;",
    );
    let server = Server::start(&folder, &[]);
    let own = || villages(&server, "by=road")[0]["properties"].clone();
    assert_eq!((&own()["shelter"], &own()["shelter_cut_by"]), (&json!("east"), &Json::Null));
    assert_eq!((&own()["team"], &own()["team_cut_by"]), (&Json::Null, &Json::Null), "the road leads to the east only");
    let incident = format!(
        "INSERT INTO incidents (id, name, kind, status, started_at, geom) VALUES \
         ('IN-1', '塌方', 'road_closure', 'responding', '2026-01-01T00:00:00.000Z', {});",
        point_literal(118.81, 26.2)
    );
    edit(&folder.file("onemap.gpkg"), &incident);
    await_that("the village is cut off", || own()["shelter"].is_null());
    assert_eq!(own()["shelter_cut_by"], json!([{"layer": "incidents", "id": "IN-1", "name": "塌方"}]));
    assert_eq!(own()["beyond"], json!(["shelter", "team", "depot"]));
    let before = villages(&server, "by=road&at=2025-12-01T00:00:00%2B08:00");
    assert_eq!(before[0]["properties"]["shelter"], "east", "it was open before");
}
