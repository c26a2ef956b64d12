//! What only a database with many writers can do wrong.

use onemap::store::{Changes, LogPosition};

use super::contract::{House, at};
use crate::stage::database::{fresh_database, psql};
use crate::stage::{Folder, Server};

async fn ids_since(house: &House, position: &mut LogPosition) -> Option<Vec<String>> {
    match house.store.changes_since(position).await.expect("an answer") {
        Changes::Lost => None,
        Changes::Since { position: now, changes } => {
            *position = now;
            Some(changes.into_iter().map(|change| change.id.to_string()).collect())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_transaction_is_not_lost_behind_a_quick_one() {
    use sqlx::Connection;
    let url = fresh_database();
    let catalog = onemap::model::Catalog::built_in().expect("a catalog");
    let store = onemap::store::PostGis::open(&url, catalog.layers).await.expect("a store");
    let house = House::over(std::sync::Arc::new(store));
    let mut position = house.store.read_all(&mut |_, _| {}).await.expect("a reading");

    let mut slow = sqlx::PgConnection::connect(&url).await.expect("a connection");
    let mut transaction = slow.begin().await.expect("a transaction");
    let insert = "INSERT INTO onemap.villages (id) VALUES ('slow')";
    sqlx::query(insert).execute(&mut *transaction).await.expect("inserted");
    psql(&url, "INSERT INTO onemap.villages (id) VALUES ('quick')");
    assert_eq!(ids_since(&house, &mut position).await, Some(vec!["quick".to_owned()]));
    transaction.commit().await.expect("committed");
    assert_eq!(ids_since(&house, &mut position).await, Some(vec!["slow".to_owned()]));
    assert_eq!(ids_since(&house, &mut position).await, Some(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_table_is_read_again() {
    let house = House::postgis().await;
    let feature = house.feature("villages", "v", at(118.8, 26.2), &[]);
    let layer = house.layer("villages");
    let on_conflict = onemap::store::OnConflict::Refuse;
    house.store.append(layer, &mut std::iter::once(feature), on_conflict).await.expect("stored");
    let mut position = house.store.read_all(&mut |_, _| {}).await.expect("a reading");
    (house.foreign_sql)("TRUNCATE onemap.villages");
    assert_eq!(ids_since(&house, &mut position).await, None);
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
            // The time of import differs, and JSON documents are kept in another order of members.
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
    let started = std::time::Instant::now();
    while server.get("/ogc/collections/shelters/items/SH-0001").json()["properties"]["status"] != "full" {
        assert!(started.elapsed().as_secs() < 10, "the change never showed up");
    }
}

#[test]
fn a_database_without_postgis_or_without_an_answer_is_named() {
    let folder = Folder::new();
    let dead = "postgres://nobody:secret@127.0.0.1:1/none";
    let output = crate::stage::run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", dead]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("postgres://127.0.0.1:1/none") && !said.contains("secret"), "{said}");
}
