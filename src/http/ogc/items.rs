//! Features of a collection: pages, downloads and one feature (OGC 17-069r4, section 7.15).

use std::io::Write;
use std::sync::Arc;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Bytes;

use crate::clock;
use crate::exchange::csv::{CsvWriter, cell_text};
use crate::exchange::flatgeobuf;
use crate::exchange::geojson::{write_feature_of, write_json};
use crate::geodesy::crs::CRS84;
use crate::geodesy::crs_transform::CrsTransform;
use crate::http::call::Call;
use crate::http::ogc::edits::tag;
use crate::http::ogc::items_file::{file, is_file};
use crate::http::ogc::items_html::{feature_page, items_page};
use crate::http::ogc::items_links::{ItemsAddress, page_links};
use crate::http::ogc::items_params::{ItemsQuery, shown_view};
use crate::http::ogc::json_fg::{FeatureProfile, JsonFg};
use crate::http::params::auth::Caller;
use crate::http::params::crs::{content_crs_header, crs_by_uri};
use crate::http::params::{invalid, spec};
use crate::http::reply::Reply;
use crate::http::reply::etag::etag;
use crate::http::reply::geojson::CollectionWriter;
use crate::http::reply::links::{encode, link, link_header, own_links, profile_link, with_format};
use crate::http::reply::media::{CSV, CSV_UTF8, FLATGEOBUF, HTML, MediaType, SEQUENCE};
use crate::http::reply::modified::modified_at;
use crate::http::reply::problem::Problem;
use crate::http::reply::range::{RequestedRange, requested_range};
use crate::model::{FeatureId, Shape, View, format_instant};
use crate::query::cancel::CancelToken;
use crate::query::filter::write_wkt;
use crate::query::items::{PageRequest, page};
use crate::snapshot::{Layer, Row, Snapshot};

/// Default number of features in an HTML page.
const HTML_ROWS: u32 = 25;
/// Maximum number of features of a file that is built in memory, so that ranges of it can be requested.
const MAX_WHOLE: usize = 100_000;

/// `GET /ogc/collections/{collectionId}/items`.
pub(crate) fn items(call: &Call<'_>) -> Result<Reply, Problem> {
    let layer = call.collection()?;
    // The cost of an expression has a bound, but a high one.
    if call.params.get(&spec::FILTER).is_some() {
        call.leave_web_thread()?;
    }
    let mut query = ItemsQuery::read(call, layer.schema())?;
    let format = call.media_type()?;
    if [CSV, FLATGEOBUF, SEQUENCE].contains(&format) {
        FeatureProfile::read(call, format)?;
        call.leave_web_thread()?;
        return download(call, layer, format, query);
    }
    if is_file(format) {
        FeatureProfile::read(call, format)?;
        call.leave_web_thread()?;
        return file(call, layer, query, format);
    }
    let tag = call.snapshot_tag(format.name);
    if format == HTML && !query.has_limit() {
        query.page_request.limit = HTML_ROWS as usize;
    }
    let profile = FeatureProfile::read(call, format)?;
    let address = ItemsAddress { own: format!("{}/collections/{}/items", call.ogc_base(), layer.schema().id) };
    if format == HTML {
        let page = page(layer, &query.page_request, &call.cancel)?;
        return Ok(items_page(&call.state.catalog, layer, &query, &page, &address).reply(&call.current));
    }
    let reply = call
        .current
        .reply(format.media_type)
        .header(content_crs_header(&query.crs))
        .header((header::ETAG, tag.as_str()));
    if call.knows(&tag) {
        return Ok(reply.not_modified());
    }
    let page = page(layer, &query.page_request, &call.cancel)?;
    let mut links = page_links(&query, &page, &address, format);
    links.push(profile_link(profile.id()));
    let json_fg = JsonFg::of(call, layer, profile);
    let members = json_fg.as_ref().map(|own| own.collection_members(&query.crs)).unwrap_or_default();
    let mut body = CollectionWriter::with_members(&members);
    for row in &page.rows {
        call.cancel.check()?;
        body.feature(|out| match &json_fg {
            Some(own) => own.write(out, &query.view, row, &query.crs, query.with_geometry),
            None => write_row(out, &query, row),
        });
    }
    let body = body
        .end_features()
        .member("numberMatched", &page.matched)
        .member("numberReturned", &page.rows.len())
        .member("timeStamp", &format_instant(clock::now()))
        .member("links", &links)
        .close(&call.current);
    Ok(reply.header((header::LINK, link_header(&links))).body(body))
}

/// `GET /ogc/collections/{collectionId}/items/{featureId}`.
pub(crate) fn item(call: &Call<'_>) -> Result<Reply, Problem> {
    let format = call.media_type()?;
    let profile = FeatureProfile::read(call, format)?;
    let crs = crs_by_uri(&call.params, &spec::REPLY_CRS)?;
    let layer = call.collection()?;
    let id = call.segment("featureId");
    let missing = || Problem::NotFound { what: "feature", value: id.to_owned(), accepted: String::new() };
    let row = FeatureId::new(id).ok().and_then(|id| layer.find(&id)).ok_or_else(missing)?;
    let base = call.ogc_base();
    if format == HTML {
        return Ok(feature_page(&call.state.catalog, &call.caller.view(layer.schema()), layer, &row, &base)
            .reply(&call.current));
    }
    let state = row.fingerprint(layer.schema(), &call.state.fingerprint_key);
    let etag = tag(state);
    let mut reply =
        call.current.reply(format.media_type).header((header::ETAG, etag.as_str())).header(content_crs_header(&crs));
    let modified = modified_at(&call.caller.view(layer.schema()), &row);
    if let Some(modified) = modified {
        let feature = (layer.schema(), row.id().as_str());
        let date = call.audience.announced_dates.last_modified(feature, state, modified, call.current.confirmed());
        reply.set_header((header::LAST_MODIFIED, date));
    }
    if call.knows(&etag) || call.knows_since(modified) {
        return Ok(reply.not_modified());
    }
    let own = format!("{base}/collections/{}", layer.schema().id);
    let mut body = Vec::new();
    let view = shown_view(&call.params, call.caller.view(layer.schema()))?;
    if let Some(json_fg) = JsonFg::of(call, layer, profile) {
        json_fg.write_root(&mut body, &view, &row, &crs);
    } else {
        let geometry = row.shape().and_then(|shape| crs.from_lon_lat(shape.geometry()));
        write_feature_of(&mut body, &view, row.id(), geometry.as_deref(), |field| row.visible(&view).value(field), &[]);
    }
    // Removes the closing brace of the feature, to append the links.
    body.pop();
    body.extend_from_slice(b",\"links\":");
    let mut links = own_links(&format!("{own}/items/{}", encode(row.id().as_str())), format, call.formats);
    links.push(link(&own, "collection", "application/json", "The collection"));
    links.push(profile_link(profile.id()));
    write_json(&mut body, &links);
    call.current.close_object(&mut body);
    Ok(reply.header((header::LINK, link_header(&links))).body(body))
}

fn write_row(out: &mut Vec<u8>, query: &ItemsQuery<'_>, row: &Row<'_>) {
    let geometry = row.shape().filter(|_| query.with_geometry);
    let geometry = geometry.and_then(|shape| query.crs.from_lon_lat(shape.geometry()));
    write_feature_of(
        out,
        &query.view,
        row.id(),
        geometry.as_deref(),
        |field| row.visible(&query.view).value(field),
        &[],
    );
}

/// All matching features up to `limit`, as one stream.
fn download(call: &Call<'_>, layer: &Layer, format: MediaType, query: ItemsQuery<'_>) -> Result<Reply, Problem> {
    let id = &layer.schema().id;
    if format == FLATGEOBUF && !query.crs.crs().is_crs84() {
        let given = query.parameters.get(&spec::REPLY_CRS).unwrap_or_default();
        return Err(invalid("crs", given, "FlatGeobuf is written in longitude, latitude only", CRS84));
    }
    let links = if query.has_limit() {
        let address = ItemsAddress { own: format!("{}/collections/{id}/items", call.ogc_base()) };
        let page = page(layer, &query.page_request, &call.cancel)?;
        let (previous, next) = address.beside(&query, &page);
        let to = |url: Option<String>, rel: &str, title: &str| {
            url.map(|url| link(&with_format(&url, format.name), rel, format.media_type, title))
        };
        to(previous, "prev", "The previous page").into_iter().chain(to(next, "next", "The next page")).collect()
    } else {
        Vec::new()
    };
    let limit = if query.has_limit() { query.page_request.limit } else { usize::MAX };
    let export = ItemsExport {
        page_request: PageRequest { limit, ..query.page_request },
        fields: query.view.fields().map(|(_, field)| field.name.clone()).collect(),
        crs: query.crs,
        with_geometry: query.with_geometry,
        layer: id.clone(),
        caller: call.caller.clone(),
        format,
    };
    let ending = if format == SEQUENCE { "geojsons" } else { format.name };
    let reply = call
        .current
        .reply(if format == CSV { CSV_UTF8 } else { format.media_type })
        .header((header::CONTENT_DISPOSITION, format!("inline; filename=\"{id}.{ending}\"")))
        .header(content_crs_header(&export.crs));
    let reply = if links.is_empty() { reply } else { reply.header((header::LINK, link_header(&links))) };
    let snapshot = call.current.snapshot.clone();
    if format == FLATGEOBUF && layer.len() <= MAX_WHOLE {
        let mut bytes = Vec::new();
        export.write(&snapshot, &mut bytes).map_err(|error| Problem::internal(&error))?;
        return Ok(in_parts(call, reply, bytes.into()));
    }
    let reply = if format == FLATGEOBUF {
        reply
    } else {
        call.current.tagged(&call.headers, reply, &call.snapshot_tag(format.name))
    };
    if reply.status == StatusCode::NOT_MODIFIED {
        return Ok(reply);
    }
    Ok(reply
        .stream(call.state.downloads.begin(call.limited_caller().as_ref(), move |out| export.write(&snapshot, out))?))
}

/// A whole file, or the requested range of it.
fn in_parts(call: &Call<'_>, reply: Reply, bytes: Bytes) -> Reply {
    // Ranges must be from identical files, so the tag is strong.
    let tag = etag(&bytes).trim_start_matches("W/").to_owned();
    let reply = reply
        .header((header::ETAG, tag.as_str()))
        .header((header::ACCEPT_RANGES, "bytes"))
        // Ranges of compressed content could not be combined.
        .header((header::CACHE_CONTROL, "no-cache, no-transform"));
    if call.knows(&tag) {
        return reply.not_modified();
    }
    let range = if call.method == Method::GET {
        requested_range(&call.headers, &tag, bytes.len())
    } else {
        RequestedRange::Whole
    };
    match range {
        RequestedRange::Whole => reply.body(bytes),
        RequestedRange::Part(part) => {
            let place = format!("bytes {}-{}/{}", part.start, part.end - 1, bytes.len());
            reply.status(StatusCode::PARTIAL_CONTENT).header((header::CONTENT_RANGE, place)).body(bytes.slice(part))
        }
        RequestedRange::Unsatisfiable => {
            let place = format!("bytes */{}", bytes.len());
            reply.status(StatusCode::RANGE_NOT_SATISFIABLE).header((header::CONTENT_RANGE, place))
        }
    }
}

/// The features of a download, and their format.
struct ItemsExport {
    page_request: PageRequest,
    fields: Vec<String>,
    crs: CrsTransform,
    with_geometry: bool,
    layer: String,
    caller: Caller,
    format: MediaType,
}

impl ItemsExport {
    fn write(&self, snapshot: &Arc<Snapshot>, out: &mut dyn Write) -> std::io::Result<()> {
        let Some(layer) = snapshot.layer(&self.layer) else { return Ok(()) };
        let names: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        let view = self.caller.view(layer.schema()).limited_to(&names);
        // The reply has started; if the client disconnects, the next write fails and ends the stream.
        let rows = page(layer, &self.page_request, &CancelToken::new()).map_err(std::io::Error::other)?.rows;
        if self.format == FLATGEOBUF {
            return flatgeobuf::write(out, &view, rows.iter().map(|row| row.visible(&view).to_feature())).map(drop);
        }
        if self.format == CSV {
            return self.write_table(&view, &rows, out);
        }
        let mut line = Vec::new();
        for row in &rows {
            line.clear();
            line.push(0x1e);
            let shape = row.shape().filter(|_| self.with_geometry);
            let geometry = shape.and_then(|shape| self.crs.from_lon_lat(shape.geometry()));
            write_feature_of(
                &mut line,
                &view,
                row.id(),
                geometry.as_deref(),
                |field| row.visible(&view).value(field),
                &[],
            );
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
        let mut table = CsvWriter::begin(out, &header)?;
        for row in rows {
            let mut cells = vec![row.id().as_str().to_owned()];
            cells.extend(row.visible(view).values().map(|(_, value)| cell_text(value)));
            if self.with_geometry {
                let wkt = |shape: &Shape| Some(write_wkt(&*self.crs.from_lon_lat(shape.geometry())?));
                cells.push(row.shape().and_then(wkt).unwrap_or_default());
            }
            table.row(&cells)?;
        }
        table.end()
    }
}
