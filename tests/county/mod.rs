//! Another county: a catalog in the configuration, mistakes with their position, and fields added later.

use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, foreign, run, run_well};

/// A county with one layer; the rest is built in.
const COUNTY: &str = r##"{
  "county": {
    "zh": "永泰县", "en": "Yongtai", "code": "350125",
    "title": {"zh": "永泰县一张图", "en": "Yongtai map"},
    "center": [118.93, 25.87], "zoom": 9.1, "bounds": [118.38, 25.65, 119.2, 26.1]
  },
  "colors": {"red": "#aa0000"},
  "codes": {"well_kind": [{"code": "open", "zh": "敞口", "en": "Open", "color": "red"}]},
  "layers": [
    {"id": "wells", "group": "risk", "zh": "水井", "en": "Wells", "geometry": "point", "minzoom": 3,
     "roles": {"people": "users"},
     "fields": [
      {"name": "kind", "type": "text", "zh": "类型", "en": "Kind", "codes": "well_kind", "tile": true},
      {"name": "users", "type": "integer", "zh": "人数", "en": "Users", "min": 0}]}
  ]
}"##;

const WELL: &str = r#"{"type": "Feature", "id": "W-1", "geometry": {"type": "Point", "coordinates": [118.9, 25.9]},
  "properties": {"name": "东井", "kind": "open", "users": 40}}"#;

fn county(folder: &Folder, catalog: &str) {
    folder.write("county.json", catalog);
    folder.write("onemap.toml", "catalog = \"county.json\"\n");
}

#[test]
fn another_county_runs_with_its_own_layers_names_and_colours() {
    let folder = Folder::new();
    county(&folder, COUNTY);
    folder.write("wells.geojson", WELL);
    run_well(&folder, &["import", "wells.geojson", "--layer", "wells"]);
    let server = Server::start(&folder, &[]);
    let layers = server.get("/api/layers").json();
    assert_eq!(layers["county"]["title"], json!({"zh": "永泰县一张图", "en": "Yongtai map"}));
    assert_eq!(layers["county"]["bounds"], json!([118.38, 25.65, 119.2, 26.1]));
    assert_eq!(layers["layers"].as_array().map(Vec::len), Some(1), "{layers}");
    assert_eq!(layers["codes"]["well_kind"][0]["color"], "#aa0000");
    assert_eq!(layers["codes"]["risk_level"][0]["color"], "#aa0000", "a colour is named once");
    assert_eq!(server.get("/ogc?f=json").json()["title"], "永泰县一张图");
    let style = server.get("/styles/onemap.json").json();
    assert_eq!((&style["center"], &style["zoom"]), (&json!([118.93, 25.87]), &json!(9.1)));
    let drawn: Vec<&Json> =
        style["layers"].as_array().into_iter().flatten().map(|layer| &layer["source-layer"]).collect();
    assert!(style["sources"].as_object().is_some_and(|sources| sources.len() == 1), "no risk surface: {style}");
    assert!(drawn.contains(&&json!("wells")) && !drawn.contains(&&json!("shelters")), "{drawn:?}");
    assert!(!style.to_string().contains("{risk_level") && !style.to_string().contains("{base}"), "{style}");
    let nearest = server.get("/api/nearest?point=118.93,25.87&layer=wells").json();
    assert_eq!(nearest["features"][0]["id"], "W-1", "{nearest}");
    assert_eq!(server.get("/tiles/wells/12/3400/1742").status, 200);
    assert_eq!(server.get("/ogc/collections/shelters").status, 404);
    let tiles = server.get(
        style["sources"]["onemap"]["url"].as_str().and_then(|url| url.strip_prefix(&server.url)).expect("an address"),
    );
    assert_eq!(tiles.status, 200);
}

#[test]
fn the_built_in_catalog_is_printed_as_a_catalog_that_can_be_used() {
    let folder = Folder::new();
    let printed = run(&folder, &["layers", "--json"]);
    let text = String::from_utf8(printed.stdout).expect("text");
    let catalog = onemap::model::Catalog::built_in().expect("a catalog");
    assert_eq!(onemap::model::Catalog::parse(&text).map_err(|error| error.to_string()).as_ref(), Ok(&catalog));
    let one = run(&folder, &["layers", "shelters", "--json"]);
    county(&folder, &String::from_utf8(one.stdout).expect("text"));
    let listed = String::from_utf8(run(&folder, &["layers"]).stdout).expect("text");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let fields = String::from_utf8(run(&folder, &["layers", "shelters"]).stdout).expect("text");
    for words in
        ["capacity ", "integer", "persons", "from 0", "容量 Capacity", "(sensitive)", "standby", "待启用 Standby"]
    {
        assert!(fields.contains(words), "{words}: {fields}");
    }
    let unknown = run(&folder, &["layers", "wells"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn a_mistake_in_a_catalog_is_reported_with_its_line_and_a_caret() {
    let folder = Folder::new();
    let cases = [
        // Text to replace, replacement, text of the line shown, part of the reason.
        ("\"users\", \"type\"", "\"Users\", \"type\"", "\"Users\"", "cannot be a name"),
        ("{\"people\": \"users\"}", "{\"people\": \"user\"}", "\"people\": \"user\"", "unknown field \"user\""),
        ("{\"people\": \"users\"}", "{\"people\": \"kind\"}", "\"people\": \"kind\"", "of type integer"),
        ("{\"people\": \"users\"}", "{\"peopel\": \"users\"}", "\"peopel\"", "unknown field `peopel`"),
        ("\"codes\": \"well_kind\"", "\"codes\": \"well_kinds\"", "\"well_kinds\"", "unknown code list"),
        ("\"color\": \"red\"", "\"color\": \"rot\"", "\"rot\"", "red"),
        ("\"red\": \"#aa0000\"", "\"red\": \"<script>\"", "<script>", "#rrggbb"),
        ("\"id\": \"wells\"", "\"id\": \"gpkg_wells\"", "gpkg_wells", "is reserved"),
        ("\"id\": \"wells\"", "\"id\": \"changes\"", "changes", "is reserved"),
        ("\"name\": \"users\"", "\"name\": \"kind\"", "\"name\": \"kind\", \"type\": \"integer\"", "defined twice"),
        ("\"name\": \"kind\"", "\"name\": \"geom\"", "\"geom\"", "is reserved"),
        ("\"min\": 0", "\"min\": 5, \"max\": 1", "\"max\": 1", "above"),
        ("\"minzoom\": 3", "\"minzoom\": 30", "\"minzoom\": 30", "0..=24"),
        ("[118.93, 25.87]", "[25.87, 118.93]", "[25.87, 118.93]", "did you mean 118.93,25.87?"),
        ("[118.93, 25.87]", "[120.93, 25.87]", "[120.93, 25.87]", "outside the county's bounds"),
        ("\"350125\"", "\"3501x5\"", "3501x5", "division code"),
        ("\"type\": \"integer\"", "\"type\": \"number\"", "\"number\"", "unknown variant"),
        ("\"fields\": [", "\"fields\": [,", "\"fields\": [,", "expected"),
    ];
    for (from, to, shown, reason) in cases {
        let text = COUNTY.replacen(from, to, 1);
        assert_ne!(text, COUNTY, "{from}");
        let wrong_line = text.lines().position(|line| line.contains(shown)).expect("the line") + 1;
        county(&folder, &text);
        let output = run(&folder, &["layers"]);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{to}: {log}");
        assert!(log.contains("county.json") && log.contains(reason), "{to}: {log}");
        let excerpt: Vec<&str> = log.lines().filter(|line| line.contains(" | ")).collect();
        assert!(excerpt.first().is_some_and(|line| line.starts_with(&format!("{wrong_line} | "))), "{to}: {log}");
        assert!(log.lines().last().is_some_and(|line| line.trim_end().ends_with('^')), "{to}: {log}");
    }
    for (toml, reason) in [
        ("catalog = \"absent.json\"", "absent.json"),
        ("[rings_m]\nflod = [100, 200]", "unknown kind of incident \"flod\""),
        ("[rings_m]\nflood = [200, 100]", "ascending"),
        ("[[layer]]\ntable = \"wells\"", "SCHEMA.TABLE"),
        ("[[layer]]\ntable = \"public.wells\"\nrefresh_s = 0", "at least 1"),
        ("[[layer]]\ntable = \"public.wells\"\nid = \"Wells\"", "lower-case"),
        ("katalog = 1", "unknown field `katalog`"),
        ("[base_map]\ntiles = []", "is empty"),
        ("[base_map]\ntiles = [\"https://tiles.example/{z}/{x}\"]", "has no {y}"),
        ("[base_map]\ntiles = [\"https://a;b/{z}/{x}/{y}\"]", "no plain host name"),
        ("[base_map]\ntiles = [\"/{z}/{x}/{y}\"]\nmax_zoom = 30", "above 22"),
        ("[base_map]\ntiles = [\"/{z}/{x}/{y}\"]\ntile_px = 100", "neither 256 nor 512"),
        ("[base_map]\ntiles = [\"/{z}/{x}/{y}\"]\nschema = \"osm\"", "openmaptiles"),
        ("[base_map]\ntiles = [\"/{z}/{x}/{y}\"]\nschema = \"protomaps\"\ndatum = \"gcj02\"", "only raster tiles"),
        ("[base_map]\ntiles = [\"/{z}/{x}/{y}\"]\nschema = \"protomaps\"\ntile_px = 512", "for raster tiles"),
        ("[base_map]\ntiles = [\"/{z}/{x}/{y}\", \"/{z}/{x}/{y}\"]\nschema = \"shortbread\"", "one template"),
    ] {
        folder.write("onemap.toml", format!("# a comment\n\n{toml}\n"));
        let output = run(&folder, &["layers"]);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && log.contains(reason), "{toml}: {log}");
        assert!(log.contains("onemap.toml") && log.lines().any(|line| line.trim_end().ends_with('^')), "{toml}: {log}");
    }
}

#[test]
fn a_field_added_to_the_catalog_appears_in_an_existing_store() {
    let folder = Folder::new();
    folder.write("wells.geojson", WELL);
    let depth = r#"{"name": "depth_m", "type": "real", "zh": "深度", "en": "Depth", "unit": "m", "min": 0},
      {"name": "users", "type""#;
    let later = COUNTY.replacen(r#"{"name": "users", "type""#, depth, 1);
    let url = fresh_database();
    for store in ["wells.gpkg", &url] {
        county(&folder, COUNTY);
        run_well(&folder, &["import", "wells.geojson", "--layer", "wells", "--store", store]);
        county(&folder, &later);
        let server = Server::start(&folder, &["--store", store, "--no-cache"]);
        let path = "/ogc/collections/wells/items/W-1";
        let found = server.get(path).json();
        assert_eq!(found["properties"]["depth_m"], Json::Null, "{found}");
        assert_eq!(found["properties"]["users"], 40, "{found}");
        let file = if store == url { "onemap.token" } else { "wells.gpkg.token" };
        let token = std::fs::read_to_string(folder.file(file)).expect("a token");
        let bearer = format!("Bearer {}", token.trim());
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/merge-patch+json")];
        let patched = server.send("PATCH", path, &headers, r#"{"properties": {"depth_m": 12.5}}"#);
        assert_eq!(patched.status, 204);
        assert_eq!(server.get(path).json()["properties"]["depth_m"], 12.5);
        drop(server);
        // A catalog without the field still reads the store.
        county(&folder, COUNTY);
        run_well(&folder, &["export", "--layer", "wells", "-o", "out.geojson", "--store", store]);
    }
    let program = "import sqlite3,sys\nprint(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
    let described = "select title from gpkg_data_columns where table_name = 'wells' and column_name = 'depth_m'";
    let file = folder.file("wells.gpkg").display().to_string();
    assert_eq!(foreign("python3", &["-c", program, &file, described]).trim(), "深度");
    assert_eq!(
        psql(
            &url,
            "select col_description('onemap.wells'::regclass, attnum) from pg_attribute \
        where attrelid = 'onemap.wells'::regclass and attname = 'depth_m'"
        )
        .trim(),
        "深度 Depth (m)"
    );
    let listed = foreign("ogrinfo", &["-ro", "-so", &file, "wells"]);
    assert!(listed.contains("depth_m"), "{listed}");
}
