//! Imports by upload: who may, within which divisions and fields, and what is refused.

use serde_json::{Value as Json, json};

use super::{account, get, send};
use crate::support::{Folder, Reply, Server, encoded};

const TYPE: &str = "application/octet-stream";

fn upload(server: &Server, secret: &str, (layer, name): (&str, &str), content: &str) -> Reply {
    let authorization = format!("Bearer {secret}");
    let path = format!("/api/imports?collection={layer}&filename={}", encoded(name));
    server.send("POST", &path, &[("Authorization", &authorization), ("Content-Type", TYPE)], content)
}

fn post(server: &Server, secret: &str, path: &str, body: &Json) -> Reply {
    send(server, secret, "POST", path, &body.to_string())
}

fn table(rows: &[&str]) -> String {
    format!("编号,名称,行政区划代码,wgs84_lng,wgs84_lat,容量\n{}\n", rows.join("\n"))
}

#[test]
fn a_file_is_looked_at_imported_listed_and_undone() {
    let folder = Folder::new();
    let editor = account(&folder, "录入员", &["--role", "editor"]);
    let other = account(&folder, "另一人", &["--role", "editor"]);
    let viewer = account(&folder, "值班", &["--role", "viewer"]);
    let server = Server::start(&folder, &[]);
    let content = table(&["N1,甲,350124101001,118.86,26.22,300人", "N2,乙,350124101001,118.87,26.23,很多"]);
    assert_eq!(upload(&server, &viewer, ("shelters", "新.csv"), &content).status, 403);
    let sent = upload(&server, &editor, ("shelters", "新.csv"), &content);
    assert_eq!(sent.status, 201);
    let preview = sent.json();
    assert_eq!((&preview["report"]["taken"], &preview["report"]["refused_count"]), (&json!(1), &json!(1)));
    assert_eq!(preview["recognised"]["crs"], "WGS 84");
    assert_eq!(preview["counts"], json!(null));
    assert_eq!(get(&server, &editor, "/ogc/collections/shelters/items/N1").status, 404, "nothing is stored yet");
    let path = format!("/api/imports/{}", preview["id"].as_str().expect("an id"));
    // Another account does not see it.
    assert_eq!(post(&server, &other, &path, &json!({"skip_bad": true})).status, 404);
    let refused = post(&server, &editor, &path, &json!({}));
    assert_eq!((refused.status, &refused.json()["type"]), (422, &json!("urn:problem-type:onemap:import-refused")));
    let report = post(&server, &editor, &format!("{path}/preview?f=csv"), &json!({}));
    assert!(String::from_utf8_lossy(&report.body).contains("2,3,容量,"), "{:?}", report.body);
    let looked = post(&server, &editor, &format!("{path}/preview"), &json!({"skip_bad": true})).json();
    assert_eq!(looked["counts"]["new"], 1);
    let done = post(&server, &editor, &path, &json!({"skip_bad": true}));
    assert_eq!((done.status, &done.json()["counts"]["new"]), (200, &json!(1)));
    assert_eq!(post(&server, &editor, &path, &json!({"skip_bad": true})).status, 404, "it is imported once");
    let listed = get(&server, &editor, "/api/imports").json();
    assert_eq!((&listed["imports"][0]["actor"], &listed["imports"][0]["file"]), (&json!("录入员"), &json!("新.csv")));
    assert_eq!(get(&server, &viewer, "/api/imports").status, 403);
    crate::support::await_that("the feature is served", || {
        get(&server, &editor, "/ogc/collections/shelters/items/N1").status == 200
    });
    send(
        &server,
        &editor,
        "PATCH",
        "/ogc/collections/shelters/items/N1",
        &json!({"properties": {"capacity": 5}}).to_string(),
    );
    let conflict = post(&server, &editor, &format!("{path}/undo"), &json!({}));
    assert_eq!(conflict.status, 409, "{:?}", conflict.json());
    assert!(conflict.json()["detail"].as_str().is_some_and(|detail| detail.contains("N1")));
    let undone = post(&server, &editor, &format!("{path}/undo"), &json!({"skip_changed": true}));
    assert_eq!((undone.status, undone.json()), (200, json!({"restored": 0, "removed": 0, "kept": 1})));
}

#[test]
fn an_account_imports_within_its_divisions_layers_and_fields() {
    let folder = Folder::new();
    let arguments = ["--role", "editor", "--layer", "shelters", "--region", "350124101000"];
    let township = account(&folder, "梅溪镇", &arguments);
    let county = account(&folder, "县局", &["--role", "editor"]);
    let server = Server::start(&folder, &[]);
    let path = "/ogc/collections/shelters/items?limit=1&filter=region_code%20LIKE%20%27350124102%25%27";
    let foreign = get(&server, &county, path).json()["features"][0]["id"].as_str().expect("a shelter").to_owned();
    let content = table(&[
        "N1,甲,350124101001,118.86,26.22,300",
        "N2,乙,350124102001,118.87,26.23,300",
        &format!("{foreign},丙,350124101001,118.87,26.23,300"),
    ]);
    let preview = upload(&server, &township, ("shelters", "x.csv"), &content).json();
    let path = format!("/api/imports/{}", preview["id"].as_str().expect("an id"));
    let looked =
        post(&server, &township, &format!("{path}/preview"), &json!({"mode": "update", "skip_bad": true})).json();
    assert_eq!((&looked["report"]["taken"], &looked["report"]["refused_count"]), (&json!(1), &json!(2)), "{looked}");
    for options in [json!({"mode": "replace"}), json!({"mode": "update", "key": "name"})] {
        assert_eq!(post(&server, &township, &path, &options).status, 400, "{options}");
    }
    assert_eq!(upload(&server, &township, ("teams", "x.csv"), &content).status, 403);
    assert_eq!(post(&server, &township, &path, &json!({"mode": "update", "skip_bad": true})).status, 200);
    assert_eq!(post(&server, &township, &format!("{path}/undo"), &json!({})).status, 403);
    assert_eq!(post(&server, &county, &format!("{path}/undo"), &json!({})).status, 200);
}

#[test]
fn wrong_requests_are_refused_by_name_and_files_are_few() {
    let folder = Folder::new();
    let editor = account(&folder, "录入员", &["--role", "editor"]);
    let server = Server::start(&folder, &[]);
    let content = table(&["N1,甲,350124101001,118.86,26.22,300"]);
    let authorization = format!("Bearer {editor}");
    for (path, kind, status, parameter) in [
        ("/api/imports?collection=shelters", TYPE, 400, json!("filename")),
        ("/api/imports?filename=x.csv", TYPE, 400, json!("collection")),
        ("/api/imports?collection=none&filename=x.csv", TYPE, 404, json!("collection")),
        ("/api/imports?collection=commitments&filename=x.csv", TYPE, 403, json!("Authorization")),
        ("/api/imports?collection=shelters&filename=x.csv", "text/html", 415, json!("Content-Type")),
        ("/api/imports/none/preview", "application/json", 404, json!("importId")),
        ("/api/imports/none/undo", "application/json", 404, json!("importId")),
        ("/api/imports/%00/undo", "application/json", 404, json!("importId")),
        ("/api/imports/00000000/undo", "application/json", 404, json!("importId")),
    ] {
        let body = if kind == "application/json" { "{}" } else { content.as_str() };
        let reply = server.send("POST", path, &[("Authorization", &authorization), ("Content-Type", kind)], body);
        assert_eq!((reply.status, &reply.json()["parameter"]), (status, &parameter), "{path}");
    }
    let id = upload(&server, &editor, ("shelters", "../../x.csv"), &content).json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/api/imports/{id}");
    for options in [json!({"mode": "swap"}), json!({"colour": 1}), json!([])] {
        assert_eq!(post(&server, &editor, &path, &options).status, 400, "{options}");
    }
    let looked = |options: Json| post(&server, &editor, &format!("{path}/preview"), &options).json();
    assert_eq!(looked(json!({"crs": "EPSG:1"}))["needs"]["option"], "crs");
    assert_eq!(looked(json!({"mode": "update", "key": "none"}))["needs"]["option"], "key");
    assert_eq!(looked(json!({"columns": {"none": "nothing"}}))["needs"]["option"], "column");
    let folder_names = std::fs::read_dir(folder.file("onemap.gpkg.uploads")).expect("a folder");
    assert_eq!(folder_names.count(), 1, "no name leads out of the folder");
    for (name, content) in
        [("x.png", "none"), ("x.xlsx", "none"), ("x.gpkg", "none"), ("x.zip", "none"), ("x.kml", "<kml>")]
    {
        let preview = upload(&server, &editor, ("shelters", name), content).json();
        assert!(preview["needs"]["detail"].is_string() || preview["report"]["refused_count"] == 1, "{name}: {preview}");
    }
    let statuses: Vec<u16> = (0..6).map(|_| upload(&server, &editor, ("shelters", "x.csv"), &content).status).collect();
    assert_eq!(statuses, [201, 201, 201, 201, 429, 429]);
    assert_eq!(send(&server, &editor, "DELETE", &path, "").status, 204);
    assert_eq!(upload(&server, &editor, ("shelters", "x.csv"), &content).status, 201);
}
