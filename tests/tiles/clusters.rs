//! Clusters count every feature exactly once at every zoom, with and without a filter, and list their members.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small random numbers and counts"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use geo::{Coord, Geometry};
use onemap::model::Catalog;
use serde_json::Value as Json;

use super::decoded::{COUNTY, Decoded, WORLD, by_layer, count_at, tiles, units};
use super::features;
use crate::support::listener::{Listener, edit, point_literal};
use crate::support::{Server, chances, encoded};

/// The clustered layers of the catalog.
fn clustered() -> Vec<&'static str> {
    let catalog: &'static Catalog = Box::leak(Box::new(Catalog::built_in().expect("a catalog")));
    catalog.layers.iter().filter(|layer| layer.clusters.is_some()).map(|layer| layer.id.as_str()).collect()
}

/// Number of features of a layer that match a query such as `?ids=a`.
fn matched(server: &Server, layer: &str, query: &str) -> f64 {
    let query = if query.is_empty() { "?".to_owned() } else { format!("{query}&") };
    let page = server.get(&format!("/ogc/collections/{layer}/items{query}limit=1")).json();
    page["numberMatched"].as_f64().unwrap_or_else(|| panic!("{page}"))
}

fn assert_counts(
    server: &Server,
    layers: &[&str],
    zooms: std::ops::RangeInclusive<u8>,
    bounds: [&str; 4],
    query: &str,
) {
    let all = by_layer(tiles(server, layers, zooms.clone(), bounds, query));
    for layer in layers {
        let expected = matched(server, layer, query);
        let own = all.get(*layer).map_or(&[][..], Vec::as_slice);
        for zoom in zooms.clone() {
            assert!(
                (count_at(zoom, own) - expected).abs() < 0.5,
                "{layer}{query} at zoom {zoom}: {} of {expected}",
                count_at(zoom, own)
            );
        }
        for cluster in own.iter().filter(|own| own.id().is_none()) {
            assert!(cluster.number_of("count") >= 2.0, "a cell of one feature is that feature: {cluster:?}");
        }
    }
}

#[test]
fn counts_add_up_at_every_zoom_and_under_filters() {
    let (_folder, server) = Server::of_sample();
    assert_counts(&server, &clustered(), 0..=14, COUNTY, "");
    let filters = [
        ("hazards", "risk_level=1"),
        ("hazards", "risk_level IN (2,3) AND unit='crowded'"),
        ("shelters", "kind='building'"),
        ("shelters", "status='open' OR capacity>100"),
        ("risk_zones", "hazard='flood'"),
        ("hidden_dangers", "level='major'"),
        ("teams", "people>=10"),
        ("villages", "population IS NOT NULL"),
        ("pipelines", "kind='gas'"),
        ("geo_hazard_points", "risk_level=9"),
    ];
    for (layer, filter) in filters {
        assert_counts(&server, &[layer], 0..=12, COUNTY, &format!("?filter={}", encoded(filter)));
    }
}

#[test]
fn counts_add_up_after_random_edits_and_beyond_the_square_world() {
    let (folder, server) = Server::of_sample();
    let mut changes = Listener::open(&server, "?layers=hazards");
    let mut chance = chances(11);
    let layers = ["hazards", "shelters"];
    for round in 0..3 {
        let mut statements = String::new();
        for _ in 0..150 {
            let nth = format!("(select id from hazards order by id limit 1 offset {})", (chance() * 1_800.0) as u32);
            // Most are close to each other, some at the edges of the world.
            let (lon, lat) = if chance() < 0.8 {
                (118.6 + 0.4 * chance(), 26.0 + 0.5 * chance())
            } else {
                (360.0 * chance() - 180.0, 180.0 * chance() - 90.0)
            };
            match (chance() * 10.0) as u32 {
                0 => write!(statements, "delete from hazards where id = {nth};"),
                1 => write!(statements, "update hazards set risk_level = 1 + {round} where id = {nth};"),
                _ => write!(statements, "update hazards set geom = {} where id = {nth};", point_literal(lon, lat)),
            }
            .expect("text");
        }
        for (at, (lon, lat)) in [(10.0, 89.9), (-180.0, -90.0), (180.0, 90.0), (180.0, 0.0)].into_iter().enumerate() {
            let id = format!("(select id from shelters order by id limit 1 offset {at})");
            write!(statements, "update shelters set geom = {} where id = {id};", point_literal(lon, lat))
                .expect("text");
        }
        edit(&folder.file("onemap.gpkg"), &statements);
        changes.change();
        assert_counts(&server, &layers, 0..=4, WORLD, "");
        assert_counts(&server, &["hazards"], 0..=4, WORLD, &format!("?filter={}", encoded("risk_level=1")));
    }
}

/// A cluster as the server lists it, and its members over all pages.
fn cluster(server: &Server, layer: &str, number: u64) -> (Json, Vec<Json>) {
    let mut members: Vec<Json> = Vec::new();
    loop {
        let after = members.last().map(|last| format!("&after={}", last["id"].as_str().expect("an id")));
        let path = format!("/api/clusters/{layer}/{number}?limit=1000{}", after.unwrap_or_default());
        let page = server.get(&path).json();
        let found = page["features"].as_array().expect("features").clone();
        let is_last = found.len() < 1000;
        members.extend(found);
        if is_last {
            return (page, members);
        }
    }
}

#[test]
fn a_cluster_is_the_sum_of_its_members() {
    let (_folder, server) = Server::of_sample();
    let catalog = Catalog::built_in().expect("a catalog");
    let all = by_layer(tiles(&server, &["hazards", "shelters", "villages", "risk_zones"], 6..=9, COUNTY, ""));
    for (name, decoded) in &all {
        let config = catalog.layer(name).and_then(|layer| layer.clusters.as_ref()).expect("clusters");
        let source: BTreeMap<String, Json> = features(&server, name)
            .into_iter()
            .map(|own| (own["id"].as_str().expect("an id").to_owned(), own))
            .collect();
        let clusters: Vec<&Decoded> = decoded.iter().filter(|own| own.id().is_none()).collect();
        assert!(!clusters.is_empty(), "{name}");
        let numbers: BTreeSet<u64> = clusters.iter().map(|own| own.number).collect();
        assert_eq!(numbers.len(), clusters.len(), "{name}: two clusters share an id");
        for own in clusters {
            let (listed, members) = cluster(&server, name, own.number);
            assert!((own.number_of("count") - members.len() as f64).abs() < 0.5, "{own:?}");
            assert_eq!(listed["count"].as_u64().expect("a count"), members.len() as u64);
            let bounds: Vec<String> = listed["bbox"]
                .as_array()
                .expect("a box")
                .iter()
                .map(|edge| format!("{:.6}", edge.as_f64().expect("a number")))
                .collect();
            assert_eq!(own.properties["bbox"], bounds.join(","));
            let members: Vec<&Json> =
                members.iter().map(|member| &source[member["id"].as_str().expect("an id")]).collect();
            if let Some(severity) = &config.severity {
                let codes: Vec<&Json> = members.iter().map(|member| &member["properties"][&severity.field]).collect();
                let counts: f64 = severity.property_names().map(|name| own.number_of(&name)).sum();
                assert!((counts - own.number_of("count")).abs() < 0.5, "{own:?}");
                let worst = codes.iter().filter_map(|code| code.as_u64()).min();
                assert_eq!(
                    own.properties.get("worst").and_then(Json::as_f64),
                    worst.map(|worst| worst as f64),
                    "{own:?}"
                );
            }
            if name == "villages" {
                let people: i64 = members.iter().filter_map(|member| member["properties"]["population"].as_i64()).sum();
                assert!((own.number_of("population") - people as f64).abs() < 0.5, "{own:?}");
            }
            if name == "risk_zones" {
                continue;
            }
            let at = units(own.tile.0);
            let places = members.iter().map(|member| {
                let place = member["geometry"]["coordinates"].as_array().expect("a point");
                at(Coord { x: place[0].as_f64().expect("a number"), y: place[1].as_f64().expect("a number") })
            });
            let mean = places.fold(Coord::zero(), |sum, at| sum + at) / members.len() as f64;
            let Geometry::Point(drawn) = own.geometry else { panic!("{own:?}") };
            assert!((drawn.x() - mean.x).abs() < 0.6 && (drawn.y() - mean.y).abs() < 0.6, "{own:?} is not at {mean:?}");
        }
    }
}

#[test]
fn members_are_paged_and_filtered_and_unknown_clusters_are_refused() {
    let (_folder, server) = Server::of_sample();
    let all = by_layer(tiles(&server, &["hazards"], 8..=8, COUNTY, ""));
    let cluster = all["hazards"]
        .iter()
        .filter(|own| own.id().is_none())
        .max_by(|a, b| a.number_of("count").total_cmp(&b.number_of("count")))
        .expect("a cluster");
    let path = format!("/api/clusters/hazards/{}", cluster.number);
    let mut next = format!("{path}?limit=50");
    let mut ids = Vec::new();
    loop {
        let page = server.get(&next).json();
        ids.extend(
            page["features"]
                .as_array()
                .expect("features")
                .iter()
                .map(|own| own["id"].as_str().expect("an id").to_owned()),
        );
        match page["links"][0]["href"].as_str() {
            Some(href) => next = href.trim_start_matches(&server.url).to_owned(),
            None => break,
        }
    }
    assert!(
        ids.is_sorted() && (ids.len() as f64 - cluster.number_of("count")).abs() < 0.5,
        "{} of {cluster:?}",
        ids.len()
    );
    let filtered = server.get(&format!("{path}?filter={}", encoded("risk_level=1"))).json();
    assert!(
        (filtered["count"].as_f64().expect("a count") - cluster.number_of("risk_level_1")).abs() < 0.5,
        "{filtered}"
    );
    for member in filtered["features"].as_array().expect("features") {
        assert_eq!(member["properties"]["risk_level"], 1);
        assert!(member["properties"].get("phone").is_none());
    }
    for (path, status) in [
        (format!("/api/clusters/nothing/{}", cluster.number), 404),
        (format!("/api/clusters/county/{}", cluster.number), 404),
        ("/api/clusters/hazards/1".to_owned(), 404),
        (format!("/api/clusters/hazards/{}", u64::MAX), 404),
        ("/api/clusters/hazards/x".to_owned(), 404),
        (format!("{path}?limit=0"), 400),
        (format!("{path}?limit=1001"), 400),
        (format!("{path}?filter=nothing=1"), 400),
        (format!("{path}?depth=1"), 400),
    ] {
        let reply = server.get(&path);
        assert_eq!(reply.status, status, "{path}: {}", reply.json());
    }
}

#[test]
fn the_coverage_layer_is_filtered_or_refuses() {
    let (_folder, server) = Server::of_sample();
    let shown = |query: &str| {
        let tiles = tiles(&server, &["coverage"], 9..=9, COUNTY, query);
        by_layer(tiles)
            .remove("coverage")
            .unwrap_or_default()
            .iter()
            .map(|own| own.number_of("beyond"))
            .collect::<Vec<_>>()
    };
    let all = shown("");
    let filtered = shown(&format!("?filter={}", encoded("beyond>=1")));
    assert!(filtered.len() < all.len() && !filtered.is_empty(), "{} of {}", filtered.len(), all.len());
    assert_eq!(filtered.len(), all.iter().filter(|beyond| **beyond >= 1.0).count());
    let refused = server.get(&format!("/tiles/coverage/9/425/217?filter={}", encoded("nothing=1")));
    assert_eq!(refused.status, 400, "{}", refused.json());
}
