//! Every GET request of the API description, for each layer, format and media type, and requests that ask for hidden
//! values.

use serde_json::{Value as Json, json};

use super::county::{County, PLACE, ROLES};
use crate::support::encoded;

/// The layer whose formats are also chosen by the Accept header.
const NEGOTIATED: &str = "shelters";

/// A request: path with query, the Accept header, and a body for POST.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) accept: Option<String>,
    pub(super) body: Option<String>,
    /// Path of the description, which tells what a reply may depend on.
    pub(super) template: String,
}

impl Request {
    pub(super) fn name(&self) -> String {
        let verb = if self.body.is_some() { "POST" } else { "GET" };
        format!("{verb} {} {}", self.path, self.accept.as_deref().unwrap_or_default())
    }

    pub(super) fn get(path: String) -> Self {
        let template = path.split('?').next().unwrap_or_default().to_owned();
        Self { path, accept: None, body: None, template }
    }

    /// All of the text that it sends.
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.path, self.body.as_deref().unwrap_or_default())
    }
}

/// Streams end by themselves only when the server stops; one test of its own reads them.
fn is_stream(operation: &Json) -> bool {
    operation["responses"]["200"]["content"].get("text/event-stream").is_some()
}

/// All requests that the description of an administrator allows.
pub(super) fn of_description(description: &Json, county: &County) -> Vec<Request> {
    let mut requests = Vec::new();
    let paths = description["paths"].as_object().expect("paths");
    for (template, methods) in paths {
        let Some(operation) = methods.get("get").filter(|own| !is_stream(own)) else { continue };
        let parameters: Vec<&Json> = operation["parameters"].as_array().into_iter().flatten().collect();
        let parameters: Vec<&Json> = parameters.into_iter().map(|own| resolved(description, own)).collect();
        let of = |place: &str| parameters.iter().filter(move |own| own["in"] == place).collect::<Vec<_>>();
        let required: Vec<String> =
            of("query").into_iter().filter(|own| own["required"] == true).map(|own| pair(own)).collect();
        let required = required.join("&");
        let formats = parameters.iter().find(|own| own["name"] == "f").map(|own| own["schema"]["enum"].clone());
        let formats: Vec<String> = formats.iter().flat_map(texts).map(|format| format!("f={format}")).collect();
        let content = operation["responses"]["200"]["content"].as_object();
        let media_types: Vec<&String> = content.into_iter().flat_map(|content| content.keys()).collect();
        for path in expanded(template, county) {
            let mut add = |query: &[&str], accept: Option<&String>| {
                let query: Vec<&str> = query.iter().copied().filter(|own| !own.is_empty()).collect();
                let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
                let (path, accept) = (format!("{path}{query}"), accept.cloned());
                requests.push(Request { path, accept, body: None, template: template.clone() });
            };
            for format in &formats {
                add(&[&required, format], None);
            }
            if formats.is_empty() {
                add(&[&required], None);
            }
            // What the header chooses does not depend on the layer.
            let is_of_other_layer = county.layers.iter().any(|own| own.is_in(&path) && own.id != NEGOTIATED);
            if media_types.len() > 1 && !is_of_other_layer {
                for media_type in &media_types {
                    add(&[&required], Some(media_type));
                }
            }
        }
    }
    requests
}

/// A parameter by its reference.
fn resolved<'a>(description: &'a Json, parameter: &'a Json) -> &'a Json {
    let reference = parameter["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.map_or(parameter, |pointer| description.pointer(pointer).expect("a parameter"))
}

fn texts(values: &Json) -> impl Iterator<Item = String> + '_ {
    values.as_array().into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned))
}

/// A required parameter with the example of the description.
fn pair(parameter: &Json) -> String {
    let name = parameter["name"].as_str().expect("a name");
    let value = match &parameter["example"] {
        Json::Array(values) => values.iter().map(Json::to_string).collect::<Vec<_>>().join(",").replace('"', ""),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("{name}={}", encoded(&value))
}

/// The paths of a template, with each value that its segments may have.
fn expanded(template: &str, county: &County) -> Vec<String> {
    let layers: Vec<&str> = county.layers.iter().map(|layer| layer.id.as_str()).collect();
    let mut paths = vec![template.to_owned()];
    let mut replace = |name: &str, values: &[String]| {
        let name = format!("{{{name}}}");
        if template.contains(&name) {
            paths = paths.iter().flat_map(|path| values.iter().map(|value| path.replace(&name, value))).collect();
        }
    };
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    for name in ["collectionId", "layer", "layers"] {
        replace(name, &owned(&layers));
    }
    replace("styleId", &owned(&["onemap"]));
    replace("codelistId", &county.codes.keys().cloned().collect::<Vec<_>>());
    replace("fontStack", &owned(&["Noto%20Sans%20Regular"]));
    replace("range", &owned(&["0-255"]));
    let all: Vec<String> = [0, 1, 4].map(|role| county.rows_of("warnings", role)).to_vec();
    replace("warningId", &all);
    paths.into_iter().flat_map(|path| with_features(&path, county)).flat_map(|path| with_tiles(&path)).collect()
}

/// The path of each feature of its layer.
fn with_features(path: &str, county: &County) -> Vec<String> {
    let Some(layer) = county.layers.iter().find(|layer| layer.is_in(path)) else {
        return vec![path.to_owned()];
    };
    let mut ids = vec![layer.open()];
    ids.extend((1..ROLES.len()).map(|role| layer.row(role)));
    let clusters: Vec<String> = if layer.has_clusters { vec![cluster_id()] } else { Vec::new() };
    for (name, values) in [("{featureId}", ids), ("{clusterId}", clusters)] {
        if path.contains(name) {
            return values.iter().map(|value| path.replace(name, value)).collect();
        }
    }
    vec![path.to_owned()]
}

/// The cluster of the place at zoom 5, on the plane of Web Mercator.
fn cluster_id() -> String {
    let side = f64::from(5 + 3).exp2();
    let (x, y) = mercator();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cell of the place")]
    let (x, y) = ((x * side) as u64, (y * side) as u64);
    ((5 * 4) << 40 | y << 20 | x).to_string()
}

/// The place in Web Mercator, as a share of the width and the height of the world.
fn mercator() -> (f64, f64) {
    let (lon, lat) = (PLACE[0].to_radians(), PLACE[1].to_radians());
    (lon / std::f64::consts::TAU + 0.5, 0.5 - lat.tan().asinh() / std::f64::consts::TAU)
}

/// The tiles with the place, as `column/row` of a matrix with this many columns and rows.
fn with_tiles(path: &str) -> Vec<String> {
    let mercator = mercator();
    let degrees = ((PLACE[0] + 180.0) / 360.0, (90.0 - PLACE[1]) / 180.0);
    let mut paths = Vec::new();
    let sets = if path.contains("{tileMatrixSetId}") {
        vec!["WebMercatorQuad", "WorldCRS84Quad", "CGCS2000Quad"]
    } else {
        vec!["WebMercatorQuad"]
    };
    for set in sets {
        let own = path.replace("{tileMatrixSetId}", set);
        let levels: &[i32] = if set == "WebMercatorQuad" { &[5, 14] } else { &[12] };
        if !own.contains("{z}") && !own.contains("{tileMatrix}") {
            paths.push(own);
            continue;
        }
        for level in levels {
            let side = f64::from(*level).exp2();
            let (x, y) = if set == "WebMercatorQuad" {
                (mercator.0 * side, mercator.1 * side)
            } else {
                (degrees.0 * side * 2.0, degrees.1 * side)
            };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tile of the place")]
            let (x, y) = ((x as u32).to_string(), (y as u32).to_string());
            let values =
                [("z", level.to_string()), ("tileMatrix", level.to_string()), ("x", x.clone()), ("y", y.clone())];
            let own = values.iter().fold(own.clone(), |own, (name, value)| own.replace(&format!("{{{name}}}"), value));
            paths.push(own.replace("{tileCol}", &x).replace("{tileRow}", &y));
        }
    }
    paths
}

/// Requests for what is hidden, and questions whose answers count, order and sum up.
pub(super) fn questions(county: &County) -> Vec<Request> {
    let mut paths: Vec<String> = Vec::new();
    let at = format!("{},{}", PLACE[0], PLACE[1]);
    for layer in &county.layers {
        let items = format!("/ogc/collections/{}/items", layer.id);
        for (role, (name, _)) in ROLES.iter().enumerate().skip(1) {
            let field = format!("secret_{name}");
            let (value, row) = (layer.value(role), layer.row(role));
            for query in [
                format!("filter={field}%20IS%20NOT%20NULL"),
                format!("{field}={value}"),
                format!("sortby=-{field}"),
                format!("properties={field}"),
                format!("q={value}"),
                format!("q={row}"),
                format!("ids={row}"),
            ] {
                paths.push(format!("{items}?limit=10&{query}"));
            }
            paths.push(format!("/api/search?q={value}"));
            paths.push(format!("/api/search?q={row}&layer={}", layer.id));
        }
        for query in
            ["sortby=-name", "limit=1", "filter=source%20LIKE%20%27row%25%27", "bbox=118.8,26.2,118.9,26.3&limit=1"]
        {
            paths.push(format!("{items}?{query}"));
        }
        for query in ["k=20", "k=5&explain=true&people=30", "k=3&by=road"] {
            paths.push(format!("/api/nearest?point={at}&layer={}&{query}", layer.id));
        }
        paths.push(format!("/api/audits/siting?layer={}", layer.id));
        paths.push(format!("/api/coverage?layer={}", layer.id));
        paths.push(format!("/tiles/{}/14/{}?ids={}", layer.id, "13601/6951", layer.row(4)));
    }
    paths.push(format!("/api/nearest?point={at}&layer=shelters,teams,depots&cover=true&people=9000"));
    paths.push("/api/search?q=zq&limit=100".to_owned());
    for query in ["radius_m=5000", "radius_m=5000&kind=flood"] {
        paths.extend(["json", "html", "csv"].map(|form| format!("/api/surroundings?point={at}&{query}&f={form}")));
    }
    for (parameter, layer) in [("incident", "incidents"), ("warning", "warnings"), ("zone", "risk_zones")] {
        for role in [0, 1, 4] {
            paths.push(format!("/api/surroundings?{parameter}={}", county.rows_of(layer, role)));
        }
    }
    paths.extend(
        ["json", "csv"].map(|form| format!("/api/statistics?f={form}&incident={}", county.rows_of("incidents", 1))),
    );
    paths.push(format!("/api/routes?from={at}&to=118.869,26.229"));
    paths.push(format!("/api/isochrones?point={at}&minutes=5"));
    paths.push(format!("/api/commitments?incident={}", county.rows_of("incidents", 1)));
    let mut requests: Vec<Request> = paths.into_iter().map(Request::get).collect();
    let area =
        json!({"type": "Polygon", "coordinates": [[[118.8, 26.2], [118.9, 26.2], [118.9, 26.3], [118.8, 26.2]]]});
    for (path, body) in [
        ("/api/nearest", json!({"point": PLACE, "layer": ["shelters"], "k": 20})),
        ("/api/surroundings", area),
        ("/api/allocations", json!({"layer": "shelters", "demands": [{"id": "a", "point": PLACE, "amount": 4000}]})),
    ] {
        let body = Some(body.to_string());
        requests.push(Request { path: path.to_owned(), accept: None, body, template: path.to_owned() });
    }
    requests
}

impl County {
    /// The feature of a layer for a role; for the public, the open one.
    pub(super) fn rows_of(&self, layer: &str, role: usize) -> String {
        let own = self.layers.iter().find(|own| own.id == layer).expect("a layer");
        if role == 0 { own.open() } else { own.row(role) }
    }
}
