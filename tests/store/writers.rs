//! Many concurrent writers, some of which roll back, and a store with faults: no change is lost or invented.

use std::sync::Arc;
use std::time::{Duration, Instant};

use onemap::geodesy::LonLat;
use onemap::model::{Catalog, Feature, FeatureId, LayerIndex, Shape, Value};
use onemap::snapshot::{Layer, Snapshot, SnapshotHandle, follower};
use onemap::store::{GeoPackage, PostGis, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::support::Folder;
use crate::support::database::{Postgres, fresh_database, psql};

const WRITERS: u64 = 8;
const DURATION: Duration = Duration::from_secs(20);
/// Number of initial features; few, so that writers conflict often.
const FEATURES: u64 = 3_000;

/// A reproducible random number generator (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }

    /// A change by any program.
    fn change(&mut self, table: &str) -> String {
        let (one, other, number) = (self.below(FEATURES), self.below(FEATURES), self.below(1_000_000));
        match self.below(12) {
            0 => format!("DELETE FROM {table} WHERE id = 'f{one}'"),
            1 => format!(
                "INSERT INTO {table} (id, name, geom) SELECT 'f{one}', 'new {number}', geom FROM {table} WHERE id = 'f{other}' ON CONFLICT DO NOTHING"
            ),
            2 => format!("UPDATE {table} SET geom = NULL WHERE id = 'f{one}'"),
            3 => format!(
                "UPDATE {table} SET id = 'f{one}' WHERE id = 'f{other}' AND NOT EXISTS (SELECT 1 FROM {table} WHERE id = 'f{one}')"
            ),
            4 => format!("UPDATE {table} SET population = {number} WHERE id BETWEEN 'f{one}' AND 'f{one}9'"),
            5..8 => format!(
                "UPDATE {table} SET geom = (SELECT geom FROM {table} WHERE id = 'f{other}') WHERE id = 'f{one}'"
            ),
            _ => format!("UPDATE {table} SET name = 'name {number}' WHERE id = 'f{one}'"),
        }
    }
}

/// A writer over one kind of connection. Statements that the store refuses (deadlocks, broken connections) are skipped.
macro_rules! writer {
    ($name:ident, $connection:ty) => {
        async fn $name(url: String, table: &'static str, seed: u64, until: Instant) {
            let mut dice = Dice(seed);
            while Instant::now() < until {
                let Ok(mut connection) = <$connection>::connect(&url).await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                while Instant::now() < until {
                    let mut statements = vec!["BEGIN".to_owned()];
                    statements.extend((0..=dice.below(20)).map(|_| dice.change(table)));
                    let length = Duration::from_millis(dice.below(4) * dice.below(60));
                    let mut refused = false;
                    for statement in statements {
                        refused |= sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.is_err();
                    }
                    tokio::time::sleep(length).await;
                    let end = if refused || dice.below(4) == 0 { "ROLLBACK" } else { "COMMIT" };
                    if sqlx::raw_sql(end).execute(&mut connection).await.is_err() {
                        break;
                    }
                }
            }
        }
    };
}

writer!(write_to_postgis, PgConnection);
writer!(write_to_geopackage, SqliteConnection);

/// Features of the layers as plain values; each is also looked up by id.
pub(crate) fn contents(snapshot: &Snapshot) -> Vec<Vec<Feature>> {
    let features = |layer: &Layer| {
        let rows = layer.rows_after(None).map(|row| row.to_feature());
        rows.inspect(|feature| assert!(layer.find(&feature.id).is_some(), "{} is not found", feature.id)).collect()
    };
    snapshot.layers().iter().map(|layer| features(layer)).collect()
}

/// Fills a store and follows it while writers and faults are active; at the end the snapshot must equal the store.
async fn follow_to_the_end(store: Arc<dyn Store>, writers: Vec<tokio::task::JoinHandle<()>>, trouble: impl Future) {
    let (snapshot, position) = follower::build(&*store).await.expect("a snapshot");
    let head = Arc::new(SnapshotHandle::new(snapshot, 0));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let following = tokio::spawn(follower::follow(store.clone(), head.clone(), Some(position), || 1, stopped));
    trouble.await;
    for writer in writers {
        writer.await.expect("a writer ends");
    }
    // The connection may have just been cut; the next read opens another.
    let wanted = match follower::build(&*store).await {
        Ok((truth, _)) => contents(&truth),
        Err(_) => contents(&follower::build(&*store).await.expect("a snapshot").0),
    };
    let caught_up = async {
        while contents(&head.load()) != wanted {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(30), caught_up).await.is_err() {
        let found = contents(&head.load());
        let differ = found.iter().flatten().filter(|feature| !wanted.iter().flatten().any(|other| other == *feature));
        panic!("never caught up; seed fixed; stale: {:#?}", differ.take(5).collect::<Vec<_>>());
    }
    stop.send_replace(true);
    following.await.expect("the follower ends");
    assert!(head.load().version() > 100, "the writers made changes");
}

async fn fill(store: &dyn Store) {
    let layer = LayerIndex::find(store.schemas(), "villages").expect("villages");
    let fields = layer.of(store.schemas()).fields.len();
    let feature = |n: u64| {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let at = LonLat::new(118.5 + (n % 53) as f64 / 100.0, 26.0 + (n / 53) as f64 / 100.0).expect("a position");
        let id = FeatureId::new(&format!("f{n}")).expect("an id");
        Feature { id, geometry: Some(Shape::from(at)), values: vec![Value::Unknown; fields] }
    };
    store.append(layer, &mut (0..FEATURES).map(feature)).await.expect("stored");
}

async fn database(url: &str) -> Arc<dyn Store> {
    let schemas = Catalog::built_in().expect("a catalog").layers;
    let store = PostGis::open(url, schemas, &[]).await.expect("a store");
    fill(&store).await;
    Arc::new(store)
}

fn writers_on(url: &str, until: Instant) -> Vec<tokio::task::JoinHandle<()>> {
    let url = format!("{url}?application_name=writer");
    (1..=WRITERS).map(|seed| tokio::spawn(write_to_postgis(url.clone(), "onemap.villages", seed, until))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_followed_through_eight_writers() {
    let url = fresh_database();
    let store = database(&url).await;
    let writers = writers_on(&url, Instant::now() + DURATION);
    follow_to_the_end(store, writers, std::future::ready(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_followed_through_broken_connections() {
    let url = fresh_database();
    let store = database(&url).await;
    let until = Instant::now() + DURATION;
    let writers = writers_on(&url, until);
    let trouble = async {
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let url = url.clone();
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onemap' AND datname = current_database()";
            tokio::task::spawn_blocking(move || psql(&url, cut)).await.expect("cut");
        }
    };
    follow_to_the_end(store, writers, trouble).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_followed_through_its_crash() {
    let server = Postgres::of_its_own();
    let url = server.fresh_database();
    let store = database(&url).await;
    let until = Instant::now() + DURATION;
    let writers = writers_on(&url, until);
    let trouble = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            std::thread::sleep(DURATION / 6);
            server.kill();
            std::thread::sleep(Duration::from_secs(3));
            server.start_again();
        }
    });
    follow_to_the_end(store, writers, trouble).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_followed_through_eight_writers() {
    let folder = Folder::new();
    let path = folder.file("store.gpkg");
    let catalog = Catalog::built_in().expect("a catalog");
    GeoPackage::create(&path, &catalog).await.expect("a draft").finish().await.expect("a file");
    let store = Arc::new(GeoPackage::open(&path, &catalog).await.expect("a store"));
    fill(&*store).await;
    let url = format!("sqlite://{}", path.display());
    let until = Instant::now() + DURATION;
    let writers = (1..=WRITERS).map(|seed| tokio::spawn(write_to_geopackage(url.clone(), "villages", seed, until)));
    let writers = writers.collect();
    follow_to_the_end(store, writers, std::future::ready(())).await;
}
