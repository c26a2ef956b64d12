//! Geofences over random edits, against plain comparisons of points with a rectangle.

use std::collections::{BTreeMap, BTreeSet};

use onemap::geodesy::LonLat;
use onemap::model::schema::FieldType;
use onemap::model::{FeatureId, Roles, Shape, Value};
use onemap::query::geofence::{FenceArea, FenceCondition, FenceDefinition, Geofence, SeenFeatures};
use onemap::snapshot::{Layer, Snapshot};
use serde_json::{Value as Json, json};

use super::{feature, field, schema};
use crate::support::chances;

/// A feature of the test: a place, a status, and a level.
#[derive(Clone, Debug, PartialEq)]
struct Thing {
    place: Option<(f64, f64)>,
    status: Option<&'static str>,
    level: Option<f64>,
}

/// What the oracle remembers of a feature inside: the last known status and level, and the feature.
#[derive(Clone)]
struct Remembered {
    status: Option<&'static str>,
    level: Option<f64>,
    thing: Thing,
}

fn is_inside(thing: &Thing) -> bool {
    let in_box = thing.place.is_some_and(|(x, y)| (118.2..=118.6).contains(&x) && (26.2..=26.7).contains(&y));
    // The filter.
    in_box && thing.level.is_none_or(|level| level < 9.0)
}

fn definition() -> FenceDefinition {
    let ring = [[118.2, 26.2], [118.6, 26.2], [118.6, 26.7], [118.2, 26.7], [118.2, 26.2]];
    let crosses = |threshold, rises| FenceCondition::Crosses { field: "level".to_owned(), threshold, rises };
    FenceDefinition {
        layers: vec!["things".to_owned()],
        area: FenceArea::Near { geometry: json!({"type": "Polygon", "coordinates": [ring]}), within_m: 0.0 },
        when: vec![
            FenceCondition::Enters,
            FenceCondition::Leaves,
            FenceCondition::Changes,
            FenceCondition::Becomes { field: "status".to_owned(), codes: vec!["b".to_owned(), "c".to_owned()] },
            crosses(4.0, true),
            crosses(2.0, false),
        ],
        filter: Some("level IS NULL OR level < 9".to_owned()),
    }
}

fn snapshot(version: i64, things: &BTreeMap<usize, Thing>) -> Snapshot {
    let fields = vec![field("status", FieldType::Text), field("level", FieldType::Real)];
    let features = things.iter().map(|(number, thing)| {
        let place = thing.place.map(|(lon, lat)| Shape::from(LonLat::new(lon, lat).expect("a position")));
        let status = thing.status.map_or(Value::Unknown, |status| Value::Text(status.to_owned()));
        feature(*number, place, vec![status, thing.level.map_or(Value::Unknown, Value::Real)])
    });
    Snapshot::new(version, vec![Layer::build(schema("things", fields, Roles::default()), features.collect())])
}

/// What should be told, as feature and short text.
fn expected(seen: &mut BTreeMap<usize, Remembered>, things: &BTreeMap<usize, Thing>) -> BTreeSet<(String, String)> {
    let mut told = BTreeSet::new();
    let ids: BTreeSet<usize> = seen.keys().chain(things.keys()).copied().collect();
    for id in ids {
        let mut tell = |what: &str| told.insert((format!("f{id:05}"), what.to_owned()));
        let now = things.get(&id).filter(|thing| is_inside(thing));
        match (seen.get(&id).cloned(), now) {
            (None, None) => {}
            (None, Some(now)) => {
                tell("enters");
                seen.insert(id, Remembered { status: now.status, level: now.level, thing: now.clone() });
            }
            (Some(_), None) => {
                tell("leaves");
                seen.remove(&id);
            }
            (Some(before), Some(now)) => {
                if before.thing != *now {
                    tell("changes");
                }
                if let Some(status) = now.status.filter(|own| ["b", "c"].contains(own) && before.status != Some(own)) {
                    tell(&format!("becomes {:?} {status}", before.status));
                }
                if let Some((was, is)) = before.level.zip(now.level) {
                    if was <= 4.0 && is > 4.0 {
                        tell(&format!("above {was} {is}"));
                    }
                    if was >= 2.0 && is < 2.0 {
                        tell(&format!("below {was} {is}"));
                    }
                }
                let (status, level) = (now.status.or(before.status), now.level.or(before.level));
                seen.insert(id, Remembered { status, level, thing: now.clone() });
            }
        }
    }
    told
}

fn short(what: &Json) -> String {
    let text = |name: &str| what[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| what[name].as_f64().unwrap_or_default();
    match what["event"].as_str() {
        Some("becomes") => format!("becomes {:?} {}", what["before"].as_str(), text("after")),
        Some("crosses") => format!("{} {} {}", text("direction"), number("before"), number("after")),
        other => other.unwrap_or_default().to_owned(),
    }
}

/// Random edits of a few features, several between two comparisons; every few steps all features are compared, as after a
/// reset or a restart, with what was stored.
#[test]
fn what_is_told_is_what_an_oracle_tells_of_random_edits() {
    let mut chance = chances(350_124);
    let (mut kinds, mut compared) = (BTreeMap::<String, usize>::new(), 0);
    for _ in 0..60 {
        let fence = Geofence::new(definition()).expect("a geofence");
        let mut things: BTreeMap<usize, Thing> = BTreeMap::new();
        let (mut seen, mut remembered) = (SeenFeatures::new(), BTreeMap::new());
        for version in 0..40 {
            let mut changed: BTreeSet<FeatureId> = BTreeSet::new();
            for _ in 0..=pick(&mut chance, 6) {
                let number = pick(&mut chance, 12);
                changed.insert(FeatureId::new(&format!("f{number:05}")).expect("an id"));
                edit(&mut things, number, &mut chance);
            }
            let told = expected(&mut remembered, &things);
            let changed = BTreeMap::from([("things".to_owned(), changed)]);
            let is_reset = chance() < 0.2;
            let step = fence.step(&mut seen, &snapshot(version, &things), (!is_reset).then_some(&changed), &|_| false);
            let own: Vec<(String, String)> =
                step.happenings.iter().map(|own| (own.feature.as_str().to_owned(), short(&own.what))).collect();
            assert_eq!(own.iter().cloned().collect::<BTreeSet<_>>(), told, "version {version}, reset {is_reset}");
            assert_eq!(own.len(), told.len(), "nothing twice");
            for (_, what) in own {
                *kinds.entry(what.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
            }
            compared += 1;
            // What was stored is what is known after a restart.
            let stored = serde_json::to_string(&seen.values().collect::<Vec<_>>()).expect("JSON");
            let states: Vec<_> = serde_json::from_str(&stored).expect("states");
            seen = seen.into_keys().zip::<Vec<_>>(states).collect();
        }
    }
    assert_eq!(compared, 60 * 40);
    assert!(
        ["enters", "leaves", "changes", "becomes", "above", "below"].iter().all(|kind| kinds[*kind] > 30),
        "{kinds:?}"
    );
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]
fn pick(chance: &mut impl FnMut() -> f64, count: usize) -> usize {
    (chance() * count as f64) as usize
}

fn edit(things: &mut BTreeMap<usize, Thing>, number: usize, chance: &mut impl FnMut() -> f64) {
    let place = |chance: &mut dyn FnMut() -> f64| (chance() > 0.1).then(|| (118.0 + chance(), 26.0 + chance()));
    let status = [None, Some("a"), Some("b"), Some("c")][pick(chance, 4)];
    let level = (chance() > 0.2).then(|| (chance() * 20.0).round() / 2.0);
    match things.get_mut(&number) {
        None => {
            things.insert(number, Thing { place: place(chance), status, level });
        }
        Some(_) if chance() < 0.15 => drop(things.remove(&number)),
        Some(thing) => match pick(chance, 4) {
            0 => thing.place = place(chance),
            1 => thing.status = status,
            2 => thing.level = level,
            _ => *thing = Thing { status, level, ..thing.clone() },
        },
    }
}

#[test]
fn a_layer_that_is_not_read_tells_nothing_and_is_compared_later() {
    let fence = Geofence::new(definition()).expect("a geofence");
    let inside = Thing { place: Some((118.4, 26.4)), status: Some("a"), level: Some(1.0) };
    let full = snapshot(1, &BTreeMap::from([(1, inside)]));
    let empty = snapshot(2, &BTreeMap::new());
    let mut seen = SeenFeatures::new();
    assert_eq!(fence.step(&mut seen, &full, None, &|_| false).happenings.len(), 1);
    assert!(fence.step(&mut seen, &empty, None, &|layer| layer == "things").happenings.is_empty());
    assert!(fence.step(&mut seen, &full, None, &|_| false).remembered.is_empty());
    assert_eq!(fence.step(&mut seen, &empty, None, &|_| false).happenings[0].what["event"], "leaves");
}
