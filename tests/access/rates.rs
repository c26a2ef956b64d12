//! Requests that come too often are refused before they cost anything.

use super::{account, get};
use crate::support::{Folder, Reply, Server};

/// A request that a proxy on this machine passes on for an address.
fn from(server: &Server, address: &str, secret: &str, path: &str) -> Reply {
    let authorization = format!("Bearer {secret}");
    let own = [("X-Forwarded-For", address), ("Authorization", authorization.as_str())];
    server.send("GET", path, if secret.is_empty() { &own[..1] } else { &own }, "")
}

#[test]
fn a_caller_has_a_rate_and_others_are_not_affected() {
    let folder = Folder::new();
    let [first, second] = ["甲", "乙"].map(|name| account(&folder, name, &["--role", "viewer"]));
    let server = Server::start(&folder, &["--rate-limit", "5", "--trusted-proxy", "127.0.0.1"]);
    let path = "/api/session";
    let refused = (0..200).map(|_| from(&server, "10.0.0.1", "", path)).find(|reply| reply.status == 429);
    let refused = refused.expect("a limit");
    assert_eq!(refused.json()["type"], "urn:problem-type:onemap:rate-limited");
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds >= 1));
    assert_eq!(from(&server, "10.0.0.2", "", path).status, 200);
    // An account has its own rate, whatever address it comes from.
    assert_eq!(from(&server, "10.0.0.1", &first, path).status, 200);
    let mut addresses = (0..200).map(|number| format!("10.1.0.{number}"));
    assert!(addresses.any(|address| from(&server, &address, &first, path).status == 429));
    assert_eq!(from(&server, "10.0.0.1", &second, path).status, 200);
    // Neither health checks nor callers on this machine are limited.
    for _ in 0..50 {
        assert_eq!(from(&server, "10.0.0.1", "", "/health/live").status, 200);
        assert_eq!(get(&server, "", path).status, 200);
    }
}

#[test]
fn wrong_secrets_are_counted_by_address() {
    let folder = Folder::new();
    let secret = account(&folder, "甲", &["--role", "viewer"]);
    let server = Server::start(&folder, &["--rate-limit", "0", "--trusted-proxy", "127.0.0.1"]);
    let wrong = |address: &str| from(&server, address, "onemap_wrong", "/api/session").status;
    let found: Vec<u16> = (0..30).map(|_| wrong("2001:db8::1")).collect();
    // On a slow machine the limit is replenished meanwhile.
    assert!(found[..20].iter().all(|status| *status == 401) && found.contains(&429), "{found:?}");
    // The same network has the same limit, another one its own.
    assert!((0..5).any(|_| wrong("2001:db8::2") == 429));
    assert_eq!(wrong("2001:db8:1::1"), 401);
    assert_eq!(from(&server, "2001:db8::1", &secret, "/api/session").status, 200);
}
