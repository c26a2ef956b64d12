//! Accounts: what each role sees, what each account writes, how secrets are refused.

mod accounts;
mod audit;
mod audit_retention;
mod cors;
mod imports;
mod matrix;
mod oidc;
mod proxy_identity;
mod rates;
mod tls;
mod traces;
mod unix_socket;
mod visibility;
mod writes;

use crate::support::{Folder, Reply, Server, run};

/// Adds an account and returns its secret.
pub(crate) fn account(folder: &Folder, name: &str, arguments: &[&str]) -> String {
    let output = run(folder, &[&["token", "add", name], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// The token of the machine.
fn machine_token(folder: &Folder) -> String {
    std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token").trim().to_owned()
}

/// Sends a request with a secret; an empty one is omitted.
fn send(server: &Server, secret: &str, method: &str, path: &str, body: &str) -> Reply {
    let authorization = format!("Bearer {secret}");
    let own = [("Authorization", authorization.as_str())];
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let headers = if secret.is_empty() { &own[..0] } else { &own[..] };
    server.send(method, path, &[headers, &[("Content-Type", kind)]].concat(), body)
}

pub(crate) fn get(server: &Server, secret: &str, path: &str) -> Reply {
    let authorization = format!("Bearer {secret}");
    let own = [("Authorization", authorization.as_str())];
    server.send("GET", path, if secret.is_empty() { &[] } else { &own }, "")
}
