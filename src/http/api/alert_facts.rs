//! Facts of an alert that its JSON, its table and its printed page share.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::exchange::write_value;
use crate::http::api::labels::label_of;
use crate::http::api::surroundings::contacts;
use crate::http::call::Call;
use crate::http::reply::page_language::PageLanguage;
use crate::model::ValueRef;
use crate::model::schema::Label;
use crate::query::alert::{Alert, AlertedPlace};
use crate::query::surroundings::People;
use crate::snapshot::{Layer, Row, Snapshot};

/// Share of the people that loudspeakers are to reach.
pub(crate) const TARGET_SHARE: f64 = 0.9;
/// The layer of townships.
pub(crate) const TOWNSHIPS: &str = "townships";
/// Digits of the code of a township.
const TOWNSHIP_DIGITS: usize = 9;

/// The places of an alert in one township.
pub(crate) struct TownshipAlert<'a> {
    /// The first nine digits of its division code.
    pub(crate) code: &'a str,
    pub(crate) township: Option<(&'a Layer, Row<'a>)>,
    pub(crate) places: Vec<AlertedPlace<'a>>,
}

impl TownshipAlert<'_> {
    /// Its name; its code if it is not on the map.
    pub(crate) fn name(&self) -> &str {
        let name = self.township.as_ref().and_then(|(layer, row)| layer.text(row, "name"));
        name.unwrap_or(self.code)
    }
}

/// Places by township, in order of the codes.
pub(crate) fn by_township<'a>(snapshot: &'a Snapshot, found: &Alert<'a>) -> Vec<TownshipAlert<'a>> {
    let layer = snapshot.layer(TOWNSHIPS);
    let township = |code: &str| {
        let layer = layer?;
        let is_it = |row: &Row<'a>| layer.text(row, "region_code").is_some_and(|own| own.starts_with(code));
        layer.rows_after(None).find(is_it).map(|row| (layer, row))
    };
    let mut groups: BTreeMap<&str, Vec<AlertedPlace<'a>>> = BTreeMap::new();
    for place in &found.places {
        let code = place.division().and_then(|code| code.get(..TOWNSHIP_DIGITS)).unwrap_or_default();
        groups.entry(code).or_default().push(*place);
    }
    groups.into_iter().map(|(code, places)| TownshipAlert { code, township: township(code), places }).collect()
}

pub(crate) fn people_in(places: &[AlertedPlace<'_>]) -> People {
    places.iter().fold(People::default(), |sum, place| match place.people {
        Some(people) => People { known: sum.known + people, ..sum },
        None => People { unknown_places: sum.unknown_places + 1, ..sum },
    })
}

/// Known people in places that a loudspeaker reaches, and their share of all known people.
pub(crate) fn reached(found: &Alert<'_>) -> (i64, Option<f64>) {
    let of = |place: &AlertedPlace<'_>| place.people.unwrap_or(0);
    let all: i64 = found.places.iter().map(of).sum();
    let reached = found.places.iter().filter(|place| place.loudspeakers > 0).map(of).sum();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let share = (all > 0).then(|| (reached as f64 / all as f64 * 1_000.0).round() / 1_000.0);
    (reached, share)
}

/// The person and the phone of a feature, masked; `None` for callers who see no contacts.
pub(crate) fn contact(call: &Call<'_>, layer: &Layer, row: &Row<'_>) -> Option<[Option<String>; 2]> {
    if !call.caller.sees_contacts() {
        return None;
    }
    let masked = contacts(&call.caller.contact_view(layer.schema()), row);
    let text = |name: &str| masked[name].as_str().map(str::to_owned);
    Some([text("person"), text("phone")])
}

/// A value that the caller may see; unknown if there is no such field.
pub(crate) fn value<'a>(call: &Call<'_>, layer: &Layer, row: &Row<'a>, field: &str) -> ValueRef<'a> {
    let view = call.caller.view(layer.schema());
    layer.schema().position(field).map_or(ValueRef::Unknown, |at| row.visible(&view).value(at))
}

/// The label of a code of a warning.
pub(crate) fn warning_label(call: &Call<'_>, (layer, row): &(&Layer, Row<'_>), field: &str) -> Label {
    let code = match value(call, layer, row, field) {
        ValueRef::Text(text) => Some(text.to_owned()),
        ValueRef::Integer(number) => Some(number.to_string()),
        _ => None,
    };
    label_of(&call.state.catalog, layer, field, code.as_deref())
}

/// The person and the phone of a contact in words.
pub(crate) fn contact_words(language: PageLanguage, contact: Option<[Option<String>; 2]>) -> String {
    match contact {
        None => String::new(),
        Some([None, None]) => language.say("未登记", "not on file").to_owned(),
        Some(known) => known.into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

/// A value as JSON.
pub(crate) fn json_of(value: ValueRef<'_>) -> Json {
    let mut bytes = Vec::new();
    write_value(&mut bytes, value);
    serde_json::from_slice(&bytes).unwrap_or(Json::Null)
}
