//! The command line: what goes in, what comes out, what it says when it cannot.

use serde_json::{Value as Json, json};

use crate::support::{Folder, Server, foreign, run, run_well};

#[expect(clippy::needless_pass_by_value, reason = "callers write the properties in place")]
fn feature(id: &str, lon: f64, lat: f64, properties: Json) -> Json {
    json!({"type": "Feature", "id": id, "properties": properties, "geometry": {"type": "Point", "coordinates": [lon, lat]}})
}

fn collection(features: &[Json]) -> String {
    json!({"type": "FeatureCollection", "features": features}).to_string()
}

/// Runs an import and answers its exit code and its log.
fn import(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(folder, &[&["import"], arguments].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn exported(folder: &Folder, layer: &str) -> Vec<Json> {
    run_well(folder, &["export", "--layer", layer, "-o", "out.geojson"]);
    let text = std::fs::read(folder.file("out.geojson")).expect("the exported file");
    match serde_json::from_slice::<Json>(&text).expect("JSON")["features"].take() {
        Json::Array(features) => features,
        other => panic!("{other}"),
    }
}

#[test]
fn every_shape_of_geojson_is_read() {
    let one = feature("a", 118.8, 26.2, json!({"name": "甲"}));
    let other = feature("b", 118.9, 26.2, json!({"name": "乙"}));
    for (content, expected) in [
        (collection(&[one.clone(), other.clone()]), 2),
        (format!("\u{feff}{}", collection(&[one.clone(), other.clone()])), 2),
        (json!([one, other]).to_string(), 2),
        (one.to_string(), 1),
        (format!("{one}\n{other}\n"), 2),
        (format!("\u{1e}{one}\n\u{1e}{other}\n"), 2),
        (collection(&[]), 0),
    ] {
        let folder = Folder::new();
        folder.write("in.geojson", &content);
        run_well(&folder, &["import", "in.geojson", "--layer", "villages"]);
        let found = exported(&folder, "villages");
        assert_eq!(found.len(), expected, "{content}");
        assert!(found.iter().all(|feature| feature["properties"]["source"] == "in.geojson"));
    }
}

#[test]
fn bad_rows_are_named_and_nothing_is_stored_without_leave() {
    let folder = Folder::new();
    let rows = [
        feature("good", 118.8, 26.2, json!({"population": 120})),
        feature("swapped", 26.2, 118.8, json!({})),
        feature("negative", 118.8, 26.2, json!({"population": -1})),
        feature("words", 118.8, 26.2, json!({"population": "many"})),
        feature("good", 118.8, 26.2, json!({})),
        json!({"type": "Feature", "id": "line", "properties": {}, "geometry": {"type": "LineString", "coordinates": [[118, 26], [119, 26]]}}),
        json!({"type": "Feature", "id": "broken", "properties": {}, "geometry": {"type": "Point", "coordinates": ["x"]}}),
    ];
    let lines: Vec<String> = rows.iter().map(Json::to_string).collect();
    folder.write("in.ndjson", lines.join("\n"));
    let (code, log) = import(&folder, &["in.ndjson", "--layer", "villages"]);
    assert_eq!(code, Some(3), "{log}");
    for words in [
        "did you mean 118.8,26.2?",
        "row=2",
        "line=3",
        "-1 is outside 0..=",
        "not a whole number",
        "same id",
        "holds point features",
        "row=7",
    ] {
        assert!(log.contains(words), "{words:?} is missing: {log}");
    }
    assert!(!folder.file("onemap.gpkg").exists(), "nothing was to be stored");
    let (code, log) = import(&folder, &["in.ndjson", "--layer", "villages", "--skip-bad"]);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(exported(&folder, "villages").len(), 1);
}

#[test]
fn coordinates_are_converted_at_the_door() {
    let folder = Folder::new();
    // The county seat in each system, by PROJ.
    for (crs, x, y) in [
        ("EPSG:4549", 385_976.626, 2_901_931.580),
        ("EPSG:4528", 40_385_976.626, 2_901_931.580),
        ("EPSG:3857", 13_231_323.356, 3_026_602.676),
        ("wgs84", 118.859, 26.222),
    ] {
        folder.write("in.geojson", feature("seat", x, y, json!({})).to_string());
        run_well(&folder, &["import", "in.geojson", "--layer", "key_places", "--crs", crs, "--replace"]);
        let place = exported(&folder, "key_places")[0]["geometry"]["coordinates"].clone();
        let (lon, lat) = (place[0].as_f64().expect("a number"), place[1].as_f64().expect("a number"));
        assert!((lon - 118.859).abs() < 1e-8 && (lat - 26.222).abs() < 1e-8, "{crs}: {lon},{lat}");
    }
    let (code, log) = import(&folder, &["in.geojson", "--layer", "key_places", "--crs", "EPSG:9999"]);
    assert!(code == Some(1) && log.contains("EPSG:9999") && log.contains("gcj02"), "{log}");
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = Folder::new();
    folder.write("broken.fgb", b"fgb\x03fgb\x00\xff\xff\xff\x7f");
    folder.write("text.fgb", "no flatgeobuf");
    folder.write("gbk.geojson", b"{\"type\":\"Feature\",\"name\":\"\xc3\xf6\xc7\xe5\"}");
    folder.write("cut.geojson", "{\"type\":\"FeatureCollection\",\"features\":[");
    folder.write("sheet.docx", "");
    for (file, words) in [
        ("broken.fgb", "is not FlatGeobuf"),
        ("text.fgb", "is not FlatGeobuf"),
        ("gbk.geojson", "not UTF-8 from byte"),
        ("cut.geojson", "is not GeoJSON"),
        ("sheet.docx", "accepted: .geojson"),
        ("absent.geojson", "No such file"),
    ] {
        let (code, log) = import(&folder, &[file, "--layer", "villages"]);
        assert!(code == Some(1) && log.contains(file) && log.contains(words), "{file}: {log}");
    }
    let (code, log) = import(&folder, &["cut.geojson", "--layer", "nope"]);
    assert!(code == Some(1) && log.contains("nope") && log.contains("hazards"), "{log}");
    let (code, log) = import(&folder, &["cut.geojson", "--layer", "villages", "--column", "nope=x"]);
    assert!(code == Some(1) && log.contains("nope") && log.contains("population"), "{log}");
    assert!(!folder.file("onemap.gpkg").exists());
}

#[test]
fn a_truncated_flatgeobuf_is_refused_whole() {
    let folder = Folder::new();
    let whole = std::fs::read(crate::support::project().join("data/minqing/villages.fgb")).expect("the sample");
    folder.write("cut.fgb", &whole[..whole.len() - 500]);
    let (code, log) = import(&folder, &["cut.fgb", "--layer", "villages"]);
    assert!(code == Some(3) && log.contains("breaks off"), "{log}");
    assert!(!folder.file("onemap.gpkg").exists());
}

#[test]
fn what_is_exported_comes_back_the_same_and_gdal_reads_it() {
    let (folder, server) = Server::of_sample();
    drop(server);
    for layer in ["shelters", "risk_zones", "incidents", "depots"] {
        let truth = exported(&folder, layer);
        run_well(&folder, &["export", "--layer", layer, "-o", "out.fgb"]);
        let listed = foreign("ogrinfo", &["-ro", "-so", "-al", &folder.file("out.fgb").display().to_string()]);
        assert!(listed.contains(&format!("Feature Count: {}", truth.len())), "{listed}");
        for file in ["out.fgb", "out.geojson"] {
            let copy = format!("{layer}-{file}.gpkg");
            run_well(&folder, &["import", file, "--layer", layer, "--store", &copy]);
            run_well(&folder, &["export", "--layer", layer, "-o", "again.geojson", "--store", &copy]);
            let again: Json =
                serde_json::from_slice(&std::fs::read(folder.file("again.geojson")).expect("the file")).expect("JSON");
            assert_eq!(again["features"], json!(truth), "{layer} through {file}");
        }
    }
}

#[test]
fn a_place_that_cannot_be_used_is_named() {
    let (folder, server) = Server::of_sample();
    let taken = server.url.trim_start_matches("http://").to_owned();
    let other = Folder::new();
    let output = run(&other, &["serve", "--listen", &taken]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains(&taken) && said.contains("--listen"), "{said}");
    assert_eq!(std::fs::read_dir(other.path()).expect("a folder").count(), 0, "a store was made all the same");
    for store in ["/proc/onemap.gpkg", "/nowhere/onemap.gpkg"] {
        let output = run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", store]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(store), "{said}");
    }
    let output = run(&folder, &["serve", "--listen", "everywhere"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn help_shows_examples_and_stopping_is_orderly() {
    let folder = Folder::new();
    for arguments in [&["--help"][..], &["serve", "--help"], &["import", "--help"], &["export", "--help"]] {
        let output = run(&folder, arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("Examples:"), "{said}");
    }
    let server = Server::start(&folder, &[]);
    assert!(server.process_id() > 0);
    assert_eq!(server.stop(), Some(0));
    assert!(!folder.file("onemap.gpkg-wal").exists(), "the log was folded into the file");
}
