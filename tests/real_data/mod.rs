//! Tests with data of third parties. They run if `ONEMAP_REAL_DATA` names the directory with the data; otherwise each
//! prints that it was skipped.

mod cql2;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::PathBuf;

use onemap::geodesy::LonLat;
use onemap::geodesy::distance::distance_m;
use onemap::geodesy::gcj02::{from_bd09, from_gcj02, to_bd09, to_gcj02};
use serde_json::Value as Json;

use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, chances, run, run_well};

fn real_data(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ONEMAP_REAL_DATA").map(PathBuf::from);
    if folder.is_none() {
        // Bypasses the output capture of the test runner.
        let line = format!("real data is not at hand (ONEMAP_REAL_DATA): {what} was not checked\n");
        std::io::stderr().write_all(line.as_bytes()).expect("standard error");
    }
    folder
}

fn at(lon: f64, lat: f64) -> LonLat {
    LonLat::new(lon, lat).expect("a position")
}

/// Unpacks a file into the directory of a test.
fn unpack(path: &std::path::Path, folder: &Folder, name: &str) -> String {
    let packed = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("gzip");
    folder.write(name, &text);
    text
}

#[test]
fn the_nearest_five_shelters_equal_those_of_postgis() {
    let Some(data) = real_data("nearest against PostGIS") else { return };
    let folder = Folder::new();
    let text = unpack(&data.join("shelters-jp-shikoku/evacuation.geojsonl.gz"), &folder, "shelters.geojsonl");
    run_well(
        &folder,
        &[
            "import",
            "shelters.geojsonl",
            "--layer",
            "shelters",
            "--column",
            "id=共通ID",
            "--column",
            "name=施設・場所名",
            "--anywhere",
        ],
    );
    let server = Server::start(&folder, &[]);
    assert_eq!(server.get("/ogc/collections/shelters/items?limit=1").json()["numberMatched"], 5837);

    let mut chance = chances(5837);
    let points: Vec<(f64, f64)> = (0..200)
        .map(|n| match n % 10 {
            // Some far away: the Pacific, a pole, the other hemisphere.
            0 => (chance() * 360.0 - 180.0, chance() * 180.0 - 90.0),
            _ => (132.0 + chance() * 3.0, 32.6 + chance() * 2.0),
        })
        .collect();
    for (n, expected) in postgis_answers(&text, &points).iter().enumerate() {
        let (lon, lat) = points[n];
        let reply = server.get(&format!("/api/nearest?point={lon},{lat}&layer=shelters&k=5")).json();
        let found: Vec<(&str, f64)> = reply["features"]
            .as_array()
            .expect("features")
            .iter()
            .map(|f| (f["id"].as_str().expect("an id"), f["properties"]["distance_m"].as_f64().expect("metres")))
            .collect();
        let ids = |list: &[(String, f64)]| list.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        assert_eq!(found.iter().map(|(id, _)| (*id).to_owned()).collect::<Vec<_>>(), ids(expected), "from {lon},{lat}");
        for ((_, metres), (_, truth)) in found.iter().zip(expected) {
            assert!((metres - truth).abs() <= 0.000_6, "from {lon},{lat}: {metres} m and {truth} m");
        }
    }
}

/// Fifty candidates by index, then sorted by exact distance and id.
fn postgis_answers(features: &str, points: &[(f64, f64)]) -> Vec<Vec<(String, f64)>> {
    let url = fresh_database();
    let mut sql =
        "CREATE TABLE site (id text COLLATE \"C\" PRIMARY KEY, place geography(Point, 4326));\nCOPY site FROM STDIN;\n"
            .to_owned();
    for line in features.lines() {
        let feature: Json = serde_json::from_str(line).expect("a feature");
        let coordinates = &feature["geometry"]["coordinates"];
        let id = feature["properties"]["共通ID"].as_str().expect("an id");
        writeln!(sql, "{id}\tSRID=4326;POINT({} {})", coordinates[0], coordinates[1]).expect("text");
    }
    sql.push_str("\\.\nCREATE INDEX ON site USING gist (place);\nCREATE TABLE ask (n int, place geography(Point, 4326));\nCOPY ask FROM STDIN;\n");
    for (n, (lon, lat)) in points.iter().enumerate() {
        writeln!(sql, "{n}\tSRID=4326;POINT({lon} {lat})").expect("text");
    }
    sql.push_str(
        "\\.\nSELECT ask.n, near.id, near.metres FROM ask CROSS JOIN LATERAL (
           SELECT id, ST_Distance(close.place, ask.place, true) AS metres
           FROM (SELECT * FROM site ORDER BY site.place <-> ask.place LIMIT 50) AS close
           ORDER BY metres, id LIMIT 5) AS near ORDER BY ask.n, near.metres, near.id;\n",
    );
    let mut answers = vec![Vec::new(); points.len()];
    for row in psql(&url, &sql).lines().filter(|row| !row.is_empty()) {
        let cells: Vec<&str> = row.split('|').collect();
        let n: usize = cells[0].parse().expect("a number");
        answers[n].push((cells[1].to_owned(), cells[2].parse().expect("metres")));
    }
    answers
}

#[test]
fn distances_equal_those_of_geodtest() {
    let Some(data) = real_data("distances against GeodTest") else { return };
    let text = std::fs::read_to_string(data.join("geodesic/GeodTest-100.dat")).expect("the lines");
    let mut checked = 0;
    for line in text.lines() {
        let numbers: Vec<f64> = line.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        let [lat1, lon1, _, lat2, lon2, _, metres, ..] = numbers[..] else { panic!("{line}") };
        let lon2 = (lon2 + 540.0).rem_euclid(360.0) - 180.0;
        let found = distance_m(at(lon1, lat1), at(lon2, lat2));
        assert!((found - metres).abs() < 1e-6, "{line}: {found}");
        checked += 1;
    }
    assert_eq!(checked, 100);
}

#[test]
fn gcj02_and_bd09_equal_published_vectors() {
    let Some(data) = real_data("GCJ-02 and BD-09 against published vectors") else { return };
    let text = std::fs::read_to_string(data.join("gcj02/vectors.csv")).expect("the table");
    let mut checked = 0;
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |at: usize| cells[at].parse::<f64>().expect("a number");
        let (given, expected) = (at(number(1), number(2)), at(number(3), number(4)));
        let found = match cells[0] {
            "wgs84_to_gcj02" => to_gcj02(given),
            "bd09_to_wgs84" => from_bd09(given),
            other => panic!("an unknown kind of vector: {other}"),
        };
        let off_m = distance_m(found, expected);
        // The BD-09 vectors were made with pi where the original has 3000 pi / 180, which their authors have since
        // acknowledged; they are up to 42 m off and can only tell a gross error.
        let tolerance_m = if cells[0] == "wgs84_to_gcj02" { 0.02 } else { 45.0 };
        assert!(off_m < tolerance_m, "{line}: {off_m} m off");
        assert!(distance_m(from_gcj02(to_gcj02(given)), given) < 0.001, "{line}: round trip");
        assert!(distance_m(from_bd09(to_bd09(given)), given) < 0.001, "{line}: round trip");
        checked += 1;
    }
    assert_eq!(checked, 5);
}

#[test]
fn flatgeobuf_of_other_programs_is_read_or_refused() {
    let Some(data) = real_data("FlatGeobuf of others") else { return };
    let folder = Folder::new();
    for (file, code, words) in [
        // The outlines of two countries are self-intersecting; GEOS reports the same two.
        ("countries.fgb", 3, "taken=177"),
        ("countries_nocrs.fgb", 3, "taken=177"),
        ("countries_nogeo.fgb", 3, "refused: it has no place"),
        ("empty.fgb", 0, "taken=0"),
        ("unknown_feature_count.fgb", 1, "no column of the file matches a field"),
        ("topp_states.fgb", 1, "is not FlatGeobuf"),
    ] {
        let path = data.join("flatgeobuf").join(file).display().to_string();
        let output = run(&folder, &["import", &path, "--layer", "incidents", "--dry-run", "--anywhere"]);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && log.contains(words), "{file}: {log}");
    }
}

#[test]
fn the_county_outline_of_a_gcj02_base_map_converts_to_wgs84() {
    let Some(data) = real_data("an outline in GCJ-02") else { return };
    let folder = Folder::new();
    let path = data.join("minqing/county_350124_2019_gcj02.json").display().to_string();
    run_well(&folder, &["import", &path, "--layer", "county", "--crs", "gcj02", "--column", "id=adcode"]);
    let server = Server::start(&folder, &[]);
    let bounds = server.get("/tiles/county").json()["bounds"].clone();
    let bounds: Vec<f64> = serde_json::from_value(bounds).expect("four numbers");
    for (found, truth) in bounds.iter().zip([118.511, 25.924, 119.014, 26.547]) {
        assert!((found - truth).abs() < 2e-3, "{bounds:?}");
    }
}
