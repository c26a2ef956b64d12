//! Shapefiles as GDAL writes them, with their usual defects.

use std::fs;

use serde_json::{Value as Json, json};

use super::{collection, exported, feature, import};
use crate::support::{Folder, foreign, run_well};

/// Two villages as a Shapefile, written by GDAL with these options.
fn villages(folder: &Folder, options: &[&str]) {
    let rows = [
        feature("a", 118.8, 26.2, json!({"名称": "梅城镇新民村", "人口": 1203})),
        feature("b", 118.9, 26.3, json!({"名称": "坂东镇文定村", "人口": 87})),
    ];
    folder.write("in.geojson", collection(&rows));
    let (from, to) = (folder.file("in.geojson").display().to_string(), folder.file("out.shp").display().to_string());
    foreign("ogr2ogr", &[&["-overwrite"], options, &[&to, &from]].concat());
}

fn names(features: &[Json]) -> Vec<&str> {
    let mut names: Vec<&str> = features.iter().filter_map(|own| own["properties"]["name"].as_str()).collect();
    names.sort_unstable();
    names
}

const NAMES: [&str; 2] = ["坂东镇文定村", "梅城镇新民村"];

#[test]
fn attributes_are_read_in_their_encoding_stated_or_not() {
    for (encoding, keeps_cpg, expected) in
        [("UTF-8", true, "UTF-8"), ("CP936", true, "gb18030"), ("CP936", false, "gb18030"), ("CP950", true, "Big5")]
    {
        let folder = Folder::new();
        // GDAL writes no simplified characters as Big5.
        if encoding == "CP950" {
            folder.write("in.geojson", collection(&[feature("a", 118.8, 26.2, json!({"名稱": "新民村", "人口": 5}))]));
            let paths = ["out.shp", "in.geojson"].map(|name| folder.file(name).display().to_string());
            foreign("ogr2ogr", &["-lco", "ENCODING=CP950", &paths[0], &paths[1]]);
        } else {
            villages(&folder, &["-lco", &format!("ENCODING={encoding}")]);
        }
        if !keeps_cpg {
            fs::remove_file(folder.file("out.cpg")).expect("a .cpg");
            // Many programs write no language into the header, or a wrong one.
            let mut attributes = fs::read(folder.file("out.dbf")).expect("a .dbf");
            attributes[29] = 0;
            fs::write(folder.file("out.dbf"), attributes).expect("a .dbf");
        }
        let mut arguments = vec!["out.shp", "--layer", "villages"];
        if encoding == "CP950" {
            arguments.extend(["--column", "名稱=name"]);
        }
        let (code, log) = import(&folder, &arguments);
        assert_eq!(code, Some(0), "{encoding}: {log}");
        assert!(log.contains(&format!("encoding=\"{expected}\"")), "{encoding}: {log}");
        let found = exported(&folder, "villages");
        if encoding == "CP950" {
            assert_eq!(names(&found), ["新民村"]);
            continue;
        }
        assert_eq!(names(&found), NAMES, "{encoding} {keeps_cpg}");
        let people: i64 = found.iter().filter_map(|own| own["properties"]["population"].as_i64()).sum();
        assert_eq!(people, 1290);
    }
}

#[test]
fn the_projection_file_is_followed_and_metres_without_it_are_refused() {
    for epsg in ["EPSG:4549", "EPSG:4528", "EPSG:3857"] {
        let folder = Folder::new();
        villages(&folder, &["-lco", "ENCODING=UTF-8", "-t_srs", epsg]);
        run_well(&folder, &["import", "out.shp", "--layer", "villages"]);
        let found = exported(&folder, "villages");
        let place =
            &found.iter().find(|own| own["properties"]["name"] == NAMES[1]).expect("it")["geometry"]["coordinates"];
        let near = |at: usize, degrees: f64| (place[at].as_f64().expect("degrees") - degrees).abs() < 1e-7;
        assert!(near(0, 118.8) && near(1, 26.2), "{epsg}: {place}");

        fs::remove_file(folder.file("out.prj")).expect("a .prj");
        let (code, log) = import(&folder, &["out.shp", "--layer", "key_places"]);
        assert_ne!(code, Some(0), "{log}");
        assert!(log.contains("--crs") && log.contains(epsg), "the true one is a candidate: {log}");
        let (code, log) = import(&folder, &["out.shp", "--layer", "key_places", "--crs", epsg]);
        assert_eq!(code, Some(0), "{log}");
    }
    let folder = Folder::new();
    villages(&folder, &["-lco", "ENCODING=UTF-8", "-t_srs", "EPSG:2433"]);
    let (code, log) = import(&folder, &["out.shp", "--layer", "villages"]);
    assert_ne!(code, Some(0), "Beijing 1954 is another datum: {log}");
    assert!(log.contains("Beijing"), "{log}");
}

#[test]
fn an_archive_and_deleted_rows_are_read() {
    let folder = Folder::new();
    villages(&folder, &["-lco", "ENCODING=UTF-8"]);
    let mut attributes = fs::read(folder.file("out.dbf")).expect("a .dbf");
    let header = usize::from(u16::from_le_bytes([attributes[8], attributes[9]]));
    attributes[header] = b'*';
    fs::write(folder.file("out.dbf"), attributes).expect("a .dbf");
    let archive = folder.file("two.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&archive).expect("a file"));
    for ending in ["shp", "dbf", "prj", "cpg"] {
        zip.start_file(format!("资料/避灾点.{ending}"), zip::write::SimpleFileOptions::default()).expect("an entry");
        let bytes = fs::read(folder.file(&format!("out.{ending}"))).expect("a part");
        std::io::Write::write_all(&mut zip, &bytes).expect("memory");
    }
    zip.finish().expect("an archive");
    run_well(&folder, &["import", "two.zip", "--layer", "villages"]);
    let found = exported(&folder, "villages");
    assert_eq!(names(&found), [NAMES[0]], "the deleted row is left out, the other keeps its attributes");
    assert_eq!(found[0]["geometry"]["coordinates"], json!([118.9, 26.3]));
}

#[test]
fn holes_belong_to_the_area_around_them() {
    let folder = Folder::new();
    let ring = |lon: f64, size: f64| {
        json!([[lon, 26.2], [lon + size, 26.2], [lon + size, 26.2 + size], [lon, 26.2 + size], [lon, 26.2]])
    };
    let inner = json!([[118.82, 26.22], [118.82, 26.24], [118.84, 26.24], [118.84, 26.22], [118.82, 26.22]]);
    let areas = json!({"type": "Feature", "properties": {"名称": "两块", "hazard": "landslide"}, "geometry":
        {"type": "MultiPolygon", "coordinates": [[ring(118.8, 0.1), inner], [ring(119.0, 0.05)]]}});
    folder.write("in.geojson", areas.to_string());
    let paths = ["out.shp", "in.geojson"].map(|name| folder.file(name).display().to_string());
    foreign("ogr2ogr", &["-lco", "ENCODING=UTF-8", &paths[0], &paths[1]]);
    run_well(&folder, &["import", "out.shp", "--layer", "risk_zones"]);
    let found = exported(&folder, "risk_zones");
    let mut rings: Vec<usize> = found[0]["geometry"]["coordinates"]
        .as_array()
        .expect("areas")
        .iter()
        .map(|area| area.as_array().map_or(0, Vec::len))
        .collect();
    rings.sort_unstable();
    assert_eq!(rings, [1, 2]);
    let lines = json!({"type": "Feature", "properties": {"名称": "一条路"}, "geometry":
        {"type": "LineString", "coordinates": [[118.8, 26.2], [118.9, 26.3]]}});
    folder.write("line.geojson", lines.to_string());
    let paths = ["road.shp", "line.geojson"].map(|name| folder.file(name).display().to_string());
    foreign("ogr2ogr", &["-lco", "ENCODING=UTF-8", &paths[0], &paths[1]]);
    run_well(&folder, &["import", "road.shp", "--layer", "roads"]);
    assert_eq!(exported(&folder, "roads")[0]["geometry"]["type"], "LineString");
}

#[test]
fn what_is_no_shapefile_is_refused_with_what_is_wrong() {
    let folder = Folder::new();
    villages(&folder, &["-lco", "ENCODING=UTF-8"]);
    let refused = |file: &str, reason: &str| {
        let (code, log) = import(&folder, &[file, "--layer", "villages"]);
        assert!(code.is_some_and(|code| code != 0), "{file}: {log}");
        assert!(log.contains(reason) && !log.contains("panicked"), "{file}: {reason:?} is missing: {log}");
    };
    fs::copy(folder.file("out.shp"), folder.file("alone.shp")).expect("a copy");
    refused("alone.shp", ".dbf");
    folder.write("text.shp", "not a Shapefile");
    fs::copy(folder.file("out.dbf"), folder.file("text.dbf")).expect("a copy");
    refused("text.shp", "Shapefile");
    let whole = fs::read(folder.file("out.shp")).expect("a .shp");
    folder.write("cut.shp", &whole[..whole.len() - 10]);
    fs::copy(folder.file("out.dbf"), folder.file("cut.dbf")).expect("a copy");
    refused("cut.shp", "row=2");
    folder.write("empty.zip", "PK\u{5}\u{6}\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    refused("empty.zip", "0 .shp files");
    folder.write("text.zip", "text");
    refused("text.zip", "Shapefile");
}
