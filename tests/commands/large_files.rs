//! Large files, several imports at once, and archives that lead elsewhere.

use std::io::Write;
use std::process::Stdio;

use rust_xlsxwriter::{Formula, Workbook};
use serde_json::json;
use zip::write::SimpleFileOptions;

use super::{exported, import};
use crate::support::{Folder, foreign, memory_kb, onemap};

/// Points as CSV.
fn points(folder: &Folder, name: &str, first: u32, count: u32) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(folder.file(name)).expect("a file"));
    writeln!(out, "id,name,wgs84_lon,wgs84_lat,owner").expect("written");
    for row in first..first + count {
        let (lon, lat) = (118.5 + f64::from(row % 1000) / 2000.0, 26.0 + f64::from(row / 1000) / 3000.0);
        writeln!(out, "H{row},危险源{row},{lon},{lat},{}", "某某单位".repeat(8)).expect("written");
    }
}

/// The greatest memory of an import, MB.
fn peak_of_import(folder: &Folder, file: &str) -> u64 {
    let arguments = ["import", file, "--layer", "hazards", "--store", &format!("{file}.gpkg"), "--anywhere"];
    let mut child = onemap(folder, &arguments).stderr(Stdio::null()).spawn().expect("the program starts");
    let mut peak = 0;
    loop {
        peak = peak.max(memory_kb(child.id(), "VmHWM") / 1024);
        if let Some(status) = child.try_wait().expect("a status") {
            assert!(status.success());
            return peak;
        }
        std::thread::yield_now();
    }
}

#[test]
fn the_memory_of_an_import_does_not_grow_with_the_file() {
    let folder = Folder::new();
    points(&folder, "few.csv", 0, 5_000);
    points(&folder, "many.csv", 0, 150_000);
    let lines = std::fs::read(folder.file("many.csv")).expect("a file").len() / 1_000_000;
    let (few, many) = (peak_of_import(&folder, "few.csv"), peak_of_import(&folder, "many.csv"));
    // Ids are remembered by their hashes, and names by themselves for the search of twins.
    assert!(many < few + 60, "{few} MB for 5,000 rows, {many} MB for 150,000 rows of {lines} MB");
}

#[test]
fn two_imports_at_once_are_both_stored() {
    let folder = Folder::new();
    points(&folder, "a.csv", 0, 20_000);
    points(&folder, "b.csv", 100_000, 20_000);
    points(&folder, "none.csv", 0, 0);
    import(&folder, &["none.csv", "--layer", "hazards"]);
    let start = |file: &str| {
        let arguments = ["import", file, "--layer", "hazards", "--anywhere"];
        onemap(&folder, &arguments).stderr(Stdio::piped()).spawn().expect("the program starts")
    };
    for child in ["a.csv", "b.csv"].map(start) {
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(exported(&folder, "hazards").len(), 40_000);
}

#[test]
fn an_interrupted_import_stores_nothing() {
    let folder = Folder::new();
    points(&folder, "none.csv", 0, 0);
    import(&folder, &["none.csv", "--layer", "hazards"]);
    points(&folder, "many.csv", 0, 150_000);
    let arguments = ["--json", "import", "many.csv", "--layer", "hazards", "--anywhere"];
    let mut child = onemap(&folder, &arguments).stderr(Stdio::piped()).spawn().expect("the program starts");
    let log = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().expect("a log")));
    let mut lines = log.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("importing")));
    foreign("kill", &["-INT", &child.id().to_string()]);
    let rest: Vec<String> = lines.collect();
    assert!(!child.wait().expect("an end").success());
    assert!(rest.iter().any(|line| line.contains("nothing was stored")), "{rest:?}");
    assert_eq!(exported(&folder, "hazards").len(), 0);
    let (code, log) = import(&folder, &["many.csv", "--layer", "hazards", "--anywhere"]);
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn names_in_an_archive_lead_nowhere() {
    let folder = Folder::new();
    let features = json!({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "甲"},
        "geometry": {"type": "Point", "coordinates": [118.8, 26.2]}}]});
    folder.write("in.geojson", features.to_string());
    let (from, to) = (folder.file("in.geojson").display().to_string(), folder.file("in.shp").display().to_string());
    foreign("ogr2ogr", &["-lco", "ENCODING=UTF-8", &to, &from]);
    let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.file("out.zip")).expect("a file"));
    for ending in ["shp", "dbf", "prj", "cpg"] {
        let name = format!("../../../../tmp/onemap-escaped.{ending}");
        archive.start_file(name, SimpleFileOptions::default()).expect("a part");
        let part = std::fs::read(folder.file(&format!("in.{ending}"))).expect("a file");
        archive.write_all(&part).expect("a part");
    }
    archive.finish().expect("an archive");
    let (code, log) = import(&folder, &["out.zip", "--layer", "villages"]);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(exported(&folder, "villages")[0]["properties"]["name"], "甲");
    assert!(!std::path::Path::new("/tmp/onemap-escaped.shp").exists());
}

#[test]
fn formulas_have_their_values_and_hidden_rows_are_rows() {
    let folder = Folder::new();
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, title) in (0..).zip(["编号", "名称", "经度(WGS84)", "纬度(WGS84)", "容量"]) {
        sheet.write(0, column, title).expect("a title");
    }
    for row in 1..4_u32 {
        sheet.write(row, 0, format!("S{row}")).expect("a cell");
        sheet.write(row, 1, format!("点{row}")).expect("a cell");
        sheet.write(row, 2, 118.86).expect("a cell");
        sheet.write(row, 3, 26.22 + f64::from(row) / 100.0).expect("a cell");
        sheet.write_formula(row, 4, Formula::new("=100+200").set_result("300")).expect("a cell");
    }
    sheet.set_row_hidden(2).expect("a hidden row");
    workbook.save(folder.file("in.xlsx")).expect("a workbook");
    let (code, log) = import(&folder, &["in.xlsx", "--layer", "shelters"]);
    assert_eq!(code, Some(0), "{log}");
    let capacities: Vec<_> =
        exported(&folder, "shelters").iter().map(|own| own["properties"]["capacity"].clone()).collect();
    assert_eq!(capacities, [json!(300), json!(300), json!(300)]);
}
