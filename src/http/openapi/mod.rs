//! The API as an OpenAPI 3.0 document, written from the endpoint table.

mod schemas;

use serde_json::{Map, Value as Json, json};

use self::schemas::reference;
use crate::geodesy::crs::CRS84;
use crate::http::assets::tagged;
use crate::http::call::Call;
use crate::http::endpoint::{Access, Endpoint, Thread, Verb};
use crate::http::ogc::schemas::property;
use crate::http::params::param::Param;
use crate::http::params::spec::{self, PathKind};
use crate::http::reply::Reply;
use crate::http::reply::etag::etag;
use crate::http::tiles::tilesets::tile_matrix_set_ids;
use crate::model::{Catalog, FieldType, View};
use crate::tile::TileAddress;

pub(crate) const MEDIA_TYPE: &str = "application/vnd.oai.openapi+json;version=3.0";

/// Describes the endpoints whose path begins with a root, with paths relative to it.
pub(crate) fn document(call: &Call<'_>, endpoints: &[&'static Endpoint], root: &str, title: &str) -> Reply {
    let snapshot = &call.current.snapshot;
    let collections: Vec<&str> = snapshot.layers().iter().map(|layer| layer.schema().id.as_str()).collect();
    let views: Vec<_> = snapshot.layers().iter().map(|layer| call.caller.view(layer.schema())).collect();
    let properties = property_parameters(&call.state.catalog, &views);
    let mut paths = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.is_offered(call.state.access.offers_edits())) {
        let Some((tag, path)) = endpoint.tag.zip(endpoint.path.strip_prefix(root)) else { continue };
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        let path = if path.is_empty() { "/" } else { path };
        let method = endpoint.method.method().as_str().to_ascii_lowercase();
        paths.entry(path).or_insert_with(|| json!({}))[method] = describe(endpoint, tag, &collections, &properties);
    }
    let document = json!({
        "openapi": "3.0.3",
        "info": {
            "title": title,
            "description": "One map of an emergency bureau 应急管理一张图: features, tiles, nearest resources, surroundings.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": format!("{}{root}", call.base_url())}],
        "tags": tags.into_iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas::schemas(&call.state.catalog, &views),
            "parameters": {"limit": query_parameter(&spec::ITEMS_LIMIT, &[])},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    });
    let text = document.to_string();
    tagged(call, MEDIA_TYPE, &etag(text.as_bytes()), text.into_bytes())
}

fn describe(endpoint: &Endpoint, tag: &str, collections: &[&str], properties: &[Json]) -> Json {
    let formats: Vec<&'static str> = endpoint.formats.iter().map(|format| format.name).collect();
    let names = path_names(endpoint);
    let mut parameters: Vec<Json> = names.map(|name| path_parameter(name, collections)).collect();
    parameters.extend(endpoint.params.iter().map(|param| query_parameter(*param, &formats)));
    if endpoint.property_params {
        let is_declared = |property: &&Json| !endpoint.params.iter().any(|param| property["name"] == param.name());
        parameters.extend(properties.iter().filter(is_declared).cloned());
    }
    let mut json = json!({
        "operationId": endpoint.id,
        "tags": [tag],
        "summary": endpoint.summary,
        "responses": responses(endpoint),
    });
    if endpoint.access == Access::Write {
        parameters.extend(write_headers(endpoint));
    }
    if matches!(endpoint.access, Access::Write | Access::Dispatch | Access::Reveal | Access::Admin) {
        json["security"] = json!([{"token": []}]);
    }
    if endpoint.replies.iter().any(|reply| reply.media_type == "text/event-stream") {
        parameters
            .push(json!({"name": "Last-Event-ID", "in": "header", "required": false, "schema": {"type": "string"}}));
    }
    if !parameters.is_empty() {
        json["parameters"] = json!(parameters);
    }
    if let Some(body) = endpoint.body {
        let mut content = Map::new();
        for media_type in body.media_types {
            let mut entry = json!({"schema": reference(body.schema)});
            if let Some(example) = schemas::example(body.schema) {
                entry["example"] = example;
            }
            content.insert((*media_type).to_owned(), entry);
        }
        json["requestBody"] = json!({"required": true, "content": content});
    }
    json
}

/// A parameter for each property of any collection: features whose property equals the value.
fn property_parameters(catalog: &Catalog, views: &[View<'_>]) -> Vec<Json> {
    let parameter = |name: &str, schema: Json| {
        json!({
            "name": name, "in": "query", "required": false, "style": "form", "explode": false,
            "description": "Features whose property of this name equals the value; 400 if the collection does not have this property",
            "schema": schema,
        })
    };
    let mut parameters = vec![parameter("id", json!({"type": "string", "minLength": 1, "example": "SH-0001"}))];
    for view in views {
        for (_, field) in view.fields().filter(|(_, field)| field.field_type != FieldType::Json) {
            if parameters.iter().all(|own| own["name"] != json!(field.name)) {
                let mut schema = property(catalog, view.schema(), field);
                // Codes and bounds of a property can differ between collections.
                for member in ["enum", "minimum", "maximum", "readOnly", "x-onemap-labels", "x-ogc-role"] {
                    schema.as_object_mut().map(|schema| schema.remove(member));
                }
                if field.field_type == FieldType::TextList {
                    schema = json!({"type": "string", "title": schema["title"]});
                }
                parameters.push(parameter(&field.name, schema));
            }
        }
    }
    parameters
}

fn path_names(endpoint: &Endpoint) -> impl Iterator<Item = &'static str> {
    endpoint.path.split('{').skip(1).filter_map(|part| part.split('}').next())
}

fn query_parameter(param: &dyn Param, formats: &[&'static str]) -> Json {
    let schema = param.schema(formats);
    let example = match param.example() {
        Json::Null => json!(formats.first()),
        example => example,
    };
    json!({
        "name": param.name(), "in": "query", "required": param.required(), "description": param.about(),
        "style": "form", "explode": false, "schema": schema, "example": example,
    })
}

fn path_parameter(name: &str, collections: &[&str]) -> Json {
    let declared = spec::PATH.iter().find(|own| own.name == name);
    let (about, schema, example) = match declared.map(|own| (own.about, &own.kind)) {
        Some((about, PathKind::Collection)) => {
            (about, json!({"type": "string", "enum": collections}), json!(collections.first()))
        }
        Some((about, PathKind::Layers)) => (about, json!({"type": "string"}), json!(collections.first())),
        Some((about, PathKind::TileMatrixSet)) => {
            let ids = tile_matrix_set_ids();
            (about, json!({"type": "string", "enum": ids}), json!(ids.first()))
        }
        Some((about, PathKind::Zoom)) => {
            (about, json!({"type": "integer", "minimum": 0, "maximum": TileAddress::MAX_ZOOM}), json!(10))
        }
        Some((about, PathKind::Index(example))) => (about, json!({"type": "integer", "minimum": 0}), json!(example)),
        Some((about, PathKind::Text(example))) => (about, json!({"type": "string", "minLength": 1}), json!(example)),
        None => ("", json!({"type": "string"}), json!("")),
    };
    json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema, "example": example})
}

/// Headers of edits.
fn write_headers(endpoint: &Endpoint) -> Vec<Json> {
    let header = |name: &str, about: &str, example: &str| json!({"name": name, "in": "header", "required": false, "description": about, "schema": {"type": "string"}, "example": example});
    let mut headers = vec![header(
        "Idempotency-Key",
        "A repeated request with the same key is replayed, not executed again",
        "7d1f-1",
    )];
    if matches!(endpoint.method, Verb::Put | Verb::Patch | Verb::Delete) {
        headers.push(header(
            "If-Match",
            "ETags of the state to change; 412 if the feature has changed since",
            "\"0123456789abcdef\"",
        ));
        headers.push(header(
            "If-Unmodified-Since",
            "Last-Modified of the feature that is changed; 412 when it was modified later. If-Match takes precedence",
            "Fri, 14 Aug 2026 02:00:00 GMT",
        ));
    }
    if endpoint.body.is_some() {
        headers.push(header("Onemap-Anywhere", "true accepts a position far outside the county", "false"));
    }
    if endpoint.body.is_some() && endpoint.path.starts_with("/ogc") {
        headers.push(header("Content-Crs", "Coordinate reference system of the body", &format!("<{CRS84}>")));
    }
    headers
}

fn responses(endpoint: &Endpoint) -> Json {
    let mut responses = Map::new();
    for reply in endpoint.replies {
        let response =
            responses.entry(reply.status.to_string()).or_insert_with(|| json!({"description": meaning(reply.status)}));
        if reply.media_type.is_empty() {
            continue;
        }
        let schema = match reply.schema {
            "" if reply.media_type.starts_with("text/") || reply.media_type.ends_with("ndjson") => {
                json!({"type": "string"})
            }
            "" => json!({"type": "string", "format": "binary"}),
            name => reference(name),
        };
        response["content"][reply.media_type] = json!({"schema": schema});
    }
    for status in problems(endpoint) {
        let problem = json!({"application/problem+json": {"schema": reference("problem")}});
        responses.insert(status.to_string(), json!({"description": meaning(status), "content": problem}));
    }
    // The HTTP parser refuses these before an endpoint sees them.
    responses.insert("431".to_owned(), json!({"description": "The URL or the headers are too long (64 kB in all)"}));
    Json::Object(responses)
}

/// Statuses of problems, derived from the row of the endpoint.
fn problems(endpoint: &Endpoint) -> Vec<u16> {
    let is_write = matches!(endpoint.access, Access::Write | Access::Dispatch);
    let names_layer = endpoint.params.iter().any(|param| matches!(param.name(), "layer" | "layers" | "incident"));
    // The parameters of GET as members of the body.
    let names_layer = names_layer
        || endpoint
            .body
            .is_some_and(|body| ["nearestRequest", "allocationRequest", "revealRequest"].contains(&body.schema));
    let has_credentials = endpoint.access != Access::Open || endpoint.body.is_some_and(|body| body.schema == "signIn");
    let is_partial = endpoint.replies.iter().any(|reply| reply.status == 206);
    let is_stream = endpoint.replies.iter().any(|reply| reply.media_type == "text/event-stream");
    let negotiates = endpoint.formats.len() > 1 || endpoint.params.iter().any(|param| param.name() == "f");
    let all = [
        (400, endpoint.path != "/health/live" && endpoint.path != "/health/ready"),
        (401, has_credentials),
        (403, has_credentials),
        (404, path_names(endpoint).next().is_some() || names_layer || is_write),
        (406, negotiates),
        (408, endpoint.body.is_some()),
        (409, is_write),
        (412, is_write),
        (413, endpoint.body.is_some()),
        (415, endpoint.body.is_some()),
        (416, is_partial),
        (422, is_write),
        (429, has_credentials),
        (503, is_write || is_stream || endpoint.thread != Thread::Web),
        (507, is_write),
    ];
    all.into_iter().filter(|(_, applies)| *applies).map(|(status, _)| status).collect()
}

fn meaning(status: u16) -> &'static str {
    match status {
        200 => "Success",
        201 => "Created",
        204 => "No content",
        206 => "Partial content",
        304 => "Not modified",
        400 => "A parameter or the body is invalid",
        401 => "The token is missing or wrong",
        403 => "The client is not permitted to do this",
        429 => "The caller makes too many requests",
        404 => "Not found",
        406 => "None of the offered media types is acceptable",
        408 => "The body did not arrive in time",
        409 => "The id exists already",
        412 => "The precondition is not met",
        413 => "The body is too long",
        415 => "The media type of the body is not accepted",
        416 => "The range is not satisfiable",
        422 => "The content does not match the layer",
        507 => "The store has no space left",
        _ => "Temporarily unavailable; see Retry-After",
    }
}
