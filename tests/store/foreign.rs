//! Tables and views of other programs as layers by configuration.

use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::node::script_well;
use crate::support::{Folder, Server, await_that, run};

/// Tables of another department: projected coordinates, its own names, types without a counterpart.
const TABLES: &str = "
    CREATE TABLE public.\"Reservoirs\" (
      gid serial PRIMARY KEY, res_name varchar(50), place geometry(PointZ, 4549), capacity numeric(12, 2),
      built date, inspected timestamp, duty_phone text, snapshot bytea, tags text[], state int2);
    INSERT INTO public.\"Reservoirs\" (res_name, place, capacity, built, inspected, duty_phone, tags, state) VALUES
      ('岭里水库', 'SRID=4549;POINT Z (385976.625801175 2901931.58040734 120)', 1234.5, '1975-06-01',
       '2026-08-14 10:00:00', '13800000000', '{水利,重点}', 2),
      ('无名塘', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE VIEW public.full_reservoirs AS
      SELECT gid, res_name, place FROM public.\"Reservoirs\" WHERE state = 2;
";

const CONFIG: &str = r#"
[[layer]]
table = "public.Reservoirs"
id = "reservoirs"
name = "res_name"
title = { zh = "水库台账", en = "Reservoirs" }
sensitive = ["duty_phone"]
tile = ["state"]

[[layer]]
table = "public.full_reservoirs"
key = "gid"
refresh_s = 1
"#;

#[test]
fn a_table_and_a_view_are_served_as_layers_and_followed() {
    let url = fresh_database();
    psql(&url, TABLES);
    let folder = Folder::new();
    folder.write("onemap.toml", CONFIG);
    let server = Server::start(&folder, &["--store", &url, "--empty"]);
    let one = server.get("/ogc/collections/reservoirs/items/1").json();
    let (lon, lat) = (one["geometry"]["coordinates"][0].as_f64(), one["geometry"]["coordinates"][1].as_f64());
    assert!((lon.expect("a number") - 118.859).abs() < 1e-8 && (lat.expect("a number") - 26.222).abs() < 1e-8, "{one}");
    let properties = json!({"name": "岭里水库", "capacity": 1234.5, "built": "1975-06-01",
        "inspected": "2026-08-14T02:00:00.000Z", "tags": ["水利", "重点"], "state": 2});
    assert_eq!(one["properties"], properties, "no phone, no snapshot");
    assert_eq!(server.get("/ogc/collections/reservoirs/items/2").json()["geometry"], Json::Null);
    let layers = server.get("/api/layers").json();
    let own = layers["layers"].as_array().expect("layers").iter().find(|layer| layer["id"] == "reservoirs");
    assert_eq!(own.map(|layer| layer["title"]["zh"].clone()), Some(json!("水库台账")));

    // The default style draws them by geometry type.
    let style = server.get("/styles/onemap.json");
    let file = folder.write("style.json", &style.body);
    script_well("styles/validate.mjs", &[&file.display().to_string()]);
    let style = style.json();
    for id in ["reservoirs", "full_reservoirs"] {
        let drawn = style["layers"].as_array().expect("layers").iter().filter(|own| own["source-layer"] == id);
        let kinds: Vec<&str> = drawn.map(|own| own["type"].as_str().expect("a type")).collect();
        assert_eq!(kinds, ["circle", "symbol", "circle", "symbol"], "{id}");
    }
    let address = style["sources"]["onemap"]["url"].as_str().expect("an address").trim_start_matches(&server.url);
    let described = server.get(address).json()["vector_layers"].to_string();
    assert!(described.contains("\"reservoirs\"") && described.contains("\"full_reservoirs\""), "{described}");

    let count = |layer: &str| server.get(&format!("/ogc/collections/{layer}/items")).json()["numberMatched"].clone();
    assert_eq!(count("full_reservoirs"), json!(1));
    psql(&url, "UPDATE public.\"Reservoirs\" SET state = 2, res_name = '有名塘' WHERE gid = 2");
    await_that("the table's change", || {
        server.get("/ogc/collections/reservoirs/items/2").json()["properties"]["name"] == "有名塘"
    });
    await_that("the view's change", || count("full_reservoirs") == json!(2));
    psql(&url, "DELETE FROM public.\"Reservoirs\" WHERE gid = 1");
    await_that("the deletion", || server.get("/ogc/collections/reservoirs/items/1").status == 404);
    await_that("the deletion in the view", || count("full_reservoirs") == json!(1));
    psql(&url, "TRUNCATE public.\"Reservoirs\"");
    await_that("the dropped table", || count("reservoirs") == json!(0));
}

#[test]
fn another_program_without_rights_on_the_change_log_can_change_its_table() {
    let url = fresh_database();
    psql(&url, TABLES);
    psql(
        &url,
        "DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT SELECT, UPDATE ON public.\"Reservoirs\" TO clerk",
    );
    let folder = Folder::new();
    folder.write("onemap.toml", CONFIG);
    let server = Server::start(&folder, &["--store", &url, "--empty"]);
    psql(&url.replace("onemap@", "clerk@"), "UPDATE public.\"Reservoirs\" SET res_name = '改名水库' WHERE gid = 1");
    await_that("the clerk's change", || {
        server.get("/ogc/collections/reservoirs/items/1").json()["properties"]["name"] == "改名水库"
    });
}

#[test]
fn a_mistake_in_the_configuration_is_reported_with_its_position() {
    let url = fresh_database();
    psql(&url, TABLES);
    for (config, words) in [
        ("[[layer]]\ntable = \"public.Reservoirs\"\nid = \"r\"\nsensitiv = [\"x\"]", "sensitiv"),
        ("[[layer]]\ntable = \"public.Reservoirs\"", "lower-case"),
        ("[[layer]]\ntable = \"reservoirs\"", "SCHEMA.TABLE"),
        ("[[layer]]\ntable = \"public.full_reservoirs\"\nkey = \"gid\"\nid = \"shelters\"", "another layer"),
        ("[[layer]]\ntable = \"public.nowhere\"\nid = \"coverage\"", "is reserved for a layer of the server"),
        ("layer = 5", "line 1"),
    ] {
        let folder = Folder::new();
        folder.write("onemap.toml", config);
        let output = run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", &url]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && message.contains(words), "{config}: {message}");
    }
    let folder = Folder::new();
    folder.write("onemap.toml", CONFIG);
    let output = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && message.contains("needs a PostGIS store"), "{message}");
    assert!(!folder.file("onemap.gpkg").exists());
}
