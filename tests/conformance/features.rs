//! OGC API Features, parts 1 to 5 and sorting, by requirement.

use std::collections::BTreeSet;

use base64::Engine;
use serde_json::{Value as Json, json};

use super::{document, link, path};
use crate::support::{Folder, Server, encoded, foreign, project};

#[test]
fn every_declared_class_is_in_the_readme_with_its_test() {
    let (_folder, server) = Server::of_sample();
    let readmes = ["README.md", "README.zh-CN.md"]
        .map(|name| (name, std::fs::read_to_string(project().join(name)).expect("the README")));
    let classes = document(&server, "/ogc/conformance")["conformsTo"].clone();
    let declared: BTreeSet<&str> = classes.as_array().expect("classes").iter().filter_map(Json::as_str).collect();
    assert!(declared.len() > 40);
    for class in &declared {
        let end = class.strip_prefix("http://www.opengis.net/spec/").expect("a class of the OGC");
        let (standard, name) = end.split_once("/conf/").expect("a class");
        let (standard, _version) = standard.rsplit_once('/').expect("a version");
        for (file, readme) in &readmes {
            let row = readme.lines().find(|line| line.starts_with(&format!("| `{standard}` |")));
            let row = row.unwrap_or_else(|| panic!("{standard} is not in the table of standards of {file}"));
            assert!(row.contains(&format!("`{name}`")), "{class} is not in the table of standards of {file}");
        }
    }
}

#[test]
fn every_link_has_the_target_and_type_it_declares() {
    let (_folder, server) = Server::of_sample();
    let mut seen = BTreeSet::new();
    let mut to_do = vec![format!("{}/ogc", server.url)];
    while let Some(address) = to_do.pop() {
        if !seen.insert(address.clone()) {
            continue;
        }
        let reply = server.get(path(&server, &address));
        assert_eq!(reply.status, 200, "{address}");
        if !reply.header("content-type").contains("json") || reply.header("content-type").contains("seq") {
            continue;
        }
        let document = reply.json();
        let mut links: Vec<&Json> = document["links"].as_array().into_iter().flatten().collect();
        for list in ["collections", "tilesets", "tileMatrixSets", "styles"] {
            let members = document[list].as_array().into_iter().flatten().take(2);
            links.extend(members.filter_map(|member| member["links"].as_array()).flatten());
        }
        for link in links {
            let href = link["href"].as_str().expect("an address").to_owned();
            if link["templated"] == json!(true) || seen.len() > 400 {
                continue;
            }
            let target = server.get(path(&server, &href));
            assert_eq!(target.status, 200, "{href} of {address}");
            let (own, declared_type) = (target.header("content-type"), link["type"].as_str().expect("a type"));
            let essence = |text: &str| text.split(';').next().unwrap_or_default().to_owned();
            assert_eq!(essence(own), essence(declared_type), "{href} of {address}");
            // Pages of features are not followed; there are many.
            if !href.contains("/items") {
                to_do.push(href);
            }
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
}

#[test]
fn the_media_type_is_negotiated() {
    let (_folder, server) = Server::of_sample();
    let items = "/ogc/collections/shelters/items?limit=3";
    for (accept, expected) in [
        ("*/*", "application/geo+json"),
        ("application/json", "application/geo+json"),
        ("application/geo+json", "application/geo+json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("text/csv;q=0.5, application/geo+json-seq", "application/geo+json-seq"),
        ("text/html;q=0, */*;q=0.1", "application/geo+json"),
        ("application/json;q=0.2, text/html;q=0.3", "text/html"),
        ("text/*;q=0.9, application/geo+json;q=0.8", "text/"),
        ("application/vnd.flatgeobuf", "application/vnd.flatgeobuf"),
        ("text/csv", "text/csv"),
    ] {
        let reply = server.get_with(items, ("Accept", accept));
        assert_eq!(reply.status, 200, "{accept}");
        assert!(reply.header("content-type").starts_with(expected), "{accept}: {}", reply.header("content-type"));
    }
    for path in [items, "/ogc", "/ogc/tiles", "/ogc/tileMatrixSets/WebMercatorQuad", "/ogc/collections/shelters/tiles"]
    {
        let refused = server.get_with(path, ("Accept", "image/png"));
        assert_eq!((refused.status, refused.header("content-type")), (406, "application/problem+json"), "{path}");
        assert!(refused.header("vary").contains("Accept"), "{path}");
        let page = server.get_with(path, ("Accept", "text/html"));
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert!(page.header("vary").contains("Accept"), "{path}");
    }
    assert_eq!(server.get("/ogc/collections/shelters/items?f=xml").status, 400);
    let header = server.get(items).header("link").to_owned();
    assert!(header.contains("rel=\"next\"") && header.contains("after="), "{header}");
}

#[test]
fn one_feature_shows_the_requested_properties() {
    let (_folder, server) = Server::of_sample();
    let items = "/ogc/collections/shelters/items";
    let first = document(&server, &format!("{items}?limit=1"))["features"][0].clone();
    let id = first["id"].as_str().expect("an id").to_owned();
    let shown = document(&server, &format!("{items}/{id}?properties=name"));
    assert_eq!(shown["properties"], json!({"name": first["properties"]["name"]}));
    assert_eq!(server.get(&format!("{items}/{id}?properties=wings")).status, 400);
    let by_id = document(&server, &format!("{items}?id={id}"));
    assert_eq!((by_id["numberMatched"].clone(), by_id["features"][0]["id"].clone()), (json!(1), json!(id)));
}

#[test]
fn a_client_with_basic_authentication_sends_the_token_as_password() {
    let (folder, server) = Server::of_sample();
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let authorization = |text: String| format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(text));
    let item = "/ogc/collections/shelters/items/nobody";
    for (text, status) in [
        (format!("qgis:{}", token.trim()), 404),
        (format!(":{}", token.trim()), 404),
        (token.trim().to_owned(), 401),
        ("qgis:wrong".to_owned(), 401),
    ] {
        let reply = server.send("DELETE", item, &[("Authorization", &authorization(text.clone()))], "");
        assert_eq!(reply.status, status, "{text}");
    }
}

#[test]
fn pages_lead_forwards_and_backwards_in_any_order() {
    let (_folder, server) = Server::of_sample();
    for query in [
        "limit=60",
        "limit=70&sortby=-capacity,name",
        "limit=40&filter=capacity%3E100&sortby=status",
        "limit=50&sortby=-id",
    ] {
        let mut pages: Vec<Vec<String>> = Vec::new();
        let mut page = document(&server, &format!("/ogc/collections/shelters/items?{query}"));
        let matched = page["numberMatched"].as_u64().expect("a count");
        let ids = |page: &Json| -> Vec<String> {
            let features = page["features"].as_array().expect("features");
            features.iter().map(|feature| feature["id"].as_str().expect("an id").to_owned()).collect()
        };
        let has = |page: &Json, rel: &str| {
            page["links"].as_array().is_some_and(|links| links.iter().any(|link| link["rel"] == rel))
        };
        assert!(!has(&page, "prev"), "{query}: the first page has no previous page");
        loop {
            pages.push(ids(&page));
            if !has(&page, "next") {
                break;
            }
            let next = link(&page, "next", "application/geo+json");
            page = document(&server, path(&server, &next));
        }
        let all: Vec<&String> = pages.iter().flatten().collect();
        assert_eq!(all.len() as u64, matched, "{query}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len() as u64, matched, "{query}: no feature is repeated");
        for earlier in pages.iter().rev().skip(1) {
            let previous = link(&page, "prev", "application/geo+json");
            page = document(&server, path(&server, &previous));
            assert_eq!(&ids(&page), earlier, "{query}: backwards");
        }
        assert!(!has(&page, "prev"), "{query}: the first page again");
    }
}

#[test]
fn pages_neither_repeat_nor_skip_during_changes() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/geo+json")];
    let whole = document(&server, "/ogc/collections/villages/items?limit=10000");
    let before: BTreeSet<String> = whole["features"]
        .as_array()
        .expect("features")
        .iter()
        .map(|own| own["id"].as_str().expect("an id").to_owned())
        .collect();
    let mut seen = Vec::new();
    let mut page = document(&server, "/ogc/collections/villages/items?limit=40&sortby=population");
    let mut gone = BTreeSet::new();
    for round in 0.. {
        let ids: Vec<String> = page["features"]
            .as_array()
            .expect("features")
            .iter()
            .map(|own| own["id"].as_str().expect("an id").to_owned())
            .collect();
        // The last feature shown is deleted, and new ones are added at both ends.
        let last = ids.last().expect("a feature").clone();
        seen.extend(ids);
        assert_eq!(server.send("DELETE", &format!("/ogc/collections/villages/items/{last}"), &headers, "").status, 204);
        gone.insert(last);
        for (end, people) in [("least", 0), ("most", 9_999_999)] {
            let body = format!(
                r#"{{"type":"Feature","id":"{end}-{round}","geometry":null,"properties":{{"name":"新村","population":{people}}}}}"#
            );
            assert_eq!(server.send("POST", "/ogc/collections/villages/items", &headers, &body).status, 201);
        }
        let links = page["links"].as_array().expect("links").clone();
        if !links.iter().any(|own| own["rel"] == "next") || round == 20 {
            break;
        }
        let next = link(&page, "next", "application/geo+json");
        page = document(&server, path(&server, &next));
    }
    let old: Vec<&String> = seen.iter().filter(|id| before.contains(*id)).collect();
    assert_eq!(old.iter().collect::<BTreeSet<_>>().len(), old.len(), "no feature is repeated");
    assert_eq!(old.len(), before.len(), "no feature is skipped");
    assert!(gone.len() > 5);
}

#[test]
fn known_replies_are_not_sent_again_and_others_are_compressed() {
    let (_folder, server) = Server::of_sample();
    for form in ["json", "html", "csv", "xlsx", "geojsonseq", "fgb", "kml", "shp"] {
        let items = format!("/ogc/collections/shelters/items?limit=50&f={form}");
        let tag = server.get(&items).header("etag").to_owned();
        if form != "html" {
            assert_eq!(server.get_with(&items, ("If-None-Match", &tag)).status, 304, "{form} {tag}");
        }
    }
    for packing in ["gzip", "br", "zstd"] {
        let reply = server.get_with("/ogc/collections/shelters/items", ("Accept-Encoding", packing));
        assert_eq!(reply.header("content-encoding"), packing);
    }
}

#[test]
fn features_are_sorted_limited_and_selected() {
    let (_folder, server) = Server::of_sample();
    let get = |query: &str| document(&server, &format!("/ogc/collections/shelters/items?{query}"));
    let sorted = get("limit=10000&sortby=-capacity&properties=capacity&skipGeometry=true");
    let capacities: Vec<Option<i64>> = sorted["features"]
        .as_array()
        .expect("features")
        .iter()
        .map(|feature| {
            assert_eq!(feature["geometry"], Json::Null);
            let properties = feature["properties"].as_object().expect("properties");
            assert_eq!(properties.keys().collect::<Vec<_>>(), ["capacity"]);
            properties["capacity"].as_i64()
        })
        .collect();
    assert!(capacities.iter().any(Option::is_none), "some capacity is unknown");
    // Descending, unknown values last.
    assert!(capacities.windows(2).all(|pair| pair[1].is_none() || pair[0] >= pair[1]), "{capacities:?}");
    assert_eq!(get("limit=99999999999999999999")["numberReturned"], 349, "a limit above the maximum is the maximum");
    assert_eq!(get("status=open")["numberMatched"], get("filter=status%3D'open'")["numberMatched"]);
    assert_eq!(
        get("q=%E5%B0%8F%E5%AD%A6&limit=1")["numberMatched"],
        get("filter=name%20LIKE%20'%25%E5%B0%8F%E5%AD%A6%25'")["numberMatched"]
    );
    let ids = get("limit=3");
    let ids: Vec<&str> =
        ids["features"].as_array().expect("features").iter().filter_map(|feature| feature["id"].as_str()).collect();
    assert_eq!(get(&format!("ids={}", ids.join(",")))["numberMatched"], 3);
    for (query, parameter) in [
        ("sortby=colour", "sortby"),
        ("properties=colour", "properties"),
        ("colour=red", "colour"),
        ("after=x&before=y", "before"),
    ] {
        let reply = server.get(&format!("/ogc/collections/shelters/items?{query}"));
        assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!(parameter)), "{query}");
    }
}

#[test]
fn datetime_takes_intervals_with_open_ends() {
    let (_folder, server) = Server::of_sample();
    let count = |datetime: &str| {
        document(&server, &format!("/ogc/collections/warnings/items?datetime={}", encoded(datetime)))["numberMatched"]
            .clone()
    };
    let extent = document(&server, "/ogc/collections/warnings")["extent"]["temporal"]["interval"][0].clone();
    let start = extent[0].as_str().expect("a start").to_owned();
    let all = document(&server, "/ogc/collections/warnings/items")["numberMatched"].clone();
    assert_eq!(count(&format!("{start}/..")), all);
    assert_eq!(count("1990-01-01T00:00:00Z"), 0);
    assert_eq!(count("../1990-01-01T00:00:00Z"), 0);
    assert_eq!(count("1990-01-01/.."), all);
    for wrong in [
        "../..",
        "/",
        "yesterday",
        "2026-01-01T00:00:00",
        "2026-02-01T00:00:00Z/2026-01-01T00:00:00Z",
        "2026年08月14日",
        "2026-08-14年",
    ] {
        let reply = server.get(&format!("/ogc/collections/warnings/items?datetime={}", encoded(wrong)));
        assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!("datetime")), "{wrong}");
    }
}

#[test]
fn coordinates_are_read_and_written_in_every_reference_system() {
    let (_folder, server) = Server::of_sample();
    let crs = document(&server, "/ogc/collections/shelters")["crs"].clone();
    let systems: Vec<&str> = crs.as_array().expect("systems").iter().filter_map(Json::as_str).collect();
    assert_eq!(systems.len(), 7);
    let plain = document(&server, "/ogc/collections/shelters/items?limit=1");
    let (lon, lat) =
        (&plain["features"][0]["geometry"]["coordinates"][0], &plain["features"][0]["geometry"]["coordinates"][1]);
    let id = plain["features"][0]["id"].as_str().expect("an id");
    for system in systems {
        let reply = server.get(&format!("/ogc/collections/shelters/items/{id}?crs={}", encoded(system)));
        assert_eq!(reply.header("content-crs"), format!("<{system}>"));
        let coordinates = reply.json()["geometry"]["coordinates"].clone();
        let (a, b) = (coordinates[0].as_f64().expect("a number"), coordinates[1].as_f64().expect("a number"));
        // GDAL applies the axis order of the EPSG registry.
        let code = system.rsplit('/').next().expect("a code");
        let authority = if code == "CRS84" { "OGC:CRS84".to_owned() } else { format!("EPSG:{code}") };
        let script = format!(
            "from osgeo import osr\ns,t=osr.SpatialReference(),osr.SpatialReference()\ns.SetFromUserInput('OGC:CRS84')\nt.SetFromUserInput('{authority}')\n\
             x=osr.CoordinateTransformation(s,t).TransformPoint({lon},{lat})\nprint(x[0],x[1])"
        );
        let printed = foreign("/usr/bin/python3", &["-c", &script]);
        let theirs: Vec<f64> = printed.split_whitespace().map(|number| number.parse().expect("a number")).collect();
        let tolerance = if a.abs() > 1_000.0 { 1e-3 } else { 1e-8 };
        assert!(
            (a - theirs[0]).abs() < tolerance && (b - theirs[1]).abs() < tolerance,
            "{system}: {a},{b} is {theirs:?}"
        );
        // A small bbox around it, and a filter, in the same system.
        let by = if a.abs() > 1_000.0 { 20.0 } else { 0.0002 };
        let query = format!("bbox={},{},{},{}&bbox-crs={}", a - by, b - by, a + by, b + by, encoded(system));
        let found = document(&server, &format!("/ogc/collections/shelters/items?{query}"));
        assert!(found["features"].as_array().expect("features").iter().any(|feature| feature["id"] == id), "{system}");
        let filter = encoded(&format!("S_INTERSECTS(geometry,BBOX({},{},{},{}))", a - by, b - by, a + by, b + by));
        let filtered = document(
            &server,
            &format!("/ogc/collections/shelters/items?filter={filter}&filter-crs={}", encoded(system)),
        );
        assert_eq!(filtered["numberMatched"], found["numberMatched"], "{system}");
    }
    for parameter in ["crs", "bbox-crs", "filter-crs"] {
        let reply = server.get(&format!("/ogc/collections/shelters/items?{parameter}=EPSG:1234"));
        assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!(parameter)));
    }
}

#[test]
fn a_feature_is_created_in_its_own_reference_system() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let bearer = format!("Bearer {}", token.trim());
    let crs = "<http://www.opengis.net/def/crs/EPSG/0/4326>";
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/geo+json"), ("Content-Crs", crs)];
    let body = r#"{"type":"Feature","id":"north-first","geometry":{"type":"Point","coordinates":[26.25,118.8]},"properties":{"name":"乡中心"}}"#;
    assert_eq!(server.send("POST", "/ogc/collections/villages/items", &headers, body).status, 201);
    let made = document(&server, "/ogc/collections/villages/items/north-first");
    assert_eq!(made["geometry"]["coordinates"], json!([118.8, 26.25]));
    let options =
        server.send("OPTIONS", "/ogc/collections/villages/items", &[("Origin", "http://elsewhere.example")], "");
    assert_eq!(options.status, 200);
    assert!(
        options.header("allow").contains("POST") && options.header("access-control-allow-methods").contains("POST")
    );
    assert!(options.header("access-control-allow-headers").contains("If-Match"));
    let head = server.send("HEAD", "/ogc/collections/villages/items", &[], "");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn schemas_list_the_properties_of_features() {
    let (_folder, server) = Server::of_sample();
    let collections = document(&server, "/ogc/collections")["collections"].clone();
    for collection in collections.as_array().expect("collections") {
        let id = collection["id"].as_str().expect("an id");
        let of = |name: &str| {
            let address = link(collection, name, "application/schema+json");
            document(&server, path(&server, &address))
        };
        let schema = of("schema");
        let names: BTreeSet<String> = schema["properties"].as_object().expect("properties").keys().cloned().collect();
        assert_eq!(schema["properties"]["id"]["x-ogc-role"], "id");
        assert_eq!(schema["properties"]["geometry"]["x-ogc-role"], "primary-geometry");
        let page = document(&server, &format!("/ogc/collections/{id}/items?limit=1"));
        // The sample has no commitments.
        let feature = page["features"][0]["properties"].as_object();
        assert!(feature.is_some() || id == "commitments", "{id} has no features");
        for name in feature.into_iter().flat_map(serde_json::Map::keys) {
            assert!(names.contains(name), "{id} has {name}");
        }
        assert!(!names.contains("phone") && !names.contains("contact"), "{id}");
        for (name, property) in of("queryables")["properties"].as_object().expect("queryables") {
            let filter = encoded(&format!("{name} IS NULL"));
            assert_eq!(
                server.get(&format!("/ogc/collections/{id}/items?limit=1&filter={filter}")).status,
                200,
                "{id} {name} {property}"
            );
        }
        for name in of("sortables")["properties"].as_object().expect("sortables").keys() {
            assert_eq!(
                server.get(&format!("/ogc/collections/{id}/items?limit=1&sortby=-{name}")).status,
                200,
                "{id} {name}"
            );
        }
    }
}

#[test]
fn functions_outside_the_standard_can_be_called() {
    let (_folder, server) = Server::of_sample();
    let count = |filter: &str| {
        document(&server, &format!("/ogc/collections/shelters/items?limit=1&filter={}", encoded(filter)))["numberMatched"].as_u64().expect("a count")
    };
    let functions = document(&server, "/ogc/functions")["functions"].clone();
    assert_eq!(functions.as_array().map(Vec::len), Some(6));
    assert_eq!(count("abs(0 - capacity) = capacity") + count("capacity IS NULL"), 349);
    assert_eq!(count("char_length(id) = 7"), 349);
    assert_eq!(
        count("floor(capacity / 100) * 100 <= capacity AND round(2.5) = 3 AND ceil(2.1) = 3"),
        349 - count("capacity IS NULL")
    );
    let nearest =
        document(&server, "/api/nearest?point=118.86,26.22&layer=shelters&k=349&status=any&max_distance_m=5000");
    let near = nearest["features"].as_array().expect("features").len() as u64;
    assert!(near > 3);
    assert_eq!(count("distance_m(geometry, POINT(118.86 26.22)) <= 5000"), near);
}

#[test]
fn downloads_are_complete_and_take_ranges() {
    let (folder, server) = Server::of_sample();
    let table = server.get("/ogc/collections/hazards/items?f=csv");
    let text = String::from_utf8(table.body).expect("UTF-8");
    assert_eq!(text.lines().count(), 1_851, "a header and every feature");
    assert!(text.contains(",POINT("));
    let sequence = server.get("/ogc/collections/hazards/items?f=geojsonseq");
    assert_eq!(sequence.body.split(|byte| *byte == 0x1e).count(), 1_851);
    let whole = server.get("/ogc/collections/hazards/items?f=fgb");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let file = folder.write("hazards.fgb", &whole.body);
    let listed = foreign("ogrinfo", &["-ro", "-so", &file.display().to_string(), "hazards"]);
    assert!(listed.contains("Feature Count: 1850"), "{listed}");
    let tag = whole.header("etag").to_owned();
    let part =
        server.send("GET", "/ogc/collections/hazards/items?f=fgb", &[("Range", "bytes=8-99"), ("If-Range", &tag)], "");
    assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[8..100]));
    assert_eq!(part.header("content-range"), format!("bytes 8-99/{}", whole.body.len()));
    assert_eq!(server.get_with("/ogc/collections/hazards/items?f=fgb", ("Range", "bytes=99999999-")).status, 416);
    assert_eq!(server.get_with("/ogc/collections/hazards/items?f=fgb", ("If-None-Match", &tag)).status, 304);
}
