//! The stream of change events: content, filters, resuming, limits, and slow clients.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::refuses;
use crate::support::listener::{Listener, edit, point_literal};
use crate::support::{Folder, Reply, Server, run_well};

const AT_FIRST: [f64; 4] = [118.847_643, 26.212_531, 118.847_643, 26.212_531];

fn of_sample() -> (Folder, Server, std::path::PathBuf) {
    let (folder, server) = Server::of_sample();
    let file = folder.file("onemap.gpkg");
    (folder, server, file)
}

fn place(lon: f64, lat: f64) -> String {
    format!("geom = {}", point_literal(lon, lat))
}

#[test]
fn a_move_reports_both_positions_and_a_deletion_the_old_one() {
    let (_folder, server, file) = of_sample();
    let here = server.get("/ogc/collections/shelters/items/SH-0001").json()["geometry"]["coordinates"].clone();
    assert_eq!(here, json!(AT_FIRST[..2]));
    let mut all = Listener::open(&server, "");
    edit(&file, &format!("update shelters set {} where id = 'SH-0001'", place(118.6, 26.1)));
    let moved = all.change();
    let version = moved.data["data_version"].as_str().expect("a version").to_owned();
    assert!(moved.id.is_some_and(|id| id.ends_with(&format!("-{version}"))));
    let [old, new] = [json!(AT_FIRST), json!([118.6, 26.1, 118.6, 26.1])];
    assert_eq!(
        moved.data,
        json!({"data_version": version, "layer": "shelters", "count": 1, "ids": ["SH-0001"], "boxes": [old, new]})
    );
    // A reported change is in the snapshot.
    let now = server.get("/ogc/collections/shelters/items/SH-0001").json();
    assert_eq!(now["geometry"]["coordinates"], json!([118.6, 26.1]));
    edit(&file, "update shelters set name = '新名' where id = 'SH-0001'");
    assert_eq!(all.change().data["boxes"], json!([new]));
    edit(&file, "delete from shelters where id = 'SH-0001'");
    let gone = all.change();
    assert_eq!((&gone.data["ids"], &gone.data["boxes"]), (&json!(["SH-0001"]), &json!([new])));
    edit(&file, "update shelters set geom = null where id = 'SH-0002'");
    assert_eq!(all.change().data["boxes"].as_array().map(Vec::len), Some(1));
    edit(&file, "update shelters set name = '无处' where id = 'SH-0002'");
    assert_eq!(all.change().data["boxes"], json!([]));
}

#[test]
fn a_stream_reports_only_its_layers_and_its_bbox() {
    let (_folder, server, file) = of_sample();
    let mut teams = Listener::open(&server, "?layers=teams,depots");
    let mut west = Listener::open(&server, "?bbox=118.5,25.9,118.7,26.6");
    let mut pacific = Listener::open(&server, "?layers=shelters&bbox=170,-20,-170,20");
    for (layer, id, lon) in
        [("shelters", "SH-0003", 118.9), ("teams", "TM-0001", 118.95), ("shelters", "SH-0003", 118.6)]
    {
        let first = "order by id limit 1";
        let row = if layer == "teams" { format!("(select id from teams {first})") } else { format!("'{id}'") };
        edit(&file, &format!("update {layer} set {} where id = {row}", place(lon, 26.2)));
    }
    assert_eq!(teams.change().data["layer"], "teams");
    let into = west.change();
    assert_eq!(into.data["ids"], json!(["SH-0003"]), "{into:?}");
    // A feature that leaves the bbox is reported too.
    for lon in [-175.0, 175.0, 0.0] {
        edit(&file, &format!("update shelters set {} where id = 'SH-0003'", place(lon, 10.0)));
        assert_eq!(pacific.change().data["ids"], json!(["SH-0003"]), "{lon}");
    }
}

#[test]
fn a_stream_resumes_or_is_reset() {
    let (folder, server, file) = of_sample();
    let rename = |name: &str| edit(&file, &format!("update shelters set name = '{name}' where id = 'SH-0001'"));
    let mut first = Listener::open(&server, "");
    rename("甲");
    let left_off = first.change().id.expect("an id");
    drop(first);
    rename("乙");
    edit(&file, "delete from shelters where id = 'SH-0002'");
    let seen = |mut listener: Listener| {
        let mut ids: Vec<Json> = Vec::new();
        while ids.len() < 2 {
            ids.extend(listener.change().data["ids"].as_array().expect("ids").clone());
        }
        ids
    };
    let both = vec![json!("SH-0001"), json!("SH-0002")];
    assert_eq!(seen(Listener::resume(&server, "", Some(&left_off))), both);
    assert_eq!(seen(Listener::open(&server, &format!("?last_event_id={left_off}"))), both);
    let run = left_off.split('-').next().expect("a run");
    for unknown in ["nonsense", "0-1", &format!("{run}-1"), &format!("{run}-999999999")] {
        let mut received = Listener::resume(&server, "", Some(unknown));
        let event = received.receive().expect("an event");
        assert_eq!(event.name, "reset", "{unknown}: {event:?}");
        assert!(event.id.is_some_and(|id| id.starts_with(run)), "{unknown}");
    }
    server.kill();
    let again = Server::start(&folder, &[]);
    let event = Listener::resume(&again, "", Some(&left_off)).receive().expect("an event");
    assert_eq!(event.name, "reset", "a version of an earlier run is not compared");
}

#[test]
fn a_bulk_change_is_one_small_event() {
    let (folder, server, file) = of_sample();
    let mut all = Listener::open(&server, "?layers=villages,hidden_dangers");
    // Hundreds of changes: ids without boxes. Thousands: a count and one box.
    for (count, named) in [(600, true), (1_500, false), (3_000, false)] {
        let mut lines = String::new();
        for number in 0..count {
            let (lon, lat) = (118.5 + f64::from(number) * 1e-4, 26.0 + f64::from(number % 7) * 0.01);
            let point = json!({"type": "Point", "coordinates": [lon, lat]});
            let id = format!("{count}-{number}-{}", "\"长".repeat(5));
            writeln!(
                lines,
                "{}",
                json!({"type": "Feature", "id": id, "properties": {"name": "村"}, "geometry": point})
            )
            .expect("a line");
        }
        folder.write("many.geojsonl", lines);
        run_well(&folder, &["import", "many.geojsonl", "--layer", "villages"]);
        let received = all.change();
        assert!(received.size < 65_536, "{} bytes", received.size);
        assert_eq!(received.data["count"], json!(count));
        assert_eq!(received.data.get("ids").is_some(), named, "{count}");
        let boxes = received.data["boxes"].as_array().expect("boxes");
        assert_eq!(boxes.len(), 1);
        let [west, east] = [0, 2].map(|at| boxes[0][at].as_f64().expect("degrees"));
        assert!(west <= 118.5 && east >= 118.5 + f64::from(count - 1) * 1e-4 - 1e-9, "{boxes:?}");
    }
    edit(&file, "update villages set name = '一' where id = (select id from villages order by id limit 1)");
    assert_eq!(all.change().data["count"], json!(1));
}

#[test]
fn streams_are_bounded_and_wrong_input_is_refused() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--max-event-streams", "1"]);
    for (query, status, parameter, accepted) in [
        ("layers=nope", 404, "layer", "shelters"),
        ("layers=", 400, "layers", "shelters"),
        ("bbox=1,2,3", 400, "bbox", "WEST,SOUTH"),
        ("layer=shelters", 400, "layer", "layers"),
    ] {
        refuses(&server, &format!("/api/events?{query}"), status, parameter, accepted);
    }
    let only = Listener::open(&server, "");
    let refused = server.get("/api/events");
    assert_eq!((refused.status, refused.header("retry-after")), (503, "10"));
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let head = ureq::head(&format!("{}/api/events", server.url)).call().expect("an answer");
    assert_eq!((head.status().as_u16(), head.headers()["content-type"].as_bytes()), (200, &b"text/event-stream"[..]));
    drop(only);
    let started = Instant::now();
    let reopened = || {
        let request = ureq::get(&format!("{}/api/events", server.url)).config().http_status_as_error(false).build();
        request.call().expect("an answer").status() == 200
    };
    // The server notices a closed stream when it next sends an event.
    while !reopened() {
        let name = format!("update shelters set name = '{:?}' where id = 'SH-0001'", started.elapsed());
        edit(&folder.file("onemap.gpkg"), &name);
        assert!(started.elapsed() < Duration::from_mins(1), "the limit counts a closed stream");
    }
}

#[test]
fn open_streams_do_not_delay_shutdown() {
    let (_folder, server, _file) = of_sample();
    let mut listeners = [(); 3].map(|()| Listener::open(&server, ""));
    let asked = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(8), "it took {:?}", asked.elapsed());
    for listener in &mut listeners {
        assert!(listener.receive().is_none(), "the stream ends at shutdown");
    }
}

#[test]
fn a_client_that_does_not_read_delays_nothing() {
    let (_folder, server, file) = of_sample();
    let address = server.url.trim_start_matches("http://");
    let mut deaf: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut socket = TcpStream::connect(address).expect("a connection");
            socket.write_all(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n").expect("a request");
            socket
        })
        .collect();
    let mut all = Listener::open(&server, "?layers=hazards");
    for round in 0..10 {
        edit(
            &file,
            &format!("update hazards set name = 'name {round}' where id in (select id from hazards limit 900)"),
        );
        let received = all.change();
        assert_eq!(received.data["ids"].as_array().map(Vec::len), Some(900), "{round}");
    }
    let reply: Reply = server.get("/health/ready");
    assert_eq!(reply.status, 200);
    deaf.clear();
}
