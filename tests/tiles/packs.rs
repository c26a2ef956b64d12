//! Archives of tiles: what `onemap export --pmtiles` writes, and what `/packs` serves.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::access::{account, get};
use crate::conformance::clients::python;
use crate::support::{Folder, Reply, Server, foreign, onemap, run, run_well};

const PACK: &str = "county.pmtiles";

/// A folder with the sample county and an archive of it in its folder `packs`.
fn exported(options: &[&str]) -> Folder {
    let folder = Folder::new();
    drop(Server::start(&folder, &[]));
    std::fs::create_dir(folder.file("packs")).expect("a folder");
    let path = folder.file("packs").join(PACK).display().to_string();
    run_well(&folder, &[&["export", "--pmtiles", &path][..], options].concat());
    folder
}

/// A server with an account, where callers without one see what is public.
fn as_public(folder: &Folder) -> Server {
    account(folder, "大屏", &["--role", "viewer"]);
    Server::start(folder, &["--packs", "packs"])
}

fn with_range(server: &Server, range: &str) -> Reply {
    server.get_with(&format!("/packs/{PACK}"), ("Range", range))
}

#[test]
fn an_archive_has_the_tiles_of_the_server_and_equal_data_give_equal_bytes() {
    let folder = exported(&["--zooms", "0-13"]);
    let first = std::fs::read(folder.file("packs").join(PACK)).expect("a file");
    run_well(&folder, &["export", "--pmtiles", "again.pmtiles", "--zooms", "0-13"]);
    assert!(std::fs::read(folder.file("again.pmtiles")).expect("a file") == first, "another export differs");

    let server = as_public(&folder);
    let own = &server.get("/packs").json()["packs"][0];
    assert_eq!(
        (&own["name"], &own["format"], &own["minzoom"], &own["maxzoom"]),
        (&Json::from(PACK), &Json::from("mvt"), &Json::from(0), &Json::from(13))
    );
    let described = server.get(&format!("/packs/{PACK}/tilejson.json")).json();
    let layers: Vec<&str> =
        described["vector_layers"].as_array().expect("layers").iter().filter_map(|own| own["id"].as_str()).collect();
    let layers = layers.join(",");
    for address in ["0/0/0", "5/26/13", "9/425/217", "12/3400/1738", "13/6800/3477", "13/0/0"] {
        let (own, live) =
            (server.get(&format!("/packs/{PACK}/{address}")), server.get(&format!("/tiles/{layers}/{address}")));
        assert_eq!((own.status, &own.body), (live.status, &live.body), "{address}");
    }
    let compressed = server.get_with(&format!("/packs/{PACK}/9/425/217"), ("Accept-Encoding", "gzip"));
    assert_eq!(
        (compressed.header("content-encoding"), compressed.header("content-type")),
        ("gzip", "application/vnd.mapbox-vector-tile")
    );

    // What the public may not see is in no archive for it.
    assert!(!layers.contains("pipelines"), "{layers}");
    let path = folder.file("packs").join(PACK).display().to_string();
    let script = "import sys, pyogrio; print('count', len(pyogrio.raw.read(sys.argv[1], layer='townships', ZOOM_LEVEL='9')[2]) > 0, len(pyogrio.list_layers(sys.argv[1])))";
    let printed = foreign(&python("python"), &["-c", script, &path]);
    assert!(printed.contains("count True 19"), "{printed}");
}

#[test]
fn an_archive_is_limited_to_layers_zooms_and_an_area() {
    let folder = exported(&[
        "--layers",
        "shelters",
        "--zooms",
        "12",
        "--bbox",
        "118.85,26.2,118.87,26.22",
        "--tile-format",
        "mlt",
    ]);
    let server = as_public(&folder);
    let described = server.get(&format!("/packs/{PACK}/tilejson.json")).json();
    assert_eq!(
        (&described["minzoom"], &described["maxzoom"], &described["encoding"]),
        (&Json::from(12), &Json::from(12), &Json::from("mlt"))
    );
    assert_eq!(described["vector_layers"].as_array().expect("layers").len(), 2, "shelters and labels");
    let inside = server.get(&format!("/packs/{PACK}/12/3400/1738"));
    assert_eq!((inside.status, inside.header("content-type")), (200, "application/vnd.maplibre-tile"));
    assert!(inside.body == server.get("/tiles/shelters/12/3400/1738?f=mlt").body);
    assert_eq!(server.get(&format!("/packs/{PACK}/12/3398/1738")).status, 204);
    assert_eq!(server.get(&format!("/packs/{PACK}/11/1700/869")).status, 204);
}

#[test]
fn mbtiles_of_another_program_are_served() {
    let folder = Folder::new();
    std::fs::create_dir(folder.file("packs")).expect("a folder");
    let file = |name: &str| folder.file("packs").join(name).display().to_string();
    let square = r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"name":"方"},"geometry":{"type":"Polygon","coordinates":[[[118,26],[119,26],[119,27],[118,27],[118,26]]]}}]}"#;
    let source = folder.write("square.geojson", square).display().to_string();
    foreign("ogr2ogr", &["-f", "MBTILES", &file("vector.mbtiles"), &source, "-nln", "square", "-dsco", "MAXZOOM=8"]);
    let raster = folder.file("image.tif").display().to_string();
    let corners = ["-a_ullr", "13135750", "3100000", "13247000", "2990000"];
    let burn = ["-bands", "3", "-burn", "200", "-burn", "100", "-burn", "50", "-ot", "Byte", "-a_srs", "EPSG:3857"];
    foreign("gdal_create", &[&["-outsize", "300", "300"][..], &burn, &corners, &[&raster]].concat());
    foreign("gdal_translate", &["-q", "-of", "MBTILES", &raster, &file("image.mbtiles")]);
    std::fs::write(file("broken.mbtiles"), b"no database").expect("a file");
    let server = Server::start(&folder, &["--packs", "packs"]);
    let listed = server.get("/packs").json()["packs"].clone();
    let of =
        |name: &str| listed.as_array().expect("archives").iter().find(|own| own["name"] == name).expect(name).clone();
    assert!(of("broken.mbtiles")["unavailable"].is_string());
    assert_eq!((&of("vector.mbtiles")["format"], &of("vector.mbtiles")["maxzoom"]), (&"mvt".into(), &8.into()));
    assert_eq!(of("image.mbtiles")["format"], "png");
    let described = server.get("/packs/vector.mbtiles/tilejson.json").json();
    assert_eq!(described["vector_layers"][0]["id"], "square");
    assert!(described["bounds"][0].as_f64().is_some_and(|west| (west - 118.0).abs() < 0.01), "{described}");

    // Each tile is that of the file, whose rows are counted from the south.
    let script = "import sqlite3, sys, gzip, hashlib
for z, x, y, data in sqlite3.connect(sys.argv[1]).execute('select zoom_level, tile_column, tile_row, tile_data from tiles'):
    data = gzip.decompress(data) if data[:2] == b'\\x1f\\x8b' else data
    print(f'{z}/{x}/{2**z - 1 - y}', hashlib.sha256(data).hexdigest())";
    for (name, media_type) in [("vector.mbtiles", "application/vnd.mapbox-vector-tile"), ("image.mbtiles", "image/png")]
    {
        let stored = foreign(&python("python"), &["-c", script, &file(name)]);
        assert!(stored.lines().count() >= 2, "{name}: {stored}");
        for line in stored.lines() {
            let (address, digest) = line.split_once(' ').expect("an address");
            let tile = server.get(&format!("/packs/{name}/{address}"));
            assert_eq!((tile.status, tile.header("content-type")), (200, media_type), "{name} {address}");
            let mut own = String::new();
            Sha256::digest(&tile.body).iter().try_for_each(|byte| write!(own, "{byte:02x}")).expect("text");
            assert_eq!(own, digest, "{name} {address}");
        }
    }
    let packed = server.get_with("/packs/vector.mbtiles/8/212/108", ("Accept-Encoding", "gzip"));
    assert_eq!((packed.status, packed.header("content-encoding")), (200, "gzip"));
    assert_eq!(server.get("/packs/vector.mbtiles/8/0/0").status, 204);
    let whole = server.get("/packs/image.mbtiles");
    assert!(whole.body == std::fs::read(file("image.mbtiles")).expect("a file"));
    assert_eq!(whole.header("content-type"), "application/vnd.sqlite3");
}

#[test]
fn a_file_is_served_whole_and_in_ranges() {
    let folder = exported(&["--zooms", "0-14"]);
    let bytes = std::fs::read(folder.file("packs").join(PACK)).expect("a file");
    assert!(bytes.len() > 1_100_000, "the archive is streamed: {}", bytes.len());
    let server = Server::start(&folder, &["--packs", "packs"]);
    let whole = server.get(&format!("/packs/{PACK}"));
    assert!(whole.body == bytes);
    assert_eq!((whole.header("content-type"), whole.header("accept-ranges")), ("application/vnd.pmtiles", "bytes"));
    let head = with_range(&server, "bytes=0-126");
    assert_eq!((head.status, head.header("content-range")), (206, &*format!("bytes 0-126/{}", bytes.len())));
    assert!(head.body == bytes[..127] && head.body.starts_with(b"PMTiles"));
    let end = with_range(&server, "bytes=-10");
    assert!((end.status, &end.body[..]) == (206, &bytes[bytes.len() - 10..]));
    let long = with_range(&server, "bytes=5-");
    assert!((long.status, &long.body[..]) == (206, &bytes[5..]));
    assert_eq!(with_range(&server, &format!("bytes={}-", bytes.len())).status, 416);
    assert_eq!(server.get_with(&format!("/packs/{PACK}"), ("If-None-Match", whole.header("etag"))).status, 304);

    // A file that takes its place is served from then on.
    run_well(&folder, &["export", "--pmtiles", &format!("packs/{PACK}"), "--zooms", "0-3"]);
    assert_eq!(server.get("/packs").json()["packs"][0]["maxzoom"], 3);
    assert_ne!(server.get(&format!("/packs/{PACK}")).header("etag"), whole.header("etag"));
    // A damaged one is told and stops nothing else.
    std::fs::write(folder.file("packs").join("broken.pmtiles"), b"PMTiles").expect("a file");
    let listed = server.get("/packs").json();
    assert!(listed["packs"][0]["unavailable"].is_string() && listed["packs"][1]["name"] == PACK, "{listed}");
    std::fs::write(folder.file("secret.txt"), b"secret").expect("a file");
    for name in [
        "..%2Fonemap.gpkg.token",
        "..%2f..%2fetc%2fpasswd",
        "secret.txt",
        ".pmtiles",
        "none.pmtiles",
        "%2Fetc%2Fpasswd",
    ] {
        assert_eq!(server.get(&format!("/packs/{name}")).status, 404, "{name}");
    }
}

#[test]
fn an_archive_for_a_role_is_given_to_no_lower_one() {
    let folder = exported(&["--role", "dispatcher", "--zooms", "0-9"]);
    let secret = account(&folder, "指挥中心", &["--role", "dispatcher"]);
    let viewer = account(&folder, "大屏", &["--role", "viewer"]);
    let server = Server::start(&folder, &["--packs", "packs"]);
    for path in ["", "/tilejson.json", "/9/425/217"] {
        let path = format!("/packs/{PACK}{path}");
        assert_eq!((get(&server, &secret, &path).status, get(&server, &viewer, &path).status), (200, 404), "{path}");
        assert_eq!(server.get(&path).status, 404, "{path}");
    }
    assert_eq!(get(&server, &viewer, "/packs").json()["packs"], Json::Array(Vec::new()));
    let layers = get(&server, &secret, &format!("/packs/{PACK}/tilejson.json")).json();
    assert!(layers["vector_layers"].as_array().expect("layers").iter().any(|own| own["id"] == "pipelines"));
}

#[test]
fn an_export_that_fails_or_is_interrupted_leaves_nothing() {
    let folder = exported(&["--zooms", "0"]);
    let files = |folder: &Folder| {
        let names =
            std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        names
            .filter(|name| Path::new(name).extension().is_some_and(|own| own == "pmtiles" || own == "unfinished"))
            .count()
    };
    for (options, expected) in [
        (&["--pmtiles", "none/a.pmtiles"][..], "cannot write none/a.pmtiles: No such file"),
        (&["--pmtiles", "a.pmtiles", "--layers", "nope"], "unknown layer \"nope\"; accepted: county, "),
        (&["--pmtiles", "a.pmtiles", "--zooms", "3-40"], "accepted: FIRST-LAST with zooms of 0 to 16"),
        (&["--pmtiles", "a.pmtiles", "--bbox", "118,26,119"], "accepted: WEST,SOUTH,EAST,NORTH in degrees"),
        (&["--pmtiles", "a.pmtiles", "--role", "boss"], "is no role"),
        (&["--pmtiles", "a.pmtiles", "--layer", "shelters"], "cannot be used with"),
        (&["--zooms", "3-4"], "required"),
    ] {
        let failed = run(&folder, &[&["export"], options].concat());
        let message = String::from_utf8_lossy(&failed.stderr);
        assert!(!failed.status.success() && message.contains(expected), "{options:?}: {message}");
    }
    let mut slow =
        onemap(&folder, &["export", "--pmtiles", "a.pmtiles", "--zooms", "0-16"]).spawn().expect("a process");
    crate::support::await_that("the export writes", || folder.file("a.pmtiles.unfinished").exists());
    foreign("kill", &["-INT", &slow.id().to_string()]);
    assert_eq!(slow.wait().expect("an end").code(), Some(130));
    assert_eq!(files(&folder), 0);
}
