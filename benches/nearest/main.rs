//! Nearest queries on the shelters and zones of a country: results compared with PostGIS, throughput compared with
//! PostGIS, Redis and a server of fixed bytes, in one run (`--scale 1`: half a million shelters, 200,000 zones;
//! `--compared 100`: number of points at which results are compared).
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

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use onemap::model::{Catalog, LayerIndex};
use onemap::store::{PostGis, Store};

use nation::{Nation, place};
use support::database::{fresh_database, psql};
use support::{Folder, Server, encoded};

const POINTS: u64 = 2_000;
const K: usize = 5;
/// Number of candidate rows that PostGIS sorts exactly.
const CANDIDATES: usize = 50;
const CONNECTIONS: &str = "32";
const SECONDS: &str = "8";

/// Demands as parameters, and as SQL on `s`.
fn conditions() -> Vec<(String, String)> {
    let ready = "status IN ('standby','opening','open')";
    let free = "capacity - occupancy - coalesce(promised, 0)";
    let filter = |cql: &str| format!("filter={}", encoded(cql));
    vec![
        ("status=any".to_owned(), "true".to_owned()),
        (String::new(), format!("{ready} AND {free} >= 1")),
        ("people=500".to_owned(), format!("{ready} AND {free} >= 500")),
        ("people=1500".to_owned(), format!("{ready} AND {free} >= 1500")),
        ("people=2040".to_owned(), format!("{ready} AND {free} >= 2040")),
        ("status=open,full".to_owned(), "status IN ('open','full')".to_owned()),
        (
            format!("people=300&{}", filter("kind='building' AND grade='village'")),
            format!("{ready} AND {free} >= 300 AND kind = 'building' AND grade = 'village'"),
        ),
        ("within=110001".to_owned(), format!("{ready} AND {free} >= 1 AND region_code LIKE '110001%'")),
        (
            "people=100&avoid=flood,landslide".to_owned(),
            format!(
                "{ready} AND {free} >= 100 AND NOT EXISTS (SELECT FROM onemap.risk_zones z \
                 WHERE z.hazard IN ('flood','landslide') AND ST_Intersects(z.geom, s.geom))"
            ),
        ),
        (
            format!("status=any&{}", filter("capacity BETWEEN 100 AND 400 AND occupancy * 2 > capacity")),
            "capacity BETWEEN 100 AND 400 AND occupancy * 2 > capacity".to_owned(),
        ),
    ]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |name: &str| {
        let value = arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
        value.map(|value| value.parse::<f64>().unwrap_or_else(|_| panic!("{name} takes a number")))
    };
    let scale = given("--scale").unwrap_or(0.05);
    let compared = given("--compared").map_or(2_000, |count| count as usize);
    let url = fresh_database();
    let catalog = Catalog::built_in().expect("a catalog");
    load(&url, &catalog, &Nation::new(&catalog, scale));
    psql(&url, "CREATE INDEX ON onemap.shelters USING gist ((geom::geography)); ANALYZE");
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    report("shelters", psql(&url, "SELECT count(*) FROM onemap.shelters").trim());

    let points: Vec<(f64, f64)> = (0..POINTS).map(asker).collect();
    compare_with_postgis(&server, &url, &points[..compared.min(points.len())]);
    speed(&server, &url, &points, &folder, compared);
}

/// Query points are near towns, at sea, at the antimeridian and at the poles.
fn asker(n: u64) -> (f64, f64) {
    match n % 20 {
        0 => (-180.0 + 360.0 * (n as f64 / POINTS as f64), -90.0 + 180.0 * ((n * 7 % POINTS) as f64 / POINTS as f64)),
        1 => (if n % 40 == 1 { 179.999 } else { -179.999 }, 25.0 + (n % 30) as f64),
        2 => (n as f64 % 360.0 - 180.0, if n % 40 == 2 { 89.9 } else { -89.9 }),
        _ => place(n.wrapping_mul(0x51_7c_c1_b7)),
    }
}

fn report(what: &str, value: impl std::fmt::Display) {
    println!("{what:56} {value}");
}

fn load(url: &str, catalog: &Catalog, nation: &Nation<'_>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = PostGis::open(url, catalog.layers.clone(), &[]).await.expect("a store");
        for (schema, count) in nation.layers() {
            if ["shelters", "risk_zones"].contains(&schema.id.as_str()) {
                let layer = LayerIndex::find(store.schemas(), &schema.id).expect("the layer");
                store.append(layer, &mut nation.features(schema, count)).await.expect("stored");
            }
        }
        store.close().await;
    });
}

/// Ids in order and distances to a millimetre, for every point and demand.
fn compare_with_postgis(server: &Server, url: &str, points: &[(f64, f64)]) {
    let mut sql = "CREATE TABLE asked (n integer, p geography);".to_owned();
    for (n, (lon, lat)) in points.iter().enumerate() {
        let _ = write!(sql, "INSERT INTO asked VALUES ({n}, ST_SetSRID(ST_MakePoint({lon}, {lat}), 4326));");
    }
    psql(url, &sql);
    for (parameters, condition) in conditions() {
        let started = Instant::now();
        let expected = psql(
            url,
            &format!(
                "SELECT asked.n, found.id, found.metres FROM asked CROSS JOIN LATERAL (SELECT id, \
                 ST_Distance(near.geom::geography, asked.p, true) AS metres FROM (SELECT id, geom FROM onemap.shelters s \
                 WHERE {condition} ORDER BY s.geom::geography <-> asked.p LIMIT {CANDIDATES}) near \
                 ORDER BY metres, id LIMIT {K}) found ORDER BY asked.n, found.metres, found.id"
            ),
        );
        let theirs_s = started.elapsed().as_secs_f64();
        let expected: Vec<(usize, &str, f64)> = expected
            .lines()
            .map(|line| {
                let cells: Vec<&str> = line.split('|').collect();
                (cells[0].parse().expect("a number"), cells[1], cells[2].parse().expect("metres"))
            })
            .collect();
        let mut at = 0;
        for (n, (lon, lat)) in points.iter().enumerate() {
            let path = format!("/api/nearest?point={lon},{lat}&layer=shelters&k={K}&{parameters}");
            let answer = server.get(&path).json();
            for feature in answer["features"].as_array().unwrap_or_else(|| panic!("{path}: {answer}")) {
                let (asked, id, metres) = expected[at];
                let ours = feature["properties"]["distance_m"].as_f64().expect("metres");
                assert!(
                    asked == n && feature["id"] == id && (ours - metres).abs() < 2e-3,
                    "{path}: {feature} against {id} {metres}"
                );
                at += 1;
            }
        }
        assert_eq!(at, expected.len(), "{parameters}: the same number of results");
        report(&format!("{} points equal, {parameters:.40}", points.len()), format!("(PostGIS took {theirs_s:.1} s)"));
    }
}

fn speed(server: &Server, url: &str, points: &[(f64, f64)], folder: &Folder, compared: usize) {
    let two = format!("layer=shelters&k={K}&people=500&filter={}", encoded("kind='building'"));
    let plain = format!("layer=shelters&k={K}&status=any");
    let body = server.get(&format!("/api/nearest?point=110,30&{two}")).body;
    let fixed = FixedBytes::serve(body);
    let ceiling = wrk(folder, "fixed", &fixed.url, &["/".to_owned()]);
    report("fixed bytes of the same length", &ceiling);
    let paths = |query: &str| {
        points.iter().map(|(lon, lat)| format!("/api/nearest?point={lon},{lat}&{query}")).collect::<Vec<_>>()
    };
    let mut ours = 0.0;
    for (what, query) in [
        ("plain", plain.as_str()),
        ("two conditions", two.as_str()),
        ("two conditions with reasons", &format!("{two}&explain=true")),
        ("rare: 2,040 free places", &format!("layer=shelters&k={K}&people=2040")),
        ("outside zones", &format!("layer=shelters&k={K}&people=100&avoid=flood,landslide")),
    ] {
        let run = wrk(folder, "nearest", &server.url, &paths(query));
        report(&format!("nearest, {what}"), format!("{run} = {:.2} of the ceiling", run.per_s / ceiling.per_s));
        if what == "two conditions" {
            ours = run.per_s;
        }
    }
    let theirs = pgbench(url, folder, compared);
    report(
        "PostGIS KNN, two conditions, by pgbench (no HTTP)",
        format!("{theirs:.0} /s; ours is {:.1} times that", ours / theirs),
    );
    redis(url, folder, ours);
}

struct Run {
    per_s: f64,
    p99: String,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} /s, p99 {}", self.per_s, self.p99)
    }
}

fn wrk(folder: &Folder, name: &str, url: &str, paths: &[String]) -> Run {
    let list = paths.join("',\n'");
    let script = folder.write(
        &format!("{name}.lua"),
        format!("local paths = {{'{list}'}}\nlocal at = 0\nrequest = function()\n at = at % #paths + 1\n return wrk.format('GET', paths[at])\nend\n"),
    );
    let output = Command::new("wrk")
        .args(["-t1", "-c", CONNECTIONS, "-d", SECONDS, "--latency", "-s"])
        .arg(script)
        .arg(url)
        .output()
        .expect("wrk runs; on Debian: apt-get install wrk");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_whitespace().last().map(str::to_owned)).unwrap_or_else(|| panic!("{text}"))
    };
    assert!(!text.contains("Non-2xx"), "{text}");
    Run { per_s: value("Requests/sec").parse().expect("a number"), p99: value("99%") }
}

/// The same web server framework, with a fixed reply.
struct FixedBytes {
    url: String,
}

impl FixedBytes {
    fn serve(body: Vec<u8>) -> Self {
        use actix_web::{App, HttpResponse, HttpServer, web};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let bytes = web::Bytes::from(body);
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    let bytes = bytes.clone();
                    App::new().default_service(web::to(move || {
                        let bytes = bytes.clone();
                        async move { HttpResponse::Ok().content_type("application/geo+json").body(bytes) }
                    }))
                });
                server.listen(listener).expect("it listens").run().await.expect("it runs");
            });
        });
        Self { url }
    }
}

fn pgbench(url: &str, folder: &Folder, compared: usize) -> f64 {
    let script = folder.write(
        "knn.sql",
        format!(
            "\\set n random(0, {})\nSELECT id, ST_Distance(s.geom::geography, asked.p, true) FROM asked, LATERAL (SELECT * FROM \
             onemap.shelters s WHERE status IN ('standby','opening','open') AND capacity - occupancy >= 500 AND kind = 'building' \
             ORDER BY s.geom::geography <-> asked.p LIMIT {K}) s WHERE asked.n = :n;\n",
            compared - 1
        ),
    );
    psql(url, "CREATE INDEX ON asked (n); ANALYZE asked");
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "-M", "prepared", "-c", "8", "-j", "1", "-T", SECONDS, "-f"])
        .arg(script)
        .arg(url)
        .output()
        .expect("pgbench runs; it comes with PostgreSQL");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("tps = ")).unwrap_or_else(|| panic!("{text}"));
    line.split_whitespace().nth(2).and_then(|number| number.parse().ok()).expect("a number")
}

/// Redis has no conditions; it finds the nearest within 20 km and within 100 km.
fn redis(url: &str, folder: &Folder, ours: f64) {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|own| own.local_addr()).expect("a port").port().to_string();
    let server = Command::new("redis-server")
        .args(["--port", &port, "--save", "", "--dir"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn();
    let Ok(mut server) = server else {
        report("Redis", "is not here; on Debian: apt-get install redis-server");
        return;
    };
    let rows = psql(url, "SELECT 'GEOADD s ' || ST_X(geom) || ' ' || ST_Y(geom) || ' ' || id FROM onemap.shelters");
    let client = |arguments: &[&str]| {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &port]).args(arguments).stdout(Stdio::null());
        command
    };
    while !client(&["ping"]).stderr(Stdio::null()).status().expect("redis-cli runs").success() {
        std::thread::yield_now();
    }
    let mut pipe = client(&["--pipe"]).stdin(Stdio::piped()).spawn().expect("redis-cli runs");
    pipe.stdin.take().expect("a pipe").write_all(rows.as_bytes()).expect("written");
    pipe.wait().expect("it ends");
    for radius in ["20", "100"] {
        let ask = format!("GEOSEARCH s FROMLONLAT 110.5 30.5 BYRADIUS {radius} km ASC COUNT {K} WITHDIST");
        let output = Command::new("redis-benchmark")
            .args(["-p", &port, "-c", CONNECTIONS, "-n", "20000", "--csv"])
            .args(ask.split_whitespace())
            .output()
            .expect("redis-benchmark runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let per_s: f64 = text
            .lines()
            .last()
            .and_then(|line| line.split(',').nth(1))
            .and_then(|cell| cell.trim_matches('"').parse().ok())
            .unwrap_or_else(|| panic!("{text}"));
        report(
            &format!("Redis GEOSEARCH within {radius} km, no conditions (no HTTP)"),
            format!("{per_s:.0} /s; ours with two is {:.2} times that", ours / per_s),
        );
    }
    server.kill().expect("it ends");
    server.wait().expect("it ended");
}
