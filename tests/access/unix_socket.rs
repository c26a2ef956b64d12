//! The Unix socket: its file, and what its callers count as.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use serde_json::{Value as Json, json};

use super::{account, machine_token};
use crate::support::{Folder, Server, foreign, run};

const SESSION: &str = "/api/session";
const SOCKET: &str = "onemap.sock";
const LISTEN: [&str; 4] = ["--listen", "127.0.0.1:0", "--listen", "unix:onemap.sock"];

/// Status and JSON of a reply over the socket.
fn get(folder: &Folder, path: &str, headers: &[&str]) -> (u16, Json) {
    let socket = folder.file(SOCKET).display().to_string();
    let mut arguments = vec!["--silent", "--show-error", "--write-out", "\n%{http_code}", "--unix-socket", &socket];
    arguments.extend(headers.iter().flat_map(|header| ["--header", header]));
    let url = format!("http://onemap{path}");
    let printed = foreign("curl", &[&arguments[..], &[&url]].concat());
    let (body, status) = printed.rsplit_once('\n').expect("a status");
    (status.parse().expect("a status"), serde_json::from_str(body).expect("JSON"))
}

fn role(folder: &Folder, headers: &[&str]) -> Json {
    get(folder, SESSION, headers).1["role"].clone()
}

#[test]
fn the_socket_is_for_the_owner_and_the_group_and_is_removed_at_the_end() {
    let folder = Folder::new();
    let server = Server::start(&folder, &LISTEN[2..]);
    assert_eq!(get(&folder, "/health/live", &[]), (200, json!({"status": "live"})));
    assert_eq!(server.get("/health/live").status, 200, "beside TCP");
    let found = std::fs::metadata(folder.file(SOCKET)).expect("a socket");
    assert_eq!((found.file_type().is_socket(), found.permissions().mode() & 0o777), (true, 0o660));
    // A second server changes nothing.
    let second = run(&folder, &["serve", "--store", "second.gpkg", "--listen", "unix:onemap.sock"]);
    let printed = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && printed.contains("another server listens on it"), "{printed}");
    assert_eq!(get(&folder, "/health/live", &[]).0, 200);
    assert_eq!(server.stop(), Some(0));
    assert!(!folder.file(SOCKET).exists());
    // Only over the socket; the log names it as the option does.
    let (server, log) = Server::start_with_log(&folder, &LISTEN[2..]);
    assert!(server.url == "unix:onemap.sock" && !log.contains("http://"), "{log}");
    assert_eq!(get(&folder, "/health/live", &[]).0, 200);
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_another_file_is_not() {
    let folder = Folder::new();
    Server::start(&folder, &LISTEN).kill();
    assert!(folder.file(SOCKET).exists());
    let server = Server::start(&folder, &LISTEN);
    assert_eq!(get(&folder, "/health/live", &[]).0, 200);
    drop(server);
    std::fs::remove_file(folder.file(SOCKET)).expect("a socket");
    folder.write(SOCKET, "precious");
    let output = run(&folder, &["serve", "--listen", "unix:onemap.sock"]);
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && printed.contains("is no socket"), "{printed}");
    assert_eq!(std::fs::read_to_string(folder.file(SOCKET)).expect("a file"), "precious");
    let output = run(&folder, &["serve", "--listen", "unix:none/onemap.sock"]);
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && printed.contains("cannot listen on unix:none/onemap.sock"), "{printed}");
}

#[test]
fn callers_of_the_socket_are_neither_local_nor_proxies_unless_it_is_trusted() {
    let folder = Folder::new();
    let secret = account(&folder, "大屏", &["--role", "viewer"]);
    folder.write("onemap.toml", "trusted_proxies = [\"127.0.0.1\"]\n[proxy_identity]\n");
    let server = Server::start(&folder, &LISTEN);
    let token = format!("Authorization: Bearer {}", machine_token(&folder));
    assert_eq!(role(&folder, &[&format!("Authorization: Bearer {secret}")]), "viewer");
    let forged = ["X-Remote-User: root", "X-Remote-Role: admin"];
    assert_eq!(role(&folder, &forged), "public");
    let (status, problem) = get(&folder, SESSION, &[&token]);
    assert_eq!((status, &problem["type"]), (403, &json!("urn:problem-type:onemap:loopback-only")));
    assert_eq!(get(&folder, SESSION, &[&token, "X-Forwarded-For: 127.0.0.1"]).0, 403);
    let link = |headers: &[&str]| get(&folder, "/ogc?f=json", headers).1["links"][0]["href"].clone();
    assert!(link(&["X-Forwarded-Host: evil.example"]).as_str().is_some_and(|own| own.starts_with("http://onemap/")));
    drop(server);

    folder.write("onemap.toml", "trusted_proxies = [\"unix\"]\n[proxy_identity]\n");
    let server = Server::start(&folder, &LISTEN);
    assert_eq!(role(&folder, &forged), "admin");
    let over_tcp = [("X-Remote-User", "root"), ("X-Remote-Role", "admin")];
    assert_eq!(server.send("GET", SESSION, &over_tcp, "").json()["role"], "public", "only the socket is trusted");
    let forwarded = ["X-Forwarded-Proto: https", "X-Forwarded-Host: maps.example"];
    assert!(link(&forwarded).as_str().is_some_and(|own| own.starts_with("https://maps.example/")));
    // The token of the machine needs a proxy that names only clients on this machine.
    for (header, status) in
        [("X-Forwarded-For: 127.0.0.1", 200), ("X-Forwarded-For: 10.1.1.1", 403), ("X-None: 1", 403)]
    {
        assert_eq!(get(&folder, SESSION, &[&token, header]).0, status, "{header}");
    }
    drop(server);
    folder.write("onemap.toml", "");
    let server = Server::start(&folder, &[&LISTEN[2..], &["--trusted-proxy", "unix"]].concat());
    assert!(link(&forwarded).as_str().is_some_and(|own| own.starts_with("https://maps.example/")));
    drop(server);
    folder.write("onemap.toml", "trusted_proxies = [\"unix\"]\n");
    let output = run(&folder, &["check"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("trusted proxies\tunix\n"));
    folder.write("onemap.toml", "trusted_proxies = [\"linux\"]\n");
    let printed = String::from_utf8_lossy(&run(&folder, &["check"]).stderr).into_owned();
    assert!(printed.contains("or unix for those that use the Unix socket"), "{printed}");
}

#[test]
fn clients_of_a_trusted_proxy_are_limited_by_their_address() {
    let folder = Folder::new();
    let _server = Server::start(&folder, &[&LISTEN[2..], &["--trusted-proxy", "unix", "--rate-limit", "1"]].concat());
    let status = |client: &str| get(&folder, SESSION, &[&format!("X-Forwarded-For: {client}")]).0;
    assert!((0..20).any(|_| status("10.0.0.1") == 429));
    assert_eq!(status("10.0.0.2"), 200);
}
