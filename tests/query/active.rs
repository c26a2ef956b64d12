//! Warnings and incidents count only while they are active: started and not expired.

use onemap::geodesy::LonLat;
use onemap::model::roles::{Codes, TimeRole};
use onemap::model::schema::FieldType;
use onemap::model::{Roles, Shape, Value, parse_instant};
use onemap::query::cancel::CancelToken;
use onemap::query::nearest::demand::{Avoid, Demand, Eligibility, Verdict};
use onemap::query::surroundings::{Area, SurroundingsQuery, surroundings};
use onemap::snapshot::{Layer, Snapshot};

use super::{feature, field, layer, schema};

#[test]
fn inactive_warnings_and_incidents_are_neither_avoided_nor_counted() {
    let here = LonLat::new(118.86, 26.22).expect("a position");
    let roles = Roles {
        active_area: Some(Codes { field: "status".to_owned(), codes: vec!["active".to_owned()] }),
        time: Some(TimeRole { start: "from".to_owned(), end: Some("to".to_owned()) }),
        ..Roles::default()
    };
    let fields =
        vec![field("status", FieldType::Text), field("from", FieldType::DateTime), field("to", FieldType::DateTime)];
    let now = "2026-08-14T10:00:00Z";
    let (earlier, later) = ("2026-08-14T09:59:59.999999Z", "2026-08-14T10:00:00.000001Z");
    for (status, from, to, is_active) in [
        ("active", Some(earlier), Some(later), true),
        ("active", Some(now), None, true),
        ("active", None, None, true),
        ("active", None, Some(later), true),
        ("active", Some(earlier), Some(now), false),
        ("active", None, Some(earlier), false),
        ("active", Some(later), None, false),
        ("over", Some(earlier), Some(later), false),
        ("", Some(earlier), Some(later), true),
    ] {
        let time = |text: Option<&str>| text.and_then(parse_instant).map_or(Value::Unknown, Value::DateTime);
        let status = if status.is_empty() { Value::Unknown } else { Value::Text(status.to_owned()) };
        let case = format!("{status:?} from {from:?} to {to:?}");
        let alert = feature(0, Some(Shape::from(here)), vec![status, time(from), time(to)]);
        let alerts = Layer::build(schema("alerts", fields.clone(), roles.clone()), vec![alert]);
        let snapshot = Snapshot::new(0, vec![alerts, layer(vec![Shape::from(here)])]);
        let at = parse_instant(now).expect("an instant");

        let avoid = Avoid { active_areas: vec!["alerts".to_owned()], margin_m: 10.0, ..Avoid::default() };
        let demand = Demand { avoid, ..Demand::anything(at) };
        let world = snapshot.layer("world").expect("a layer");
        let row = world.rows_after(None).next().expect("a feature");
        let verdict = Eligibility::new(&snapshot, world, &demand).verdict(&row);
        assert_eq!(verdict == Verdict::Ineligible, is_active, "{case} is avoided");

        let square = geo::Rect::new((118.8, 26.2), (118.9, 26.3)).to_polygon();
        let area = Area::Inside(Box::new(Shape::new(square.into()).expect("an area")));
        for area in [Area::Rings(here, vec![100.0]), area] {
            let found =
                surroundings(&snapshot, &SurroundingsQuery { area, at }, &CancelToken::new()).expect("an answer");
            let counts: Vec<&str> = found.rings[0].layers.iter().map(|own| own.layer.schema().id.as_str()).collect();
            assert_eq!(counts.contains(&"alerts"), is_active, "{case} is counted");
            assert!(counts.contains(&"world"));
        }
    }
}
