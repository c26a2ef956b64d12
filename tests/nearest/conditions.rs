//! Nearest with demands over HTTP, against brute force: results, exclusions with reasons, and covering sets.

use std::collections::BTreeSet;

use geo::{Contains, Geometry, Point};
use geozero::ToGeo;
use geozero::geojson::GeoJson;
use serde_json::{Value as Json, json};

use super::vincenty;
use crate::support::listener::edit;
use crate::support::{Server, await_that, encoded};

/// The two geodesic series agree to this, metres.
const AGREEMENT_M: f64 = 1e-3;

fn all(server: &Server, layer: &str) -> Vec<Json> {
    let mut answer = server.get(&format!("/ogc/collections/{layer}/items?limit=10000")).json();
    answer["features"].as_array_mut().expect("features").drain(..).collect()
}

fn point(feature: &Json) -> (f64, f64) {
    let axis = |at: usize| feature["geometry"]["coordinates"][at].as_f64().expect("a coordinate");
    (axis(0), axis(1))
}

fn distance_m(from: (f64, f64), feature: &Json) -> f64 {
    vincenty::distance_m(from, point(feature)).expect("a distance")
}

/// The verdict of brute force on a feature: `None` if unknown.
type Verdict = fn(&World, &Json) -> Option<bool>;

struct World {
    zones: Vec<(String, i64, Geometry)>,
}

impl World {
    fn of(server: &Server) -> Self {
        let zones = all(server, "risk_zones").into_iter().map(|zone| {
            let hazard = zone["properties"]["hazard"].as_str().expect("a hazard").to_owned();
            let level = zone["properties"]["risk_level"].as_i64().expect("a level");
            (hazard, level, GeoJson(&zone["geometry"].to_string()).to_geo().expect("a geometry"))
        });
        Self { zones: zones.collect() }
    }

    fn is_inside(&self, feature: &Json, hazards: &[&str], level: i64) -> bool {
        let (lon, lat) = point(feature);
        self.zones.iter().any(|(hazard, own, area)| {
            hazards.contains(&hazard.as_str()) && *own <= level && area.contains(&Point::new(lon, lat))
        })
    }
}

fn status(feature: &Json, codes: &[&str]) -> Option<bool> {
    feature["properties"]["status"].as_str().map(|status| codes.contains(&status))
}

fn free(feature: &Json, capacity: &str) -> Option<i64> {
    let number = |name: &str| feature["properties"][name].as_i64();
    Some((number(capacity)? - number("occupancy")? - number("promised").unwrap_or(0)).max(0))
}

/// Three-valued AND.
fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn suits(feature: &Json, hazard: &str) -> Option<bool> {
    let names = |list: &str| feature["properties"][list].as_array().is_some_and(|list| list.contains(&json!(hazard)));
    if names("unfit") { Some(false) } else { names("fits").then_some(true) }
}

fn can(feature: &Json, skill: &str) -> Option<bool> {
    feature["properties"]["skills"].as_array().map(|skills| skills.contains(&json!(skill)))
}

fn stock(feature: &Json, code: &str) -> Option<f64> {
    let today = time::OffsetDateTime::now_utc().to_offset(time::macros::offset!(+8)).date().to_string();
    let lots = feature["properties"]["stock"].as_array()?;
    let usable = lots
        .iter()
        .filter(|lot| lot["item_code"] == code && lot["expires_on"].as_str().is_none_or(|day| day >= today.as_str()));
    Some(
        usable.map(|lot| lot["quantity"].as_f64().expect("a quantity") - lot["promised"].as_f64().unwrap_or(0.0)).sum(),
    )
}

const SHELTER: [&str; 3] = ["standby", "opening", "open"];
const TEAM: [&str; 2] = ["standby", "training"];

fn with_room(feature: &Json, places: i64) -> Option<bool> {
    both(status(feature, &SHELTER), free(feature, "capacity").map(|free| free >= places))
}

/// Demands: layer, parameters, and the verdict of brute force.
fn conditions() -> Vec<(&'static str, String, Verdict)> {
    let filter = encoded("for_frail = true AND capacity >= 100");
    let area = encoded("POLYGON((118.7 26.1,118.95 26.1,118.95 26.35,118.7 26.35,118.7 26.1))");
    let shelters = |text: &str| text.to_owned();
    vec![
        ("shelters", shelters("status=any"), |_, _| Some(true)),
        ("shelters", shelters(""), |_, feature| with_room(feature, 1)),
        ("shelters", shelters("people=300"), |_, feature| with_room(feature, 300)),
        ("shelters", shelters("people=100&night=true"), |_, feature| {
            both(status(feature, &SHELTER), free(feature, "capacity_night").map(|free| free >= 100))
        }),
        ("shelters", shelters("people=50&hazard=flood,earthquake"), |_, feature| {
            both(with_room(feature, 50), both(suits(feature, "flood"), suits(feature, "earthquake")))
        }),
        ("shelters", shelters("people=80&avoid=flood,landslide,debris_flow&avoid_level=3"), |world, feature| {
            both(with_room(feature, 80), Some(!world.is_inside(feature, &["flood", "landslide", "debris_flow"], 3)))
        }),
        ("shelters", format!("people=20&filter={filter}"), |_, feature| {
            let properties = &feature["properties"];
            let wanted =
                properties["for_frail"] == true && properties["capacity"].as_i64().is_some_and(|all| all >= 100);
            both(with_room(feature, 20), Some(wanted))
        }),
        ("shelters", format!("within={area}"), |_, feature| {
            let (lon, lat) = point(feature);
            both(with_room(feature, 1), Some((118.7..=118.95).contains(&lon) && (26.1..=26.35).contains(&lat)))
        }),
        ("shelters", shelters("within=350124102000&status=standby,full"), |_, feature| {
            let code = feature["properties"]["region_code"].as_str().map(|code| code.starts_with("350124102"));
            both(status(feature, &["standby", "full"]), code)
        }),
        ("teams", shelters("skills=forest_fire,flood"), |_, feature| {
            both(status(feature, &TEAM), both(can(feature, "forest_fire"), can(feature, "flood")))
        }),
        ("depots", shelters("items=tent:25,3010201:3"), |_, feature| {
            let until = feature["properties"]["agreement_until"].as_str();
            let today = time::OffsetDateTime::now_utc().date().to_string();
            let holds = Some(until.is_none_or(|until| until >= today.as_str()));
            let has = |code: &str, count: f64| stock(feature, code).map(|free| free >= count);
            both(holds, both(has("1010101", 25.0), has("3010201", 3.0)))
        }),
    ]
}

fn ids(features: &Json) -> Vec<&str> {
    features.as_array().expect("a list").iter().map(|own| own["id"].as_str().expect("an id")).collect()
}

#[test]
fn results_and_exclusions_of_each_demand_equal_brute_force() {
    const K: usize = 4;
    const MAX_LISTED: usize = 20;
    let (_folder, server) = Server::of_sample();
    let world = World::of(&server);
    for (layer, parameters, verdict) in conditions() {
        let features = all(&server, layer);
        for from in [(118.86, 26.22), (118.62, 26.05), (119.4, 26.5), (0.0, 0.0), (118.701, 26.402), (-179.9, 26.0)] {
            let path =
                format!("/api/nearest?point={},{}&layer={layer}&k={K}&explain=true&{parameters}", from.0, from.1);
            let answer = server.get(&path).json();
            let summary = &answer["layers"][0];
            let mut order: Vec<(f64, &Json)> =
                features.iter().map(|feature| (distance_m(from, feature), feature)).collect();
            order.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1["id"].as_str().cmp(&b.1["id"].as_str())));
            let (world, order) = (&world, &order);
            let of = |wanted: Option<bool>| {
                let those = order.iter().filter(move |(_, feature)| verdict(world, feature) == wanted);
                those.map(|(_, feature)| feature["id"].as_str().expect("an id"))
            };
            let expected: Vec<&str> = of(Some(true)).chain(of(None)).take(K).collect();
            assert_eq!(ids(&answer["features"]), expected, "{path}");
            for (rank, feature) in answer["features"].as_array().expect("features").iter().enumerate() {
                let properties = &feature["properties"];
                assert_eq!(properties["rank"], json!(rank + 1), "{path}");
                let metres = properties["distance_m"].as_f64().expect("metres");
                assert!((metres - distance_m(from, feature)).abs() < AGREEMENT_M, "{path}: {feature}");
                let known = verdict(world, feature) == Some(true);
                assert_eq!(properties["eligibility"], if known { "eligible" } else { "unknown" }, "{path}");
                assert_eq!(properties["reasons"].is_array(), !known, "{path}");
            }
            // Every nearer feature that is not in the result is listed with a reason.
            let fitting = of(Some(true)).take(K).count();
            let last = if fitting == K { expected.last().copied() } else { None };
            let mut nearer: Vec<&str> =
                order.iter().map(|(_, feature)| feature["id"].as_str().expect("an id")).collect();
            if let Some(last) = last {
                nearer.truncate(nearer.iter().position(|id| *id == last).expect("the last one is listed") + 1);
            }
            nearer.retain(|id| !expected.contains(id));
            // The nearest of them, and the number of others.
            let count = nearer.len();
            nearer.truncate(MAX_LISTED);
            assert_eq!(ids(&summary["excluded"]), nearer, "{path}");
            assert_eq!(summary["more_excluded"], json!(count.saturating_sub(MAX_LISTED)), "{path}");
            for excluded_feature in summary["excluded"].as_array().expect("a list") {
                let reasons = excluded_feature["reasons"].as_array().expect("reasons");
                assert!(!reasons.is_empty(), "{path}: {excluded_feature}");
                let own = features.iter().find(|feature| feature["id"] == excluded_feature["id"]).expect("a feature");
                let doubtful = |reason: &Json| {
                    let code = reason["code"].as_str().expect("a code");
                    code.ends_with("_unknown")
                };
                let all_doubts = reasons.iter().all(doubtful);
                assert_eq!(all_doubts, verdict(world, own).is_none(), "{path}: {excluded_feature}");
                check_facts(world, own, reasons);
            }
        }
    }
}

/// Checks that each reason is true.
fn check_facts(world: &World, feature: &Json, reasons: &[Json]) {
    for reason in reasons {
        let properties = &feature["properties"];
        let holds = match reason["code"].as_str().expect("a code") {
            "status" => properties["status"] == reason["status"],
            "capacity" => {
                let free = [free(feature, "capacity"), free(feature, "capacity_night")];
                free.contains(&reason["free"].as_i64()) && reason["free"].as_i64() < reason["required"].as_i64()
            }
            "capacity_unknown" => free(feature, "capacity").is_none() || free(feature, "capacity_night").is_none(),
            "unsuitable" => suits(feature, reason["hazard"].as_str().expect("a hazard")) == Some(false),
            "suitability_unknown" => suits(feature, reason["hazard"].as_str().expect("a hazard")).is_none(),
            "skill" => can(feature, reason["skill"].as_str().expect("a skill")) == Some(false),
            "skills_unknown" => properties["skills"].is_null(),
            "stock" => {
                let free = stock(feature, reason["item_code"].as_str().expect("a code"));
                free == reason["free"].as_f64() && reason["free"].as_f64() < reason["required"].as_f64()
            }
            "inside" => world.is_inside(feature, &["flood", "landslide", "debris_flow"], 3),
            "stock_unknown" => properties["stock"].is_null(),
            "ended" => properties["agreement_until"] == reason["until"],
            "filter" | "outside_area" => true,
            other => panic!("{other} is no requested reason"),
        };
        assert!(holds, "{reason} of {feature}");
        assert!(["zh", "en"].iter().all(|language| reason[language].as_str().is_some_and(|text| !text.is_empty())));
    }
}

#[test]
fn warnings_of_another_time_are_avoided_at_that_time() {
    let (folder, server) = Server::of_sample();
    edit(
        &folder.file("onemap.gpkg"),
        "UPDATE warnings SET started_at = '2040-01-01T00:00:00Z', expires_at = '2040-01-02T00:00:00Z', status = 'active'",
    );
    let nearest = |at: &str| {
        let path = "/api/nearest?point=118.86,26.22&layer=shelters&k=349&status=any&avoid=warnings&explain=true";
        let reply = server.get(&format!("{path}{at}"));
        assert_eq!(reply.status, 200, "{}", reply.json());
        reply.json()["layers"][0]["returned"].as_u64().expect("a number")
    };
    await_that("the warnings are in the future", || nearest("") == 349);
    let during = nearest("&at=2040-01-01T20:00:00%2B08:00");
    assert!(during < 349, "some shelters are in an area that is warned of: {during}");
    assert_eq!(nearest("&at=2040-01-02T08:00:00+08:00"), 349, "they have expired");
    assert_eq!(nearest("&at=2039-12-31T23:59:59Z"), 349, "they have not begun");
    let around = |at: &str| {
        let found = server.get(&format!("/api/surroundings?point=118.86,26.22&radius_m=50000{at}")).json();
        let layers = found["rings"][0]["layers"].as_array().expect("layers").clone();
        layers.iter().find(|own| own["layer"] == "warnings").map_or(0, |own| own["count"].as_u64().expect("a number"))
    };
    assert_eq!(around(""), 0);
    assert!(around("&at=2040-01-01T12:00:00Z") > 0);
    for at in [
        "tomorrow",
        "2040-01-01",
        "2040-01-01T12:00:00",
        "2026%E5%B9%B48%E6%9C%8814%E6%97%A5",
        "9999-12-31T23:59:59-23:59",
    ] {
        for path in [
            "/api/nearest?point=118.86,26.22&layer=shelters",
            "/api/surroundings?point=118.86,26.22",
            "/api/audits/siting?level=1",
        ] {
            let reply = server.get(&format!("{path}&at={at}"));
            assert_eq!((reply.status, reply.json()["parameter"].clone()), (400, json!("at")), "{path} {at}");
        }
    }
}

#[test]
fn a_covering_set_may_have_fewest_members_or_a_limit() {
    let (_folder, server) = Server::of_sample();
    let ask = |more: &str| server.get(&format!("/api/nearest?point=118.86,26.22&layer=shelters&people=3000{more}"));
    let summary = |more: &str| {
        let reply = ask(&format!("&cover=true{more}"));
        assert_eq!(reply.status, 200, "{}", reply.json());
        reply.json()["layers"][0].clone()
    };
    let count = |summary: &Json| summary["returned"].as_u64().expect("a number");
    let (nearest, fewest) = (summary(""), summary("&prefer=fewest"));
    assert!(count(&fewest) < count(&nearest), "{fewest} {nearest}");
    for set in [&nearest, &fewest, &summary("&prefer=balanced")] {
        assert_eq!((set["covered"].clone(), set["gap"].clone()), (json!(true), json!(0.0)), "{set}");
    }
    let most = count(&fewest);
    let limited = summary(&format!("&max_sites={most}"));
    assert_eq!((count(&limited), limited["covered"].clone()), (most, json!(true)));
    let partial = summary("&max_sites=1");
    assert_eq!((count(&partial), partial["covered"].clone()), (1, json!(false)));
    assert!(partial["uncovered"]["people"].as_u64().is_some_and(|people| people < 3000), "{partial}");
    for (more, parameter) in [
        ("&prefer=fewest", "prefer"),
        ("&max_sites=3", "max_sites"),
        ("&cover=true&max_sites=0", "max_sites"),
        ("&cover=true&prefer=best", "prefer"),
    ] {
        let reply = ask(more);
        assert_eq!((reply.status, reply.json()["parameter"].clone()), (400, json!(parameter)), "{more}");
    }
}

#[test]
fn a_covering_set_is_the_nearest_and_has_no_redundant_member() {
    let (_folder, server) = Server::of_sample();
    for from in [(118.86, 26.22), (118.62, 26.05), (118.95, 26.4)] {
        let point = format!("point={},{}", from.0, from.1);
        // Places: the nearest covering set without redundant members; each contributes what is still needed.
        let answer = server.get(&format!("/api/nearest?{point}&layer=shelters&people=4000&cover=true")).json();
        let mut fitting: Vec<(f64, i64, Json)> = all(&server, "shelters")
            .into_iter()
            .filter(|feature| with_room(feature, 1) == Some(true))
            .map(|feature| {
                (distance_m(from, &feature), free(&feature, "capacity").expect("free"), feature["id"].clone())
            })
            .collect();
        fitting.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut covered = 0;
        fitting.retain(|(_, free, _)| {
            let is_needed = covered < 4000;
            covered += free;
            is_needed
        });
        for at in (0..fitting.len()).rev() {
            let others = fitting.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, (_, free, _))| free);
            if others.sum::<i64>() >= 4000 {
                fitting.remove(at);
            }
        }
        let mut left = 4000;
        let expected: Vec<(Json, i64)> = fitting
            .into_iter()
            .map(|(_, free, id)| {
                let taken = free.min(left);
                left -= taken;
                (id, taken)
            })
            .collect();
        let features = answer["features"].as_array().expect("features");
        let given = features
            .iter()
            .map(|own| (own["id"].clone(), own["properties"]["contributes"]["people"].as_i64().expect("people")));
        assert_eq!(given.collect::<Vec<_>>(), expected);
        assert_eq!(answer["layers"][0]["covered"], true);
    }
    // A demand beyond the supply: the rest is reported as uncovered.
    let answer = server.get("/api/nearest?point=118.86,26.22&layer=depots&items=tent:1000000&cover=true").json();
    let uncovered = answer["layers"][0]["uncovered"]["items"][0]["quantity"].as_i64().expect("a quantity");
    let given: i64 = answer["features"]
        .as_array()
        .expect("features")
        .iter()
        .map(|own| own["properties"]["contributes"]["items"][0]["quantity"].as_i64().expect("a quantity"))
        .sum();
    assert_eq!(given + uncovered, 1_000_000);
}

#[test]
fn a_covering_set_has_every_skill_and_no_redundant_member() {
    let skills = ["mine_rescue", "flood", "landslide", "engineering"];
    let (_folder, server) = Server::of_sample();
    for from in [(118.86, 26.22), (118.62, 26.05), (118.95, 26.4)] {
        let point = format!("point={},{}", from.0, from.1);
        // Skills: exhaustive search finds no covering set with a nearer farthest member, and no member is redundant.
        let answer =
            server.get(&format!("/api/nearest?{point}&layer=teams&skills={}&cover=true", skills.join(","))).json();
        let mut ready: Vec<(f64, u32)> = all(&server, "teams")
            .iter()
            .filter(|feature| status(feature, &TEAM) == Some(true))
            .map(|feature| {
                let bits = skills.iter().enumerate().filter(|(_, skill)| can(feature, skill) == Some(true));
                (distance_m(from, feature), bits.fold(0, |bits, (at, _)| bits | 1 << at))
            })
            .filter(|(_, bits)| *bits > 0)
            .collect();
        ready.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Of members with equal skills the nearest suffices.
        let mut seen = BTreeSet::new();
        ready.retain(|(_, bits)| seen.insert(*bits));
        let farthest = (1_u32..1 << ready.len())
            .filter_map(|set| {
                let members = || (0..ready.len()).filter(|at| set & (1 << at) > 0);
                let covers = members().fold(0, |bits, at| bits | ready[at].1) == 0b1111;
                covers.then(|| members().map(|at| ready[at].0).fold(0.0, f64::max))
            })
            .fold(f64::INFINITY, f64::min);
        let features = answer["features"].as_array().expect("features");
        let metres = |own: &Json| own["properties"]["distance_m"].as_f64().expect("metres");
        let ours = features.iter().map(metres).fold(0.0, f64::max);
        assert!((ours - farthest).abs() < AGREEMENT_M, "{ours} against {farthest}");
        let covered_without = |left_out: usize| -> BTreeSet<String> {
            let others = features.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, own)| own);
            let skills = others.flat_map(|own| own["properties"]["skills"].as_array().expect("skills").clone());
            skills.map(|skill| skill.as_str().expect("a skill").to_owned()).collect()
        };
        for (at, own) in features.iter().enumerate() {
            let covered = covered_without(at);
            assert!(skills.iter().any(|skill| !covered.contains(*skill)), "{} is not needed", own["id"]);
        }
    }
}

#[test]
fn many_points_get_the_same_results_as_single_ones() {
    let (_folder, server) = Server::of_sample();
    let points: Vec<(f64, f64)> =
        (0..300).map(|n| (118.5 + f64::from(n) * 0.002, 25.9 + f64::from(n * 7 % 300) * 0.002)).collect();
    let body = json!({"points": points, "layer": "shelters:2,teams:1", "people": 40, "avoid": ["landslide"]});
    let json = [("Content-Type", "application/json")];
    let reply = server.send("POST", "/api/nearest", &json, &body.to_string());
    assert_eq!(reply.header("content-type"), "application/x-ndjson");
    let text = String::from_utf8(reply.body).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), points.len());
    for at in [0, 64, 299] {
        let line: Json = serde_json::from_str(lines[at]).expect("JSON");
        let (lon, lat) = points[at];
        let query = format!("point={lon},{lat}&layer=shelters:2,teams:1&people=40&avoid=landslide");
        let alone = server.get(&format!("/api/nearest?{query}")).json();
        for member in ["features", "layers", "point"] {
            assert_eq!(line[member], alone[member], "{at}");
        }
    }
}

#[test]
fn many_points_are_one_collection_on_request() {
    let (_folder, server) = Server::of_sample();
    // Nothing is near the first point.
    let points: Vec<[f64; 2]> =
        std::iter::once([0.0, 0.0]).chain((0..100).map(|n| [118.8 + f64::from(n) * 0.001, 26.2])).collect();
    let body = json!({"points": points, "layer": "shelters", "k": 2, "max_distance_m": 20_000});
    let json = [("Content-Type", "application/json")];
    let answer = server.send("POST", "/api/nearest?f=geojson", &json, &body.to_string()).json();
    let features = answer["features"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let numbers: Vec<u64> =
        features.iter().map(|own| own["properties"]["point_number"].as_u64().expect("a number")).collect();
    let expected: Vec<u64> = (1..=100).flat_map(|number| [number, number]).collect();
    assert_eq!(numbers, expected);
    assert!(answer["data_version"].is_string());
}

#[test]
fn the_origin_may_be_a_shape_and_use_another_datum() {
    let (_folder, server) = Server::of_sample();
    let plain = server.get("/api/nearest?point=118.86,26.22&layer=shelters&k=3").json();
    // The same position in GCJ-02, by the published formula.
    let shifted = onemap::geodesy::gcj02::to_gcj02(onemap::geodesy::LonLat::new(118.86, 26.22).expect("a place"));
    let path = format!("/api/nearest?point={},{}&layer=shelters&k=3&crs=gcj02", shifted.lon(), shifted.lat());
    let moved = server.get(&path).json();
    assert_eq!(ids(&moved["features"]), ids(&plain["features"]));
    for (a, b) in
        plain["features"].as_array().expect("a list").iter().zip(moved["features"].as_array().expect("a list"))
    {
        let metres = |own: &Json| own["properties"]["distance_m"].as_f64().expect("metres");
        assert!((metres(a) - metres(b)).abs() < 0.002);
        let apart = vincenty::distance_m(point(a), point(b)).expect("a distance");
        assert!((585.0..600.0).contains(&apart), "results are shifted too: {apart}");
    }
    // From a line: the minimum over many positions on it, and 0 inside an area.
    let line = encoded("LINESTRING(118.7 26.1, 118.8 26.2, 118.95 26.25)");
    let along = server.get(&format!("/api/nearest?near={line}&layer=shelters&k=5&status=any")).json();
    let path = geo::LineString::from(vec![(118.7, 26.1), (118.8, 26.2), (118.95, 26.25)]);
    let places: Vec<(f64, f64)> = path
        .lines()
        .flat_map(|edge| (0..=4000).map(move |step| edge.start + edge.delta() * (f64::from(step) / 4000.0)))
        .map(|coord| (coord.x, coord.y))
        .collect();
    let mut expected: Vec<(f64, Json)> = all(&server, "shelters")
        .into_iter()
        .map(|feature| {
            let nearest = places.iter().map(|place| distance_m(*place, &feature)).fold(f64::INFINITY, f64::min);
            (nearest, feature["id"].clone())
        })
        .collect();
    expected.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (feature, (metres, id)) in along["features"].as_array().expect("a list").iter().zip(&expected) {
        assert_eq!(feature["id"], *id);
        assert!((feature["properties"]["distance_m"].as_f64().expect("metres") - metres).abs() < 0.5);
    }
    let area = json!({"near": {"type": "Polygon", "coordinates":
        [[[118.8, 26.2], [118.9, 26.2], [118.9, 26.3], [118.8, 26.3], [118.8, 26.2]]]}, "layer": "shelters", "k": 3});
    let reply = server.send("POST", "/api/nearest", &[("Content-Type", "application/json")], &area.to_string()).json();
    assert!(reply["features"].as_array().expect("a list").iter().all(|own| own["properties"]["distance_m"] == 0.0));
}
