//! Geodesic distances against values known by construction.

mod edges;
mod proj;
mod systems;

use geo::{Geometry, line_string, polygon};
use onemap::geodesy::LonLat;
use onemap::geodesy::distance::{bearing_deg, distance_m, nearest_place};

fn at(lon: f64, lat: f64) -> LonLat {
    LonLat::new(lon, lat).expect("a position")
}

#[test]
fn a_quarter_meridian_is_10001_966_km() {
    assert!((distance_m(at(10.0, 0.0), at(-120.0, 90.0)) - 10_001_965.729_312).abs() < 1e-5);
    assert!((distance_m(at(179.999, 0.0), at(-179.999, 0.0)) - 222.638_981_6).abs() < 1e-5);
    assert_eq!(bearing_deg(at(118.0, 26.0), at(118.0, 27.0)), Some(0.0));
    assert_eq!(bearing_deg(at(118.0, 26.0), at(118.0, 26.0)), None);
}

#[test]
fn inside_an_area_the_distance_is_zero_and_in_its_hole_it_is_not() {
    let area: Geometry = polygon!(
        exterior: [(x: 118.0, y: 26.0), (x: 119.0, y: 26.0), (x: 119.0, y: 27.0), (x: 118.0, y: 27.0), (x: 118.0, y: 26.0)],
        interiors: [[(x: 118.4, y: 26.4), (x: 118.6, y: 26.4), (x: 118.6, y: 26.6), (x: 118.4, y: 26.6), (x: 118.4, y: 26.4)]],
    )
    .into();
    assert_eq!(nearest_place(at(118.2, 26.2), &area), Some((at(118.2, 26.2), 0.0)));
    assert_eq!(nearest_place(at(118.0, 26.5), &area).map(|(_, metres)| metres), Some(0.0));
    let (place, metres) = nearest_place(at(118.5, 26.42), &area).expect("a place");
    // Due south across the edge of the hole, to which the meridian is perpendicular.
    assert!((metres - distance_m(at(118.5, 26.42), at(118.5, 26.4))).abs() < 1e-6, "{metres}");
    assert!((place.lon() - 118.5).abs() < 1e-6 && (place.lat() - 26.4).abs() < 1e-9, "{place}");
}

#[test]
fn the_nearest_place_of_a_line_beats_every_sample_along_it() {
    let line = line_string![(x: 118.51, y: 25.93), (x: 118.74, y: 26.31), (x: 118.98, y: 26.05), (x: 119.8, y: 26.06)];
    for (lon, lat) in
        [(118.7, 26.0), (118.9, 26.4), (118.2, 25.9), (120.5, 26.5), (119.4, 20.0), (-60.0, -26.0), (118.6, 89.9)]
    {
        let (place, metres) = nearest_place(at(lon, lat), &line.clone().into()).expect("a place");
        assert!((distance_m(at(lon, lat), place) - metres).abs() < 1e-9);
        let sampled = line
            .lines()
            .flat_map(|edge| (0..=2000).map(move |i| edge.start + edge.delta() * (f64::from(i) / 2000.0)))
            .map(|coord| distance_m(at(lon, lat), at(coord.x, coord.y)))
            .fold(f64::INFINITY, f64::min);
        assert!(metres <= sampled + 1e-6 && sampled - metres < 25.0, "{lon},{lat}: {metres} against {sampled}");
    }
}
