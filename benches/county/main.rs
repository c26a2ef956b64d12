//! Response times of dispatch queries on the sample county, sequentially over one connection: median and 99th
//! percentile in milliseconds, and ratios between queries of the same run.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, reads the clock and panics on unexpected results"
)]

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "benchmarks use only a part of the test support")]
mod support;

use std::time::Instant;

use support::{Server, encoded};

const ROUNDS: usize = 400;

fn main() {
    let (_folder, server) = Server::of_sample();
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
}
