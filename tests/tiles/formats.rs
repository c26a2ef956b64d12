//! MapLibre Tiles and Mapbox Vector Tiles of the same address, by a foreign decoder of each.

use std::collections::BTreeMap;

use onemap::geodesy::LonLat;
use onemap::tile::{TileAddress, TileMatrixSet};
use serde_json::Value as Json;

use super::layers;
use crate::support::node::script_well;
use crate::support::{Server, encoded};

#[test]
fn both_formats_have_the_same_features() {
    let (_folder, server) = Server::of_sample();
    let layers = layers(&server);
    let names: Vec<&str> = layers.iter().map(|layer| layer["id"].as_str().expect("an id")).collect();
    let corners = [(118.86, 26.22), (118.7, 26.1), (118.95, 26.35), (118.6, 26.45)];
    let address = |(zoom, (lon, lat)): (u8, (f64, f64))| {
        TileAddress::at(TileMatrixSet::WebMercatorQuad, LonLat::new(lon, lat).expect("a place"), zoom).to_string()
    };
    let addresses: Vec<String> = (0..=16).flat_map(|zoom| corners.map(|corner| address((zoom, corner)))).collect();
    let names = names.join(",");
    let mut arguments = vec![server.url.as_str(), &names];
    arguments.extend(addresses.iter().map(String::as_str));
    let mut sizes = [0; 2];
    let mut count = 0;
    for line in script_well("tiles/formats.mjs", &arguments).lines() {
        let tile: Json = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(tile["difference"], Json::Null, "{line}");
        let features = tile["features"].as_u64().expect("a number");
        if features == 0 {
            continue;
        }
        assert_eq!(tile["types"][0], "application/vnd.mapbox-vector-tile");
        assert_eq!(tile["types"][1], "application/vnd.maplibre-tile");
        count += features;
        for (format, total) in sizes.iter_mut().enumerate() {
            *total += tile["gzip"][format].as_u64().expect("a size");
        }
    }
    assert!(count > 5_000, "{count} features");
    assert!(sizes[1] * 100 < sizes[0] * 85, "compressed bytes of MVT and of MLT: {sizes:?}");
}

#[test]
fn a_client_chooses_the_format_by_name_extension_or_media_type() {
    let (_folder, server) = Server::of_sample();
    let (mvt, mlt) = ("application/vnd.mapbox-vector-tile", "application/vnd.maplibre-tile");
    let path = "/tiles/shelters/9/425/217";
    let type_of = |path: &str, accept: &str| {
        let reply = server.get_with(path, ("Accept", accept));
        assert_eq!(reply.status, 200, "{path} {accept}");
        assert!(reply.header("vary").split(", ").any(|own| own == "Accept"), "{path}");
        reply.header("content-type").to_owned()
    };
    for accept in ["*/*", mvt, "application/x-protobuf", "text/html"] {
        assert_eq!(type_of(path, accept), mvt, "{accept}");
    }
    assert_eq!(type_of(path, mlt), mlt);
    assert_eq!(type_of(path, &format!("{mvt};q=0.5, {mlt}")), mlt);
    assert_eq!(type_of(&format!("{path}?f=mvt"), mlt), mvt);
    assert_eq!(type_of(&format!("{path}.mlt"), "*/*"), mlt);
    assert_eq!(type_of(&format!("{path}.pbf"), mlt), mvt);
    let (first, second) = (server.get(&format!("{path}?f=mlt")), server.get(&format!("{path}.mlt")));
    assert_eq!((&first.body, first.header("etag")), (&second.body, second.header("etag")));
    assert_ne!(first.header("etag"), server.get(path).header("etag"));
    let refused = server.get(&format!("{path}?f=png"));
    assert_eq!((refused.status, &refused.json()["parameter"]), (400, &Json::from("f")));

    let described = server.get("/tiles/shelters?f=mlt").json();
    assert_eq!(described["encoding"], "mlt");
    assert!(described["tiles"][0].as_str().expect("an address").ends_with("?f=mlt"));
    let collection = "/ogc/collections/shelters/tiles/WebMercatorQuad/9/217/425";
    assert_eq!(type_of(collection, mlt), mlt);
    assert_eq!(server.get_with(collection, ("Accept", "text/html")).status, 406);
}

#[test]
fn tiles_are_compressed_as_the_client_prefers() {
    let (_folder, server) = Server::of_sample();
    let path = "/tiles/hazards,shelters/9/425/217";
    let plain = server.get(path).body.len();
    for encoding in ["gzip", "br", "zstd"] {
        let reply = server.get_with(path, ("Accept-Encoding", encoding));
        assert_eq!(reply.header("content-encoding"), encoding);
        assert!(reply.body.len() < plain, "{encoding}");
    }
}

#[test]
fn a_repeated_request_gets_the_same_reply() {
    let (_folder, server) = Server::of_sample();
    let facts = |path: &str, header: (&str, &str)| {
        let reply = server.get_with(path, header);
        let mut headers: Vec<(String, String)> = reply
            .headers
            .iter()
            .filter(|(name, _)| !["date", "age", "x-request-id"].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        headers.sort();
        (reply.status, headers, reply.body)
    };
    let tile = "/tiles/shelters,townships/10/849/434";
    let mut replies = Vec::new();
    let filtered = format!("{tile}?filter={}", encoded("name LIKE '%小学%'"));
    for path in [tile.to_owned(), format!("{tile}?f=mlt"), format!("{tile}?datum=gcj02"), filtered] {
        for encoding in ["identity", "gzip", "br", "zstd", "gzip;q=0, br"] {
            let first = facts(&path, ("Accept-Encoding", encoding));
            assert_eq!(first.0, 200, "{path}");
            for _ in 0..2 {
                assert_eq!(facts(&path, ("Accept-Encoding", encoding)), first, "{path} {encoding}");
            }
            replies.push(first.2);
        }
        let mlt = facts(&path, ("Accept", "application/vnd.maplibre-tile"));
        assert_eq!(facts(&path, ("Accept", "application/vnd.maplibre-tile")), mlt, "{path}");
    }
    replies.sort();
    replies.dedup();
    assert_eq!(replies.len(), 16, "four tiles in four encodings");
}

#[test]
fn the_datum_of_chinese_maps_shifts_tiles_by_its_exact_offset() {
    let (_folder, server) = Server::of_sample();
    let features = |query: &str| {
        let zoom = 16;
        let mut places: BTreeMap<String, geo::Coord> = BTreeMap::new();
        let bounds = ["118.84", "26.2", "118.88", "26.24"];
        for tile in super::decoded::tiles(&server, &["shelters"], zoom..=zoom, bounds, query) {
            for own in tile.layers.get("shelters").into_iter().flatten() {
                let geo::Geometry::Point(point) = own.geometry else { panic!("no point") };
                if let Some(id) = own.id() {
                    places.insert(id.to_owned(), point.0);
                }
            }
        }
        places
    };
    let (own, shifted) = (features(""), features("?datum=gcj02"));
    let to_units = super::decoded::units(16);
    let mut compared = 0;
    for (id, at) in &shifted {
        if !own.contains_key(id) {
            continue;
        }
        let item = server.get(&format!("/ogc/collections/shelters/items/{id}")).json();
        let (lon, lat) = (&item["geometry"]["coordinates"][0], &item["geometry"]["coordinates"][1]);
        let place = LonLat::new(lon.as_f64().expect("a number"), lat.as_f64().expect("a number")).expect("a place");
        let expected = onemap::geodesy::gcj02::to_gcj02(place);
        let expected = to_units(geo::Coord { x: expected.lon(), y: expected.lat() });
        assert!((expected.x - at.x).abs() <= 0.51 && (expected.y - at.y).abs() <= 0.51, "{id}: {expected:?} {at:?}");
        compared += 1;
    }
    assert!(compared >= 5, "{compared} shelters");
    let tile_json = server.get("/tiles/shelters?datum=gcj02").json();
    assert!(tile_json["tiles"][0].as_str().expect("an address").ends_with("?datum=gcj02"));
    assert_eq!(server.get("/tiles/shelters/9/425/217?datum=bd09").status, 400);
}
