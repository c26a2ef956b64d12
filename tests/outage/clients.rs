//! The network between clients and the server is cut: what a client repeats with its key is stored once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::proxy::Proxy;
use crate::support::{Folder, Server, await_that, try_send_to};

const ITEMS: &str = "/ogc/collections/shelters/items";
/// How long packets vanish, and then how long connections are refused.
const CUT: Duration = Duration::from_millis(500);

#[test]
fn writes_through_a_network_that_is_cut_are_stored_once() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--empty"]);
    let line = Proxy::to(server.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port"));
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let (authorization, url) = (format!("Bearer {}", token.trim()), format!("http://{}{ITEMS}", line.address));
    let (acknowledged, lost, is_over) = (Mutex::new(Vec::new()), AtomicUsize::new(0), AtomicBool::new(false));
    let count = || acknowledged.lock().expect("names").len();
    let write = |writer: usize| {
        for number in 0.. {
            // The feature has no id, so that a repetition that is not recognised is another feature.
            let name = format!("n{writer}-{number}");
            let headers = [
                ("Authorization", authorization.as_str()),
                ("Content-Type", "application/json"),
                ("Idempotency-Key", name.as_str()),
            ];
            let shelter = json!({"type": "Feature", "properties": {"name": name},
                "geometry": {"type": "Point", "coordinates": [118.86, 26.22]}});
            loop {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                match try_send_to(&url, "POST", &headers, &shelter.to_string()).map(|reply| reply.status) {
                    Some(201) => break acknowledged.lock().expect("names").push(name.clone()),
                    Some(status) => assert!(matches!(status, 408 | 503), "{status}"),
                    None => {
                        lost.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(CUT / 10);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let write = &write;
            scope.spawn(move || write(writer));
        }
        for _ in 0..3 {
            let before = count();
            await_that("clients write", || count() > before + 4);
            line.silence();
            std::thread::sleep(CUT);
            line.cut();
            std::thread::sleep(CUT);
            line.mend();
        }
        let before = count();
        await_that("clients write again", || count() > before + 4);
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(lost.into_inner() >= 4, "no request was lost");
    let stored = server.get_with(&format!("{ITEMS}?limit=10000"), ("Authorization", &authorization)).json();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for feature in stored["features"].as_array().expect("features") {
        *counts.entry(feature["properties"]["name"].as_str().expect("a name")).or_default() += 1;
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "stored twice: {twice:?}");
    let acknowledged = acknowledged.into_inner().expect("names");
    let missing: Vec<_> = acknowledged.iter().filter(|name| !counts.contains_key(name.as_str())).collect();
    assert!(missing.is_empty(), "acknowledged, not stored: {missing:?}");
}
