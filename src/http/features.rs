//! OGC API Features (OGC 17-069r4): landing page, collections, items.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value as Json, json};

use super::Door;
use super::answer::{GEOJSON, Moment, is_known};
use super::edits::tag;
use super::problem::Problem;
use super::request::{Parameters, layer, origin};
use crate::clock;
use crate::exchange::geojson::{write_feature, write_feature_of, write_json};
use crate::model::{FeatureId, Shape, View, format_instant};
use crate::query::items::{Ask, Page, page};
use crate::snapshot::Layer;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 10_000;
const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";
const JSON: &str = "application/json";

pub(super) async fn landing_page(request: HttpRequest, door: web::Data<Door>) -> Result<HttpResponse, Problem> {
    Parameters::read(&request, &["f"]).and_then(|parameters| only_json(&parameters))?;
    let base = origin(&request, door.public_url.as_deref());
    Ok(Moment::now(&door).json(json!({
        "title": "闽清县应急管理一张图",
        "description": "onemap: hazard sources, shelters, rescue teams and stockpiles of the county on one map",
        "links": [
            link(&format!("{base}/ogc"), "self", JSON, "This page"),
            link(&format!("{base}/ogc/conformance"), "conformance", JSON, "Conformance classes"),
            link(&format!("{base}/ogc/collections"), "data", JSON, "Collections"),
            link(&format!("{base}/"), "alternate", "text/html", "Map"),
        ],
    })))
}

/// No class of the standard is declared before all of it is there.
pub(super) async fn conformance(request: HttpRequest, door: web::Data<Door>) -> Result<HttpResponse, Problem> {
    Parameters::read(&request, &["f"]).and_then(|parameters| only_json(&parameters))?;
    Ok(Moment::now(&door).json(json!({"conformsTo": []})))
}

pub(super) async fn collections(request: HttpRequest, door: web::Data<Door>) -> Result<HttpResponse, Problem> {
    Parameters::read(&request, &["f"]).and_then(|parameters| only_json(&parameters))?;
    let moment = Moment::now(&door);
    let base = origin(&request, door.public_url.as_deref());
    let collections: Vec<Json> = moment.snapshot.layers().iter().map(|layer| describe(layer, &base)).collect();
    Ok(moment.json(json!({
        "links": [link(&format!("{base}/ogc/collections"), "self", JSON, "Collections")],
        "collections": collections,
    })))
}

pub(super) async fn collection(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Parameters::read(&request, &["f"]).and_then(|parameters| only_json(&parameters))?;
    let moment = Moment::now(&door);
    let layer = layer(&moment.snapshot, "collection", &path)?;
    Ok(moment.json(describe(layer, &origin(&request, door.public_url.as_deref()))))
}

pub(super) async fn items(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let parameters =
        Parameters::read(&request, &["f", "bbox", "filter", "filter-lang", "filter-crs", "limit", "after"])?;
    only_json(&parameters)?;
    let moment = Moment::now(&door);
    let layer = layer(&moment.snapshot, "collection", &path)?;
    let view = View::public(layer.schema());
    let ask = Ask {
        bbox: parameters.bbox()?,
        filter: parameters.filter(&view)?,
        after: parameters.feature_id("after")?,
        limit: parameters.count("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)?,
    };
    let answer = page(layer, &ask);

    let mut body = br#"{"type":"FeatureCollection","features":["#.to_vec();
    for (index, row) in answer.rows.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        let geometry = row.shape().map(Shape::geometry);
        write_feature_of(&mut body, &view, row.id(), geometry, |field| row.cell(field), &[]);
    }
    body.extend_from_slice(b"],\"numberMatched\":");
    write_json(&mut body, &answer.matched);
    body.extend_from_slice(b",\"numberReturned\":");
    write_json(&mut body, &answer.rows.len());
    body.extend_from_slice(b",\"timeStamp\":");
    write_json(&mut body, &format_instant(clock::now()));
    body.extend_from_slice(b",\"links\":");
    write_json(&mut body, &page_links(&request, &door, layer, &parameters, &answer));
    moment.close_object(&mut body);
    Ok(moment.respond(GEOJSON).body(body))
}

pub(super) async fn item(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    Parameters::read(&request, &["f"]).and_then(|parameters| only_json(&parameters))?;
    let (collection, feature) = path.into_inner();
    let moment = Moment::now(&door);
    let layer = layer(&moment.snapshot, "collection", &collection)?;
    let missing = || Problem::NotFound { what: "feature", value: feature.clone(), accepted: String::new() };
    let row = FeatureId::new(&feature).ok().and_then(|id| layer.find(&id)).ok_or_else(missing)?;

    let feature = row.to_feature();
    let etag = tag(door.seal.fingerprint(&feature));
    if is_known(&request, &etag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish());
    }
    let base = origin(&request, door.public_url.as_deref());
    let own = format!("{base}/ogc/collections/{collection}");
    let mut body = Vec::new();
    write_feature(&mut body, &View::public(layer.schema()), &feature, &[]);
    // The feature's own closing brace makes room for the links.
    body.pop();
    body.extend_from_slice(b",\"links\":");
    let links = [
        link(&format!("{own}/items/{}", encode(row.id().as_str())), "self", GEOJSON, "This feature"),
        link(&own, "collection", JSON, "Its collection"),
    ];
    write_json(&mut body, &links);
    moment.close_object(&mut body);
    Ok(moment.respond(GEOJSON).insert_header((header::ETAG, etag)).body(body))
}

fn describe(layer: &Layer, base: &str) -> Json {
    let schema = layer.schema();
    let own = format!("{base}/ogc/collections/{}", schema.id);
    let mut json = json!({
        "id": schema.id,
        "title": schema.title.zh,
        "description": schema.title.en,
        "itemType": "feature",
        "crs": [CRS84],
        "storageCrs": CRS84,
        "links": [
            link(&own, "self", JSON, &schema.title.zh),
            link(&format!("{own}/items"), "items", GEOJSON, "Features"),
            link(&format!("{base}/tiles/{}", schema.id), "tiles", JSON, "TileJSON"),
        ],
    });
    if let Some(bounds) = layer.envelope() {
        json["extent"] = json!({"spatial": {"bbox": [bounds.to_array()], "crs": CRS84}});
    }
    json
}

fn page_links(
    request: &HttpRequest,
    door: &Door,
    layer: &Layer,
    parameters: &Parameters,
    answer: &Page<'_>,
) -> Vec<Json> {
    let base = origin(request, door.public_url.as_deref());
    let own = format!("{base}/ogc/collections/{}", layer.schema().id);
    let address = |after: Option<&str>| {
        let kept = ["bbox", "filter", "filter-lang", "limit"]
            .into_iter()
            .filter_map(|name| Some((name, parameters.get(name)?)));
        let query: Vec<String> = kept
            .chain(after.map(|after| ("after", after)))
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        if query.is_empty() { format!("{own}/items") } else { format!("{own}/items?{}", query.join("&")) }
    };
    let mut links = vec![
        link(&address(parameters.get("after")), "self", GEOJSON, "This page"),
        link(&own, "collection", JSON, "The collection"),
    ];
    if answer.more
        && let Some(last) = answer.rows.last()
    {
        links.push(link(&address(Some(last.id().as_str())), "next", GEOJSON, "Next page"));
    }
    links
}

fn link(href: &str, rel: &str, media_type: &str, title: &str) -> Json {
    json!({"href": href, "rel": rel, "type": media_type, "title": title})
}

/// JSON is the only form so far; `f=json` says so, anything else is refused rather than ignored.
fn only_json(parameters: &Parameters) -> Result<(), Problem> {
    match parameters.get("f") {
        None | Some("json" | "geojson") => Ok(()),
        Some(other) => Err(super::request::invalid("f", other, "this form is not offered", "json")),
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters and commas.
pub(super) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
