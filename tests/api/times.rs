//! Instants and dates in every path: parsed and refused in the same way, and exact to the microsecond from the store to
//! the cursor.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, await_that, encoded};

#[test]
fn an_invalid_time_is_refused_and_the_connection_stays_open() {
    let (_folder, server) = Server::of_sample();
    let items = "/ogc/collections/incidents/items";
    let out_of_range = ["9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00+08:00", "-9999-01-01T00:00:00Z"];
    let no_time = ["2026-08-14年", "2026年08月14日", "2026-08-14年/..", "今天", "2026-08-14T10:00:00时", "+"];
    for text in out_of_range.into_iter().chain(no_time) {
        let text = encoded(text);
        for (path, parameter) in [
            (format!("{items}?datetime={text}"), "datetime"),
            (format!("{items}?datetime=../{text}"), "datetime"),
            (format!("{items}?started_at={text}"), "started_at"),
            (format!("{items}?sortby=started_at&after=[\"{text}\",\"IN-01\"]").replace('"', "%22"), "after"),
            (format!("{items}?filter=started_at=TIMESTAMP('{text}')"), "filter"),
            (format!("{items}?filter=started_at=DATE('{text}')"), "filter"),
            (format!("/tiles/incidents/8/212/108?datetime={text}"), "datetime"),
        ] {
            let reply = server.get(&path);
            assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!(parameter)), "{path}");
        }
    }
    // GBK bytes are not UTF-8.
    for path in ["/api/search?q=%B1%DC%D4%D6", "/ogc/collections/shelters/items?q=%B1%DC%D4%D6", "/api/layers?%B1=1"] {
        let reply = server.get(path);
        assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!("query string")), "{path}");
    }
    assert_eq!(server.get(&format!("{items}?limit=1")).status, 200);
}

#[test]
fn a_day_is_the_day_in_beijing_and_a_blank_before_an_offset_is_a_plus_sign() {
    let (_folder, server) = Server::of_sample();
    let found = |collection: &str, query: &str| -> Vec<Json> {
        let mut page = server.get(&format!("/ogc/collections/{collection}/items?limit=1000&{query}")).json();
        page["features"].as_array_mut().unwrap_or_else(|| panic!("{query}")).drain(..).collect()
    };
    let ids = |list: &[Json]| -> BTreeSet<String> {
        list.iter().map(|own| own["id"].as_str().expect("an id").to_owned()).collect()
    };
    let all = found("stations", "");
    let time = |own: &Json| own["properties"]["observed_at"].as_str().map(str::to_owned);
    let some = all.iter().find_map(time).expect("a time");
    let day = |text: &str| {
        let format = time::format_description::well_known::Rfc3339;
        let instant = time::OffsetDateTime::parse(text, &format).expect("an instant");
        instant.to_offset(time::macros::offset!(+8)).date().to_string()
    };
    let asked = day(&some);
    let of_day: Vec<Json> = all.iter().filter(|own| time(own).is_none_or(|own| day(&own) == asked)).cloned().collect();
    assert_eq!(ids(&found("stations", &format!("datetime={asked}"))), ids(&of_day));
    assert_eq!(
        ids(&found("stations", &format!("datetime={asked}T00:00:00+08:00/{asked}T23:59:59.999999+08:00"))),
        ids(&of_day),
        "the plus sign is not encoded"
    );
    assert_eq!(
        ids(&found("stations", &format!("observed_at={asked}T00:00:00+08:00"))),
        ids(&found("stations", &format!("observed_at={asked}T00:00:00%2B08:00")))
    );
    // A layer without times is not filtered.
    assert_eq!(found("villages", "datetime=1990-01-01").len(), found("villages", "").len());
}

/// All ids, by following the links of pages.
fn walk(server: &Server, path: &str, at_most: usize) -> Vec<String> {
    let (mut ids, mut path) = (Vec::new(), path.to_owned());
    loop {
        let reply = server.get(&path);
        assert_eq!(reply.status, 200, "{path}");
        let page = reply.json();
        let features = page["features"].as_array().expect("features");
        ids.extend(features.iter().map(|own| own["id"].as_str().expect("an id").to_owned()));
        assert!(ids.len() <= at_most, "{path}: paging does not end");
        let next = page["links"].as_array().expect("links").iter().find(|link| link["rel"] == "next");
        let Some(next) = next else { return ids };
        let address = next["href"].as_str().expect("an address");
        let (_, rest) = address.split_once("/ogc/").expect("a path");
        path = format!("/ogc/{rest}");
    }
}

#[test]
fn pages_by_times_with_microseconds_give_each_feature_once() {
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    // Instants that differ by microseconds, one missing, and one number outside the range of its field.
    psql(
        &url,
        "UPDATE onemap.depots SET confirmed_at = timestamptz '2026-08-14 10:00:00.123+08' \
           + interval '1 microsecond' * (row_number * 7 % 11) \
         FROM (SELECT id AS own, row_number() OVER (ORDER BY id) FROM onemap.depots) numbered WHERE own = id; \
         UPDATE onemap.depots SET confirmed_at = NULL WHERE id = (SELECT min(id) FROM onemap.depots); \
         ALTER TABLE onemap.shelters DROP CONSTRAINT shelters_capacity_check; \
         UPDATE onemap.shelters SET capacity = -5 WHERE id = (SELECT min(id) FROM onemap.shelters);",
    );
    let with_none = "/ogc/collections/depots/items?filter=confirmed_at%20IS%20NULL";
    await_that("the change is on the map", || server.get(with_none).json()["numberMatched"] == 1);
    for (collection, field) in [("depots", "confirmed_at"), ("shelters", "capacity"), ("shelters", "updated_at")] {
        let count = server.get(&format!("/ogc/collections/{collection}/items?limit=1")).json()["numberMatched"].clone();
        let count = usize::try_from(count.as_u64().expect("a count")).expect("few");
        for order in [field.to_owned(), format!("-{field}")] {
            let limit = if collection == "depots" { 1 } else { 50 };
            let ids =
                walk(&server, &format!("/ogc/collections/{collection}/items?limit={limit}&sortby={order}"), count);
            assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (count, count), "{order}");
        }
    }
    // A value from a reply finds its feature.
    let page = server.get("/ogc/collections/depots/items?sortby=confirmed_at&limit=1").json();
    let replied = page["features"][0]["properties"]["confirmed_at"].as_str().expect("a time").to_owned();
    let found = server.get(&format!("/ogc/collections/depots/items?confirmed_at={}", encoded(&replied))).json();
    assert!(found["numberMatched"].as_u64().expect("a count") >= 1, "{replied}");
}
