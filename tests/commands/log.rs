//! The log: its time zone, and one line for each event.

use std::process::{Child, Stdio};

use serde_json::Value as Json;

use crate::support::{Folder, await_that, onemap, run};

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

/// Text that would begin a line of the log, clear the screen, change the title, and reverse the rest of the line.
const HOSTILE: &str = "x\n2026-11-28T00:00:00.000Z  INFO forged\r\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}1m\u{2028}\u{202e}";

/// Checks a log in text: each line is an event or the final error, without control characters.
fn check_text_log(log: &str, wanted: &[&str]) {
    for line in log.lines() {
        let is_event = line.get(..20).is_some_and(|start| start.starts_with("20") && start.as_bytes()[10] == b'T');
        assert!(is_event || line.starts_with("onemap: "), "no event: {line:?}");
        assert!(!line.starts_with("2026-11-28T00:00:00.000Z  INFO forged"), "a forged event: {log}");
        let hostile = line.chars().find(|own| own.is_control() || ['\u{2028}', '\u{202e}'].contains(own));
        assert_eq!(hostile, None, "{line:?}");
    }
    for text in wanted {
        assert!(log.contains(text), "{text}: {log}");
    }
}

#[test]
fn each_event_of_a_command_is_one_line_whatever_the_file_contains() {
    let folder = Folder::new();
    let quoted = HOSTILE.replace('"', "\"\"");
    let table = format!(
        "id,name,wgs84_lng,wgs84_lat,capacity,\"{quoted}\"\n\"{quoted}\",a,118.86,26.22,\"{quoted}\",1\nN2,b,118.86,26.22,5,1\n"
    );
    let name = format!("{HOSTILE}.csv");
    folder.write(&name, table);
    for arguments in [&["--skip-bad"][..], &[]] {
        let output = run(&folder, &[&["import", &name, "--layer", "shelters"], arguments].concat());
        check_text_log(&String::from_utf8_lossy(&output.stderr), &["forged\\r\\u{1b}[2J"]);
    }
    let output = run(&folder, &["export", "--layer", HOSTILE, "-o", "a.csv"]);
    assert!(!output.status.success());
    check_text_log(&String::from_utf8_lossy(&output.stderr), &["forged"]);
    // The table of imports has one line for each.
    let listed = onemap(&folder, &["imports"]).output().expect("the program starts");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.lines().count() == 2 && !listed.contains('\u{1b}') && listed.contains("forged"), "{listed:?}");
}

/// A server that is killed at the end of the test.
struct TextServer(Child);

impl Drop for TextServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn each_event_of_a_server_is_one_line_whatever_it_receives() {
    let folder = Folder::new();
    let inbox = folder.file("inbox");
    std::fs::create_dir(&inbox).expect("a folder");
    folder.write("onemap.toml", "[[watch]]\nfolder = \"inbox\"\nlayer = \"warnings\"\n");
    let log = std::fs::File::create(folder.file("log")).expect("a file");
    let arguments = ["serve", "--empty", "--access-log", "--listen", "127.0.0.1:0"];
    let mut command = onemap(&folder, &arguments);
    let _server = TextServer(command.stderr(Stdio::from(log)).spawn().expect("the program starts"));
    let log = || std::fs::read_to_string(folder.file("log")).expect("text");
    await_that("the server listens", || log().contains("url=\"http://"));
    let url = log().split("url=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a URL").to_owned();
    let path = format!("/tiles/{}/1/2/3", crate::support::encoded(HOSTILE));
    for (path, method) in [(path.as_str(), "GET"), ("/", "\u{60}FORGED")] {
        let agent = HOSTILE.replace(|own: char| own.is_control() && own != '\t', "\t");
        let headers = [("User-Agent", agent.as_str()), ("X-Request-Id", "a\tb"), ("X-Forwarded-For", "\tforged")];
        crate::support::try_send_to(&format!("{}{path}", url.trim_end_matches('/')), method, &headers, "");
    }
    let alert = format!("<alert><identifier><![CDATA[{HOSTILE}]]></identifier><sent>{HOSTILE}</sent></alert>")
        .replace(['\u{1b}', '\u{7}'], "&#10;");
    let name = HOSTILE.replace('/', "");
    std::fs::write(folder.file("alert"), alert).expect("written");
    std::fs::rename(folder.file("alert"), inbox.join(format!("{name}.xml"))).expect("renamed");
    // The reason names the columns of the file.
    std::fs::write(folder.file("table"), format!("\"{HOSTILE}\",b\n1,2\n")).expect("written");
    std::fs::rename(folder.file("table"), inbox.join(format!("{name}.csv"))).expect("renamed");
    await_that("both files are refused", || log().matches("file not imported").count() == 2);
    check_text_log(&log(), &["file not imported", "request_id=", "forged\\r\\u{1b}[2J", "%1B%5B%32%4A"]);
}
