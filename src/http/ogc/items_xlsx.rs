//! Features of a layer of points as an Excel workbook.

use actix_web::http::header;

use crate::exchange::point_table::write_xlsx;
use crate::geodesy::crs::CRS84;
use crate::http::call::Call;
use crate::http::ogc::items_params::ItemsQuery;
use crate::http::params::{invalid, spec};
use crate::http::reply::Reply;
use crate::http::reply::etag::tagged;
use crate::http::reply::media::{FLATGEOBUF, ITEM_FORMATS, MediaType, SEQUENCE, XLSX};
use crate::http::reply::problem::Problem;
use crate::model::{GeometryKind, LayerSchema};
use crate::query::items::{PageRequest, page};
use crate::snapshot::Layer;

/// Maximum number of features of a workbook, which is built in memory.
const MAX_ROWS: usize = 50_000;

/// The media types in which features of a layer are offered.
pub(crate) fn formats_of(schema: &LayerSchema) -> Vec<MediaType> {
    let is_offered = |format: &MediaType| *format != XLSX || schema.geometry == GeometryKind::Point;
    ITEM_FORMATS.into_iter().filter(is_offered).collect()
}

/// All matching features up to `limit`, as one sheet.
///
/// # Errors
/// When the layer has other geometries than points, or too many features match.
pub(crate) fn workbook(call: &Call<'_>, layer: &Layer, query: ItemsQuery<'_>) -> Result<Reply, Problem> {
    let schema = layer.schema();
    if schema.geometry != GeometryKind::Point {
        let accepted = [FLATGEOBUF, SEQUENCE].map(|format| format.name).join(", ");
        return Err(invalid("f", XLSX.name, "the layer has other geometries than points", &accepted));
    }
    if !query.crs.crs().is_crs84() {
        let given = query.parameters.get(&spec::REPLY_CRS).unwrap_or_default();
        return Err(invalid("crs", given, "a workbook is written in longitude, latitude only", CRS84));
    }
    let reply = call
        .current
        .reply(XLSX.media_type)
        .header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.xlsx\"", schema.id)));
    let reply = tagged(call, reply, &call.snapshot_tag(XLSX.name));
    if reply.status == actix_web::http::StatusCode::NOT_MODIFIED {
        return Ok(reply);
    }
    let limit = if query.has_limit() { query.page_request.limit } else { MAX_ROWS + 1 };
    let view = query.view;
    let rows = page(layer, &PageRequest { limit, ..query.page_request }, &call.cancel)?.rows;
    if rows.len() > MAX_ROWS {
        let detail = format!("more than {MAX_ROWS} features match");
        return Err(invalid("f", XLSX.name, &detail, "csv, or fewer features by filter= or bbox="));
    }
    let mut bytes = Vec::new();
    let features = rows.iter().map(|row| row.visible(&view).to_feature());
    write_xlsx(&mut bytes, &call.state.catalog, &view, features).map_err(|error| Problem::internal(&error))?;
    Ok(reply.body(bytes))
}
