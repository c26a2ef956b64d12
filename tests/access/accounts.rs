//! Secrets: accepted as Bearer and Basic, refused when wrong, expired or revoked.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::{account, get, machine_token};
use crate::support::listener::Listener;
use crate::support::{Folder, Server, await_that, run, run_well};

const SESSION: &str = "/api/session";

#[test]
fn a_secret_is_accepted_in_both_schemes_and_nothing_else_is() {
    let folder = Folder::new();
    let secret = account(&folder, "大屏", &["--role", "viewer"]);
    let server = Server::start(&folder, &[]);
    let own = get(&server, &secret, SESSION).json();
    assert_eq!((&own["signed_in"], &own["role"], &own["name"]), (&json!(true), &json!("viewer"), &json!("大屏")));
    assert_eq!(own["writable_layers"], json!([]));
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("qgis:{secret}")));
    assert_eq!(server.get_with(SESSION, ("Authorization", &basic)).json()["role"], "viewer");
    // Once there is an account, others see what is public.
    assert_eq!(get(&server, "", SESSION).json()["role"], "public");
    assert_eq!(get(&server, &machine_token(&folder), SESSION).json()["role"], "admin");
    let cut = &secret[..secret.len() - 1];
    for wrong in ["onemap_", cut, "onemap_0000", &format!("{secret}0"), "eyJhbGciOiJub25lIn0.e30."] {
        let reply = get(&server, wrong, SESSION);
        assert_eq!((reply.status, &reply.json()["parameter"]), (401, &json!("Authorization")), "{wrong}");
        assert!(reply.header("www-authenticate").starts_with("Bearer"));
        // A wrong secret never reads as the public, who would not notice what is missing.
        assert_eq!(get(&server, wrong, "/ogc/collections/shelters/items").status, 401);
    }
    // The machine's token is not for other machines.
    let forwarded =
        [("Authorization", format!("Bearer {}", machine_token(&folder))), ("X-Forwarded-For", "10.1.1.1".into())];
    let forwarded = forwarded.each_ref().map(|(name, value)| (*name, value.as_str()));
    let reply = server.send("GET", SESSION, &forwarded, "");
    assert_eq!((reply.status, &reply.json()["type"]), (403, &json!("urn:problem-type:onemap:loopback-only")));
    assert!(!server.log().contains(&secret));
}

#[test]
fn an_account_ends_when_it_expires_or_is_revoked() {
    let folder = Folder::new();
    let secret = account(&folder, "值班员", &["--role", "dispatcher", "--days", "30"]);
    let other = account(&folder, "另一人", &["--role", "viewer"]);
    let server = Server::start(&folder, &[]);
    assert_eq!(get(&server, &secret, SESSION).status, 200);
    let file = folder.file("onemap.gpkg.accounts");
    let stored = std::fs::read_to_string(&file).expect("accounts");
    assert!(!stored.contains(&secret) && !stored.contains(&secret["onemap_".len()..]), "only hashes are stored");
    let end = stored.split("\"expires_at\": \"").nth(1).and_then(|rest| rest.split('"').next()).expect("an end");
    std::fs::write(&file, stored.replace(end, "2026-01-01T00:00:00Z")).expect("accounts");
    let mut reply = get(&server, &secret, SESSION);
    await_that("the account has expired", || {
        reply = get(&server, &secret, SESSION);
        reply.status == 401
    });
    assert_eq!(reply.json()["type"], "urn:problem-type:onemap:expired");
    assert_eq!(reply.json()["value"], "2026-01-01T00:00:00.000Z");
    assert_eq!(get(&server, &other, SESSION).status, 200);
    let mut events = Listener::open_as(&server, "", &other);
    run_well(&folder, &["token", "revoke", "另一人"]);
    assert!(events.receive().is_none(), "its streams end");
    await_that("the account is revoked", || get(&server, &other, SESSION).status == 401);
    // A damaged file changes nothing.
    let kept = account(&folder, "第三人", &["--role", "viewer"]);
    await_that("the account works", || get(&server, &kept, SESSION).status == 200);
    std::fs::write(&file, "{").expect("accounts");
    await_that("the damage is told", || {
        assert_eq!(get(&server, &kept, SESSION).status, 200);
        server.log().contains("the changed accounts cannot be read")
    });
}

#[test]
fn accounts_are_listed_and_wrong_ones_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    account(&folder, "梅城镇", &["--role", "editor", "--layer", "shelters,teams", "--region", "350124100"]);
    let listed = run(&folder, &["token", "list"]);
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert!(
        listed.lines().nth(1).is_some_and(|line| line.contains("梅城镇\teditor\tshelters,teams\t350124100\tnever"))
    );
    for (arguments, reason) in [
        (&["token", "add", "梅城镇", "--role", "viewer"][..], "already"),
        (&["token", "add", " ", "--role", "viewer"], "is no name"),
        (&["token", "add", "甲", "--role", "chief"], "public, viewer, editor, dispatcher, admin"),
        (&["token", "add", "甲", "--role", "editor", "--layer", "shelter"], "shelters"),
        (&["token", "add", "甲", "--role", "editor", "--region", "35012"], "no division code"),
        (&["token", "add", "甲", "--role", "editor", "--days", "0"], "--days"),
        (&["token", "revoke", "乙"], "乙"),
    ] {
        let output = run(&folder, arguments);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && printed.contains(reason), "{arguments:?}: {printed}");
    }
    let file = folder.file("onemap.gpkg.accounts");
    let mode = std::fs::metadata(&file).expect("accounts").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("permissions");
    let printed = String::from_utf8_lossy(&run(&folder, &["serve", "--listen", "127.0.0.1:0"]).stderr).into_owned();
    assert!(printed.contains("chmod 600"), "{printed}");
}

#[test]
fn other_machines_are_let_in_once_there_are_accounts_or_the_public_sees_less() {
    let folder = Folder::new();
    let refused = run(&folder, &["serve", "--listen", "0.0.0.0:0"]);
    let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && printed.contains("onemap token add"), "{printed}");
    let secret = account(&folder, "甲", &["--role", "viewer"]);
    let (server, _) = Server::start_with_log(&folder, &["--listen", "0.0.0.0:0"]);
    assert_eq!(get(&server, &secret, SESSION).status, 200);
    drop(server);
    folder.write("onemap.toml", "[access]\nanonymous = \"none\"\n");
    let server = Server::start(&folder, &[]);
    assert_eq!(get(&server, "", "/ogc/collections").status, 401);
    assert_eq!(get(&server, "", "/health/live").status, 200);
    assert_eq!(get(&server, "", "/").status, 200);
    assert_eq!(get(&server, &secret, "/ogc/collections").status, 200);
    drop(server);
    folder.write("onemap.toml", "[access]\nanonymous = \"everybody\"\n");
    let printed = String::from_utf8_lossy(&run(&folder, &["serve"]).stderr).into_owned();
    assert!(printed.contains("line 2") && printed.contains("viewer"), "{printed}");
}

/// As under systemd: the folder belongs to the user of the service, and root adds an account. Only root can try it.
#[test]
fn an_account_that_root_adds_is_readable_by_the_user_of_the_service() {
    use std::os::unix::fs::{MetadataExt, chown};
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = Folder::new();
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("the owner of the folder");
    account(&folder, "甲", &["--role", "viewer"]);
    for entry in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
        assert_eq!(entry.metadata().expect("a file").uid(), NOBODY, "{}", entry.path().display());
    }
}
