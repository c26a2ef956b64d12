//! Commitments while servers and the database fail: nothing acknowledged is lost, nothing is promised twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::commitments::{COMMITMENTS, people, with_shelter};
use super::edits::{ITEMS, Writer};
use crate::support::database::{Postgres, psql};
use crate::support::{Reply, await_that, foreign};

const DISPATCHERS: usize = 50;
/// Persons of each commitment, and places that are free.
const EACH: i64 = 3;
const FREE: i64 = 100;

/// Sends a request again, with its key, until a server tells what became of it.
fn until_answered(
    writers: &[Writer; 2],
    number: usize,
    (method, path, key): (&str, &str, &str),
    body: &serde_json::Value,
    retries: &AtomicU64,
) -> Reply {
    for attempt in number.. {
        let sent = writers[attempt % 2].try_send(method, path, &[("Idempotency-Key", key)], body);
        match sent {
            Some(reply) if reply.status < 500 => return reply,
            Some(reply) => assert_eq!(reply.status, 503, "{:?}", reply.json()),
            None => {}
        }
        retries.fetch_add(1, Ordering::Relaxed);
        // A server that is down refuses at once.
        thread::sleep(Duration::from_millis(20));
    }
    unreachable!("a range without an end")
}

/// Fifty dispatchers at two servers commit and release; one server is killed, and the database is stopped at once and started
/// again. `ONEMAP_TEST_ROUNDS` makes the run longer.
#[test]
fn dispatchers_never_promise_more_than_there_is_while_a_server_and_the_database_fail() {
    let rounds: usize = std::env::var("ONEMAP_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let postgres = Postgres::of_its_own();
    let url = postgres.fresh_database();
    let writers = [Writer::of_database(&url), Writer::of_database(&url)];
    with_shelter(&writers[0]);
    await_that("the other server has the shelter", || writers[1].server.get(&format!("{ITEMS}/X-1")).status == 200);
    // The database itself refuses a sum beyond the capacity; the request would end with an error.
    psql(
        &url,
        &format!("ALTER TABLE onemap.shelters ADD CHECK (id <> 'X-1' OR promised IS NULL OR promised <= {FREE})"),
    );
    let (done, retries) = (AtomicUsize::new(0), AtomicU64::new(0));
    let (refused, released) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let dispatch = |number: usize| -> Vec<(String, bool)> {
        let mut made = Vec::new();
        for round in 0..rounds {
            let key = format!("{number}-{round}");
            let reply = until_answered(&writers, number, ("POST", COMMITMENTS, &key), &people(EACH), &retries);
            done.fetch_add(1, Ordering::SeqCst);
            if reply.status == 409 {
                refused.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            assert_eq!(reply.status, 201, "{:?}", reply.json());
            let id = reply.json()["id"].as_str().expect("an id").to_owned();
            let is_released = round + 1 < rounds;
            if is_released {
                release(&writers, number, &id, &retries);
                released.fetch_add(1, Ordering::Relaxed);
            }
            made.push((id, is_released));
        }
        made
    };
    let (dispatch, all) = (&dispatch, DISPATCHERS * rounds);
    let started = Instant::now();
    let acknowledged: Vec<(String, bool)> = thread::scope(|scope| {
        let dispatchers: Vec<_> = (0..DISPATCHERS).map(|number| scope.spawn(move || dispatch(number))).collect();
        await_that("a quarter is done", || done.load(Ordering::SeqCst) >= all / 4);
        foreign("kill", &["-9", &writers[1].server.process_id().to_string()]);
        await_that("half is done", || done.load(Ordering::SeqCst) >= all / 2);
        postgres.kill();
        postgres.start_again();
        dispatchers.into_iter().flat_map(|own| own.join().expect("a dispatcher")).collect()
    });
    eprintln!(
        "{all} requests in {:.1} s: {} made, {} refused, {} released, {} sent again",
        started.elapsed().as_secs_f64(),
        acknowledged.len(),
        refused.load(Ordering::Relaxed),
        released.load(Ordering::Relaxed),
        retries.load(Ordering::Relaxed),
    );
    let ids = |states: &str| -> BTreeSet<String> {
        let stored = psql(&url, &format!("SELECT id FROM onemap.commitments WHERE state IN ({states})"));
        stored.lines().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect()
    };
    let own = |is_released: bool| -> BTreeSet<String> {
        acknowledged.iter().filter(|(_, own)| *own == is_released).map(|(id, _)| id.clone()).collect()
    };
    assert_eq!(own(true).len() + own(false).len(), acknowledged.len(), "no commitment answers two requests");
    // Each request was answered in the end, so that what is stored is what was acknowledged: nothing lost, nothing twice.
    assert_eq!((ids("'committed'"), ids("'released'")), (own(false), own(true)));
    let promised = psql(&url, "SELECT promised FROM onemap.shelters WHERE id = 'X-1'");
    let promised: i64 = promised.trim().parse().expect("a number");
    assert_eq!(promised, EACH * i64::try_from(own(false).len()).expect("a count"), "the sum of the commitments");
    assert!(promised <= FREE);
}

/// Releases a commitment. The snapshot of a server may not have it yet, or may not have the release that it made before.
fn release(writers: &[Writer; 2], number: usize, id: &str, retries: &AtomicU64) {
    let path = format!("{COMMITMENTS}/{id}");
    loop {
        let key = format!("release-{id}");
        let change = json!({"state": "released"});
        let reply = until_answered(writers, number, ("PATCH", &path, &key), &change, retries);
        match reply.status {
            200 => return,
            // Released by an attempt whose reply was lost.
            400 if reply.json()["detail"].as_str().is_some_and(|detail| detail.contains("released")) => return,
            404 | 412 => thread::sleep(Duration::from_millis(20)),
            other => panic!("{other}: {:?}", reply.json()),
        }
    }
}
