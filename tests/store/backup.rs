//! Copies of a store that is written meanwhile, and their restoration under a running server.

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::support::listener::edit;
use crate::support::{Folder, Server, await_that, run, run_well};

#[test]
fn a_copy_is_complete_while_others_write() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let file = folder.file("onemap.gpkg");
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Two rows that are always equal.
            for number in 0.. {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                edit(&file, &format!("update shelters set occupancy = {number} where id in ('SH-0001', 'SH-0002')"));
            }
        });
        for copy in 0..5 {
            run_well(&folder, &["backup", &format!("copy-{copy}.gpkg")]);
        }
        is_done.store(true, Ordering::Relaxed);
    });
    drop(server);
    for copy in 0..5 {
        let name = format!("copy-{copy}.gpkg");
        assert!(!folder.file(&format!("{name}-wal")).exists() && !folder.file(&format!("{name}.unfinished")).exists());
        let server = Server::start(&folder, &["--store", &name]);
        let occupancy = |id: &str| {
            server.get(&format!("/ogc/collections/shelters/items/{id}")).json()["properties"]["occupancy"].clone()
        };
        assert_eq!(occupancy("SH-0001"), occupancy("SH-0002"));
        assert_eq!(server.get("/ogc/collections/hazards/items?limit=1").json()["numberMatched"], 1_850);
    }
}

#[test]
fn a_restored_copy_is_served_at_once_and_the_replaced_file_is_kept() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    run_well(&folder, &["backup", "copy.gpkg"]);
    let path = "/ogc/collections/shelters/items/SH-0001";
    let before = server.get(path).json()["properties"]["name"].clone();
    edit(&folder.file("onemap.gpkg"), "update shelters set name = '灾后' where id = 'SH-0001'");
    await_that("the edit", || server.get(path).json()["properties"]["name"] == json!("灾后"));
    run_well(&folder, &["restore", "copy.gpkg"]);
    await_that("the copy is served", || server.get(path).json()["properties"]["name"] == before);
    // Writes go into the restored file.
    edit(&folder.file("onemap.gpkg"), "update shelters set name = '之后' where id = 'SH-0001'");
    await_that("a later edit", || server.get(path).json()["properties"]["name"] == json!("之后"));
    assert_eq!(server.stop(), Some(0));
    let server = Server::start(&folder, &[]);
    assert_eq!(server.get(path).json()["properties"]["name"], json!("之后"));
    drop(server);
    let server = Server::start(&folder, &["--store", "onemap.gpkg.before-restore-1"]);
    assert_eq!(server.get(path).json()["properties"]["name"], json!("灾后"));
}

#[test]
fn a_copy_takes_the_place_of_a_file_that_was_lost_without_its_log() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    run_well(&folder, &["backup", "copy.gpkg"]);
    // A power failure leaves changes in the write-ahead log, which are pages of the lost file.
    edit(&folder.file("onemap.gpkg"), "update shelters set name = '灾后'");
    server.kill();
    let log = std::fs::metadata(folder.file("onemap.gpkg-wal")).expect("a log");
    assert!(log.len() > 0);
    std::fs::remove_file(folder.file("onemap.gpkg")).expect("the file is lost");
    run_well(&folder, &["restore", "copy.gpkg"]);
    run_well(&folder, &["check"]);
    let server = Server::start(&folder, &[]);
    let shelter = server.get("/ogc/collections/shelters/items/SH-0001").json();
    assert_ne!(shelter["properties"]["name"], json!("灾后"));
}

/// Root works on the store of a service, whose user owns the folder. Other users cannot give files away.
fn give_to_a_service(folder: &Folder) -> u32 {
    let owner = std::fs::metadata(folder.path()).expect("a folder").uid();
    if owner != 0 {
        return owner;
    }
    std::os::unix::fs::chown(folder.path(), Some(12_345), None).expect("root gives the folder away");
    12_345
}

#[test]
fn new_and_restored_stores_belong_to_the_owner_of_their_folder() {
    let folder = Folder::new();
    let owner = give_to_a_service(&folder);
    folder.write("shelters.csv", "id,name,lon,lat\nSH-1,甲,118.86,26.22\n");
    let facts = || {
        let file = std::fs::metadata(folder.file("onemap.gpkg")).expect("a store");
        (file.uid(), file.mode() & 0o777)
    };
    run_well(&folder, &["import", "shelters.csv", "--layer", "shelters", "--crs", "wgs84"]);
    assert_eq!(facts(), (owner, 0o600));
    run_well(&folder, &["backup", "copy.gpkg"]);
    run_well(&folder, &["restore", "copy.gpkg"]);
    assert_eq!(facts(), (owner, 0o600));
}

#[test]
fn a_failed_copy_or_restoration_changes_nothing() {
    let folder = Folder::new();
    drop(Server::start(&folder, &[]));
    run_well(&folder, &["backup", "copy.gpkg"]);
    let original = std::fs::read(folder.file("onemap.gpkg")).expect("a store");
    let mut damaged = std::fs::read(folder.file("copy.gpkg")).expect("a copy");
    let middle = damaged.len() / 2;
    damaged[middle..middle + 20_000].fill(7);
    folder.write("damaged.gpkg", &damaged);
    folder.write("text.gpkg", "no package");
    for (arguments, reason) in [
        (&["backup", "copy.gpkg"][..], "exists already"),
        (&["backup", "missing/copy.gpkg"], "missing"),
        (&["backup", "other.gpkg", "--store", "missing.gpkg"], "missing.gpkg"),
        (&["restore", "damaged.gpkg"], "damaged"),
        (&["restore", "text.gpkg"], "GeoPackage"),
        (&["restore", "missing.gpkg"], "missing.gpkg"),
        (&["backup", "a.dump", "--store", "postgres://nobody:secret@127.0.0.1/x"], "pg_dump --format=custom"),
        (&["restore", "a.dump", "--store", "postgres://nobody:secret@127.0.0.1/x"], "pg_restore"),
    ] {
        let output = run(&folder, arguments);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && printed.contains(reason), "{arguments:?}: {printed}");
        assert!(!printed.contains("secret"), "{printed}");
    }
    assert_eq!(std::fs::read(folder.file("onemap.gpkg")).expect("a store"), original);
    let left = std::fs::read_dir(folder.path()).expect("a folder").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(!left.iter().any(|name| name.contains("unfinished") || name.contains("before-restore")), "{left:?}");
}
