//! Several servers over one database: the same versions, entity tags and event ids for the same state.

use onemap::store::{Changes, LogPosition, PostGis, Store};
use serde_json::json;

use crate::support::database::{fresh_database, psql};
use crate::support::listener::Listener;
use crate::support::{Folder, Server, await_that, until};

async fn open(url: &str) -> PostGis {
    let catalog = onemap::model::Catalog::built_in().expect("a catalog");
    PostGis::open(url, catalog.layers, &[]).await.expect("a store")
}

async fn follow(store: &PostGis, position: &mut LogPosition) {
    match store.changes_since(position).await.expect("an answer") {
        Changes::Since { position: now, .. } => *position = now,
        Changes::Lost => panic!("the log covers the position"),
    }
}

async fn start(store: &PostGis) -> LogPosition {
    store.read_all(&mut |_, _| {}).await.expect("a reading")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_does_not_depend_on_when_a_server_read_concurrent_transactions() {
    use sqlx::Connection;
    let url = fresh_database();
    let (early, late) = (open(&url).await, open(&url).await);
    let (mut one, mut two) = (start(&early).await, start(&late).await);
    assert!(one.shared().is_some());

    let mut slow = sqlx::PgConnection::connect(&url).await.expect("a connection");
    let mut transaction = slow.begin().await.expect("a transaction");
    sqlx::query("INSERT INTO onemap.villages (id) VALUES ('slow')").execute(&mut *transaction).await.expect("inserted");
    psql(&url, "INSERT INTO onemap.villages (id) VALUES ('quick')");
    follow(&early, &mut one).await;
    let (before, shared) = (one.version(), one.shared());
    transaction.commit().await.expect("committed");
    follow(&early, &mut one).await;
    follow(&late, &mut two).await;
    assert!(one.version() > before);
    assert_ne!(one.shared(), shared);
    assert_eq!((one.version(), one.shared()), (two.version(), two.shared()));
    let started = start(&open(&url).await).await;
    assert_eq!((one.version(), one.shared()), (started.version(), started.shared()), "a server that starts now");
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_entries_of_the_log_still_count() {
    let url = fresh_database();
    let store = open(&url).await;
    psql(&url, "INSERT INTO onemap.villages (id) VALUES ('a'), ('b'), ('c')");
    psql(&url, "UPDATE onemap.changes SET changed_at = changed_at - interval '8 days'");
    psql(&url, "INSERT INTO onemap.villages (id) VALUES ('d')");
    let position = start(&store).await;
    let before = (position.version(), position.shared());
    // The first look of a server at the log removes old entries, unless a transaction anywhere in the cluster is older.
    until("old entries are removed", || {
        let look = async {
            let other = open(&url).await;
            let mut position = start(&other).await;
            follow(&other, &mut position).await;
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(look));
        (psql(&url, "SELECT count(*) FROM onemap.changes").trim() == "1").then_some(())
    });
    let after = start(&store).await;
    assert_eq!((after.version(), after.shared()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_could_not_be_read_for_a_while_separates_the_states_for_that_time_only() {
    use sqlx::Connection;
    let url = fresh_database();
    let store = open(&url).await;
    let mut position = start(&store).await;
    psql(&url, "INSERT INTO onemap.villages (id) VALUES ('v')");
    let mut other = sqlx::PgConnection::connect(&url).await.expect("a connection");
    let mut lock = other.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE onemap.villages IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.expect("a lock");
    follow(&store, &mut position).await;
    assert_eq!(position.shared(), None, "the position covers a change that was not read");
    lock.rollback().await.expect("released");
    let shared = until("the layer is read again", || {
        let followed = follow(&store, &mut position);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(followed));
        position.shared()
    });
    assert_eq!(Some(shared), start(&open(&url).await).await.shared());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_is_not_in_the_log_makes_the_state_that_of_one_server() {
    let url = fresh_database();
    psql(
        &url,
        "CREATE TABLE public.a (id int PRIMARY KEY); CREATE VIEW public.v AS SELECT id, NULL::text AS name FROM public.a",
    );
    let folder = Folder::new();
    folder.write("onemap.toml", "[[layer]]\ntable = \"public.v\"\nkey = \"id\"\nrefresh_s = 1\n");
    let servers = [
        Server::start(&folder, &["--store", &url, "--no-cache"]),
        Server::start(&folder, &["--store", &url, "--no-cache"]),
    ];
    let [one, two] = servers.each_ref().map(|server| server.get("/ogc/collections/v/items").header("etag").to_owned());
    assert_ne!(one, two);
}

#[test]
fn a_client_changes_servers() {
    let (folder, other) = (Folder::new(), Folder::new());
    let url = fresh_database();
    let token = folder.file("token").display().to_string();
    let options = ["--store", &url, "--token-file", &token, "--public-url", "https://map.example", "--no-cache"];
    let first = Server::start(&folder, &options);
    let second = Server::start(&other, &options);
    let items = "/ogc/collections/shelters/items?limit=20";
    let rename = |name: &str| psql(&url, &format!("UPDATE onemap.shelters SET name = '{name}' WHERE id = 'SH-0001'"));

    let mut listener = Listener::open(&first, "");
    rename("甲");
    let left_off = listener.change().id.expect("an id");
    drop(listener);
    rename("乙");
    // The second server may not have read the change whose id it gets.
    let mut listener = Listener::resume(&second, "", Some(&left_off));
    assert_eq!(listener.change().data["ids"], json!(["SH-0001"]));

    await_that("both have the change", || {
        [&first, &second]
            .iter()
            .all(|server| server.get("/ogc/collections/shelters/items/SH-0001").json()["properties"]["name"] == "乙")
    });
    let tag = first.get(items).header("etag").to_owned();
    assert_eq!(second.get_with(items, ("If-None-Match", &tag)).status, 304);
    rename("丙");
    await_that("a new tag", || second.get_with(items, ("If-None-Match", &tag)).status == 200);

    // What the second server sent holds after its restart, too.
    let tag = second.get(items).header("etag").to_owned();
    assert_eq!(second.stop(), Some(0));
    let again = Server::start(&other, &options);
    assert_eq!(again.get_with(items, ("If-None-Match", &tag)).status, 304);
    let mut listener = Listener::resume(&again, "", Some(&left_off));
    assert_eq!(listener.receive().expect("an event").name, "reset", "its history begins later");
}
