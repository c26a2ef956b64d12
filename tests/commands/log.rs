//! The log: its time zone, and one line for each event.

use serde_json::Value as Json;

use crate::support::{Folder, onemap};

/// The timestamps of the log of a command that fails.
fn timestamps(zone: Option<&str>, arguments: &[&str]) -> Vec<String> {
    let folder = Folder::new();
    let mut command = onemap(&folder, &[&["--json", "check", "--store", "none.gpkg"], arguments].concat());
    let output = command.env("TZ", zone.unwrap_or_default()).output().expect("the program starts");
    assert!(!output.status.success());
    let log = String::from_utf8(output.stderr).expect("text");
    let lines = log.lines().map(|line| serde_json::from_str::<Json>(line).expect("one event in a line"));
    let stamps: Vec<String> = lines.map(|line| line["timestamp"].as_str().expect("a time").to_owned()).collect();
    assert!(!stamps.is_empty());
    stamps
}

#[test]
fn times_are_in_utc_or_in_local_time() {
    for (zone, arguments, ending) in [
        (Some("Asia/Shanghai"), &["--log-time", "local"][..], "+08:00"),
        (Some("Asia/Shanghai"), &[], "Z"),
        (Some("Asia/Shanghai"), &["--log-time", "utc"], "Z"),
        (Some("UTC"), &["--log-time", "local"], "Z"),
    ] {
        for stamp in timestamps(zone, arguments) {
            assert!(stamp.ends_with(ending), "{stamp} {arguments:?}");
        }
    }
}
