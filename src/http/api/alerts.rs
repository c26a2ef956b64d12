//! From a warning to persons: people by township and village, who is responsible, loudspeakers, shelters, stations.

use serde_json::{Value as Json, json};

use crate::exchange::csv::write_table;
use crate::http::api::alert_facts::{
    TARGET_SHARE, TownshipAlert, by_township, contact, json_of, people_in, reached, value,
};
use crate::http::api::alert_report;
use crate::http::api::event_documents::{describe_plan, plans_of};
use crate::http::call::Call;
use crate::http::params::filters::instant;
use crate::http::params::{feature, invalid, layer};
use crate::http::reply::Reply;
use crate::http::reply::media::{CSV, CSV_UTF8, HTML};
use crate::http::reply::numbers::millimetres;
use crate::http::reply::page_language::PageLanguage;
use crate::http::reply::problem::Problem;
use crate::query::alert::{Alert, AlertQuery, AlertedPlace, alert};
use crate::query::surroundings::People;
use crate::snapshot::{Layer, Row};

const WARNINGS: &str = "warnings";
/// `GET /api/alerts/{warningId}`.
pub(crate) fn alerts(call: &Call<'_>) -> Result<Reply, Problem> {
    let (current, id) = (&call.current, call.segment("warningId"));
    let (format, at) = (call.format()?, instant(&call.params)?);
    let language = PageLanguage::of(&call.params)?;
    let snapshot = &current.snapshot;
    let warnings = layer(snapshot, "layer", WARNINGS)?;
    let row = feature(warnings, "warning", id)?;
    let no_area = || invalid("warningId", id, "the warning has no area", "a warning with an area");
    let query = AlertQuery { area: row.shape().ok_or_else(no_area)?, active_areas: vec![WARNINGS.to_owned()], at };
    let found = alert(snapshot, &query, &call.cancel)?;
    let townships = by_township(snapshot, &found);
    let divisions: Vec<&str> = found.places.iter().filter_map(AlertedPlace::division).collect();
    let plans = plans_of(call, (warnings, row), (&found.area, &divisions), at)?;
    let warning = (warnings, row);
    Ok(match format {
        HTML => alert_report::page((call, language), &warning, &found, &townships, &plans).reply(current),
        CSV => current.reply(CSV_UTF8).body(table(call, &townships)),
        _ => current.json(json!({
            "warning": describe_warning(call, &warning, warnings.resources().is_active(&row, at)),
            "people": people_json(people_in(&found.places)),
            "broadcast": broadcast(&found),
            "townships": townships.iter().map(|own| describe_township(call, own)).collect::<Vec<_>>(),
            "shelters": shelters(&found),
            "plans": plans.iter().map(|(layer, row)| describe_plan(call, layer, row)).collect::<Vec<_>>(),
            "over_threshold": found.over_threshold.iter().map(|(layer, row)| reading(call, layer, row)).collect::<Vec<_>>(),
        })),
    })
}

fn people_json(people: People) -> Json {
    json!({"known": people.known, "unknown_places": people.unknown_places})
}

fn describe_warning(call: &Call<'_>, (layer, row): &(&Layer, Row<'_>), is_active: bool) -> Json {
    let mut warning = json!({"layer": layer.schema().id, "id": row.id().as_str(), "active": is_active});
    for name in ["name", "kind", "severity", "status", "started_at", "expires_at", "source"] {
        warning[name] = json_of(value(call, layer, row, name));
    }
    warning
}

fn broadcast(found: &Alert<'_>) -> Json {
    let (people_reached, share) = reached(found);
    let silent: Vec<Json> =
        found.places.iter().filter(|place| place.loudspeakers == 0).map(|place| place_json(place)).collect();
    json!({
        "people_reached": people_reached,
        "share": share,
        "target_share": TARGET_SHARE,
        "unknown_reach": found.unknown_reach,
        "not_reached": silent,
    })
}

fn place_json(place: &AlertedPlace<'_>) -> Json {
    json!({
        "layer": place.layer.schema().id,
        "id": place.row.id().as_str(),
        "name": place.layer.text(&place.row, "name"),
        "people": place.people,
        "loudspeakers": place.loudspeakers,
    })
}

fn describe_township(call: &Call<'_>, own: &TownshipAlert<'_>) -> Json {
    let place = |place: &AlertedPlace<'_>| {
        let mut described = place_json(place);
        if let Some([person, phone]) = contact(call, place.layer, &place.row) {
            described["person"] = json!(person);
            described["phone"] = json!(phone);
        }
        described
    };
    let mut described = json!({
        "code": own.code,
        "name": own.name(),
        "people": people_json(people_in(&own.places)),
        "places": own.places.iter().map(place).collect::<Vec<_>>(),
    });
    if let Some([person, phone]) = own.township.as_ref().and_then(|(layer, row)| contact(call, layer, row)) {
        described["person"] = json!(person);
        described["phone"] = json!(phone);
    }
    described
}

fn shelters(found: &Alert<'_>) -> Json {
    let facts = |layer: &Layer, row: &Row<'_>| {
        let resources = layer.resources();
        json!({
            "layer": layer.schema().id,
            "id": row.id().as_str(),
            "name": layer.text(row, "name"),
            "ready": resources.is_ready(row),
            "free_places": resources.free_places(row, false),
            "free_places_night": resources.free_places(row, true),
        })
    };
    let inside: Vec<Json> = found.shelters_inside.iter().map(|(layer, row)| facts(layer, row)).collect();
    let outside = found.shelters_outside.iter().map(|(layer, near)| {
        let mut described = facts(layer, &near.row);
        described["distance_m"] = json!(millimetres(near.distance_m));
        described
    });
    json!({"inside": inside, "outside": outside.collect::<Vec<_>>()})
}

fn reading(call: &Call<'_>, layer: &Layer, row: &Row<'_>) -> Json {
    let mut described = json!({"layer": layer.schema().id, "id": row.id().as_str(), "name": layer.text(row, "name")});
    for name in ["kind", "value", "threshold", "unit", "observed_at"] {
        described[name] = json_of(value(call, layer, row, name));
    }
    described
}

/// A list to call from: one row per place.
fn table(call: &Call<'_>, townships: &[TownshipAlert<'_>]) -> Vec<u8> {
    const HEADER: [&str; 8] = [
        "乡镇 township",
        "乡镇责任人 duty_officer",
        "编号 id",
        "村居 place",
        "人口 people",
        "应急广播 loudspeakers",
        "责任人 person",
        "电话 phone",
    ];
    let of_township = |own: &TownshipAlert<'_>| -> Vec<Vec<String>> {
        let officer = own.township.as_ref().and_then(|(layer, row)| contact(call, layer, row)).unwrap_or_default();
        let officer = officer.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let row = |place: &AlertedPlace<'_>| {
            let [person, phone] = contact(call, place.layer, &place.row).unwrap_or_default();
            vec![
                own.name().to_owned(),
                officer.clone(),
                place.row.id().to_string(),
                place.layer.text(&place.row, "name").unwrap_or_default().to_owned(),
                place.people.map_or(String::new(), |people| people.to_string()),
                place.loudspeakers.to_string(),
                person.unwrap_or_default(),
                phone.unwrap_or_default(),
            ]
        };
        own.places.iter().map(row).collect()
    };
    write_table(&HEADER, townships.iter().flat_map(of_township))
}
