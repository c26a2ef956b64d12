//! Chromium: the viewer draws the map, lists results, has two languages and contacts no other host; the style is valid.

#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small numbers of a generator"
)]
#[path = "../../benches/nation/mod.rs"]
mod nation;
mod national;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;

use crate::support::node::script_well;
use crate::support::{Folder, Server, await_that, foreign, project};

#[test]
fn the_page_loads_with_its_parameters_and_all_its_files() {
    let (_folder, server) = Server::of_sample();
    let page = String::from_utf8(server.get("/").body).expect("a page");
    let named: Vec<&str> = page.split('"').filter(|text| text.starts_with("viewer/")).collect();
    assert!(named.len() >= 3, "{named:?}");
    let files = named.iter().map(|file| format!("/{file}"));
    for path in
        files.chain(["/?lang=en", "/?wall=1", "/?lang=zh&wall=1", "/?from=singlemessage&from=b"].map(str::to_owned))
    {
        assert_eq!(server.get(&path).status, 200, "{path}");
    }
    assert_eq!(server.get("/api/layers?from=singlemessage").status, 400);
}

#[test]
fn pages_permit_no_inline_script_or_style_and_little_of_the_device() {
    let (_folder, server) = Server::of_sample();
    for path in ["/", "/docs", "/ogc?f=html", "/ogc/collections/shelters/items?f=html"] {
        let page = server.get(path);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("referrer-policy"), "same-origin", "{path}");
        assert!(page.header("permissions-policy").contains("geolocation=(self), camera=()"), "{path}");
    }
}

/// The words of the viewer: each with its texts in Chinese and in English.
fn words_of_the_viewer() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(project().join("src/viewer/words.ts")).expect("the words");
    let entry = |line: &str| {
        let (name, texts) = line.trim().strip_suffix("],")?.split_once(": [")?;
        let texts: Vec<String> = serde_json::from_str(&format!("[{texts}]")).ok()?;
        Some((name.to_owned(), texts))
    };
    text.lines().filter_map(entry).collect()
}

#[test]
fn every_text_of_the_viewer_is_there_in_both_languages_and_used() {
    let words = words_of_the_viewer();
    assert!(words.len() > 300, "{} words were read", words.len());
    for (name, texts) in &words {
        assert!(texts.len() == 2 && texts.iter().all(|text| !text.trim().is_empty()), "{name}: {texts:?}");
    }
    let viewer = project().join("src/viewer");
    // Units of the catalog are words too.
    let mut code = std::fs::read_to_string(project().join("data/catalog.json")).expect("the catalog");
    for file in std::fs::read_dir(&viewer).expect("the viewer").flatten().map(|entry| entry.path()) {
        let is_code = file.extension().is_some_and(|own| own == "ts" || own == "html");
        if is_code && !file.ends_with("words.ts") {
            code += &std::fs::read_to_string(file).expect("a source file");
        }
    }
    for attribute in ["data-word=\"", "data-word-label=\""] {
        for named in code.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(words.contains_key(named), "index.html says {named}, which words.ts lacks");
        }
    }
    let says = |name: &str| code.contains(&format!("\"{name}\"")) || code.contains(&format!("words.{name}"));
    let spare: Vec<&String> = words
        .keys()
        .filter(|name| !["problem", "fault"].iter().any(|own| name.starts_with(own)) && !says(name))
        .collect();
    assert!(spare.is_empty(), "nothing says {spare:?}");
}

#[test]
fn every_problem_of_the_server_is_explained_in_both_languages() {
    let words = words_of_the_viewer();
    let source = std::fs::read_to_string(project().join("src/http/reply/problem.rs")).expect("the problems");
    let (_, kinds) = source.split_once("fn kind(&self)").expect("the kinds of problems");
    let (kinds, _) = kinds.split_once("fn body(&self)").expect("the end of the kinds");
    let kinds: BTreeSet<&str> = kinds.split("(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(kinds.len() > 30, "{kinds:?}");
    for kind in kinds {
        let parts = kind.split('-').map(|part| part[..1].to_uppercase() + &part[1..]);
        let name = format!("problem{}", parts.collect::<String>());
        assert!(words.contains_key(&name), "words.ts does not explain {kind} ({name})");
    }
}

#[test]
fn every_fault_of_a_row_is_explained_in_both_languages() {
    let words = words_of_the_viewer();
    let source = std::fs::read_to_string(project().join("src/exchange/fault.rs")).expect("the faults");
    let (_, kinds) = source.split_once("pub enum Fault {").expect("the kinds of faults");
    let (kinds, _) = kinds.split_once("\n}").expect("the end of the kinds");
    let is_kind = |line: &&str| line.starts_with("    ") && line[4..].starts_with(char::is_uppercase);
    let kinds: Vec<&str> =
        kinds.lines().filter(is_kind).map(|line| line.trim_end_matches([',', ' ', '{']).trim()).collect();
    assert!(kinds.len() > 10, "{kinds:?}");
    for kind in kinds {
        assert!(words.contains_key(&format!("fault{kind}")), "words.ts does not explain {kind}");
    }
}

/// Runs a script of checks against a server; it must print a line for each check.
fn checked(server: &Server, script: &str, more: &[&str], checks: usize) {
    let screenshots = project().join("target/screenshots").display().to_string();
    let arguments = [&[server.url.as_str(), &screenshots][..], more].concat();
    let printed = script_well(&format!("browser/{script}.mjs"), &arguments);
    assert_eq!(printed.lines().count(), checks, "{printed}");
}

#[test]
fn the_viewer_draws_lists_and_has_two_languages() {
    let (_folder, server) = Server::of_sample();
    let snapshots = project().join("target/screenshots");
    let printed = script_well("browser/viewer.mjs", &[&server.url, &snapshots.display().to_string()]);
    assert!(printed.lines().count() > 5, "{printed}");
}

#[test]
fn a_move_in_the_store_appears_on_the_open_map() {
    let (folder, server) = Server::of_sample();
    let file = folder.file("onemap.gpkg").display().to_string();
    checked(&server, "events", &[&file], 4);
}

#[test]
fn names_are_found_and_audits_are_drawn() {
    let (_folder, server) = Server::of_sample();
    checked(&server, "search", &[], 5);
}

#[test]
fn running_incidents_come_first_and_new_ones_are_announced() {
    let (folder, server) = Server::of_sample();
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    checked(&server, "situation", &[token.trim()], 9);
}

#[test]
fn a_wall_screen_tours_the_situation() {
    let (_folder, server) = Server::of_sample();
    checked(&server, "wall", &[], 6);
}

#[test]
fn a_query_is_sent_kept_in_the_url_and_answered_by_a_covering_set() {
    let (_folder, server) = Server::of_sample();
    checked(&server, "ask", &[], 10);
}

#[test]
fn an_officer_signs_in_reads_contacts_and_edits() {
    let folder = Folder::new();
    let secret = |name: &str, role: &str| {
        let output = crate::support::run(&folder, &["token", "add", name, "--role", role]);
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let (secret, other) = (secret("指挥中心", "dispatcher"), secret("管理员", "admin"));
    let server = Server::start(&folder, &[]);
    checked(&server, "session", &[&secret, &other], 7);
}

#[test]
fn features_are_created_moved_and_deleted_and_nothing_typed_is_lost() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let other = crate::access::account(&folder, "管理员", &["--role", "admin"]);
    let server = Server::start(&folder, &[]);
    checked(&server, "edits", &[&secret, &other], 15);
}

#[test]
fn everything_in_view_is_reached_by_keyboard_through_a_list() {
    let (_folder, server) = Server::of_sample();
    checked(&server, "view_list", &[], 5);
}

#[test]
fn a_road_is_closed_and_opened_from_its_card() {
    let folder = Folder::new();
    let dispatcher = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let editor = crate::access::account(&folder, "道路员", &["--role", "editor", "--layer", "roads"]);
    let server = Server::start(&folder, &[]);
    checked(&server, "road_closure", &[&dispatcher, &editor], 4);
}

#[test]
fn a_dispatcher_promises_resources_and_releases_them() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    checked(&server, "commit", &[&secret], 6);
}

#[test]
fn an_evacuation_plan_is_drawn_and_promised() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    checked(&server, "plan", &[&secret], 6);
}

#[test]
fn a_dropped_file_is_looked_at_stored_and_undone() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "录入员", &["--role", "editor"]);
    let server = Server::start(&folder, &[]);
    checked(&server, "imports", &[&secret], 8);
}

#[test]
fn a_base_map_lies_below_the_layers() {
    let folder = Folder::new();
    // Free now; nothing else takes it before the script does.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    folder.write(
        "onemap.toml",
        format!(
            "[base_map]\ntiles = [\"http://127.0.0.1:{port}/{{z}}/{{x}}/{{y}}.png\"]\n\
             attribution = \"天地图 GS(2024)0650号\"\nmax_zoom = 18\n"
        ),
    );
    let server = Server::start(&folder, &[]);
    let policy = server.get("/").header("content-security-policy").to_owned();
    let origin = format!("http://127.0.0.1:{port}");
    assert_eq!(policy.matches(&origin).count(), 2, "for the tiles as images and as data only: {policy}");
    assert!(!server.get("/docs").header("content-security-policy").contains("script-src"));
    checked(&server, "base_map", &[&port.to_string()], 4);
}

#[test]
fn a_base_map_of_vector_tiles_is_drawn_below_the_layers() {
    let folder = Folder::new();
    std::fs::create_dir(folder.file("packs")).expect("a folder");
    let source = folder.file("base.gpkg").display().to_string();
    let feature = |geometry: &str, properties: &str| {
        format!(
            r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{properties},"geometry":{geometry}}}]}}"#
        )
    };
    let lake = r#"{"type":"Polygon","coordinates":[[[118.78,26.18],[118.82,26.18],[118.82,26.21],[118.78,26.21],[118.78,26.18]]]}"#;
    let road = r#"{"type":"LineString","coordinates":[[118.7,26.22],[118.9,26.22]]}"#;
    let town = r#"{"type":"Point","coordinates":[118.774,26.191]}"#;
    for (layer, features) in [
        ("water", feature(lake, r#"{"class":"lake"}"#)),
        ("transportation", feature(road, r#"{"class":"motorway"}"#)),
        ("place", feature(town, r#"{"class":"town","name":"基图镇","id":"OSM-1"}"#)),
    ] {
        let file = folder.write(&format!("{layer}.geojson"), features).display().to_string();
        foreign("ogr2ogr", &["-f", "GPKG", "-update", "-append", &source, &file, "-nln", layer]);
    }
    let pack = folder.file("packs").join("base.mbtiles").display().to_string();
    foreign("ogr2ogr", &["-f", "MBTILES", &pack, &source, "-dsco", "MINZOOM=8", "-dsco", "MAXZOOM=13"]);
    folder.write(
        "onemap.toml",
        "[base_map]\ntiles = [\"/packs/base.mbtiles/{z}/{x}/{y}\"]\nschema = \"openmaptiles\"\nmax_zoom = 13\n\
         attribution = \"© OpenStreetMap\"\n",
    );
    let server = Server::start(&folder, &["--packs", "packs"]);
    checked(&server, "vector_base_map", &[], 2);
}

#[test]
fn styles_with_vector_base_maps_are_valid() {
    for schema in ["openmaptiles", "protomaps", "shortbread"] {
        let folder = Folder::new();
        let tiles = "[base_map]\ntiles = [\"https://tiles.example/{z}/{x}/{y}\"]";
        folder.write("onemap.toml", format!("{tiles}\nschema = \"{schema}\"\n"));
        let server = Server::start(&folder, &[]);
        for theme in ["-dark", ""] {
            let style = server.get(&format!("/styles/onemap{theme}.json"));
            let layers = style.json()["layers"].as_array().expect("layers").clone();
            let own: Vec<_> = layers.iter().filter(|layer| layer["source"] == "base_map").collect();
            assert!(own.len() > 8 && layers[1]["source"] == "base_map", "{schema}{theme}");
            let water = own.iter().find(|layer| layer["id"] == "base_map-water").expect("water");
            assert_eq!(water["paint"]["fill-color"] == "#c3dcea", theme.is_empty(), "{schema}{theme}: {water}");
            let file = folder.write("style.json", style.body);
            script_well("styles/validate.mjs", &[&file.display().to_string()]);
        }
    }
}

#[test]
fn the_questions_of_a_night_are_answered_in_few_clicks() {
    const MOST_CLICKS: u32 = 4;
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/questions.mjs", &[&server.url, &snapshots, &secret]);
    let clicks = |line: &str| line.split(" clicks").next()?.rsplit(' ').next()?.parse::<u32>().ok();
    let clicks: Vec<u32> = printed.lines().filter_map(clicks).collect();
    assert!(clicks.len() == 10 && clicks.iter().all(|own| *own <= MOST_CLICKS), "{printed}");
}

#[test]
fn a_base_map_in_gcj02_lies_below_the_layers_where_they_are() {
    let folder = Folder::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let tiles = format!("http://127.0.0.1:{port}/{{z}}/{{x}}/{{y}}.png");
    folder.write("onemap.toml", format!("[base_map]\ntiles = [\"{tiles}\"]\ndatum = \"gcj02\"\n"));
    let server = Server::start(&folder, &[]);
    let style = server.get("/styles/onemap.json").json();
    let sources = style["sources"].as_object().expect("sources");
    assert!(!sources.contains_key("base_map-0"), "other programs would draw it at another place");
    checked(&server, "gcj02", &[&port.to_string()], 2);
}

#[test]
fn the_map_opens_and_answers_without_a_server() {
    let (folder, server) = Server::of_sample();
    let snapshots = project().join("target/screenshots").display().to_string();
    let (process, store) = (server.process_id().to_string(), folder.file("onemap.gpkg").display().to_string());
    let program = env!("CARGO_BIN_EXE_onemap");
    let printed = script_well("browser/offline.mjs", &[&server.url, &snapshots, &process, program, &store]);
    assert_eq!(printed.lines().count(), 6, "{printed}");
}

#[test]
fn the_nearest_by_road_has_times_and_lines_and_a_closed_road_changes_it() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    checked(&server, "by_road", &[&secret], 6);
}

#[test]
fn lines_and_areas_are_measured_and_asked_about_and_coordinates_copied() {
    let (_folder, server) = Server::of_sample();
    checked(&server, "draw", &[], 6);
}

#[test]
fn pages_and_panels_violate_no_rule_of_accessibility() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    let printed = script_well("browser/accessible.mjs", &[&server.url, &secret]);
    assert_eq!(printed.lines().count(), 46, "{printed}");
}

#[test]
fn the_map_works_inside_another_page_and_its_layers_on_the_map_of_another_page() {
    let (folder, server) = Server::of_sample();
    let snapshots = project().join("target/screenshots").display().to_string();
    let maplibre = project().join("src/viewer/node_modules/maplibre-gl/dist").display().to_string();
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let printed = script_well("browser/embed.mjs", &[&server.url, &snapshots, &maplibre, token.trim()]);
    assert_eq!(printed.lines().count(), 4, "{printed}");
}

#[test]
fn tablets_frames_and_telephones_show_the_map() {
    let (_folder, server) = Server::of_sample();
    checked(&server, "layouts", &[], 9);
}

#[test]
fn maps_of_other_programs_draw_the_style() {
    let (_folder, server) = Server::of_sample();
    checked(&server, "foreign_maps", &[], 3);
}

#[test]
fn an_unreadable_layer_is_named_on_the_map() {
    let (folder, server) = Server::of_sample();
    let rename = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=10)\n\
                  c.execute('ALTER TABLE shelters RENAME TO away')\nc.commit()";
    foreign("python3", &["-c", rename, &folder.file("onemap.gpkg").display().to_string()]);
    await_that("the layer is unavailable", || {
        server.get("/health/ready").json()["unavailable"]["shelters"]["age_s"].is_u64()
    });
    checked(&server, "unavailable", &[], 2);
}

#[test]
fn pages_work_behind_a_proxy_with_a_path_prefix() {
    // The server needs its public URL at start, so the port of the proxy is chosen first.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let public_url = format!("http://127.0.0.1:{port}/gis/onemap");
    let folder = Folder::new();
    let server = Server::start(&folder, &["--public-url", &public_url]);
    let printed = script_well("browser/prefix.mjs", &[&server.url, &public_url]);
    assert_eq!(printed.lines().count(), 3, "{printed}");
}

#[test]
fn the_style_is_valid_and_has_the_colours_of_the_catalog() {
    let (folder, server) = Server::of_sample();
    for theme in ["-dark", "-print", ""] {
        let style = folder.write("style.json", server.get(&format!("/styles/onemap{theme}.json")).body);
        script_well("styles/validate.mjs", &[&style.display().to_string()]);
    }
    let style = folder.file("style.json");
    let text = std::fs::read_to_string(style).expect("the style");
    let catalog = onemap::model::Catalog::built_in().expect("a catalog");
    for list in ["risk_level", "incident_grade", "danger_level", "hazard", "pipeline_kind"] {
        for code in &catalog.codes[list] {
            let colour = code.color.as_deref().expect("a colour");
            assert!(text.contains(colour), "{list} {:?} is not drawn in {colour}", code.code);
        }
    }
    for layer in &catalog.layers {
        assert!(text.contains(&format!("\"source-layer\":\"{}\"", layer.id)), "{} is not drawn", layer.id);
    }
}
