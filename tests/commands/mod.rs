//! The command line: import, export, messages and exit codes.

mod cap;
mod check;
mod formats;
mod large_files;
mod log;
mod osm;
mod reports;
mod round_trips;
mod shapefiles;
mod tables;
mod workbooks;

use serde_json::{Value as Json, json};

use crate::support::{Folder, Server, foreign, run, run_well};

#[expect(clippy::needless_pass_by_value, reason = "callers write the properties in place")]
fn feature(id: &str, lon: f64, lat: f64, properties: Json) -> Json {
    json!({"type": "Feature", "id": id, "properties": properties, "geometry": {"type": "Point", "coordinates": [lon, lat]}})
}

fn collection(features: &[Json]) -> String {
    json!({"type": "FeatureCollection", "features": features}).to_string()
}

/// Runs an import and returns its exit code and log.
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
fn invalid_rows_are_reported_and_nothing_is_stored_without_skip_bad() {
    let folder = Folder::new();
    let rows = [
        feature("good", 118.8, 26.2, json!({"name": "甲", "population": 120})),
        feature("swapped", 26.2, 118.8, json!({"name": "甲"})),
        feature("negative", 118.8, 26.2, json!({"name": "甲", "population": -1})),
        feature("words", 118.8, 26.2, json!({"name": "甲", "population": "many"})),
        feature("good", 118.8, 26.2, json!({"name": "甲"})),
        json!({"type": "Feature", "id": "line", "properties": {"name": "甲"}, "geometry": {"type": "LineString", "coordinates": [[118, 26], [119, 26]]}}),
        feature("nameless", 118.8, 26.2, json!({"name": " "})),
        json!({"type": "Feature", "id": "placeless", "properties": {"name": "甲"}, "geometry": null}),
        json!({"type": "Feature", "id": "broken", "properties": {"name": "甲"}, "geometry": {"type": "Point", "coordinates": ["x"]}}),
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
        "is not a number",
        "same id",
        "contains point features",
        "it has no name",
        "it has no place",
        "row=9",
    ] {
        assert!(log.contains(words), "{words:?} is missing: {log}");
    }
    assert!(!folder.file("onemap.gpkg").exists(), "nothing is stored");
    let (code, log) = import(&folder, &["in.ndjson", "--layer", "villages", "--skip-bad"]);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(exported(&folder, "villages").len(), 1);
}

#[test]
fn coordinates_are_converted_on_import() {
    let folder = Folder::new();
    // The county seat in each reference system, by PROJ.
    for (crs, x, y) in [
        ("EPSG:4549", 385_976.626, 2_901_931.580),
        ("EPSG:4528", 40_385_976.626, 2_901_931.580),
        ("EPSG:3857", 13_231_323.356, 3_026_602.676),
        ("wgs84", 118.859, 26.222),
    ] {
        folder.write("in.geojson", feature("seat", x, y, json!({"name": "县城"})).to_string());
        run_well(&folder, &["import", "in.geojson", "--layer", "key_places", "--crs", crs, "--update"]);
        let place = exported(&folder, "key_places")[0]["geometry"]["coordinates"].clone();
        let (lon, lat) = (place[0].as_f64().expect("a number"), place[1].as_f64().expect("a number"));
        assert!((lon - 118.859).abs() < 1e-8 && (lat - 26.222).abs() < 1e-8, "{crs}: {lon},{lat}");
    }
    let (code, log) = import(&folder, &["in.geojson", "--layer", "key_places", "--crs", "EPSG:9999"]);
    assert!(code == Some(1) && log.contains("EPSG:9999") && log.contains("gcj02"), "{log}");
}

#[test]
fn the_reference_system_of_a_geojson_is_used_or_refused() {
    let folder = Folder::new();
    let file = |crs: Json, x: f64, y: f64| {
        let mut file = json!({"type": "FeatureCollection", "name": "p", "xy_coordinate_resolution": 1e-9,
            "features": [feature("seat", x, y, json!({"name": "县城"}))]});
        file["features"][0]["bbox"] = json!([x, y, x, y]);
        file["features"][0]["style"] = json!({"colour": "red"});
        file["crs"] = crs;
        folder.write("in.geojson", file.to_string());
    };
    let named = |name: &str| json!({"type": "name", "properties": {"name": name}});
    let (lon, lat) = (118.859, 26.222);
    for (crs, x, y) in [
        (named("urn:ogc:def:crs:OGC:1.3:CRS84"), lon, lat),
        (named("urn:ogc:def:crs:OGC::CRS84"), lon, lat),
        (named("urn:ogc:def:crs:EPSG::4490"), lon, lat),
        (named("urn:ogc:def:crs:EPSG:6.9:4326"), lon, lat),
        (named("EPSG:4326"), lon, lat),
        (named("http://www.opengis.net/def/crs/OGC/1.3/CRS84"), lon, lat),
        (named("https://www.opengis.net/def/crs/EPSG/0/4490"), lon, lat),
        (named("urn:ogc:def:crs:EPSG::4549"), 385_976.626, 2_901_931.580),
        (json!({"type": "EPSG", "properties": {"code": 4549}}), 385_976.626, 2_901_931.580),
        (Json::Null, lon, lat),
    ] {
        file(crs.clone(), x, y);
        run_well(&folder, &["import", "in.geojson", "--layer", "key_places", "--update"]);
        let place = exported(&folder, "key_places")[0]["geometry"]["coordinates"].clone();
        let (found_lon, found_lat) = (place[0].as_f64().expect("a number"), place[1].as_f64().expect("a number"));
        assert!((found_lon - lon).abs() < 1e-8 && (found_lat - lat).abs() < 1e-8, "{crs}: {place}");
    }
    for (crs, words) in [
        (named("urn:ogc:def:crs:EPSG::2437"), "urn:ogc:def:crs:EPSG::2437"),
        (named("Xian 1980"), "Xian 1980"),
        (json!({"type": "link", "properties": {"href": "http://example.org/crs"}}), "example.org"),
    ] {
        file(crs, lon, lat);
        let (code, log) = import(&folder, &["in.geojson", "--layer", "key_places", "--update"]);
        assert!(code == Some(1) && log.contains(words) && log.contains("EPSG:4490"), "{log}");
    }
}

#[test]
fn an_import_refuses_what_a_put_refuses() {
    let folder = Folder::new();
    let ring = |corners: &[[f64; 2]]| json!({"type": "Polygon", "coordinates": [corners]});
    let area = |id: &str, geometry: Json, properties: Json| json!({"type": "Feature", "id": id, "geometry": geometry, "properties": properties});
    let square = [[118.7, 26.1], [118.8, 26.1], [118.8, 26.2], [118.7, 26.2], [118.7, 26.1]];
    let bow = [[118.7, 26.1], [118.8, 26.2], [118.8, 26.1], [118.7, 26.2], [118.7, 26.1]];
    let unset = [[118.7, 26.1], [118.8, 26.1], [0.0, 0.0], [118.7, 26.2], [118.7, 26.1]];
    let across = [[110.0, 20.0], [130.0, 20.0], [130.0, 30.0], [110.0, 30.0], [110.0, 20.0]];
    let far = [[10.0, 50.0], [11.0, 50.0], [11.0, 51.0], [10.0, 50.0]];
    folder.write(
        "areas.geojson",
        collection(&[
            area("good", ring(&square), json!({"name": "甲", "hazard": "flood", "risk_level": 2})),
            area("labels", ring(&square), json!({"name": "乙", "hazard": "滑坡", "risk_level": "重大风险"})),
            area("across", ring(&across), json!({"name": "丙"})),
            area("bow", ring(&bow), json!({"name": "丁"})),
            area("unset", ring(&unset), json!({"name": "戊"})),
            area("far", ring(&far), json!({"name": "己"})),
            area("code", ring(&square), json!({"name": "庚", "hazard": "flod"})),
            area("rank", ring(&square), json!({"name": "辛", "risk_level": 5})),
        ]),
    );
    let (code, log) = import(&folder, &["areas.geojson", "--layer", "risk_zones"]);
    assert!(code == Some(3) && !folder.file("onemap.gpkg").exists(), "{log}");
    for words in [
        "row=4",
        "not valid",
        "row=5",
        "never set",
        "row=6",
        "km outside ",
        "--anywhere",
        "row=7",
        "flod",
        "debris_flow",
        "row=8",
        "refused=5",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let (code, log) = import(&folder, &["areas.geojson", "--layer", "risk_zones", "--skip-bad"]);
    assert_eq!(code, Some(0), "{log}");
    let stored = exported(&folder, "risk_zones");
    assert_eq!(stored.len(), 3);
    let labels = stored.iter().find(|feature| feature["id"] == "labels").expect("the feature");
    assert_eq!(
        (&labels["properties"]["hazard"], &labels["properties"]["risk_level"]),
        (&json!("landslide"), &json!(1))
    );
}

#[test]
fn an_import_refuses_distant_positions_and_people_over_capacity_and_logs_no_secret() {
    let folder = Folder::new();
    let shelter = |id: &str, lon: f64, lat: f64, more: Json| {
        let mut properties = json!({"name": id});
        properties.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        feature(id, lon, lat, properties)
    };
    folder.write(
        "shelters.geojson",
        collection(&[
            shelter("near", 119.3, 26.08, json!({"capacity": 10, "occupancy": 10, "promised": 3})),
            shelter("zero", 0.0, 0.0, json!({})),
            shelter("far", 26.22, 18.86, json!({})),
            shelter("promised", 118.8, 26.2, json!({"capacity": 10, "promised": 11})),
            shelter("full", 118.8, 26.2, json!({"capacity": 10, "occupancy": 12})),
            shelter("secret", 118.8, 26.2, json!({"phone": {"of": "13812345678"}})),
        ]),
    );
    let (code, log) = import(&folder, &["shelters.geojson", "--layer", "shelters"]);
    assert_eq!(code, Some(3), "{log}");
    for words in ["row=2", "row=3", "row=4", "11 people exceed the capacity of 10", "row=5", "row=6", "refused=5"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(!log.contains("13812345678") && log.contains("phone"), "{log}");
    let (code, log) = import(&folder, &["shelters.geojson", "--layer", "shelters", "--anywhere"]);
    assert!(code == Some(3) && log.contains("refused=3"), "{log}");
}

#[test]
fn a_file_without_any_field_of_the_layer_is_refused() {
    let folder = Folder::new();
    folder.write("in.geojson", feature("a", 118.8, 26.2, json!({"甲": "县城", "乙": 5})).to_string());
    let (code, log) = import(&folder, &["in.geojson", "--layer", "shelters"]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("甲") && log.contains("乙") && log.contains("capacity") && log.contains("--column"), "{log}");
    assert!(!folder.file("onemap.gpkg").exists());
    let (code, log) = import(&folder, &["in.geojson", "--layer", "shelters", "--column", "甲=name"]);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(exported(&folder, "shelters")[0]["properties"]["name"], "县城");
}

#[test]
fn an_unreadable_file_is_reported_with_the_reason() {
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
    assert!(code == Some(3) && log.contains("ends unexpectedly"), "{log}");
    assert!(!folder.file("onemap.gpkg").exists());
}

#[test]
fn an_export_is_imported_unchanged_and_read_by_gdal() {
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
fn an_unusable_store_or_port_is_named() {
    let (folder, server) = Server::of_sample();
    let taken = server.url.trim_start_matches("http://").to_owned();
    let other = Folder::new();
    let output = run(&other, &["serve", "--listen", &taken]);
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && printed.contains(&taken) && printed.contains("--listen"), "{printed}");
    assert_eq!(std::fs::read_dir(other.path()).expect("a folder").count(), 0, "a store was created");
    foreign("mkfifo", &[&folder.file("pipe.gpkg").display().to_string()]);
    for (store, reason) in [
        ("/proc/onemap.gpkg", "os error"),
        ("/nowhere/onemap.gpkg", "No such file"),
        ("pipe.gpkg", "is a pipe"),
        (".", "is a directory"),
        ("postgress://me:secret@localhost/map", "unknown scheme \"postgress\""),
        ("mysql://me:secret@localhost/map", "unknown scheme \"mysql\""),
    ] {
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["export", "--layer", "teams", "-o", "x.fgb"]] {
            let output = run(&folder, &[command, &["--store", store]].concat());
            let printed = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(1) && printed.contains(reason), "{store}: {printed}");
            assert!(!printed.contains("secret") && printed.matches(reason).count() == 1, "{store}: {printed}");
            assert!(store.contains("://") || printed.contains(store), "{printed}");
            let output = run(&folder, &[&["--json"], command, &["--store", store]].concat());
            let last = String::from_utf8_lossy(&output.stderr).lines().last().map(str::to_owned).expect("a line");
            let last: Json = serde_json::from_str(&last).expect("the final error is JSON");
            assert!(last["level"] == "ERROR" && last["fields"]["message"].as_str().is_some_and(|m| m.contains(reason)));
        }
    }
    let wrong = run(&folder, &["--json", "serve", "--listen", "everywhere"]);
    let line: Json = serde_json::from_slice(&wrong.stderr).expect("wrong usage is reported as JSON");
    assert!(wrong.status.code() == Some(2) && line["level"] == "ERROR", "{line}");
    let output = run(&folder, &["serve", "--listen", "everywhere"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn help_shows_examples_and_shutdown_is_graceful() {
    let folder = Folder::new();
    for arguments in [&["--help"][..], &["serve", "--help"], &["import", "--help"], &["export", "--help"]] {
        let output = run(&folder, arguments);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && printed.contains("Examples:"), "{printed}");
    }
    for sent in ["-TERM", "-INT", "-HUP"] {
        let server = Server::start(&folder, &[]);
        assert!(server.process_id() > 0);
        assert_eq!(server.stop_by(sent), Some(0), "{sent}");
        assert!(!folder.file("onemap.gpkg-wal").exists(), "the write-ahead log was copied into the file");
    }
}

/// Permission bits of a file or directory.
fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

#[test]
fn the_first_log_is_short_and_has_no_secret_and_files_are_private() {
    let folder = Folder::new();
    let url = crate::support::database::fresh_database();
    for (store, token) in [("onemap.gpkg", "onemap.gpkg.token"), (url.as_str(), "onemap.token")] {
        let (server, log) = Server::start_with_log(&folder, &["--store", store, "--listen", "localhost:0"]);
        let secret = std::fs::read_to_string(folder.file(token)).expect("a token");
        assert!(!log.contains(secret.trim()) && log.contains(token), "{log}");
        assert!(log.lines().all(|line| line.len() < 600) && !log.contains("CREATE TABLE"), "{log}");
        for line in log.lines() {
            let line: Json = serde_json::from_str(line).expect("JSON");
            assert!(line["target"].as_str().is_some_and(|target| target.starts_with("onemap")), "{line}");
            let seconds = line["fields"]["seconds"].to_string();
            assert!(seconds.split_once('.').is_none_or(|(_, digits)| digits.len() <= 2), "{line}");
        }
        if store == url {
            crate::support::await_that("the disk cache", || {
                let copies = std::fs::read_dir(folder.file("onemap-cache")).map(std::iter::Iterator::count);
                copies.is_ok_and(|count| count > 0)
            });
            assert_eq!(mode(&folder.file("onemap-cache")), 0o700);
        }
        assert_eq!(mode(&folder.file(token)), 0o600);
        drop(server);
    }
    run_well(&folder, &["export", "--layer", "teams", "-o", "teams.fgb"]);
    for entry in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
        let is_folder = entry.path().is_dir();
        assert_eq!(mode(&entry.path()), if is_folder { 0o700 } else { 0o600 }, "{}", entry.path().display());
    }
}

#[test]
fn a_token_file_readable_by_others_is_made_private_and_a_writable_one_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let file = folder.write("onemap.gpkg.token", "0123456789abcdef0123456789abcdef\n");
    let give = |mode: u32| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("permissions");
    for open in [0o644, 0o640, 0o604] {
        give(open);
        let (server, log) = Server::start_with_log(&folder, &["--empty"]);
        assert!(log.contains("others could read the token file"), "{log}");
        assert_eq!(mode(&file), 0o600);
        drop(server);
    }
    for open in [0o666, 0o620, 0o602] {
        give(open);
        let output = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(1) && printed.contains("others may write") && printed.contains("chmod 600"),
            "{printed}"
        );
    }
    crate::support::foreign("mkfifo", &[&folder.file("pipe").display().to_string()]);
    let output = run(&folder, &["serve", "--listen", "127.0.0.1:0", "--token-file", "pipe"]);
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && printed.contains("no regular file"), "{printed}");
}

#[test]
fn other_machines_are_let_in_only_with_consent() {
    let folder = Folder::new();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let output = run(&folder, &["serve", "--listen", address]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("--insecure-public") && message.contains("no login"), "{message}");
        assert!(!folder.file("onemap.gpkg").exists(), "nothing is created");
    }
    let (server, _) = Server::start_with_log(&folder, &["--listen", "0.0.0.0:0", "--insecure-public"]);
    assert_eq!(server.get("/health/live").status, 200);
    assert_eq!(server.stop(), Some(0));
}
