//! The API as an OpenAPI 3.0 document, written from the table of operations, and the page that shows it.

mod operations;
mod parameters;
mod schemas;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value as Json, json};

use crate::http::AppState;
use crate::http::openapi::operations::{OPERATIONS, Operation};
use crate::http::params::{QueryParams, origin};
use crate::http::reply::freshness::{etag, is_known};
use crate::http::reply::problem::Problem;
use crate::http::tiles::tilesets::grid_names;

pub(crate) const MEDIA_TYPE: &str = "application/vnd.oai.openapi+json;version=3.0";

/// Under which operations stand together.
const GROUPS: [&str; 6] = ["OGC API", "Tiles", "Dispatch", "Editing", "Map", "Operation"];

pub(crate) async fn document(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    QueryParams::read(&request, &[])?;
    let snapshot = state.head.load();
    let collections: Vec<&str> = snapshot.layers().iter().map(|layer| layer.schema().id.as_str()).collect();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = describe(operation, &collections);
    }
    let layers: Vec<_> = snapshot.layers().iter().map(|layer| layer.schema()).collect();
    let document = json!({
        "openapi": "3.0.3",
        "info": {
            "title": "onemap",
            "description": "One map of a county emergency bureau 应急管理一张图: features, tiles, nearest help, surroundings.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": origin(&request, state.public_url.as_deref())}],
        "tags": GROUPS.map(|name| json!({"name": name})),
        "paths": paths,
        "components": {
            "schemas": schemas::schemas(&state.catalog, &layers),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    });
    let text = document.to_string();
    let tag = etag(text.as_bytes());
    if is_known(&request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE)).insert_header((header::ETAG, tag));
    Ok(response.insert_header((header::CACHE_CONTROL, "no-cache")).body(text))
}

fn describe(operation: &Operation, collections: &[&str]) -> Json {
    let names = operation.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let grids = grid_names();
    let mut parameters: Vec<Json> = names.map(|name| parameters::path(name, collections, &grids)).collect();
    parameters.extend(operation.query.iter().map(|name| parameters::query(operation, name)));
    let mut json = json!({
        "operationId": operation.id,
        "tags": [operation.group],
        "summary": operation.says,
        "responses": responses(operation),
    });
    if operation.writes {
        parameters.extend(parameters::of_writers(operation));
        json["security"] = json!([{"token": []}]);
    }
    if operation.id == "getEvents" {
        parameters
            .push(json!({"name": "Last-Event-ID", "in": "header", "required": false, "schema": {"type": "string"}}));
    }
    if !parameters.is_empty() {
        json["parameters"] = json!(parameters);
    }
    if let Some((media_types, schema)) = operation.body {
        let mut content = Map::new();
        for media_type in media_types {
            let mut entry = json!({"schema": reference(schema)});
            if let Some(example) = schemas::example(schema) {
                entry["example"] = example;
            }
            content.insert((*media_type).to_owned(), entry);
        }
        json["requestBody"] = json!({"required": true, "content": content});
    }
    json
}

fn reference(schema: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn responses(operation: &Operation) -> Json {
    let mut responses = Map::new();
    for (status, media_type, schema) in operation.answers {
        let response = responses.entry(status.to_string()).or_insert_with(|| json!({"description": meaning(*status)}));
        if media_type.is_empty() {
            continue;
        }
        let schema = match *schema {
            "" if media_type.starts_with("text/") || media_type.ends_with("ndjson") => json!({"type": "string"}),
            "" => json!({"type": "string", "format": "binary"}),
            name => reference(name),
        };
        response["content"][*media_type] = json!({"schema": schema});
    }
    for status in operation.refusals {
        let problem = json!({"application/problem+json": {"schema": reference("problem")}});
        responses.insert(status.to_string(), json!({"description": meaning(*status), "content": problem}));
    }
    Json::Object(responses)
}

fn meaning(status: u16) -> &'static str {
    match status {
        200 => "The answer",
        201 => "Made",
        204 => "Done, or nothing is there",
        206 => "A part of the answer",
        304 => "As the caller knows it",
        400 => "A parameter or the body cannot be understood",
        401 => "The token is missing or wrong",
        403 => "This caller may not",
        404 => "There is nothing of that name",
        406 => "None of the forms offered is accepted",
        409 => "The id is taken",
        412 => "The feature was changed since",
        413 => "The body is too long",
        415 => "The body is of a kind that is not taken",
        416 => "There is no such part",
        422 => "What was sent does not fit the layer",
        _ => "Not now; Retry-After tells when",
    }
}
