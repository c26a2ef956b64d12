//! HTTPS: HTTP/2, links, a certificate that is exchanged while the server runs, and one that cannot be used.

use std::path::Path;

use crate::support::{Folder, Server, await_that, foreign, run};

/// Writes a certificate for this machine and its key.
fn certificate(folder: &Folder, name: &str) {
    let [key, certificate] =
        ["key", "pem"].map(|ending| folder.file(&format!("{name}.{ending}")).display().to_string());
    let subject = format!("/CN={name}");
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    let own = ["-nodes", "-keyout", &key, "-out", &certificate, "-days", "2", "-subj", &subject, "-addext", names];
    foreign(
        "openssl",
        &[&["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"][..], &own].concat(),
    );
}

/// Head and body of a reply.
fn get(url: &str, authority: &Path, arguments: &[&str]) -> String {
    let authority = authority.display().to_string();
    foreign(
        "curl",
        &[&["--silent", "--show-error", "--include", "--cacert", &authority][..], arguments, &[url]].concat(),
    )
}

/// Whether the server presents the certificate of an authority.
fn is_trusted(url: &str, authority: &Path) -> bool {
    let output = std::process::Command::new("curl").arg("--silent").arg("--cacert").arg(authority).arg(url).output();
    output.expect("curl runs").status.success()
}

#[test]
fn https_has_http2_own_links_and_a_certificate_that_can_be_exchanged() {
    let folder = Folder::new();
    for name in ["first", "second"] {
        certificate(&folder, name);
    }
    let [first, second] = ["first.pem", "second.pem"].map(|name| folder.file(name));
    let use_as = |name: &str| {
        for (from, to) in [("key", "tls.key"), ("pem", "tls.pem")] {
            std::fs::copy(folder.file(&format!("{name}.{from}")), folder.file(to)).expect("a copy");
        }
    };
    use_as("first");
    let server = Server::start(&folder, &["--tls-cert", "tls.pem", "--tls-key", "tls.key"]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    for version in ["--http2", "--http1.1"] {
        let page = get(&format!("{}/ogc?f=json", server.url), &first, &[version]);
        assert!(page.starts_with(if version == "--http2" { "HTTP/2 200" } else { "HTTP/1.1 200" }), "{page}");
        assert!(page.to_lowercase().contains("strict-transport-security: max-age="), "{page}");
        assert!(page.contains(&format!("\"{}/ogc/collections", server.url)), "{page}");
    }
    let health = format!("{}/health/live", server.url);
    assert!(is_trusted(&health, &first) && !is_trusted(&health, &second));
    use_as("second");
    await_that("the certificate is exchanged", || is_trusted(&health, &second));
    // A damaged file changes nothing.
    folder.write("tls.pem", "damaged");
    await_that("the damage is told", || {
        assert!(is_trusted(&health, &second));
        server.log().contains("the changed certificate cannot be used")
    });
}

#[test]
fn an_unusable_certificate_is_refused_at_the_start() {
    let folder = Folder::new();
    for name in ["first", "second"] {
        certificate(&folder, name);
    }
    folder.write("empty.pem", "");
    for (certificate, key, reason) in [
        ("first.pem", "second.key", "first.pem and "),
        ("empty.pem", "first.key", "empty.pem"),
        ("missing.pem", "first.key", "missing.pem"),
        ("first.pem", "first.pem", "first.pem"),
    ] {
        let output = run(&folder, &["serve", "--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && printed.contains(reason), "{certificate} {key}: {printed}");
        assert!(!folder.file("onemap.gpkg").exists(), "nothing was created");
    }
    let output = run(&folder, &["serve", "--tls-cert", "first.pem"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_server_listens_on_several_addresses() {
    let folder = Folder::new();
    let (server, _) = Server::start_with_log(&folder, &["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]);
    await_that("the second address is told", || server.log().contains("http://[::1]:"));
    let log = server.log();
    let rest = log.split("http://[::1]:").nth(1).expect("an address");
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let reply = foreign("curl", &["--silent", &format!("http://[::1]:{port}/health/live")]);
    assert!(reply.contains("live"), "{reply}");
}
