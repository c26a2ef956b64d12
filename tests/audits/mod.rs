//! Audits, compared with SQL over PostGIS on the same county.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::listener::edit;
use crate::support::node::script_well;
use crate::support::{Folder, Server, await_that};

/// Edges are straight in degrees here and geodesics in PostGIS; densified, they differ by less than this, metres.
const AGREEMENT_M: f64 = 0.01;

/// Ready shelters with free places, as SQL.
const READY_SHELTERS: &str = "SELECT id, geom FROM onemap.shelters WHERE status IN ('standby', 'opening', 'open') \
    AND capacity - occupancy - coalesce(promised, 0) >= 1";

fn rows(url: &str, sql: &str) -> Vec<Vec<String>> {
    psql(url, sql).lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

fn metres(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no distance"))
}

#[test]
fn places_in_risk_zones_equal_those_of_postgis() {
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    for (hazards, level, margin_m) in [("landslide,debris_flow,flood", 4, 0), ("landslide", 2, 150), ("flood", 4, 300)]
    {
        let list = hazards.replace(',', "','");
        let sites = "SELECT 'shelters' AS layer, id, geom, capacity AS people FROM onemap.shelters \
            UNION ALL SELECT 'key_places', id, geom, people FROM onemap.key_places \
            UNION ALL SELECT 'hazards', id, geom, NULL FROM onemap.hazards WHERE unit = 'crowded'";
        let zones = format!(
            "SELECT id, ST_Segmentize(geom, 0.002) AS geom FROM onemap.risk_zones WHERE hazard IN ('{list}') AND risk_level <= {level}"
        );
        let pairs = rows(
            &url,
            &format!(
                "WITH site AS ({sites}), zone AS ({zones}) \
                 SELECT site.layer, site.id, zone.id, ST_Intersects(site.geom, zone.geom), \
                   ST_Distance(site.geom::geography, ST_Boundary(zone.geom)::geography), site.people \
                 FROM site JOIN zone ON ST_DWithin(site.geom::geography, zone.geom::geography, {margin_m})"
            ),
        );
        let shelters = rows(
            &url,
            &format!(
                "WITH site AS MATERIALIZED ({sites}), zone AS MATERIALIZED ({zones}), \
                   safe AS MATERIALIZED ({READY_SHELTERS} AND NOT EXISTS (SELECT FROM zone WHERE \
                     ST_DWithin(zone.geom::geography, shelters.geom::geography, {margin_m}))) \
                 SELECT site.id, near.id, near.metres FROM site CROSS JOIN LATERAL (SELECT safe.id, \
                   ST_Distance(site.geom::geography, safe.geom::geography) AS metres FROM safe ORDER BY 2, 1 LIMIT 1) near \
                 WHERE EXISTS (SELECT FROM zone WHERE ST_DWithin(zone.geom::geography, site.geom::geography, {margin_m}))"
            ),
        );
        let safe: BTreeMap<&str, (&str, f64)> =
            shelters.iter().map(|row| (row[0].as_str(), (row[1].as_str(), metres(&row[2])))).collect();
        let path = format!("/api/audits/siting?hazard={hazards}&level={level}&margin_m={margin_m}");
        let answer = server.get(&path).json();
        let features = answer["features"].as_array().expect("features");
        assert!(!pairs.is_empty(), "the sample has findings");
        assert_eq!(features.len(), pairs.len(), "{path}");
        for pair in &pairs {
            let [layer, id, zone, inside, edge, people] = &pair[..] else { panic!("{pair:?}") };
            let found = features
                .iter()
                .map(|feature| &feature["properties"])
                .find(|own| own["id"] == **id && own["zone"] == **zone);
            let found = found.unwrap_or_else(|| panic!("{path} lacks {id} in {zone}"));
            assert_eq!(found["layer"], **layer);
            assert_eq!(found["inside"], json!(inside == "t"));
            assert_eq!(found["people"], people.parse::<i64>().map_or(Json::Null, |people| json!(people)));
            let close = |found: &Json, expected: f64| (found.as_f64().expect("metres") - expected).abs() < AGREEMENT_M;
            // PostGIS may miss the nearest position on an edge by some centimetres, so the server's distance may be
            // shorter, but not longer.
            let missed = metres(edge) - found["edge_m"].as_f64().expect("metres");
            assert!((-AGREEMENT_M..0.5).contains(&missed), "{path}: {found} against {edge}");
            let (shelter, shelter_m) = safe[id.as_str()];
            assert_eq!(found["safe_shelter"]["id"], shelter, "{path}: {found}");
            assert!(close(&found["safe_shelter"]["distance_m"], shelter_m), "{path}: {found}");
        }
        let order: Vec<(i64, bool)> = features
            .iter()
            .map(|own| {
                (own["properties"]["risk_level"].as_i64().expect("a level"), own["properties"]["inside"] == false)
            })
            .collect();
        assert!(order.is_sorted(), "the worst comes first");
        let table = String::from_utf8(server.get(&format!("{path}&f=csv")).body).expect("text");
        assert_eq!(table.lines().count(), pairs.len() + 1);
    }
}

#[test]
fn the_table_of_an_audit_is_in_the_callers_coordinates() {
    let (_folder, server) = Server::of_sample();
    let place = |path: &str| {
        let table = String::from_utf8(server.get(path).body).expect("text");
        let cells = table.lines().nth(1).expect("a row").split(',').map(str::to_owned).collect::<Vec<_>>();
        (metres(&cells[3]), metres(&cells[4]))
    };
    let (plain, shifted) = (place("/api/audits/siting?f=csv"), place("/api/audits/siting?f=csv&crs=gcj02"));
    assert!((shifted.0 - plain.0).abs() > 0.001 && (shifted.1 - plain.1).abs() > 0.001, "{plain:?} {shifted:?}");
}

#[test]
fn invalid_audits_are_refused() {
    let (_folder, server) = Server::of_sample();
    for (path, parameter, accepted) in [
        ("/api/audits/siting?hazard=war", "hazard", "flood"),
        ("/api/audits/siting?layer=pipelines", "layer", "shelters"),
        ("/api/audits/siting?layer=nope", "layer", "shelters"),
        ("/api/audits/siting?margin_m=-1", "margin_m", "0 to 10000"),
        ("/api/audits/siting?level=5", "level", "1 to 4"),
        ("/api/audits/siting?f=xlsx", "f", "csv"),
        ("/api/coverage?layer=hazards", "layer", "villages"),
        ("/api/coverage?shelter_m=NaN", "shelter_m", "metres"),
        ("/api/coverage?people=0", "people", "1 to"),
        ("/api/coverage?beyond=perhaps", "beyond", "true, false"),
        ("/api/coverage?crs=EPSG:99999", "crs", "EPSG:4490"),
    ] {
        let reply = server.get(path);
        let body = reply.json();
        assert!((400..500).contains(&reply.status) && body["parameter"] == parameter, "{path}: {body}");
        assert!(body["accepted"].to_string().contains(accepted), "{path}: {body}");
    }
}

#[test]
fn distances_of_villages_to_help_equal_those_of_postgis() {
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    let answer = server.get("/api/coverage?shelter_m=1500&team_m=9000&depot_m=6000").json();
    let help = [
        ("shelter", READY_SHELTERS.to_owned(), 1_500.0),
        ("team", "SELECT id, geom FROM onemap.teams WHERE status IN ('standby', 'training')".to_owned(), 9_000.0),
        (
            "depot",
            "SELECT id, geom FROM onemap.depots WHERE coalesce(agreement_until >= (now() AT TIME ZONE '+08')::date, true) \
               AND EXISTS (SELECT FROM jsonb_array_elements(stock::jsonb) lot WHERE \
                 (lot->>'quantity')::numeric > coalesce((lot->>'promised')::numeric, 0) AND \
                 coalesce((lot->>'expires_on')::date >= (now() AT TIME ZONE '+08')::date, true))"
                .to_owned(),
            6_000.0,
        ),
    ];
    let features = answer["features"].as_array().expect("features");
    assert_eq!(features.len(), 292);
    let mut beyond: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, sql, limit_m) in &help {
        let expected = rows(
            &url,
            &format!(
                "SELECT villages.id, near.id, near.metres FROM onemap.villages CROSS JOIN LATERAL \
                 (SELECT help.id, ST_Distance(villages.geom::geography, help.geom::geography) AS metres \
                  FROM ({sql}) help ORDER BY 2, 1 LIMIT 1) near"
            ),
        );
        assert_eq!(expected.len(), 292);
        for row in expected {
            let found = features.iter().find(|own| own["id"] == *row[0]).expect("the village");
            assert_eq!(found["properties"][name], *row[1], "{found}");
            let ours = found["properties"][format!("{name}_m")].as_f64().expect("metres");
            assert!((ours - metres(&row[2])).abs() < AGREEMENT_M, "{found} against {}", row[2]);
            if metres(&row[2]) > *limit_m {
                beyond.entry(row[0].clone()).or_default().push(name);
            }
        }
    }
    assert!(!beyond.is_empty());
    for feature in features {
        let expected = beyond.get(feature["id"].as_str().expect("an id")).cloned().unwrap_or_default();
        assert_eq!(feature["properties"]["beyond"], json!(expected), "{feature}");
    }
    let townships = answer["townships"].as_array().expect("townships");
    assert_eq!(townships.len(), 16);
    let people = psql(&url, "SELECT sum(population) FROM onemap.villages");
    let sum: i64 = townships.iter().map(|own| own["people"].as_i64().expect("people")).sum();
    assert_eq!(sum.to_string(), people.trim());
    let places: u64 = townships.iter().map(|own| own["places_beyond"].as_u64().expect("places")).sum();
    assert_eq!(places, beyond.len() as u64);
    assert!(townships.iter().all(|own| own["name"].is_string()));
}

#[test]
fn coverage_tiles_equal_the_audit() {
    let (folder, server) = Server::of_sample();
    let beyond = || -> BTreeMap<String, u64> {
        let answer = server.get("/api/coverage").json();
        let features = answer["features"].as_array().expect("features");
        let count = |own: &Json| own["properties"]["beyond"].as_array().map_or(0, Vec::len) as u64;
        features.iter().map(|own| (own["id"].as_str().expect("an id").to_owned(), count(own))).collect()
    };
    let drawn = || -> BTreeMap<String, u64> {
        let arguments = [server.url.as_str(), "coverage", "9", "9", "118.4", "25.8", "119.15", "26.7"];
        let lines = script_well("tiles/decode.mjs", &arguments);
        let tiles = lines.lines().map(|line| serde_json::from_str::<Json>(line).expect("a line of JSON"));
        let features = tiles.flat_map(|tile| tile["layers"]["coverage"].as_array().cloned().unwrap_or_default());
        let summary = |own: Json| {
            let properties = &own["properties"];
            Some((properties["id"].as_str()?.to_owned(), properties["beyond"].as_u64()?))
        };
        features.filter_map(summary).collect()
    };
    let before = beyond();
    assert_eq!(drawn(), before);
    let fields = server.get("/tiles/coverage").json()["vector_layers"][0]["fields"].clone();
    assert!(fields["shelter_m"] == "Number" && fields["beyond"] == "Number", "{fields}");
    // A status change far away changes the coverage of a village.
    edit(&folder.file("onemap.gpkg"), "UPDATE teams SET status = 'out'");
    await_that("no team is ready", || beyond() != before);
    assert!(drawn().values().all(|count| *count >= 1), "no team is ready anywhere");
    assert_eq!(drawn(), beyond());
}
