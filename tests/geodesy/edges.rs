//! Edges at all ranges, with and without index: distances, lengths and validity against dense sampling and brute force.

use geo::{BooleanOps, Geometry, Intersects, Length, Line, LineString, MultiLineString, Polygon, Validation};
use onemap::geodesy::LonLat;
use onemap::geodesy::distance::{distance_m, nearest_place};
use onemap::geodesy::edge_index::EdgeIndex;
use onemap::geodesy::validity::check_validity;
use proptest::prelude::*;

use crate::support::cases;

fn at(lon: f64, lat: f64) -> LonLat {
    LonLat::new(lon, lat).expect("a position")
}

/// The distance to the nearest of many positions on an edge, refined around the best samples.
fn sampled_m(from: LonLat, edge: Line) -> f64 {
    const STEPS: u32 = 600;
    let metres = |share: f64| {
        let coord = edge.start + edge.delta() * share;
        distance_m(from, at(coord.x, coord.y))
    };
    let refine = |mut low: f64, mut high: f64| {
        // Golden section search: one minimum lies between the neighbours of a best sample.
        let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
        for _ in 0..70 {
            let (a, b) = (high - (high - low) * ratio, low + (high - low) * ratio);
            if metres(a) < metres(b) { high = b } else { low = a }
        }
        metres(f64::midpoint(low, high))
    };
    let share = |step: u32| f64::from(step.min(STEPS)) / f64::from(STEPS);
    let samples: Vec<f64> = (0..=STEPS).map(|step| metres(share(step))).collect();
    let is_lowest = |step: usize| {
        let around = &samples[step.saturating_sub(1)..(step + 2).min(samples.len())];
        around.iter().all(|other| samples[step] <= *other)
    };
    let lowest = (0..samples.len()).filter(|step| is_lowest(*step)).map(|step| {
        let step = u32::try_from(step).expect("few");
        refine(share(step.saturating_sub(1)), share(step + 1))
    });
    lowest.chain([samples[0], samples[samples.len() - 1]]).fold(f64::INFINITY, f64::min)
}

fn anywhere() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![
        3 => (-180.0..=180.0, -90.0..=90.0),
        1 => (118.5..119.1, 25.9..26.6),
        1 => (-180.0..=180.0, prop_oneof![85.0..=90.0, -90.0..=-85.0]),
    ]
}

proptest! {
    #![proptest_config(cases(250))]

    #[test]
    fn the_distance_to_an_edge_equals_that_of_its_nearest_sample(from in anywhere(), start in anywhere(), end in anywhere(), is_short: bool) {
        let shorten = |start: f64, end: f64| if is_short { start + (end - start) / 200.0 } else { end };
        let end = (shorten(start.0, end.0), shorten(start.1, end.1));
        let (from, edge) = (at(from.0, from.1), Line::new(start, end));
        let (place, metres) = nearest_place(from, &edge.into()).expect("a place");
        let expected = sampled_m(from, edge);
        prop_assert!((distance_m(from, place) - metres).abs() < 1e-9);
        // Near the antipode there may be minima between the samples.
        let slack = if expected > 19_900_000.0 { 1.0 } else { 1e-4 };
        prop_assert!(metres <= expected + slack, "{} to {:?}: {} against {}", from, edge, metres, expected);
    }
}

/// A ring around a position; simple for small roughness, possibly self-intersecting for larger.
fn ring(corners: std::ops::Range<usize>, size: f64, roughness: f64) -> impl Strategy<Value = LineString> {
    proptest::collection::vec((0.4..1.0_f64, -1.0..1.0_f64), corners).prop_map(move |corners| {
        let count = f64::from(u32::try_from(corners.len()).expect("few"));
        let mut ring: Vec<(f64, f64)> = (0_u32..)
            .zip(&corners)
            .map(|(corner, (reach, swing))| {
                let angle = (f64::from(corner) + swing * roughness) / count * std::f64::consts::TAU;
                (size * reach * angle.cos(), size * reach * angle.sin())
            })
            .collect();
        ring.push(ring[0]);
        ring.into()
    })
}

fn moved(geometry: impl Into<Geometry>, by: (f64, f64)) -> Geometry {
    use geo::Translate;
    geometry.into().translate(by.0, by.1)
}

fn area(roughness: f64) -> impl Strategy<Value = Polygon> {
    let holes = proptest::collection::vec((ring(3..8, 0.15, roughness), -0.6..0.6_f64, -0.6..0.6_f64), 0..3);
    (ring(3..40, 1.0, roughness), holes).prop_map(|(outline, holes)| {
        use geo::Translate;
        Polygon::new(outline, holes.into_iter().map(|(hole, x, y)| hole.translate(x, y)).collect())
    })
}

/// The nearest of all vertices to all edges of the other geometry.
fn brute_force_m(a: &Geometry, b: &Geometry) -> f64 {
    use geo::CoordsIter;
    let to = |from: &Geometry, to: &Geometry| {
        let corners = from.coords_iter().map(|coord| at(coord.x, coord.y));
        corners.filter_map(|corner| nearest_place(corner, to)).map(|(_, metres)| metres).fold(f64::INFINITY, f64::min)
    };
    to(a, b).min(to(b, a))
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn indexed_distances_between_geometries_equal_brute_force(
        a in area(0.0), b in ring(3..60, 1.0, 0.4), by in prop_oneof![(1.5..4.0_f64, -3.0..3.0_f64), (60.0..150.0, -50.0..50.0)],
        limit in prop_oneof![Just(f64::INFINITY), 0.0..400_000.0_f64],
    ) {
        let (a, b) = (Geometry::from(a), moved(b, by));
        prop_assume!(!a.intersects(&b));
        let expected = brute_force_m(&a, &b);
        let (a, b) = (EdgeIndex::new(a), EdgeIndex::new(b));
        let found = a.nearest_pair(&b, limit);
        match found {
            Some((ours, theirs, metres)) => {
                prop_assert!((metres - expected).abs() < 1e-6, "{} against {}", metres, expected);
                prop_assert!((distance_m(ours, theirs) - metres).abs() < 1e-6);
            }
            None => prop_assert!(expected > limit - 1e-6, "{} within {}", expected, limit),
        }
    }

    #[test]
    fn the_distance_to_an_indexed_area_equals_brute_force(a in area(0.0), from in (-3.0..3.0_f64, -3.0..3.0_f64), limit in 0.0..400_000.0_f64) {
        let (from, a) = (at(from.0, from.1), Geometry::from(a));
        let expected = nearest_place(from, &a).expect("a place").1;
        let index = EdgeIndex::new(a);
        let found = index.nearest_place(from, f64::INFINITY).expect("a place").1;
        prop_assert!((found - expected).abs() < 1e-6, "{} against {}", found, expected);
        let within = index.nearest_place(from, limit).is_some();
        prop_assert!(within == (expected <= limit) || (expected - limit).abs() < 1e-6);
    }

    #[test]
    fn the_length_inside_an_area_equals_clipping(a in area(0.0), line in ring(2..20, 1.6, 0.4)) {
        prop_assume!(a.check_validation().is_ok());
        let cut = a.clip(&MultiLineString(vec![line.clone()]), false);
        let expected = geo::Euclidean.length(&cut);
        let index = EdgeIndex::new(a.into());
        let inside: f64 = line.lines().map(|edge| {
            let length = geo::Euclidean.length(&edge);
            index.shares_inside(&edge).into_iter().map(|(from, to)| (to - from) * length).sum::<f64>()
        }).sum();
        prop_assert!((inside - expected).abs() < 1e-6, "{} against {}", inside, expected);
    }

    #[test]
    fn validity_equals_that_of_geo(a in area(0.9)) {
        prop_assert_eq!(check_validity(&a.clone().into()).is_ok(), a.check_validation().is_ok(), "{:?}", a);
    }
}

#[test]
fn invalid_areas_are_refused() {
    let wkt = |text: &str| onemap::query::filter::read_wkt(text).expect("well-known text");
    for valid in [
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1))",
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(0 0,2 1,2 2,0 0))",
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1),(2 2,3 2,3 3,2 3,2 2))",
        "POLYGON((0 0,4 0,4 0,4 4,0 4,0 0))",
        "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((2 0,3 0,3 1,2 0)))",
        "MULTIPOLYGON(((0 0,9 0,9 9,0 9,0 0),(1 1,8 1,8 8,1 8,1 1)),((2 2,3 2,3 3,2 3,2 2)))",
        "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((1 1,2 1,2 2,1 1)))",
        "LINESTRING(0 0,1 1,0 1,1 0)",
    ] {
        assert_eq!(check_validity(&wkt(valid)), Ok(()), "{valid}");
    }
    for invalid in [
        "POLYGON((0 0,4 4,4 0,0 4,0 0))",
        "POLYGON((0 0,4 0,4 4,6 4,4 4,0 4,0 0))",
        "POLYGON((0 0,4 0,2 2,4 4,0 4,2 2,0 0))",
        "POLYGON((0 0,4 0,4 0,0 0))",
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(5 5,6 5,6 6,5 5))",
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(1 0,2 0,2 1,1 0))",
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(3 1,5 1,3 2,3 1))",
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,3 1,3 3,1 3,1 1),(1.5 1.5,2 1.5,2 2,1.5 1.5))",
        "MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)),((1 1,2 1,2 2,1 1)))",
        "MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)),((3 3,5 3,5 5,3 3)))",
        "LINESTRING(1 1,1 1)",
    ] {
        assert!(check_validity(&wkt(invalid)).is_err(), "{invalid}");
    }
}
