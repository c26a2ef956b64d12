//! Code lists of schemas by reference and inline (OGC 23-058r2, section 15).

use serde_json::{Value as Json, json};

use super::{document, path};
use crate::support::Server;

#[test]
fn codes_of_schemas_are_given_by_reference_or_inline() {
    let (_folder, server) = Server::of_sample();
    let codes = |property: &Json| {
        let coded = if property["type"] == "array" { property["items"].clone() } else { property.clone() };
        (coded["enum"].clone(), coded["oneOf"].clone(), coded["x-ogc-codelistUri"].clone())
    };
    for page in ["schema", "queryables", "sortables"] {
        let address = format!("/ogc/collections/shelters/{page}");
        let schemas = [("", "ref"), ("?profile=codelist-ref", "ref"), ("?profile=codelist-inline", "inline")];
        let [unasked, by_reference, inline] = schemas.map(|(query, profile)| {
            let reply = server.get(&format!("{address}{query}"));
            let link = format!("<http://www.opengis.net/def/profile/OGC/0/codelist-{profile}>; rel=\"profile\"");
            assert_eq!((reply.status, reply.header("link")), (200, link.as_str()), "{address}{query}");
            reply.json()["properties"].clone()
        });
        assert_eq!(unasked, by_reference, "{page}");
        let mut seen = 0;
        for (name, property) in by_reference.as_object().expect("properties") {
            let (values, none, uri) = codes(property);
            let (no_values, schemas, same_uri) = codes(&inline[name]);
            assert_eq!((&none, &no_values, &uri), (&Json::Null, &Json::Null, &same_uri), "{page} {name}");
            assert_eq!((values.is_null(), schemas.is_null()), (uri.is_null(), uri.is_null()), "{page} {name}");
            let Some(uri) = uri.as_str() else { continue };
            let list = document(&server, path(&server, uri));
            let of_list: Vec<&Json> =
                list["codes"].as_array().expect("codes").iter().map(|code| &code["code"]).collect();
            let given: Vec<&Json> = values.as_array().expect("values").iter().collect();
            let schemas = schemas.as_array().expect("schemas");
            let constants: Vec<&Json> = schemas.iter().map(|schema| &schema["const"]).collect();
            assert_eq!((&given, &constants), (&of_list, &of_list), "{page} {name}");
            assert!(schemas.iter().all(|schema| schema["title"].as_str().is_some_and(|title| !title.is_empty())));
            seen += 1;
        }
        assert!(seen > 0, "{page} has no codes");
        let refused = server.get(&format!("{address}?profile=jsonfg"));
        assert_eq!((refused.status, &refused.json()["parameter"]), (400, &json!("profile")), "{page}");
        assert!(refused.json()["accepted"].to_string().contains("codelist-ref, codelist-inline"));
        assert_eq!(server.get(&format!("{address}?f=html&profile=codelist-inline")).status, 200);
    }
    assert_eq!(server.get("/ogc/codelists/none").status, 404);
}
