//! Behind a proxy: links with the public address, and who counts as a caller on this machine.

use serde_json::{Value as Json, json};

use crate::support::{Folder, Reply, Server};

type Headers<'a> = &'a [(&'a str, &'a str)];

fn ask(server: &Server, headers: Headers<'_>, path: &str) -> Reply {
    let reply = server.send("GET", path, headers, "");
    assert_eq!(reply.status, 200, "{path} with {headers:?}: {}", String::from_utf8_lossy(&reply.body));
    reply
}

/// The address of the landing page as the server believes it to be.
fn base(server: &Server, headers: Headers<'_>) -> String {
    let page = ask(server, headers, "/ogc").json();
    let own = page["links"].as_array().expect("links").iter().find(|link| link["rel"] == "self");
    own.and_then(|link| link["href"].as_str()).expect("an address").trim_end_matches("/ogc").to_owned()
}

/// A server that trusts the peer of these tests, and the networks.
fn behind(proxies: &[&str]) -> (Folder, Server) {
    let folder = Folder::new();
    let arguments: Vec<&str> = proxies.iter().flat_map(|proxy| ["--trusted-proxy", proxy]).collect();
    let server = Server::start(&folder, &arguments);
    (folder, server)
}

#[test]
fn headers_of_a_trusted_proxy_give_the_public_address() {
    let (_folder, server) = behind(&["127.0.0.0/8", "10.1.0.0/16", "2001:db8:9::/48"]);
    let port = server.url.rsplit(':').next().expect("a port");
    let own = format!("127.0.0.1:{port}");
    for (headers, expected) in [
        (&[("Forwarded", "for=203.0.113.7;proto=https;host=maps.example")][..], "https://maps.example".to_owned()),
        (
            &[("Forwarded", "For=\"[2001:db8::1]:4711\"; Proto=HTTPS;HOST=\"maps.example:8443\"")],
            "https://maps.example:8443".into(),
        ),
        (&[("Forwarded", "host=\"[2001:db8::5]:81\";proto=http;by=_gate")], "http://[2001:db8::5]:81".into()),
        // The entry of the outermost trusted proxy counts; those before it may be forged.
        (
            &[(
                "Forwarded",
                "for=127.0.0.1;host=evil.example, for=203.0.113.7;host=maps.example;proto=https, for=10.1.2.3",
            )],
            "https://maps.example".into(),
        ),
        (
            &[("Forwarded", "for=203.0.113.7;host=evil.example, for=198.51.100.9;host=near.example")],
            "http://near.example".into(),
        ),
        (
            &[("Forwarded", "for=203.0.113.7;host=far.example, for=\"[2001:db8:9::1]\";host=near.example")],
            "http://far.example".into(),
        ),
        (&[("X-Forwarded-Proto", "https")], format!("https://{own}")),
        (&[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "maps.example")], "https://maps.example".into()),
        (
            &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "maps.example"), ("X-Forwarded-Port", "443")],
            "https://maps.example".into(),
        ),
        (
            &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "maps.example"), ("X-Forwarded-Port", "8443")],
            "https://maps.example:8443".into(),
        ),
        (&[("X-Forwarded-Host", "maps.example:81"), ("X-Forwarded-Port", "8080")], "http://maps.example:81".into()),
        (
            &[("X-Forwarded-Prefix", "/gis/onemap/"), ("X-Forwarded-Host", "maps.example")],
            "http://maps.example/gis/onemap".into(),
        ),
        (
            &[
                ("X-Forwarded-For", "203.0.113.7, 10.1.2.3"),
                ("X-Forwarded-Host", "evil.example, far.example, near.example"),
            ],
            "http://far.example".into(),
        ),
        (
            &[("Forwarded", "proto=https;host=maps.example"), ("X-Forwarded-Prefix", "/gis")],
            "https://maps.example/gis".into(),
        ),
        // Headers that contradict each other give nothing.
        (&[("Forwarded", "host=maps.example"), ("X-Forwarded-Host", "evil.example")], format!("http://{own}")),
    ] {
        assert_eq!(base(&server, headers), expected, "{headers:?}");
    }
}

#[test]
fn every_absolute_link_has_the_public_address() {
    let (folder, server) = behind(&["127.0.0.1"]);
    let public = "https://maps.example:8443/gis/onemap";
    let headers =
        [("Forwarded", "for=127.0.0.1;proto=https;host=\"maps.example:8443\""), ("X-Forwarded-Prefix", "/gis/onemap")];
    let inside = server.url.trim_start_matches("http://");
    let mut count = 0;
    for path in [
        "/ogc",
        "/ogc?f=html",
        "/ogc/collections",
        "/ogc/collections/shelters?f=html",
        "/ogc/collections/shelters/items?limit=3",
        "/ogc/collections/shelters/items?limit=3&f=html",
        "/ogc/collections/shelters/items?limit=3&f=csv",
        "/ogc/collections/shelters/items/SH-0001",
        "/ogc/collections/shelters/schema",
        "/ogc/collections/shelters/tiles/WebMercatorQuad",
        "/ogc/tiles",
        "/tiles/shelters",
        "/styles/onemap.json",
        "/openapi.json",
        "/ogc/openapi.json",
    ] {
        let reply = ask(&server, &headers, path);
        let text = format!("{} {}", reply.header("link"), String::from_utf8_lossy(&reply.body));
        assert!(!text.contains(inside), "{path} has an inner address: {text}");
        assert!(text.contains(public), "{path}: {text}");
        count += text.matches(public).count();
    }
    assert!(count > 100, "{count}");
    let page = ask(&server, &headers, "/ogc/collections/shelters/items?limit=3").json();
    let next = page["links"].as_array().expect("links").iter().find(|link| link["rel"] == "next").expect("a next page");
    let next = next["href"].as_str().and_then(|href| href.strip_prefix(public)).expect("a public address");
    assert_eq!(ask(&server, &headers, next).json()["numberReturned"], json!(3));

    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let write = [&headers[..], &[("Authorization", &authorization), ("Content-Type", "application/json")]].concat();
    let body = json!({"id": "X-1", "properties": {"name": "新避灾点"}, "geometry": null}).to_string();
    let made = server.send("POST", "/ogc/collections/shelters/items", &write, &body);
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    assert_eq!(made.header("location"), format!("{public}/ogc/collections/shelters/items/X-1"));
}

#[test]
fn a_malformed_header_counts_as_absent() {
    let (_folder, server) = behind(&["127.0.0.1"]);
    let long = "for=_a,".repeat(40);
    for (name, value) in [
        ("Forwarded", "for"),
        ("Forwarded", "for=;host=maps.example"),
        ("Forwarded", "for=\"[2001:db8::1;host=maps.example"),
        ("Forwarded", "for=999.1.1.1;host=maps.example"),
        ("Forwarded", "host=maps.example;host=evil.example"),
        ("Forwarded", "host=\"maps.example/path\""),
        ("Forwarded", "host=maps.example proto=https"),
        ("Forwarded", "proto=gopher;host=maps.example"),
        ("Forwarded", ";host=maps.example"),
        ("Forwarded", "host=maps.example,"),
        ("Forwarded", "host=\"maps\\"),
        ("Forwarded", long.as_str()),
        ("X-Forwarded-Host", "maps.example/<script>"),
        ("X-Forwarded-Host", ""),
        ("X-Forwarded-Host", "maps.example:99999"),
        ("X-Forwarded-Host", "[::1"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Port", "0"),
        ("X-Forwarded-Port", "+443"),
        ("X-Forwarded-Prefix", "gis"),
        ("X-Forwarded-Prefix", "//evil.example"),
        ("X-Forwarded-Prefix", "/../gis"),
        ("X-Forwarded-Prefix", "/<b>"),
    ] {
        assert_eq!(base(&server, &[(name, value)]), server.url, "{name}: {value}");
    }
}

#[test]
fn headers_of_other_peers_are_ignored_and_the_public_url_takes_precedence() {
    let headers = [
        ("Forwarded", "for=203.0.113.7;proto=https;host=maps.example"),
        ("X-Forwarded-Host", "maps.example"),
        ("X-Forwarded-Prefix", "/gis"),
    ];
    let (_folder, server) = behind(&["192.0.2.0/24", "::1"]);
    assert_eq!(base(&server, &headers), server.url);
    let folder = Folder::new();
    let arguments = ["--trusted-proxy", "127.0.0.1", "--public-url", "https://fixed.example/map/"];
    let server = Server::start(&folder, &arguments);
    assert_eq!(base(&server, &headers), "https://fixed.example/map");
    let folder = Folder::new();
    folder.write("onemap.toml", "trusted_proxies = [\"192.0.2.1\", \"127.0.0.0/8\"]");
    let server = Server::start(&folder, &[]);
    assert_eq!(
        base(&server, &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "maps.example")]),
        "https://maps.example"
    );
}

#[test]
fn a_remote_caller_does_not_pass_as_local_through_a_trusted_proxy() {
    let (folder, server) = behind(&["127.0.0.1", "10.1.0.0/16"]);
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let status = |headers: Headers<'_>| {
        let own = [("Authorization", authorization.as_str()), ("Content-Type", "application/merge-patch+json")];
        let reply = server.send(
            "PATCH",
            "/ogc/collections/shelters/items/SH-0001",
            &[&own[..], headers].concat(),
            r#"{"properties": {}}"#,
        );
        let problem = if reply.body.is_empty() { Json::Null } else { reply.json()["type"].clone() };
        (reply.status, problem.as_str().and_then(|slug| slug.rsplit(['/', ':', '#']).next().map(str::to_owned)))
    };
    for local in [
        &[][..],
        &[("Forwarded", "for=127.0.0.1")],
        &[("Forwarded", "for=\"[::1]:4711\";host=maps.example")],
        &[("X-Forwarded-For", "127.0.0.1")],
        &[("X-Forwarded-For", "::ffff:127.0.0.1, 127.0.0.1:4711")],
        &[("X-Real-IP", "127.0.0.1")],
    ] {
        assert_eq!(status(local).0, 204, "{local:?}");
    }
    let many = format!("{}203.0.113.7", "127.0.0.1, ".repeat(40));
    for remote in [
        &[("Forwarded", "for=203.0.113.7")][..],
        &[("Forwarded", "for=\"[2001:db8::1]:4711\"")],
        &[("Forwarded", "for=127.0.0.1, for=203.0.113.7")],
        &[("Forwarded", "for=203.0.113.7, for=127.0.0.1")],
        &[("Forwarded", "for=127.0.0.1, for=10.1.2.3")],
        &[("Forwarded", "for=127.0.0.1"), ("X-Forwarded-For", "203.0.113.7")],
        &[("Forwarded", "for=unknown")],
        &[("Forwarded", "for=_hidden")],
        &[("Forwarded", "proto=https")],
        &[("Forwarded", "for=127.0.0.1;nonsense")],
        &[("X-Forwarded-For", "127.0.0.1, 203.0.113.7")],
        &[("X-Forwarded-For", "localhost")],
        &[("X-Forwarded-For", "")],
        &[("X-Forwarded-Proto", "https")],
        &[("X-Real-IP", "203.0.113.7")],
        // A proxy that knows one of the headers passes on the others as the caller wrote them.
        &[("X-Real-IP", "203.0.113.7"), ("X-Forwarded-For", "127.0.0.1")],
        &[("Forwarded", "for=127.0.0.1"), ("X-Forwarded-For", many.as_str())],
        &[("Via", "1.1 gate")],
    ] {
        assert_eq!(status(remote), (403, Some("loopback-only".to_owned())), "{remote:?}");
    }
}

#[test]
fn a_caller_behind_a_proxy_that_is_not_named_does_not_pass_as_local() {
    let (folder, server) = Server::of_sample();
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let status = |headers: Headers<'_>| {
        let own = [("Authorization", authorization.as_str()), ("Content-Type", "application/merge-patch+json")];
        let path = "/ogc/collections/shelters/items/SH-0001";
        server.send("PATCH", path, &[&own[..], headers].concat(), r#"{"properties": {}}"#).status
    };
    assert_eq!(status(&[]), 204);
    for header in [
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", "for=203.0.113.7"),
        ("Via", "1.1 gate"),
    ] {
        assert_eq!(status(&[header]), 403, "{header:?}");
    }
}

#[test]
fn a_value_that_is_no_network_is_refused_at_start() {
    let folder = Folder::new();
    folder.write("onemap.toml", "trusted_proxies = [\n  \"10.0.0.0/40\"]");
    // A value that is accepted leads to another message, or to none.
    let (option, file) = (&["serve", "--trusted-proxy", "gate", "--listen", "nowhere"][..], &["layers"][..]);
    for (arguments, expected) in [(option, 2), (file, 1)] {
        let output = crate::support::run(&folder, arguments);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(expected), "{log}");
        assert!(log.contains("no IP address and no network; accepted"), "{log}");
    }
}
