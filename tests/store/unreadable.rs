//! Unreadable values, rows and layers affect nothing else: they become unknown, skipped or unavailable, and are
//! reported.

use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, await_that, foreign};

fn health(server: &Server) -> Json {
    server.get("/health/ready").json()
}

fn warnings(server: &Server, layer: &str) -> Json {
    health(server)["read_warnings"][layer].clone()
}

fn properties(server: &Server, layer: &str, id: &str) -> Json {
    server.get(&format!("/ogc/collections/{layer}/items/{id}")).json()["properties"].clone()
}

/// A table with a valid row and, in other rows, one unreadable value per column.
const ODD: &str = "
    CREATE TABLE public.odd (gid serial PRIMARY KEY, day date, local timestamp, instant timestamptz, amount numeric,
      ratio float8, tags text[], document json, whole jsonb, place geometry(Point, 4549));
    INSERT INTO public.odd (day, local, instant, amount, ratio, tags, document, whole, place) VALUES
      ('2026-05-01', '2026-05-01 08:00', '2026-05-01 00:00Z', 1.5, 2.5, '{a,b}', '{\"a\": 1}', '[1]',
       ST_Transform('SRID=4326;POINT(118.8 26.2)'::geometry, 4549));
    INSERT INTO public.odd (day) VALUES ('infinity'), ('12000-01-01'), ('4713-01-01 BC');
    INSERT INTO public.odd (local) VALUES ('-infinity'), ('4713-01-01 00:00 BC'), ('294276-12-31 23:59:59');
    INSERT INTO public.odd (instant) VALUES ('infinity'), ('-infinity'), ('294276-12-31 23:59:59Z');
    INSERT INTO public.odd (amount) VALUES ('1e400'), ('NaN'), ('Infinity');
    INSERT INTO public.odd (ratio) VALUES ('NaN'), ('-Infinity');
    INSERT INTO public.odd (tags) VALUES (ARRAY['a', NULL]), ('{{a,b},{c,d}}');
    INSERT INTO public.odd (document) VALUES ('{\"a\": \"\\u0000\"}'), ('1e999');
    INSERT INTO public.odd (place) VALUES (ST_SetSRID(ST_Point(1e30, 1e30), 4549)),
      (ST_SetSRID(ST_Point('NaN', 0), 4549));
    CREATE TABLE public.base (gid serial PRIMARY KEY, code text, geom geometry(Point, 4326));
    INSERT INTO public.base (code) VALUES ('x'), (NULL), (''), ('twice'), ('twice');
    CREATE VIEW public.keys AS SELECT code, gid, geom FROM public.base;
";

const ODD_LAYERS: &str = "
[[layer]]
table = \"public.odd\"
[[layer]]
table = \"public.keys\"
key = \"code\"
refresh_s = 1
";

#[test]
fn an_unreadable_value_is_unknown_and_counted() {
    let url = fresh_database();
    psql(&url, ODD);
    let folder = Folder::new();
    folder.write("onemap.toml", ODD_LAYERS);
    let server = Server::start(&folder, &["--store", &url]);
    let good = properties(&server, "odd", "1");
    let expected = json!({"day": "2026-05-01", "local": "2026-05-01T00:00:00.000Z", "instant": "2026-05-01T00:00:00.000Z",
        "amount": 1.5, "ratio": 2.5, "tags": ["a", "b"], "document": {"a": 1}, "whole": [1]});
    assert_eq!(good, expected);
    let places: Vec<Json> = ["1", "20", "21"]
        .map(|id| server.get(&format!("/ogc/collections/odd/items/{id}")).json()["geometry"]["coordinates"][0].clone())
        .to_vec();
    assert!((places[0].as_f64().expect("a longitude") - 118.8).abs() < 1e-8, "{places:?}");
    assert_eq!(places[1..], [Json::Null, Json::Null]);
    for (column, ids) in [
        ("day", vec![2, 3, 4]),
        ("local", vec![5, 6, 7]),
        ("instant", vec![8, 9, 10]),
        ("amount", vec![11, 12, 13]),
        ("ratio", vec![14, 15]),
    ] {
        for id in ids {
            let found = properties(&server, "odd", &id.to_string());
            let known = column == "day" && found[column] == "-4712-01-01";
            assert!(found[column].is_null() || known, "{id} {column}: {found}");
        }
    }
    assert_eq!(properties(&server, "odd", "16")["tags"], json!(["a"]));
    assert!(warnings(&server, "odd").as_u64().expect("a number") >= 18, "{}", health(&server));
    // Of the rows of the view, one has no key, one an empty key, and two the same key.
    assert_eq!(server.get("/ogc/collections/keys/items").json()["numberMatched"], 2);
    assert_eq!(warnings(&server, "keys"), 3);

    // The same in own tables, while the server runs.
    psql(&url, "UPDATE onemap.warnings SET expires_at = 'infinity' WHERE id = (SELECT min(id) FROM onemap.warnings)");
    psql(&url, "UPDATE onemap.teams SET skills = ARRAY['medical', NULL] WHERE id = (SELECT min(id) FROM onemap.teams)");
    await_that("both are reported", || warnings(&server, "warnings") == 1 && warnings(&server, "teams") == 1);
    assert_eq!(server.get("/health/ready").status, 200);
    let warning = psql(&url, "SELECT min(id) FROM onemap.warnings").trim().to_owned();
    assert_eq!(properties(&server, "warnings", &warning)["expires_at"], Json::Null);
    psql(&url, "UPDATE public.odd SET ratio = 1 WHERE gid = 14");
    await_that("changes of the other rows", || properties(&server, "odd", "14")["ratio"] == 1.0);
    drop(server);

    let again = Server::start(&folder, &["--store", &url]);
    assert_eq!(warnings(&again, "warnings"), 1);
    psql(&url, "UPDATE onemap.warnings SET expires_at = now()");
    await_that("the value is readable again", || warnings(&again, "warnings").is_null());
    assert_ne!(properties(&again, "warnings", &warning)["expires_at"], Json::Null);
}

/// Changes a GeoPackage like another program.
fn sqlite(folder: &Folder, program: &str) {
    let path = folder.file("onemap.gpkg").display().to_string();
    let program = format!(
        "import sqlite3, struct, sys\n\
         c = sqlite3.connect(sys.argv[1], timeout=10)\n\
         d = lambda *n: struct.pack('<%dd' % len(n), *n)\n\
         h = b'GP\\0\\x01' + struct.pack('<i', 4326)\n\
         put = lambda i, b: c.execute(\"INSERT OR REPLACE INTO incidents (id, name, geom) VALUES (?, 'x', ?)\", (i, b))\n\
         {program}\nc.commit()"
    );
    foreign("python3", &["-c", &program, &path]);
}

#[test]
fn a_geopackage_with_corrupt_values_is_read_as_far_as_possible() {
    let (folder, server) = Server::of_sample();
    sqlite(
        &folder,
        "put('BIG', h + b'\\0' + struct.pack('>I2d', 1, 118.8, 26.2))\n\
         put('MIXED', h + b'\\x01' + struct.pack('<II', 4, 1) + b'\\0' + struct.pack('>I2d', 1, 118.8, 26.2))\n\
         put('CURVE', h + b'\\x01' + struct.pack('<II', 8, 3) + d(118.8, 26.2, 118.85, 26.25, 118.9, 26.2))\n\
         put('DEEP', h + (b'\\x01' + struct.pack('<II', 7, 1)) * 8000 + b'\\x01' + struct.pack('<I', 1) + d(1, 2))\n\
         put('SHORT', h + b'\\x01' + struct.pack('<II', 2, 4000000000))\n\
         put('BYTES', b'GP')\n\
         c.execute(\"INSERT INTO shelters (id, name) VALUES (X'B1DC', 'x'), (CAST(X'D4D6' AS TEXT), 'y')\")\n\
         c.execute(\"UPDATE shelters SET name = CAST(? AS TEXT) WHERE id = 'SH-0001'\", ('避灾点'.encode('gbk'),))",
    );
    await_that("unreadable values are reported", || {
        warnings(&server, "incidents") == 3 && warnings(&server, "shelters") == 1
    });
    assert_eq!(server.get("/health/ready").status, 200);
    let geometry = |id: &str| server.get(&format!("/ogc/collections/incidents/items/{id}")).json()["geometry"].clone();
    let point = json!({"type": "Point", "coordinates": [118.8, 26.2]});
    assert_eq!((geometry("BIG"), geometry("MIXED")), (point.clone(), point));
    assert_eq!(geometry("DEEP"), Json::Null);
    let curve = geometry("CURVE");
    assert!(curve["coordinates"].as_array().is_some_and(|line| line.len() >= 65), "{curve}");
    assert_eq!(properties(&server, "shelters", "SH-0001")["name"], Json::Null);

    // A table dropped by another program: its layer keeps its state.
    let hazards = server.get("/ogc/collections/hazards/items?limit=1").json()["numberMatched"].clone();
    sqlite(&folder, "c.execute('ALTER TABLE hazards RENAME TO away')");
    await_that("the layer is unavailable", || health(&server)["unavailable"]["hazards"]["age_s"].is_u64());
    sqlite(&folder, "c.execute(\"UPDATE shelters SET name = 'new' WHERE id = 'SH-0001'\")");
    await_that("other layers are updated", || properties(&server, "shelters", "SH-0001")["name"] == "new");
    assert_eq!(server.get("/ogc/collections/hazards/items?limit=1").json()["numberMatched"], hazards);
    // Replies from several layers name it; replies from another layer alone do not.
    let nearest = server.get("/api/nearest?point=118.86,26.22&layer=hazards,shelters");
    assert!(nearest.json()["unavailable"]["hazards"]["age_s"].is_u64());
    assert_eq!(nearest.header("warning"), "110 onemap \"hazards may be out of date\"");
    assert_eq!(server.get("/api/layers").json()["unavailable"].as_object().map(serde_json::Map::len), Some(1));
    let shelters = server.get("/ogc/collections/shelters/items?limit=1");
    assert_eq!((shelters.json()["unavailable"].clone(), shelters.header("warning")), (Json::Null, ""));
    sqlite(&folder, "c.execute('ALTER TABLE away RENAME TO hazards')");
    await_that("it is available again", || health(&server)["unavailable"] == json!({}));
    sqlite(&folder, "c.execute(\"DELETE FROM hazards\")");
    let count = || server.get("/ogc/collections/hazards/items?limit=1").json()["numberMatched"].clone();
    await_that("its changes are followed again", || count() == 0);

    // A dropped column: SQLite would take its quoted name for a text.
    let villages = || server.get("/ogc/collections/villages/items?limit=5").json()["features"].clone();
    let before = villages();
    assert!(before[0]["properties"]["name"].is_string(), "{before}");
    sqlite(&folder, "c.execute('ALTER TABLE villages DROP COLUMN name')");
    await_that("the layer is unavailable", || health(&server)["unavailable"]["villages"]["age_s"].is_u64());
    assert_eq!(villages(), before);
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/geo+json")];
    let village = r#"{"id":"V","type":"Feature","geometry":null,"properties":{}}"#;
    let reply = server.send("POST", "/ogc/collections/villages/items", &headers, village);
    assert_eq!((reply.status, reply.json()["type"].as_str()), (503, Some("urn:problem-type:onemap:unavailable")));
}

#[test]
fn a_view_that_takes_too_long_stops_nothing_else() {
    let url = fresh_database();
    psql(
        &url,
        "CREATE TABLE public.a1 (gid serial PRIMARY KEY, geom geometry(Point, 4326)); INSERT INTO public.a1 (gid) VALUES (1);
         CREATE VIEW public.slow AS SELECT gid, pg_sleep(60)::text AS slept, geom FROM public.a1",
    );
    let folder = Folder::new();
    folder.write("onemap.toml", "[[layer]]\ntable = \"public.slow\"\nkey = \"gid\"\nrefresh_s = 1\n");
    let server = Server::start(&folder, &["--store", &url]);
    assert!(health(&server)["unavailable"]["slow"]["age_s"].is_u64(), "{}", health(&server));
    psql(&url, "UPDATE onemap.shelters SET name = 'new' WHERE id = 'SH-0001'");
    await_that("others go on", || properties(&server, "shelters", "SH-0001")["name"] == "new");
    assert_eq!(server.get("/health/ready").status, 200);
}

#[test]
fn a_database_that_holds_any_bytes_is_read_as_far_as_possible() {
    let url = fresh_database() + "_bytes";
    let (server, name) = url.rsplit_once('/').expect("a database");
    psql(
        &format!("{server}/postgres"),
        &format!("CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"),
    );
    psql(&url, "CREATE EXTENSION postgis");
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url, "--no-cache"]);
    psql(
        &url,
        "UPDATE onemap.shelters SET name = '避灾点' WHERE id = 'SH-0002';
         UPDATE onemap.shelters SET name = convert_from('\\xb1dcd4d6', 'SQL_ASCII') WHERE id = 'SH-0001'",
    );
    await_that("the text is unknown", || properties(&server, "shelters", "SH-0001")["name"].is_null());
    assert_eq!(warnings(&server, "shelters"), 1);
    assert_eq!(properties(&server, "shelters", "SH-0002")["name"], "避灾点");
    drop(server);
    let server = Server::start(&folder, &["--store", &url, "--no-cache"]);
    assert_eq!(warnings(&server, "shelters"), 1);
}

#[test]
fn an_edit_of_one_field_keeps_the_stored_values_of_the_others() {
    let edit = |folder: &Folder, server: &Server, token: &str, path: &str, body: &str| {
        let token = std::fs::read_to_string(folder.file(token)).expect("a token");
        let bearer = format!("Bearer {}", token.trim());
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/merge-patch+json")];
        let reply = server.send("PATCH", path, &headers, body);
        assert_eq!(reply.status, 204, "{}", String::from_utf8_lossy(&reply.body));
    };
    let folder = Folder::new();
    let url = fresh_database();
    let server = Server::start(&folder, &["--store", &url]);
    psql(
        &url,
        "UPDATE onemap.warnings SET expires_at = 'infinity', started_at = '2026-08-14T00:00:00.123456Z' WHERE id = 'WN-01';
         UPDATE onemap.teams SET skills = ARRAY['medical', NULL] WHERE id = 'TM-01'",
    );
    await_that("both are reported", || warnings(&server, "warnings") == 1 && warnings(&server, "teams") == 1);
    edit(&folder, &server, "onemap.token", "/ogc/collections/warnings/items/WN-01", r#"{"properties":{"name":"new"}}"#);
    edit(&folder, &server, "onemap.token", "/ogc/collections/teams/items/TM-01", r#"{"properties":{"name":"new"}}"#);
    let stored = psql(
        &url,
        "SELECT name, expires_at, extract(microseconds FROM started_at) FROM onemap.warnings WHERE id = 'WN-01';
         SELECT name, skills FROM onemap.teams WHERE id = 'TM-01'",
    );
    assert_eq!(stored.trim(), "new|infinity|123456\nnew|{medical,NULL}");
    // A field that the edit names is written, also where its stored value could not be read.
    edit(
        &folder,
        &server,
        "onemap.token",
        "/ogc/collections/warnings/items/WN-01",
        r#"{"properties":{"expires_at":null}}"#,
    );
    assert_eq!(psql(&url, "SELECT expires_at IS NULL FROM onemap.warnings WHERE id = 'WN-01'").trim(), "t");

    let (folder, server) = Server::of_sample();
    sqlite(
        &folder,
        "c.execute(\"UPDATE shelters SET name = CAST(? AS TEXT), geom = ? WHERE id = 'SH-0001'\", \
         ('避灾点'.encode('gbk'), b'GP'))",
    );
    await_that("both are reported", || warnings(&server, "shelters") == 2);
    edit(
        &folder,
        &server,
        "onemap.gpkg.token",
        "/ogc/collections/shelters/items/SH-0001",
        r#"{"properties":{"capacity":77}}"#,
    );
    sqlite(
        &folder,
        "row = c.execute(\"SELECT hex(name), hex(geom), capacity FROM shelters WHERE id = 'SH-0001'\").fetchone()\n\
         assert row == ('避灾点'.encode('gbk').hex().upper(), '4750', 77), row",
    );
}

#[test]
fn a_geopackage_in_another_reference_system_is_transformed_and_only_read() {
    let (folder, server) = Server::of_sample();
    let before = server.get("/ogc/collections/hazards/items?limit=1000").json();
    drop(server);
    let path = folder.file("onemap.gpkg").display().to_string();
    let survey = folder.file("survey.gpkg").display().to_string();
    foreign("ogr2ogr", &["-f", "GPKG", &survey, &path, "shelters", "hazards", "-t_srs", "EPSG:4549"]);
    let server = Server::start(&folder, &["--store", &survey]);
    let after = server.get("/ogc/collections/hazards/items?limit=1000").json();
    assert_eq!(after["numberReturned"], before["numberReturned"]);
    for (was, is) in
        before["features"].as_array().expect("features").iter().zip(after["features"].as_array().expect("features"))
    {
        assert_eq!(was["id"], is["id"]);
        for axis in 0..2 {
            let of = |feature: &Json| feature["geometry"]["coordinates"][axis].as_f64().expect("a coordinate");
            assert!((of(was) - of(is)).abs() < 1e-7, "{was} {is}");
        }
    }
    drop(server);
    let unknown = folder.file("unknown.gpkg").display().to_string();
    foreign("ogr2ogr", &["-f", "GPKG", &unknown, &path, "hazards", "-t_srs", "EPSG:2000"]);
    let output = crate::support::run(&folder, &["serve", "--listen", "127.0.0.1:0", "--store", &unknown]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && log.contains("EPSG:2000") && log.contains("-t_srs"), "{log}");
}

#[test]
fn a_text_with_nul_is_refused_by_both_backends() {
    let (folder, file) = Server::of_sample();
    let url = fresh_database();
    let database = Server::start(&folder, &["--store", &url, "--token-file", "token"]);
    for (server, token) in [(&file, "onemap.gpkg.token"), (&database, "token")] {
        let token = std::fs::read_to_string(folder.file(token)).expect("a token");
        let bearer = format!("Bearer {}", token.trim());
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/geo+json")];
        for (layer, properties) in [
            ("hazards", r#"{"name":"a\u0000b"}"#),
            ("hazards", r#"{"related_ids":["a\u0000"]}"#),
            ("depots", r#"{"stock":[{"name":"a\u0000","quantity":1}]}"#),
        ] {
            let body = format!(r#"{{"id":"N1","type":"Feature","geometry":null,"properties":{properties}}}"#);
            let reply = server.send("POST", &format!("/ogc/collections/{layer}/items"), &headers, &body);
            assert_eq!(reply.status, 422, "{properties}: {}", String::from_utf8_lossy(&reply.body));
        }
    }
}
