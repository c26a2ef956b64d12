//! JSON-FG 1.0 (OGC 21-045r1) and the profiles of GeoJSON, by requirement.

use serde_json::{Value as Json, json};

use super::{document, link, path};
use crate::support::{Folder, Reply, Server, encoded};

const PROFILE: &str = "http://www.opengis.net/def/profile/OGC/0/";
const EPSG_4549: &str = "http://www.opengis.net/def/crs/EPSG/0/4549";
const CORE: &str = "http://www.opengis.net/spec/json-fg-1/1.0/conf/core";

/// The profile that a reply names in its links and in its header.
fn profile(reply: &Reply) -> String {
    let links = reply.json()["links"].clone();
    let links = links.as_array().expect("links").iter().filter(|link| link["rel"] == "profile");
    let named: Vec<&str> = links.filter_map(|link| link["href"].as_str()?.strip_prefix(PROFILE)).collect();
    let [own] = named[..] else { panic!("not one profile: {named:?}") };
    let header = reply.header("link");
    assert!(header.contains(&format!("<{PROFILE}{own}>; rel=\"profile\"")), "{header}");
    own.to_owned()
}

fn features(document: &Json) -> &[Json] {
    document["features"].as_array().expect("features")
}

#[test]
fn a_collection_has_its_type_and_each_feature_its_time_and_place() {
    let (_folder, server) = Server::of_sample();
    for (layer, dimension) in
        [("incidents", Json::Null), ("warnings", json!(2)), ("roads", json!(1)), ("stations", json!(0))]
    {
        let items = format!("/ogc/collections/{layer}/items?limit=500");
        let plain = document(&server, &items);
        let reply = server.get(&format!("{items}&f=jsonfg"));
        let own = reply.json();
        assert_eq!(profile(&reply), "jsonfg");
        assert_eq!(own["conformsTo"][0], CORE, "{layer}");
        assert_eq!((&own["featureType"], &own["geometryDimension"]), (&json!(layer), &dimension));
        assert_eq!(own["featureSchema"], json!(format!("{}/ogc/collections/{layer}/schema", server.url)));
        assert!(own.get("coordRefSys").is_none());
        assert_eq!(own["numberMatched"], plain["numberMatched"]);
        let mut timed = 0;
        for (feature, plain) in features(&own).iter().zip(features(&plain)) {
            assert_eq!(feature["geometry"], plain["geometry"]);
            assert_eq!((&feature["id"], &feature["properties"]), (&plain["id"], &plain["properties"]));
            assert_eq!(feature["place"], Json::Null);
            assert!(feature.get("place").is_some() && feature.get("time").is_some(), "{feature}");
            assert!(feature.get("conformsTo").is_none() && feature.get("coordRefSys").is_none(), "{feature}");
            let properties = &plain["properties"];
            let or_open = |name: &str| properties[name].as_str().unwrap_or("..").to_owned();
            let expected = match layer {
                "stations" if properties["observed_at"].is_null() => Json::Null,
                "stations" => json!({"timestamp": properties["observed_at"]}),
                "incidents" | "warnings" => json!({"interval": [or_open("started_at"), or_open("expires_at")]}),
                _ => Json::Null,
            };
            assert_eq!(feature["time"], expected, "{feature}");
            timed += usize::from(!feature["time"].is_null());
        }
        assert_eq!(timed > 0, layer != "roads", "{layer}");
    }
}

#[test]
fn a_geometry_in_another_system_is_the_place() {
    let (_folder, server) = Server::of_sample();
    let crs = encoded(EPSG_4549);
    for path in ["/ogc/collections/shelters/items?limit=5", "/ogc/collections/shelters/items/SH-0001?"] {
        let all =
            |document: Json| if document["type"] == "Feature" { vec![document] } else { features(&document).to_vec() };
        let (geographic, projected) = (document(&server, path), document(&server, &format!("{path}&crs={crs}")));
        for (query, asked) in
            [("&f=jsonfg", "jsonfg"), ("&profile=jsonfg", "jsonfg"), ("&profile=jsonfg-plus", "jsonfg-plus")]
        {
            let reply = server.get(&format!("{path}{query}&crs={crs}"));
            assert_eq!(profile(&reply), asked, "{query}");
            let own = reply.json();
            assert_eq!(own["coordRefSys"], EPSG_4549);
            let (geographic, projected) = (all(geographic.clone()), all(projected.clone()));
            for (at, feature) in all(own).iter().enumerate() {
                assert_eq!(feature["place"], projected[at]["geometry"], "{query}");
                let fallback = if asked == "jsonfg" { &Json::Null } else { &geographic[at]["geometry"] };
                assert_eq!(&feature["geometry"], fallback, "{query}");
            }
            let geographic = document(&server, &format!("{path}{query}"));
            assert!(geographic.get("coordRefSys").is_none());
            assert!(all(geographic).iter().all(|own| own["place"].is_null() && !own["geometry"].is_null()));
        }
    }
    let one = document(&server, "/ogc/collections/shelters/items/SH-0001?f=jsonfg");
    assert_eq!((&one["conformsTo"][0], &one["featureType"]), (&json!(CORE), &json!("shelters")));
    assert!(document(&server, "/ogc/collections/shelters/items?f=jsonfg&limit=2&skipGeometry=true")["features"][0]["geometry"].is_null());
}

#[test]
fn a_profile_is_chosen_by_parameter_and_by_media_type() {
    let (_folder, server) = Server::of_sample();
    let items = "/ogc/collections/shelters/items?limit=2";
    for (query, content_type, expected) in [
        ("", "application/geo+json", "rfc7946"),
        ("&profile=rfc7946", "application/geo+json", "rfc7946"),
        ("&profile=jsonfg", "application/geo+json", "jsonfg"),
        ("&profile=%5Bogc-profile:jsonfg-plus%5D", "application/geo+json", "jsonfg-plus"),
        ("&profile=http://www.opengis.net/def/profile/OGC/0/jsonfg", "application/geo+json", "jsonfg"),
        ("&profile=https://www.opengis.net/def/profile/OGC/0/jsonfg,rfc7946", "application/geo+json", "jsonfg"),
        ("&f=jsonfg", "application/vnd.ogc.fg+json", "jsonfg"),
        ("&f=jsonfg&profile=rfc7946,jsonfg-plus", "application/vnd.ogc.fg+json", "jsonfg-plus"),
        ("&f=jsonfg&profile=rfc7946", "application/vnd.ogc.fg+json", "jsonfg"),
    ] {
        let reply = server.get(&format!("{items}{query}"));
        assert_eq!((reply.status, reply.header("content-type")), (200, content_type), "{query}");
        assert_eq!(profile(&reply), expected, "{query}");
        let is_plain = expected == "rfc7946";
        assert_eq!(reply.json().get("conformsTo").is_none(), is_plain, "{query}");
        assert_eq!(reply.json()["features"][0].get("place").is_none(), is_plain, "{query}");
    }
    let accepted = server.get_with(items, ("Accept", "application/vnd.ogc.fg+json, text/html;q=0.5"));
    assert_eq!(
        (accepted.header("content-type"), profile(&accepted).as_str()),
        ("application/vnd.ogc.fg+json", "jsonfg")
    );
    assert_eq!(server.get_with(items, ("Accept", "application/json")).header("content-type"), "application/geo+json");
    for path in [items, "/ogc/collections/shelters/items/SH-0001?", "/ogc/collections/shelters/items?f=csv"] {
        for value in
            ["rel-as-link", "", "jsonfg,", "[ogc-profile:none]", "http://www.opengis.net/def/profile/OGC/1/jsonfg"]
        {
            let refused = server.get(&format!("{path}&profile={}", encoded(value)));
            let body = refused.json();
            assert_eq!((refused.status, &body["parameter"]), (400, &json!("profile")), "{path} {value}");
            assert!(body["accepted"].to_string().contains("rfc7946, jsonfg, jsonfg-plus"), "{body}");
        }
    }
    // A media type without profiles ignores them.
    assert_eq!(server.get("/ogc/collections/shelters/items?f=csv&profile=jsonfg").status, 200);
}

#[test]
fn pages_of_json_fg_lead_to_json_fg() {
    let (_folder, server) = Server::of_sample();
    for (query, media_type) in [("f=jsonfg", "application/vnd.ogc.fg+json"), ("profile=jsonfg", "application/geo+json")]
    {
        let page = document(&server, &format!("/ogc/collections/shelters/items?limit=2&{query}"));
        let own = document(&server, path(&server, &link(&page, "self", media_type)));
        assert_eq!(own["features"], page["features"], "{query}");
        let next = document(&server, path(&server, &link(&page, "next", media_type)));
        assert_eq!(next["conformsTo"][0], CORE, "{query}");
        assert_ne!(next["features"], page["features"], "{query}");
        let back = document(&server, path(&server, &link(&next, "prev", media_type)));
        assert_eq!(back["features"], page["features"], "{query}");
    }
}

#[test]
fn a_feature_with_a_place_alone_is_not_stored_without_its_geometry() {
    let (folder, server): (Folder, Server) = Server::of_sample();
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let item = "/ogc/collections/shelters/items/SH-0001";
    let before = document(&server, item);
    let put = |body: &Json| {
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/geo+json")];
        server.send("PUT", item, &headers, &body.to_string())
    };
    let crs = encoded(EPSG_4549);
    let refused = put(&document(&server, &format!("{item}?f=jsonfg&crs={crs}")));
    assert_eq!((refused.status, &refused.json()["parameter"]), (422, &json!("/place")));
    for query in ["f=jsonfg".to_owned(), format!("profile=jsonfg-plus&crs={crs}")] {
        let stored = put(&document(&server, &format!("{item}?{query}")));
        assert_eq!(stored.status, 204, "{query}: {}", String::from_utf8_lossy(&stored.body));
        assert_eq!(document(&server, item)["geometry"], before["geometry"], "{query}");
    }
}
