//! Vector tiles by column and row, and TileJSON 3.0 that describes them.

use actix_web::http::header::{AcceptEncoding, Encoding, Header};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value as Json, json};

use crate::geodesy::Envelope;
use crate::http::AppState;
use crate::http::api::coverage::CoverageLayer;
use crate::http::ogc::encode;
use crate::http::ogc::items_params::filters_of;
use crate::http::params::{QueryParams, invalid, layer, origin};
use crate::http::reply::freshness::{RequestSnapshot, etag, is_known};
use crate::http::reply::problem::Problem;
use crate::model::{FieldType, View};
use crate::query::filter::Filter;
use crate::snapshot::{Layer, Row, Snapshot};
use crate::tile::cache::{ContentEncoding, TileCache, TileRequest};
use crate::tile::{self, FeatureFilter, InvalidAddress, TileAddress, TileMatrixSet};

/// Zoom beyond which viewers enlarge tiles instead of asking for more.
pub(crate) const MAX_ZOOM: u8 = 16;
/// Parameters of a tile.
pub(crate) const OF_TILE: [&str; 6] = ["v", "filter", "filter-lang", "filter-crs", "datetime", "ids"];
/// Parameters of TileJSON: those of its tiles.
pub(crate) const OF_TILEJSON: [&str; 5] = ["filter", "filter-lang", "filter-crs", "datetime", "ids"];
/// Most layers of one tile.
const MAX_LAYERS: usize = 64;

pub(crate) async fn tilejson(
    request: HttpRequest,
    state: web::Data<AppState>,
    coverage: web::Data<CoverageLayer>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let parameters = QueryParams::read(&request, &OF_TILEJSON)?;
    let current = RequestSnapshot::now(&state);
    let made;
    let layers = if *path == CoverageLayer::ID {
        made = coverage.of(&current.snapshot)?;
        vec![&*made]
    } else {
        named_layers(&current.snapshot, &path)?
    };
    Chosen::read(&parameters, &layers)?;
    let query: Vec<String> = parameters.pairs().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let base = origin(&request, state.public_url.as_deref());
    let bounds =
        layers.iter().filter_map(|layer| layer.envelope()).reduce(|a, b| a.union(&b)).unwrap_or(Envelope::WORLD);
    let min_zoom = layers.iter().map(|layer| layer.schema().min_zoom).min().unwrap_or(0);
    Ok(current.json(json!({
        "tilejson": "3.0.0",
        "name": path.as_str(),
        "scheme": "xyz",
        "tiles": [format!("{base}/tiles/{path}/{{z}}/{{x}}/{{y}}{query}")],
        "minzoom": min_zoom,
        "maxzoom": MAX_ZOOM,
        "bounds": bounds.to_array(),
        "vector_layers": layers.iter().map(|layer| describe(layer)).collect::<Vec<_>>(),
    })))
}

pub(crate) async fn tile(
    request: HttpRequest,
    state: web::Data<AppState>,
    cache: web::Data<TileCache>,
    coverage: web::Data<CoverageLayer>,
    path: web::Path<(String, String, String, String)>,
) -> Result<HttpResponse, Problem> {
    // Some callers put a version into the address to make it a new one for caches; the answer is always the newest.
    let parameters = QueryParams::read(&request, &OF_TILE)?;
    let (names, z, x, y) = path.into_inner();
    let y = y.trim_end_matches(".mvt").trim_end_matches(".pbf");
    let current = RequestSnapshot::now(&state);
    if names == CoverageLayer::ID {
        // It depends on what is far from the tile, so it is not kept by what changes in it.
        let bytes = tile::render(&[&*coverage.of(&current.snapshot)?], address(&z, &x, y)?, None);
        return Ok(loose_tile(&request, &current, bytes));
    }
    let layers = named_layers(&current.snapshot, &names)?;
    let chosen = Chosen::read(&parameters, &layers)?;
    Ok(kept_tile(&request, &state, &cache, &current, &layers, address(&z, &x, y)?, &chosen))
}

/// Which features of each layer a tile shows.
pub(crate) struct Chosen {
    /// The filters in canonical form; empty when all are shown.
    name: String,
    /// All of them hold for a feature of the layer.
    filters: Vec<Vec<Filter>>,
}

impl Chosen {
    /// # Errors
    /// When a parameter cannot be understood, or one of the layers has no such property.
    pub(crate) fn read(parameters: &QueryParams, layers: &[&Layer]) -> Result<Self, Problem> {
        let of = |layer: &&Layer| filters_of(parameters, &View::public(layer.schema()));
        let filters: Vec<Vec<Filter>> = layers.iter().map(of).collect::<Result<_, _>>()?;
        let names = filters.iter().flatten().map(Filter::canonical);
        let has_any = filters.iter().any(|filters| !filters.is_empty());
        // One layer may have a time and another none, so the number of filters is a part of the name.
        let counts: Vec<String> = filters.iter().map(|filters| filters.len().to_string()).collect();
        let name = if has_any {
            format!("{} {}", counts.join(","), names.collect::<Vec<_>>().join("\n"))
        } else {
            String::new()
        };
        Ok(Self { name, filters })
    }
}

/// A tile from those that are kept.
pub(crate) fn kept_tile(
    request: &HttpRequest,
    state: &AppState,
    cache: &TileCache,
    current: &RequestSnapshot,
    layers: &[&Layer],
    address: TileAddress,
    chosen: &Chosen,
) -> HttpResponse {
    let packing = packing(request);
    let holds = |layer: usize, row: &Row<'_>| chosen.filters[layer].iter().all(|filter| filter.matches(row));
    let choice = (!chosen.name.is_empty()).then_some(FeatureFilter { name: &chosen.name, holds: &holds });
    let tile =
        cache.get(TileRequest { head: &state.head, snapshot: &current.snapshot, layers, address, packing, choice });
    let mut response = current.respond(tile::MEDIA_TYPE);
    if tile.bytes().is_empty() {
        return response.status(StatusCode::NO_CONTENT).finish();
    }
    response.insert_header((header::ETAG, tile.tag())).insert_header((header::VARY, "Accept-Encoding"));
    if is_known(request, tile.tag()) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    match tile.packing() {
        ContentEncoding::Plain => &mut response,
        ContentEncoding::Gzip => response.insert_header(header::ContentEncoding::Gzip),
        ContentEncoding::Brotli => response.insert_header(header::ContentEncoding::Brotli),
    };
    response.body(tile.bytes().clone())
}

/// A tile that is not kept.
fn loose_tile(request: &HttpRequest, current: &RequestSnapshot, bytes: Vec<u8>) -> HttpResponse {
    let mut response = current.respond(tile::MEDIA_TYPE);
    if bytes.is_empty() {
        return response.status(StatusCode::NO_CONTENT).finish();
    }
    let tag = etag(&bytes);
    response.insert_header((header::ETAG, tag.as_str()));
    if is_known(request, &tag) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    response.body(bytes)
}

/// The packing that the caller likes best of those that tiles are kept in.
fn packing(request: &HttpRequest) -> ContentEncoding {
    let kept = [Encoding::brotli(), Encoding::gzip(), Encoding::identity()];
    let accepted = AcceptEncoding::parse(request).ok();
    match accepted.and_then(|accepted| accepted.negotiate(kept.iter())) {
        Some(Encoding::Known(header::ContentEncoding::Brotli)) => ContentEncoding::Brotli,
        Some(Encoding::Known(header::ContentEncoding::Gzip)) => ContentEncoding::Gzip,
        _ => ContentEncoding::Plain,
    }
}

/// Layers by their names joined by commas, each once.
pub(crate) fn named_layers<'a>(snapshot: &'a Snapshot, names: &str) -> Result<Vec<&'a Layer>, Problem> {
    let accepted = "layer ids joined by commas, each once, such as hazards,shelters";
    let mut layers: Vec<&Layer> = Vec::new();
    for name in names.split(',') {
        let next = layer(snapshot, "layer", name)?;
        if layers.iter().any(|layer| layer.schema().id == next.schema().id) || layers.len() == MAX_LAYERS {
            return Err(invalid("layers", names, "a layer stands more than once", accepted));
        }
        layers.push(next);
    }
    Ok(layers)
}

fn address(z: &str, x: &str, y: &str) -> Result<TileAddress, Problem> {
    let number = |name: &str, text: &str| {
        text.parse::<u32>().map_err(|_| invalid(name, text, "it is not a whole number", "a whole number"))
    };
    let (zoom, column, row) = (number("z", z)?, number("x", x)?, number("y", y)?);
    let zoom = u8::try_from(zoom).unwrap_or(u8::MAX);
    TileAddress::new(TileMatrixSet::WebMercatorQuad, zoom, column, row).map_err(|error| {
        let (what, value, accepted) = match error {
            InvalidAddress::Zoom(_) => ("z", z, format!("0..={}", TileAddress::MAX_ZOOM)),
            InvalidAddress::OutOfRange { axis: "x", max, .. } => ("x", x, format!("0..={max} at zoom {zoom}")),
            InvalidAddress::OutOfRange { max, .. } => ("y", y, format!("0..={max} at zoom {zoom}")),
        };
        Problem::NotFound { what, value: value.to_owned(), accepted }
    })
}

fn describe(layer: &Layer) -> Json {
    let schema = layer.schema();
    let mut fields = Map::from_iter([("id".to_owned(), json!("String"))]);
    for (_, field) in View::public(schema).fields().filter(|(_, field)| field.in_tiles) {
        let kind = match field.field_type {
            FieldType::Boolean => "Boolean",
            FieldType::Integer | FieldType::Real => "Number",
            FieldType::Text | FieldType::Date | FieldType::DateTime | FieldType::TextList | FieldType::Json => "String",
        };
        fields.insert(field.name.clone(), json!(kind));
    }
    json!({
        "id": schema.id,
        "description": format!("{} {}", schema.title.zh, schema.title.en),
        "minzoom": schema.min_zoom,
        "maxzoom": MAX_ZOOM,
        "fields": fields,
    })
}
