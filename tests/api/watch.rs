//! Files that arrive in a folder: imported once, filed with a report, and never older than what is stored.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

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
