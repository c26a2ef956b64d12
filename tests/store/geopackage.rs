//! The GeoPackage backend: valid for GDAL, safe against power loss, and other files are refused.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::support::{Folder, Server, await_that, foreign, onemap, run, run_well};

#[test]
fn gdal_opens_every_layer_without_a_warning() {
    let (folder, server) = Server::of_sample();
    let path = folder.file("onemap.gpkg").display().to_string();
    let listed = foreign("ogrinfo", &["-ro", "-so", "-al", &path]);
    assert!(!listed.contains("Warning ") && !listed.contains("ERROR"), "{listed}");
    let catalog = server.get("/api/layers").json();
    for layer in catalog["layers"].as_array().expect("layers") {
        let (id, count, title) =
            (layer["id"].as_str().expect("an id"), &layer["count"], layer["title"]["zh"].as_str().expect("a title"));
        let one = foreign("ogrinfo", &["-ro", "-so", &path, id]);
        assert!(one.contains(&format!("Feature Count: {count}")), "{id}: {one}");
        assert!(one.contains(&format!("IDENTIFIER={title}")), "{id}: {one}");
    }
    let names = foreign("ogrinfo", &["-ro", &path, "townships", "-where", "id = '350124100000'"]);
    assert!(names.contains("name (String) = 梅城镇"), "{names}");
    let schema = foreign("ogrinfo", &["-ro", "-so", &path, "shelters"]);
    assert!(schema.contains("status: String (0.0), domain name=shelter_status"), "{schema}");
    assert!(schema.contains("fits: String(JSON)") && schema.contains("for_frail: Integer(Boolean)"), "{schema}");
}

#[test]
fn the_validator_of_gdal_finds_nothing() {
    let (folder, server) = Server::of_sample();
    assert_eq!(server.stop(), Some(0));
    let path = folder.file("onemap.gpkg").display().to_string();
    let program = "import sys\nfrom osgeo_utils.samples import validate_gpkg\nsys.exit(validate_gpkg.main(['validate_gpkg', '-k', '-q', sys.argv[1]]))";
    foreign("/usr/bin/python3", &["-c", program, &path]);
}

/// Many points, one feature per line.
fn points(folder: &Folder, name: &str, count: u32) {
    let lines: Vec<String> = (0..count)
        .map(|n| {
            let (lon, lat) = (118.5 + f64::from(n % 1000) / 2000.0, 26.0 + f64::from(n / 1000) / 2000.0);
            json!({"type": "Feature", "id": format!("v{n:06}"), "properties": {"name": format!("第{n}村")},
                "geometry": {"type": "Point", "coordinates": [lon, lat]}})
            .to_string()
        })
        .collect();
    folder.write(name, lines.join("\n"));
}

/// Starts an import and kills it at the first log line that contains the word.
fn import_killed_at(folder: &Folder, word: &str) {
    let mut child = onemap(folder, &["--json", "import", "points.geojsonl", "--layer", "villages"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let log = BufReader::new(child.stderr.take().expect("a log"));
    let reached = log.lines().map_while(Result::ok).any(|line| line.contains(word));
    child.kill().expect("the program can be killed");
    child.wait().expect("the program has ended");
    assert!(reached, "the import did not log {word:?}");
}

fn villages(folder: &Folder) -> u64 {
    let server = Server::start(folder, &[]);
    server.get("/ogc/collections/villages/items?limit=1").json()["numberMatched"].as_u64().expect("a count")
}

#[test]
fn an_acknowledged_write_survives_a_kill() {
    let folder = Folder::new();
    points(&folder, "points.geojsonl", 20_000);
    run_well(&folder, &["import", "--layer", "villages", "points.geojsonl", "--dry-run"]);
    // With the file open in a server, which is killed as well.
    let server = Server::start(&folder, &["--empty"]);
    import_killed_at(&folder, "\"message\":\"stored\"");
    server.kill();
    assert_eq!(villages(&folder), 20_000);
}

#[test]
fn a_killed_import_leaves_all_or_nothing() {
    let folder = Folder::new();
    points(&folder, "points.geojsonl", 60_000);
    Server::start(&folder, &["--empty"]).kill();
    import_killed_at(&folder, "store opened");
    let left = villages(&folder);
    assert!(left == 0 || left == 60_000, "{left}");
}

#[test]
fn a_killed_first_start_leaves_no_partial_store() {
    let folder = Folder::new();
    folder.write("onemap.gpkg.unfinished", "left by a power cut");
    let server = Server::start(&folder, &[]);
    assert_eq!(server.get("/health/ready").status, 200);
    assert!(!folder.file("onemap.gpkg.unfinished").exists());
}

#[test]
fn an_import_shows_up_in_a_running_server() {
    let folder = Folder::new();
    points(&folder, "points.geojsonl", 3);
    let server = Server::start(&folder, &["--empty"]);
    let nothing = server.get("/tiles/villages/14/13585/6965");
    run_well(&folder, &["import", "points.geojsonl", "--layer", "villages"]);
    await_that("the import", || server.get("/ogc/collections/villages/items").json()["numberMatched"] == json!(3));
    assert_ne!(server.get("/tiles/villages/14/13585/6965").body, nothing.body);
}

#[test]
fn other_files_are_refused_and_unchanged() {
    let folder = Folder::new();
    let plain = "create table t (a)";
    foreign(
        "python3",
        &[
            "-c",
            "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])",
            &folder.file("plain.db").display().to_string(),
            plain,
        ],
    );
    folder.write("text.gpkg", "this is no database");
    for (file, reason) in [("text.gpkg", "not an SQLite database"), ("plain.db", "GeoPackage application id")] {
        let before = std::fs::read(folder.file(file)).expect("the file");
        let output = run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", file]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(
            message.contains(file) && message.contains("not a GeoPackage") && message.contains(reason),
            "{message}"
        );
        assert_eq!(std::fs::read(folder.file(file)).expect("the file"), before, "{file} was changed");
    }
}

#[test]
fn other_than_regular_files_are_refused_and_new_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let (pipe, inner) = (folder.file("pipe"), folder.file("inner"));
    foreign("mkfifo", &[&pipe.display().to_string()]);
    std::fs::create_dir(&inner).expect("a folder");
    for (path, words) in [(pipe, "names a regular file"), (inner, "is a directory")] {
        let output = run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", &path.display().to_string()]);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && log.contains(words), "{log}");
    }
    let server = Server::start(&folder, &[]);
    assert_eq!(server.get("/health/ready").status, 200);
    for name in ["onemap.gpkg", "onemap.gpkg-wal", "onemap.gpkg.token"] {
        let mode = std::fs::metadata(folder.file(name)).expect(name).permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    drop(server);
    foreign("chmod", &["666", &folder.file("onemap.gpkg.token").display().to_string()]);
    let output = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && log.contains("chmod 600"), "{log}");
}

#[test]
fn a_geopackage_of_another_program_keeps_its_own_layers() {
    let folder = Folder::new();
    folder.write(
        "roads.geojson",
        r#"{"type":"Feature","properties":{"n":1},"geometry":{"type":"Point","coordinates":[118.8,26.2]}}"#,
    );
    let (source, path) =
        (folder.file("roads.geojson").display().to_string(), folder.file("theirs.gpkg").display().to_string());
    foreign("ogr2ogr", &["-f", "GPKG", &path, &source, "-nln", "reservoirs"]);
    let server = Server::start(&folder, &["--store", "theirs.gpkg"]);
    assert_eq!(server.get("/api/layers").json()["layers"].as_array().map(Vec::len), Some(22));
    assert_eq!(server.stop(), Some(0));
    let listed = foreign("ogrinfo", &["-ro", "-so", &path, "reservoirs"]);
    assert!(listed.contains("Feature Count: 1"), "{listed}");
}

#[test]
fn features_appended_by_ogr2ogr_appear_on_the_running_map() {
    let (folder, server) = Server::of_sample();
    let before = server.get("/ogc/collections/shelters/items?limit=1").json()["numberMatched"].as_u64();
    let source = folder.write(
        "new.geojson",
        r#"{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"id": "new-1", "name": "乡中心小学"},
            "geometry": {"type": "Point", "coordinates": [118.75, 26.3]}}]}"#,
    );
    let (store, source) = (folder.file("onemap.gpkg").display().to_string(), source.display().to_string());
    foreign("ogr2ogr", &["-update", "-append", &store, &source, "-nln", "shelters"]);
    await_that("the new shelter", || server.get("/ogc/collections/shelters/items/new-1").status == 200);
    let nearest = server.get("/api/nearest?point=118.75,26.3&layer=shelters&k=1&status=any").json();
    assert_eq!(nearest["features"][0]["properties"]["name"], "乡中心小学");
    let after = server.get("/ogc/collections/shelters/items?limit=1").json()["numberMatched"].as_u64();
    assert_eq!(after, before.map(|count| count + 1));
}

#[test]
fn a_file_with_a_spatial_index_takes_writes_from_every_program() {
    let (folder, server) = Server::of_sample();
    assert_eq!(server.stop(), Some(0));
    let (ours, theirs) = (folder.file("onemap.gpkg").display().to_string(), folder.file("theirs.gpkg"));
    let theirs = theirs.display().to_string();
    foreign("ogr2ogr", &["-f", "GPKG", &theirs, &ours, "shelters", "-lco", "FID=fid", "-lco", "SPATIAL_INDEX=YES"]);
    let server = Server::start(&folder, &["--store", &theirs]);
    let token = std::fs::read_to_string(folder.file("theirs.gpkg.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let headers = [("Authorization", &*authorization), ("Content-Type", "application/json")];
    let feature = r#"{"id": "X-1", "geometry": {"type": "Point", "coordinates": [118.8, 26.2]}}"#;
    let made = server.send("POST", "/ogc/collections/shelters/items", &headers, feature);
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    assert!(foreign("ogrinfo", &["-so", &theirs, "shelters"]).contains("Feature Count: 350"));
    let edit = "import sqlite3,sys\nwith sqlite3.connect(sys.argv[1]) as c: c.execute(\"update shelters set name='改' where id='X-1'\")";
    foreign("python3", &["-c", edit, &theirs]);
    let name = || server.get("/ogc/collections/shelters/items/X-1").json()["properties"]["name"].clone();
    await_that("the edit of a program without spatial functions", || name() == "改");
}

#[test]
fn a_file_replaced_during_operation_is_read_again_and_takes_edits() {
    let (folder, server) = Server::of_sample();
    let other = Folder::new();
    points(&other, "points.geojsonl", 7);
    run_well(&other, &["import", "points.geojsonl", "--layer", "villages"]);
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let headers = [("Authorization", &*authorization), ("Content-Type", "application/json")];
    let post = |id: &str| {
        let feature = format!(r#"{{"id": "{id}", "geometry": null}}"#);
        server.send("POST", "/ogc/collections/villages/items", &headers, &feature).status
    };
    assert_eq!(post("before"), 201);
    let (away, place) = (folder.file("away.gpkg"), folder.file("onemap.gpkg"));
    std::fs::rename(&place, &away).expect("moved away");
    assert_eq!(post("nowhere"), 503, "no write goes to a moved file");
    await_that("the missing file is reported", || server.get("/health/ready").status == 503);
    std::fs::rename(other.file("onemap.gpkg"), &place).expect("another file at the path");
    let count = || server.get("/ogc/collections/villages/items").json()["numberMatched"].clone();
    await_that("the other file's villages", || count() == 7);
    assert_eq!(post("after"), 201);
    assert_eq!(server.stop(), Some(0));
    assert!(foreign("ogrinfo", &["-so", &place.display().to_string(), "villages"]).contains("Feature Count: 8"));
    let check =
        "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('pragma integrity_check').fetchone()[0])";
    assert_eq!(foreign("python3", &["-c", check, &place.display().to_string()]).trim(), "ok");
}
