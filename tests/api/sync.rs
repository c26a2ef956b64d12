//! Features of other servers: kept current, under their names, read-only, and kept when the other server is gone.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use crate::access::account;
use crate::support::{Folder, Server, await_that, run, until};

const ITEMS: &str = "/ogc/collections/shelters/items";

fn config(url: &str) -> String {
    format!(
        "[[sync]]\nurl = \"{url}\"\ncollection = \"shelters\"\nlayer = \"shelters\"\nsource = \"福州市\"\nprefix = \"fz\"\n\
         every_s = 1\n"
    )
}

fn send(server: &Server, secret: &str, method: &str, path: &str, body: &Json) -> u16 {
    let authorization = format!("Bearer {secret}");
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", kind)];
    server.send(method, path, &headers, &body.to_string()).status
}

#[test]
fn features_of_another_server_are_kept_current_and_read_only() {
    let (city_folder, folder) = (Folder::new(), Folder::new());
    let city_secret = account(&city_folder, "市局", &["--role", "dispatcher"]);
    let secret = account(&folder, "县局", &["--role", "dispatcher"]);
    // Without a secret only what the public sees would arrive.
    folder.write("city.secret", account(&city_folder, "闽清县", &["--role", "viewer"]));
    let city = Server::start(&city_folder, &[]);
    folder.write("onemap.toml", format!("{}secret_file = \"city.secret\"\n", config(&format!("{}/ogc", city.url))));
    let county = Server::start(&folder, &["--empty"]);
    let city_url = city.url.clone();
    let authorization = format!("Bearer {secret}");
    let count = || {
        let reply = county.get_with(&format!("{ITEMS}?limit=1"), ("Authorization", &authorization));
        reply.json()["numberMatched"].clone()
    };
    let own = |server: &Server, id: &str| {
        let secret = if server.url == city_url { &city_secret } else { &secret };
        server.get_with(&format!("{ITEMS}/{id}"), ("Authorization", &format!("Bearer {secret}")))
    };
    await_that("the features arrive", || count() == json!(349));
    let (theirs, ours) = (own(&city, "SH-0001").json(), own(&county, "fz:SH-0001").json());
    for field in ["name", "capacity", "status", "region_code", "fits", "area_m2"] {
        assert_eq!(theirs["properties"][field], ours["properties"][field], "{field}");
    }
    assert_eq!((&ours["geometry"], &ours["properties"]["source"]), (&theirs["geometry"], &json!("福州市")));
    // They are nobody's to change here, and nobody's to promise.
    let patch = json!({"properties": {"status": "full"}});
    assert_eq!(send(&county, &secret, "PATCH", &format!("{ITEMS}/fz:SH-0001"), &patch), 403);
    let incident = json!({"id": "I1", "type": "Feature", "geometry": {"type": "Point", "coordinates": [118.86, 26.22]},
        "properties": {"name": "事件", "kind": "flood", "status": "responding", "severity": 1, "started_at": "2026-01-01T00:00:00Z"}});
    assert_eq!(send(&county, &secret, "POST", "/ogc/collections/incidents/items", &incident), 201);
    let promise = json!({"incident": "I1", "resource": {"layer": "shelters", "id": "fz:SH-0001"}, "people": 1});
    assert_eq!(send(&county, &secret, "POST", "/api/commitments", &promise), 403);
    // An import of our own neither changes nor deletes them.
    folder.write("own.csv", "编号,名称,wgs84_lng,wgs84_lat,容量\nown,自有点,118.86,26.22,50\n");
    let output = run(&folder, &["import", "own.csv", "--layer", "shelters", "--replace"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    await_that("both are there", || count() == json!(350));

    assert_eq!(send(&city, &city_secret, "PATCH", &format!("{ITEMS}/SH-0001"), &patch), 204);
    assert_eq!(send(&city, &city_secret, "DELETE", &format!("{ITEMS}/SH-0002"), &json!({})), 204);
    await_that("a change arrives", || own(&county, "fz:SH-0001").json()["properties"]["status"] == "full");
    await_that("a deletion arrives", || own(&county, "fz:SH-0002").status == 404);
    let ready = county.get("/health/ready").json();
    assert_eq!((&ready["synced"][0]["source"], &ready["synced"][0]["is_failing"]), (&json!("福州市"), &json!(false)));

    city.kill();
    let failing = until("the failure is told", || {
        Some(county.get("/health/ready").json()).filter(|ready| ready["synced"][0]["is_failing"] == true)
    });
    assert!(failing["synced"][0]["confirmed_at"].is_string() && failing["status"] == "ready", "{failing}");
    assert_eq!(count(), json!(349), "nothing is lost with the other server");
    let metrics =
        String::from_utf8_lossy(&county.get_with("/metrics", ("Authorization", &authorization)).body).into_owned();
    assert!(metrics.contains("onemap_synced_age_seconds{layer=\"shelters\",source=\"福州市\"}"), "{metrics}");
}

/// A server of two pages of features; the second can fail.
struct Foreign {
    url: String,
    pages: Arc<Mutex<Vec<String>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Foreign {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (pages, requests) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (served, kept) = (pages.clone(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                kept.lock().expect("requests").push(request.clone());
                let page = usize::from(request.contains("page=2"));
                let body = served.lock().expect("pages").get(page).cloned().unwrap_or_default();
                let status = if body.is_empty() { "500 Internal Server Error" } else { "200 OK" };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Self { url, pages, requests }
    }

    fn serve(&self, first: &[Json], second: Option<&[Json]>) {
        self.serve_linked(first, "/collections/shelters/items?page=2", second);
    }

    /// Serves a first page with a link to the second one.
    fn serve_linked(&self, first: &[Json], next: &str, second: Option<&[Json]>) {
        let page = |features: &[Json], next: Option<&str>| {
            let links: Vec<Json> = next.iter().map(|href| json!({"rel": "next", "href": href})).collect();
            json!({"type": "FeatureCollection", "features": features, "links": links}).to_string()
        };
        let second = second.map_or_else(String::new, |features| page(features, None));
        let first = page(first, Some(next));
        *self.pages.lock().expect("pages") = vec![first, second];
    }
}

#[test]
fn links_between_pages_are_followed_and_the_secret_stays_with_its_server() {
    let folder = Folder::new();
    let (own, other) = (Foreign::start(), Foreign::start());
    folder.write("secret", "a-secret\n");
    folder.write("onemap.toml", format!("{}secret_file = \"secret\"\n", config(&own.url)));
    let feature = |id: &str| {
        json!({"type": "Feature", "id": id, "properties": {"name": format!("点{id}")},
            "geometry": {"type": "Point", "coordinates": [135.0, 35.0]}})
    };
    let absolute = format!("{}/collections/shelters/items?page=2", other.url);
    other.serve(&[], Some(&[feature("b")]));
    for (next, is_elsewhere) in [
        ("/collections/shelters/items?page=2", false),
        ("?page=2", false),
        ("items?page=2", false),
        ("../shelters/items?page=2", false),
        (absolute.as_str(), true),
    ] {
        own.requests.lock().expect("requests").clear();
        own.serve_linked(&[feature("a")], next, (!is_elsewhere).then_some(&[feature("b")]));
        crate::support::run_well(&folder, &["sync"]);
        let asked = own.requests.lock().expect("requests").clone();
        assert_eq!(asked.len(), if is_elsewhere { 1 } else { 2 }, "{next}");
        assert!(asked.iter().all(|request| request.contains("Bearer a-secret")), "{next}: {asked:?}");
    }
    let asked = other.requests.lock().expect("requests").clone();
    assert!(asked.len() == 1 && !asked[0].contains("a-secret"), "{asked:?}");
}

#[test]
fn a_collection_that_cannot_be_read_as_a_whole_changes_nothing() {
    let folder = Folder::new();
    let foreign = Foreign::start();
    folder.write("onemap.toml", format!("{}columns = {{ \"避難所名\" = \"name\" }}\n", config(&foreign.url)));
    let feature = |id: &str, lon: f64| {
        json!({"type": "Feature", "id": id, "properties": {"避難所名": format!("点{id}"), "容量": 20},
            "geometry": {"type": "Point", "coordinates": [lon, 35.0]}})
    };
    let sync = || {
        let output = run(&folder, &["sync"]);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let stored = || -> Vec<String> {
        crate::support::run_well(&folder, &["export", "--layer", "shelters", "-o", "out.geojson"]);
        let text = std::fs::read(folder.file("out.geojson")).expect("a file");
        let features: Json = serde_json::from_slice(&text).expect("JSON");
        let ids = features["features"].as_array().expect("features").iter();
        ids.map(|own| own["id"].as_str().expect("an id").to_owned()).collect()
    };
    foreign.serve(&[feature("a", 135.0), feature("b", 135.1)], Some(&[feature("c", 135.2)]));
    let (is_well, log) = sync();
    assert!(is_well && log.contains("new=3"), "{log}");
    assert_eq!(stored(), ["fz:a", "fz:b", "fz:c"]);
    for (first, second, words) in
        [(vec![feature("a", 135.0)], None, "not every page could be read"), (vec![], Some(vec![]), "has no features")]
    {
        foreign.serve(&first, second.as_deref());
        let (is_well, log) = sync();
        assert!(!is_well && log.contains(words), "{words}: {log}");
        assert_eq!(stored(), ["fz:a", "fz:b", "fz:c"]);
    }
    *foreign.pages.lock().expect("pages") = vec!["<html>".to_owned()];
    let (is_well, log) = sync();
    assert!(!is_well && log.contains("no page of features"), "{log}");
    foreign.serve(&[feature("a", 135.0)], Some(&[json!({"type": "Feature", "id": "x", "properties": {}, "geometry": {"type": "Point", "coordinates": ["?"]}})]));
    let (is_well, log) = sync();
    assert!(is_well && log.contains("refused=1") && log.contains("removed=2"), "{log}");
    assert_eq!(stored(), ["fz:a"]);
    assert!(foreign.requests.lock().expect("requests").len() >= 9);
    for (wrong, words) in [
        ("url = \"ftp://x\"", "does not begin with http"),
        ("layer = \"none\"", "is no layer"),
        ("prefix = \"f z\"", "letters, digits"),
        ("every_s = 0", "at least 1"),
        ("colour = 1", "unknown field"),
    ] {
        let name = wrong.split(' ').next().expect("a name");
        let lines = config(&foreign.url);
        let lines: Vec<&str> =
            lines.lines().filter(|line| !line.starts_with(&format!("{name} "))).chain([wrong]).collect();
        folder.write("onemap.toml", lines.join("\n"));
        let (is_well, log) = sync();
        assert!(!is_well && log.contains(words), "{wrong}: {log}");
    }
}
