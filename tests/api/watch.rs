//! Files that arrive in a folder: imported once, filed with a report, and never older than what is stored.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::support::file_server::FileServer;
use crate::support::{Folder, Server, await_that, until};

/// An alert with this number, references and severity.
fn alert(number: u32, sent: &str, kind: &str, references: &str, colour: &str, area: &str) -> String {
    format!(
        "<alert xmlns=\"urn:oasis:names:tc:emergency:cap:1.2\"><identifier>MQ-{number}</identifier>\
         <sender>qx.example</sender><sent>2026-11-27T{sent}:00+08:00</sent><status>Actual</status><msgType>{kind}</msgType>\
         <scope>Public</scope>{references}<info><language>zh-CN</language><category>Met</category>\
         <event>暴雨{colour}预警信号</event><urgency>Immediate</urgency><severity>Severe</severity>\
         <certainty>Likely</certainty><headline>暴雨{colour}预警</headline>\
         <area><areaDesc>闽清县</areaDesc>{area}</area></info></alert>"
    )
}

const AREA: &str = "<polygon>26.20,118.80 26.20,118.90 26.30,118.90 26.20,118.80</polygon>";
const FIRST: &str = "<references>qx.example,MQ-1,2026-11-27T10:00:00+08:00</references>";

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn files_that_arrive_in_a_folder_are_imported_and_filed() {
    let folder = Folder::new();
    let inbox = folder.file("inbox");
    fs::create_dir(&inbox).expect("a folder");
    folder.write("onemap.toml", "[[watch]]\nfolder = \"inbox\"\nlayer = \"warnings\"\n");
    let server = Server::start(&folder, &["--empty"]);
    let put = |name: &str, text: &str| {
        fs::write(inbox.join(format!("{name}.part")), text).expect("written");
        fs::rename(inbox.join(format!("{name}.part")), inbox.join(name)).expect("renamed");
    };
    let warning = |id: &str| -> Json {
        let reply = server.get(&format!("/ogc/collections/warnings/items/{id}"));
        if reply.status == 200 { reply.json() } else { json!(null) }
    };
    let filed = |kind: &str, count: usize| {
        await_that("the file is filed", || {
            names(&inbox.join(kind))
                .iter()
                .filter(|name| Path::new(name).extension().is_some_and(|own| own == "xml"))
                .count()
                == count
        });
    };
    put("1.xml", &alert(1, "10:00", "Alert", "", "蓝色", AREA));
    let first = until("the warning arrives", || Some(warning("MQ-1")).filter(|own| !own.is_null()));
    assert_eq!((&first["properties"]["severity"], &first["properties"]["status"]), (&json!(4), &json!("active")));
    filed("done", 1);

    put("3.xml", &alert(3, "12:00", "Update", FIRST, "红色", AREA));
    await_that("the update arrives", || warning("MQ-1")["properties"]["severity"] == 1);
    // An update that comes late is older than what is stored.
    put("2.xml", &alert(2, "11:00", "Update", FIRST, "黄色", AREA));
    filed("done", 3);
    assert_eq!(warning("MQ-1")["properties"]["severity"], 1);

    // An alert whose area is only named is known, though not on the map; a cancellation needs no area.
    put(
        "4.xml",
        &alert(
            4,
            "13:00",
            "Alert",
            "",
            "橙色",
            "<geocode><valueName>adcode</valueName><value>350124</value></geocode>",
        ),
    );
    await_that("the warning without a polygon arrives", || warning("MQ-4")["properties"]["severity"] == 2);
    put("5.xml", &alert(5, "14:00", "Cancel", FIRST, "红色", ""));
    await_that("the cancellation arrives", || warning("MQ-1")["properties"]["status"] == "lifted");
    assert_eq!(warning("MQ-1")["geometry"], first["geometry"], "the area is kept");

    put("bad.xml", "<alert><!DOCTYPE x></alert>");
    filed("failed", 1);
    let report =
        names(&inbox.join("failed")).into_iter().find(|name| name.ends_with(".report.json")).expect("a report");
    let report: Json =
        serde_json::from_slice(&fs::read(inbox.join("failed").join(report)).expect("a file")).expect("JSON");
    assert!(report["error"].as_str().is_some_and(|error| error.contains("CAP")), "{report}");
    fs::write(inbox.join("upload.xml.part"), "<alert").expect("written");
    fs::write(inbox.join(".hidden.xml"), "<alert").expect("written");
    put("6.xml", &alert(6, "15:00", "Alert", "", "蓝色", AREA));
    await_that("the next one arrives", || !warning("MQ-6").is_null());
    assert_eq!(names(&inbox), [".hidden.xml", "done", "failed", "upload.xml.part", "working"]);
    let imports = fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let listed = server.get_with("/api/imports", ("Authorization", &format!("Bearer {}", imports.trim()))).json();
    assert_eq!(listed["imports"].as_array().map(Vec::len), Some(6), "{listed}");
}

#[test]
fn documents_at_an_address_are_imported_when_they_are_new() {
    let (folder, site) = (Folder::new(), Folder::new());
    let (feed, document) = (FileServer::start(site.file("")), FileServer::start(site.file("")));
    for inbox in ["alerts", "areas"] {
        fs::create_dir(folder.file(inbox)).expect("a folder");
    }
    folder.write("secret", "a-secret\n");
    folder.write(
        "onemap.toml",
        format!(
            "[[watch]]\nfolder = \"alerts\"\nlayer = \"warnings\"\nurl = \"{}/feed?key=hidden\"\nevery_s = 1\n\
             secret_file = \"secret\"\n[[watch]]\nfolder = \"areas\"\nlayer = \"warnings\"\nurl = \"{}/3.do\"\nevery_s = 1\n",
            feed.url, document.url
        ),
    );
    let atom = |links: &[&str]| {
        let entry = |link: &&str| format!("<entry><link type=\"application/cap+xml\" href=\"{link}\"/></entry>");
        let entries: Vec<String> = links.iter().map(entry).collect();
        format!("<feed xmlns=\"http://www.w3.org/2005/Atom\">{}</feed>", entries.concat())
    };
    site.write("1.xml", alert(1, "10:00", "Alert", "", "蓝色", AREA));
    site.write("3.do", alert(3, "10:00", "Alert", "", "黄色", AREA));
    site.write("feed", atom(&["1.xml"]));
    let server = Server::start(&folder, &["--empty"]);
    let severity = |id: &str| {
        let reply = server.get(&format!("/ogc/collections/warnings/items/{id}"));
        if reply.status == 200 { reply.json()["properties"]["severity"].clone() } else { json!(null) }
    };
    let statuses = || server.get("/health/ready").json()["synced"].clone();
    let failing = || {
        let statuses = statuses();
        statuses.as_array().expect("statuses").iter().filter(|own| own["is_failing"] == true).count()
    };
    await_that("both arrive", || severity("MQ-1") == 4 && severity("MQ-3") == 3);
    await_that("nothing fails", || failing() == 0 && statuses()[0]["confirmed_at"].is_string());
    assert_eq!((&statuses()[0]["source"], &statuses()[0]["layer"]), (&json!("127.0.0.1"), &json!("warnings")));

    // A document that is missing is asked for again; one of another server never.
    site.write("feed", atom(&["2.xml", "1.xml", &format!("{}/4.xml", document.url)]));
    site.write("4.xml", alert(4, "10:00", "Alert", "", "红色", AREA));
    await_that("the failure is told", || failing() == 1);
    site.write("2.xml", alert(2, "11:00", "Update", FIRST, "橙色", AREA));
    await_that("the update arrives", || severity("MQ-1") == 2);
    fs::remove_file(site.file("feed")).expect("removed");
    await_that("the feed is missing", || server.log().contains("/feed: the server answers 404"));
    site.write("feed", atom(&["2.xml", "1.xml"]));
    await_that("nothing fails any more", || failing() == 0);
    site.write("3.do", alert(3, "12:00", "Alert", "", "红色", AREA));
    await_that("the document is fetched again", || severity("MQ-3") == 1);

    let of = |server: &FileServer, path: &str| {
        server.requests().into_iter().filter(|own| own.starts_with(&format!("GET /{path}"))).collect::<Vec<_>>()
    };
    assert_eq!(of(&feed, "1.xml").len(), 1, "each is fetched once");
    assert!(of(&feed, "").iter().all(|own| own.contains("Bearer a-secret")));
    assert!(of(&feed, "feed").iter().any(|own| own.to_lowercase().contains("if-none-match")));
    assert!(of(&document, "4.xml").is_empty() && of(&document, "").iter().all(|own| !own.contains("a-secret")));
    assert!(!server.log().contains("hidden"), "the key is not logged: {}", server.log());
}
