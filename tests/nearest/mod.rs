//! Nearest against brute force with another geodesic, on random data.

mod conditions;
pub(crate) mod vincenty;

use geo::{Geometry, LineString, Polygon};
use onemap::geodesy::LonLat;
use onemap::model::schema::Label;
use onemap::model::{Feature, FeatureId, GeometryKind, LayerSchema, Roles, Shape};
use onemap::query::cancel::CancelToken;
use onemap::query::nearest::traversal::{Near, SearchLimit, nearest_where};
use onemap::query::query_geometry::QueryGeometry;
use onemap::snapshot::Layer;
use proptest::prelude::*;

use crate::support::cases;

fn layer(shapes: Vec<Shape>) -> Layer {
    let label = |text: &str| Label { zh: text.to_owned(), en: text.to_owned() };
    let schema = LayerSchema {
        id: "world".to_owned(),
        title: label("world"),
        group: "test".to_owned(),
        geometry: GeometryKind::Any,
        min_zoom: 0,
        clusters: None,
        importance: 1,
        tessellation: false,
        fields: Vec::new(),
        roles: Roles::default(),
    };
    let named = shapes.into_iter().enumerate().map(|(at, shape)| Feature {
        id: FeatureId::new(&format!("f{at:05}")).expect("an id"),
        geometry: Some(shape),
        values: Vec::new(),
    });
    Layer::build(schema, named.collect())
}

/// Positions worldwide, in one county, at the antimeridian, at the poles, and on a coarse grid with many duplicates.
fn position() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![
        (-180.0..=180.0, -90.0..=90.0),
        (118.5..119.1, 25.9..26.6),
        (prop_oneof![179.9..=180.0, -180.0..=-179.9], -1.0..1.0),
        (-180.0..=180.0, prop_oneof![89.9..=90.0, -90.0..=-89.9]),
        (1180_i32..1184, 260_i32..263).prop_map(|(lon, lat)| (f64::from(lon) / 10.0, f64::from(lat) / 10.0)),
    ]
}

fn at((lon, lat): (f64, f64)) -> LonLat {
    LonLat::new(lon, lat).expect("a position")
}

/// The nearest feature of any kind.
fn plain(layer: &Layer, from: (f64, f64), k: usize, max_distance_m: Option<f64>) -> Vec<Near<'_>> {
    let origin = QueryGeometry::point(at(from));
    let reach = SearchLimit { k, max_distance_m };
    nearest_where(layer, &origin, reach, &CancelToken::new(), |_| true, |_| true).expect("an answer")
}

/// Vincenty's and Karney's results agree to this, metres.
const AGREEMENT_M: f64 = 1e-3;

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn points_are_in_the_order_of_brute_force(
        sites in proptest::collection::vec(position(), 1..300),
        from in position(),
        k in 1_usize..20,
    ) {
        let layer = layer(sites.iter().map(|&site| Shape::from(at(site))).collect());
        let truth: Option<Vec<f64>> = sites.iter().map(|&site| vincenty::distance_m(from, site)).collect();
        // Vincenty's series does not converge for nearly antipodal positions.
        prop_assume!(truth.is_some());
        let truth = truth.unwrap_or_default();
        let found = plain(&layer, from, k, None);
        prop_assert_eq!(found.len(), k.min(sites.len()));
        let mut sorted = truth.clone();
        sorted.sort_by(f64::total_cmp);
        for (rank, answer) in found.iter().enumerate() {
            let index: usize = answer.row.id().as_str()[1..].parse().expect("a number");
            prop_assert!((answer.distance_m - truth[index]).abs() < AGREEMENT_M, "distance of {}", answer.row.id());
            prop_assert!((answer.distance_m - sorted[rank]).abs() < AGREEMENT_M, "rank {} is {}", rank, answer.row.id());
        }
        for pair in found.windows(2) {
            let order = pair[0].distance_m.total_cmp(&pair[1].distance_m).then_with(|| pair[0].row.id().cmp(pair[1].row.id()));
            prop_assert!(order.is_lt(), "equal distances are ordered by id");
        }
    }

    #[test]
    fn a_distance_limit_keeps_features_within_it(
        sites in proptest::collection::vec(position(), 1..100),
        from in position(),
        limit_m in 1.0..20_000_000.0_f64,
    ) {
        let layer = layer(sites.iter().map(|&site| Shape::from(at(site))).collect());
        let all = plain(&layer, from, sites.len(), None);
        let within = plain(&layer, from, sites.len(), Some(limit_m));
        let expected: Vec<_> = all.iter().filter(|found| found.distance_m <= limit_m).map(|found| found.row.id()).collect();
        prop_assert_eq!(within.iter().map(|found| found.row.id()).collect::<Vec<_>>(), expected);
    }
}

/// A small line or area around a position.
fn extended() -> impl Strategy<Value = Geometry> {
    let centre = (prop_oneof![-179.0..179.0, 118.5..119.1], prop_oneof![-89.0..89.0, 25.9..26.6]);
    let corners = proptest::collection::vec((0.0..std::f64::consts::TAU, 0.05..0.3_f64), 3..8);
    (centre, corners, any::<bool>()).prop_map(|((lon, lat), mut corners, closed)| {
        // By increasing angle, so that areas are simple.
        corners.sort_by(|a, b| a.0.total_cmp(&b.0));
        let path: LineString =
            corners.iter().map(|(angle, reach)| (lon + reach * angle.cos(), lat + reach * angle.sin())).collect();
        if closed { Polygon::new(path, Vec::new()).into() } else { path.into() }
    })
}

/// Distance to the nearest of many positions on the edges, by Vincenty; an upper bound that exceeds the distance by at
/// most half a step.
fn sampled_m(from: (f64, f64), geometry: &Geometry) -> Option<f64> {
    use geo::Intersects;
    const STEPS: u32 = 400;
    if matches!(geometry, Geometry::Polygon(area) if area.intersects(&geo::Point::new(from.0, from.1))) {
        return Some(0.0);
    }
    let mut best = f64::INFINITY;
    let path = match geometry {
        Geometry::Polygon(area) => area.exterior(),
        Geometry::LineString(line) => line,
        other => panic!("no test shape: {other:?}"),
    };
    for edge in path.lines() {
        for step in 0..=STEPS {
            let coord = edge.start + edge.delta() * (f64::from(step) / f64::from(STEPS));
            best = best.min(vincenty::distance_m(from, (coord.x, coord.y))?);
        }
    }
    Some(best)
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn lines_and_areas_are_in_the_order_of_brute_force(
        shapes in proptest::collection::vec(extended(), 1..12),
        from in (118.0..119.5, 25.5..27.0),
        k in 1_usize..6,
    ) {
        // Edges are at most 0.6 degrees, so half a step is below 85 m; near the minimum the error is far smaller.
        const STEP_M: f64 = 85.0;
        let truth: Option<Vec<f64>> = shapes.iter().map(|shape| sampled_m(from, shape)).collect();
        prop_assume!(truth.is_some());
        let truth = truth.unwrap_or_default();
        let layer = layer(shapes.into_iter().map(|shape| Shape::new(shape).expect("a shape")).collect());
        let found = plain(&layer, from, k, None);
        prop_assert_eq!(found.len(), k.min(truth.len()));
        let mut sorted = truth.clone();
        sorted.sort_by(f64::total_cmp);
        for (rank, answer) in found.iter().enumerate() {
            let index: usize = answer.row.id().as_str()[1..].parse().expect("a number");
            prop_assert!(answer.distance_m <= truth[index] + AGREEMENT_M, "{} too far", answer.row.id());
            prop_assert!(truth[index] - answer.distance_m < STEP_M, "{} too near", answer.row.id());
            prop_assert!((answer.distance_m - sorted[rank]).abs() < STEP_M, "rank {}", rank);
        }
        prop_assert!(found.windows(2).all(|pair| pair[0].distance_m <= pair[1].distance_m));
    }
}
