//! Transport plans: equal to those of an independent solver, complete, and never beyond a capacity.

use std::fmt::Write;

use onemap::query::allocation::transport::{Transport, TransportArc};
use onemap::query::cancel::CancelToken;
use proptest::prelude::*;

use crate::conformance::clients::python;
use crate::support::{Folder, cases, chances, foreign};

/// Reads one problem per line and prints the units served and their least cost.
const ORACLE: &str = "\
import json, sys, networkx
for line in open(sys.argv[1]):
    problem = json.loads(line)
    graph = networkx.DiGraph()
    graph.add_nodes_from(['source', 'sink'])
    for number, capacity in enumerate(problem['capacities']):
        graph.add_edge('source', f's{number}', capacity=capacity, weight=0)
    for number, needed in enumerate(problem['demands']):
        graph.add_edge(f'd{number}', 'sink', capacity=needed, weight=0)
    for demand, site, cost in problem['arcs']:
        graph.add_edge(f's{site}', f'd{demand}', weight=cost)
    flow = networkx.max_flow_min_cost(graph, 'source', 'sink')
    print(sum(flow['source'].values()), networkx.cost_of_flow(graph, flow))
";

/// A random problem with whole costs, so that the oracle computes exactly.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers above 0")]
fn problem(seed: u64) -> Transport {
    let mut chance = chances(seed);
    let mut whole = |below: u32| (chance() * f64::from(below)) as u32;
    let demands: Vec<u32> = (0..=whole(11)).map(|_| whole(300)).collect();
    let capacities: Vec<u32> = (0..=whole(15)).map(|_| whole(400)).collect();
    let mut arcs = Vec::new();
    for demand in 0..demands.len() {
        for site in 0..capacities.len() {
            if whole(10) < 8 {
                arcs.push(TransportArc { demand, site, cost: f64::from(whole(100)) });
            }
        }
    }
    Transport { demands, capacities, arcs, together: false }
}

#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
fn whole(cost: f64) -> i64 {
    cost.round() as i64
}

#[test]
fn five_hundred_plans_equal_those_of_another_solver() {
    let problems: Vec<Transport> = (0..500).map(problem).collect();
    let mut lines = String::new();
    for problem in &problems {
        let arcs: Vec<_> = problem.arcs.iter().map(|arc| (arc.demand, arc.site, whole(arc.cost))).collect();
        let line = serde_json::json!({"demands": problem.demands, "capacities": problem.capacities, "arcs": arcs});
        writeln!(lines, "{line}").expect("written");
    }
    let folder = Folder::new();
    let file = folder.write("problems", lines);
    let printed = foreign(&python("python"), &["-c", ORACLE, &file.display().to_string()]);
    let expected: Vec<&str> = printed.lines().collect();
    assert_eq!(expected.len(), problems.len());
    let (mut optimal, mut greedy) = (0.0, 0.0);
    for (problem, expected) in problems.iter().zip(expected) {
        let plan = problem.solve(&CancelToken::new()).expect("a plan");
        assert_eq!(format!("{} {}", plan.served(), whole(plan.cost())), expected, "{problem:?}");
        let simple = problem.greedy();
        if simple.served() == plan.served() {
            optimal += plan.cost();
            greedy += simple.cost();
        }
    }
    assert!(optimal < greedy, "where both serve the same, the plan costs less: {optimal} of {greedy}");
}

/// The least cost of serving most, demand by demand, by trying every site.
fn exhaustive(problem: &Transport, demand: usize, left: &mut Vec<u32>) -> (u64, f64) {
    let Some(needed) = problem.demands.get(demand).copied() else { return (0, 0.0) };
    let mut best = exhaustive(problem, demand + 1, left);
    for arc in problem.arcs.iter().filter(|arc| arc.demand == demand) {
        if left[arc.site] >= needed {
            left[arc.site] -= needed;
            let (served, cost) = exhaustive(problem, demand + 1, left);
            left[arc.site] += needed;
            let found = (served + u64::from(needed), cost + arc.cost * f64::from(needed));
            if found.0 > best.0 || (found.0 == best.0 && found.1 < best.1) {
                best = found;
            }
        }
    }
    best
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn demands_that_stay_together_are_served_as_well_as_can_be(
        demands in proptest::collection::vec(1..60_u32, 1..5),
        capacities in proptest::collection::vec(0..100_u32, 1..4),
        costs in proptest::collection::vec(0..50_u32, 20),
    ) {
        let sites = capacities.len();
        let pairs = (0..demands.len()).flat_map(|demand| (0..sites).map(move |site| (demand, site)));
        let arcs = pairs.zip(costs).map(|((demand, site), cost)| TransportArc { demand, site, cost: f64::from(cost) });
        let problem = Transport { demands, capacities, arcs: arcs.collect(), together: true };
        let plan = problem.solve(&CancelToken::new()).expect("a plan");
        let (served, cost) = exhaustive(&problem, 0, &mut problem.capacities.clone());
        prop_assert_eq!(plan.served(), served);
        prop_assert!(plan.cost() <= cost * 1.001 + 1e-6, "{} of {}", plan.cost(), cost);
        for flow in &plan.flows {
            prop_assert_eq!(flow.amount, problem.demands[flow.arc.demand], "in one place");
        }
        for (site, capacity) in problem.capacities.iter().enumerate() {
            let used: u32 = plan.flows.iter().filter(|flow| flow.arc.site == site).map(|flow| flow.amount).sum();
            prop_assert!(used <= *capacity);
        }
    }

    #[test]
    fn the_price_of_a_site_is_what_one_more_place_saves(seed in any::<u64>()) {
        let problem = problem(seed);
        let plan = problem.solve(&CancelToken::new()).expect("a plan");
        for price in problem.shadow_prices(&plan).into_iter().take(3) {
            let mut larger = problem.clone();
            larger.capacities[price.site] += 1;
            let better = larger.solve(&CancelToken::new()).expect("a plan");
            prop_assert_eq!(better.served() > plan.served(), price.serves_more);
            let saved = plan.cost() - better.cost();
            prop_assert!((saved - price.saved).abs() < 1e-3, "{} instead of {}", saved, price.saved);
        }
    }

    #[test]
    fn the_plan_with_more_units_at_a_site_is_the_best_plan_of_that_problem(seed in any::<u64>(), units in 1_u32..60) {
        let problem = problem(seed);
        let plan = problem.solve(&CancelToken::new()).expect("a plan");
        for price in problem.shadow_prices(&plan).into_iter().take(3) {
            let mut larger = problem.clone();
            larger.capacities[price.site] += units;
            let best = larger.solve(&CancelToken::new()).expect("a plan");
            let found = problem.with_more(&plan, price.site, units, &CancelToken::new()).expect("a plan");
            prop_assert_eq!(found.served(), best.served());
            prop_assert!((found.cost() - best.cost()).abs() < 1e-3, "{} instead of {}", found.cost(), best.cost());
            for (site, capacity) in larger.capacities.iter().enumerate() {
                let used: u32 = found.flows.iter().filter(|flow| flow.arc.site == site).map(|flow| flow.amount).sum();
                prop_assert!(used <= *capacity);
            }
            for (demand, needed) in larger.demands.iter().enumerate() {
                let got: u32 = found.flows.iter().filter(|flow| flow.arc.demand == demand).map(|flow| flow.amount).sum();
                prop_assert!(got <= *needed);
            }
        }
    }
}
