//! Reports of imports: refused rows in a file, and features that are probably the same.

use serde_json::{Value as Json, json};

use super::import;
use crate::support::Folder;

const TABLE: &str = "编号,名称,经度,纬度,可容纳人数,联系电话\n\
    1,第一中学,118.86,26.22,300,13812341234\n\
    2,第一中学,118.8601,26.2201,300,\n\
    3,第一中学,118.87,26.22,300,\n\
    4,第二小学,118.86,26.22,很多,13899998888\n\
    5,第三小学,18.86,26.22,5,\n";

#[test]
fn refused_rows_are_written_to_a_file_and_the_others_stored() {
    let folder = Folder::new();
    folder.write("in.csv", TABLE);
    let (code, log) =
        import(&folder, &["in.csv", "--layer", "shelters", "--crs", "wgs84", "--skip-bad", "--report", "退回.csv"]);
    assert_eq!(code, Some(0), "{log}");
    let report = std::fs::read_to_string(folder.file("退回.csv")).expect("a report");
    let lines: Vec<&str> = report.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines.len(), 3, "{report}");
    assert_eq!(lines[0], "row,line,column,value,reason,kind");
    assert!(
        lines[1].starts_with("4,5,可容纳人数,") && lines[1].contains("很多") && lines[1].contains("is not a number"),
        "{report}"
    );
    assert!(lines[2].starts_with("5,6,geometry,") && lines[2].contains("outside 闽清县"), "{report}");
    assert!(!report.contains("13899998888"));
    let (code, _) =
        import(&folder, &["in.csv", "--layer", "shelters", "--crs", "wgs84", "--dry-run", "--report", "report.json"]);
    assert_eq!(code, Some(3));
    let report = std::fs::read(folder.file("report.json")).expect("a report");
    let report: Json = serde_json::from_slice(&report).expect("JSON");
    assert_eq!((&report["read"], &report["taken"]), (&json!(5), &json!(3)));
    assert_eq!(report["refused"][0]["column"], "可容纳人数");
    let (code, log) = import(&folder, &["in.csv", "--layer", "shelters", "--crs", "wgs84", "--report", "report.txt"]);
    assert!(code == Some(1) && log.contains(".csv, .json or .xlsx"), "{log}");
}

#[test]
fn points_of_one_name_at_one_place_are_told() {
    let folder = Folder::new();
    folder.write("in.csv", TABLE);
    let (_, log) = import(&folder, &["in.csv", "--layer", "shelters", "--crs", "wgs84", "--skip-bad"]);
    let told: Vec<&str> = log.lines().filter(|line| line.contains("same name at the same place")).collect();
    // The third one of the name is 1 km away.
    assert!(told.len() == 1 && told[0].contains("第一中学") && told[0].contains("1, 2"), "{log}");
}
