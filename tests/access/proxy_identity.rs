//! Identities that a proxy states in headers: believed from trusted proxies, and from nobody else.

use serde_json::json;

use super::{account, machine_token};
use crate::support::{Folder, Reply, Server, run};

const SESSION: &str = "/api/session";
const SHELTERS: &str = "/ogc/collections/shelters/items";
const SECTION: &str = "[proxy_identity]\nregion_header = \"X-Remote-Region\"\n";

fn get(server: &Server, headers: &[(&str, &str)]) -> Reply {
    server.send("GET", SESSION, headers, "")
}

#[test]
fn headers_of_a_trusted_proxy_identify_a_caller() {
    let folder = Folder::new();
    folder.write("onemap.toml", format!("trusted_proxies = [\"127.0.0.1\"]\n{SECTION}"));
    let secret = account(&folder, "大屏", &["--role", "viewer"]);
    let server = Server::start(&folder, &[]);
    let editor = [("X-Remote-User", "李四"), ("X-Remote-Role", "editor"), ("X-Remote-Region", "350124101, 350124103")];
    let session = get(&server, &editor).json();
    assert_eq!(
        (&session["role"], &session["name"], &session["signed_in"]),
        (&json!("editor"), &json!("李四"), &json!(true))
    );
    assert_eq!(session["regions"], json!(["350124101", "350124103"]));
    let id = |township: &str| {
        let path = format!("{SHELTERS}?limit=1&filter=region_code%20LIKE%20%27{township}%25%27");
        server.send("GET", &path, &editor, "").json()["features"][0]["id"].as_str().expect("a shelter").to_owned()
    };
    let (own, other) = (id("350124101"), id("350124102"));
    let patch = |id: &str, site: &str| {
        let more = [("Content-Type", "application/merge-patch+json"), ("Sec-Fetch-Site", site)];
        let body = r#"{"properties": {"status": "full"}}"#;
        server.send("PATCH", &format!("{SHELTERS}/{id}"), &[&editor[..], &more].concat(), body)
    };
    assert_eq!((patch(&own, "same-origin").status, patch(&other, "same-origin").status), (204, 403));
    // The browser sends what the proxy authenticates it by to every page that causes a request.
    let forged = patch(&own, "cross-site");
    assert_eq!((forged.status, &forged.json()["type"]), (403, &json!("urn:problem-type:onemap:cross-site")));
    // A proxy with HTTP Basic passes on the password that it has checked.
    let basic = get(&server, &[&editor[..], &[("Authorization", "Basic bGlzaTpzZWNyZXQ=")]].concat());
    assert_eq!(basic.json()["name"], "李四");
    // Without the header, secrets work as before.
    let bearer = format!("Bearer {secret}");
    assert_eq!(get(&server, &[("Authorization", &bearer)]).json()["name"], "大屏");
    assert_eq!(get(&server, &[("X-Remote-User", ""), ("X-Remote-Role", "admin")]).json()["role"], "public");
    let machine = format!("Bearer {}", machine_token(&folder));
    assert_eq!(get(&server, &[("Authorization", &machine)]).json()["role"], "admin");
    for (headers, status, parameter) in [
        (&[("X-Remote-User", "李四")][..], 403, "x-remote-role"),
        (&[("X-Remote-User", "李四"), ("X-Remote-Role", "chief")], 403, "x-remote-role"),
        (&[("X-Remote-User", "李四"), ("X-Remote-Role", "editor")], 403, "x-remote-region"),
        // The first line may be the caller's own.
        (&[("X-Remote-User", "root"), ("X-Remote-User", "李四"), ("X-Remote-Role", "viewer")], 400, "x-remote-user"),
        (&[("X-Remote-User", "李四"), ("X-Remote-Role", "admin"), ("X-Remote-Role", "viewer")], 400, "x-remote-role"),
    ] {
        let reply = get(&server, headers);
        assert_eq!((reply.status, &reply.json()["parameter"]), (status, &json!(parameter)), "{headers:?}");
    }
    let admin = [("X-Remote-User", "王五"), ("X-Remote-Role", "viewer,admin")];
    let audit = server.send("GET", "/api/audit", &admin, "");
    let entries = String::from_utf8_lossy(&audit.body).into_owned();
    assert!(audit.status == 200 && entries.contains("proxy:李四"), "{entries}");
}

#[test]
fn headers_of_others_are_ignored() {
    let folder = Folder::new();
    folder.write("onemap.toml", format!("trusted_proxies = [\"10.9.0.0/16\"]\n{SECTION}"));
    let server = Server::start(&folder, &[]);
    let forged = [("X-Remote-User", "root"), ("X-Remote-Role", "admin")];
    let session = get(&server, &forged).json();
    assert_eq!((&session["role"], &session["signed_in"]), (&json!("public"), &json!(false)));
    // Whoever names a trusted proxy is not one.
    let forwarded = [&forged[..], &[("X-Forwarded-For", "10.9.0.1"), ("Forwarded", "for=10.9.0.1")]].concat();
    assert_eq!(get(&server, &forwarded).json()["role"], "public");
    let body = r#"{"properties": {"status": "full"}}"#;
    let patch = [&forged[..], &[("Content-Type", "application/merge-patch+json")]].concat();
    assert_eq!(server.send("PATCH", &format!("{SHELTERS}/SH-0001"), &patch, body).status, 401);
}

#[test]
fn without_the_section_no_header_identifies_anybody() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--trusted-proxy", "127.0.0.1"]);
    let session = get(&server, &[("X-Remote-User", "root"), ("X-Remote-Role", "admin")]).json();
    assert_eq!((&session["role"], &session["signed_in"]), (&json!("viewer"), &json!(false)));
}

#[test]
fn a_section_without_trusted_proxies_or_with_a_mistake_is_refused() {
    let folder = Folder::new();
    let serve = || {
        let output = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    folder.write("onemap.toml", SECTION);
    let printed = serve();
    assert!(printed.contains("trusted_proxies") && printed.contains("--trusted-proxy"), "{printed}");
    drop(Server::start(&folder, &["--trusted-proxy", "127.0.0.1"]));
    let output = run(&folder, &["check"]);
    let checked = String::from_utf8_lossy(&output.stdout).into_owned();
    let line =
        "headers of trusted proxies\tuser x-remote-user, role x-remote-role, region x-remote-region, refused without";
    assert!(checked.contains(line), "{checked}");
    for (text, reason) in [
        ("user_header = \"Authorization\"", "no header of its own"),
        ("user_header = \"x remote\"", "no header of its own"),
        ("user_header = \"x-a\"\nrole_header = \"X-A\"", "no header of its own"),
        ("colour = 1", "unknown field"),
    ] {
        folder.write("onemap.toml", format!("trusted_proxies = [\"127.0.0.1\"]\n[proxy_identity]\n{text}\n"));
        let printed = serve();
        assert!(printed.contains(reason), "{text}: {printed}");
    }
}
