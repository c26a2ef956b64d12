//! Several servers over a database cluster that `scripts/cluster` runs: PostgreSQL under Patroni, PgBouncer and HAProxy.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::database::psql;
use crate::support::listener::Listener;
use crate::support::{Folder, Reply, Server, await_that, foreign, project, try_send_to, until};

const ITEMS: &str = "/ogc/collections/shelters/items";
/// Paths whose entity tags are those of the whole snapshot, of bytes, and of a feature.
const PATHS: [&str; 4] = [
    "/ogc/collections/shelters/items?limit=1000",
    "/tiles/shelters,villages,teams/9/424/217",
    "/tiles/shelters/12/3400/1736",
    "/ogc/collections/shelters/items/SH-0001",
];
/// Pause between two requests of a reader.
const PACE: Duration = Duration::from_millis(20);

/// A running cluster, ended with its value.
struct Cluster {
    folder: Folder,
    state: Json,
}

impl Cluster {
    fn up() -> Self {
        let folder = Folder::new();
        let mut cluster = Self { folder, state: Json::Null };
        cluster.script("up", &["--port", "0", "--onemap", env!("CARGO_BIN_EXE_onemap")]);
        let state = std::fs::read_to_string(cluster.folder.file("cluster/cluster.json")).expect("a state");
        cluster.state = serde_json::from_str(&state).expect("JSON");
        cluster
    }

    fn script(&self, command: &str, options: &[&str]) -> String {
        let folder = self.folder.file("cluster").display().to_string();
        let script = project().join("scripts/cluster").display().to_string();
        foreign(&script, &[&[command, "--dir", &folder], options].concat())
    }

    fn base(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.state["ports"][name])
    }

    fn database(&self, port: &str) -> String {
        let secret = self.state["secrets"]["onemap"].as_str().expect("a password");
        format!("postgres://onemap:{secret}@127.0.0.1:{}/county", self.state["ports"][port])
    }

    fn get(&self, name: &str, path: &str) -> Option<Reply> {
        try_send_to(&format!("{}{path}", self.base(name)), "GET", &[], "")
    }

    /// Creates a shelter through HAProxy; true once it is acknowledged.
    fn create(&self, id: &str) -> bool {
        self.create_at(&self.base("http"), id).is_some_and(|reply| reply.status == 201)
    }

    fn create_at(&self, base: &str, id: &str) -> Option<Reply> {
        let token = std::fs::read_to_string(self.folder.file("cluster/onemap.token")).expect("a token");
        let authorization = format!("Bearer {}", token.trim());
        let headers =
            [("Authorization", &*authorization), ("Content-Type", "application/json"), ("Idempotency-Key", id)];
        let place = json!({"type": "Point", "coordinates": [118.7012, 26.3345]});
        let shelter = json!({"type": "Feature", "id": id, "properties": {}, "geometry": place});
        try_send_to(&format!("{base}{ITEMS}"), "POST", &headers, &shelter.to_string())
    }

    fn await_equal_tags(&self, reader: &Server) {
        let servers = [self.base("onemap1"), self.base("onemap2"), reader.url.clone()];
        let tags = until("equal versions and entity tags", || {
            let tags = servers.each_ref().map(|base| tags(base));
            (tags[0] == tags[1] && tags[0] == tags[2]).then(|| tags[0].clone()).flatten()
        });
        assert!(tags.iter().all(|tag| !tag.is_empty()), "{tags:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let folder = self.folder.file("cluster");
        let _ = Command::new(project().join("scripts/cluster")).args(["down", "--dir"]).arg(folder).status();
    }
}

/// The version and the entity tags of a server.
fn tags(base: &str) -> Option<Vec<String>> {
    let replies = PATHS.map(|path| try_send_to(&format!("{base}{path}"), "GET", &[], ""));
    let tag = |reply: Option<Reply>| reply.map(|reply| reply.header("etag").to_owned());
    let version = try_send_to(&format!("{base}{}", PATHS[0]), "HEAD", &[], "")?;
    let version = version.header("x-onemap-data-version").to_owned();
    std::iter::once(Some(version)).chain(replies.map(tag)).collect()
}

/// Reads a server until `stop` is closed; panics when a read fails.
fn read_until(base: &str, stop: &mpsc::Receiver<()>) -> usize {
    let url = format!("{base}/api/nearest?point=118.86,26.22&layer=shelters:3");
    let mut reads = 0;
    loop {
        let reply = try_send_to(&url, "GET", &[], "").unwrap_or_else(|| panic!("{base} did not answer, read {reads}"));
        assert_eq!(reply.status, 200, "{base}, read {reads}: {}", reply.json());
        reads += 1;
        if stop.recv_timeout(PACE) != Err(RecvTimeoutError::Timeout) {
            return reads;
        }
    }
}

/// A server over the standby serves what the others serve, misses no transaction, and refuses edits.
fn assert_standby_is_followed(cluster: &Cluster, reader: &Server) {
    cluster.await_equal_tags(reader);
    let refused = cluster.create_at(&reader.url, "X-1").expect("a reply");
    assert_eq!(refused.status, 503, "{}", refused.json());

    let primary = cluster.database("primary");
    let mut slow = Command::new("psql")
        .args(["--no-psqlrc", "-qAt", &primary])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("psql starts");
    let mut input = slow.stdin.take().expect("its input");
    writeln!(input, "BEGIN; INSERT INTO onemap.villages (id) VALUES ('slow'); SELECT 'inserted';").expect("written");
    let mut line = String::new();
    BufReader::new(slow.stdout.take().expect("its output")).read_line(&mut line).expect("an answer");
    assert_eq!(line.trim(), "inserted");
    psql(&primary, "INSERT INTO onemap.villages (id) VALUES ('quick')");
    let has = |id: &str| reader.get(&format!("/ogc/collections/villages/items/{id}")).status == 200;
    await_that("the quick transaction", || has("quick"));
    assert!(!has("slow"));
    writeln!(input, "COMMIT;").expect("written");
    drop(input);
    assert!(slow.wait().expect("psql ends").success());
    await_that("the slow transaction", || has("slow"));
    cluster.await_equal_tags(reader);
}

/// Kills the primary while shelters are created; the ids of those that were acknowledged.
fn fail_over(cluster: &Cluster, reader: &Server) -> Vec<String> {
    let bases = [cluster.base("onemap1"), cluster.base("onemap2"), cluster.base("http"), reader.url.clone()];
    let ids: Vec<String> = (0..40).map(|n| format!("F-{n:02}")).collect();
    std::thread::scope(|scope| {
        let readers = bases.map(|base| {
            let (stop, stopped) = mpsc::channel();
            (stop, scope.spawn(move || read_until(&base, &stopped)))
        });
        for (n, id) in ids.iter().enumerate() {
            if n == 20 {
                cluster.script("kill-primary", &[]);
            }
            await_that(&format!("{id} is acknowledged"), || cluster.create(id));
        }
        for (stop, reader) in readers {
            drop(stop);
            assert!(reader.join().expect("no read fails") > 100);
        }
    });
    ids
}

#[test]
fn clients_change_servers_and_a_failover_stops_no_read_and_loses_no_write() {
    let cluster = Cluster::up();
    let folder = Folder::new();
    let (token, url) = (cluster.folder.file("cluster/onemap.token"), cluster.base("http"));
    let token = token.display().to_string();
    let standby = cluster.database("standby");
    let options = ["--store", &standby, "--token-file", &token, "--public-url", &url, "--no-cache"];
    let reader = Server::start(&folder, &options);
    assert_standby_is_followed(&cluster, &reader);

    let mut first = Listener::resume_at(&cluster.base("onemap1"), "?layers=shelters", None);
    assert!(cluster.create("E-1"));
    let left_off = first.change().id.expect("an id");
    drop(first);
    let acknowledged = fail_over(&cluster, &reader);

    for server in ["onemap1", "onemap2"] {
        let ids = until("the snapshot after the failover", || {
            let items = cluster.get(server, "/ogc/collections/shelters/items?limit=1000")?.json();
            let ids = items["features"].as_array()?.iter().filter_map(|feature| feature["id"].as_str());
            let ids: Vec<String> = ids.filter(|id| id.starts_with("F-")).map(str::to_owned).collect();
            (ids.len() >= acknowledged.len()).then_some(ids)
        });
        assert_eq!(ids, acknowledged, "each once, on {server}");
    }
    let mut missed: BTreeSet<&str> = acknowledged.iter().map(String::as_str).collect();
    let mut second = Listener::resume_at(&cluster.base("onemap2"), "?layers=shelters", Some(&left_off));
    while !missed.is_empty() {
        let event = second.change();
        for id in event.data["ids"].as_array().expect("ids") {
            missed.remove(id.as_str().expect("an id"));
        }
    }
    let [one, two] = ["onemap1", "onemap2"].map(|server| cluster.base(server));
    await_that("equal entity tags after the failover", || tags(&one) == tags(&two));
}
