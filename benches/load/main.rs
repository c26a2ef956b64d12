//! Thousands of connections with mixed traffic, a fifth of them hostile: latencies, statuses and the memory of the server.
//! `scripts/load`; `--connections`, `--seconds` and `--pause-ms` change the amount, `--program` names the server.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark prints, reads the clock and panics on unexpected results"
)]

mod client;
mod hostile;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::Client;
use hostile::ATTACKS;
use server::LoadedServer;

/// One of so many connections is hostile.
const HOSTILE_SHARE: usize = 5;
/// Seconds between two readings of the memory of the server.
const MEMORY_INTERVAL_S: u64 = 10;
/// Connections and pause when nothing else happens.
const UNLOADED: (usize, Duration) = (20, Duration::from_millis(100));

/// Results by kind of request: milliseconds of those with a reply, and their number by status or error.
#[derive(Default)]
struct Results {
    milliseconds: Vec<f32>,
    outcomes: BTreeMap<String, usize>,
}

type Recorded = Arc<Mutex<BTreeMap<&'static str, Results>>>;

fn record(recorded: &Recorded, kind: &'static str, started: Instant, outcome: std::io::Result<u16>) {
    let mut recorded = recorded.lock().expect("no client has panicked");
    let own = recorded.entry(kind).or_default();
    let outcome = match outcome {
        Ok(status) => {
            own.milliseconds.push(started.elapsed().as_secs_f32() * 1e3);
            status.to_string()
        }
        Err(error) => error.kind().to_string(),
    };
    *own.outcomes.entry(outcome).or_default() += 1;
}

/// Reproducible numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between 0 and 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A pause, exponentially distributed around a mean.
    fn pause(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.fraction()).ln())
    }
}

/// The next request of an ordinary caller: its kind and its path.
fn ordinary(random: &mut Random) -> (&'static str, String) {
    let (lon, lat) = (118.5 + random.fraction() * 0.5, 25.95 + random.fraction() * 0.4);
    match random.next() % 10 {
        0..=3 => ("nearest", nearest(lon, lat)),
        4..=6 => {
            let zoom = 9 + random.next() % 6;
            let size = f64::from(1_u32 << zoom);
            let x = ((lon + 180.0) / 360.0 * size) as u32;
            let y = ((1.0 - lat.to_radians().tan().asinh() / std::f64::consts::PI) / 2.0 * size) as u32;
            ("tile", format!("/tiles/hazards,shelters,risk_zones/{zoom}/{x}/{y}"))
        }
        7 => {
            ("items", format!("/ogc/collections/shelters/items?limit=50&bbox={lon},{lat},{},{}", lon + 0.1, lat + 0.1))
        }
        8 => ("items", "/ogc/collections/hazards/items?limit=20&filter=risk_level%20%3C%203".to_owned()),
        _ => (
            "search",
            format!("/api/search?q={}", ["meicheng", "mc", "%E9%97%BD%E6%B8%85", "350124"][random.next() as usize % 4]),
        ),
    }
}

fn nearest(lon: f64, lat: f64) -> String {
    format!("/api/nearest?point={lon:.6},{lat:.6}&layer=shelters&k=5&status=any")
}

/// Runs an ordinary caller until it is aborted.
async fn call(server: SocketAddr, seed: u64, pause: Duration, recorded: Recorded) {
    let (mut client, mut random) = (Client::new(server), Random(seed));
    loop {
        tokio::time::sleep(random.pause(pause)).await;
        let (kind, path) = ordinary(&mut random);
        let started = Instant::now();
        record(&recorded, kind, started, client.get(&path).await);
    }
}

/// Milliseconds of nearest queries while nothing else happens.
async fn unloaded(server: SocketAddr, duration: Duration) -> Vec<f32> {
    let recorded = Recorded::default();
    let clients = (0..UNLOADED.0 as u64).map(|seed| {
        let recorded = recorded.clone();
        tokio::spawn(async move {
            let (mut client, mut random) = (Client::new(server), Random(seed));
            loop {
                tokio::time::sleep(random.pause(UNLOADED.1)).await;
                let path = nearest(118.5 + random.fraction() * 0.5, 25.95 + random.fraction() * 0.4);
                let started = Instant::now();
                record(&recorded, "nearest", started, client.get(&path).await);
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    tokio::time::sleep(duration).await;
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    let mut recorded = recorded.lock().expect("no client has panicked");
    std::mem::take(&mut recorded.entry("nearest").or_default().milliseconds)
}

/// Starts all callers.
fn start(server: SocketAddr, connections: usize, pause: Duration, recorded: &Recorded) {
    for at in 0..connections {
        let (seed, recorded) = (at as u64, recorded.clone());
        if at % HOSTILE_SHARE == 0 {
            let (kind, attack) = ATTACKS[at / HOSTILE_SHARE % ATTACKS.len()];
            tokio::spawn(async move {
                let mut random = Random(seed);
                loop {
                    tokio::time::sleep(random.pause(pause)).await;
                    let started = Instant::now();
                    record(&recorded, kind, started, attack.run(server, random.next()).await);
                }
            });
        } else if at % 20 == 1 {
            tokio::spawn(async move {
                loop {
                    let started = Instant::now();
                    let ended = Client::new(server).listen("/api/events").await;
                    record(&recorded, "events", started, ended);
                    tokio::time::sleep(pause).await;
                }
            });
        } else {
            tokio::spawn(call(server, seed, pause, recorded));
        }
    }
}

fn percentile(sorted: &[f32], percent: usize) -> f32 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f32::NAN)
}

/// Prints the results; the p99 of nearest, and whether all statuses were as they must be.
fn print_results(recorded: &Recorded) -> (f32, bool) {
    println!("{:12} {:>8} {:>8} {:>8} {:>8}  outcomes", "kind", "replies", "p50 ms", "p99 ms", "max ms");
    let (mut nearest_p99, mut is_expected) = (f32::NAN, true);
    for (kind, own) in recorded.lock().expect("no client has panicked").iter_mut() {
        own.milliseconds.sort_by(f32::total_cmp);
        let [p50, p99, max] = [50, 99, 100].map(|percent| percentile(&own.milliseconds, percent));
        println!("{kind:12} {:8} {p50:8.1} {p99:8.1} {max:8.1}  {:?}", own.milliseconds.len(), own.outcomes);
        if *kind == "nearest" {
            nearest_p99 = p99;
        }
        is_expected &= own.outcomes.keys().all(|outcome| !outcome.starts_with('5') || outcome == "503");
    }
    (nearest_p99, is_expected)
}

fn main() {
    let option = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let number = |name: &str, default: u64| {
        option(name).map_or(default, |own| own.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
    };
    let (connections, seconds) = (number("--connections", 2_000) as usize, number("--seconds", 300));
    let pause = Duration::from_millis(number("--pause-ms", 4_000));
    let server = LoadedServer::start(&option("--program").unwrap_or_else(|| env!("CARGO_BIN_EXE_onemap").to_owned()));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        server::raise_file_limit();
        unloaded(server.address, Duration::from_secs(2)).await;
        let mut before = unloaded(server.address, Duration::from_secs(15)).await;
        before.sort_by(f32::total_cmp);
        let (p50, p99) = (percentile(&before, 50), percentile(&before, 99));
        println!("nearest unloaded: {} replies, p50 {p50:.2} ms, p99 {p99:.2} ms", before.len());
        let recorded = Recorded::default();
        start(server.address, connections, pause, &recorded);
        for second in (0..=seconds).step_by(MEMORY_INTERVAL_S as usize) {
            println!("{second:4} s: {}", server.usage());
            tokio::time::sleep(Duration::from_secs(MEMORY_INTERVAL_S.min(seconds - second))).await;
        }
        let (loaded, is_expected) = print_results(&recorded);
        println!("nearest p99 loaded / unloaded: {:.1}", loaded / p99);
        println!("statuses 5xx other than 503: {}", if is_expected { "none" } else { "some" });
    });
    // Connections still open are cut.
    runtime.shutdown_background();
}
