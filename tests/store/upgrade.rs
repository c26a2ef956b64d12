//! Files of earlier versions: nothing is lost, also if an earlier version wrote a file after a later one.

use serde_json::{Value as Json, json};

use crate::support::listener::edit;
use crate::support::{Folder, Reply, Server, run_well};

const ITEMS: &str = "/ogc/collections/shelters/items";
/// Layers that the first version with edits over HTTP lacked.
const LATER_LAYERS: [&str; 4] = ["commitments", "plans", "rivers", "situation_reports"];

fn create(folder: &Folder, server: &Server, id: &str) -> Reply {
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let headers = [("Authorization", &*authorization), ("Content-Type", "application/json"), ("Idempotency-Key", id)];
    let shelter = json!({"type": "Feature", "id": id, "properties": {"name": "二行\n名称", "capacity": 120},
        "geometry": {"type": "Point", "coordinates": [118.7012, 26.3345]}});
    server.send("POST", ITEMS, &headers, &shelter.to_string())
}

/// All features of the layers that the first version had.
fn features(server: &Server) -> Vec<Json> {
    let layers = server.get("/api/layers").json();
    let ids = layers["layers"].as_array().expect("layers").iter().map(|layer| layer["id"].as_str().expect("an id"));
    let page = |id: &str| server.get(&format!("/ogc/collections/{id}/items?limit=10000")).json()["features"].clone();
    ids.filter(|id| !LATER_LAYERS.contains(id)).map(page).collect()
}

#[test]
fn a_file_of_an_early_version_is_read_whole_and_so_is_one_that_it_wrote_later() {
    let folder = Folder::new();
    let file = folder.file("onemap.gpkg");
    let server = Server::start(&folder, &[]);
    assert_eq!(create(&folder, &server, "U-1").status, 201);
    let before = features(&server);
    assert_eq!(server.stop(), Some(0));
    let later_layers: String = LATER_LAYERS.iter().fold(String::new(), |sql, layer| {
        let rows = ["gpkg_geometry_columns", "gpkg_contents"]
            .map(|table| format!("DELETE FROM {table} WHERE table_name = '{layer}';"));
        sql + &format!("DELETE FROM gpkg_data_columns WHERE table_name = '{layer}';")
            + &rows.concat()
            + &format!("DROP TABLE {layer};")
    });
    let early = format!(
        "{later_layers} DROP TABLE onemap_audit; DROP TABLE IF EXISTS onemap_imports; DROP TABLE IF EXISTS onemap_import_rows;
         ALTER TABLE onemap_idempotency_keys RENAME TO onemap_done; ALTER TABLE onemap_done RENAME COLUMN created_at TO done_at;"
    );
    edit(&file, &early);
    run_well(&folder, &["check"]);
    let server = Server::start(&folder, &[]);
    assert!(features(&server) == before, "features differ after the upgrade");
    assert_eq!(create(&folder, &server, "U-1").status, 201, "a key of the early version");
    assert_eq!(create(&folder, &server, "U-2").status, 201);
    let after = features(&server);
    assert_eq!(server.stop(), Some(0));
    run_well(&folder, &["audit", "verify"]);
    // An early version wrote the file again: it made its table of keys anew, with a key that the other table has too.
    edit(
        &file,
        "CREATE TABLE onemap_done (key TEXT PRIMARY KEY NOT NULL, digest TEXT NOT NULL, outcomes TEXT NOT NULL, done_at DATETIME);
         INSERT INTO onemap_done SELECT key, digest, outcomes, created_at FROM onemap_idempotency_keys;
         DELETE FROM onemap_idempotency_keys WHERE key <> (SELECT min(key) FROM onemap_idempotency_keys)",
    );
    let server = Server::start(&folder, &[]);
    assert!(features(&server) == after, "features differ after the second upgrade");
    assert_eq!([create(&folder, &server, "U-1").status, create(&folder, &server, "U-2").status], [201, 201]);
    assert!(features(&server) == after, "a request was executed again");
    assert_eq!(server.stop(), Some(0));
    run_well(&folder, &["audit", "verify"]);
}
