//! Search by name, pinyin and code, and its ranking.

use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::{Folder, Server, encoded};

fn search(server: &Server, query: &str) -> Vec<(String, String, String)> {
    let answer = server.get(&format!("/api/search?{query}")).json();
    let features = answer["features"].as_array().unwrap_or_else(|| panic!("{query}: {answer}")).clone();
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    features
        .iter()
        .map(|own| (text(&own["id"]), text(&own["properties"]["name"]), text(&own["properties"]["matched"])))
        .collect()
}

/// Names of all features, by layer and id.
fn names(server: &Server) -> Vec<(String, String)> {
    let layers = server.get("/api/layers").json();
    let layers = layers["layers"].as_array().expect("layers").clone();
    let all = layers.iter().flat_map(|layer| {
        let id = layer["id"].as_str().expect("an id");
        let mut answer = server.get(&format!("/ogc/collections/{id}/items?limit=10000")).json();
        answer["features"].take().as_array().expect("features").clone()
    });
    all.filter_map(|own| Some((own["id"].as_str()?.to_owned(), own["properties"]["name"].as_str()?.to_owned())))
        .collect()
}

#[test]
fn names_are_found_by_any_part_and_by_pinyin() {
    let (_folder, server) = Server::of_sample();
    let names = names(&server);
    for part in ["避灾点", "梅溪", "小学", "救援"] {
        let mut expected: Vec<&str> =
            names.iter().filter(|(_, name)| name.contains(part)).map(|(id, _)| id.as_str()).collect();
        let found = search(&server, &format!("limit=100&q={}", encoded(part)));
        assert_eq!(found.len(), expected.len().min(100), "{part}");
        expected.sort_unstable();
        assert!(found.iter().all(|(id, name, _)| expected.binary_search(&id.as_str()).is_ok() && name.contains(part)));
    }
    // The exact name comes first, then names with this prefix, then codes.
    let (id, name) = names.iter().find(|(id, _)| id == "SH-0001").expect("a shelter");
    assert_eq!(search(&server, &format!("q={}", encoded(name)))[0], (id.clone(), name.clone(), "whole".to_owned()));
    assert_eq!(search(&server, "q=sh-0001")[0].0, "SH-0001");
    assert_eq!(search(&server, "q=350124101000&layer=townships")[0].1, "梅溪镇");
    assert!(search(&server, "q=3501241&limit=100").iter().all(|(.., matched)| matched == "code"));

    // Letters are treated as pinyin before id prefixes.
    assert!(search(&server, "q=sh&limit=100").iter().any(|(.., how)| how == "pinyin"));
    for typed in ["meixi", "mxz", "meix", "mxizhen", "M%C3%A9ix%C4%AB"] {
        let found = search(&server, &format!("layer=townships&q={typed}"));
        assert_eq!(
            found.first().map(|(_, name, how)| (name.as_str(), how.as_str())),
            Some(("梅溪镇", "pinyin")),
            "{typed}"
        );
    }
    let both = search(&server, &format!("limit=100&q={}", encoded("梅溪 避灾点")));
    assert!(!both.is_empty() && both.iter().all(|(_, name, _)| name.contains("梅溪") && name.contains("避灾点")));
    assert_eq!(search(&server, &format!("q={}", encoded("没有这个名字"))), []);
}

#[test]
fn what_an_officer_types_is_found() {
    let (_folder, server) = Server::of_sample();
    let first = |query: &str| search(&server, &format!("limit=20&q={}", encoded(query)));
    // The words of a name with others between them.
    let school = first("梅城小学");
    assert!(school.iter().any(|(_, name, how)| how == "scattered" && name.contains("小学")), "{school:?}");
    assert!(first("县医院").iter().any(|(_, name, _)| name.contains("医院")), "{:?}", first("县医院"));
    // Stock, as the depots have it.
    let depots = server.get("/ogc/collections/depots/items?limit=1000").json();
    let mut expected: Vec<String> = depots["features"]
        .as_array()
        .expect("depots")
        .iter()
        .filter(|own| own["properties"]["stock"].to_string().contains("帐篷"))
        .map(|own| own["id"].as_str().expect("an id").to_owned())
        .collect();
    expected.sort_unstable();
    let by_stock = search(&server, &format!("limit=100&q={}", encoded("帐篷")));
    let mut found: Vec<String> = by_stock.into_iter().filter(|(.., how)| how == "stock").map(|(id, ..)| id).collect();
    found.sort_unstable();
    assert!(!found.is_empty() && found == expected, "{found:?} {expected:?}");
    // Townships before villages and places, these before roads and pipelines.
    let answer = server.get(&format!("/api/search?limit=100&q={}", encoded("梅城"))).json();
    let hits = answer["features"].as_array().expect("hits");
    let lines = ["roads", "pipelines"];
    let start = |own: &&Json| own["properties"]["matched"] == "start";
    let is_line: Vec<bool> =
        hits.iter().filter(start).map(|own| lines.iter().any(|line| own["properties"]["layer"] == *line)).collect();
    assert_eq!(hits[0]["properties"]["layer"], "townships");
    assert!(is_line.is_sorted() && is_line.contains(&true) && is_line.contains(&false), "{is_line:?}");
}

#[test]
fn equal_matches_are_ordered_by_distance() {
    let (_folder, server) = Server::of_sample();
    let path = format!("/api/search?layer=shelters&limit=50&point=118.86,26.22&q={}", encoded("村部避灾点"));
    let answer = server.get(&path).json();
    let metres: Vec<f64> = answer["features"]
        .as_array()
        .expect("features")
        .iter()
        .map(|own| own["properties"]["distance_m"].as_f64().expect("metres"))
        .collect();
    assert!(metres.len() == 50 && metres.is_sorted(), "{metres:?}");
    // Names of contacts are not searched.
    let contact = server.get("/api/search?q=13800").json();
    assert_eq!(contact["features"], json!([]));
}

#[test]
fn invalid_searches_are_refused() {
    let (_folder, server) = Server::of_sample();
    let long = "a".repeat(101);
    for (query, parameter) in [
        ("", "q"),
        ("q=%20", "q"),
        (&format!("q={long}"), "q"),
        ("q=a&limit=0", "limit"),
        ("q=a&layer=nope", "layer"),
        ("q=a&point=26,118", "point"),
        ("q=a&fuzzy=1", "fuzzy"),
    ] {
        let reply = server.get(&format!("/api/search?{query}"));
        assert!(
            (400..500).contains(&reply.status) && reply.json()["parameter"] == parameter,
            "{query}: {}",
            reply.json()
        );
    }
}

#[test]
fn sensitive_names_are_not_found() {
    let url = fresh_database();
    psql(
        &url,
        "CREATE TABLE public.wards (gid int PRIMARY KEY, who text, geom geometry(Point, 4326)); \
         INSERT INTO public.wards VALUES (1, '王小明', 'SRID=4326;POINT(118.8 26.2)')",
    );
    let folder = Folder::new();
    folder.write("onemap.toml", "[[layer]]\ntable = \"public.wards\"\nname = \"who\"\nsensitive = [\"who\"]\n");
    let server = Server::start(&folder, &["--store", &url]);
    assert_eq!(server.get("/ogc/collections/wards/items").json()["numberMatched"], 1);
    for typed in ["王小明", "wxm"] {
        assert_eq!(search(&server, &format!("q={}", encoded(typed))), [], "{typed}");
    }
    let by_id = server.get("/api/search?q=1&layer=wards").json();
    assert_eq!(by_id["features"][0]["properties"]["name"], Json::Null, "{by_id}");
}
