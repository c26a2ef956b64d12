//! Tables of other programs: their owners can change them freely, and triggers of this program never make a write fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use onemap::model::{
    Applied, AuditEntry, Batch, Catalog, Feature, ImportCounts, ImportSource, LayerIndex, LayerSchema, PastImport,
    Undo, Undone,
};
use onemap::snapshot::{SnapshotHandle, follower};
use onemap::store::{AuditPart, AuditRow, Changes, LayerStatus, LogPosition, PostGis, Sink, Store, StoreError};
use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, await_that, run};

fn name(server: &Server, layer: &str, id: &str) -> Json {
    server.get(&format!("/ogc/collections/{layer}/items/{id}")).json()["properties"]["name"].clone()
}

fn count(server: &Server, layer: &str) -> Json {
    server.get(&format!("/ogc/collections/{layer}/items?limit=1")).json()["numberMatched"].clone()
}

fn is_unavailable(server: &Server, layer: &str) -> bool {
    let health = server.get("/health/ready");
    assert_eq!(health.status, 200, "one layer does not make the map stale");
    health.json()["unavailable"][layer]["age_s"].is_u64()
}

fn layers(tables: &[&str]) -> String {
    let layer = |table: &&str| format!("[[layer]]\ntable = \"public.{table}\"\nrefresh_s = 1\n");
    tables.iter().map(layer).collect::<Vec<_>>().concat()
}

#[test]
fn owners_can_change_drop_and_restore_a_served_table() {
    let url = fresh_database();
    psql(
        &url,
        "CREATE TABLE public.a1 (gid serial PRIMARY KEY, name text, extra int, geom geometry(Point, 4326));
         INSERT INTO public.a1 (name) VALUES ('one'), ('two')",
    );
    let folder = Folder::new();
    folder.write("onemap.toml", layers(&["a1"]));
    let server = Server::start(&folder, &["--store", &url]);
    let others_go_on = |value: &str| {
        psql(&url, &format!("UPDATE onemap.shelters SET name = '{value}' WHERE id = 'SH-0001'"));
        await_that("other layers are updated", || name(&server, "shelters", "SH-0001") == value);
    };

    psql(&url, "ALTER TABLE public.a1 DROP COLUMN extra");
    psql(&url, "UPDATE public.a1 SET name = 'three' WHERE gid = 1");
    await_that("a dropped column is noticed", || is_unavailable(&server, "a1"));
    assert_eq!((count(&server, "a1"), name(&server, "a1", "1")), (json!(2), json!("one")), "its last state is kept");
    await_that("its age is reported", || server.get("/ogc/collections/a1/items").json()["stale"] == true);
    assert_eq!(server.get("/ogc/collections/shelters/items?limit=1").json()["stale"], false);
    others_go_on("A");
    psql(&url, "ALTER TABLE public.a1 ADD COLUMN extra int");
    await_that("it is available again", || !is_unavailable(&server, "a1") && name(&server, "a1", "1") == "three");

    psql(&url, "ALTER TABLE public.a1 RENAME COLUMN gid TO id");
    psql(
        &url,
        "UPDATE public.a1 SET name = 'four'; INSERT INTO public.a1 (name) VALUES ('five'); DELETE FROM public.a1 WHERE id = 2",
    );
    await_that("a renamed key is noticed", || is_unavailable(&server, "a1"));
    others_go_on("B");
    psql(&url, "ALTER TABLE public.a1 RENAME COLUMN id TO gid");
    await_that("it is available again", || name(&server, "a1", "3") == "five" && name(&server, "a1", "2").is_null());

    psql(&url, "DROP TABLE public.a1");
    await_that("a dropped table is noticed", || is_unavailable(&server, "a1"));
    assert_eq!(count(&server, "a1"), json!(2));
    others_go_on("C");
    psql(
        &url,
        "CREATE TABLE public.a1 (gid serial PRIMARY KEY, name text, extra int, geom geometry(Point, 4326));
         INSERT INTO public.a1 (name) VALUES ('new')",
    );
    await_that("another table of that name is read", || name(&server, "a1", "1") == "new" && count(&server, "a1") == 1);
    psql(&url, "UPDATE public.a1 SET name = 'followed'");
    await_that("its triggers exist", || name(&server, "a1", "1") == "followed");
    psql(&url, "ALTER TABLE public.a1 DISABLE TRIGGER USER");
    psql(&url, "UPDATE public.a1 SET name = 'unseen'");
    psql(&url, "ALTER TABLE public.a1 ENABLE TRIGGER USER");
    await_that("changes without triggers", || name(&server, "a1", "1") == "unseen");
    psql(&url, "REVOKE ALL ON onemap.changes FROM PUBLIC; ALTER TABLE onemap.changes RENAME TO gone");
    psql(&url, "UPDATE public.a1 SET name = 'written'");
    psql(&url, "ALTER TABLE onemap.gone RENAME TO changes");
    assert_eq!(psql(&url, "SELECT name FROM public.a1").trim(), "written", "the owner's write never fails");
}

#[test]
fn triggers_are_created_once_and_a_start_does_not_wait_for_readers() {
    let url = fresh_database();
    psql(&url, "CREATE TABLE public.a1 (gid serial PRIMARY KEY, geom geometry(Point, 4326))");
    let folder = Folder::new();
    folder.write("onemap.toml", layers(&["a1"]));
    let triggers =
        || psql(&url, "SELECT oid, tgname FROM pg_trigger WHERE tgrelid = 'public.a1'::regclass ORDER BY oid");
    drop(Server::start(&folder, &["--store", &url]));
    let made = triggers();
    assert_eq!(made.lines().count(), 4, "{made}");
    let mut reader = std::process::Command::new("psql")
        .args(["-qAt", &url])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("psql");
    let mut input = reader.stdin.take().expect("its input");
    std::io::Write::write_all(&mut input, b"BEGIN; LOCK TABLE public.a1 IN ACCESS SHARE MODE; SELECT 1;\n")
        .expect("written");
    let mut locked = String::new();
    let output = reader.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut locked).expect("locked");
    drop(Server::start(&folder, &["--store", &url]));
    assert_eq!(triggers(), made);
    drop(input);
    reader.wait().expect("psql ends");
    // Another layer of the same table has its own triggers.
    folder.write("onemap.toml", format!("{}[[layer]]\ntable = \"public.a1\"\nid = \"a2\"\n", layers(&["a1"])));
    let server = Server::start(&folder, &["--store", &url]);
    assert_eq!(triggers().lines().count(), 8);
    psql(&url, "INSERT INTO public.a1 (geom) VALUES (NULL)");
    await_that("both layers follow", || count(&server, "a1") == 1 && count(&server, "a2") == 1);
}

#[test]
fn tables_with_unreliable_triggers_are_polled() {
    let url = fresh_database();
    psql(
        &url,
        "CREATE TABLE public.m (gid bigint NOT NULL, at date NOT NULL, name text, geom geometry(Point, 4326),
           PRIMARY KEY (gid, at)) PARTITION BY RANGE (at);
         CREATE TABLE public.m_2026 PARTITION OF public.m FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
         INSERT INTO public.m VALUES (1, '2026-05-01', 'one', NULL);
         CREATE TABLE public.parent (gid serial PRIMARY KEY, name text, geom geometry(Point, 4326));
         CREATE TABLE public.child () INHERITS (public.parent);
         CREATE TABLE public.twice (gid serial PRIMARY KEY, code text, name text, geom geometry(Point, 4326));
         INSERT INTO public.twice (code, name) VALUES ('x', 'a'), ('x', 'b'), ('y', 'c')",
    );
    let folder = Folder::new();
    let keyed =
        |table: &str, key: &str| format!("[[layer]]\ntable = \"public.{table}\"\nkey = \"{key}\"\nrefresh_s = 1\n");
    folder.write("onemap.toml", [keyed("m", "gid"), keyed("parent", "gid"), keyed("twice", "code")].concat());
    let server = Server::start(&folder, &["--store", &url]);
    psql(&url, "INSERT INTO public.m_2026 VALUES (3, '2026-07-01', 'by partition', NULL)");
    psql(&url, "UPDATE public.m_2026 SET name = 'changed' WHERE gid = 1");
    psql(&url, "INSERT INTO public.child (name) VALUES ('by child')");
    await_that("rows of the partition", || {
        name(&server, "m", "3") == "by partition" && name(&server, "m", "1") == "changed"
    });
    await_that("rows of the child", || name(&server, "parent", "1") == "by child");
    assert_eq!(count(&server, "twice"), 2);
    assert_eq!(server.get("/health/ready").json()["read_warnings"]["twice"], 1);
    psql(&url, "UPDATE public.twice SET name = 'd' WHERE gid = 3; UPDATE public.twice SET name = 'e' WHERE gid = 1");
    await_that("the change", || name(&server, "twice", "y") == "d");
    assert_eq!(count(&server, "twice"), 2);
    psql(&url, "UPDATE public.twice SET code = 'z' WHERE gid = 2");
    await_that("the keys are unique", || server.get("/health/ready").json()["read_warnings"] == json!({}));
    assert_eq!((name(&server, "twice", "x"), name(&server, "twice", "z")), (json!("e"), json!("b")));
}

#[test]
fn entity_tags_are_not_reused_after_a_restart() {
    let url = fresh_database();
    psql(
        &url,
        "CREATE TABLE public.b (gid int PRIMARY KEY, name text, geom geometry(Point, 4326));
         INSERT INTO public.b VALUES (1, 'A', NULL); CREATE VIEW public.v AS SELECT * FROM public.b",
    );
    let folder = Folder::new();
    folder.write("onemap.toml", "[[layer]]\ntable = \"public.v\"\nkey = \"gid\"\nrefresh_s = 1\n");
    let server = Server::start(&folder, &["--store", &url]);
    psql(&url, "UPDATE public.b SET name = 'B'");
    await_that("the change", || name(&server, "v", "1") == "B");
    let tag = server.get("/ogc/collections/v/items").header("etag").to_owned();
    let version = server.get("/api/layers").json()["data_version"].clone();
    drop(server);
    let server = Server::start(&folder, &["--store", &url]);
    psql(&url, "UPDATE public.b SET name = 'C'");
    await_that("the change", || name(&server, "v", "1") == "C");
    let path = "/ogc/collections/v/items";
    assert_eq!(server.get("/api/layers").json()["data_version"], version, "the versions are equal by chance");
    // While another server is running, its tag may equal this one.
    let exact = server.send("GET", path, &[("If-None-Match", &tag)], "");
    assert_eq!((exact.status, &exact.json()["features"][0]["properties"]["name"]), (200, &json!("C")));
}

#[test]
fn a_role_with_few_rights_serves_the_tables_it_can_read() {
    let url = fresh_database();
    let role = format!("app_{}", url.rsplit('_').next().unwrap_or_default());
    psql(
        &url,
        &format!(
            "CREATE SCHEMA secret; CREATE TABLE secret.s (id int PRIMARY KEY, geom geometry(Point, 4326)); GRANT SELECT ON secret.s TO PUBLIC;
             CREATE TABLE public.a1 (gid serial PRIMARY KEY, name text, geom geometry(Point, 4326));
             CREATE TABLE public.b1 (gid serial PRIMARY KEY, name text, geom geometry(Point, 4326));
             CREATE ROLE {role} LOGIN; GRANT SELECT ON public.a1, public.b1 TO {role}; ALTER TABLE public.a1 OWNER TO {role};
             GRANT USAGE, CREATE ON SCHEMA public TO {role};
             DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {role}', current_database()); END $$"
        ),
    );
    let folder = Folder::new();
    folder.write("onemap.toml", layers(&["a1", "b1"]));
    let server = Server::start(&folder, &["--store", &url.replace("onemap@", &format!("{role}@")), "--empty"]);
    psql(&url, "INSERT INTO public.a1 (name) VALUES ('triggers'); INSERT INTO public.b1 (name) VALUES ('compared')");
    await_that("both are followed", || {
        name(&server, "a1", "1") == "triggers" && name(&server, "b1", "1") == "compared"
    });
    drop(server);
    psql(&url, &format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn postgis_domains_and_names_are_found_in_any_schema() {
    let url = fresh_database();
    psql(
        &url,
        "DROP EXTENSION postgis; CREATE SCHEMA extensions; CREATE EXTENSION postgis SCHEMA extensions;
         CREATE DOMAIN public.phone AS text; CREATE DOMAIN public.place AS extensions.geometry(Point, 4549);
         CREATE DOMAIN public.inner_place AS public.place;
         CREATE TABLE public.d1 (gid serial PRIMARY KEY, name text, res_name text, id text, rank int, tel public.phone,
           geom public.inner_place);
         INSERT INTO public.d1 (name, res_name, id, tel, geom)
         VALUES ('NAME', 'RES', 'ID', '110', extensions.ST_Transform('SRID=4326;POINT(118.8 26.2)'::extensions.geometry, 4549))",
    );
    let folder = Folder::new();
    folder.write("onemap.toml", "[[layer]]\ntable = \"public.d1\"\nname = \"res_name\"\n");
    let server = Server::start(&folder, &["--store", &url]);
    let feature = server.get("/ogc/collections/d1/items/1").json();
    assert_eq!(
        feature["properties"],
        json!({"name": "RES", "name_2": "NAME", "id_2": "ID", "rank": null, "tel": "110"})
    );
    assert!((feature["geometry"]["coordinates"][0].as_f64().expect("a longitude") - 118.8).abs() < 1e-8, "{feature}");
    assert_eq!(server.get("/ogc/collections/d1/items?name=RES").json()["numberMatched"], 1);
    assert_eq!(server.get("/ogc/collections/d1/items?id=1").json()["numberMatched"], 1);
    assert_eq!(server.get("/ogc/collections/d1/items?id_2=ID").json()["numberMatched"], 1);
    let nearest = server.get("/api/nearest?point=118.8,26.2&layer=d1&status=any");
    assert_eq!(nearest.json()["features"][0]["properties"]["rank"], 1);
    assert_eq!(String::from_utf8_lossy(&nearest.body).matches("\"rank\":").count(), 1);
    psql(&url, "UPDATE public.d1 SET res_name = 'followed'");
    await_that("the change", || name(&server, "d1", "1") == "followed");
    psql(&url, "UPDATE onemap.shelters SET name = 'followed' WHERE id = 'SH-0001'");
    await_that("the change", || name(&server, "shelters", "SH-0001") == "followed");
    drop(server);

    for (config, words) in [
        (
            "[[layer]]\ntable = \"public.d1\"\nsensitive = [\"gid\"]",
            "onemap.toml line 2: table public.d1 cannot be a layer: sensitive = [\"gid\"]",
        ),
        ("[[layer]]\ntable = \"public.d1\"\nid = \"coverage\"", "\"coverage\" is reserved for a layer of the server"),
    ] {
        folder.write("onemap.toml", config);
        let output = run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", &url, "--no-cache"]);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && log.contains(words), "{config}: {log}");
    }
}

#[test]
fn postgis_is_created_if_the_role_may() {
    let url = fresh_database();
    psql(&url, "DROP EXTENSION postgis");
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    assert_eq!(count(&server, "shelters"), 349);
}

/// A store that panics at the first request for changes.
struct Panicking {
    store: PostGis,
    has_panicked: AtomicBool,
}

impl Store for Panicking {
    fn location(&self) -> &str {
        self.store.location()
    }

    fn schemas(&self) -> &[LayerSchema] {
        self.store.schemas()
    }

    fn read_all<'a>(&'a self, sink: Sink<'a>) -> BoxFuture<'a, Result<LogPosition, StoreError>> {
        self.store.read_all(sink)
    }

    fn changes_since<'a>(&'a self, position: &'a LogPosition) -> BoxFuture<'a, Result<Changes, StoreError>> {
        assert!(self.has_panicked.swap(true, Ordering::Relaxed), "the first time");
        self.store.changes_since(position)
    }

    fn layer_statuses(&self) -> Vec<LayerStatus> {
        self.store.layer_statuses()
    }

    fn has_unavailable_layers(&self) -> bool {
        false
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.store.changed()
    }

    fn append<'a>(
        &'a self,
        layer: LayerIndex,
        features: &'a mut (dyn Iterator<Item = Feature> + Send),
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.store.append(layer, features)
    }

    fn import<'a>(
        &'a self,
        layer: LayerIndex,
        source: &'a mut dyn ImportSource,
    ) -> BoxFuture<'a, Result<Option<ImportCounts>, StoreError>> {
        self.store.import(layer, source)
    }

    fn imports<'a>(&'a self, id: Option<&'a str>, limit: u32) -> BoxFuture<'a, Result<Vec<PastImport>, StoreError>> {
        self.store.imports(id, limit)
    }

    fn undo_import<'a>(&'a self, undo: &'a Undo) -> BoxFuture<'a, Result<Undone, StoreError>> {
        self.store.undo_import(undo)
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, StoreError>> {
        self.store.apply(batch)
    }

    fn record<'a>(&'a self, entries: &'a [AuditEntry]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.record(entries)
    }

    fn audit_rows(&self, part: AuditPart, limit: u32) -> BoxFuture<'_, Result<Vec<AuditRow>, StoreError>> {
        self.store.audit_rows(part, limit)
    }

    fn prune_audit<'a>(&'a self, through: i64, entry: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.prune_audit(through, entry)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.store.close()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_follower_is_restarted_after_a_panic() {
    let url = fresh_database();
    let schemas = Catalog::built_in().expect("a catalog").layers;
    let store = PostGis::open(&url, schemas, &[]).await.expect("a store");
    let store = Arc::new(Panicking { store, has_panicked: AtomicBool::new(false) });
    let (snapshot, position) = follower::build(&*store).await.expect("a snapshot");
    let head = Arc::new(SnapshotHandle::new(snapshot, 0));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut versions = head.versions();
    let following = tokio::spawn(follower::follow(store.clone(), head.clone(), Some(position), || 1, stopped));
    psql(&url, "INSERT INTO onemap.villages (id) VALUES ('v')");
    let has_row = |_: &i64| head.load().layer("villages").is_some_and(|layer| layer.len() == 1);
    let arrival = versions.wait_for(has_row);
    tokio::time::timeout(std::time::Duration::from_mins(1), arrival)
        .await
        .expect("following continues")
        .expect("a version");
    assert!(store.has_panicked.load(Ordering::Relaxed));
    stop.send_replace(true);
    following.await.expect("the follower ends when it is stopped");
}
