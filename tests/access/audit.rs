//! The audit log: what is recorded, that changes of it are found, and that a failing store loses nothing.

use serde_json::{Value as Json, json};

use super::{account, get, send};
use crate::support::database::{fresh_database, psql};
use crate::support::listener::edit;
use crate::support::proxy::Proxy;
use crate::support::{Folder, Server, await_that, encoded, run, run_well, until};

const SHELTERS: &str = "/ogc/collections/shelters/items";

/// The entries of one action.
fn entries(server: &Server, admin: &str, action: &str) -> Vec<Json> {
    let all = get(server, admin, "/api/audit?limit=1000").json();
    let entries = all["entries"].as_array().expect("entries").iter().map(|row| row["entry"].clone());
    entries.filter(|entry| entry["action"] == action).collect()
}

#[test]
fn edits_and_accounts_are_recorded_and_a_changed_log_is_found() {
    for url in [None, Some(fresh_database())] {
        let folder = Folder::new();
        let store: Vec<&str> = url.iter().flat_map(|url| ["--store", url.as_str()]).collect();
        let named = |name: &str, role: &str| account(&folder, name, &[&["--role", role][..], &store].concat());
        let (admin, officer) = (named("管理员", "admin"), named("值班员", "dispatcher"));
        let server = Server::start(&folder, &store);
        let path = format!("{SHELTERS}/SH-0001");
        let authorization = format!("Bearer {officer}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("X-Request-Id", "night-7"),
            ("Content-Type", "application/merge-patch+json"),
        ];
        let full = r#"{"properties": {"status": "full", "phone": "13812341234"}}"#;
        assert_eq!(server.send("PATCH", &path, &headers, full).status, 204);
        assert_eq!(server.send("DELETE", &path, &headers, "").status, 204);
        // A refused edit is not recorded.
        assert_eq!(server.send("DELETE", &path, &headers, "").status, 404);
        let change = entries(&server, &admin, "change").pop().expect("an entry");
        for (member, value) in [
            ("actor", "值班员"),
            ("role", "dispatcher"),
            ("address", "127.0.0.1"),
            ("request_id", "night-7"),
            ("layer", "shelters"),
            ("id", "SH-0001"),
        ] {
            assert_eq!(change[member], value, "{change}");
        }
        assert_eq!(change["changes"]["status"][1], "full");
        assert_eq!(change["changes"]["phone"][1], "***");
        let deleted = entries(&server, &admin, "delete");
        assert_eq!(deleted.len(), 1);
        assert_eq!(
            (&deleted[0]["changes"]["status"], &deleted[0]["changes"]["geometry"][1]),
            (&json!(["full", null]), &json!(null))
        );
        await_that("the accounts are recorded", || entries(&server, &admin, "token-add").len() == 2);
        assert_eq!(get(&server, &officer, "/api/audit").status, 403);
        let page = |query: &str| {
            let page = get(&server, &admin, &format!("/api/audit?{query}")).json();
            let numbers = page["entries"].as_array().expect("entries").iter().map(|row| row["number"].as_i64());
            (numbers.flatten().collect::<Vec<_>>(), page["next"].as_i64())
        };
        assert_eq!(page("before=2000000000&limit=3"), (vec![4, 3, 2], Some(2)));
        assert_eq!(page("before=2&limit=3"), (vec![1], None));
        assert_eq!(page("after=1&limit=2"), (vec![2, 3], Some(3)));
        let of_officer = format!("actor={}&layer=shelters&id=SH-0001", encoded("值班员"));
        assert_eq!(page(&of_officer).0.len(), 2);
        assert_eq!(page(&format!("{of_officer}&action=delete&limit=1&before=9")).0.len(), 1);
        assert_eq!(page("action=none"), (vec![], None));
        assert_eq!(get(&server, &admin, "/api/audit?after=1&before=2").status, 400);
        drop(server);
        let command = |verb: &str| run(&folder, &[&["audit", verb][..], &store].concat());
        let verified = command("verify");
        let printed = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success() && printed.starts_with("4 entries, last hash "), "{printed}");
        assert_eq!(String::from_utf8_lossy(&command("export").stdout).lines().count(), 4);
        for (damage, reason) in [
            ("UPDATE {} SET body = replace(body, 'full', 'open') WHERE body LIKE '%full%'", "was changed"),
            ("DELETE FROM {} WHERE number = 2", "entries 2 to 2 are missing"),
        ] {
            match &url {
                Some(url) => drop(psql(url, &damage.replace("{}", "onemap.audit"))),
                None => edit(&folder.file("onemap.gpkg"), &damage.replace("{}", "onemap_audit")),
            }
            let damaged = command("verify");
            let printed = String::from_utf8_lossy(&damaged.stderr).into_owned();
            assert!(!damaged.status.success() && printed.contains(reason), "{printed}");
        }
    }
}

#[test]
fn contacts_are_revealed_one_at_a_time_for_a_recorded_reason() {
    let folder = Folder::new();
    let [viewer, dispatcher, admin] =
        ["viewer", "dispatcher", "admin"].map(|role| account(&folder, role, &["--role", role]));
    let township = account(&folder, "梅溪镇", &["--role", "editor", "--layer", "shelters", "--region", "350124101"]);
    let server = Server::start(&folder, &[]);
    let set = r#"{"properties": {"contact": "张三丰", "phone": "13812341234"}}"#;
    assert_eq!(send(&server, &admin, "PATCH", &format!("{SHELTERS}/SH-0001"), set).status, 204);
    let reveal = |secret: &str, id: &str, reason: &str| {
        let body = json!({"collection": "shelters", "id": id, "reason": reason}).to_string();
        send(&server, secret, "POST", "/api/reveal", &body)
    };
    let shown = reveal(&dispatcher, "SH-0001", "转移群众");
    assert_eq!((shown.status, shown.header("cache-control")), (200, "no-store"));
    assert_eq!(shown.json()["values"], json!({"contact": "张三丰", "phone": "13812341234"}));
    assert_eq!(reveal("", "SH-0001", "x").status, 401);
    assert_eq!(reveal(&viewer, "SH-0001", "x").status, 403);
    // A township reads the contacts of its own shelters.
    assert_eq!((reveal(&township, "SH-0008", "x").status, reveal(&township, "SH-0001", "x").status), (200, 403));
    for (id, reason, status) in [("SH-0001", " ", 400), ("SH-0001", &"长".repeat(501), 400), ("none", "x", 404)] {
        assert_eq!(reveal(&dispatcher, id, reason).status, status);
    }
    await_that("it is recorded", || entries(&server, &admin, "reveal").len() == 2);
    let entry = entries(&server, &admin, "reveal").remove(0);
    assert_eq!(
        (&entry["actor"], &entry["id"], &entry["reason"]),
        (&json!("dispatcher"), &json!("SH-0001"), &json!("转移群众"))
    );
    // Elsewhere they are masked for those who are signed in, and absent for all others.
    for (secret, shows) in [(&viewer, true), (&dispatcher, true), (&String::new(), false)] {
        let found = get(&server, secret, "/api/surroundings?point=118.847643,26.212531&radius_m=50");
        let text = String::from_utf8_lossy(&found.body).into_owned();
        assert!(!text.contains("13812341234") && text.contains("138****1234") == shows, "{text}");
    }
    assert!(!server.log().contains("13812341234"));
}

#[test]
fn a_reveal_during_an_outage_is_recorded_afterwards() {
    let folder = Folder::new();
    let url = fresh_database();
    let (proxy, store) = Proxy::before(&url);
    let store = ["--store", store.as_str()];
    let secret = account(&folder, "调度", &[&["--role", "dispatcher"][..], &store].concat());
    let admin = account(&folder, "管理", &[&["--role", "admin"][..], &store].concat());
    let server = Server::start(&folder, &store);
    proxy.cut();
    let body = json!({"collection": "shelters", "id": "SH-0001", "reason": "断网"}).to_string();
    let shown = until("it is revealed", || {
        let reply = send(&server, &secret, "POST", "/api/reveal", &body);
        (reply.status == 200).then_some(reply)
    });
    assert!(shown.json()["values"].is_object());
    assert_eq!(get(&server, &admin, "/api/audit").status, 503);
    // The server is killed before the store is back.
    server.kill();
    proxy.mend();
    let server = Server::start(&folder, &store);
    await_that("it is recorded", || entries(&server, &admin, "reveal").len() == 1);
    assert_eq!(entries(&server, &admin, "reveal")[0]["reason"], "断网");
    drop(server);
    run_well(&folder, &[&["audit", "verify"][..], &store].concat());
}
