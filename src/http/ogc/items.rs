//! Features of a collection: pages, downloads and one feature (OGC 17-069r4, section 7.15).

use std::io::Write;
use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value as Json;

use crate::clock;
use crate::exchange::csv::{Table, cell_text};
use crate::exchange::flatgeobuf;
use crate::exchange::geojson::{write_feature_of, write_json};
use crate::http::AppState;
use crate::http::ogc::collections::ITEM_FORMS;
use crate::http::ogc::edits::tag;
use crate::http::ogc::items_html::{feature_page, items_page};
use crate::http::ogc::items_params::{ItemsQuery, content_crs, cursor_text};
use crate::http::ogc::{base, link, own_links};
use crate::http::params::crs::RequestCrs;
use crate::http::params::{QueryParams, invalid, layer};
use crate::http::reply::freshness::{RequestSnapshot, etag, is_known};
use crate::http::reply::media::{CSV, FLATGEOBUF, GEOJSON, HTML, MediaType, SEQUENCE, negotiate};
use crate::http::reply::problem::Problem;
use crate::http::reply::range::{Asked, asked_range};
use crate::http::reply::stream::Downloads;
use crate::model::{FeatureId, Shape, View, format_instant};
use crate::query::filter::write_wkt;
use crate::query::items::{Page, PageRequest, page};
use crate::snapshot::{Row, Snapshot};

/// Parameters of one feature.
pub(crate) const ITEM: [&str; 2] = ["f", "crs"];
/// Features of a page for people, when nothing is said.
const ROWS_OF_A_PAGE: usize = 25;
/// A file of no more features is made whole, so that parts of it can be asked for.
const MAX_WHOLE: usize = 100_000;

pub(crate) async fn items(
    request: HttpRequest,
    state: web::Data<AppState>,
    downloads: web::Data<Downloads>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let current = RequestSnapshot::now(&state);
    let layer = layer(&current.snapshot, "collection", &path)?;
    let mut query = ItemsQuery::read(&request, layer.schema())?;
    let form = negotiate(&request, &query.parameters, &ITEM_FORMS)?;
    // A FlatGeobuf has a tag of its bytes, which parts of it are told by.
    let tag = current.tag(&request, form.name);
    if form != FLATGEOBUF && is_known(&request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    if [CSV, FLATGEOBUF, SEQUENCE].contains(&form) {
        return download(&request, &current, &downloads, form, query).await;
    }
    if form == HTML && !query.says_limit() {
        query.page_request.limit = ROWS_OF_A_PAGE;
    }
    let address = Address { own: format!("{}/collections/{path}/items", base(&request, &state)) };
    let answer = page(layer, &query.page_request);
    if form == HTML {
        return Ok(items_page(&state.catalog, layer, &query, &answer, &address).respond(&current));
    }
    let links = page_links(&query, &answer, &address, form);
    let mut body = br#"{"type":"FeatureCollection","features":["#.to_vec();
    for (index, row) in answer.rows.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write_row(&mut body, &query, row);
    }
    body.extend_from_slice(b"],\"numberMatched\":");
    write_json(&mut body, &answer.matched);
    body.extend_from_slice(b",\"numberReturned\":");
    write_json(&mut body, &answer.rows.len());
    body.extend_from_slice(b",\"timeStamp\":");
    write_json(&mut body, &format_instant(clock::now()));
    body.extend_from_slice(b",\"links\":");
    write_json(&mut body, &links);
    current.close_object(&mut body);
    let mut response = current.respond(GEOJSON.media_type);
    response.insert_header(content_crs(query.frame.reference())).insert_header((header::VARY, "Accept"));
    response.insert_header((header::LINK, link_header(&links))).insert_header((header::ETAG, tag));
    Ok(response.body(body))
}

pub(crate) async fn item(
    request: HttpRequest,
    state: web::Data<AppState>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let parameters = QueryParams::read(&request, &ITEM)?;
    let form = negotiate(&request, &parameters, &[GEOJSON, HTML])?;
    let frame = RequestCrs::at_address(&parameters, "crs")?;
    let (collection, feature) = path.into_inner();
    let current = RequestSnapshot::now(&state);
    let layer = layer(&current.snapshot, "collection", &collection)?;
    let missing = || Problem::NotFound { what: "feature", value: feature.clone(), accepted: String::new() };
    let row = FeatureId::new(&feature).ok().and_then(|id| layer.find(&id)).ok_or_else(missing)?;
    let base = base(&request, &state);
    if form == HTML {
        return Ok(feature_page(&state.catalog, layer, &row, &base).respond(&current));
    }
    let etag = tag(state.fingerprint_key.fingerprint(&row.to_feature()));
    if is_known(&request, &etag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish());
    }
    let own = format!("{base}/collections/{collection}");
    let mut body = Vec::new();
    let geometry = row.shape().map(|shape| frame.outward(shape.geometry()));
    let view = View::public(layer.schema());
    write_feature_of(&mut body, &view, row.id(), geometry.as_deref(), |field| row.cell(field), &[]);
    // The feature's own closing brace makes room for the links.
    body.pop();
    body.extend_from_slice(b",\"links\":");
    let mut links = own_links(&format!("{own}/items/{}", encode(row.id().as_str())), form, &[GEOJSON, HTML]);
    links.push(link(&own, "collection", "application/json", "Its collection"));
    write_json(&mut body, &links);
    current.close_object(&mut body);
    let mut response = current.respond(GEOJSON.media_type);
    response.insert_header((header::ETAG, etag)).insert_header((header::VARY, "Accept"));
    Ok(response.insert_header(content_crs(frame.reference())).body(body))
}

fn write_row(out: &mut Vec<u8>, query: &ItemsQuery<'_>, row: &Row<'_>) {
    let geometry = row.shape().filter(|_| query.with_geometry);
    let geometry = geometry.map(|shape| query.frame.outward(shape.geometry()));
    write_feature_of(out, &query.view, row.id(), geometry.as_deref(), |field| row.cell(field), &[]);
}

/// All features that match, or as many as were asked for, in one stream.
async fn download(
    request: &HttpRequest,
    current: &RequestSnapshot,
    downloads: &Downloads,
    form: MediaType,
    query: ItemsQuery<'_>,
) -> Result<HttpResponse, Problem> {
    let schema = query.view.schema();
    let id = schema.id.clone();
    if form == FLATGEOBUF && !query.frame.reference().is_crs84() {
        let given = query.parameters.get("crs").unwrap_or_default();
        let accepted = crate::geodesy::reference::CRS84;
        return Err(invalid("crs", given, "this form is written in longitude, latitude alone", accepted));
    }
    let limit = if query.says_limit() { query.page_request.limit } else { usize::MAX };
    let told = ItemsExport {
        page_request: PageRequest { limit, ..query.page_request },
        fields: query.view.fields().map(|(_, field)| field.name.clone()).collect(),
        frame: query.frame,
        with_geometry: query.with_geometry,
        layer: id.clone(),
        form,
    };
    let mut response = current.respond(if form == CSV { "text/csv; charset=utf-8" } else { form.media_type });
    let ending = if form == SEQUENCE { "geojsons" } else { form.name };
    response.insert_header((header::CONTENT_DISPOSITION, format!("inline; filename=\"{id}.{ending}\"")));
    response.insert_header((header::VARY, "Accept")).insert_header(content_crs(told.frame.reference()));
    let snapshot = current.snapshot.clone();
    let count = layer(&snapshot, "collection", &id)?.len();
    if form == FLATGEOBUF && count <= MAX_WHOLE {
        let written = web::block(move || {
            let mut bytes = Vec::new();
            told.write(&snapshot, &mut bytes).map(|()| bytes)
        });
        let broken = |error: &dyn std::fmt::Display| Problem::Ours { incident: error.to_string() };
        let bytes = written.await.map_err(|error| broken(&error))?.map_err(|error| broken(&error))?;
        return Ok(in_parts(request, response, bytes.into()));
    }
    if form != FLATGEOBUF {
        response.insert_header((header::ETAG, current.tag(request, form.name)));
    }
    Ok(response.streaming(downloads.begin(move |out| told.write(&snapshot, out))?))
}

/// A whole file, or the part of it that is asked for.
fn in_parts(request: &HttpRequest, mut response: actix_web::HttpResponseBuilder, bytes: web::Bytes) -> HttpResponse {
    // Parts of it must fit together, so the tag is strong.
    let tag = etag(&bytes).trim_start_matches("W/").to_owned();
    response.insert_header((header::ETAG, tag.as_str())).insert_header((header::ACCEPT_RANGES, "bytes"));
    // A packed part could not be put to another.
    response.insert_header(header::ContentEncoding::Identity);
    if is_known(request, &tag) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    match asked_range(request, &tag, bytes.len()) {
        Asked::Whole => response.body(bytes),
        Asked::Part(part) => {
            let place = format!("bytes {}-{}/{}", part.start, part.end - 1, bytes.len());
            response.status(StatusCode::PARTIAL_CONTENT).insert_header((header::CONTENT_RANGE, place));
            response.body(bytes.slice(part))
        }
        Asked::Nothing => {
            let place = format!("bytes */{}", bytes.len());
            response.status(StatusCode::RANGE_NOT_SATISFIABLE).insert_header((header::CONTENT_RANGE, place)).finish()
        }
    }
}

/// What a download tells.
struct ItemsExport {
    page_request: PageRequest,
    fields: Vec<String>,
    frame: RequestCrs,
    with_geometry: bool,
    layer: String,
    form: MediaType,
}

impl ItemsExport {
    fn write(&self, snapshot: &Arc<Snapshot>, out: &mut dyn Write) -> std::io::Result<()> {
        let Some(layer) = snapshot.layer(&self.layer) else { return Ok(()) };
        let names: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        let view = View::public(layer.schema()).limited_to(&names);
        let rows = page(layer, &self.page_request).rows;
        if self.form == FLATGEOBUF {
            return flatgeobuf::write(out, &view, rows.iter().map(Row::to_feature)).map(drop);
        }
        if self.form == CSV {
            return self.write_table(&view, &rows, out);
        }
        let mut line = Vec::new();
        for row in &rows {
            line.clear();
            line.push(0x1e);
            let geometry = row.shape().filter(|_| self.with_geometry).map(|shape| self.frame.outward(shape.geometry()));
            write_feature_of(&mut line, &view, row.id(), geometry.as_deref(), |field| row.cell(field), &[]);
            line.push(b'\n');
            out.write_all(&line)?;
        }
        Ok(())
    }

    fn write_table(&self, view: &View<'_>, rows: &[Row<'_>], out: &mut dyn Write) -> std::io::Result<()> {
        let mut header = vec!["id"];
        header.extend(view.fields().map(|(_, field)| field.name.as_str()));
        if self.with_geometry {
            header.push("geometry");
        }
        let mut table = Table::begin(out, &header)?;
        for row in rows {
            let mut cells = vec![row.id().as_str().to_owned()];
            cells.extend(view.fields().map(|(at, _)| cell_text(row.cell(at))));
            if self.with_geometry {
                let wkt = |shape: &Shape| write_wkt(&self.frame.outward(shape.geometry()));
                cells.push(row.shape().map(wkt).unwrap_or_default());
            }
            table.row(&cells)?;
        }
        table.end()
    }
}

/// The address of a collection's items.
pub(crate) struct Address {
    own: String,
}

impl Address {
    /// With the parameters of a question, but from another place.
    pub(crate) fn of(&self, query: &ItemsQuery<'_>, start: Option<(&str, &str)>) -> String {
        let kept = query.parameters.pairs().filter(|(name, _)| !["f", "after", "before"].contains(name));
        let query: Vec<String> =
            kept.chain(start).map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        if query.is_empty() { self.own.clone() } else { format!("{}?{}", self.own, query.join("&")) }
    }

    /// The page itself.
    pub(crate) fn of_this(&self, query: &ItemsQuery<'_>) -> String {
        let start = ["after", "before"].into_iter().find_map(|name| Some((name, query.parameters.get(name)?)));
        self.of(query, start)
    }

    /// The pages before and after.
    pub(crate) fn beside(&self, query: &ItemsQuery<'_>, answer: &Page<'_>) -> (Option<String>, Option<String>) {
        let cursor = |row: &Row<'_>| cursor_text(&query.page_request.order.cursor(row));
        let previous = answer.rows.first().filter(|_| answer.has_previous).map(cursor);
        let next = answer.rows.last().filter(|_| answer.has_next).map(cursor);
        (
            previous.map(|before| self.of(query, Some(("before", &before)))),
            next.map(|after| self.of(query, Some(("after", &after)))),
        )
    }

    /// The collection's own.
    pub(crate) fn collection(&self) -> &str {
        self.own.trim_end_matches("/items")
    }
}

fn page_links(query: &ItemsQuery<'_>, answer: &Page<'_>, address: &Address, form: MediaType) -> Vec<Json> {
    let mut links = own_links(&address.of_this(query), form, &ITEM_FORMS);
    links.push(link(address.collection(), "collection", "application/json", "The collection"));
    let (previous, next) = address.beside(query, answer);
    links.extend(previous.map(|address| link(&address, "prev", GEOJSON.media_type, "The page before")));
    links.extend(next.map(|address| link(&address, "next", GEOJSON.media_type, "The next page")));
    links
}

/// The links as a header (RFC 8288).
fn link_header(links: &[Json]) -> String {
    let text = |link: &Json, name: &str| link[name].as_str().unwrap_or_default().to_owned();
    let of = |link: &Json| {
        format!("<{}>; rel=\"{}\"; type=\"{}\"", text(link, "href"), text(link, "rel"), text(link, "type"))
    };
    links.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// Percent-encodes everything but RFC 3986's unreserved characters and commas.
pub(crate) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
