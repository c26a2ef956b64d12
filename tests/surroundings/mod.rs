//! Surroundings against SQL over PostGIS, for random areas and rings; and refused requests.

mod alerts;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::support::database::{fresh_database, psql};
use crate::support::listener::edit;
use crate::support::{Folder, Server, chances, encoded, until};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/geo+json")];

/// A star around a position, with or without a hole.
fn star(chance: &mut impl FnMut() -> f64, hole: bool) -> Json {
    let (lon, lat) = (118.5 + 0.55 * chance(), 25.85 + 0.75 * chance());
    let size = 0.005 + 0.15 * chance() * chance();
    let corners: u32 = if chance() < 0.5 { 7 } else { 23 };
    let mut ring = |from: f64, to: f64| -> Vec<[f64; 2]> {
        let mut ring: Vec<[f64; 2]> = (0..corners)
            .map(|corner| {
                let angle = f64::from(corner) / f64::from(corners) * std::f64::consts::TAU;
                let reach = size * (from + (to - from) * chance());
                [lon + reach * angle.cos(), lat + reach * angle.sin()]
            })
            .collect();
        ring.push(ring[0]);
        ring
    };
    let outline = ring(0.6, 1.0);
    let rings = if hole { vec![outline, ring(0.1, 0.4)] } else { vec![outline] };
    json!({"type": "Polygon", "coordinates": rings})
}

/// Counts in SQL rows by `asked|layer|field|code`.
fn numbers(url: &str, sql: &str) -> BTreeMap<String, f64> {
    let rows = psql(url, sql);
    let row = |line: &str| {
        let (key, number) = line.rsplit_once('|')?;
        Some((key.to_owned(), number.parse().ok()?))
    };
    rows.lines().filter_map(row).collect()
}

/// The same counts in a reply.
fn tallies(asked: usize, ring: &Json) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for own in ring["layers"].as_array().expect("layers") {
        let layer = own["layer"].as_str().expect("a layer");
        found.insert(format!("{asked}|{layer}||count"), own["count"].as_f64().expect("a count"));
        for (field, codes) in own["by"].as_object().into_iter().flatten() {
            for code in codes.as_array().expect("codes") {
                let key = format!("{asked}|{layer}|{field}|{}", code["code"].as_str().unwrap_or_default());
                found.insert(key, code["count"].as_f64().expect("a count"));
            }
        }
        if own["people"].is_object() {
            found.insert(format!("{asked}|{layer}||people"), own["people"]["known"].as_f64().expect("people"));
        }
    }
    found
}

/// SQL for the counts of each layer under a condition on `asked` and `own`, in the form of [`tallies`].
fn expected(url: &str, condition: &str) -> BTreeMap<String, f64> {
    let counted = [
        ("risk_zones", "hazard,risk_level", ""),
        ("roads", "class", ""),
        ("pipelines", "kind", ""),
        ("villages", "", "population"),
        ("key_places", "kind", "people"),
        ("water_works", "kind", ""),
        ("hazards", "unit,category,risk_level", ""),
        ("geo_hazard_points", "kind,risk_level", "people_threatened"),
        ("shelters", "status", ""),
        ("townships", "", ""),
    ];
    let mut sql = String::new();
    for (layer, fields, people) in counted {
        let from = format!("FROM asked JOIN onemap.{layer} own ON {condition} GROUP BY asked.n");
        let _ = write!(sql, "SELECT asked.n, '{layer}', '', 'count', count(*) {from};");
        if !people.is_empty() {
            let _ = write!(sql, "SELECT asked.n, '{layer}', '', 'people', coalesce(sum({people}), 0) {from};");
        }
        for field in fields.split(',').filter(|field| !field.is_empty()) {
            let _ = write!(sql, "SELECT asked.n, '{layer}', '{field}', own.{field}, count(*) {from}, own.{field};");
        }
    }
    numbers(url, &sql)
}

fn counted(found: BTreeMap<String, f64>, expected: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let layers: Vec<&str> = expected.keys().filter_map(|key| key.split('|').nth(1)).collect();
    found.into_iter().filter(|(key, _)| key.split('|').nth(1).is_some_and(|layer| layers.contains(&layer))).collect()
}

#[test]
fn areas_equal_postgis() {
    const RANDOM: usize = 200;
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    let mut chance = chances(350_124);
    let mut areas: Vec<Json> = (0..RANDOM).map(|n| star(&mut chance, n % 3 == 0)).collect();
    // The county and its townships touch its border.
    for layer in ["county", "townships"] {
        let all = server.get(&format!("/ogc/collections/{layer}/items")).json();
        areas.extend(all["features"].as_array().expect("features").iter().map(|own| own["geometry"].clone()));
    }
    let mut sql = "CREATE TABLE asked (n integer, geom geometry);".to_owned();
    for (n, area) in areas.iter().enumerate() {
        let _ = write!(sql, "INSERT INTO asked VALUES ({n}, ST_SetSRID(ST_GeomFromGeoJSON('{area}'), 4326));");
    }
    psql(&url, &sql);
    let expected = expected(&url, "ST_Intersects(own.geom, asked.geom)");
    let lengths = numbers(
        &url,
        "SELECT asked.n, 'pipelines', 'kind', kind, sum(ST_Length(ST_Intersection(own.geom, asked.geom)::geography)) \
         FROM asked JOIN onemap.pipelines own ON ST_Intersects(own.geom, asked.geom) GROUP BY asked.n, kind",
    );
    let (mut found, mut measured) = (BTreeMap::new(), BTreeMap::new());
    for (n, area) in areas.iter().enumerate() {
        let answer = server.send("POST", "/api/surroundings", &JSON, &area.to_string()).json();
        found.extend(tallies(n, &answer["rings"][0]));
        let layers = answer["rings"][0]["layers"].as_array().expect("layers");
        let own = layers.iter().find(|own| own["layer"] == "pipelines");
        for kind in own.and_then(|own| own["length_m"].as_array()).into_iter().flatten() {
            let key = format!("{n}|pipelines|kind|{}", kind["code"].as_str().expect("a kind"));
            measured.insert(key, kind["length_m"].as_f64().expect("metres"));
        }
    }
    assert!(expected.len() > 2_000 && lengths.len() > 100);
    assert_eq!(counted(found, &expected), expected);
    assert_eq!(measured.keys().collect::<Vec<_>>(), lengths.keys().collect::<Vec<_>>());
    for (key, metres) in &lengths {
        assert!((measured[key] - metres).abs() < 0.01 + metres * 1e-6, "{key}: {} against {metres}", measured[key]);
    }
}

#[test]
fn rings_equal_postgis() {
    const RADII: [f64; 3] = [400.0, 1_500.0, 6_000.0];
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    let mut chance = chances(7);
    let mut sql = "CREATE TABLE asked (n integer, radius float8, place geography, geom geography);".to_owned();
    let mut answers = Vec::new();
    for n in 0..40 {
        let (lon, lat) = (118.55 + 0.4 * chance(), 25.95 + 0.55 * chance());
        answers.push(server.get(&format!("/api/surroundings?point={lon},{lat}&radius_m=400,1500,6000")).json());
        for (ring, radius) in RADII.iter().enumerate() {
            // The polygon that approximates the disc is too small by millimetres; on a road that touches the ring, that
            // is a metre.
            let _ = write!(
                sql,
                "INSERT INTO asked SELECT {}, {radius}, p, ST_MakePolygon(ST_AddPoint(line, ST_StartPoint(line)))::geography \
                 FROM (SELECT ST_SetSRID(ST_MakePoint({lon}, {lat}), 4326)::geography AS p) here, LATERAL (SELECT ST_MakeLine(\
                 ST_Project(p, {radius}, radians(a))::geometry ORDER BY a) AS line FROM generate_series(0.0, 359.9, 0.1) a) c;",
                n * 10 + ring
            );
        }
    }
    psql(&url, &sql);
    // Lines and areas that barely touch a ring are covered by the test of distances.
    let condition = "ST_DWithin(own.geom::geography, asked.place, asked.radius) \
        AND abs(ST_Distance(own.geom::geography, asked.place) - asked.radius) > 0.5";
    let expected = expected(&url, condition);
    let near = expected_near(&url);
    let mut found = BTreeMap::new();
    for (n, answer) in answers.iter().enumerate() {
        for (ring, own) in answer["rings"].as_array().expect("rings").iter().enumerate() {
            assert_eq!(own["radius_m"], json!(RADII[ring]));
            found.extend(tallies(n * 10 + ring, own));
        }
    }
    let found = counted(found, &expected);
    assert!(expected.len() > 1_000);
    for (key, count) in &found {
        let doubtful = near.contains(&key.split('|').take(2).collect::<Vec<_>>().join("|"));
        assert!(doubtful || expected.get(key) == Some(count), "{key}: {count} against {:?}", expected.get(key));
    }
    for (key, metres) in numbers(
        &url,
        "SELECT asked.n, 'roads', 'class', class, sum(ST_Length(ST_Intersection(own.geom, asked.geom::geometry)::geography)) \
         FROM asked JOIN onemap.roads own ON ST_Intersects(own.geom, asked.geom::geometry) GROUP BY asked.n, class",
    ) {
        let mut parts = key.split('|');
        let asked: usize = parts.next().and_then(|n| n.parse().ok()).expect("a number");
        let class = parts.nth(2).expect("a class");
        let layers = answers[asked / 10]["rings"][asked % 10]["layers"].as_array().expect("layers");
        let roads = layers.iter().find(|own| own["layer"] == "roads").expect("roads");
        let lengths = roads["length_m"].as_array().expect("lengths");
        let ours = lengths.iter().find(|own| own["code"] == class).expect("the class")["length_m"].as_f64();
        assert!((ours.expect("metres") - metres).abs() < 1.0 + metres * 1e-4, "{key}: {ours:?} against {metres}");
    }
}

#[test]
fn distances_around_lines_equal_postgis() {
    const RADIUS: f64 = 900.0;
    let url = fresh_database();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--store", &url]);
    let mut chance = chances(11);
    let mut sql = "CREATE TABLE asked (n integer, radius float8, place geography);".to_owned();
    let mut answers = Vec::new();
    for n in 0..20 {
        let (lon, lat) = (118.6 + 0.3 * chance(), 26.0 + 0.4 * chance());
        let wkt = format!("LINESTRING({lon} {lat},{} {},{} {lat})", lon + 0.01, lat + 0.01, lon + 0.02);
        answers.push(server.get(&format!("/api/surroundings?near={}&radius_m={RADIUS}", encoded(&wkt))).json());
        let _ = write!(sql, "INSERT INTO asked VALUES ({n}, {RADIUS}, ST_GeogFromText('{wkt}'));");
    }
    psql(&url, &sql);
    let expected = expected(&url, "ST_DWithin(own.geom::geography, asked.place, asked.radius)");
    let near = expected_near(&url);
    let found = answers.iter().enumerate().flat_map(|(n, answer)| tallies(n, &answer["rings"][0]));
    let found = counted(found.collect(), &expected);
    assert!(expected.len() > 200);
    for (key, count) in &found {
        let doubtful = near.contains(&key.split('|').take(2).collect::<Vec<_>>().join("|"));
        assert!(doubtful || expected.get(key) == Some(count), "{key}: {count} against {:?}", expected.get(key));
    }
    // A buffer of PostGIS has 32 corners in each quarter of a circle, so it is too small by up to a metre.
    let lengths = numbers(
        &url,
        "SELECT asked.n, 'roads', 'class', class, sum(ST_Length(ST_Intersection(own.geom, \
         ST_Buffer(asked.place, asked.radius, 32)::geometry)::geography)) \
         FROM asked JOIN onemap.roads own ON ST_DWithin(own.geom::geography, asked.place, asked.radius - 5) GROUP BY asked.n, class",
    );
    assert!(lengths.len() > 20);
    for (key, metres) in lengths {
        let mut parts = key.split('|');
        let n: usize = parts.next().and_then(|n| n.parse().ok()).expect("a number");
        let class = parts.nth(2).expect("a class");
        let layers = answers[n]["rings"][0]["layers"].as_array().expect("layers");
        let roads = layers.iter().find(|own| own["layer"] == "roads").expect("roads");
        let lengths = roads["length_m"].as_array().expect("lengths");
        let ours = lengths.iter().find(|own| own["code"] == class).expect("the class")["length_m"].as_f64();
        assert!((ours.expect("metres") - metres).abs() < 30.0 + metres * 0.01, "{key}: {ours:?} against {metres}");
    }
}

#[test]
fn the_printed_report_has_a_header_contacts_and_kilometres() {
    let (folder, server) = Server::of_sample();
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let page = |path: &str, headers: &[(&str, &str)]| {
        String::from_utf8(server.send("GET", path, headers, "").body).expect("text")
    };
    let bearer = format!("Bearer {}", token.trim());
    let path = "/api/surroundings?incident=IN-01&radius_m=500,2000&f=html";
    let open = page(path, &[]);
    for words in ["III级", "处置中", "续报", "500 米", "2 公里"] {
        assert!(open.contains(words), "{words}: {open}");
    }
    assert!(!open.contains("<h2>联系人"), "contacts are for those who may see them");
    assert!(page(path, &[("Authorization", &bearer)]).contains("<h2>联系人"));
    // The most severe dangers come first, unknown levels last.
    let dangers = server.get("/api/surroundings?point=118.86,26.22&radius_m=6000").json()["secondary_hazards"].clone();
    let levels = dangers.as_array().expect("dangers").iter().map(|own| own["risk_level"].as_i64().unwrap_or(i64::MAX));
    let levels: Vec<i64> = levels.collect();
    assert!(levels.len() > 20 && levels.is_sorted() && levels.first() != levels.last(), "{levels:?}");
}

/// Features so close to a ring that two methods of measurement may differ.
fn expected_near(url: &str) -> Vec<String> {
    let layers = [
        "risk_zones",
        "roads",
        "pipelines",
        "villages",
        "key_places",
        "water_works",
        "hazards",
        "geo_hazard_points",
        "shelters",
        "townships",
    ];
    let sql: String = layers.iter().fold(String::new(), |mut sql, layer| {
        let _ = write!(
            sql,
            "SELECT DISTINCT asked.n || '|{layer}' FROM asked JOIN onemap.{layer} own ON \
             abs(ST_Distance(own.geom::geography, asked.place) - asked.radius) <= 0.5;"
        );
        sql
    });
    psql(url, &sql).lines().map(str::to_owned).collect()
}

#[test]
fn stored_features_have_surroundings_and_a_printed_report() {
    let (_folder, server) = Server::of_sample();
    let zone = server.get("/api/surroundings?zone=RZ-0001").json();
    assert_eq!(zone["place"]["id"], "RZ-0001");
    assert_eq!(zone["rings"].as_array().map(Vec::len), Some(1));
    let incidents = server.get("/ogc/collections/incidents/items").json();
    let incident =
        incidents["features"].as_array().expect("incidents").iter().find(|own| own["geometry"]["type"] == "Point");
    if let Some(incident) = incident {
        let answer =
            server.get(&format!("/api/surroundings?incident={}", incident["id"].as_str().expect("an id"))).json();
        assert!(answer["rings"].as_array().expect("rings").len() >= 3, "rings of its kind");
    }
    let reports = server.get("/ogc/collections/situation_reports/items?limit=1000").json();
    let mut named = reports["features"].as_array().expect("features").iter();
    let reported = named.find_map(|own| own["properties"]["incident"].as_str()).expect("an incident").to_owned();
    let on_file = server.get(&format!("/api/surroundings?incident={reported}")).json();
    let times: Vec<&str> =
        on_file["reports"].as_array().expect("reports").iter().filter_map(|own| own["as_of"].as_str()).collect();
    let of_incident =
        |own: &&Json| own["properties"]["incident"] == json!(reported) && own["properties"]["as_of"].is_string();
    let expected = reports["features"].as_array().expect("features").iter().filter(of_incident).count();
    assert!(times.len() == expected && times.is_sorted_by(|a, b| a >= b), "{times:?}, expected {expected}");
    assert!(!on_file["plans"].as_array().expect("plans").is_empty(), "the county has a plan for all");
    let page =
        String::from_utf8(server.get(&format!("/api/surroundings?incident={reported}&f=html")).body).expect("text");
    assert!(page.contains("适用预案") && page.contains("灾情报告") && !page.contains("reporter"), "{page}");
    assert!(zone["reports"].is_null(), "a zone is no event");
    let ranks = zone["secondary_hazards"].as_array().expect("secondary_hazards");
    assert!(ranks.iter().all(|own| own["kind"]["zh"].is_string()));
    assert_eq!(zone["help"].as_array().map(Vec::len), Some(3), "shelters, teams, depots");

    let page = server.get("/api/surroundings?point=118.86,26.22&f=html");
    assert_eq!(page.header("content-security-policy"), "default-src 'none'; style-src 'unsafe-inline'");
    let html = String::from_utf8(page.body).expect("text");
    assert!(html.contains("<h1>周边分析</h1>") && html.contains("次生危险源") && !html.contains("<script"));
    let table = server.get("/api/surroundings?point=118.86,26.22&f=csv");
    assert!(table.body.starts_with("\u{feff}半径".as_bytes()));
}

#[test]
fn invalid_surroundings_are_refused() {
    let (_folder, server) = Server::of_sample();
    let refuses = |path: &str, status: u16, parameter: &str, message: &str| {
        let reply = server.get(path);
        let body = reply.json();
        assert_eq!((reply.status, body["parameter"].as_str()), (status, Some(parameter)), "{path}: {body}");
        assert!(body["detail"].as_str().is_some_and(|detail| detail.contains(message)), "{path}: {body}");
    };
    refuses("/api/surroundings", 400, "point", "missing");
    refuses("/api/surroundings?point=26.2,118.8", 400, "point", "did you mean 118.8,26.2?");
    refuses("/api/surroundings?point=118.8,26.2&radius_m=-5", 400, "radius_m", "out of range");
    refuses("/api/surroundings?point=118.8,26.2&radius_m=NaN", 400, "radius_m", "out of range");
    refuses("/api/surroundings?point=118.8,26.2&radius_m=500,100", 400, "radius_m", "not in ascending order");
    refuses("/api/surroundings?point=118.8,26.2&radius_m=1e308", 400, "radius_m", "out of range");
    refuses("/api/surroundings?incident=none", 404, "incident", "none");
    refuses("/api/surroundings?point=118.8,26.2&zone=RZ-0001", 400, "zone", "another location");
    refuses("/api/surroundings?point=118.8,26.2&kind=war", 400, "kind", "no rings");
    refuses("/api/surroundings?point=118.8,26.2&f=pdf", 400, "f", "not offered");
    let post = |body: &str| server.send("POST", "/api/surroundings", &JSON, body);
    let bow = json!({"type": "Polygon", "coordinates": [[[118.0, 26.0], [119.0, 27.0], [119.0, 26.0], [118.0, 27.0], [118.0, 26.0]]]});
    assert_eq!(post(&bow.to_string()).status, 400, "it crosses itself");
    refuses("/api/surroundings?near=POINT(118.8%2026.2)", 400, "near", "radius_m is missing");
    refuses("/api/surroundings?near=LINESTRING(118%2026,118.1%2026)", 400, "near", "radius_m is missing");
    refuses("/api/surroundings?near=POINT(118%2026)&point=118,26&radius_m=9", 400, "point", "another location");
    assert_eq!(post("{\"type\": \"Point\", \"coordinates\": [118.8, 26.2]}").status, 400);
    assert_eq!(post("[1, 2").status, 400);
    let corner = "[118.8123,26.2123],".repeat(30_000);
    let long = format!("{{\"type\":\"Polygon\",\"coordinates\":[[{corner}[118.8123,26.2123]]]}}");
    assert_eq!(post(&long).status, 400, "too many corners");
    let longer = "[118.8123,26.2123],".repeat(2_000_000);
    assert_eq!(post(&longer).status, 413);
}

#[test]
fn contacts_are_shown_masked_to_token_holders() {
    let (folder, server) = Server::of_sample();
    edit(
        &folder.file("onemap.gpkg"),
        "UPDATE villages SET grid_officer = '张三', phone = '13800000000' WHERE id = '350124100001'",
    );
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let ask = |authorization: &str| {
        let path = "/api/surroundings?point=118.86,26.22&radius_m=3000";
        let header = [("Authorization", authorization)];
        server.send("GET", path, if authorization.is_empty() { &[] } else { &header }, "")
    };
    let bearer = format!("Bearer {}", token.trim());
    let contact = until("the edit is known", || {
        let all = ask(&bearer).json()["responsible"].clone();
        let own = all.as_array()?.iter().find(|own| own["id"] == "350124100001")?.clone();
        (own["person"] == "张*").then_some(own)
    });
    assert_eq!(
        (contact["person"].as_str(), contact["phone"].as_str()),
        (Some("张*"), Some("138****0000")),
        "{contact}"
    );
    let nobody = ask("");
    assert!(nobody.json()["responsible"].is_null());
    assert!(!String::from_utf8(nobody.body).expect("text").contains("13800000000"));
    assert_eq!(ask("Bearer wrong").status, 401);
}
