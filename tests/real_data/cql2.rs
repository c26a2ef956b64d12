//! CQL2 filters on the test data of the standard: every predicate, its count, and its JSON form.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use onemap::query::filter::Language;

use super::real_data;
use crate::conformance::clients::python;
use crate::support::database::{fresh_database, gdal_name};
use crate::support::{Folder, Server, encoded, foreign, project};

const LAYERS: [&str; 3] =
    ["ne_110m_admin_0_countries", "ne_110m_populated_places_simple", "ne_110m_rivers_lake_centerlines"];

/// Actual counts where the published ones are wrong: the letters of two names differ in more than accents.
const WRONGLY_COUNTED: [(&str, u64); 3] = [("Ch%", 3), ("Chiș%", 1), ("cHis%", 1)];

#[test]
fn predicates_of_the_standard_match_its_counts() {
    let Some(data) = real_data("filters against the standard's own counts") else { return };
    let url = fresh_database();
    let source = data.join("cql2/data/ne110m4cql2.gpkg").display().to_string();
    let target = gdal_name(&url);
    // Times without a zone are UTC in that data.
    let options = ["--config", "PGTZ", "UTC", "-lco", "LAUNDER=NO", "-lco", "GEOMETRY_NAME=geom", "-lco", "FID=fid"];
    foreign("ogr2ogr", &[&["-f", "PostgreSQL", &target, &source][..], &options[..]].concat());
    let folder = Folder::new();
    let mut config = String::new();
    for layer in LAYERS {
        writeln!(config, "[[layer]]\ntable = \"public.{layer}\"").expect("text");
    }
    folder.write("onemap.toml", config);
    let server = Server::start(&folder, &["--store", &url, "--empty"]);

    let table = std::fs::read_to_string(data.join("cql2/ats_predicates.csv")).expect("predicates");
    let mut wrong = Vec::new();
    let rows = rows(&table);
    assert_eq!(rows.len(), 274);
    let predicates: Vec<&str> = rows.iter().map(|row| row[3].as_str()).collect();
    let as_json = in_json(&predicates);
    let mut twins = 0;
    for (row, json) in rows.iter().zip(&as_json) {
        let [_, _, collection, predicate, expected, _] = &row[..] else { panic!("{row:?}") };
        let expected = WRONGLY_COUNTED
            .iter()
            .find(|(pattern, _)| predicate.contains(&format!("'{pattern}'")) && row[0].starts_with("accent"))
            .map_or_else(|| expected.parse().expect("a count"), |(_, count)| *count);
        let filter = encoded(predicate);
        let reply = server.get(&format!("/ogc/collections/{collection}/items?limit=1&filter={filter}"));
        let body = reply.json();
        if body["numberMatched"].as_u64() != Some(expected) {
            wrong.push(format!("{predicate}: expected {expected}, {}{}", body["numberMatched"], body["detail"]));
        }
        if json.is_empty() {
            continue;
        }
        twins += 1;
        let filter = encoded(json);
        let body = server
            .get(&format!("/ogc/collections/{collection}/items?limit=1&filter-lang=cql2-json&filter={filter}"))
            .json();
        if body["numberMatched"].as_u64() != Some(expected) {
            wrong.push(format!("{json}: expected {expected}, {}{}", body["numberMatched"], body["detail"]));
        }
    }
    assert!(twins > 200, "only {twins} of 274 predicates have a twin in JSON");
    assert!(wrong.is_empty(), "{} of 274:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn equivalent_text_and_json_have_one_canonical_form() {
    let Some(data) = real_data("filters as text against filters as JSON") else { return };
    let folder = data.join("cql2/schema/examples");
    let mut pairs = 0;
    let mut different = Vec::new();
    for entry in std::fs::read_dir(folder.join("json")).expect("examples").flatten() {
        let name = entry.path().file_stem().expect("a name").to_string_lossy().into_owned();
        let Ok(text) = std::fs::read_to_string(folder.join(format!("text/{name}.txt"))) else { continue };
        let json = std::fs::read_to_string(entry.path()).expect("an example");
        pairs += 1;
        let (text, json) = (Language::Text.canonical(text.trim()), Language::Json.canonical(&json));
        if text.is_err() || text != json {
            different.push(format!("{name}:\n  {text:?}\n  {json:?}"));
        }
    }
    assert_eq!(pairs, 109);
    assert!(different.is_empty(), "{} of 109:\n{}", different.len(), different.join("\n"));
}

/// Expressions as JSON, written by another implementation; blank if it cannot.
fn in_json(predicates: &[&str]) -> Vec<String> {
    let script = project().join("tests/conformance/as_json.py");
    let mut child = Command::new(python("python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    child.stdin.take().expect("standard input").write_all(predicates.join("\n").as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), predicates.len());
    lines
}

/// Rows of a CSV table with quotes, without its header.
fn rows(table: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut quoted = false;
    for c in table.chars() {
        let row = rows.last_mut().expect("a row");
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            '\r' => {}
            other => row.last_mut().expect("a cell").push(other),
        }
    }
    rows.into_iter().skip(1).filter(|row| row.len() > 1).collect()
}
