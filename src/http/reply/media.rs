//! Media types of replies, and content negotiation: the parameter `f`, otherwise the Accept header.

use actix_web::http::header::{self, HeaderMap, Quality, QualityItem, from_comma_delimited};
use actix_web::mime::Mime;

use crate::http::params::invalid;
use crate::http::reply::problem::Problem;
use crate::tile::TileFormat;

/// A media type of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "`type` is a keyword, and the standards use the term media type")]
pub(crate) struct MediaType {
    /// Its name in `f`.
    pub(crate) name: &'static str,
    /// Its media type, without parameters.
    pub(crate) media_type: &'static str,
    /// Its title for display.
    pub(crate) title: &'static str,
}

pub(crate) const JSON: MediaType = MediaType { name: "json", media_type: "application/json", title: "JSON" };
pub(crate) const GEOJSON: MediaType = MediaType { name: "json", media_type: "application/geo+json", title: "GeoJSON" };
pub(crate) const SCHEMA: MediaType =
    MediaType { name: "json", media_type: "application/schema+json", title: "JSON Schema" };
pub(crate) const HTML: MediaType = MediaType { name: "html", media_type: "text/html", title: "HTML" };
pub(crate) const CSV: MediaType = MediaType { name: "csv", media_type: "text/csv", title: "CSV" };
/// ISO/IEC 29500.
pub(crate) const XLSX: MediaType = MediaType {
    name: "xlsx",
    media_type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    title: "Excel",
};
/// OGC 12-007.
pub(crate) const KML: MediaType =
    MediaType { name: "kml", media_type: "application/vnd.google-earth.kml+xml", title: "KML" };
/// In a ZIP archive.
pub(crate) const SHAPEFILE: MediaType = MediaType { name: "shp", media_type: "application/zip", title: "Shapefile" };
pub(crate) const FLATGEOBUF: MediaType =
    MediaType { name: "fgb", media_type: "application/vnd.flatgeobuf", title: "FlatGeobuf" };
/// The media type of drafts of JSON-FG, by which it can be negotiated; the standard itself has GeoJSON's and a profile.
pub(crate) const JSON_FG: MediaType =
    MediaType { name: "jsonfg", media_type: "application/vnd.ogc.fg+json", title: "JSON-FG" };
/// RFC 8142.
pub(crate) const SEQUENCE: MediaType =
    MediaType { name: "geojsonseq", media_type: "application/geo+json-seq", title: "GeoJSON text sequence" };

/// CSV with its encoding, for spreadsheets.
pub(crate) const CSV_UTF8: &str = "text/csv; charset=utf-8";
/// HTML with its encoding.
pub(crate) const HTML_UTF8: &str = "text/html; charset=utf-8";
/// Media types of features, in the order in which they are offered.
pub(crate) const ITEM_FORMATS: [MediaType; 9] =
    [GEOJSON, HTML, CSV, XLSX, FLATGEOBUF, SEQUENCE, JSON_FG, KML, SHAPEFILE];
/// Media types of one feature.
pub(crate) const FEATURE_FORMATS: [MediaType; 3] = [GEOJSON, HTML, JSON_FG];

/// GeoJSON in endpoints where its value of `f` is `geojson`.
pub(crate) const GEOJSON_NAMED: MediaType = MediaType { name: "geojson", ..GEOJSON };
pub(crate) const NDJSON: MediaType =
    MediaType { name: "ndjson", media_type: "application/x-ndjson", title: "Newline-delimited JSON" };
pub(crate) const MAPBOX_STYLE: MediaType =
    MediaType { name: "mapbox", media_type: "application/vnd.mapbox.style+json", title: "MapLibre style" };
/// Media types of tiles; the first one is the default.
pub(crate) const TILE_FORMATS: [MediaType; TileFormat::ALL.len()] =
    [tile_format(TileFormat::Mvt, "Mapbox Vector Tile"), tile_format(TileFormat::Mlt, "MapLibre Tile")];

const fn tile_format(format: TileFormat, title: &'static str) -> MediaType {
    MediaType { name: format.name(), media_type: format.media_type(), title }
}

/// The media type of the reply; the first one offered if the client has no preference. `named` is the value of `f`,
/// which takes precedence over the Accept header.
///
/// # Errors
/// When `f` names a media type that is not offered, or the header accepts none of them.
pub(crate) fn negotiate(headers: &HeaderMap, named: Option<&str>, offered: &[MediaType]) -> Result<MediaType, Problem> {
    if let Some(name) = named {
        let found = offered.iter().find(|form| form.name == name || form.media_type == name);
        return found.copied().ok_or_else(|| {
            let accepted = offered.iter().map(|form| form.name).collect::<Vec<_>>().join(", ");
            invalid("f", name, "this media type is not offered", &accepted)
        });
    }
    let ranges: Vec<QualityItem<Mime>> = from_comma_delimited(headers.get_all(header::ACCEPT)).unwrap_or_default();
    if ranges.is_empty() {
        return offered.first().copied().ok_or(Problem::NotAcceptable { given: String::new(), offered: String::new() });
    }
    // The most specific range decides the quality of a type (RFC 9110, section 12.5.1); among equals, the first is
    // chosen.
    let quality = |form: &MediaType| {
        let fitting = ranges.iter().filter(|range| is_of(form.media_type, range.item.essence_str()));
        fitting.max_by_key(|range| specificity(range.item.essence_str())).map_or(Quality::ZERO, |range| range.quality)
    };
    let mut chosen: Option<(Quality, MediaType)> = None;
    for form in offered {
        let own = quality(form);
        if own > chosen.map_or(Quality::ZERO, |(best, _)| best) {
            chosen = Some((own, *form));
        }
    }
    chosen.map(|(_, form)| form).ok_or_else(|| {
        let given = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let offered: Vec<&str> = offered.iter().map(|form| form.media_type).collect();
        Problem::NotAcceptable { given: given.chars().take(200).collect(), offered: offered.join(", ") }
    })
}

/// 0 for any type, 1 for any subtype, 2 for one type.
fn specificity(range: &str) -> u8 {
    match range.split_once('/') {
        Some(("*", _)) => 0,
        Some((_, "*")) => 1,
        _ => 2,
    }
}

/// Whether a media type is within a range of the Accept header. `application/json` includes types that end in +json.
fn is_of(own: &str, range: &str) -> bool {
    match range.split_once('/') {
        Some(("*", _)) => true,
        Some((kind, "*")) => own.split('/').next() == Some(kind),
        _ => own == range || (range == "application/json" && own.ends_with("+json")),
    }
}
