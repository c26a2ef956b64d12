//! Covering sets: complete, as near as any, and without redundant members.

use onemap::geodesy::LonLat;
use onemap::model::schema::{CapacityRole, Codes, FieldType, StockRole};
use onemap::model::{Roles, Shape, Value};
use onemap::query::cancel::CancelToken;
use onemap::query::nearest::cover::cover;
use onemap::query::nearest::demand::{Demand, Quantity};
use onemap::query::nearest::traversal::SearchLimit;
use onemap::query::nearest::{Explain, NearestQuery};
use onemap::query::query_geometry::QueryGeometry;
use onemap::snapshot::{Layer, Snapshot};
use proptest::prelude::*;
use time::UtcDateTime;

use super::{feature, field, schema};
use crate::support::cases;

const SKILLS: [&str; 4] = ["boat", "dog", "medic", "pump"];
const ARTICLES: [&str; 3] = ["tent", "bed", "water"];

/// The supply of a resource: places, skills, and a quantity of each stock item.
type Stocked = (i64, Vec<bool>, Vec<u32>);

fn stocked() -> impl Strategy<Value = Stocked> {
    let quantity = || prop_oneof![Just(0), 1..40_u32, 100..400_u32];
    (
        prop_oneof![Just(0), 1..30_i64, 50..200_i64],
        proptest::collection::vec(any::<bool>(), 4),
        proptest::collection::vec(quantity(), 3),
    )
}

fn resources(all: &[Stocked]) -> Layer {
    let roles = Roles {
        ready: Some(Codes { field: "status".to_owned(), codes: vec!["ready".to_owned()] }),
        capacity: Some(CapacityRole {
            capacity: "capacity".to_owned(),
            night: None,
            taken: "taken".to_owned(),
            promised: None,
        }),
        skills: Some("skills".to_owned()),
        stock: Some(StockRole { field: "stock".to_owned(), until: None, codes: "articles".to_owned() }),
        ..Roles::default()
    };
    let fields = vec![
        field("status", FieldType::Text),
        field("capacity", FieldType::Integer),
        field("taken", FieldType::Integer),
        field("skills", FieldType::TextList),
        field("stock", FieldType::Json),
    ];
    let features = all.iter().enumerate().map(|(number, (places, skills, stock))| {
        let own = SKILLS.iter().zip(skills).filter(|(_, has)| **has).map(|(skill, _)| (*skill).to_owned());
        let lots: Vec<String> = ARTICLES
            .iter()
            .zip(stock)
            .map(|(code, count)| format!(r#"{{"item_code":"{code}","name":"x","quantity":{count},"unit":"x"}}"#))
            .collect();
        let lon = 118.0 + f64::from(u32::try_from(number).expect("few")) / 100.0;
        let values = vec![
            Value::Text("ready".to_owned()),
            Value::Integer(*places),
            Value::Integer(0),
            Value::TextList(own.collect()),
            Value::Json(format!("[{}]", lots.join(","))),
        ];
        feature(number, Some(Shape::from(LonLat::new(lon, 26.0).expect("a position"))), values)
    });
    Layer::build(schema("resources", fields, roles), features.collect())
}

/// Whether resources cover a whole demand.
fn covers(all: &[&Stocked], demand: &Demand) -> bool {
    let people: i64 = all.iter().map(|own| own.0).sum();
    let has = |at: usize| all.iter().any(|own| own.1[at]);
    let count = |at: usize| all.iter().map(|own| f64::from(own.2[at])).sum::<f64>();
    let position = |list: &[&str], code: &str| list.iter().position(|own| *own == code).expect("a known code");
    demand.people.is_none_or(|asked| people >= i64::from(asked))
        && demand.skills.iter().all(|skill| has(position(&SKILLS, skill)))
        && demand.items.iter().all(|item| count(position(&ARTICLES, &item.code)) >= item.count)
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn no_member_of_a_covering_set_is_redundant(
        all in proptest::collection::vec(stocked(), 1..25),
        people in prop_oneof![Just(None), (1..500_u32).prop_map(Some)],
        skills in proptest::collection::vec(any::<bool>(), 4),
        counts in proptest::collection::vec(prop_oneof![Just(0), 1..600_u32], 3),
    ) {
        let layer = resources(&all);
        let snapshot = Snapshot::new(0, vec![layer]);
        let demand = Demand {
            people,
            skills: SKILLS.iter().zip(&skills).filter(|(_, asked)| **asked).map(|(skill, _)| (*skill).to_owned()).collect(),
            items: ARTICLES
                .iter()
                .zip(&counts)
                .filter(|(_, count)| **count > 0)
                .map(|(code, count)| Quantity { code: (*code).to_owned(), count: f64::from(*count) })
                .collect(),
            ..Demand::anything(UtcDateTime::UNIX_EPOCH)
        };
        prop_assume!(demand.people.is_some() || !demand.skills.is_empty() || !demand.items.is_empty());
        let origin = QueryGeometry::point(LonLat::new(118.0, 26.0).expect("a position"));
        let cancel = CancelToken::new();
        let limit = SearchLimit { k: 1, max_distance_m: None };
        let ask = NearestQuery { origin: &origin, limit, demand: &demand, relax: false, explain: Explain::Never, cancel: &cancel };
        let set = cover(&snapshot, &snapshot.layers()[0], &ask).expect("a set");
        let number = |id: &str| id[1..].parse::<usize>().expect("a number");
        let members: Vec<usize> = set.members.iter().map(|own| number(own.near.row.id().as_str())).collect();
        let of = |numbers: Vec<usize>| numbers.into_iter().map(|at| &all[at]).collect::<Vec<_>>();
        prop_assert!(members.is_sorted(), "by distance");
        prop_assert_eq!(covers(&of(members.clone()), &demand), set.uncovered.is_nothing());
        prop_assert_eq!(covers(&of((0..all.len()).collect()), &demand), set.uncovered.is_nothing(), "available amounts are found");
        if set.uncovered.is_nothing() {
            // As near as any: the resources before the farthest member do not cover the demand.
            let farthest = *members.last().expect("a member");
            prop_assert!(!covers(&of((0..farthest).collect()), &demand));
            for left_out in 0..members.len() {
                let others = members.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, number)| *number);
                prop_assert!(!covers(&of(others.collect()), &demand), "{:?} without {}", members, members[left_out]);
            }
        }
        // The contributions add up to the demand, and none is empty.
        prop_assert!(set.members.iter().all(|own| !own.contributes.is_nothing()));
        let given: u32 = set.members.iter().map(|own| own.contributes.people).sum();
        prop_assert_eq!(given + set.uncovered.people, demand.people.unwrap_or(0));
        for item in &demand.items {
            let of = |list: &[Quantity]| list.iter().filter(|own| own.code == item.code).map(|own| own.count).sum::<f64>();
            let given: f64 = set.members.iter().map(|own| of(&own.contributes.items)).sum();
            prop_assert!((given + of(&set.uncovered.items) - item.count).abs() < 1e-9);
        }
        for skill in &demand.skills {
            let givers = set.members.iter().filter(|own| own.contributes.skills.contains(skill)).count();
            prop_assert_eq!(givers + usize::from(set.uncovered.skills.contains(skill)), 1);
        }
    }
}
