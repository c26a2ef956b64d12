//! The PostGIS backend: concurrent transactions, roles, versions and startup errors.

use std::process::Command;

use onemap::store::{Changes, LogPosition};

use super::contract::{Backend, at};
use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, await_that};

async fn ids_since(backend: &Backend, position: &mut LogPosition) -> Option<Vec<String>> {
    match backend.store.changes_since(position).await.expect("an answer") {
        Changes::Lost => None,
        Changes::Since { position: now, changes, .. } => {
            *position = now;
            Some(changes.into_iter().map(|change| change.id.to_string()).collect())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_transaction_is_not_skipped_after_a_quick_one() {
    use sqlx::Connection;
    let url = fresh_database();
    let catalog = onemap::model::Catalog::built_in().expect("a catalog");
    let store = onemap::store::PostGis::open(&url, catalog.layers, &[]).await.expect("a store");
    let backend = Backend::over(std::sync::Arc::new(store));
    let mut position = backend.store.read_all(&mut |_, _| {}).await.expect("a reading");

    let mut slow = sqlx::PgConnection::connect(&url).await.expect("a connection");
    let mut transaction = slow.begin().await.expect("a transaction");
    let insert = "INSERT INTO onemap.villages (id) VALUES ('slow')";
    sqlx::query(insert).execute(&mut *transaction).await.expect("inserted");
    psql(&url, "INSERT INTO onemap.villages (id) VALUES ('quick')");
    assert_eq!(ids_since(&backend, &mut position).await, Some(vec!["quick".to_owned()]));
    transaction.commit().await.expect("committed");
    assert_eq!(ids_since(&backend, &mut position).await, Some(vec!["slow".to_owned()]));
    assert_eq!(ids_since(&backend, &mut position).await, Some(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_table_is_read_again() {
    let backend = Backend::postgis().await;
    let feature = backend.feature("villages", "v", at(118.8, 26.2), &[]);
    let layer = backend.layer("villages");
    backend.store.append(layer, &mut std::iter::once(feature)).await.expect("stored");
    let mut position = backend.store.read_all(&mut |_, _| {}).await.expect("a reading");
    (backend.foreign_sql)("TRUNCATE onemap.villages");
    match backend.store.changes_since(&position).await.expect("an answer") {
        Changes::Since { position: now, reloaded, .. } => {
            let reloaded: Vec<_> = reloaded.iter().map(|contents| (contents.layer, contents.features.len())).collect();
            assert_eq!(reloaded, [(layer, 0)], "this layer alone");
            position = now;
        }
        Changes::Lost => panic!("the other layers did not change"),
    }
    assert_eq!(ids_since(&backend, &mut position).await, Some(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_behind_the_truncated_log_reads_everything() {
    let url = fresh_database();
    let schemas = onemap::model::Catalog::built_in().expect("a catalog").layers;
    let open = async || {
        Backend::over(std::sync::Arc::new(
            onemap::store::PostGis::open(&url, schemas.clone(), &[]).await.expect("a store"),
        ))
    };
    let early = open().await;
    let mut position = early.store.read_all(&mut |_, _| {}).await.expect("a reading");
    psql(
        &url,
        "INSERT INTO onemap.villages (id) VALUES ('old'), ('kept, so that one log differs from another'); UPDATE onemap.changes SET changed_at = now() - interval '8 days'",
    );
    // Other tests have open transactions on the same server.
    await_that("all earlier transactions have ended", || {
        let over = "SELECT max(transaction) < pg_snapshot_xmin(pg_current_snapshot()) FROM onemap.changes";
        psql(&url, over).trim() == "t"
    });
    let mut late = position.clone();
    assert_eq!(ids_since(&early, &mut position).await, None, "the read truncates the log first");
    // A reader that starts after the truncation continues.
    position = early.store.read_all(&mut |_, _| {}).await.expect("a reading");
    psql(&url, "INSERT INTO onemap.villages (id) VALUES ('new')");
    assert_eq!(ids_since(&early, &mut position).await, Some(vec!["new".to_owned()]));
    assert_eq!(ids_since(&open().await, &mut late).await, None);
}

#[test]
fn a_read_only_role_serves_a_complete_store_and_reports_an_incomplete_one() {
    let url = fresh_database();
    let folder = Folder::new();
    psql(&url, "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    let reader = url.replace("onemap@", "reader@");
    let output = crate::support::run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", &reader]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && message.contains("this role may not create"), "{message}");
    drop(Server::start(&folder, &["--store", &url]));
    psql(&url, "GRANT USAGE ON SCHEMA onemap TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA onemap TO reader");
    let server = Server::start(&folder, &["--store", &reader]);
    assert_eq!(server.get("/ogc/collections/shelters/items?limit=1").json()["numberMatched"], 349);
}

#[test]
fn a_database_of_another_version_is_migrated_or_refused() {
    let url = fresh_database();
    let folder = Folder::new();
    drop(Server::start(&folder, &["--store", &url]));
    psql(&url, "ALTER TABLE onemap.shelters DROP COLUMN area_m2");
    let server = Server::start(&folder, &["--store", &url]);
    let shelter = server.get("/ogc/collections/shelters/items/SH-0001").json();
    assert!(shelter["properties"]["name"].is_string() && shelter["properties"]["area_m2"].is_null(), "{shelter}");
    // The server wrote the disk cache, from which it starts if the database is unreachable.
    assert_eq!(server.stop(), Some(0));
    let mut stores = std::fs::read_dir(folder.file("onemap-cache")).expect("a folder").flatten();
    assert!(stores.any(|store| store.path().join("manifest").exists()), "no disk cache");
    psql(&url, "INSERT INTO onemap.migrations (step) VALUES (99)");
    // A server that starts would never end.
    let serve = ["60", env!("CARGO_BIN_EXE_onemap"), "serve", "--listen", "127.0.0.1:0", "--store", &url];
    let output = Command::new("timeout").current_dir(folder.path()).args(serve).output().expect("timeout runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && message.contains("newer version"), "{message}");
}

#[test]
fn the_same_county_is_served_from_a_database() {
    let url = fresh_database();
    let (folder, files) = Server::of_sample();
    let database = Server::start(&folder, &["--store", &url]);
    for path in [
        "/ogc/collections/shelters/items?limit=1000",
        "/ogc/collections/risk_zones/items?limit=1000",
        "/api/nearest?point=118.74,26.08&layer=teams&k=31",
    ] {
        let features = |server: &Server| {
            let mut features = server.get(path).json()["features"].take();
            // Import times differ, and JSON documents have another member order.
            for feature in features.as_array_mut().expect("features") {
                let properties = feature["properties"].as_object_mut().expect("properties");
                properties.remove("updated_at");
            }
            features
        };
        assert_eq!(features(&files), features(&database), "{path}");
    }
    let address = "/tiles/hazards,risk_zones,roads/12/3400/1741";
    assert_eq!(files.get(address).body, database.get(address).body);
}

#[test]
fn a_row_changed_by_psql_is_on_the_map_at_once() {
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    psql(&url, "UPDATE onemap.shelters SET status = 'full' WHERE id = 'SH-0001'");
    let status = || server.get("/ogc/collections/shelters/items/SH-0001").json()["properties"]["status"].clone();
    await_that("the change", || status() == "full");
}

#[test]
fn a_database_without_postgis_or_an_unreachable_one_is_reported() {
    let folder = Folder::new();
    let url = fresh_database();
    psql(
        &url,
        "DROP EXTENSION postgis;
         DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    );
    let clerk = url.replace("onemap@", "clerk@");
    let output = crate::support::run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", &clerk]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && message.contains("CREATE EXTENSION postgis"), "{message}");
    let dead = "postgres://nobody:secret@127.0.0.1:1/none";
    let output = crate::support::run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", dead]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("postgres://127.0.0.1:1/none") && !message.contains("secret"), "{message}");
    assert!(message.contains("connection refused at 127.0.0.1:1"), "{message}");
    let (server, name) = url.rsplit_once('/').expect("a database");
    psql(
        &format!("{server}/postgres"),
        &format!("CREATE DATABASE {name}_gb ENCODING 'EUC_CN' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"),
    );
    let gb = format!("{url}_gb");
    let output = crate::support::run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", &gb]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && message.contains("ENCODING 'UTF8'"), "{message}");
}

#[test]
fn a_hundred_thousand_rows_in_one_transaction_arrive_together() {
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url, "--empty"]);
    let page = || server.get("/ogc/collections/villages/items?limit=1").json();
    psql(
        &url,
        "INSERT INTO onemap.villages (id, geom, population)
         SELECT 'v' || n, ST_SetSRID(ST_Point(118 + n % 1000 / 1000.0, 26 + n / 100000.0), 4326), 1
         FROM generate_series(1, 100000) AS n",
    );
    await_that("all of them", || page()["numberMatched"] != 0);
    assert_eq!(page()["numberMatched"], 100_000);
    psql(&url, "BEGIN; UPDATE onemap.villages SET population = 2; DELETE FROM onemap.villages WHERE id > 'v5'; COMMIT");
    await_that("the change", || page()["features"][0]["properties"]["population"] == 2);
    let left: u64 = psql(&url, "SELECT count(*) FROM onemap.villages").trim().parse().expect("a number");
    assert_eq!(page()["numberMatched"], left);
    psql(&url, "COPY onemap.villages (id, geom) FROM STDIN;\nz1\tSRID=4326;POINT(118.5 26.5)\nz2\t\\N\n\\.\n");
    await_that("copied rows", || server.get("/ogc/collections/villages/items/z2").status == 200);
    assert_eq!(server.get("/ogc/collections/villages/items/z1").status, 200);
}

/// After a crash, PostgreSQL gives numbers of transactions again whose records were never written to disk. A reader that
/// saw such a number as rolled back would take the later transaction for one that it has seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_used_again_after_a_crash_hides_no_change() {
    let postgres = crate::support::database::Postgres::of_its_own();
    let url = postgres.fresh_database();
    // Nothing but commits writes records to disk.
    psql(&url, "ALTER SYSTEM SET wal_writer_delay = '10s'");
    psql(&url, "ALTER SYSTEM SET autovacuum = off");
    psql(&url, "SELECT pg_reload_conf()");
    let schemas = onemap::model::Catalog::built_in().expect("a catalog").layers;
    let store = onemap::store::PostGis::open(&url, schemas, &[]).await.expect("a store");
    let backend = Backend::over(std::sync::Arc::new(store));
    psql(&url, "INSERT INTO onemap.villages (id, name) VALUES ('V1', 'one'), ('V2', 'two')");
    let mut reused = false;
    for round in 0..20 {
        let update = |id: &str| format!("UPDATE onemap.villages SET name = 'round {round}' WHERE id = '{id}'");
        let number = "SELECT pg_current_xact_id()";
        let text = psql(&url, &format!("BEGIN; {}; {number}; ROLLBACK", update("V1")));
        let rolled_back = text.lines().find(|line| line.parse::<u64>().is_ok()).expect("a number").to_owned();
        let position = backend.store.read_all(&mut |_, _| {}).await.expect("a reading");
        postgres.kill();
        postgres.start_again();
        let text = psql(&url, &format!("BEGIN; {}; {number}; COMMIT", update("V2")));
        reused |= text.lines().any(|line| line == rolled_back);
        let changes = crate::support::until("the store", || {
            let changes = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(backend.store.changes_since(&position))
            });
            changes.ok()
        });
        let is_seen = match changes {
            Changes::Lost => true,
            Changes::Since { changes, .. } => changes.iter().any(|change| change.id.as_str() == "V2"),
        };
        assert!(is_seen, "round {round}, transaction {rolled_back}");
        if reused {
            return;
        }
    }
    panic!("no number was used again, so nothing was tested");
}
