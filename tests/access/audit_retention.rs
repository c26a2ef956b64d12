//! Retention of the audit log: what is removed, that the rest stays verifiable, and that short periods are refused.

use onemap::model::{AuditEntry, Catalog, Origin, Role, format_instant};
use onemap::store::{GeoPackage, PostGis, Store};
use serde_json::json;
use time::{Duration, UtcDateTime};

use super::{account, get};
use crate::support::database::{fresh_database, psql};
use crate::support::listener::edit;
use crate::support::{Folder, Server, await_that, run, run_well};

const DAYS: &str = "200";

/// Entries of these ages in days, as a server would have recorded them then.
fn record(folder: &Folder, url: Option<&str>, ages: &[i64]) {
    let origin = Origin::of_program("值班员".to_owned(), Role::Dispatcher).expect("random numbers");
    let entry = |(number, days): (usize, &i64)| {
        let at = UtcDateTime::now().checked_sub(Duration::days(*days)).expect("a time");
        AuditEntry { at: format_instant(at), ..origin.entry(number, "reveal", at) }
    };
    let entries: Vec<AuditEntry> = ages.iter().enumerate().map(entry).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let catalog = Catalog::built_in().expect("a catalog");
        let store: Box<dyn Store> = match url {
            Some(url) => Box::new(PostGis::open(url, catalog.layers, &[]).await.expect("a store")),
            None => Box::new(GeoPackage::open(&folder.file("onemap.gpkg"), &catalog).await.expect("a store")),
        };
        store.record(&entries).await.expect("entries");
        store.close().await;
    });
}

#[test]
fn old_entries_are_removed_and_the_rest_stays_verifiable() {
    for url in [None, Some(fresh_database())] {
        let folder = Folder::new();
        let store: Vec<&str> = url.iter().flat_map(|url| ["--store", url.as_str()]).collect();
        drop(Server::start(&folder, &store));
        record(&folder, url.as_deref(), &[500, 400, 201, 199, 1]);
        let audit = |arguments: &[&str]| {
            let output = run(&folder, &[&["audit"][..], arguments, &store].concat());
            let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
            (output.status.success(), printed.concat())
        };
        assert!(audit(&["verify"]).1.starts_with("5 entries, last hash "));
        // A server without the option keeps all.
        drop(Server::start(&folder, &store));
        assert!(audit(&["verify"]).1.starts_with("5 entries, last hash "));
        let admin = account(&folder, "管理员", &[&["--role", "admin"][..], &store].concat());
        let server = Server::start(&folder, &[&store[..], &["--audit-retention-days", DAYS]].concat());
        let numbers = || {
            let reply = get(&server, &admin, "/api/audit?limit=1000").json();
            let entries = reply["entries"].as_array().cloned().unwrap_or_default();
            let removed = entries.iter().find(|row| row["entry"]["action"] == "audit-prune");
            let removed =
                removed.map(|row| (row["entry"]["removed"]["through"].clone(), row["entry"]["actor"].clone()));
            (entries.first().map(|row| row["number"].clone()), removed)
        };
        await_that("old entries are removed", || numbers().0 == Some(json!(4)));
        assert_eq!(numbers().1, Some((json!(3), json!("audit retention"))));
        await_that("the account is recorded", || {
            let reply = get(&server, &admin, "/api/audit?limit=1000").json();
            reply["entries"].as_array().is_some_and(|rows| rows.len() == 4)
        });
        drop(server);
        let (is_sound, printed) = audit(&["verify"]);
        assert!(is_sound && printed.starts_with("4 entries, 3 older ones removed, last hash "), "{printed}");
        assert_eq!(audit(&["export"]).1.lines().count(), 4);
        let (is_done, printed) = audit(&["prune", "--audit-retention-days", DAYS]);
        assert!(is_done && printed.contains("0 entries older than 200 days removed"), "{printed}");
        for (damage, reason) in [
            (
                "UPDATE {} SET body = replace(body, '值班员', '别人') WHERE number = 4",
                "entry 4 or one before it was changed",
            ),
            ("DELETE FROM {} WHERE number = 4", "entries 1 to 4 are missing, and no entry records"),
        ] {
            match &url {
                Some(url) => drop(psql(url, &damage.replace("{}", "onemap.audit"))),
                None => edit(&folder.file("onemap.gpkg"), &damage.replace("{}", "onemap_audit")),
            }
            let (is_sound, printed) = audit(&["verify"]);
            assert!(!is_sound && printed.contains(reason), "{printed}");
        }
        // Nothing is removed of a damaged log.
        let (is_done, printed) = audit(&["prune", "--audit-retention-days", "184"]);
        assert!(!is_done && printed.contains("is damaged"), "{printed}");
    }
}

#[test]
fn a_log_of_old_entries_alone_goes_on_after_their_removal() {
    let folder = Folder::new();
    drop(Server::start(&folder, &[]));
    record(&folder, None, &[900, 800]);
    run_well(&folder, &["audit", "prune", "--audit-retention-days", DAYS]);
    let verified = |start: &str| {
        let verified = run(&folder, &["audit", "verify"]);
        let printed = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success() && printed.starts_with(start), "{printed}");
    };
    verified("1 entries, 2 older ones removed");
    record(&folder, None, &[1]);
    verified("2 entries, 2 older ones removed");
}

#[test]
fn less_than_six_months_is_refused_with_the_reason() {
    let folder = Folder::new();
    for (days, reason) in
        [("30", "accepted: 184 to 36525"), ("183", "six months"), ("-1", "no number"), ("x", "no number")]
    {
        for command in [&["serve"][..], &["audit", "prune"]] {
            let option = format!("--audit-retention-days={days}");
            let output = run(&folder, &[command, &[option.as_str()]].concat());
            let printed = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(2) && printed.contains(reason), "{days}: {printed}");
        }
    }
    let output = run(&folder, &["audit", "prune"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--audit-retention-days is required"));
}
