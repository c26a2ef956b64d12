//! Boxes, circles and areas across the antimeridian and the poles, against brute force, in layers with several chunks.

use std::collections::BTreeSet;

use geo::{Geometry, Intersects, LineString, Polygon, Rect};
use onemap::geodesy::distance::distance_m;
use onemap::geodesy::region::Region;
use onemap::geodesy::{Envelope, LonLat};
use onemap::model::roles::Roles;
use onemap::model::{GeometryKind, Shape};
use onemap::query::cancel::CancelToken;
use onemap::query::items::{Order, PageRequest, Start, page};
use onemap::query::nearest::demand::{Demand, Within};
use onemap::query::nearest::traversal::SearchLimit;
use onemap::query::query_geometry::QueryGeometry;
use onemap::query::surroundings::{self, Area, surroundings};
use onemap::snapshot::{Layer, Snapshot};
use proptest::prelude::*;
use time::UtcDateTime;

use super::{feature, layer, schema};
use crate::support::cases;

/// Positions on both sides of 180 degrees, at the poles and worldwide.
fn place() -> impl Strategy<Value = LonLat> {
    let beside = prop_oneof![179.5..=180.0, -180.0..=-179.5, Just(180.0), Just(-180.0)];
    prop_oneof![
        3 => (beside, -2.0..2.0_f64),
        1 => (-180.0..=180.0, prop_oneof![89.0..=90.0, -90.0..=-89.0]),
        1 => (-180.0..=180.0, -90.0..=90.0),
    ]
    .prop_map(|(lon, lat)| LonLat::new(lon, lat).expect("a position"))
}

/// More positions than one chunk holds, half on each side.
fn crowd(places: &[LonLat]) -> Layer {
    let near = (0..5_000_u32).map(|n| {
        let lon = 179.0 + f64::from(n % 71) / 70.0 * 2.0;
        let lat = f64::from(n / 71) / 35.0 - 1.0;
        LonLat::new(if lon > 180.0 { lon - 360.0 } else { lon }, lat).expect("a position")
    });
    let layer = layer(near.chain(places.iter().copied()).map(Shape::from).collect());
    assert!(layer.chunks().len() > 1);
    layer
}

fn ids(layer: &Layer, holds: impl Fn(LonLat) -> bool) -> BTreeSet<String> {
    let rows = layer.rows_after(None);
    let inside = rows.filter(|row| row.shape().and_then(Shape::as_point).is_some_and(&holds));
    inside.map(|row| row.id().to_string()).collect()
}

fn paged(layer: &Layer, region: Region) -> BTreeSet<String> {
    let ask = PageRequest {
        region: Some(region),
        filters: Vec::new(),
        order: Order::default(),
        start: Start::First,
        limit: usize::MAX,
    };
    let found = page(layer, &ask, &CancelToken::new()).expect("not cancelled");
    let ids: BTreeSet<String> = found.rows.iter().map(|row| row.id().to_string()).collect();
    assert_eq!(ids.len(), found.matched, "each once");
    ids
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn boxes_equal_brute_force(
        places in proptest::collection::vec(place(), 1..60), a in place(), b in place(),
    ) {
        let (west, east) = (a.lon(), b.lon());
        let (south, north) = (a.lat().min(b.lat()), a.lat().max(b.lat()));
        let sides = Envelope::new(west, south, east, north).expect("a box");
        let layer = crowd(&places);
        let between = |at: LonLat| {
            let lon = at.lon();
            let in_row = if west <= east { west <= lon && lon <= east } else { lon >= west || lon <= east };
            in_row && south <= at.lat() && at.lat() <= north
        };
        let expected = ids(&layer, between);
        prop_assert_eq!(&layer.rows_in(&sides).map(|row| row.id().to_string()).collect::<BTreeSet<_>>(), &expected);
        prop_assert_eq!(layer.rows_in(&sides).count(), expected.len(), "each once");
        prop_assert_eq!(paged(&layer, Region::Box(sides)), expected);
    }

    #[test]
    fn circles_equal_brute_force(
        places in proptest::collection::vec(place(), 1..60), at in place(),
        radius_m in prop_oneof![10.0..50_000.0_f64, 50_000.0..3_000_000.0],
    ) {
        let layer = crowd(&places);
        let expected = ids(&layer, |own| distance_m(at, own) <= radius_m).len();
        let snapshot = Snapshot::new(0, vec![layer]);
        let ask = surroundings::SurroundingsQuery { area: Area::Rings(at, vec![radius_m]), at: UtcDateTime::UNIX_EPOCH };
        let found = surroundings(&snapshot, &ask, &CancelToken::new()).expect("an answer");
        prop_assert_eq!(found.rings[0].layers.first().map_or(0, |own| own.count), expected);
        let reach = SearchLimit { k: usize::MAX, max_distance_m: Some(radius_m) };
        let demand = Demand::anything(UtcDateTime::UNIX_EPOCH);
        let layer = &snapshot.layers()[0];
        let near = onemap::query::nearest::fitting(
            &snapshot, layer, &QueryGeometry::point(at), reach, &demand, &CancelToken::new());
        prop_assert_eq!(near.expect("an answer").len(), expected);
    }
}

/// Lines, areas with and without holes, and points around a position.
fn shape() -> impl Strategy<Value = Geometry> {
    let ring = |size: f64| {
        proptest::collection::vec(0.3..1.0_f64, 3..40).prop_map(move |reaches| {
            let count = u32::try_from(reaches.len()).expect("few");
            let angle = |corner: u32| f64::from(corner) / f64::from(count) * std::f64::consts::TAU;
            let corners = (0..count).zip(&reaches);
            corners
                .map(|(corner, reach)| (size * reach * angle(corner).cos(), size * reach * angle(corner).sin()))
                .collect::<LineString>()
        })
    };
    let kinds = (ring(1.0), ring(0.25), 0..4_u8, -3.0..3.0_f64, -3.0..3.0_f64);
    kinds.prop_map(|(outer, inner, kind, x, y)| {
        use geo::Translate;
        let geometry: Geometry = match kind {
            0 => geo::Point::new(0.0, 0.0).into(),
            1 => outer.into(),
            2 => Polygon::new(outer, Vec::new()).into(),
            _ => Polygon::new(outer, vec![inner]).into(),
        };
        geometry.translate(x, y)
    })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn intersections_with_indexed_areas_equal_brute_force(area in shape(), others in proptest::collection::vec(shape(), 1..20)) {
        let shape = Shape::new(area.clone()).expect("a shape");
        let Within::Area(index) = Within::area(shape) else { panic!("an area") };
        for other in others {
            prop_assert_eq!(index.intersects(&other), area.intersects(&other), "{:?} and {:?}", area, other);
            let rect: Rect = geo::BoundingRect::bounding_rect(&other).expect("a box");
            let sides = Envelope::new(rect.min().x, rect.min().y, rect.max().x, rect.max().y).expect("a box");
            let holds = geo::Relate::relate(&area, &Geometry::from(rect.to_polygon())).is_covers();
            prop_assert!(!index.holds(&sides) || holds, "{:?} in {:?}", rect, area);
        }
    }
}

#[test]
fn features_without_a_geometry_match_every_region() {
    let mut schema = schema("world", Vec::new(), Roles::default());
    schema.geometry = GeometryKind::Any;
    let at = |lon, lat| Some(Shape::from(LonLat::new(lon, lat).expect("a position")));
    let features =
        vec![feature(0, at(10.0, 10.0), vec![]), feature(1, None, vec![]), feature(2, at(50.0, 10.0), vec![])];
    let layer = Layer::build(schema, features);
    let expected: BTreeSet<String> = ["f00000", "f00001"].map(str::to_owned).into();
    assert_eq!(paged(&layer, Region::Box(Envelope::new(9.0, 9.0, 11.0, 11.0).expect("a box"))), expected);
    let area = Polygon::new(vec![(9.0, 9.0), (11.0, 9.0), (11.0, 11.0), (9.0, 9.0)].into(), Vec::new());
    assert_eq!(paged(&layer, Region::from(area)), expected);
}

#[test]
fn a_cancelled_search_ends() {
    let snapshot = Snapshot::new(0, vec![crowd(&[])]);
    let cancel = CancelToken::new();
    cancel.cancel();
    let at = LonLat::new(180.0, 0.0).expect("a position");
    let ask = surroundings::SurroundingsQuery { area: Area::Rings(at, vec![50_000.0]), at: UtcDateTime::UNIX_EPOCH };
    assert!(surroundings(&snapshot, &ask, &cancel).is_err());
    let square = Polygon::new(vec![(170.0, -5.0), (180.0, -5.0), (180.0, 5.0), (170.0, -5.0)].into(), Vec::new());
    let inside = Area::Inside(Box::new(Shape::new(square.into()).expect("an area")));
    assert!(surroundings(&snapshot, &surroundings::SurroundingsQuery { area: inside, ..ask }, &cancel).is_err());
    let demand = Demand::anything(UtcDateTime::UNIX_EPOCH);
    let reach = SearchLimit { k: 1, max_distance_m: None };
    let origin = QueryGeometry::point(at);
    let by_name = Order { keys: vec![(None, true)] };
    let all = PageRequest { region: None, filters: Vec::new(), order: by_name, start: Start::First, limit: 10 };
    assert!(page(&snapshot.layers()[0], &all, &cancel).is_err());
    assert!(
        onemap::query::nearest::fitting(&snapshot, &snapshot.layers()[0], &origin, reach, &demand, &cancel).is_err()
    );
}
