//! Collections: what they are, where they reach, what can be asked of them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value as Json, json};
use time::UtcDateTime;

use crate::geodesy::reference::{CRS84, CrsTransform};
use crate::http::AppState;
use crate::http::ogc::pages;
use crate::http::ogc::schemas::{Purpose, schema};
use crate::http::ogc::{FORM, REL, base, link, own_links};
use crate::http::params::{QueryParams, layer};
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::media::{CSV, FLATGEOBUF, GEOJSON, HTML, JSON, MediaType, SCHEMA, SEQUENCE, negotiate};
use crate::http::reply::problem::Problem;
use crate::model::{ValueRef, format_instant};
use crate::query::filter::FUNCTIONS;
use crate::snapshot::Layer;

const FORMS: [MediaType; 2] = [JSON, HTML];
/// Forms of features, in the order in which they are offered.
pub(crate) const ITEM_FORMS: [MediaType; 5] = [GEOJSON, HTML, CSV, FLATGEOBUF, SEQUENCE];

pub(crate) async fn collections(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let form = negotiate(&request, &QueryParams::read(&request, &FORM)?, &FORMS)?;
    let current = RequestSnapshot::now(&state);
    let base = base(&request, &state);
    let layers = current.snapshot.layers();
    if form == HTML {
        return Ok(pages::collections(layers, &base).respond(&current));
    }
    let collections: Vec<Json> = layers.iter().map(|layer| describe(layer, &base, JSON)).collect();
    let links = own_links(&format!("{base}/collections"), form, &FORMS);
    Ok(current.json(
        json!({"links": links, "crs": CrsTransform::addresses().collect::<Vec<_>>(), "collections": collections}),
    ))
}

pub(crate) async fn collection(
    request: HttpRequest,
    state: web::Data<AppState>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let form = negotiate(&request, &QueryParams::read(&request, &FORM)?, &FORMS)?;
    let current = RequestSnapshot::now(&state);
    let layer = layer(&current.snapshot, "collection", &path)?;
    let base = base(&request, &state);
    if form == HTML {
        return Ok(pages::collection(layer, &base).respond(&current));
    }
    Ok(current.json(describe(layer, &base, form)))
}

pub(crate) async fn queryables(
    request: HttpRequest,
    state: web::Data<AppState>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    schema_page(&request, &state, &path, Purpose::Queryables)
}

pub(crate) async fn sortables(
    request: HttpRequest,
    state: web::Data<AppState>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    schema_page(&request, &state, &path, Purpose::Sortables)
}

pub(crate) async fn features_schema(
    request: HttpRequest,
    state: web::Data<AppState>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    schema_page(&request, &state, &path, Purpose::Features)
}

/// The functions that filters may call (OGC 19-079r2, section 9).
pub(crate) async fn functions(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let form = negotiate(&request, &QueryParams::read(&request, &FORM)?, &FORMS)?;
    let current = RequestSnapshot::now(&state);
    if form == HTML {
        return Ok(pages::functions(&base(&request, &state)).respond(&current));
    }
    let function = |(name, says, arguments, returns): &(&str, &str, &[&str], &str)| {
        let arguments: Vec<Json> = arguments.iter().map(|kind| json!({"type": [kind]})).collect();
        json!({"name": name, "description": says, "arguments": arguments, "returns": [returns]})
    };
    Ok(current.json(json!({"functions": FUNCTIONS.iter().map(function).collect::<Vec<_>>()})))
}

fn schema_page(request: &HttpRequest, state: &AppState, name: &str, purpose: Purpose) -> Result<HttpResponse, Problem> {
    let form = negotiate(request, &QueryParams::read(request, &FORM)?, &[SCHEMA, HTML])?;
    let current = RequestSnapshot::now(state);
    let layer = layer(&current.snapshot, "collection", name)?;
    let base = base(request, state);
    let address = format!("{base}/collections/{name}/{}", purpose.path());
    let schema = schema(&state.catalog, layer.schema(), purpose, &address);
    if form != HTML {
        let mut response = current.respond(SCHEMA.media_type);
        return Ok(response.insert_header(("Vary", "Accept")).body(schema.to_string()));
    }
    Ok(pages::schema(layer, purpose, &schema, &base).respond(&current))
}

fn describe(layer: &Layer, base: &str, form: MediaType) -> Json {
    let schema = layer.schema();
    let own = format!("{base}/collections/{}", schema.id);
    let mut links = own_links(&own, form, &FORMS);
    let of_items = |form: &MediaType| {
        let href = if *form == GEOJSON { format!("{own}/items") } else { format!("{own}/items?f={}", form.name) };
        link(&href, "items", form.media_type, &format!("Features as {}", form.title))
    };
    links.extend(ITEM_FORMS.iter().map(of_items));
    let media_type = SCHEMA.media_type;
    links.extend([
        link(&format!("{own}/schema"), &format!("{REL}schema"), media_type, "Schema"),
        link(&format!("{own}/queryables"), &format!("{REL}queryables"), media_type, "Queryables"),
        link(&format!("{own}/sortables"), &format!("{REL}sortables"), media_type, "Sortables"),
        link(&format!("{own}/tiles"), &format!("{REL}tilesets-vector"), "application/json", "Vector tiles"),
    ]);
    let mut json = json!({
        "id": schema.id,
        "title": schema.title.zh,
        "description": schema.title.en,
        "itemType": "feature",
        "crs": CrsTransform::addresses().collect::<Vec<_>>(),
        "storageCrs": CRS84,
        "links": links,
    });
    let mut extent = json!({});
    if let Some(bounds) = layer.envelope() {
        extent["spatial"] = json!({"bbox": [bounds.to_array()], "crs": CRS84});
    }
    if let Some((start, end)) = time_extent(layer) {
        let trs = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian";
        let end = end.map(format_instant);
        extent["temporal"] = json!({"interval": [[format_instant(start), end]], "trs": trs});
    }
    if extent.as_object().is_some_and(|extent| !extent.is_empty()) {
        json["extent"] = extent;
    }
    json
}

/// The first and the last moment of a layer; no last one when something goes on without end.
fn time_extent(layer: &Layer) -> Option<(UtcDateTime, Option<UtcDateTime>)> {
    let when = layer.schema().roles.time.as_ref()?;
    let start = layer.schema().position(&when.start)?;
    let end = when.end.as_ref().and_then(|end| layer.schema().position(end));
    let mut reach: Option<(UtcDateTime, Option<UtcDateTime>)> = None;
    for row in layer.chunks().iter().flat_map(|chunk| chunk.rows_after(None)) {
        let ValueRef::DateTime(from) = row.cell(start) else { continue };
        let to = match end.map(|end| row.cell(end)) {
            None => Some(from),
            Some(ValueRef::DateTime(to)) => Some(to),
            Some(_) => None,
        };
        let before = reach.unwrap_or((from, to));
        reach = Some((before.0.min(from), before.1.zip(to).map(|(a, b)| a.max(b))));
    }
    reach
}
