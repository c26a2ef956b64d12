//! Warnings imported as CAP alerts.

use serde_json::{Value as Json, json};

use super::{exported, import};
use crate::support::{Folder, run_well};

/// An alert of the meteorological bureau of the county, as text to change.
const ALERT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>MQ-2026-0007</identifier>
  <sender>qx.minqing.example</sender>
  <sent>2026-11-26T20:00:00+08:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <language>en-US</language>
    <category>Met</category>
    <event>Rainstorm Warning</event>
    <urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty>
    <headline>Orange rainstorm warning</headline>
  </info>
  <info>
    <language>zh-CN</language>
    <category>Met</category>
    <event>暴雨橙色预警信号</event>
    <urgency>Immediate</urgency><severity>Extreme</severity><certainty>Likely</certainty>
    <onset>2026-11-26T21:00:00+08:00</onset>
    <expires>2026-11-27T03:00:00</expires>
    <senderName>闽清县气象台</senderName>
    <headline>闽清县气象台发布暴雨橙色预警</headline>
    <area>
      <areaDesc>梅城镇、池园镇</areaDesc>
      <polygon>26.20,118.80 26.20,118.90 26.30,118.90 26.30,118.80 26.20,118.80</polygon>
    </area>
  </info>
</alert>"#;

/// Imports one alert after the other into the same store and returns the exit code and log of the last.
fn import_all(folder: &Folder, alerts: &[String]) -> (Option<i32>, String) {
    let mut last = (None, String::new());
    for alert in alerts {
        folder.write("warning.xml", alert);
        last = import(folder, &["warning.xml", "--layer", "warnings", "--update"]);
    }
    last
}

fn refused(alert: &str, reason: &str) {
    let folder = Folder::new();
    let (code, log) = import_all(&folder, &[alert.to_owned()]);
    assert!(code.is_some_and(|code| code != 0), "{log}");
    assert!(log.contains(reason), "{reason:?} is missing: {log}");
    assert!(!folder.file("onemap.gpkg").exists(), "nothing is stored");
}

#[test]
fn an_alert_becomes_a_warning_in_its_area() {
    let folder = Folder::new();
    let (code, log) = import_all(&folder, &[ALERT.to_owned()]);
    assert_eq!(code, Some(0), "{log}");
    let found = exported(&folder, "warnings");
    assert_eq!(found.len(), 1, "one language of several");
    assert_eq!(found[0]["id"], "MQ-2026-0007");
    for (field, expected) in [
        ("name", json!("闽清县气象台发布暴雨橙色预警")),
        ("kind", json!("rainstorm")),
        // The colour counts, not the word of the profile.
        ("severity", json!(2)),
        ("status", json!("active")),
        ("source", json!("闽清县气象台")),
        ("started_at", json!("2026-11-26T13:00:00.000Z")),
        // A time without a zone is in Beijing.
        ("expires_at", json!("2026-11-26T19:00:00.000Z")),
    ] {
        assert_eq!(found[0]["properties"][field], expected, "{field}");
    }
    let ring = &found[0]["geometry"]["coordinates"][0];
    let corners = ring.as_array().expect("a ring");
    assert_eq!(corners.len(), 5);
    assert!(corners.iter().all(|corner| corner[0].as_f64() > Some(118.0)), "longitude comes first: {ring}");
}

#[test]
fn an_update_replaces_its_alert_and_a_cancellation_lifts_it() {
    let refers = "<references>qx.minqing.example,MQ-2026-0007,2026-11-26T20:00:00+08:00</references><info>";
    let later = |kind: &str, number: &str| {
        ALERT
            .replace("<msgType>Alert", &format!("<msgType>{kind}"))
            .replace("<identifier>MQ-2026-0007", &format!("<identifier>{number}"))
            .replacen("<info>", refers, 1)
    };
    let update = later("Update", "MQ-2026-0008").replace("橙色", "红色");
    let folder = Folder::new();
    let (code, log) = import_all(&folder, &[ALERT.to_owned(), update.clone()]);
    assert_eq!(code, Some(0), "{log}");
    let state = |found: &[Json]| -> Vec<(Json, Json, Json)> {
        let row = |feature: &Json| {
            let value = |name: &str| feature["properties"][name].clone();
            (feature["id"].clone(), value("severity"), value("status"))
        };
        found.iter().map(row).collect()
    };
    assert_eq!(state(&exported(&folder, "warnings")), [(json!("MQ-2026-0007"), json!(1), json!("active"))]);
    let (code, log) = import_all(&folder, &[later("Cancel", "MQ-2026-0009")]);
    assert_eq!(code, Some(0), "{log}");
    let found = exported(&folder, "warnings");
    assert_eq!(state(&found), [(json!("MQ-2026-0007"), json!(2), json!("lifted"))]);
}

#[test]
fn circles_and_several_areas_are_one_shape() {
    let circle = "<circle>26.25,119.00 2</circle></area>";
    let folder = Folder::new();
    folder.write("two.cap", ALERT.replace("</area>", circle));
    run_well(&folder, &["import", "two.cap", "--layer", "warnings"]);
    let geometry = &exported(&folder, "warnings")[0]["geometry"];
    assert_eq!(geometry["type"], "MultiPolygon");
    assert_eq!(geometry["coordinates"].as_array().map(Vec::len), Some(2));
}

#[test]
fn other_than_actual_valid_alerts_are_refused() {
    let entity = "<!DOCTYPE alert [<!ENTITY file SYSTEM \"file:///etc/passwd\">]>\n<alert";
    refused(&ALERT.replacen("<alert", entity, 1).replace("闽清县气象台</senderName>", "&file;</senderName>"), "DTD");
    refused(&ALERT.replace(">Actual<", ">Exercise<"), "Exercise");
    refused(&ALERT.replace("26.30,118.90", "118.90,26.30"), "latitude comes first");
    refused(&ALERT.replace("26.30,118.90 26.30,118.80", "26.30,118.80 26.30,118.90"), "crosses or touches itself");
    refused(&ALERT.replace("2026-11-27T03:00:00", "2026-11-26T03:00:00"), "expires before it begins");
    let sent = ALERT.split_once("<sent>").and_then(|(_, rest)| rest.split_once("</sent>")).expect("a time").0;
    let late = sent.replace("2026-11-2", "2026-12-2");
    refused(&ALERT.replacen(sent, &late, 1), "it had expired when it was sent");
    refused("<feed xmlns=\"http://www.w3.org/2005/Atom\"/>", "root element is feed");
    refused("<alert><identifier>x</identifier></alert>", "no info");
    refused(&ALERT[..ALERT.len() / 2 - 200], "CAP alert");
}
