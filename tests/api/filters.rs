//! CQL2 filters over HTTP: results in both encodings, paging, and error messages.

use serde_json::{Value as Json, json};

use super::refuses;
use crate::support::{Server, encoded};

fn ask(server: &Server, layer: &str, language: &str, filter: &str) -> Json {
    let filter = encoded(filter);
    server.get(&format!("/ogc/collections/{layer}/items?limit=1000&filter-lang={language}&filter={filter}")).json()
}

/// Ids of sample features that meet a predicate, in order.
fn those(server: &Server, layer: &str, holds: impl Fn(&Json) -> bool) -> Vec<Json> {
    let all = server.get(&format!("/ogc/collections/{layer}/items?limit=10000")).json();
    let features = all["features"].as_array().expect("features");
    features.iter().filter(|feature| holds(feature)).map(|feature| feature["id"].clone()).collect()
}

fn ids(answer: &Json) -> Vec<Json> {
    let features = answer["features"].as_array().unwrap_or_else(|| panic!("{answer}"));
    features.iter().map(|feature| feature["id"].clone()).collect()
}

#[test]
fn a_filter_finds_the_same_features_in_both_encodings() {
    let (_folder, server) = Server::of_sample();
    let roomy = those(&server, "shelters", |feature| {
        let properties = &feature["properties"];
        properties["status"] == "open" && properties["capacity"].as_i64().is_some_and(|places| places >= 200)
    });
    assert!(!roomy.is_empty());
    let text = ask(&server, "shelters", "cql2-text", "status='open' AND capacity>=200");
    assert_eq!(ids(&text), roomy);
    assert_eq!(text["numberMatched"], json!(roomy.len()));
    let filter = json!({"op": "and", "args": [
        {"op": "=", "args": [{"property": "status"}, "open"]},
        {"op": ">=", "args": [{"property": "capacity"}, 200]},
    ]});
    assert_eq!(ids(&ask(&server, "shelters", "cql2-json", &filter.to_string())), roomy);

    // An unknown condition is neither true nor false.
    let count =
        |filter: &str| ask(&server, "shelters", "cql2-text", filter)["numberMatched"].as_u64().expect("a count");
    let (more, less, unknown) = (count("capacity > 100"), count("NOT (capacity > 100)"), count("capacity IS NULL"));
    assert!(unknown > 0 && more > 0 && less > 0);
    assert_eq!(more + less + unknown, 349);

    let fit = those(&server, "shelters", |feature| {
        let fits = feature["properties"]["fits"].as_array();
        fits.is_some_and(|fits| fits.contains(&json!("flood")) && fits.contains(&json!("earthquake")))
    });
    assert_eq!(ids(&ask(&server, "shelters", "cql2-text", "A_CONTAINS(fits, ('flood','earthquake'))")), fit);
    assert_eq!(ids(&ask(&server, "shelters", "cql2-text", "id = 'SH-0001'")), [json!("SH-0001")]);
}

#[test]
fn pages_of_a_filter_hold_each_match_once() {
    let (_folder, server) = Server::of_sample();
    let filter = encoded("risk_level <= 2 AND S_INTERSECTS(geometry, BBOX(118.5,26.0,118.9,26.4))");
    let mut next = format!("/ogc/collections/hazards/items?limit=7&filter={filter}");
    let mut found = Vec::new();
    loop {
        let page = server.get(&next).json();
        found.extend(ids(&page));
        let links = page["links"].as_array().expect("links");
        let Some(link) = links.iter().find(|link| link["rel"] == "next") else { break };
        let href = link["href"].as_str().expect("an address");
        next = href[href.find("/ogc").expect("a path")..].to_owned();
    }
    let expected = those(&server, "hazards", |feature| {
        let at = |axis: usize| feature["geometry"]["coordinates"][axis].as_f64().expect("a coordinate");
        feature["properties"]["risk_level"].as_i64().is_some_and(|level| level <= 2)
            && (118.5..=118.9).contains(&at(0))
            && (26.0..=26.4).contains(&at(1))
    });
    assert!(expected.len() > 14);
    assert_eq!(found, expected);
}

#[test]
fn an_unusable_filter_is_refused_with_the_reason() {
    let (_folder, server) = Server::of_sample();
    let deep = format!("{}capacity>1{}", "(".repeat(70), ")".repeat(70));
    for (filter, message) in [
        ("capacity >", "at character 11"),
        ("name = '小学' AND capacity >", "at character 27"),
        ("name = '小学", "at character 11"),
        ("capacity > 'many'", "is a text where a number is required"),
        ("places > 1", "property \"places\" does not exist"),
        ("phone LIKE '138%'", "property \"phone\" does not exist"),
        ("DISTANCE(geometry, POINT(1 2)) < 5", "function \"DISTANCE\" does not exist"),
        ("S_INTERSECTS(geometry, POINT(26.2 118.8))", "did you mean 118.8,26.2?"),
        ("S_INTERSECTS(name, POINT(118.8 26.2))", "is a text where a geometry is required"),
        ("updated_at > DATE('2026-02-30')", "is not a day"),
        ("capacity", "is a number where a truth value is required"),
        (deep.as_str(), "nested more than"),
    ] {
        let path = format!("/ogc/collections/shelters/items?filter={}", encoded(filter));
        refuses(&server, &path, 400, "filter", "a CQL2 expression");
        let detail = server.get(&path).json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains(message), "{filter}: {detail}");
    }
    let other = "/ogc/collections/shelters/items?filter=true&filter-lang=ecql";
    refuses(&server, other, 400, "filter-lang", "cql2-text, cql2-json");
    let crs = "/ogc/collections/shelters/items?filter=true&filter-crs=EPSG:4549";
    refuses(&server, crs, 400, "filter-crs", "CRS84");
}
