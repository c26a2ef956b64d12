//! Every limit that the description states: a value one beyond it is refused with the name of the parameter.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::document;
use crate::support::{Server, encoded};

/// Longest query string, bytes; a longer text is refused for that.
const QUERY_BYTES: usize = 16 * 1024;

#[test]
fn a_value_beyond_a_stated_limit_is_refused_by_name() {
    let (folder, server) = Server::of_sample();
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let description = document(&server, "/openapi.json");
    let mut tried = 0;
    for (path, operations) in description["paths"].as_object().expect("paths") {
        let operation = &operations["get"];
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let address = parameters.iter().filter(|own| own["in"] == "path").fold(path.clone(), |path, own| {
            let name = own["name"].as_str().expect("a name");
            // The example of a feature is a shelter.
            let value = if name == "collectionId" { "shelters".to_owned() } else { text(&own["example"]) };
            path.replace(&format!("{{{name}}}"), &value)
        });
        let queries = || parameters.iter().filter(|own| own["in"] == "query");
        let needed: BTreeMap<&str, String> = queries()
            .filter(|own| own["required"] == true || own["name"] == "point")
            .map(|own| (own["name"].as_str().expect("a name"), text(&own["example"])))
            .collect();
        for parameter in queries() {
            let name = parameter["name"].as_str().expect("a name");
            let is_capped = name == "limit" && operation["operationId"] == "getFeatures";
            for value in beyond(parameter) {
                // OGC 17-069r4, requirement 22: a limit above the maximum counts as the maximum.
                if is_capped && !value.starts_with(['0', '-']) {
                    continue;
                }
                let mut query = needed.clone();
                if ["near", "incident", "warning", "zone"].contains(&name) {
                    query.remove("point");
                }
                query.insert(name, value);
                let query: Vec<String> =
                    query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
                let query = query.join("&");
                let refused = server.get_with(&format!("{address}?{query}"), ("Authorization", &authorization));
                let subject = if query.len() > QUERY_BYTES { "query string" } else { name };
                let shown = query.chars().take(200).collect::<String>();
                assert_eq!(refused.status, 400, "{address} {shown}");
                assert_eq!(refused.json()["parameter"], json!(subject), "{address} {shown}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

/// Values one beyond each limit of a parameter.
fn beyond(parameter: &Json) -> Vec<String> {
    let (schema, example) = (&parameter["schema"], &parameter["example"]);
    let mut values = Vec::new();
    values.extend(schema["maximum"].as_f64().map(|most| (most + 1.0).to_string()));
    values.extend(schema["minimum"].as_f64().map(|least| (least - 1.0).to_string()));
    values.extend(length(&schema["maxLength"]).map(|most| "a".repeat(most + 1)));
    values.extend(length(&schema["maxItems"]).map(|most| {
        let items = example.as_array().expect("an array");
        items.iter().cycle().take(most + 1).map(text).collect::<Vec<_>>().join(",")
    }));
    values.extend(schema["enum"].is_array().then(|| "no-such-value".to_owned()));
    values
}

fn length(limit: &Json) -> Option<usize> {
    limit.as_u64().map(|limit| usize::try_from(limit).expect("a small number"))
}

/// A value in the form of a query string.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
