//! Features of a layer as one file that is built in memory: an Excel workbook, KML or a Shapefile.

use std::io::Cursor;

use actix_web::http::header;

use crate::exchange::point_table::write_xlsx;
use crate::exchange::{kml, shapefile_writer};
use crate::geodesy::crs::CRS84;
use crate::http::call::Call;
use crate::http::ogc::items_params::ItemsQuery;
use crate::http::params::{invalid, spec};
use crate::http::reply::Reply;
use crate::http::reply::media::{FLATGEOBUF, ITEM_FORMATS, KML, MediaType, SEQUENCE, SHAPEFILE, XLSX};
use crate::http::reply::problem::Problem;
use crate::model::{GeometryKind, LayerSchema};
use crate::query::items::{PageRequest, page};
use crate::snapshot::Layer;

/// Maximum number of features of a file.
const MAX_FEATURES: usize = 50_000;

/// Whether a format is written as one file.
pub(crate) fn is_file(format: MediaType) -> bool {
    [XLSX, KML, SHAPEFILE].contains(&format)
}

/// Whether features of a layer can be written in a format.
fn is_offered(format: MediaType, schema: &LayerSchema) -> bool {
    match format {
        XLSX => schema.geometry == GeometryKind::Point,
        SHAPEFILE => schema.geometry != GeometryKind::Any,
        _ => true,
    }
}

/// The media types in which features of a layer are offered.
pub(crate) fn formats_of(schema: &LayerSchema) -> Vec<MediaType> {
    ITEM_FORMATS.into_iter().filter(|format| is_offered(*format, schema)).collect()
}

/// All matching features up to `limit`, as one file.
///
/// # Errors
/// When the format cannot hold the geometries of the layer, or too many features match.
pub(crate) fn file(call: &Call<'_>, layer: &Layer, query: ItemsQuery<'_>, format: MediaType) -> Result<Reply, Problem> {
    let schema = layer.schema();
    if !is_offered(format, schema) {
        let accepted = [FLATGEOBUF, SEQUENCE].map(|format| format.name).join(", ");
        return Err(invalid("f", format.name, "the layer has geometries that the format cannot hold", &accepted));
    }
    if !query.crs.crs().is_crs84() {
        let given = query.parameters.get(&spec::REPLY_CRS).unwrap_or_default();
        return Err(invalid("crs", given, "the format is written in longitude, latitude only", CRS84));
    }
    let ending = if format == SHAPEFILE { "zip" } else { format.name };
    let reply = call
        .current
        .reply(format.media_type)
        .header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.{ending}\"", schema.id)));
    let reply = call.current.tagged(&call.headers, reply, &call.snapshot_tag(format.name));
    if reply.status == actix_web::http::StatusCode::NOT_MODIFIED {
        return Ok(reply);
    }
    let limit = if query.has_limit() { query.page_request.limit } else { MAX_FEATURES + 1 };
    let view = query.view;
    let rows = page(layer, &PageRequest { limit, ..query.page_request }, &call.cancel)?.rows;
    if rows.len() > MAX_FEATURES {
        let detail = format!("more than {MAX_FEATURES} features match");
        return Err(invalid("f", format.name, &detail, "csv, or fewer features by filter= or bbox="));
    }
    let mut bytes = Vec::new();
    let features = rows.iter().map(|row| row.visible(&view).to_feature());
    match format {
        XLSX => write_xlsx(&mut bytes, &call.state.catalog, &view, features),
        KML => kml::write(&mut bytes, &view, features),
        _ => shapefile_writer::convert(&view, features)
            .and_then(|parts| parts.write_archive(Cursor::new(&mut bytes), &schema.id)),
    }
    .map_err(|error| Problem::internal(&error))?;
    Ok(reply.body(bytes))
}
