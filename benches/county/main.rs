//! Response times of dispatch queries on the sample county, sequentially over one connection: median and 99th
//! percentile in milliseconds, and ratios between queries of the same run.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark prints, reads the clock and panics on unexpected results"
)]

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "benchmarks use only a part of the test support")]
mod support;

use std::time::Instant;

use serde_json::{Value as Json, json};

use support::{Server, encoded};

const ROUNDS: usize = 400;

fn main() {
    let (folder, server) = Server::of_sample();
    let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
    let two = format!("people=100&filter={}", encoded("kind='building'"));
    let ask = |path: &dyn Fn(f64, f64) -> String| {
        let mut waited: Vec<f64> = (0..ROUNDS)
            .map(|n| {
                // Query points move through the county.
                let share = n as f64 / ROUNDS as f64;
                let address =
                    format!("{}{}", server.url, path(118.6 + 0.4 * share, 26.05 + 0.4 * (share * 7.0).fract()));
                let started = Instant::now();
                let reply = agent.get(&address).call().unwrap_or_else(|error| panic!("{address}: {error}"));
                reply.into_body().read_to_vec().expect("an answer");
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        waited.sort_by(f64::total_cmp);
        (waited[ROUNDS / 2], waited[ROUNDS * 99 / 100])
    };
    let nearest = |query: String| move |lon: f64, lat: f64| format!("/api/nearest?point={lon},{lat}&k=5&{query}");
    let report = |what: &str, (p50, p99): (f64, f64), note: String| {
        println!("{what:44} p50 {p50:7.3} ms  p99 {p99:7.3} ms  {note}");
    };

    ask(&|_, _| "/health/live".to_owned());
    report("health check, as a baseline", ask(&|_, _| "/health/live".to_owned()), String::new());
    let plain = ask(&nearest("layer=shelters&status=any".to_owned()));
    report("nearest, plain", plain, String::new());
    let conditions = ask(&nearest(format!("layer=shelters&{two}")));
    report("nearest, two conditions", conditions, format!("{:.2} times plain", conditions.0 / plain.0));
    let reasons = ask(&nearest(format!("layer=shelters&{two}&explain=true")));
    report("nearest, two conditions with reasons", reasons, "goal: p99 5 ms".to_owned());
    let four = ask(&nearest("layer=shelters,teams,depots,hazards&status=any".to_owned()));
    report("nearest, four layers", four, format!("{:.2} times one", four.0 / plain.0));
    let around = |lon: f64, lat: f64| format!("/api/surroundings?point={lon},{lat}&radius_m=5000");
    report("surroundings of 5 km, all layers", ask(&around), "goal: 10 ms".to_owned());
    report("coverage of all villages", ask(&|_, _| "/api/coverage".to_owned()), "goal: 50 ms".to_owned());
    report("siting of all places", ask(&|_, _| "/api/audits/siting".to_owned()), String::new());
    report("search by pinyin", ask(&|_, _| "/api/search?q=mcz".to_owned()), String::new());
    let road = ask(&nearest("layer=shelters&by=road".to_owned()));
    report("nearest five by road", road, format!("goal: p99 10 ms; {:.2} times plain", road.0 / plain.0));
    for (share, by) in [(0.1, "line"), (1.0, "line"), (0.1, "road")] {
        let what = format!("allocation, {:.0} % of the people, by {by}", share * 100.0);
        report(&what, allocations(&server, share, by), "goal: 200 ms by line".to_owned());
    }
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    report("road closed to new answer", closures(&server, token.trim()), "goal: 250 ms".to_owned());
}

/// Median and longest of some durations, milliseconds.
fn of_rounds(mut waited: Vec<f64>) -> (f64, f64) {
    waited.sort_by(f64::total_cmp);
    (waited[waited.len() / 2], waited[waited.len() - 1])
}

/// All villages to all shelters.
fn allocations(server: &Server, share: f64, by: &str) -> (f64, f64) {
    let villages = server.get("/ogc/collections/villages/items?limit=1000").json();
    let demand = |own: &Json| {
        let people = own["properties"]["population"].as_f64()?;
        let amount = (people * share).ceil() as u32;
        Some(json!({"id": own["id"], "point": own["geometry"]["coordinates"], "amount": amount}))
    };
    let demands: Vec<Json> = villages["features"].as_array().expect("villages").iter().filter_map(demand).collect();
    let body = json!({"layer": "shelters", "by": by, "demands": demands}).to_string();
    let round = |_| {
        let started = Instant::now();
        let reply = server.send("POST", "/api/allocations", &[("Content-Type", "application/json")], &body);
        assert_eq!(reply.status, 200, "{:?}", reply.json());
        started.elapsed().as_secs_f64() * 1e3
    };
    of_rounds((0..10).map(round).collect())
}

/// From the request that closes a road to the first answer that goes around it.
fn closures(server: &Server, token: &str) -> (f64, f64) {
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/merge-patch+json")];
    let route = || server.get("/api/routes?from=118.86,26.22&to=118.72,26.1").json();
    let used = |route: &Json| route["features"][0]["properties"]["roads"].clone();
    let roads = used(&route());
    let roads: Vec<&str> = roads.as_array().expect("roads").iter().filter_map(|road| road["id"].as_str()).collect();
    let road = roads[roads.len() / 2];
    let set = |status: &str| {
        let body = json!({"properties": {"status": status}}).to_string();
        let reply = server.send("PATCH", &format!("/ogc/collections/roads/items/{road}"), &headers, &body);
        assert!((200..300).contains(&reply.status), "{:?}", reply.json());
    };
    let takes_it = || used(&route()).as_array().is_some_and(|roads| roads.iter().any(|own| own["id"] == road));
    let round = |_| {
        let started = Instant::now();
        set("closed");
        while takes_it() {}
        let waited = started.elapsed().as_secs_f64() * 1e3;
        set("open");
        while !takes_it() {}
        waited
    };
    of_rounds((0..20).map(round).collect())
}
