//! Loading and following a database with the features of a country (`--scale 1`: 2 million hazards, half a million
//! shelters, 200,000 zones of 175 vertices, 200,000 pipelines), with ratios to alternatives of the same run.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a benchmark prints, reads the clock and panics on unexpected results"
)]

#[path = "../nation/mod.rs"]
mod nation;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "benchmarks use only a part of the test support")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use onemap::geodesy::LonLat;
use onemap::model::{Catalog, LayerIndex};
use onemap::store::{PostGis, Store};
use onemap::tile::{TileAddress, TileMatrixSet};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use nation::Nation;
use support::database::{fresh_database, psql};
use support::{Folder, Server, memory_kb};

const SINGLE_CHANGES: u64 = 1_000;
const LOAD_TIME: Duration = Duration::from_secs(20);
/// Changes per second of the write load, and how many of them share a transaction.
const CHANGES_PER_S: u64 = 1_000;
const CHANGES_PER_TRANSACTION: u64 = 10;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let scale = arguments.iter().position(|argument| argument == "--scale").and_then(|at| arguments.get(at + 1));
    let scale: f64 = scale.map_or(0.05, |scale| scale.parse().expect("--scale takes a number"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let url = fresh_database();
    let catalog = Catalog::built_in().expect("a catalog");
    let nation = Nation::new(&catalog, scale);

    runtime.block_on(load(&url, &catalog, &nation));
    compare_with_psql(&url);

    let folder = Folder::new();
    let started = Instant::now();
    let server = Server::start(&folder, &["--store", &url]);
    report("start from PostGIS", format!("{:.1} s", started.elapsed().as_secs_f64()));
    report("memory after the start", memory(&server));
    let hazards = nation.layers()[0].1;
    runtime.block_on(commit_to_tile(&server, &url, hazards));
    read_under_load(&server, &url, hazards, &runtime);
    report("memory at the end", memory(&server));
    assert_eq!(server.stop(), Some(0));

    let started = Instant::now();
    let name = url.rsplit('/').next().expect("a name");
    let administration = url.replace(name, "postgres");
    psql(&administration, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    let server = Server::start(&folder, &["--store", &url]);
    report("start from the disk cache", format!("{:.1} s", started.elapsed().as_secs_f64()));
    report("memory after that", memory(&server));
}

fn report(what: &str, value: impl std::fmt::Display) {
    println!("{what:44} {value}");
}

async fn load(url: &str, catalog: &Catalog, nation: &Nation<'_>) {
    let store = PostGis::open(url, catalog.layers.clone(), &[]).await.expect("a store");
    for (schema, count) in nation.layers() {
        let layer = LayerIndex::find(store.schemas(), &schema.id).expect("the layer");
        let started = Instant::now();
        let stored = store.append(layer, &mut nation.features(schema, count)).await;
        let rows_per_s = stored.expect("stored") as f64 / started.elapsed().as_secs_f64();
        report(&format!("load {} {}", count, schema.id), format!("{rows_per_s:.0} rows/s"));
    }
    store.close().await;
}

/// Loads the same rows into the same table, with its index and triggers, by `\copy` of psql.
fn compare_with_psql(url: &str) {
    let folder = Folder::new();
    let file = folder.file("hazards.copy");
    let file = file.display();
    psql(url, &format!("\\copy onemap.hazards TO '{file}' WITH (FORMAT BINARY)"));
    let rows: f64 = psql(url, "SELECT count(*) FROM onemap.hazards").trim().parse().expect("a number");
    psql(url, "TRUNCATE onemap.hazards");
    let started = Instant::now();
    psql(url, &format!("\\copy onemap.hazards FROM '{file}' WITH (FORMAT BINARY)"));
    report("the same hazards by \\copy of psql", format!("{:.0} rows/s", rows / started.elapsed().as_secs_f64()));
    psql(url, "ANALYZE");
}

fn memory(server: &Server) -> String {
    let mb = |figure| memory_kb(server.process_id(), figure) as f64 / 1e3;
    format!("{:.0} MB (peak {:.0} MB)", mb("VmRSS"), mb("VmHWM"))
}

/// Processor time of a server so far, seconds.
fn cpu_s(server: &Server) -> f64 {
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.process_id())).expect("a status");
    let (_, after) = stat.rsplit_once(") ").expect("a name");
    let ticks = |at: usize| after.split(' ').nth(at).and_then(|number| number.parse::<f64>().ok()).expect("a number");
    // User and system time are the 14th and 15th field; the name is the second.
    (ticks(11) + ticks(12)) / TICKS_PER_S
}

/// Moves one feature after another, and polls the tile at its new position until it changes.
async fn commit_to_tile(server: &Server, url: &str, features: u64) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let mut delays = Vec::new();
    for n in 0..SINGLE_CHANGES {
        let id = n * 7_919 % features;
        let row = format!("SELECT ST_X(geom), ST_Y(geom) FROM onemap.hazards WHERE id = 'n{id:07}'");
        let (lon, lat): (f64, f64) =
            sqlx::query_as(AssertSqlSafe(row)).fetch_one(&mut connection).await.expect("a place");
        let (lon, lat) = (lon + 1e-4, lat + 1e-4);
        let address = TileAddress::at(TileMatrixSet::WebMercatorQuad, LonLat::new(lon, lat).expect("a place"), 14);
        let path = format!("/tiles/hazards/{address}");
        let before = server.get(&path).body;
        let update =
            format!("UPDATE onemap.hazards SET geom = ST_SetSRID(ST_Point({lon}, {lat}), 4326) WHERE id = 'n{id:07}'");
        sqlx::raw_sql(AssertSqlSafe(update)).execute(&mut connection).await.expect("committed");
        let committed = Instant::now();
        while server.get(&path).body == before {
            assert!(committed.elapsed() < Duration::from_secs(30), "the change did not arrive");
        }
        delays.push(committed.elapsed());
    }
    let (middle, late) = percentiles(&mut delays);
    report("commit to tile, p50 / p99", format!("{middle:.1} / {late:.1} ms"));
}

/// Median and 99th percentile, milliseconds.
fn percentiles(times: &mut [Duration]) -> (f64, f64) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    (at(0.5), at(0.99))
}

fn read_under_load(server: &Server, url: &str, features: u64, runtime: &tokio::runtime::Runtime) {
    let quiet = read(server);
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = runtime.spawn(write(url.to_owned(), features, stop.clone(), written.clone()));
    let started = Instant::now();
    let loaded = read(server);
    let rate = written.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(writer).expect("the writer ends");
    for ((what, (middle, late)), (_, (loaded_middle, loaded_late))) in quiet.into_iter().zip(loaded) {
        report(&format!("{what}, p50 / p99, nobody writes"), format!("{middle:.2} / {late:.2} ms"));
        report(
            &format!("{what}, p50 / p99, {rate:.0} changes/s"),
            format!(
                "{loaded_middle:.2} / {loaded_late:.2} ms = {:.2} / {:.2} times",
                loaded_middle / middle,
                loaded_late / late
            ),
        );
    }
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (before, started) = (cpu_s(server), Instant::now());
    let writer = runtime.spawn(write(url.to_owned(), features, stop.clone(), written.clone()));
    std::thread::sleep(LOAD_TIME / 4);
    let used = cpu_s(server) - before;
    let share = used / started.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(writer).expect("the writer ends");
    let each_ms = used * 1e3 / written.load(Ordering::Relaxed) as f64;
    report("processor time of following alone", format!("{share:.2} of a core, {each_ms:.2} ms a change"));
    let caught_up = Instant::now();
    let expected = psql(url, "SELECT count(*) FROM onemap.hazards WHERE owner IS NOT NULL");
    report("rows with a new owner in the database", expected.trim());
    while server.get("/health/ready").status != 200 {
        assert!(caught_up.elapsed() < Duration::from_mins(1), "the server did not catch up");
    }
}

/// Requests tiles and nearest features for a while, sequentially on one connection.
fn read(server: &Server) -> Vec<(&'static str, (f64, f64))> {
    let (mut tiles, mut nearest) = (Vec::new(), Vec::new());
    let started = Instant::now();
    let mut n = 0_u64;
    while started.elapsed() < LOAD_TIME {
        n += 1;
        let (lon, lat) = nation::place(n);
        let address = TileAddress::at(TileMatrixSet::WebMercatorQuad, LonLat::new(lon, lat).expect("a place"), 12);
        let asked = Instant::now();
        let tile = server.get(&format!("/tiles/hazards,shelters,risk_zones,pipelines/{address}"));
        tiles.push(asked.elapsed());
        assert!(matches!(tile.status, 200 | 204));
        let asked = Instant::now();
        let answer = server.get(&format!("/api/nearest?point={lon},{lat}&layer=hazards&k=5"));
        nearest.push(asked.elapsed());
        assert_eq!(answer.status, 200);
    }
    vec![("tile z12", percentiles(&mut tiles)), ("nearest k=5", percentiles(&mut nearest))]
}

/// Changes rows at a steady rate until it is stopped.
async fn write(url: String, features: u64, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) {
    let mut connection = PgConnection::connect(&url).await.expect("a connection");
    let pause = Duration::from_secs(1) * u32::try_from(CHANGES_PER_TRANSACTION).unwrap_or(1) / CHANGES_PER_S as u32;
    let mut beat = tokio::time::interval(pause);
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        beat.tick().await;
        let ids: Vec<String> = (0..CHANGES_PER_TRANSACTION)
            .map(|_| {
                n += 1;
                format!("'n{:07}'", n * 104_729 % features)
            })
            .collect();
        let update = format!("UPDATE onemap.hazards SET owner = 'owner {n}' WHERE id IN ({})", ids.join(","));
        sqlx::raw_sql(AssertSqlSafe(update)).execute(&mut connection).await.expect("committed");
        written.fetch_add(CHANGES_PER_TRANSACTION, Ordering::Relaxed);
    }
}
