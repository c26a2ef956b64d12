//! Statistics of situation reports against SQL; needs of evacuees; plans in force in alerts.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::edits::Writer;
use super::refuses;
use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, chances};

/// By day and township: the figures of the township's last report, otherwise the sums of its villages' last reports.
const ORACLE: &str = "
    WITH reports AS (
        SELECT DISTINCT ON (day, region_code) day, region_code, evacuated, loss_cny
        FROM (SELECT *, (as_of AT TIME ZONE 'Asia/Shanghai')::date AS day FROM onemap.situation_reports) AS dated
        WHERE incident IS NOT DISTINCT FROM NULLIF('INCIDENT', '') AND day BETWEEN 'FROM' AND 'TO'
        ORDER BY day, region_code, as_of DESC, id DESC),
    own AS (SELECT * FROM reports WHERE region_code IN (SELECT region_code FROM onemap.townships)),
    villages AS (
        SELECT day, left(region_code, 9) || '000' AS region_code, sum(evacuated), sum(loss_cny)
        FROM reports WHERE right(region_code, 3) <> '000' GROUP BY 1, 2)
    SELECT day, region_code, coalesce(evacuated, -1), coalesce(loss_cny, -1) FROM own
    UNION ALL
    SELECT day, region_code, coalesce(sum, -1), coalesce(sum_1, -1)
    FROM (SELECT day, region_code, sum, sum_1 FROM villages AS v (day, region_code, sum, sum_1)) AS summed
    WHERE NOT EXISTS (SELECT FROM own WHERE own.day = summed.day AND own.region_code = summed.region_code)
    ORDER BY 1, 2";

/// Random reports of townships, villages and the county, with corrections, gaps and incidents.
fn random_reports(writer: &Writer, seed: u64) {
    let mut chance = chances(seed);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers above 0")]
    let mut whole = |below: u32| (chance() * f64::from(below)) as u32;
    let edits: Vec<Json> = (0..400)
        .map(|number| {
            let township = 100 + whole(4);
            let region = match whole(6) {
                0..3 => format!("350124{township}000"),
                3..5 => format!("350124{township}{:03}", 1 + whole(3)),
                _ => "350124000000".to_owned(),
            };
            // Midnight in Beijing is 16:00 in UTC.
            let as_of = format!("2026-03-{:02}T{:02}:{:02}:00Z", 1 + whole(5), whole(24), whole(3) * 20);
            let figure = |value: u32| if value == 0 { Json::Null } else { json!(value - 1) };
            let incident = if whole(5) == 0 { json!("IN-01") } else { Json::Null };
            json!({"op": "create", "collection": "situation_reports", "id": format!("R-{number:04}"), "feature": {
                "type": "Feature", "geometry": {"type": "Point", "coordinates": [118.86, 26.22]},
                "properties": {"name": "报告", "region_code": region, "as_of": as_of, "report": "daily",
                    "incident": incident, "evacuated": figure(whole(30)), "loss_cny": figure(whole(9))}}})
        })
        .collect();
    let reply = writer.send("POST", "/api/edits", &[], &json!({"edits": edits}));
    assert_eq!(reply.status, 200, "{:?}", reply.json());
}

#[test]
fn figures_of_days_and_townships_equal_those_of_sql() {
    let url = fresh_database();
    let writer = Writer::of_database(&url);
    for (seed, incident) in [(1, ""), (1, "IN-01")] {
        if incident.is_empty() {
            random_reports(&writer, seed);
        }
        let query = ORACLE.replace("INCIDENT", incident).replace("FROM'", "2026-03-01'").replace("TO'", "2026-03-07'");
        let expected = psql(&url, &query);
        let suffix = if incident.is_empty() { String::new() } else { format!("&incident={incident}") };
        let reply = writer.server.get(&format!("/api/statistics?datetime=2026-03-01/2026-03-07{suffix}")).json();
        let mut lines = Vec::new();
        for day in reply["days"].as_array().expect("days") {
            let townships = day["townships"].as_array().expect("townships");
            assert_eq!(townships.len() + day["missing"].as_array().expect("a list").len(), 16, "{day}");
            let mut totals = BTreeMap::new();
            for township in townships {
                let figure = |name: &str| township["figures"][name].as_i64();
                for name in ["evacuated", "loss_cny"] {
                    let sum: &mut Option<i64> = totals.entry(name).or_default();
                    *sum = figure(name).map(|more| sum.unwrap_or(0) + more).or(*sum);
                }
                let shown = |name: &str| figure(name).unwrap_or(-1);
                let code = township["code"].as_str().expect("a code");
                lines.push(format!(
                    "{}|{code}|{}|{}",
                    day["day"].as_str().expect("a day"),
                    shown("evacuated"),
                    shown("loss_cny")
                ));
            }
            for (name, sum) in totals {
                assert_eq!(day["totals"][name], json!(sum), "{}", day["day"]);
            }
        }
        assert!(lines.len() > 8, "{lines:?}");
        assert_eq!(lines.join("\n"), expected.trim(), "{incident}");
    }
    let table = String::from_utf8(writer.server.get("/api/statistics?datetime=2026-03-02&f=csv").body).expect("text");
    assert_eq!(table.lines().count(), 1 + 16 + 1, "{table}");
}

#[test]
fn a_report_of_nothing_is_a_report_and_silence_is_not() {
    let writer = Writer::of_sample();
    let report = |id: &str, figures: Json| {
        let mut properties = json!({"name": "日报", "region_code": "350124101000", "report": "daily",
            "as_of": "2026-02-01T10:00:00+08:00"});
        properties.as_object_mut().expect("members").extend(figures.as_object().expect("members").clone());
        let feature = json!({"type": "Feature", "id": id, "geometry": {"type": "Point", "coordinates": [118.84, 26.23]},
            "properties": properties});
        let reply = writer.send("POST", "/ogc/collections/situation_reports/items", &[], &feature);
        assert_eq!(reply.status, 201, "{:?}", reply.json());
        writer.server.get("/api/statistics?datetime=2026-02-01").json()["days"][0].clone()
    };
    let all = [
        "affected",
        "evacuated",
        "settled",
        "injured",
        "missing",
        "dead",
        "houses_collapsed",
        "houses_damaged",
        "crops_ha",
        "loss_cny",
    ];
    let partial = report("Z-1", json!({"evacuated": 0}));
    assert_eq!(
        (&partial["reported"], &partial["zero"]),
        (&json!(1), &json!(0)),
        "other figures are unknown: {partial}"
    );
    assert_eq!(partial["totals"]["dead"], Json::Null);
    assert_eq!(partial["incomplete"].as_array().map(Vec::len), Some(all.len() - 1));
    let zero = report("Z-2", all.iter().map(|name| ((*name).to_owned(), json!(0))).collect());
    assert_eq!((&zero["reported"], &zero["zero"]), (&json!(1), &json!(1)), "{zero}");
    assert_eq!(zero["missing"].as_array().map(Vec::len), Some(15));
    assert_eq!(zero["totals"]["dead"], 0);
}

#[test]
fn statistics_of_unusable_days_are_refused() {
    let (_folder, server) = Server::of_sample();
    for days in
        ["2026-13-01", "x", "2026-02-02/2026-02-01", "2026-01-01/2026-12-01", "2026-01-01/", "0000-01-01/9999-12-31"]
    {
        refuses(&server, &format!("/api/statistics?datetime={days}"), 400, "datetime", "YYYY-MM-DD");
    }
    refuses(&server, "/api/needs?people=0", 400, "people", "from 1");
    refuses(&server, "/api/needs?days=9999", 400, "days", "365");
}

#[test]
fn needs_follow_the_table_of_the_catalog_and_the_free_stock() {
    let (_folder, server) = Server::of_sample();
    let reply = server.get("/api/needs?people=310&days=3").json();
    let item = |reply: &Json, code: &str| {
        reply["needs"].as_array().expect("needs").iter().find(|own| own["item"] == code).cloned().expect("the item")
    };
    // A tent for four, and 0.25 boxes of water a day: 77.5 and 232.5 are rounded up.
    assert_eq!(item(&reply, "1010101")["needed"], 78);
    assert_eq!(item(&reply, "1030101")["needed"], 233);
    let depots = server.get("/api/nearest?point=118.8,26.2&layer=depots&k=1000").json();
    let ids: Vec<String> = depots["features"]
        .as_array()
        .expect("features")
        .iter()
        .map(|own| own["id"].as_str().expect("an id").to_owned())
        .collect();
    let items = server.get(&format!("/ogc/collections/depots/items?limit=1000&ids={}", ids.join(","))).json();
    let today = onemap::model::format_date(onemap::clock::today());
    let mut free = 0.0;
    for depot in items["features"].as_array().expect("features") {
        for lot in depot["properties"]["stock"].as_array().into_iter().flatten() {
            let is_valid = lot["expires_on"].as_str().is_none_or(|last| last >= today.as_str());
            if lot["item_code"] == "1030101" && is_valid {
                free += lot["quantity"].as_f64().expect("a number") - lot["promised"].as_f64().unwrap_or(0.0);
            }
        }
    }
    assert_eq!(item(&reply, "1030101")["free"].as_f64(), Some(free));
    let many = server.get("/api/needs?people=1000000&days=3").json();
    let short = item(&many, "1030101")["short"].as_f64();
    assert_eq!(short, Some(750_000.0 - free));
    // The same list is accepted as a demand.
    let query = format!(
        "/api/nearest?point=118.86,26.22&layer=depots&cover=true&items={}",
        reply["items"].as_str().expect("items")
    );
    assert_eq!(server.get(&query).status, 200);
}

#[test]
fn an_alert_names_the_plans_in_force_for_its_kind_and_area() {
    let writer = Writer::of_sample();
    let names = |path: &str| -> Vec<String> {
        let reply = writer.server.get(path).json();
        reply["plans"]
            .as_array()
            .expect("plans")
            .iter()
            .map(|own| own["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let before = names("/api/alerts/WN-01");
    assert!(before.contains(&"PL-01".to_owned()), "a plan without kinds is for all: {before:?}");
    assert!(before.contains(&"PL-02".to_owned()) && !before.contains(&"PL-03".to_owned()), "{before:?}");
    assert!(before.len() > 2, "townships of the area: {before:?}");
    let warned = writer.server.get("/api/alerts/WN-01").json();
    let codes: Vec<&str> =
        warned["townships"].as_array().expect("townships").iter().filter_map(|own| own["code"].as_str()).collect();
    let plans = writer.server.get("/ogc/collections/plans/items?limit=100").json();
    for plan in plans["features"].as_array().expect("features").iter().skip(5) {
        let region = plan["properties"]["region_code"].as_str().expect("a code");
        let id = plan["id"].as_str().expect("an id").to_owned();
        assert_eq!(before.contains(&id), codes.iter().any(|code| region.starts_with(code)), "{id}");
    }
    let patch = |id: &str, properties: Json| {
        let path = format!("/ogc/collections/plans/items/{id}");
        assert_eq!(writer.send("PATCH", &path, &[], &json!({"properties": properties})).status, 204);
    };
    patch("PL-02", json!({"effective_until": "2026-01-01T00:00:00+08:00"}));
    assert!(!names("/api/alerts/WN-01").contains(&"PL-02".to_owned()), "it is out of force");
    assert!(names("/api/alerts/WN-01?at=2025-12-31T00:00:00%2B08:00").contains(&"PL-02".to_owned()));
    patch("PL-03", json!({"kinds": ["rainstorm"]}));
    assert!(names("/api/alerts/WN-01").contains(&"PL-03".to_owned()));
    let page = String::from_utf8(writer.server.get("/api/alerts/WN-01?f=html").body).expect("text");
    assert!(page.contains("适用预案") && page.contains("突发事件总体应急预案"), "{page}");
}

#[test]
fn needs_of_a_catalog_must_name_stock_items() {
    let folder = Folder::new();
    let printed = crate::support::run(&folder, &["layers", "--json"]);
    let mut catalog: Json = serde_json::from_slice(&printed.stdout).expect("a catalog");
    for (needs, word) in [
        (json!([{"item": "9", "per_person": 1}]), "9"),
        (json!([{"item": "1010101", "per_person": -1}]), "1010101"),
        (json!([{"item": "1010101"}]), "1010101"),
        (json!([{"item": "1010101", "per_person": 1}, {"item": "1010101", "per_person": 2}]), "1010101"),
    ] {
        catalog["needs"] = needs;
        folder.write("county.json", catalog.to_string());
        folder.write("onemap.toml", "catalog = \"county.json\"");
        let output = crate::support::run(&folder, &["layers"]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(word) && message.contains("per_person"), "{message}");
    }
}
