//! Outages of the database and of the network: replies continue, state their age, and become current again without a
//! restart; writes are stored once.

mod clients;
mod writes;

use serde_json::Value as Json;

use crate::support::database::{fresh_database, psql};
use crate::support::proxy::Proxy;
use crate::support::{Folder, Server, await_that, run};

/// A server whose database connection goes through a proxy that can be cut.
struct OutageFixture {
    folder: Folder,
    /// The direct URL of the database.
    database: String,
    /// The URL of the database through the proxy.
    store: String,
    line: Proxy,
}

impl OutageFixture {
    fn new() -> Self {
        let database = fresh_database();
        let (line, store) = Proxy::before(&database);
        Self { folder: Folder::new(), database, store, line }
    }

    fn serve(&self) -> Server {
        Server::start(&self.folder, &["--store", &self.store])
    }

    fn rename(&self, shelter: &str, name: &str) {
        psql(&self.database, &format!("UPDATE onemap.shelters SET name = '{name}' WHERE id = '{shelter}'"));
    }
}

const ITEM: &str = "/ogc/collections/shelters/items/SH-0001";

fn name(server: &Server) -> Json {
    server.get(ITEM).json()["properties"]["name"].clone()
}

fn is_ready(server: &Server) -> bool {
    server.get("/health/ready").status == 200
}

#[test]
fn replies_continue_during_an_outage_and_are_current_after_it() {
    let scene = OutageFixture::new();
    let server = scene.serve();
    assert!(is_ready(&server));
    scene.line.cut();
    scene.rename("SH-0001", "改了的");
    await_that("the server reports stale data", || !is_ready(&server));
    let item = server.get(ITEM);
    assert_eq!((item.status, &item.json()["stale"]), (200, &Json::Bool(true)));
    assert!(item.json()["data_age_s"].as_f64().expect("an age") >= 3.0);
    let tile = server.get("/tiles/shelters/12/3400/1738");
    assert!(tile.header("warning").starts_with("110 "), "{} {:?}", tile.status, tile.headers);
    assert_ne!(tile.header("age"), "0");
    scene.line.mend();
    await_that("the change during the outage", || name(&server) == "改了的");
    await_that("the server is ready again", || is_ready(&server));
}

#[test]
fn a_silent_database_delays_no_reply() {
    let scene = OutageFixture::new();
    let server = scene.serve();
    scene.line.silence();
    scene.rename("SH-0001", "改了的");
    await_that("the server reports stale data", || !is_ready(&server));
    assert_eq!(server.get(ITEM).status, 200);
    scene.line.mend();
    await_that("the change during the outage", || name(&server) == "改了的");
    scene.line.silence();
    assert_eq!(server.stop(), Some(0), "the server stops although the database is silent");
}

#[test]
fn the_server_starts_without_its_database_and_catches_up() {
    let scene = OutageFixture::new();
    let first = scene.serve();
    let version = first.get("/api/layers").json()["data_version"].clone();
    let before = name(&first);
    assert_eq!(first.stop(), Some(0));
    scene.line.cut();
    scene.rename("SH-0001", "改了的");

    let server = scene.serve();
    await_that("the server reports stale data", || !is_ready(&server));
    let layers = server.get("/api/layers").json();
    assert_eq!((&layers["stale"], &layers["data_version"]), (&Json::Bool(true), &version));
    assert_eq!(name(&server), before);
    let nearest = server.get("/api/nearest?point=118.86,26.22&layer=teams&k=3").json();
    assert_eq!((&nearest["stale"], nearest["features"].as_array().map(Vec::len)), (&Json::Bool(true), Some(3)));
    scene.line.mend();
    await_that("the change during the outage", || name(&server) == "改了的");
    assert!(is_ready(&server));
}

#[test]
fn the_disk_cache_has_every_feature_unchanged() {
    let scene = OutageFixture::new();
    // Types of values and geometries that the sample does not contain.
    let first = scene.serve();
    psql(
        &scene.database,
        "INSERT INTO onemap.incidents (id, geom, started_at) VALUES
           ('none', NULL, NULL), ('point', 'SRID=4326;POINT(118.8 26.2)', '2026-08-14T10:00:00.123Z'),
           ('multi', 'SRID=4326;MULTIPOLYGON(((118 26,119 26,119 27,118 26)),((120 26,121 26,121 27,120 26)))', NULL)",
    );
    let pages = |server: &Server| {
        let layers = server.get("/api/layers").json()["layers"].as_array().expect("layers").clone();
        let page = |layer: &Json| {
            let id = layer["id"].as_str().expect("an id");
            server.get(&format!("/ogc/collections/{id}/items?limit=10000")).json()["features"].clone()
        };
        layers.iter().map(page).collect::<Vec<Json>>()
    };
    await_that("the incidents", || first.get("/ogc/collections/incidents/items/multi").status == 200);
    let before = pages(&first);
    assert_eq!(first.stop(), Some(0));
    scene.line.cut();
    assert_eq!(pages(&scene.serve()), before);
}

#[test]
fn a_disk_cache_survives_a_killed_server() {
    let scene = OutageFixture::new();
    let first = scene.serve();
    await_that("a copy", || !copied(&scene.folder, "manifest").is_empty());
    first.kill();
    scene.line.cut();
    assert_eq!(scene.serve().get(ITEM).status, 200);
}

#[test]
fn a_corrupt_disk_cache_is_refused() {
    let scene = OutageFixture::new();
    assert_eq!(scene.serve().stop(), Some(0));
    scene.line.cut();
    let path = copied(&scene.folder, ".layer").into_iter().find(|path| path.contains("shelters-")).expect("a file");
    let mut bytes = std::fs::read(&path).expect("the file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("damage");
    let output = run(&scene.folder, &["serve", "--listen", "127.0.0.1:0", "--store", &scene.store]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("is damaged: a checksum does not match"), "{log}");
}

#[test]
fn a_disk_cache_is_used_for_its_own_database_only() {
    let scene = OutageFixture::new();
    assert_eq!(scene.serve().stop(), Some(0));
    scene.line.cut();
    let other = scene.store.replace("/onemap_test", "/another_onemap_test");
    let output = run(&scene.folder, &["serve", "--listen", "127.0.0.1:0", "--store", &other]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_second_server_does_not_use_the_same_disk_cache() {
    let scene = OutageFixture::new();
    let first = scene.serve();
    let second = scene.serve();
    assert!(is_ready(&second));
    assert_eq!(second.stop(), Some(0));
    assert_eq!(first.stop(), Some(0));
    scene.line.cut();
    assert_eq!(scene.serve().get(ITEM).status, 200);
}

#[test]
fn a_replaced_database_is_read_again() {
    let scene = OutageFixture::new();
    let server = scene.serve();
    let (administration, name_of) = scene.database.rsplit_once('/').expect("a database");
    let administration = format!("{administration}/postgres");
    let swap = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname =";
    // The other database has the same log and newer entries, so numbers alone do not distinguish them.
    scene.line.cut();
    psql(&administration, &format!("{swap} '{name_of}'"));
    psql(&administration, &format!("CREATE DATABASE {name_of}_other TEMPLATE {name_of}"));
    let other = format!("{}_other", scene.database);
    psql(&other, "ALTER TABLE onemap.shelters DISABLE TRIGGER USER");
    psql(&other, "UPDATE onemap.shelters SET name = '另一个' WHERE id = 'SH-0001'");
    psql(&administration, &format!("ALTER DATABASE {name_of} RENAME TO {name_of}_old"));
    psql(&administration, &format!("ALTER DATABASE {name_of}_other RENAME TO {name_of}"));
    scene.line.mend();
    await_that("the content of the other database", || name(&server) == "另一个");
}

/// Files of the disk cache with this name ending.
fn copied(folder: &Folder, ending: &str) -> Vec<String> {
    let stores = std::fs::read_dir(folder.file("onemap-cache")).into_iter().flatten().flatten();
    let files = stores.flat_map(|store| std::fs::read_dir(store.path()).into_iter().flatten().flatten());
    files.map(|file| file.path().display().to_string()).filter(|path| path.ends_with(ending)).collect()
}
