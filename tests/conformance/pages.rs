//! HTML pages: names are escaped, and all URLs work behind a proxy with a path prefix.

use serde_json::json;

use crate::support::{Folder, Server, encoded};

/// A name that runs a script if it is not escaped in text or attributes.
const NAME: &str = r#"<script>alert(1)</script>"'&"#;
const ID: &str = r#"<img src=x onerror=alert(1)>"'&"#;
const POINT: &str = "118.7012,26.3345";

/// The URLs in attributes of a page, as a browser resolves them.
fn addresses(html: &str) -> Vec<String> {
    let attributes = [" href=\"", " src=\"", " data-features=\""];
    let starts = attributes.iter().flat_map(|start| html.split(start).skip(1));
    starts.map(|rest| rest.split('"').next().unwrap_or_default().replace("&amp;", "&")).collect()
}

fn html(server: &Server, path: &str) -> String {
    let reply = server.get(path);
    assert_eq!(reply.status, 200, "{path}");
    assert!(reply.header("content-type").starts_with("text/html"), "{path}");
    String::from_utf8(reply.body).expect("text")
}

/// Writes a feature with the name and the id above into a layer.
fn write(folder: &Folder, server: &Server, layer: &str, properties: &[(&str, &str)]) {
    let token = std::fs::read_to_string(folder.file("onemap.gpkg.token")).expect("a token");
    let authorization = format!("Bearer {}", token.trim());
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let mut feature = json!({"type": "Feature", "id": ID, "geometry": {"type": "Point", "coordinates": [118.7012, 26.3345]},
        "properties": {"name": NAME}});
    for (field, value) in properties {
        feature["properties"][field] = json!(value);
    }
    let made = server.send("POST", &format!("/ogc/collections/{layer}/items"), &headers, &feature.to_string());
    assert_eq!(made.status, 201, "{layer}: {}", made.json());
}

#[test]
fn names_are_escaped_in_pages() {
    let (folder, server) = Server::of_sample();
    write(&folder, &server, "shelters", &[("status", "open")]);
    write(&folder, &server, "hazards", &[("category", "I07")]);
    write(&folder, &server, "teams", &[("status", "standby")]);
    write(&folder, &server, "incidents", &[]);
    let (id, name) = (encoded(ID), encoded(NAME));
    let items = "/ogc/collections/shelters/items";
    let text = r"&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;";
    let mut fault = Vec::new();
    for (path, times) in [
        (format!("{items}?f=html&ids={id}"), 1),
        (format!("{items}?f=html&q={name}"), 2),
        (format!("{items}/{id}?f=html"), 3),
        (format!("/ogc/collections/hazards/items?f=html&ids={id}"), 1),
        (format!("/api/surroundings?point={POINT}&f=html"), 2),
        (format!("/api/surroundings?incident={id}&f=html"), 4),
    ] {
        let page = html(&server, &path);
        // A page may include the viewer script, which has a URL and no content.
        let scripts = page.matches("<script").count() - page.matches("<script type=\"module\" src=\"/viewer/").count();
        let is_found = page.matches(text).count() >= times;
        let leads_out = addresses(&page).iter().any(|address| address.contains(['<', '>', '\'', ' ']));
        if scripts > 0 || page.contains("<img") || page.contains(ID) || !is_found || leads_out {
            let names = page.matches(text).count();
            fault.push(format!("{path}: {scripts} scripts, {names} names: {page}"));
        }
    }
    assert!(fault.is_empty(), "{}", fault.join("\n\n"));
}

#[test]
fn pages_work_under_the_path_of_the_public_url() {
    let folder = Folder::new();
    let public = "https://maps.example/gis/onemap";
    let server = Server::start(&folder, &["--public-url", &format!("{public}/")]);
    let mut seen = 0;
    for path in [
        "/ogc?f=html",
        "/ogc/conformance?f=html",
        "/ogc/functions?f=html",
        "/ogc/collections?f=html",
        "/ogc/collections/shelters?f=html",
        "/ogc/collections/shelters/schema?f=html",
        "/ogc/collections/shelters/queryables?f=html",
        "/ogc/collections/shelters/sortables?f=html",
        "/ogc/collections/shelters/items?f=html",
        "/ogc/collections/shelters/items?f=html&q=a&limit=1",
        "/ogc/collections/shelters/items/SH-0001?f=html",
    ] {
        for address in addresses(&html(&server, path)) {
            // Relative to the page, or with the public URL.
            let own = address.strip_prefix("/gis/onemap/").or_else(|| address.strip_prefix(public));
            let own = own.unwrap_or_else(|| panic!("{address} of {path} is elsewhere"));
            let own = own.split('#').next().unwrap_or_default().trim_start_matches('/');
            assert_eq!(server.get(&format!("/{own}")).status, 200, "{address} of {path}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
    // The viewer and the API description use relative URLs only.
    for path in ["/", "/docs"] {
        for address in addresses(&html(&server, path)) {
            assert!(!address.starts_with('/'), "{address} of {path}");
        }
    }
}
