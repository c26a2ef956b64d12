//! Serving the features of a country, each figure beside a peer of the same run: a server that sends the same bytes from
//! memory (the ceiling), and Martin over the same database. `scripts/bench` installs both peers' tools; `--scale 1` is the
//! whole country, `--martin FILE` the program of Martin.
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
mod peers;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "benchmarks use only a part of the test support")]
mod support;

use std::time::{Duration, Instant};

use onemap::geodesy::LonLat;
use onemap::model::{Catalog, LayerIndex};
use onemap::store::{PostGis, Store};
use onemap::tile::{TileAddress, TileMatrixSet};

use nation::Nation;
use peers::{Ceiling, Martin, requests_per_s};
use support::database::{fresh_database, psql};
use support::{Folder, Server, encoded, memory_kb};

const LAYERS: &str = "hazards,shelters,risk_zones,pipelines";
/// Rounds of a comparison, whose median counts.
const ROUNDS: usize = 3;
/// Tiles of a zoom that are requested once.
const COLD_TILES: u64 = 100;

fn main() {
    let option = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let scale: f64 = option("--scale").map_or(0.05, |scale| scale.parse().expect("--scale takes a number"));
    let url = fresh_database();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(load(&url, scale));
    psql(&url, "ANALYZE");
    println!("{:44} {:>12} {:>12} {:>8}", "", "onemap", "peer", "ratio");

    let folder = Folder::new();
    let started = Instant::now();
    let server = Server::start(&folder, &["--store", &url]);
    alone("start from PostGIS, s", started.elapsed().as_secs_f64());
    alone("memory after the start, MB", resident_mb(&server));
    hot_tiles(&server);
    hot_nearest(&server);
    let martin = option("--martin").map(|program| Martin::start(&program, &url));
    cold_tiles(&server, martin.as_ref());
    drop(martin);
    low_zooms(&server);
    tile_formats(&server);
    alone("memory at the end, MB", resident_mb(&server));
    assert_eq!(server.stop(), Some(0));
    let started = Instant::now();
    let server = Server::start(&folder, &["--store", &url]);
    alone("start from the disk cache, s", started.elapsed().as_secs_f64());
    drop(server);
}

/// Prints a figure without a peer.
fn alone(what: &str, value: f64) {
    println!("{what:44} {value:12.1}");
}

fn compared(what: &str, own: f64, peer: f64, ratio: f64) {
    println!("{what:44} {own:12.1} {peer:12.1} {ratio:8.2}");
}

async fn load(url: &str, scale: f64) {
    let catalog = Catalog::built_in().expect("a catalog");
    let nation = Nation::new(&catalog, scale);
    let store = PostGis::open(url, catalog.layers.clone(), &[]).await.expect("a store");
    for (schema, count) in nation.layers() {
        let layer = LayerIndex::find(store.schemas(), &schema.id).expect("the layer");
        store.append(layer, &mut nation.features(schema, count)).await.expect("stored");
    }
    store.close().await;
}

/// The tile around one of the towns.
fn tile_at(seed: u64, zoom: u8) -> TileAddress {
    let (lon, lat) = nation::place(seed);
    TileAddress::at(TileMatrixSet::WebMercatorQuad, LonLat::new(lon, lat).expect("a place"), zoom)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Requests a second of a path, and their share of the ceiling for replies of the same size.
fn share_of_ceiling(what: &str, server: &Server, path: &str) {
    let reply = server.get_with(path, ("Accept-Encoding", "gzip"));
    assert_eq!(reply.status, 200, "{path}");
    let ceiling = Ceiling::start(reply.body.clone());
    let rounds: Vec<(f64, f64)> =
        (0..ROUNDS).map(|_| (requests_per_s(&format!("{}{path}", server.url)), requests_per_s(&ceiling.url))).collect();
    let share = median(rounds.iter().map(|(own, most)| own / most).collect());
    let (own, most): (Vec<f64>, Vec<f64>) = rounds.into_iter().unzip();
    compared(&format!("{what} ({} B), requests/s", reply.body.len()), median(own), median(most), share);
}

fn hot_tiles(server: &Server) {
    for zoom in [12, 14] {
        // Not all places have features.
        let mut paths = (0..COLD_TILES).map(|place| format!("/tiles/{LAYERS}/{}", tile_at(place, zoom)));
        let path = paths.find(|path| server.get(path).status == 200).expect("a tile with features");
        share_of_ceiling(&format!("kept tile z{zoom}"), server, &path);
    }
}

fn hot_nearest(server: &Server) {
    let (lon, lat) = nation::place(1);
    let nearest = |filter: &str| format!("/api/nearest?point={lon},{lat}&layer=shelters&k=5{filter}");
    share_of_ceiling("nearest five", server, &nearest("&status=any"));
    let conditions = format!("&people=100&filter={}", encoded("kind='building'"));
    share_of_ceiling("nearest five, two conditions", server, &nearest(&conditions));
    let rare = format!("&status=any&filter={}", encoded("capacity > 2041"));
    share_of_ceiling("nearest five, a rare condition", server, &nearest(&rare));
}

/// Milliseconds of each request, one after another on one connection.
fn durations(addresses: &[String]) -> Vec<f64> {
    let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
    let ask = |address: &String| {
        let started = Instant::now();
        let reply = agent.get(address).header("Accept-Encoding", "gzip").call();
        let reply = reply.unwrap_or_else(|error| panic!("{address}: {error}"));
        reply.into_body().with_config().limit(1 << 30).read_to_vec().expect("a tile");
        started.elapsed().as_secs_f64() * 1e3
    };
    addresses.iter().map(ask).collect()
}

/// Tiles that no cache has, each requested once.
fn cold_tiles(server: &Server, martin: Option<&Martin>) {
    for zoom in [14, 12, 10, 8] {
        let tiles: std::collections::BTreeSet<String> =
            (0..COLD_TILES).map(|n| tile_at(1_000 + n, zoom).to_string()).collect();
        let of = |url: &str| tiles.iter().map(|tile| format!("{url}/{tile}")).collect::<Vec<_>>();
        let mean = |times: Vec<f64>| times.iter().sum::<f64>() / times.len() as f64;
        let own = mean(durations(&of(&format!("{}/tiles/{LAYERS}", server.url))));
        let what = format!("cold tile z{zoom}, mean ms");
        match martin {
            Some(martin) => {
                let other = mean(durations(&of(&format!("{}/{LAYERS}", martin.url))));
                compared(&what, own, other, other / own);
            }
            None => alone(&what, own),
        }
    }
}

/// Sizes and durations from the whole country to a province, for the whole data and for a filter that is not kept.
fn low_zooms(server: &Server) {
    for (what, filter) in [("", String::new()), (", new filter", format!("?filter={}", encoded("name LIKE '%1%'")))] {
        let mut waited = Vec::new();
        let mut largest = 0;
        for zoom in 0..=6 {
            let tiles: std::collections::BTreeSet<String> =
                (0..COLD_TILES).map(|n| tile_at(n, zoom).to_string()).collect();
            for tile in tiles {
                let started = Instant::now();
                let reply = server.get(&format!("/tiles/{LAYERS}/{tile}{filter}"));
                waited.push(started.elapsed());
                largest = largest.max(reply.body.len());
            }
        }
        waited.sort();
        let ms = |share: f64| waited[((waited.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        alone(&format!("z0 to z6{what}, p50 ms"), ms(0.5));
        alone(&format!("z0 to z6{what}, p99 ms"), ms(0.99));
        alone(&format!("z0 to z6{what}, largest tile, kB"), largest as f64 / 1e3);
    }
}

/// Bytes of MLT beside those of MVT, both with gzip.
fn tile_formats(server: &Server) {
    for zoom in [4, 8, 10, 12, 14] {
        let tiles: std::collections::BTreeSet<String> = (0..20).map(|n| tile_at(n, zoom).to_string()).collect();
        let bytes = |format: &str| -> f64 {
            let of = |tile: &String| {
                let path = format!("/tiles/{LAYERS}/{tile}?f={format}");
                server.get_with(&path, ("Accept-Encoding", "gzip")).body.len() as f64
            };
            tiles.iter().map(of).sum::<f64>() / tiles.len() as f64
        };
        let (mlt, mvt) = (bytes("mlt"), bytes("mvt"));
        compared(&format!("MLT beside MVT z{zoom}, bytes with gzip"), mlt, mvt, mlt / mvt);
    }
}

fn resident_mb(server: &Server) -> f64 {
    // Freed memory is returned some time later.
    std::thread::sleep(Duration::from_secs(2));
    memory_kb(server.process_id(), "VmRSS") as f64 / 1e3
}
