//! Configured tables that are missing or cannot be used when the server starts.

use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, await_that};

const CONFIG: &str = "\
[[layer]]
table = \"public.later\"
[[layer]]
table = \"public.flat\"
[[layer]]
table = \"public.keyless\"
[[layer]]
table = \"secret.hidden\"
[[layer]]
table = \"public.lost\"
[[layer]]
table = \"public.good\"
id = \"open\"
sensitive = [\"secret\"]
[[layer]]
table = \"public.good\"
";

#[test]
fn a_table_that_cannot_be_used_at_start_is_unavailable_until_it_can_be() {
    let url = fresh_database();
    psql(
        &url,
        "CREATE TABLE public.good (gid serial PRIMARY KEY, name text, geom geometry(Point, 4326));
         CREATE TABLE public.flat (gid serial PRIMARY KEY, name text);
         CREATE TABLE public.lost (gid serial PRIMARY KEY, geom geometry(Point));
         CREATE TABLE public.keyless (gid int, name text, geom geometry(Point, 4326));
         INSERT INTO public.good (name) VALUES ('a'); INSERT INTO public.flat (name) VALUES ('b');
         INSERT INTO public.keyless VALUES (7, 'c', 'SRID=4326;POINT(118.8 26.2)')",
    );
    let folder = Folder::new();
    folder.write("onemap.toml", CONFIG);
    let (server, log) = Server::start_with_log(&folder, &["--store", &url]);
    for (line, words) in [
        (2, "table public.later cannot be a layer: the table or view does not exist"),
        (4, "table public.flat cannot be a layer: it has no geometry column"),
        (6, "table public.keyless cannot be a layer: it has no primary key of one column"),
        (8, "table secret.hidden cannot be a layer: the table or view does not exist"),
        (10, "table public.lost cannot be a layer: column geom does not declare its SRID; set srid ="),
        (12, "table public.good cannot be a layer: column secret does not exist"),
    ] {
        let message = format!("onemap.toml line {line}: {words}");
        assert_eq!(log.matches(&message).count(), 1, "{message}: {log}");
    }
    let health = server.get("/health/ready");
    let unavailable: Vec<String> = health.json()["unavailable"].as_object().expect("layers").keys().cloned().collect();
    assert_eq!(
        (health.status, unavailable),
        (200, ["later", "flat", "keyless", "hidden", "lost", "open"].map(str::to_owned).to_vec())
    );
    let name = |layer: &str, id: &str| -> Json {
        server.get(&format!("/ogc/collections/{layer}/items/{id}")).json()["properties"]["name"].clone()
    };
    assert_eq!((name("good", "1"), name("shelters", "SH-0001").is_string()), (json!("a"), true));
    assert_eq!(server.get("/ogc/collections/later/items").json()["numberMatched"], 0);
    await_that("the layer is stale", || server.get("/ogc/collections/later/items").json()["stale"] == true);
    assert_eq!(server.get("/ogc/collections/good/items").json()["stale"], false);
    assert_eq!(server.get("/tiles/later,good/12/3400/1738").status, server.get("/tiles/good/12/3400/1738").status);

    psql(
        &url,
        "CREATE TABLE public.later (id text PRIMARY KEY, name text, depth float, geom geometry(Polygon, 4326));
         INSERT INTO public.later VALUES ('L', 'new', 1.5, NULL);
         ALTER TABLE public.flat ADD COLUMN geom geometry(Point, 4326);
         ALTER TABLE public.keyless ADD PRIMARY KEY (gid);
         CREATE SCHEMA secret; CREATE VIEW secret.hidden AS SELECT * FROM public.good",
    );
    await_that("the tables are served", || {
        name("later", "L") == "new" && name("flat", "1") == "b" && name("keyless", "7") == "c"
    });
    assert_eq!(server.get("/ogc/collections/later/items?filter=depth%3E1").json()["numberMatched"], 1);
    assert_eq!(server.get("/ogc/collections/later/items?limit=1").json()["stale"], false);
    let unavailable = server.get("/health/ready").json()["unavailable"].as_object().map(serde_json::Map::len);
    assert_eq!(unavailable, Some(3), "the view has no key");
    psql(&url, "UPDATE public.later SET name = 'followed'");
    await_that("its changes are followed", || name("later", "L") == "followed");
    psql(&url, "UPDATE public.good SET name = 'others too'");
    await_that("other layers are followed", || name("good", "1") == "others too");
}
