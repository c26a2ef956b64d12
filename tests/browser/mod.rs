//! Chromium: the viewer draws the map, lists results, has two languages and contacts no other host; the style is valid.

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
    for path in files.chain(["/?lang=en", "/?wall=1", "/?lang=zh&wall=1"].map(str::to_owned)) {
        assert_eq!(server.get(&path).status, 200, "{path}");
    }
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
    let snapshots = project().join("target/screenshots").display().to_string();
    let file = folder.file("onemap.gpkg").display().to_string();
    let printed = script_well("browser/events.mjs", &[&server.url, &snapshots, &file]);
    assert_eq!(printed.lines().count(), 4, "{printed}");
}

#[test]
fn names_are_found_and_audits_are_drawn() {
    let (_folder, server) = Server::of_sample();
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/search.mjs", &[&server.url, &snapshots]);
    assert_eq!(printed.lines().count(), 5, "{printed}");
}

#[test]
fn running_incidents_come_first_and_new_ones_are_announced() {
    let (folder, server) = Server::of_sample();
    let snapshots = project().join("target/screenshots").display().to_string();
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let printed = script_well("browser/situation.mjs", &[&server.url, &snapshots, token.trim()]);
    assert_eq!(printed.lines().count(), 8, "{printed}");
}

#[test]
fn a_wall_screen_tours_the_situation() {
    let (_folder, server) = Server::of_sample();
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/wall.mjs", &[&server.url, &snapshots]);
    assert_eq!(printed.lines().count(), 5, "{printed}");
}

#[test]
fn a_query_is_sent_kept_in_the_url_and_answered_by_a_covering_set() {
    let (_folder, server) = Server::of_sample();
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/ask.mjs", &[&server.url, &snapshots]);
    assert_eq!(printed.lines().count(), 6, "{printed}");
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
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/session.mjs", &[&server.url, &snapshots, &secret, &other]);
    assert_eq!(printed.lines().count(), 6, "{printed}");
}

#[test]
fn a_dispatcher_promises_resources_and_releases_them() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/commit.mjs", &[&server.url, &snapshots, &secret]);
    assert_eq!(printed.lines().count(), 6, "{printed}");
}

#[test]
fn an_evacuation_plan_is_drawn_and_promised() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/plan.mjs", &[&server.url, &snapshots, &secret]);
    assert_eq!(printed.lines().count(), 5, "{printed}");
}

#[test]
fn a_dropped_file_is_looked_at_stored_and_undone() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "录入员", &["--role", "editor"]);
    let server = Server::start(&folder, &[]);
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/imports.mjs", &[&server.url, &snapshots, &secret]);
    assert_eq!(printed.lines().count(), 6, "{printed}");
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
    assert_eq!(policy.matches(&origin).count(), 2, "for the tiles as pictures and as data only: {policy}");
    assert!(!server.get("/docs").header("content-security-policy").contains("script-src"));
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/base_map.mjs", &[&server.url, &snapshots, &port.to_string()]);
    assert_eq!(printed.lines().count(), 4, "{printed}");
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
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/by_road.mjs", &[&server.url, &snapshots, &secret]);
    assert_eq!(printed.lines().count(), 6, "{printed}");
}

#[test]
fn lines_and_areas_are_measured_and_asked_about_and_coordinates_copied() {
    let (_folder, server) = Server::of_sample();
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/draw.mjs", &[&server.url, &snapshots]);
    assert_eq!(printed.lines().count(), 5, "{printed}");
}

#[test]
fn pages_and_panels_violate_no_rule_of_accessibility() {
    let folder = Folder::new();
    let secret = crate::access::account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    let printed = script_well("browser/accessible.mjs", &[&server.url, &secret]);
    assert_eq!(printed.lines().count(), 15, "{printed}");
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
fn an_unreadable_layer_is_named_on_the_map() {
    let (folder, server) = Server::of_sample();
    let rename = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=10)\n\
                  c.execute('ALTER TABLE shelters RENAME TO away')\nc.commit()";
    foreign("python3", &["-c", rename, &folder.file("onemap.gpkg").display().to_string()]);
    await_that("the layer is unavailable", || {
        server.get("/health/ready").json()["unavailable"]["shelters"]["age_s"].is_u64()
    });
    let snapshots = project().join("target/screenshots").display().to_string();
    let printed = script_well("browser/unavailable.mjs", &[&server.url, &snapshots]);
    assert_eq!(printed.lines().count(), 2, "{printed}");
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
