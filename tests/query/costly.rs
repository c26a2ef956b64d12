//! Geometries with the maximum number of vertices: results equal those without an edge index.

use geo::{Intersects, LineString, Point, Polygon};
use onemap::geodesy::LonLat;
use onemap::geodesy::distance::nearest_place;
use onemap::geodesy::validity::check_validity;
use onemap::model::Shape;
use onemap::query::cancel::CancelToken;
use onemap::query::nearest::demand::Demand;
use onemap::query::nearest::fitting;
use onemap::query::nearest::traversal::SearchLimit;
use onemap::query::query_geometry::QueryGeometry;
use onemap::query::surroundings::{Area, SurroundingsQuery, surroundings};
use onemap::snapshot::Snapshot;
use time::UtcDateTime;

use super::layer;
use crate::support::chances;

#[test]
fn geometries_with_many_vertices_give_the_same_results_as_without_index() {
    const PLACES: usize = 3_000;
    let mut chance = chances(15);
    let mut place = || (118.5 + 0.6 * chance(), 25.9 + 0.7 * chance());
    let places: Vec<(f64, f64)> = (0..PLACES).map(|_| place()).collect();
    // A zigzag line over the county.
    let zigzag: LineString = (0..790).map(|_| place()).collect();
    let at = |(lon, lat): (f64, f64)| LonLat::new(lon, lat).expect("a position");
    let snapshot = Snapshot::new(0, vec![layer(places.iter().map(|place| Shape::from(at(*place))).collect())]);
    let world = &snapshot.layers()[0];

    let origin = QueryGeometry::shape(Shape::new(zigzag.clone().into()).expect("a line"));
    let reach = SearchLimit { k: 20, max_distance_m: None };
    let demand = Demand::anything(UtcDateTime::UNIX_EPOCH);
    let near = fitting(&snapshot, world, &origin, reach, &demand, &CancelToken::new()).expect("an answer");
    assert_eq!(near.len(), reach.k);
    for own in near.iter().step_by(5) {
        let place = own.row.shape().and_then(Shape::as_point).expect("a point");
        let (_, metres) = nearest_place(place, &zigzag.clone().into()).expect("a distance");
        assert!((own.distance_m - metres).abs() < 1e-6, "{}: {} against {metres}", own.row.id(), own.distance_m);
    }

    // A star with the maximum number of vertices.
    let ring: LineString = (0..19_998_u32)
        .map(|corner| {
            let angle = f64::from(corner) / 19_998.0 * std::f64::consts::TAU;
            let reach = if corner % 2 == 0 { 0.3 } else { 0.05 + 0.2 * chance() };
            (118.8 + reach * angle.cos(), 26.25 + reach * angle.sin())
        })
        .collect();
    let star = Polygon::new(ring, Vec::new());
    assert_eq!(check_validity(&star.clone().into()), Ok(()));
    let area = Area::Inside(Box::new(Shape::new(star.clone().into()).expect("an area")));
    let ask = SurroundingsQuery { area, at: UtcDateTime::UNIX_EPOCH };
    let found = surroundings(&snapshot, &ask, &CancelToken::new()).expect("an answer");
    let expected = places.iter().filter(|place| star.intersects(&Point::from(**place))).count();
    assert_eq!(found.rings[0].layers.first().map_or(0, |own| own.count), expected);
}
