//! Workbooks: sheets as people make them, round trips, and files that are no workbooks.

use std::io::Write;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde_json::{Value as Json, json};
use zip::write::SimpleFileOptions;

use super::{exported, import};
use crate::support::{Folder, Server, run, run_well};

/// A sheet with a title, a header of two rows with merged cells, and values as people type them.
fn typed_workbook(folder: &Folder, name: &str) {
    let mut workbook = Workbook::new();
    let merged = Format::new();
    let day = Format::new().set_num_format("yyyy/m/d");
    let notes = workbook.add_worksheet();
    notes.set_name("填表说明").expect("a name");
    notes.write(0, 0, "请按格式填写").expect("a cell");
    notes.write(0, 1, "谢谢").expect("a cell");
    let sheet = workbook.add_worksheet();
    sheet.set_name("避灾点").expect("a name");
    sheet.merge_range(0, 0, 0, 8, "闽清县避灾点一览表", &merged).expect("a title");
    sheet.merge_range(1, 0, 2, 0, "避灾点名称", &merged).expect("a header");
    sheet.merge_range(1, 1, 1, 2, "坐标", &merged).expect("a header");
    sheet.merge_range(1, 3, 1, 4, "规模", &merged).expect("a header");
    for (column, title) in [(1, "经度"), (2, "纬度"), (3, "可容纳人数"), (4, "面积(㎡)")] {
        sheet.write(2, column, title).expect("a header");
    }
    for (column, title) in [(5, "状态"), (6, "联系电话"), (7, "核实时间"), (8, "对外公布")] {
        sheet.merge_range(1, column, 2, column, title, &merged).expect("a header");
    }
    let row = |sheet: &mut rust_xlsxwriter::Worksheet, row: u32, cells: [&str; 9]| {
        for (column, cell) in (0..).zip(cells) {
            sheet.write(row, column, cell).expect("a cell");
        }
    };
    row(
        sheet,
        3,
        [
            "第一中学",
            "118°51′36″E",
            "26度13分12秒",
            "３００人",
            "1,200平方米",
            "待启用",
            "13812345678",
            "2026年8月14日 10时30分",
            "√",
        ],
    );
    row(sheet, 5, ["第二小学", "118.87", "26.23", "约50", "3亩", "已开放", "", "", "否"]);
    let date = ExcelDateTime::from_ymd(2026, 8, 14).expect("a day");
    sheet.write_with_format(5, 7, &date, &day).expect("a day");
    sheet.write(5, 6, 13_812_345_679_f64).expect("a number");
    workbook.save(folder.file(name)).expect("a workbook");
}

#[test]
fn a_sheet_is_read_as_people_fill_it_in() {
    let folder = Folder::new();
    typed_workbook(&folder, "一览表.xlsx");
    let (code, log) = import(&folder, &["一览表.xlsx", "--layer", "shelters", "--crs", "wgs84"]);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("sheet 避灾点, header in row 3"), "{log}");
    let shelters = exported(&folder, "shelters");
    let facts: Vec<Json> = shelters
        .iter()
        .map(|own| {
            let properties = &own["properties"];
            let names = ["name", "capacity", "area_m2", "status", "phone", "confirmed_at", "public"];
            names.iter().map(|name| properties[*name].clone()).collect::<Json>()
        })
        .collect();
    assert_eq!(facts[0], json!(["第一中学", 300, 1200, "standby", "13812345678", "2026-08-14T02:30:00.000Z", true]));
    assert_eq!(facts[1], json!(["第二小学", 50, 2000, "open", "13812345679", "2026-08-13T16:00:00.000Z", false]));
    // The marked copy is of the sheet that was imported.
    let (code, log) = import(
        &folder,
        &["一览表.xlsx", "--layer", "shelters", "--crs", "wgs84", "--dry-run", "--update", "--report", "x.xlsx"],
    );
    assert!(code == Some(1) && log.contains("ids of the features"), "{log}");
    let again = ["一览表.xlsx", "--layer", "shelters", "--crs", "wgs84", "--store", "y.gpkg", "--report", "x.xlsx"];
    let (code, log) = import(&folder, &again);
    assert_eq!(code, Some(0), "{log}");
    let program = "import sys,zipfile\nprint(zipfile.ZipFile(sys.argv[1]).read('xl/sharedStrings.xml').decode())";
    let strings = crate::support::foreign("python3", &["-c", program, &folder.file("x.xlsx").display().to_string()]);
    assert!(strings.contains("第一中学") && strings.contains("避灾点名称") && !strings.contains("谢谢"), "{strings}");
    let at = &shelters[0]["geometry"]["coordinates"];
    for (found, wanted) in [(&at[0], 118.86), (&at[1], 26.22)] {
        assert!((found.as_f64().expect("degrees") - wanted).abs() < 1e-9, "{at}");
    }
}

#[test]
fn a_mistyped_cell_is_refused_with_the_cell_that_was_meant() {
    let folder = Folder::new();
    for (cells, reason) in [
        ("甲,118.86,26.22,待启动,1", "did you mean 待启用?"),
        ("甲,118.86,26.22,待启用,30米", "does not fit"),
        ("甲,118.86,26.22,待启用,三百", "is not a number"),
        ("甲,118°61′,26.22,待启用,1", "degrees, minutes and seconds"),
    ] {
        folder.write("in.csv", format!("名称,经度,纬度,状态,可容纳人数\n{cells}\n"));
        let (code, log) = import(&folder, &["in.csv", "--layer", "shelters", "--crs", "wgs84"]);
        assert!(code == Some(3) && log.contains(reason), "{cells}: {log}");
    }
}

#[test]
fn tables_are_read_back_as_they_were_written() {
    let folder = Folder::new();
    drop(Server::start(&folder, &[]));
    for layer in ["shelters", "hazards", "teams", "depots", "stations", "villages"] {
        let original = exported(&folder, layer);
        for ending in ["xlsx", "csv", "geojsonl"] {
            let (file, store) = (format!("{layer}.{ending}"), format!("{layer}-{ending}.gpkg"));
            run_well(&folder, &["export", "--layer", layer, "-o", &file]);
            run_well(&folder, &["import", &file, "--layer", layer, "--store", &store]);
            run_well(&folder, &["export", "--layer", layer, "-o", "back.geojson", "--store", &store]);
            let back = std::fs::read_to_string(folder.file("back.geojson")).expect("an export");
            let back: Json = serde_json::from_str(&back).expect("JSON");
            let back = back["features"].as_array().expect("features");
            assert_eq!(back.len(), original.len());
            for (own, back) in original.iter().zip(back) {
                assert_eq!(own["properties"], back["properties"], "{file}");
                assert_eq!(own["geometry"], back["geometry"], "{file}");
            }
        }
    }
    let output = run(&folder, &["export", "--layer", "roads", "-o", "roads.xlsx"]);
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && printed.contains("choose .geojson or .fgb"), "{printed}");
}

#[test]
fn files_that_are_no_workbooks_are_refused() {
    let folder = Folder::new();
    typed_workbook(&folder, "good.xlsx");
    let good = std::fs::read(folder.file("good.xlsx")).expect("a workbook");
    folder.write("cut.xlsx", &good[..good.len() / 2]);
    folder.write("text.xlsx", "名称,经度");
    folder.write("empty.ods", "");
    let mut bomb = zip::ZipWriter::new(std::fs::File::create(folder.file("bomb.xlsx")).expect("a file"));
    bomb.start_file("xl/workbook.xml", SimpleFileOptions::default()).expect("a part");
    let zeros = vec![0; 1 << 20];
    for _ in 0..1_100 {
        bomb.write_all(&zeros).expect("a part");
    }
    bomb.finish().expect("an archive");
    for (name, reason) in [
        ("cut.xlsx", "cut.xlsx"),
        ("text.xlsx", "text.xlsx"),
        ("empty.ods", "empty.ods"),
        ("bomb.xlsx", "more than 1000 MB"),
    ] {
        let (code, log) = import(&folder, &[name, "--layer", "shelters"]);
        assert!(code == Some(1) && log.contains(reason) && !log.contains("panicked"), "{name}: {log}");
    }
    let (code, log) = import(&folder, &["good.xlsx", "--layer", "shelters", "--sheet", "别的"]);
    assert!(code == Some(1) && log.contains("填表说明, 避灾点"), "{log}");
    let (code, log) = import(&folder, &["good.xlsx", "--layer", "shelters", "--sheet", "填表说明"]);
    assert!(code == Some(1), "{log}");
}

#[test]
fn features_are_downloaded_as_a_workbook_that_can_be_imported() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let path = "/ogc/collections/shelters/items?f=xlsx&filter=capacity%20%3E%20500&sortby=-capacity";
    let reply = server.get(path);
    assert_eq!(reply.status, 200);
    assert!(
        reply.header("content-type").contains("spreadsheetml")
            && reply.header("content-disposition").contains("shelters.xlsx")
    );
    let wanted = server.get(&path.replace("f=xlsx", "limit=10000")).json();
    folder.write("down.xlsx", &reply.body);
    run_well(&folder, &["import", "down.xlsx", "--layer", "shelters", "--store", "other.gpkg"]);
    run_well(&folder, &["export", "--layer", "shelters", "-o", "back.geojson", "--store", "other.gpkg"]);
    let back = std::fs::read(folder.file("back.geojson")).expect("an export");
    let back: Json = serde_json::from_slice(&back).expect("JSON");
    let capacities = |features: &Json| -> Vec<(String, Json)> {
        let features = features["features"].as_array().expect("features").iter();
        let mut all: Vec<_> = features
            .map(|own| (own["id"].as_str().expect("an id").to_owned(), own["properties"]["capacity"].clone()))
            .collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    };
    assert_eq!(capacities(&back), capacities(&wanted));
    let refused = server.get("/ogc/collections/roads/items?f=xlsx");
    assert_eq!((refused.status, &refused.json()["parameter"]), (400, &json!("f")));
    let links = server.get("/ogc/collections/roads?f=json").json()["links"].to_string();
    assert!(!links.contains("f=xlsx"));
}

/// Sheets that LibreOffice wrote: a title, a date without the format of one, a formula, a hidden row.
#[test]
fn sheets_of_libreoffice_are_read() {
    let folder = Folder::new();
    for ending in ["ods", "xls", "xlsx", "csv"] {
        let name = format!("libreoffice.{ending}");
        let data = crate::support::project().join("tests/commands/data").join(&name);
        std::fs::copy(data, folder.file(&name)).expect("a copy");
        let store = format!("{ending}.gpkg");
        let (code, log) = import(&folder, &[&name, "--layer", "shelters", "--store", &store]);
        assert_eq!(code, Some(0), "{ending}: {log}");
        run_well(&folder, &["export", "--layer", "shelters", "-o", "back.geojson", "--store", &store]);
        let back = std::fs::read(folder.file("back.geojson")).expect("an export");
        let back: Json = serde_json::from_slice(&back).expect("JSON");
        let facts: Vec<Json> = back["features"]
            .as_array()
            .expect("features")
            .iter()
            .map(|own| {
                let properties = &own["properties"];
                let names = ["name", "capacity", "confirmed_at", "status"];
                names.iter().map(|name| properties[*name].clone()).collect()
            })
            .collect();
        let expected =
            [json!(["第一中学", 300, "2026-08-13T16:00:00.000Z", "standby"]), json!(["第二小学", 50, null, "open"])];
        assert_eq!(facts, expected, "{ending}");
    }
}
