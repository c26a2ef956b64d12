//! Covering sets: complete, as near as any, and without redundant members.

use onemap::geodesy::LonLat;
use onemap::geodesy::distance::distance_m;
use onemap::model::roles::{CapacityRole, Codes, StockRole};
use onemap::model::schema::FieldType;
use onemap::model::{Roles, Shape, Value};
use onemap::query::cancel::CancelToken;
use onemap::query::nearest::cover::cover;
use onemap::query::nearest::covering_program::{CoverOptions, Prefer};
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

/// The position of a resource: they are on a parallel, each further east.
fn place(number: usize) -> LonLat {
    let lon = 118.0 + f64::from(u32::try_from(number).expect("few")) / 100.0;
    LonLat::new(lon, 26.0).expect("a position")
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
        let values = vec![
            Value::Text("ready".to_owned()),
            Value::Integer(*places),
            Value::Integer(0),
            Value::TextList(own.collect()),
            Value::Json(format!("[{}]", lots.join(","))),
        ];
        feature(number, Some(Shape::from(place(number))), values)
    });
    Layer::build(schema("resources", fields, roles), features.collect())
}

fn demand(people: Option<u32>, skills: &[bool], counts: &[u32]) -> Demand {
    let needed = SKILLS.iter().zip(skills).filter(|(_, is_needed)| **is_needed);
    let counted = ARTICLES.iter().zip(counts).filter(|(_, count)| **count > 0);
    Demand {
        people,
        skills: needed.map(|(skill, _)| (*skill).to_owned()).collect(),
        items: counted.map(|(code, count)| Quantity { code: (*code).to_owned(), count: f64::from(*count) }).collect(),
        ..Demand::anything(UtcDateTime::UNIX_EPOCH)
    }
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

/// The mean share of a demand that resources cover together.
fn share(all: &[&Stocked], demand: &Demand) -> f64 {
    let position = |list: &[&str], code: &str| list.iter().position(|own| *own == code).expect("a known code");
    let mut shares: Vec<f64> = Vec::new();
    if let Some(people) = demand.people {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        shares.push((all.iter().map(|own| own.0).sum::<i64>() as f64 / f64::from(people)).min(1.0));
    }
    for skill in &demand.skills {
        let at = position(&SKILLS, skill);
        shares.push(f64::from(u8::from(all.iter().any(|own| own.1[at]))));
    }
    for item in &demand.items {
        let at = position(&ARTICLES, &item.code);
        shares.push((all.iter().map(|own| f64::from(own.2[at])).sum::<f64>() / item.count).min(1.0));
    }
    #[expect(clippy::cast_precision_loss, reason = "a few")]
    let count = shares.len() as f64;
    shares.iter().sum::<f64>() / count
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn sets_of_fewest_nearest_and_limited_members_are_the_best_of_all(
        all in proptest::collection::vec(stocked(), 1..9),
        people in prop_oneof![Just(None), (1..400_u32).prop_map(Some)],
        skills in proptest::collection::vec(any::<bool>(), 4),
        counts in proptest::collection::vec(prop_oneof![Just(0), 1..500_u32], 3),
        most in 1..5_usize,
    ) {
        let snapshot = Snapshot::new(0, vec![resources(&all)]);
        let demand = demand(people, &skills, &counts);
        prop_assume!(demand.people.is_some() || !demand.skills.is_empty() || !demand.items.is_empty());
        let origin = QueryGeometry::point(LonLat::new(118.0, 26.0).expect("a position"));
        let cancel = CancelToken::new();
        let limit = SearchLimit { k: 1, max_distance_m: None };
        let ask = NearestQuery { origin: &origin, travel: None, limit, demand: &demand, relax: false, explain: Explain::Never, cancel: &cancel };
        let number = |id: &str| id[1..].parse::<usize>().expect("a number");
        let chosen = |prefer, max_members| {
            let set = cover(&snapshot, &snapshot.layers()[0], &ask, CoverOptions { prefer, max_members }).expect("a set");
            set.members.iter().map(|own| number(own.near.row.id().as_str())).collect::<Vec<_>>()
        };
        let of = |numbers: &[usize]| numbers.iter().map(|at| &all[*at]).collect::<Vec<_>>();
        // Every subset, by brute force.
        let subsets: Vec<Vec<usize>> =
            (0..1_usize << all.len()).map(|bits| (0..all.len()).filter(|at| bits >> at & 1 == 1).collect()).collect();
        let whole = share(&all.iter().collect::<Vec<_>>(), &demand);
        let covering: Vec<&Vec<usize>> =
            subsets.iter().filter(|own| share(&of(own), &demand) >= whole - 1e-9).collect();
        let fewest = covering.iter().map(|own| own.len()).min().expect("all of them");
        let members = chosen(Prefer::Fewest, None);
        prop_assert_eq!(members.len(), fewest, "{:?}", members);
        prop_assert!(share(&of(&members), &demand) >= whole - 1e-9);

        // A member costs its distance in kilometres, and 0.1 for being one more.
        let cost = |own: &[usize]| own.iter().map(|at| distance_m(place(0), place(*at)) / 1_000.0 + 0.1).sum::<f64>();
        let least = covering.iter().map(|own| cost(own)).fold(f64::INFINITY, f64::min);
        let members = chosen(Prefer::Balanced, None);
        prop_assert!(share(&of(&members), &demand) >= whole - 1e-9);
        prop_assert!(cost(&members) <= least + 1e-6, "{:?}", members);

        let within: Vec<&Vec<usize>> = subsets.iter().filter(|own| own.len() <= most).collect();
        let best = within.iter().map(|own| share(&of(own), &demand)).fold(0.0, f64::max);
        for prefer in [Prefer::Nearest, Prefer::Fewest, Prefer::Balanced] {
            let members = chosen(prefer, Some(most));
            prop_assert!(members.len() <= most);
            prop_assert!((share(&of(&members), &demand) - best).abs() < 1e-6, "{:?}: {:?}", prefer, members);
        }
        let farthest = within
            .iter()
            .filter(|own| share(&of(own), &demand) >= whole - 1e-9)
            .filter_map(|own| own.last())
            .min();
        if let Some(farthest) = farthest {
            let members = chosen(Prefer::Nearest, Some(most));
            prop_assert!(members.last().is_none_or(|last| last <= farthest), "{:?}: {}", members, farthest);
        }
    }
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
        let demand = demand(people, &skills, &counts);
        prop_assume!(demand.people.is_some() || !demand.skills.is_empty() || !demand.items.is_empty());
        let origin = QueryGeometry::point(LonLat::new(118.0, 26.0).expect("a position"));
        let cancel = CancelToken::new();
        let limit = SearchLimit { k: 1, max_distance_m: None };
        let ask = NearestQuery { origin: &origin, travel: None, limit, demand: &demand, relax: false, explain: Explain::Never, cancel: &cancel };
        let set = cover(&snapshot, &snapshot.layers()[0], &ask, CoverOptions::default()).expect("a set");
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
