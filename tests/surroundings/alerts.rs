//! From a warning to persons, against SQL over PostGIS.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::access::account;
use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server};

fn list(json: &Json) -> &[Json] {
    json.as_array().expect("a list")
}

fn ids(features: &[Json]) -> BTreeSet<String> {
    features.iter().map(|own| own["id"].as_str().expect("an id").to_owned()).collect()
}

/// The places of all townships, each with the code of its township.
fn places(alert: &Json) -> Vec<(&str, &Json)> {
    let mut places = Vec::new();
    for own in list(&alert["townships"]) {
        places.extend(list(&own["places"]).iter().map(|place| (own["code"].as_str().expect("a code"), place)));
    }
    places
}

#[test]
fn the_persons_of_a_warning_equal_postgis() {
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    for warning in ["WN-01", "WN-02"] {
        let alert = server.get(&format!("/api/alerts/{warning}")).json();
        let area = format!("(SELECT geom FROM onemap.warnings WHERE id = '{warning}')");
        let rows = |sql: &str| psql(&url, sql).lines().map(str::to_owned).collect::<BTreeSet<String>>();
        let expected = rows(&format!(
            "SELECT left(v.region_code, 9), v.id, coalesce(v.population, -1), (SELECT count(*) FROM onemap.broadcast_terminals b \
             WHERE ST_DWithin(b.geom::geography, v.geom::geography, b.reach_m)) \
             FROM onemap.villages v WHERE ST_Intersects(v.geom, {area})"
        ));
        let found: BTreeSet<String> = places(&alert)
            .iter()
            .map(|(code, own)| {
                let id = own["id"].as_str().expect("an id");
                format!("{code}|{id}|{}|{}", own["people"].as_i64().unwrap_or(-1), own["loudspeakers"])
            })
            .collect();
        assert!(found.len() > 50, "{warning}");
        assert_eq!(found, expected, "{warning}");

        let inside = rows(&format!("SELECT id FROM onemap.shelters WHERE ST_Intersects(geom, {area})"));
        assert_eq!(ids(list(&alert["shelters"]["inside"])), inside);
        let over =
            rows(&format!("SELECT id FROM onemap.stations WHERE ST_Intersects(geom, {area}) AND value >= threshold"));
        assert_eq!(ids(list(&alert["over_threshold"])), over);
        let outside = list(&alert["shelters"]["outside"]);
        let expected = psql(
            &url,
            &format!(
                "SELECT s.id, round(ST_Distance(s.geom::geography, {area}::geography)) FROM onemap.shelters s \
                 WHERE s.status IN ('standby', 'opening', 'open') \
                 AND s.capacity - s.occupancy - coalesce(s.promised, 0) > 0 AND NOT EXISTS (SELECT 1 FROM onemap.warnings w \
                 WHERE w.status = 'active' AND w.expires_at > now() AND ST_Intersects(s.geom, w.geom)) ORDER BY 2, 1 LIMIT 10"
            ),
        );
        let expected: BTreeMap<&str, f64> = expected
            .lines()
            .filter_map(|line| line.split_once('|'))
            .map(|(id, m)| (id, m.parse().expect("m")))
            .collect();
        assert_eq!(ids(outside), expected.keys().map(|id| (*id).to_owned()).collect(), "{warning}");

        // The share of loudspeakers is that of the people.
        let people: i64 = places(&alert).iter().filter_map(|(_, own)| own["people"].as_i64()).sum();
        assert_eq!(alert["people"]["known"], json!(people));
        let reached: i64 = places(&alert)
            .iter()
            .filter(|(_, own)| own["loudspeakers"] != 0)
            .filter_map(|(_, own)| own["people"].as_i64())
            .sum();
        assert_eq!(alert["broadcast"]["people_reached"], json!(reached));
    }
}

#[test]
fn contacts_of_an_alert_are_masked_and_for_those_who_may_see_them() {
    let folder = Folder::new();
    let secret = account(&folder, "值班室", &["--role", "dispatcher"]);
    let server = Server::start(&folder, &[]);
    for format in ["json", "html", "csv"] {
        let path = format!("/api/alerts/WN-01?f={format}");
        let own = server.get_with(&path, ("Authorization", &format!("Bearer {secret}")));
        let (own, other) = (String::from_utf8(own.body).expect("text"), server.get(&path));
        assert_eq!(other.status, 200, "{path}");
        let other = String::from_utf8(other.body).expect("text");
        assert!(own.contains("100****0") && !own.contains("1000000"), "{path}");
        assert!(!other.contains("100****") && !other.contains("1000000") && !other.contains("示例网格员"), "{path}");
        assert!(own.contains("池园镇") && other.contains("池园镇"), "{path}");
    }
}

#[test]
fn an_alert_of_nothing_is_refused() {
    let (_folder, server) = Server::of_sample();
    for (path, status) in [
        ("/api/alerts/none", 404),
        ("/api/alerts/%E9%97%BD", 404),
        ("/api/alerts/WN-01?at=yesterday", 400),
        ("/api/alerts/WN-01?f=xml", 400),
    ] {
        assert_eq!(server.get(path).status, status, "{path}");
    }
    let later = server.get("/api/alerts/WN-01?at=2099-01-01T00:00:00Z").json();
    assert_eq!(later["warning"]["active"], false);
}
