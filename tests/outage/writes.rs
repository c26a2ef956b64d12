//! Writes while the database is in trouble: the reply states no more than is known, and connections do not accumulate.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};

use super::{OutageFixture, is_ready};
use crate::support::database::{Postgres, psql};
use crate::support::{Folder, Reply, Server, await_that};

const ITEMS: &str = "/ogc/collections/shelters/items";

fn create(scene: &OutageFixture, server: &Server, id: &str) -> Reply {
    create_in(&scene.folder, server, id)
}

fn create_in(folder: &Folder, server: &Server, id: &str) -> Reply {
    let token = std::fs::read_to_string(folder.file("onemap.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let headers = [("Authorization", &*authorization), ("Content-Type", "application/json"), ("Idempotency-Key", id)];
    let shelter = json!({"type": "Feature", "id": id, "properties": {},
        "geometry": {"type": "Point", "coordinates": [118.7012, 26.3345]}});
    server.send("POST", ITEMS, &headers, &shelter.to_string())
}

fn slug(reply: &Reply) -> Json {
    reply.json()["type"].as_str().and_then(|name| name.rsplit(':').next()).map(str::to_owned).into()
}

#[test]
fn a_connection_that_is_lost_in_the_commit_leaves_the_outcome_unknown() {
    let scene = OutageFixture::new();
    let server = scene.serve();
    scene.line.cut_at_commit();
    let reply = create(&scene, &server, "X-1");
    assert_eq!((reply.status, slug(&reply)), (503, json!("outcome-unknown")), "{}", reply.json());
    assert_eq!(
        reply.json()["detail"],
        "the edit may or may not have been committed; repeat it with the same Idempotency-Key"
    );
    assert!(!reply.header("retry-after").is_empty());
    scene.line.mend();
    await_that("the edit is committed", || {
        psql(&scene.database, "SELECT count(*) FROM onemap.shelters WHERE id = 'X-1'").trim() == "1"
    });
    let repeated = create(&scene, &server, "X-1");
    assert_eq!(repeated.status, 201, "{}", repeated.json());
    assert_eq!(psql(&scene.database, "SELECT version FROM onemap.shelters WHERE id = 'X-1'").trim(), "1");
}

#[test]
fn a_commit_that_waits_for_a_standby_has_an_unknown_outcome_and_happens_once() {
    // The setting is one of the whole database server.
    let postgres = Postgres::of_its_own();
    let database = postgres.fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &database]);
    let require_standby = |name: &str| {
        psql(&database, &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        psql(&database, "SELECT pg_reload_conf()");
        await_that("the setting", || psql(&database, "SHOW synchronous_standby_names").trim() == name);
    };
    let waiting = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        psql(&database, sql).trim().parse::<usize>().expect("a number")
    };
    let is_unknown = |reply: &Reply| (reply.status, slug(reply)) == (503, json!("outcome-unknown"));
    let count = |id: &str| psql(&database, &format!("SELECT count(*) FROM onemap.shelters WHERE id = '{id}'"));
    let is_replayed = |reply: &Reply| (reply.status, reply.header("idempotency-replayed")) == (201, "true");
    require_standby("absent");

    // A commit whose connection the database ends.
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| create_in(&folder, &server, "X-1"));
        await_that("the commit", || waiting() == 1);
        psql(&database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        let reply = writer.join().expect("a writer");
        assert!(is_unknown(&reply), "{}", reply.json());
    });
    assert_eq!(count("X-1").trim(), "1", "it was committed");
    assert!(is_replayed(&create_in(&folder, &server, "X-1")));

    // A commit that is not answered, and its repetition meanwhile.
    for _ in 0..2 {
        let reply = create_in(&folder, &server, "X-2");
        assert!(is_unknown(&reply), "{}", reply.json());
    }
    // More writers than the server has connections: they do not pile up in the database.
    std::thread::scope(|scope| {
        let (folder, server) = (&folder, &server);
        let writers: Vec<_> =
            (0..8).map(|n| scope.spawn(move || create_in(folder, server, &format!("Y-{n}")))).collect();
        for writer in writers {
            let reply = writer.join().expect("a writer");
            assert_eq!(reply.status, 503, "{}", reply.json());
        }
    });
    assert_eq!(waiting(), 1, "the commit goes on");
    assert!(is_ready(&server), "the map goes on");

    require_standby("");
    await_that("the commit", || count("X-2").trim() == "1");
    assert!(is_replayed(&create_in(&folder, &server, "X-2")));
    assert_eq!(create_in(&folder, &server, "Z-1").status, 201);
}

#[test]
fn a_read_only_database_refuses_writes_until_it_is_writable_again() {
    let scene = OutageFixture::new();
    let server = scene.serve();
    assert_eq!(create(&scene, &server, "X-1").status, 201);
    let name = scene.database.rsplit('/').next().expect("a database");
    let turn = |read_only: &str| {
        psql(
            &scene.database,
            &format!(
                "ALTER DATABASE {name} SET default_transaction_read_only = {read_only};
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ),
        )
    };
    turn("on");
    let mut refused = create(&scene, &server, "X-2");
    await_that("the reply of a read-only database", || {
        // The first write may meet a connection that was just cut.
        let is_there = slug(&refused) == "unavailable" && is_ready(&server);
        refused = create(&scene, &server, "X-2");
        is_there
    });
    assert_eq!((refused.status, slug(&refused)), (503, json!("unavailable")), "{}", refused.json());
    assert!(!refused.header("retry-after").is_empty());
    // As after a promotion, existing sessions stay read-only.
    psql(
        &scene.database,
        &format!("SET default_transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only"),
    );
    let accepted = create(&scene, &server, "X-2");
    assert_eq!(accepted.status, 201, "{}", accepted.json());
}

/// A client of the database that holds locks until it is dropped.
struct Locks(Child);

impl Locks {
    fn take(database: &str, sql: &str) -> Self {
        let mut child = Command::new("psql")
            .args(["-qAt", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql starts");
        let input = child.stdin.as_mut().expect("its input");
        input.write_all(format!("BEGIN; {sql}; SELECT 'locked';\n").as_bytes()).expect("written");
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("an answer");
        assert_eq!(line.trim(), "locked");
        Self(child)
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn locks_of_other_programs_do_not_pile_up_connections() {
    let scene = OutageFixture::new();
    psql(
        &scene.database,
        "CREATE TABLE public.a1 (gid serial PRIMARY KEY, name text, geom geometry(Point, 4326));
         CREATE VIEW public.v1 AS SELECT * FROM public.a1",
    );
    scene.folder.write(
        "onemap.toml",
        "[[layer]]\ntable = \"public.a1\"\n[[layer]]\ntable = \"public.v1\"\nkey = \"gid\"\nrefresh_s = 1\n",
    );
    let server = scene.serve();
    assert_eq!(create(&scene, &server, "X-1").status, 201);
    let connections = || {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'onemap' AND datname = current_database()";
        psql(&scene.database, sql).trim().parse::<u32>().expect("a number")
    };
    let locks =
        Locks::take(&scene.database, "LOCK TABLE onemap.shelters, public.a1, onemap.changes IN ACCESS EXCLUSIVE MODE");
    await_that("the server reports stale data", || !is_ready(&server));
    for attempt in 0..2 {
        let reply = create(&scene, &server, &format!("Y-{attempt}"));
        assert_eq!((reply.status, slug(&reply)), (503, json!("unavailable")), "{}", reply.json());
        // The follower has one, the listener one, and a write that timed out may still be open.
        assert!(connections() <= 6, "{}", connections());
    }
    drop(locks);
    await_that("the data is fresh again", || is_ready(&server));
    assert_eq!(create(&scene, &server, "X-2").status, 201);
    await_that("earlier connections are closed", || connections() <= 4);
}
