//! Features of a collection: pages, downloads and one feature (OGC 17-069r4, section 7.15).

use std::io::Write;
use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value as Json;

use super::ask::{Question, content_crs, cursor_text};
use super::collections::ITEM_FORMS;
use super::items_page::{feature_page, items_page};
use super::{Downloads, base, link, own_links};
use crate::clock;
use crate::exchange::flatgeobuf;
use crate::exchange::geojson::{write_feature_of, write_json};
use crate::exchange::table::{Table, cell_text};
use crate::http::Door;
use crate::http::answer::{Moment, etag, is_known};
use crate::http::edits::tag;
use crate::http::form::{CSV, FLATGEOBUF, Form, GEOJSON, HTML, SEQUENCE, negotiate};
use crate::http::frame::Frame;
use crate::http::problem::Problem;
use crate::http::range::{Asked, asked_range};
use crate::http::request::{Parameters, invalid, layer};
use crate::model::{FeatureId, Shape, View, format_instant};
use crate::query::filter::write_wkt;
use crate::query::items::{Ask, Page, page};
use crate::snapshot::{Row, Snapshot};

/// Parameters of one feature.
pub(in crate::http) const ITEM: [&str; 2] = ["f", "crs"];
/// Features of a page for people, when nothing is said.
const ROWS_OF_A_PAGE: usize = 25;
/// A file of no more features is made whole, so that parts of it can be asked for.
const MAX_WHOLE: usize = 100_000;

pub(in crate::http) async fn items(
    request: HttpRequest,
    door: web::Data<Door>,
    downloads: web::Data<Downloads>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let moment = Moment::now(&door);
    let layer = layer(&moment.snapshot, "collection", &path)?;
    let mut question = Question::read(&request, layer.schema())?;
    let form = negotiate(&request, &question.parameters, &ITEM_FORMS)?;
    // A FlatGeobuf has a tag of its bytes, which parts of it are told by.
    let tag = moment.tag(&request, form.name);
    if form != FLATGEOBUF && is_known(&request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    if [CSV, FLATGEOBUF, SEQUENCE].contains(&form) {
        return download(&request, &moment, &downloads, form, question).await;
    }
    if form == HTML && !question.says_limit() {
        question.ask.limit = ROWS_OF_A_PAGE;
    }
    let address = Address { own: format!("{}/collections/{path}/items", base(&request, &door)) };
    let answer = page(layer, &question.ask);
    if form == HTML {
        return Ok(items_page(&door.catalog, layer, &question, &answer, &address).respond(&moment));
    }
    let links = page_links(&question, &answer, &address, form);
    let mut body = br#"{"type":"FeatureCollection","features":["#.to_vec();
    for (index, row) in answer.rows.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write_row(&mut body, &question, row);
    }
    body.extend_from_slice(b"],\"numberMatched\":");
    write_json(&mut body, &answer.matched);
    body.extend_from_slice(b",\"numberReturned\":");
    write_json(&mut body, &answer.rows.len());
    body.extend_from_slice(b",\"timeStamp\":");
    write_json(&mut body, &format_instant(clock::now()));
    body.extend_from_slice(b",\"links\":");
    write_json(&mut body, &links);
    moment.close_object(&mut body);
    let mut response = moment.respond(GEOJSON.media_type);
    response.insert_header(content_crs(question.frame.reference())).insert_header((header::VARY, "Accept"));
    response.insert_header((header::LINK, link_header(&links))).insert_header((header::ETAG, tag));
    Ok(response.body(body))
}

pub(in crate::http) async fn item(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let parameters = Parameters::read(&request, &ITEM)?;
    let form = negotiate(&request, &parameters, &[GEOJSON, HTML])?;
    let frame = Frame::at_address(&parameters, "crs")?;
    let (collection, feature) = path.into_inner();
    let moment = Moment::now(&door);
    let layer = layer(&moment.snapshot, "collection", &collection)?;
    let missing = || Problem::NotFound { what: "feature", value: feature.clone(), accepted: String::new() };
    let row = FeatureId::new(&feature).ok().and_then(|id| layer.find(&id)).ok_or_else(missing)?;
    let base = base(&request, &door);
    if form == HTML {
        return Ok(feature_page(&door.catalog, layer, &row, &base).respond(&moment));
    }
    let etag = tag(door.seal.fingerprint(&row.to_feature()));
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
    moment.close_object(&mut body);
    let mut response = moment.respond(GEOJSON.media_type);
    response.insert_header((header::ETAG, etag)).insert_header((header::VARY, "Accept"));
    Ok(response.insert_header(content_crs(frame.reference())).body(body))
}

fn write_row(out: &mut Vec<u8>, question: &Question<'_>, row: &Row<'_>) {
    let geometry = row.shape().filter(|_| question.with_geometry);
    let geometry = geometry.map(|shape| question.frame.outward(shape.geometry()));
    write_feature_of(out, &question.view, row.id(), geometry.as_deref(), |field| row.cell(field), &[]);
}

/// All features that match, or as many as were asked for, in one stream.
async fn download(
    request: &HttpRequest,
    moment: &Moment,
    downloads: &Downloads,
    form: Form,
    question: Question<'_>,
) -> Result<HttpResponse, Problem> {
    let schema = question.view.schema();
    let id = schema.id.clone();
    if form == FLATGEOBUF && !question.frame.reference().is_crs84() {
        let given = question.parameters.get("crs").unwrap_or_default();
        let accepted = crate::geodesy::reference::CRS84;
        return Err(invalid("crs", given, "this form is written in longitude, latitude alone", accepted));
    }
    let limit = if question.says_limit() { question.ask.limit } else { usize::MAX };
    let told = Told {
        ask: Ask { limit, ..question.ask },
        fields: question.view.fields().map(|(_, field)| field.name.clone()).collect(),
        frame: question.frame,
        with_geometry: question.with_geometry,
        layer: id.clone(),
        form,
    };
    let mut response = moment.respond(if form == CSV { "text/csv; charset=utf-8" } else { form.media_type });
    let ending = if form == SEQUENCE { "geojsons" } else { form.name };
    response.insert_header((header::CONTENT_DISPOSITION, format!("inline; filename=\"{id}.{ending}\"")));
    response.insert_header((header::VARY, "Accept")).insert_header(content_crs(told.frame.reference()));
    let snapshot = moment.snapshot.clone();
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
        response.insert_header((header::ETAG, moment.tag(request, form.name)));
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
struct Told {
    ask: Ask,
    fields: Vec<String>,
    frame: Frame,
    with_geometry: bool,
    layer: String,
    form: Form,
}

impl Told {
    fn write(&self, snapshot: &Arc<Snapshot>, out: &mut dyn Write) -> std::io::Result<()> {
        let Some(layer) = snapshot.layer(&self.layer) else { return Ok(()) };
        let names: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        let view = View::public(layer.schema()).limited_to(&names);
        let rows = page(layer, &self.ask).rows;
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
pub(super) struct Address {
    own: String,
}

impl Address {
    /// With the parameters of a question, but from another place.
    pub(super) fn of(&self, question: &Question<'_>, start: Option<(&str, &str)>) -> String {
        let kept = question.parameters.pairs().filter(|(name, _)| !["f", "after", "before"].contains(name));
        let query: Vec<String> =
            kept.chain(start).map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        if query.is_empty() { self.own.clone() } else { format!("{}?{}", self.own, query.join("&")) }
    }

    /// The page itself.
    pub(super) fn of_this(&self, question: &Question<'_>) -> String {
        let start = ["after", "before"].into_iter().find_map(|name| Some((name, question.parameters.get(name)?)));
        self.of(question, start)
    }

    /// The pages before and after.
    pub(super) fn beside(&self, question: &Question<'_>, answer: &Page<'_>) -> (Option<String>, Option<String>) {
        let cursor = |row: &Row<'_>| cursor_text(&question.ask.order.cursor(row));
        let previous = answer.rows.first().filter(|_| answer.has_previous).map(cursor);
        let next = answer.rows.last().filter(|_| answer.has_next).map(cursor);
        (
            previous.map(|before| self.of(question, Some(("before", &before)))),
            next.map(|after| self.of(question, Some(("after", &after)))),
        )
    }

    /// The collection's own.
    pub(super) fn collection(&self) -> &str {
        self.own.trim_end_matches("/items")
    }
}

fn page_links(question: &Question<'_>, answer: &Page<'_>, address: &Address, form: Form) -> Vec<Json> {
    let mut links = own_links(&address.of_this(question), form, &ITEM_FORMS);
    links.push(link(address.collection(), "collection", "application/json", "The collection"));
    let (previous, next) = address.beside(question, answer);
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
pub(in crate::http) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
