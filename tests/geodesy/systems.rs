//! Reference systems: coordinates only within their valid area, and curved edges of areas and boxes.

use geo::{Geometry, Intersects, LineString, Point, Polygon};
use onemap::geodesy::LonLat;
use onemap::geodesy::crs::Crs;
use onemap::geodesy::crs_transform::CrsTransform;
use onemap::geodesy::region::Region;

const MERCATOR: &str = "http://www.opengis.net/def/crs/EPSG/0/3857";
const ZONE: &str = "http://www.opengis.net/def/crs/EPSG/0/4549";

fn at(lon: f64, lat: f64) -> LonLat {
    LonLat::new(lon, lat).expect("a position")
}

fn system(address: &str) -> CrsTransform {
    Crs::from_uri(address).and_then(CrsTransform::new).expect("a system")
}

#[test]
fn coordinates_exist_only_where_they_round_trip() {
    for address in Crs::uris() {
        let system = system(address);
        for lon in (-180..=180).step_by(15) {
            for lat in (-90..=90).step_by(5) {
                let place = at(f64::from(lon), f64::from(lat));
                let Ok([first, second]) = system.pair(place) else { continue };
                let back = system.position(first, second).expect("a place");
                let metres = onemap::geodesy::distance::distance_m(place, back);
                assert!(metres < 0.01, "{address}: {place} is converted to {first},{second} and back to {back}");
            }
        }
        let minqing = at(118.86, 26.22);
        assert!(system.pair(minqing).is_ok(), "{address} reaches the county");
    }
    assert!(system(MERCATOR).pair(at(0.0, -90.0)).is_err());
    assert!(system(ZONE).pair(at(30.0, 0.0)).is_err());
}

#[test]
fn a_feature_on_the_edge_of_a_box_of_another_system_is_inside() {
    for address in [MERCATOR, ZONE] {
        let system = system(address);
        for step in 0..400 {
            let step = f64::from(step);
            let place = at(118.0 + step * 0.0037 % 1.5, 25.5 + step * 0.0071 % 1.5);
            // As in replies: rounded to a millimetre.
            let [first, second] = system.pair(place).expect("coordinates");
            let (first, second) = ((first * 1e3).round() / 1e3, (second * 1e3).round() / 1e3);
            for sides in [
                [first, second, first + 90_000.0, second + 120_000.0],
                [first - 90_000.0, second - 120_000.0, first, second],
                [first - 50_000.0, second, first + 300_000.0, second + 1.0],
                [first, second, first, second],
            ] {
                let Region::Area(area) = system.region(sides).expect("a box") else { panic!("an area") };
                assert!(
                    area.geometry().intersects(&Point::new(place.lon(), place.lat())),
                    "{address}: {place} in {sides:?}"
                );
            }
        }
    }
}

#[test]
fn edges_of_an_area_are_densified_like_those_of_a_box() {
    let system = system(ZONE);
    let corners = [(2_800_000.0, 300_000.0), (3_000_000.0, 700_000.0)];
    let [(low, left), (high, right)] = corners;
    let ring: LineString = vec![(low, left), (high, left), (high, right), (low, right), (low, left)].into();
    let bent = system.to_lon_lat(&Polygon::new(ring.clone(), Vec::new()).into()).expect("an area");
    let Region::Area(as_box) = system.region([low, left, high, right]).expect("a box") else { panic!("an area") };
    let Geometry::Polygon(bent) = bent else { panic!("an area") };
    for step in 0..=1_000 {
        // Midpoint of the southern edge, where the chord of the corners is 900 m further north.
        let east = left + (right - left) * f64::from(step) / 1_000.0;
        for (north, is_inside) in [(low + 0.05, true), (low - 0.05, false)] {
            let place = system.position(north, east).expect("a place");
            let place = Point::new(place.lon(), place.lat());
            if (1..1_000).contains(&step) {
                assert_eq!(bent.intersects(&place), is_inside, "{north},{east}");
                assert_eq!(as_box.geometry().intersects(&place), is_inside, "{north},{east}");
            }
        }
    }
}
