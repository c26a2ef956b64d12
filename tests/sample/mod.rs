//! The sample county: reproducible bytes, documented counts, labels.

use std::process::Command;

use onemap::model::Catalog;
use serde_json::Value as Json;

use crate::support::{Folder, Server, project};

#[test]
fn the_generator_is_deterministic() {
    let folder = Folder::new();
    // Cargo puts examples in a directory beside the tested program.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_onemap")).with_file_name("examples").join("sample-county");
    let output = Command::new(&program)
        .args(["--out".as_ref(), folder.path().as_os_str()])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; cargo build --examples makes it", program.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let catalog = Catalog::built_in().expect("a catalog");
    // The sample has no commitments.
    let layers = catalog.layers.iter().filter(|layer| !layer.roles.commitments);
    let layers = layers.map(|layer| format!("minqing/{}.fgb", layer.id));
    for name in layers.chain(["categories.csv".to_owned()]) {
        let kept = std::fs::read(project().join("data").join(&name)).expect("the kept file");
        let drawn = std::fs::read(folder.file(&name)).expect("the drawn file");
        assert!(kept == drawn, "{name} differs: run cargo run --example sample-county and commit its output");
    }
}

/// All features of a layer.
fn features(server: &Server, layer: &str) -> Vec<Json> {
    let mut reply = server.get(&format!("/ogc/collections/{layer}/items?limit=10000")).json();
    match reply["features"].take() {
        Json::Array(features) => features,
        other => panic!("{layer}: {other}"),
    }
}

fn count(features: &[Json], field: &str, value: &str) -> usize {
    features.iter().filter(|feature| feature["properties"][field] == value).count()
}

#[test]
fn counts_equal_the_published_plan() {
    let (_folder, server) = Server::of_sample();
    for (layer, expected) in
        [("hazards", 1850), ("shelters", 349), ("teams", 31), ("townships", 16), ("villages", 292), ("county", 1)]
    {
        assert_eq!(features(&server, layer).len(), expected, "{layer}");
    }
    let hazards = features(&server, "hazards");
    let distinct = |field: &str| {
        hazards
            .iter()
            .map(|hazard| hazard["properties"][field].to_string())
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    assert_eq!((distinct("unit"), distinct("category"), distinct("risk_level")), (4, 47, 4));
    let teams = features(&server, "teams");
    let kinds =
        ["professional", "semi_professional", "social", "militia", "industry"].map(|kind| count(&teams, "kind", kind));
    // Blue Sky and Lanbao; the militia; power and mine: the five teams named in the plan.
    assert_eq!(kinds, [7, 18 + 1, 2, 1, 2]);
    let depots = features(&server, "depots");
    let government = |level: &str| {
        let own =
            |depot: &&Json| depot["properties"]["level"] == level && depot["properties"]["ownership"] == "government";
        depots.iter().filter(own).count()
    };
    assert_eq!(government("township"), 16);
    assert!(government("county") >= 1 && count(&depots, "ownership", "agreement") >= 1);
}

#[test]
fn every_record_is_labelled_as_sample() {
    let (_folder, server) = Server::of_sample();
    for layer in server.get("/api/layers").json()["layers"].as_array().expect("layers") {
        let id = layer["id"].as_str().expect("an id");
        for feature in features(&server, id) {
            assert_eq!(feature["properties"]["source"], "示例数据", "{id} {}", feature["id"]);
        }
    }
}

#[test]
fn some_shelters_are_in_landslide_zones() {
    use geo::Intersects;
    use geozero::ToGeo;
    let (_folder, server) = Server::of_sample();
    let shape =
        |feature: &Json| geozero::geojson::GeoJsonString(feature["geometry"].to_string()).to_geo().expect("a geometry");
    let zones: Vec<geo::Geometry> = features(&server, "risk_zones")
        .iter()
        .filter(|zone| zone["properties"]["hazard"] == "landslide")
        .map(shape)
        .collect();
    assert!(!zones.is_empty());
    let inside = features(&server, "shelters")
        .iter()
        .map(shape)
        .filter(|shelter| zones.iter().any(|zone| zone.intersects(shelter)))
        .count();
    assert!((3..=10).contains(&inside), "{inside}");
}

#[test]
fn incidents_warnings_and_readings_of_a_new_sample_are_current() {
    let (_folder, server) = Server::of_sample();
    let now = onemap::clock::now();
    let time =
        |feature: &Json, field: &str| feature["properties"][field].as_str().and_then(onemap::model::parse_instant);
    let incidents = features(&server, "incidents");
    let is_running = |feature: &&Json| {
        feature["properties"]["status"] != "closed"
            && time(feature, "started_at").is_some_and(|start| start <= now)
            && time(feature, "expires_at").is_some_and(|end| end > now)
    };
    assert_eq!((incidents.iter().filter(is_running).count(), incidents.len()), (3, 4));
    assert_eq!(features(&server, "warnings").iter().filter(is_running).count(), 2);
    let stations = features(&server, "stations");
    let observed: Vec<_> = stations.iter().filter_map(|station| time(station, "observed_at")).collect();
    assert!(observed.len() > stations.len() / 2);
    assert!(observed.iter().all(|at| *at <= now && now - *at < time::Duration::hours(2)));
    for feature in incidents.iter().chain(&stations) {
        assert!(time(feature, "updated_at").is_some_and(|at| at <= now), "{feature}");
    }
}
