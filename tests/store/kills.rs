//! Servers that are killed or whose clock jumps while clients write. `scripts/chaos` does the same longer.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::database::fresh_database;
use crate::support::{Folder, Server, await_that, foreign, onemap};

const ITEMS: &str = "/ogc/collections/shelters/items";
const KILLS: usize = 6;
const WRITERS: usize = 4;
/// Acknowledged writes between two kills.
const WRITES: usize = 12;

/// Creates a feature without an id, so that a second execution would store a second feature. Its name is the key. `None`
/// without a reply.
fn create(server: &Server, token: &str, name: &str) -> Option<u16> {
    let authorization = format!("Bearer {}", token.trim());
    let headers = [("Authorization", &*authorization), ("Content-Type", "application/json"), ("Idempotency-Key", name)];
    let shelter = json!({"type": "Feature", "properties": {"name": name},
        "geometry": {"type": "Point", "coordinates": [118.7012, 26.3345]}});
    server.try_send("POST", ITEMS, &headers, &shelter.to_string()).map(|reply| reply.status)
}

/// Kills a server in the middle of writes again and again. Writes without a reply are repeated at the next one.
fn writes_outlive_kills(store: &[&str]) {
    let folder = Folder::new();
    let (acknowledged, unknown) = (Mutex::new(Vec::<String>::new()), Mutex::new(Vec::<String>::new()));
    let next = AtomicUsize::new(0);
    for _ in 0..KILLS {
        let server = Server::start(&folder, &[&["--empty", "--token-file", "token"], store].concat());
        let token = std::fs::read_to_string(folder.file("token")).expect("a token");
        let before = acknowledged.lock().expect("no writer has panicked").len();
        std::thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    loop {
                        let repeated = unknown.lock().expect("no writer has panicked").pop();
                        let name =
                            repeated.unwrap_or_else(|| format!("write-{}", next.fetch_add(1, Ordering::Relaxed)));
                        match create(&server, &token, &name) {
                            Some(201) => acknowledged.lock().expect("no writer has panicked").push(name),
                            Some(status) => panic!("{name}: {status}"),
                            None => break unknown.lock().expect("no writer has panicked").push(name),
                        }
                    }
                });
            }
            await_that("writes", || acknowledged.lock().expect("no writer has panicked").len() >= before + WRITES);
            foreign("kill", &["-KILL", &server.process_id().to_string()]);
        });
    }
    let server = Server::start(&folder, &[&["--empty", "--token-file", "token"], store].concat());
    let token = std::fs::read_to_string(folder.file("token")).expect("a token");
    let acknowledged = acknowledged.into_inner().expect("no writer has panicked");
    let unknown = unknown.into_inner().expect("no writer has panicked");
    assert!(acknowledged.len() >= KILLS * WRITES && !unknown.is_empty());
    for name in &unknown {
        assert_eq!(create(&server, &token, name), Some(201));
    }
    let page = server.get(&format!("{ITEMS}?limit=10000")).json();
    let mut stored: BTreeMap<&str, usize> = BTreeMap::new();
    for feature in page["features"].as_array().expect("features") {
        *stored.entry(feature["properties"]["name"].as_str().expect("a name")).or_default() += 1;
    }
    let wrong: Vec<_> =
        acknowledged.iter().chain(&unknown).filter(|name| stored.get(name.as_str()) != Some(&1)).collect();
    assert!(wrong.is_empty(), "not stored once: {wrong:?} of {stored:?}");
    assert_eq!(stored.len(), acknowledged.len() + unknown.len());
}

#[test]
fn a_file_keeps_each_acknowledged_write_once_through_kills() {
    writes_outlive_kills(&[]);
}

#[test]
fn a_database_keeps_each_acknowledged_write_once_through_kills() {
    writes_outlive_kills(&["--store", &fresh_database(), "--no-cache"]);
}

#[test]
fn a_clock_that_jumps_stops_no_write_and_no_reply() {
    let folder = Folder::new();
    folder.write("difference", "+0");
    let mut command = onemap(&folder, &["--json", "serve", "--listen", "127.0.0.1:0", "--empty"]);
    // Of faketime; only the wall clock jumps, as it does on a machine.
    let library = foreign("sh", &["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"]);
    command.env("LD_PRELOAD", library.trim()).env("FAKETIME_TIMESTAMP_FILE", folder.file("difference"));
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let server = Server::start_by(command);
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    for difference in ["+400d", "-400d", "+0", "-1h", "+3650d", "+0"] {
        // In one step: the library must not read half a text.
        folder.write("difference.new", difference);
        std::fs::rename(folder.file("difference.new"), folder.file("difference")).expect("renamed");
        assert_eq!(
            create(&server, &token, &format!("clock{difference}-{}", stored(&server))),
            Some(201),
            "{difference}"
        );
        let nearest = server.get("/api/nearest?point=118.7,26.33&layer=shelters&status=any").json();
        assert_eq!(nearest["stale"], false, "{difference}");
        assert_eq!(server.get("/health/ready").status, 200, "{difference}");
    }
    assert_eq!(stored(&server), 6);
}

fn stored(server: &Server) -> u64 {
    server.get(&format!("{ITEMS}?limit=1")).json()["numberMatched"].as_u64().expect("a count")
}
