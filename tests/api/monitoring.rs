//! Alert rules and dashboard: what they ask for is what the server tells.

use serde_json::Value as Json;

use crate::support::{Server, project};

/// Names in a text that begin like those of metrics.
fn metrics_in(text: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_name(c)).filter(|word| word.starts_with("onemap_") || word.starts_with("process_"));
    words.collect()
}

#[test]
fn rules_and_dashboard_name_metrics_and_endpoints_that_exist() {
    let (_folder, server) = Server::of_sample();
    let told = String::from_utf8(server.get("/metrics").body).expect("text");
    let folder = project().join("docs/monitoring");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file");
    let (rules, dashboard) = (read("alerts.yml"), read("dashboard.json"));
    let panels: Json = serde_json::from_str(&dashboard).expect("JSON");
    assert!(panels["panels"].as_array().is_some_and(|panels| panels.len() >= 9));
    // Sources and an identity provider are told once there are some.
    let is_optional = |name: &str| name == "onemap_synced_age_seconds" || name.starts_with("onemap_identity_provider_");
    let is_told = |name: &str| is_optional(name) || told.contains(&format!("\n{name}"));
    for (file, text) in [("alerts.yml", &rules), ("dashboard.json", &dashboard)] {
        let names = metrics_in(text);
        assert!(names.len() >= 7, "{file}: {names:?}");
        for name in names {
            assert!(is_told(name), "{file} asks for {name}, which the server does not tell");
        }
    }
    for endpoint in rules.split("endpoint=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(told.contains(&format!("endpoint=\"{endpoint}\"")), "there is no endpoint {endpoint}");
    }
}
