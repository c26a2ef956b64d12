//! Isochrones: what a route reaches in a time is inside, nothing grows when roads close, and areas contain each other.

use geo::{Area, BooleanOps, Contains, MultiPolygon, Point};
use serde_json::Value as Json;

use super::{items, route, text};
use crate::support::Server;

/// The area of each time, in the order of the reply.
pub(super) fn areas(server: &Server, query: &str) -> Vec<(f64, MultiPolygon)> {
    let reply = server.get(&format!("/api/isochrones?{query}"));
    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    let features = body["features"].as_array().expect("features");
    let area = |feature: &Json| {
        let rings = |polygon: &Json| -> geo::Polygon {
            let ring = |ring: &Json| -> geo::LineString {
                let ring: Vec<(f64, f64)> = serde_json::from_value(ring.clone()).expect("a ring");
                ring.into()
            };
            let mut rings: Vec<geo::LineString> = polygon.as_array().expect("rings").iter().map(ring).collect();
            geo::Polygon::new(rings.remove(0), rings)
        };
        let polygons = feature["geometry"]["coordinates"].as_array().expect("polygons").iter().map(rings);
        (feature["properties"]["minutes"].as_f64().expect("minutes"), polygons.collect())
    };
    features.iter().map(area).collect()
}

#[test]
fn what_is_reached_in_a_time_is_inside() {
    let (_folder, server) = Server::of_sample();
    let origin = "118.859,26.222";
    let found = areas(&server, &format!("point={origin}&minutes=8,16,24"));
    assert_eq!(found.iter().map(|(minutes, _)| *minutes).collect::<Vec<_>>(), [24.0, 16.0, 8.0]);
    for pair in found.windows(2) {
        let outside = pair[1].1.difference(&pair[0].1).unsigned_area();
        // The outlines are rounded to a metre.
        assert!(
            outside < pair[1].1.unsigned_area() * 1e-3 && pair[0].1.unsigned_area() > pair[1].1.unsigned_area(),
            "{outside}"
        );
    }
    let roads = items(&server, "roads");
    let ends = roads.iter().step_by(3).map(|road| road["geometry"]["coordinates"][0].clone());
    let (mut inside, mut outside, mut far) = (0, 0, 0);
    for end in ends.filter(|end| end[0].is_number()) {
        let Ok(trip) = route(&server, origin, &text(&end)) else { continue };
        let minutes = trip["duration_s"].as_f64().expect("seconds") / 60.0;
        let at = Point::new(end[0].as_f64().expect("degrees"), end[1].as_f64().expect("degrees"));
        for (limit, area) in &found {
            if minutes < limit - 0.02 {
                assert!(area.contains(&at), "{at:?} is {minutes} of {limit} minutes away");
                inside += 1;
            } else if minutes > limit * 1.5 {
                far += 1;
                outside += usize::from(!area.contains(&at));
            }
        }
    }
    assert!(inside > 50 && far > 50, "{inside} inside, {far} far");
    // Another road that is reached may pass within 200 m.
    assert!(outside * 20 > far * 19, "{outside} of {far} are outside");
    let walked = areas(&server, &format!("point={origin}&minutes=24&by=walk"));
    assert!(walked[0].1.unsigned_area() * 3.0 < found[0].1.unsigned_area());
}

#[test]
fn a_position_without_a_road_reaches_nothing() {
    let (_folder, server) = Server::of_sample();
    let reply = server.get("/api/isochrones?point=0,0&minutes=10").json();
    assert_eq!(
        (&reply["features"][0]["geometry"], &reply["features"][0]["properties"]["minutes"]),
        (&Json::Null, &Json::from(10.0))
    );
    for (query, parameter) in [
        ("point=118.8,26.2&minutes=0", "minutes"),
        ("point=118.8,26.2&minutes=1,2,3,4,5,6,7", "minutes"),
        ("point=118.8,26.2&direction=up", "direction"),
        ("point=118.8,26.2&by=line", "by"),
        ("minutes=10", "point"),
    ] {
        let refused = server.get(&format!("/api/isochrones?{query}"));
        assert_eq!((refused.status, &refused.json()["parameter"]), (400, &Json::from(parameter)), "{query}");
    }
}
