//! Random features written in each format and read back.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value as Json, json};

use super::collection;
use crate::support::{Folder, run_well};

/// Names with what formats quote, escape or cut: no blanks at their ends, which tables trim.
const NAME: &str = r#"[一-三a-zA-Z0-9=+@"',;&<>|🏫é][一-三a-z "',;&<>\n|🏫=é-]{0,12}[一-三a-z0-9"'&<>🏫é]"#;

fn feature() -> impl Strategy<Value = Json> {
    let number = prop_oneof![Just(Json::Null), (0_i64..1_000_000).prop_map(Json::from)];
    let area = prop_oneof![Just(Json::Null), (0_u32..4_000_000).prop_map(|area| json!(area))];
    let status = prop::sample::select(vec![Json::Null, json!("standby"), json!("full"), json!("open")]);
    let fits = prop::sample::select(vec![Json::Null, json!(["flood"]), json!(["flood", "landslide"])]);
    let flag = prop::sample::select(vec![Json::Null, json!(true), json!(false)]);
    let time = prop_oneof![
        Just(Json::Null),
        (0_u32..28, 0_u32..24, 0_u32..60)
            .prop_map(|(day, hour, minute)| json!(format!("2026-08-{:02}T{hour:02}:{minute:02}:00.000Z", day + 1)))
    ];
    let place = (11_852_000_i32..11_900_000, 2_593_000_i32..2_654_000);
    (NAME, number, area, status, fits, flag, time, place).prop_map(
        |(name, capacity, area, status, fits, frail, confirmed, (lon, lat))| {
            json!({"type": "Feature", "properties": {"name": name, "capacity": capacity, "area_m2": area, "status": status,
                "fits": fits, "for_frail": frail, "confirmed_at": confirmed},
                "geometry": {"type": "Point", "coordinates": [f64::from(lon) / 1e5, f64::from(lat) / 1e5]}})
        },
    )
}

#[test]
fn random_features_are_the_same_in_every_format() {
    let folder = Folder::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(feature(), 150);
    let mut features = strategy.new_tree(&mut runner).expect("features").current();
    for (number, feature) in features.iter_mut().enumerate() {
        feature["id"] = json!(format!("s'{number:03}"));
    }
    folder.write("in.geojson", collection(&features));
    run_well(&folder, &["import", "in.geojson", "--layer", "shelters"]);
    let stored = |store: &str| -> Vec<Json> {
        run_well(&folder, &["export", "--layer", "shelters", "-o", "out.geojson", "--store", store]);
        let text = std::fs::read(folder.file("out.geojson")).expect("a file");
        let all: Json = serde_json::from_slice(&text).expect("JSON");
        all["features"].as_array().expect("features").clone()
    };
    let original = stored("onemap.gpkg");
    assert_eq!(original.len(), features.len());
    for (own, given) in original.iter().zip(&features) {
        assert_eq!(own["properties"]["name"], given["properties"]["name"]);
    }
    for ending in ["geojson", "geojsonl", "fgb", "gpkg", "csv", "xlsx", "kml", "shp", "zip"] {
        let (file, store) = (format!("round.{ending}"), format!("round-{ending}.gpkg"));
        run_well(&folder, &["export", "--layer", "shelters", "-o", &file]);
        run_well(&folder, &["import", &file, "--layer", "shelters", "--store", &store]);
        let back = stored(&store);
        assert_eq!(back.len(), original.len(), "{ending}");
        for (own, back) in original.iter().zip(&back) {
            assert_eq!((&own["id"], &own["geometry"]), (&back["id"], &back["geometry"]), "{ending}");
            assert_eq!(own["properties"], back["properties"], "{ending}");
        }
    }
}
