//! Roads of OpenStreetMap extracts, written here message by message.

use serde_json::{Value as Json, json};

use super::{exported, import};
use crate::support::{Folder, Server, run_well};

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

fn zigzag(number: i64) -> Vec<u8> {
    varint(((number << 1) ^ (number >> 63)).cast_unsigned())
}

/// A field of Protocol Buffers with a length.
fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn number(field: u64, encoded: &[u8]) -> Vec<u8> {
    [varint(field << 3), encoded.to_vec()].concat()
}

/// Differences, as lists are stored.
fn deltas(numbers: impl IntoIterator<Item = i64>) -> Vec<u8> {
    let mut last = 0;
    numbers.into_iter().flat_map(|number| zigzag(number - std::mem::replace(&mut last, number))).collect()
}

fn blob(kind: &str, content: &[u8]) -> Vec<u8> {
    let body = bytes(1, content);
    let header = [bytes(1, kind.as_bytes()), number(3, &varint(body.len() as u64))].concat();
    let length = u32::try_from(header.len()).expect("a short header");
    [length.to_be_bytes().to_vec(), header, body].concat()
}

/// A way: id, nodes, tags.
type Way<'a> = (i64, &'a [i64], &'a [(&'a str, &'a str)]);

/// An extract. The last node is stored by itself, the others together.
fn extract(features: &[&str], nodes: &[(i64, i64, i64)], ways: &[Way<'_>]) -> Vec<u8> {
    let features = features.iter().flat_map(|name| bytes(4, name.as_bytes())).collect::<Vec<u8>>();
    let mut texts = vec![""];
    let mut group = Vec::new();
    for (id, refs, tags) in ways {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (key, value) in *tags {
            keys.extend(varint(texts.len() as u64));
            values.extend(varint(texts.len() as u64 + 1));
            texts.extend([key, value]);
        }
        let refs = deltas(refs.iter().copied());
        let way = [number(1, &varint(id.cast_unsigned())), bytes(2, &keys), bytes(3, &values), bytes(8, &refs)];
        group.extend(bytes(3, &way.concat()));
    }
    let (last, dense) = nodes.split_last().expect("nodes");
    let column = |field, of: fn(&(i64, i64, i64)) -> i64| bytes(field, &deltas(dense.iter().map(of)));
    let dense = [column(1, |node| node.0), column(8, |node| node.2), column(9, |node| node.1)].concat();
    let last = [number(1, &zigzag(last.0)), number(8, &zigzag(last.2)), number(9, &zigzag(last.1))].concat();
    let texts: Vec<u8> = texts.iter().flat_map(|text| bytes(1, text.as_bytes())).collect();
    let nodes = bytes(2, &[bytes(2, &dense), bytes(1, &last)].concat());
    let data = [bytes(1, &texts), nodes, bytes(2, &group)].concat();
    [blob("OSMHeader", &features), blob("OSMData", &data)].concat()
}

/// Positions in units of 1e-7 degrees.
const NODES: [(i64, i64, i64); 5] = [
    (1, 1_188_000_001, 262_000_001),
    (2, 1_188_100_003, 262_000_007),
    (3, 1_188_200_000, 262_000_000),
    (9_000_000_001, 1_188_100_000, 262_100_000),
    (5, 1_188_300_000, 262_000_000),
];
const FEATURES: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];

fn at(node: usize) -> Json {
    let (_, lon, lat) = NODES[node - 1];
    #[expect(clippy::cast_precision_loss, reason = "nine digits are exact")]
    let degrees = |units: i64| units as f64 / 1e7;
    json!([degrees(lon), degrees(lat)])
}

#[test]
fn ways_of_an_extract_become_roads() {
    let folder = Folder::new();
    let far = 9_000_000_001;
    let ways: [Way<'_>; 13] = [
        (
            11,
            &[1, 2, 3],
            &[("highway", "trunk"), ("name", "G316"), ("name:zh", "国道"), ("maxweight", "20 t"), ("maxheight", "4.2")],
        ),
        (
            12,
            &[2, far],
            &[("highway", "residential"), ("oneway", "-1"), ("maxheight", "default"), ("maxweight", "5 st")],
        ),
        (13, &[3, 5], &[("highway", "motorway"), ("ref", "G70")]),
        (14, &[1, 2], &[("highway", "motorway_link"), ("oneway", "no")]),
        (15, &[1, 2, far, 1], &[("highway", "tertiary"), ("junction", "roundabout")]),
        (16, &[3, 5], &[("highway", "secondary"), ("access", "no")]),
        (17, &[3, 5], &[("highway", "primary"), ("access", "no"), ("motor_vehicle", "yes")]),
        (18, &[3, 5], &[("highway", "construction"), ("construction", "unclassified")]),
        // Between the nodes that an extract lacks nothing is known.
        (19, &[1, 2, 777, 3, 5], &[("highway", "track")]),
        // No roads that motor vehicles may use (16 and 18 neither).
        (20, &[1, 2], &[("highway", "footway")]),
        (21, &[1, 2], &[("waterway", "river")]),
        (22, &[1, 2, 3, 1], &[("highway", "service"), ("area", "yes")]),
        (23, &[1, 2], &[("highway", "construction"), ("construction", "cycleway")]),
    ];
    std::fs::write(folder.file("a.osm.pbf"), extract(&FEATURES, &NODES, &ways)).expect("a file");
    run_well(&folder, &["import", "a.osm.pbf", "--layer", "roads"]);
    let found = exported(&folder, "roads");
    let told = |own: &Json| {
        let of = |field: &str| own["properties"][field].clone();
        json!([own["id"], of("name"), of("class"), of("status"), of("oneway"), own["geometry"]["coordinates"]])
    };
    let expected = json!([
        ["way-11", "国道", "national", null, false, [at(1), at(2), at(3)]],
        ["way-12", null, null, null, true, [at(4), at(2)]],
        ["way-13", "G70", "expressway", null, true, [at(3), at(5)]],
        ["way-14", null, "expressway", null, false, [at(1), at(2)]],
        ["way-15", null, "township", null, true, [at(1), at(2), at(4), at(1)]],
        ["way-17", null, "provincial", null, false, [at(3), at(5)]],
        ["way-19", null, null, null, false, [[at(1), at(2)], [at(3), at(5)]]],
    ]);
    assert_eq!(Json::from(found.iter().map(told).collect::<Vec<_>>()), expected);
    let limits =
        |own: &Json| ["max_height_m", "max_width_m", "max_weight_t"].map(|name| own["properties"][name].clone());
    assert_eq!(limits(&found[0]), [json!(4.2), Json::Null, json!(20.0)]);
    // Other units and words are no limit that is known.
    assert_eq!(limits(&found[1]), [Json::Null, Json::Null, Json::Null]);

    // Roads meet in their common nodes.
    let server = Server::start(&folder, &[]);
    let route = server.get("/api/routes?from=118.81,26.21&to=118.82,26.2").json();
    assert!(route["features"].is_array() && route.to_string().contains("way-12"), "{route}");
    drop(server);

    // The next extract lacks a road and changes another; what is closed stays closed.
    crate::support::listener::edit(
        &folder.file("onemap.gpkg"),
        "UPDATE roads SET status = 'closed' WHERE id = 'way-13';",
    );
    let ways: [Way<'_>; 2] = [(11, &[1, 2], &[("highway", "trunk")]), (13, &[3, 5], &[("highway", "motorway")])];
    std::fs::write(folder.file("b.osm.pbf"), extract(&FEATURES, &NODES, &ways)).expect("a file");
    let (code, log) = import(&folder, &["b.osm.pbf", "--layer", "roads", "--update"]);
    assert!(code == Some(0) && log.contains("new=0 changed=1 unchanged=1"), "{log}");
    assert_eq!(exported(&folder, "roads")[0]["geometry"]["coordinates"], json!([at(1), at(2)]));
    let (code, log) = import(&folder, &["b.osm.pbf", "--layer", "roads", "--replace"]);
    assert!(code == Some(0) && log.contains("removed=5"), "{log}");
    assert_eq!(exported(&folder, "roads")[1]["properties"]["status"], "closed");
}

#[test]
fn damaged_extracts_are_refused() {
    let road: Way<'_> = (11, &[1, 2], &[("highway", "trunk")]);
    let whole = extract(&FEATURES, &NODES, &[road]);
    let headless = whole[whole.len() / 2..].to_vec();
    let history = extract(&["OsmSchema-V0.6", "HistoricalInformation"], &NODES, &[road]);
    let nowhere = extract(&FEATURES, &NODES, &[(11, &[1, 777, 2], &[("highway", "trunk")])]);
    for (name, content, code, reason) in [
        ("empty.pbf", Vec::new(), 1, "it is empty"),
        ("headless.pbf", headless, 1, "is not OpenStreetMap PBF"),
        ("history.pbf", history, 1, "HistoricalInformation"),
        ("cut.pbf", whole[..whole.len() - 9].to_vec(), 3, "not read further"),
        ("nowhere.pbf", nowhere, 3, "no two nodes in a row"),
    ] {
        let folder = Folder::new();
        std::fs::write(folder.file(name), content).expect("a file");
        let (found, log) = import(&folder, &[name, "--layer", "roads"]);
        assert!(found == Some(code) && log.contains(reason) && !log.contains("panicked"), "{name}: {found:?} {log}");
        assert!(!folder.file("onemap.gpkg").exists(), "{name}: nothing is stored");
    }
}
