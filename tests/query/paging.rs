//! Paging in every order and direction returns each feature once, also during concurrent changes.

use onemap::model::schema::FieldType;
use onemap::model::{Feature, LayerSchema, Roles, Value};
use onemap::query::cancel::CancelToken;
use onemap::query::cursor::Cursor;
use onemap::query::items::{Order, PageRequest, Start, page};
use onemap::snapshot::Layer;
use proptest::prelude::*;
use time::{Date, Duration, UtcDateTime};

use super::{feature, field, schema};
use crate::support::cases;

const TYPES: [FieldType; 8] = [
    FieldType::Boolean,
    FieldType::Integer,
    FieldType::Real,
    FieldType::Text,
    FieldType::Date,
    FieldType::DateTime,
    FieldType::TextList,
    FieldType::Json,
];

/// Values that are hard to serialize, with many duplicates, and numbers outside the range of the field.
fn value(field_type: FieldType) -> BoxedStrategy<Value> {
    let texts = || prop_oneof![Just(String::new()), Just(" ".to_owned()), "[a-c,\"\\[\\]\u{0}村]{0,3}"];
    let known = match field_type {
        FieldType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        FieldType::Integer => prop_oneof![any::<i64>(), -2..2_i64].prop_map(Value::Integer).boxed(),
        FieldType::Real => {
            let odd = prop_oneof![Just(0.0), Just(-0.0), Just(0.1 + 0.2), Just(f64::MAX), Just(f64::MIN_POSITIVE)];
            prop_oneof![odd, -1e9..1e9_f64].prop_map(Value::Real).boxed()
        }
        FieldType::Text => texts().prop_map(Value::Text).boxed(),
        FieldType::Date => {
            let days = prop_oneof![Date::MIN.to_julian_day()..Date::MAX.to_julian_day(), 2_460_000..2_460_003_i32];
            days.prop_map(|day| Value::Date(Date::from_julian_day(day).expect("a day"))).boxed()
        }
        FieldType::DateTime => {
            // Microseconds apart, and the first and last instants.
            let near = (0..40_i64).prop_map(|n| UtcDateTime::UNIX_EPOCH + Duration::microseconds(n * 250));
            prop_oneof![near, Just(UtcDateTime::MIN), Just(UtcDateTime::MAX)].prop_map(Value::DateTime).boxed()
        }
        FieldType::TextList => proptest::collection::vec(texts(), 0..3).prop_map(Value::TextList).boxed(),
        FieldType::Json => texts().prop_map(Value::Json).boxed(),
    };
    prop_oneof![1 => Just(Value::Unknown), 6 => known].boxed()
}

fn world() -> LayerSchema {
    let fields = TYPES.iter().map(|field_type| field(field_type.name(), *field_type)).collect();
    schema("world", fields, Roles::default())
}

fn features() -> impl Strategy<Value = Vec<Feature>> {
    let values: Vec<BoxedStrategy<Value>> = TYPES.iter().map(|field_type| value(*field_type)).collect();
    proptest::collection::vec(values, 1..40)
        .prop_map(|rows| rows.into_iter().enumerate().map(|(number, values)| feature(number, None, values)).collect())
}

fn order() -> impl Strategy<Value = Order> {
    let key = (prop_oneof![Just(None), (0..TYPES.len()).prop_map(Some)], any::<bool>());
    proptest::collection::vec(key, 0..3).prop_map(|keys| Order { keys })
}

/// The cursor as the next request sends it.
fn round_trip(cursor: &Cursor, order: &Order, schema: &LayerSchema) -> Cursor {
    let read = Cursor::parse(&cursor.to_string(), order, schema).expect("a parsed cursor");
    assert_eq!(read.to_string(), cursor.to_string());
    read
}

fn ask(order: &Order, start: Start, limit: usize) -> PageRequest {
    PageRequest { region: None, filters: Vec::new(), order: order.clone(), start, limit }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn pages_in_both_directions_return_each_feature_once(features in features(), order in order(), limit in 1..7_usize) {
        let schema = world();
        let layer = Layer::build(schema.clone(), features.clone());
        let whole = page(&layer, &ask(&order, Start::First, usize::MAX), &CancelToken::new()).expect("not cancelled");
        let all: Vec<_> = whole.rows.iter().map(|row| row.id().clone()).collect();
        prop_assert_eq!(all.len(), features.len());
        let (mut seen, mut start) = (Vec::new(), Start::First);
        loop {
            let found = page(&layer, &ask(&order, start, limit), &CancelToken::new()).expect("not cancelled");
            prop_assert_eq!(found.matched, features.len());
            seen.extend(found.rows.iter().map(|row| row.id().clone()));
            prop_assert!(seen.len() <= all.len(), "a page is repeated");
            let last = found.rows.last().map(|row| round_trip(&order.cursor(row), &order, &schema));
            match last.filter(|_| found.has_next) {
                Some(last) => start = Start::After(last),
                None => break,
            }
        }
        prop_assert_eq!(&seen, &all);
        // Backwards from the last row.
        let last = whole.rows.last().expect("a row");
        let (mut seen, mut start) = (vec![last.id().clone()], Start::Before(round_trip(&order.cursor(last), &order, &schema)));
        loop {
            let found = page(&layer, &ask(&order, start, limit), &CancelToken::new()).expect("not cancelled");
            let mut ids: Vec<_> = found.rows.iter().map(|row| row.id().clone()).collect();
            ids.append(&mut seen);
            seen = ids;
            prop_assert!(seen.len() <= all.len(), "a page is repeated");
            let first = found.rows.first().map(|row| round_trip(&order.cursor(row), &order, &schema));
            match first.filter(|_| found.has_previous) {
                Some(first) => start = Start::Before(first),
                None => break,
            }
        }
        prop_assert_eq!(&seen, &all);
    }

    #[test]
    fn remaining_features_are_returned_once_during_changes(
        features in features(), order in order(), limit in 1..7_usize, keeps in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let schema = world();
        // Some features exist only on every other page.
        let of_page = |number: usize| {
            let kept = features.iter().zip(&keeps).filter(|(_, kept)| **kept || number.is_multiple_of(2));
            Layer::build(schema.clone(), kept.map(|(feature, _)| feature.clone()).collect())
        };
        let (mut seen, mut start) = (Vec::new(), Start::First);
        for number in 0.. {
            let layer = of_page(number);
            let found = page(&layer, &ask(&order, start, limit), &CancelToken::new()).expect("not cancelled");
            seen.extend(found.rows.iter().map(|row| row.id().clone()));
            prop_assert!(seen.len() <= features.len(), "a page is repeated");
            let last = found.rows.last().map(|row| round_trip(&order.cursor(row), &order, &schema));
            match last.filter(|_| found.has_next) {
                Some(last) => start = Start::After(last),
                None => break,
            }
        }
        for (feature, kept) in features.iter().zip(&keeps) {
            let times = seen.iter().filter(|id| **id == feature.id).count();
            prop_assert!(times == 1 || (!*kept && times == 0), "{} is returned {} times", feature.id, times);
        }
    }
}

#[test]
fn only_cursors_of_the_same_sort_order_are_accepted() {
    let schema = world();
    let order = Order { keys: vec![(schema.position("datetime"), true)] };
    for text in
        ["", "f00001", "[]", "[1]", "[1,2]", "[null]", "[\"9999-12-31T23:59:59-12:00\",\"f1\"]", "[null,null,\"f1\"]"]
    {
        assert!(Cursor::parse(text, &order, &schema).is_err(), "{text}");
    }
    assert!(Cursor::parse("[null,\"f1\"]", &order, &schema).is_ok());
}

#[test]
fn a_search_within_a_budget_is_complete_or_ends_with_an_error() {
    use onemap::geodesy::LonLat;
    use onemap::query::cancel::{CancelToken, Cancelled};
    use onemap::query::nearest::demand::Demand;
    use onemap::query::nearest::traversal::SearchLimit;
    use onemap::query::nearest::{Explain, NearestQuery, nearest};
    use onemap::query::query_geometry::QueryGeometry;
    use onemap::snapshot::Snapshot;

    let point = |number: usize| {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let lon = 118.0 + number as f64 / 1_000.0;
        feature(number, Some(onemap::model::Shape::from(LonLat::new(lon, 26.0).expect("a position"))), Vec::new())
    };
    let layer =
        Layer::build(schema("points", Vec::new(), onemap::model::Roles::default()), (0..900).map(point).collect());
    let snapshot = Snapshot::new(0, vec![layer]);
    let origin = QueryGeometry::point(LonLat::new(118.0, 26.0).expect("a position"));
    let demand = Demand::anything(time::UtcDateTime::UNIX_EPOCH);
    let ids = |cancel: &CancelToken| {
        let limit = SearchLimit { k: 100, max_distance_m: None };
        let (demand, origin, explain) = (&demand, &origin, Explain::Never);
        let query = NearestQuery { origin, travel: None, limit, demand, relax: false, explain, cancel };
        let found = nearest(&snapshot, &snapshot.layers()[0], &query)?.found;
        Ok::<_, Cancelled>(found.iter().map(|found| found.near.row.id().to_string()).collect::<Vec<_>>())
    };
    let expected = ids(&CancelToken::new());
    assert_eq!(expected.as_ref().map(Vec::len), Ok(100));
    for budget in 0..400 {
        let found = ids(&CancelToken::with_budget(budget));
        assert!(found == expected || found == Err(Cancelled), "{budget}: {found:?}");
        assert!(budget != 0 || found.is_err());
        assert!(budget != 399 || found.is_ok());
    }
}
