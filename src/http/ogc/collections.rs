//! Collections: description, extent, and the properties for filters and sorting.

use actix_web::http::header;
use serde_json::{Value as Json, json};
use time::UtcDateTime;

use crate::geodesy::crs::{CRS84, Crs};
use crate::http::api::labels::code_json;
use crate::http::call::Call;
use crate::http::ogc::items_file::formats_of;
use crate::http::ogc::pages;
use crate::http::ogc::schemas::{CodelistProfile, Purpose, codelist_url, schema};
use crate::http::params::auth::Caller;
use crate::http::reply::Reply;
use crate::http::reply::links::{REL, link, link_header, own_links, profile_link};
use crate::http::reply::media::{GEOJSON, HTML, JSON, MediaType, SCHEMA};
use crate::http::reply::problem::Problem;
use crate::model::{ValueRef, View, format_instant};
use crate::query::filter::FUNCTIONS;
use crate::snapshot::Layer;

/// `GET /ogc/collections`.
pub(crate) fn collections(call: &Call<'_>) -> Result<Reply, Problem> {
    let (form, current, base) = (call.media_type()?, &call.current, call.ogc_base());
    let layers = current.snapshot.layers();
    if form == HTML {
        return Ok(pages::collections(layers, &base).reply(current));
    }
    let collections: Vec<Json> = layers.iter().map(|layer| describe(layer, &call.caller, &base, JSON)).collect();
    let links = own_links(&format!("{base}/collections"), form, call.formats);
    Ok(current.json(json!({"links": links, "crs": Crs::uris().collect::<Vec<_>>(), "collections": collections})))
}

/// `GET /ogc/collections/{collectionId}`.
pub(crate) fn collection(call: &Call<'_>) -> Result<Reply, Problem> {
    let (form, layer, base) = (call.media_type()?, call.collection()?, call.ogc_base());
    if form == HTML {
        return Ok(pages::collection(layer, &base).reply(&call.current));
    }
    Ok(call.current.json(describe(layer, &call.caller, &base, form)))
}

/// `GET /ogc/collections/{collectionId}/queryables`.
pub(crate) fn queryables(call: &Call<'_>) -> Result<Reply, Problem> {
    schema_page(call, Purpose::Queryables)
}

/// `GET /ogc/collections/{collectionId}/sortables`.
pub(crate) fn sortables(call: &Call<'_>) -> Result<Reply, Problem> {
    schema_page(call, Purpose::Sortables)
}

/// `GET /ogc/collections/{collectionId}/schema`.
pub(crate) fn features_schema(call: &Call<'_>) -> Result<Reply, Problem> {
    schema_page(call, Purpose::Features)
}

/// `GET /ogc/functions`: the functions that filters may call (OGC 19-079r2, section 9).
pub(crate) fn functions(call: &Call<'_>) -> Result<Reply, Problem> {
    let (form, current) = (call.media_type()?, &call.current);
    if form == HTML {
        return Ok(pages::functions(&call.ogc_base()).reply(current));
    }
    let function = |(name, description, arguments, returns): &(&str, &str, &[&str], &str)| {
        let arguments: Vec<Json> = arguments.iter().map(|kind| json!({"type": [kind]})).collect();
        json!({"name": name, "description": description, "arguments": arguments, "returns": [returns]})
    };
    Ok(current.json(json!({"functions": FUNCTIONS.iter().map(function).collect::<Vec<_>>()})))
}

/// `GET /ogc/codelists/{codelistId}`: a code list of the catalog, to which schemas refer.
pub(crate) fn codelist(call: &Call<'_>) -> Result<Reply, Problem> {
    call.format()?;
    let (name, lists) = (call.segment("codelistId"), &call.state.catalog.codes);
    let missing = || {
        let names: Vec<&str> = lists.keys().map(String::as_str).collect();
        Problem::NotFound { what: "codelist", value: name.to_owned(), accepted: names.join(", ") }
    };
    let codes: Vec<Json> = lists.get(name).ok_or_else(missing)?.iter().map(code_json).collect();
    let links = [link(&codelist_url(&call.ogc_base(), name), "self", JSON.media_type, "This code list")];
    Ok(call.current.json(json!({"id": name, "codes": codes, "links": links})))
}

fn schema_page(call: &Call<'_>, purpose: Purpose) -> Result<Reply, Problem> {
    let (form, current, base) = (call.media_type()?, &call.current, call.ogc_base());
    let layer = call.collection()?;
    let asked = CodelistProfile::read(call)?;
    // The page has the codes alone.
    let profile = if form == HTML { CodelistProfile::Reference } else { asked };
    let schema = schema(&call.state.catalog, &call.caller.view(layer.schema()), purpose, profile, &base);
    if form != HTML {
        let links = link_header(&[profile_link(profile.id())]);
        return Ok(current.reply(SCHEMA.media_type).header((header::LINK, links)).body(schema.to_string()));
    }
    Ok(pages::schema(layer, purpose, &schema, &base).reply(current))
}

fn describe(layer: &Layer, caller: &Caller, base: &str, form: MediaType) -> Json {
    let schema = layer.schema();
    let own = format!("{base}/collections/{}", schema.id);
    let mut links = own_links(&own, form, &[JSON, HTML]);
    let of_items = |form: &MediaType| {
        let href = if *form == GEOJSON { format!("{own}/items") } else { format!("{own}/items?f={}", form.name) };
        link(&href, "items", form.media_type, &format!("Features as {}", form.title))
    };
    links.extend(formats_of(schema).iter().map(of_items));
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
        "crs": Crs::uris().collect::<Vec<_>>(),
        "storageCrs": CRS84,
        "links": links,
    });
    let mut extent = json!({});
    if let Some(bounds) = layer.envelope() {
        extent["spatial"] = json!({"bbox": [bounds.to_array()], "crs": CRS84});
    }
    if let Some((start, end)) = time_extent(layer, &caller.view(layer.schema())) {
        let trs = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian";
        let end = end.map(format_instant);
        extent["temporal"] = json!({"interval": [[format_instant(start), end]], "trs": trs});
    }
    if extent.as_object().is_some_and(|extent| !extent.is_empty()) {
        json["extent"] = extent;
    }
    json
}

/// The first and last instant of a layer; no last instant if a feature has no end.
fn time_extent(layer: &Layer, view: &View<'_>) -> Option<(UtcDateTime, Option<UtcDateTime>)> {
    let when = layer.schema().roles.time.as_ref()?;
    let start = layer.schema().position(&when.start)?;
    let end = when.end.as_ref().and_then(|end| layer.schema().position(end));
    let mut reach: Option<(UtcDateTime, Option<UtcDateTime>)> = None;
    for row in layer.chunks().iter().flat_map(|chunk| chunk.rows_after(None)) {
        let ValueRef::DateTime(from) = row.visible(view).value(start) else { continue };
        let to = match end.map(|end| row.visible(view).value(end)) {
            None => Some(from),
            Some(ValueRef::DateTime(to)) => Some(to),
            Some(_) => None,
        };
        let before = reach.unwrap_or((from, to));
        reach = Some((before.0.min(from), before.1.zip(to).map(|(a, b)| a.max(b))));
    }
    reach
}
