//! Vector tiles by column and row, and their TileJSON 3.0.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, Encoding, HeaderMap};
use actix_web::web::Bytes;
use serde_json::json;

use crate::geodesy::Envelope;
use crate::geodesy::plane::Datum;
use crate::http::api::coverage::{LAYER_ID as COVERAGE_ID, coverage_layer};
use crate::http::call::Call;
use crate::http::ogc::items_params::filters_of;
use crate::http::params::{invalid, layer, spec};
use crate::http::reply::Reply;
use crate::http::reply::encoding::{coding, preferred};
use crate::http::reply::etag::etag;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::links::encode;
use crate::http::reply::media::MediaType;
use crate::http::reply::problem::Problem;
use crate::model::{GeometryKind, LayerSchema};
use crate::query::filter::Filter;
use crate::snapshot::{Layer, Row, Snapshot};
use crate::tile::cache::{CachedTile, TileRequest};
use crate::tile::risk_grid::{self, FINEST_ZOOM, LAST_ZOOM as RISK_GRID_LAST_ZOOM, RISK_GRID};
use crate::tile::vector_layer::{MAX_ZOOM, vector_layers};
use crate::tile::{
    self, Drawing, FeatureFilter, InvalidAddress, LABELS, Labels, TileAddress, TileFormat, TileMatrixSet,
};

/// Header with the number of features of each layer omitted from a tile over its size budget.
const OMITTED: &str = "x-onemap-omitted";
/// Upper bound of the distance between GCJ-02 and WGS 84, metres.
const MAX_DATUM_SHIFT_M: f64 = 2_000.0;
/// Maximum number of layers in one tile.
pub(crate) const MAX_LAYERS: usize = 64;

/// `GET /tiles/{layers}`.
pub(crate) fn tilejson(call: &Call<'_>) -> Result<Reply, Problem> {
    let path = call.segment("layers");
    let drawn = Drawn::named(call, path)?;
    let (layers, drawing) = (drawn.layers(), drawn.drawing());
    let (layers, _) = Chosen::read(call, layers, drawing)?;
    let query: Vec<String> = call.params.pairs().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let bounds =
        layers.iter().filter_map(|layer| layer.envelope()).reduce(|a, b| a.union(&b)).unwrap_or(Envelope::WORLD);
    // A viewer requests no tile outside the bounds.
    let bounds = if datum(call)? == Datum::Wgs84 { bounds } else { bounds.padded(MAX_DATUM_SHIFT_M) };
    let format = call.params.choice(&spec::TILE_FORMAT)?;
    let (min_zoom, max_zoom) = match drawing {
        Drawing::RiskGrid => (0, FINEST_ZOOM),
        Drawing::Features(_) => (layers.iter().map(|layer| layer.schema().min_zoom).min().unwrap_or(0), MAX_ZOOM),
    };
    let schemas: Vec<&LayerSchema> = layers.iter().map(|layer| layer.schema()).collect();
    Ok(call.current.json(json!({
        "tilejson": "3.0.0",
        "name": path,
        "description": format!("A tile over its size budget omits the least important features; {OMITTED} counts them by layer"),
        "scheme": "xyz",
        "encoding": format,
        "tiles": [format!("{}/tiles/{path}/{{z}}/{{x}}/{{y}}{query}", call.base_url())],
        "minzoom": min_zoom,
        "maxzoom": max_zoom,
        "bounds": bounds.to_array(),
        "vector_layers": vector_layers(&schemas, drawing),
    })))
}

/// A tile from the cache, on the web thread; `None` if it is not cached.
pub(crate) fn kept(call: &Call<'_>) -> Result<Option<Reply>, Problem> {
    let path = call.segment("layers");
    if path == COVERAGE_ID {
        return Ok(None);
    }
    let (layers, drawing) = stored(call, path)?;
    Ok(kept_tile(call, &xyz_content(call, layers, drawing)?))
}

/// `GET /tiles/{layers}/{z}/{x}/{y}`.
pub(crate) fn tile(call: &Call<'_>) -> Result<Reply, Problem> {
    match Drawn::named(call, call.segment("layers"))? {
        Drawn::Stored(layers, drawing) => finished_tile(call, &xyz_content(call, layers, drawing)?),
        Drawn::Coverage(layer) => {
            // A derived layer depends on features far from the tile, so the cache, which checks changes within the
            // tile, is not used.
            let TileContents { drawing, address, format, chosen, .. } = xyz_content(call, vec![&layer], FEATURES)?;
            let holds = |at: usize, row: &Row<'_>| chosen.holds(at, row);
            let filter = (!chosen.name.is_empty()).then_some(FeatureFilter { name: &chosen.name, holds: &holds });
            let rendered = tile::render(&[&layer], drawing, address, format, filter, usize::MAX);
            let bytes = rendered.map_err(|error| Problem::internal(&error))?.bytes;
            let tag = etag(&bytes);
            let reply = call.current.tagged(&call.headers, call.current.reply(format.media_type()), &tag);
            Ok(if bytes.is_empty() { reply.status(StatusCode::NO_CONTENT) } else { with_body(reply, bytes.into()) })
        }
    }
}

const FEATURES: Drawing = Drawing::Features(Labels::None);
/// Content encodings of tiles, the smallest first: a tile is compressed once and sent many times.
const TILE_ENCODINGS: [Encoding; 4] = [
    Encoding::Known(header::ContentEncoding::Brotli),
    Encoding::Known(header::ContentEncoding::Zstd),
    Encoding::Known(header::ContentEncoding::Gzip),
    Encoding::Known(header::ContentEncoding::Identity),
];

/// The content and the form of a tile.
pub(crate) struct TileContents<'a> {
    pub(crate) layers: Vec<&'a Layer>,
    pub(crate) drawing: Drawing,
    pub(crate) address: TileAddress,
    pub(crate) format: TileFormat,
    pub(crate) chosen: Chosen,
}

fn xyz_content<'a>(call: &Call<'_>, layers: Vec<&'a Layer>, drawing: Drawing) -> Result<TileContents<'a>, Problem> {
    let (layers, chosen) = Chosen::read(call, layers, drawing)?;
    let (address, format) = (xyz_address(call)?, xyz_format(call)?);
    if drawing == Drawing::RiskGrid && address.zoom() > RISK_GRID_LAST_ZOOM {
        let value = address.zoom().to_string();
        return Err(Problem::NotFound { what: "z", value, accepted: format!("0..={RISK_GRID_LAST_ZOOM}") });
    }
    Ok(TileContents { layers, drawing, address, format, chosen })
}

/// What a path of tiles names.
enum Drawn<'a> {
    /// Layers of the snapshot, and what is drawn of them.
    Stored(Vec<&'a Layer>, Drawing),
    /// The coverage, which is computed from others.
    Coverage(Arc<Layer>),
}

impl<'a> Drawn<'a> {
    fn named(call: &'a Call<'_>, path: &str) -> Result<Self, Problem> {
        if path == COVERAGE_ID {
            return coverage_layer(call).map(Self::Coverage);
        }
        let (layers, drawing) = stored(call, path)?;
        Ok(Self::Stored(layers, drawing))
    }

    fn layers(&self) -> Vec<&Layer> {
        match self {
            Self::Stored(layers, _) => layers.clone(),
            Self::Coverage(layer) => vec![layer],
        }
    }

    fn drawing(&self) -> Drawing {
        match self {
            Self::Stored(_, drawing) => *drawing,
            Self::Coverage(_) => FEATURES,
        }
    }
}

/// The layers for a path, and what is drawn of them. A stored layer takes precedence over the risk surface.
fn stored<'a>(call: &'a Call<'_>, path: &str) -> Result<(Vec<&'a Layer>, Drawing), Problem> {
    let snapshot = &call.current.snapshot;
    if path == RISK_GRID && snapshot.layer(path).is_none() {
        let layers = snapshot.layers().iter().map(|layer| &**layer);
        let layers: Vec<&Layer> = layers.filter(|layer| risk_grid::contributes(layer.schema())).collect();
        if !layers.is_empty() {
            return Ok((layers, Drawing::RiskGrid));
        }
    }
    let (layers, labels) = layers_and_labels(call, path)?;
    Ok((layers, Drawing::Features(labels)))
}

/// The layers that a path names. The name `labels` adds the names of the lines and areas of the layers before it;
/// alone, those of all lines and areas. A stored layer of that name takes precedence.
fn layers_and_labels<'a>(call: &'a Call<'_>, path: &str) -> Result<(Vec<&'a Layer>, Labels), Problem> {
    let snapshot = &call.current.snapshot;
    let mut names: Vec<&str> = path.split(',').collect();
    let place = names.iter().position(|name| *name == LABELS).filter(|_| snapshot.layer(LABELS).is_none());
    let Some(place) = place else { return Ok((named_layers(snapshot, "layers", path)?, Labels::None)) };
    names.remove(place);
    if names.is_empty() {
        let all = snapshot.layers().iter().map(|layer| &**layer);
        let drawn = all.filter(|layer| layer.schema().geometry != GeometryKind::Point);
        return Ok((drawn.take(MAX_LAYERS).collect(), Labels::Only));
    }
    if place == 0 {
        let detail = "labels names the lines and areas of the layers before it";
        return Err(invalid("layers", path, detail, "labels after other layers, such as townships,labels, or alone"));
    }
    Ok((named_layers(snapshot, "layers", &names.join(","))?, Labels::OfFirst(place)))
}

/// Which features of each layer a tile shows.
pub(crate) struct Chosen {
    /// The filters in canonical form; empty when all are shown.
    name: String,
    /// For each layer, the filters that a feature must match.
    filters: Vec<Vec<Filter>>,
}

impl Chosen {
    /// Reads the filters of some layers. A filter of the risk surface selects among the layers that have its
    /// properties, and never people.
    ///
    /// # Errors
    /// When a parameter is invalid, or one of the layers (all, for the risk surface) has no such property.
    pub(crate) fn read<'a>(
        call: &Call<'_>,
        layers: Vec<&'a Layer>,
        drawing: Drawing,
    ) -> Result<(Vec<&'a Layer>, Self), Problem> {
        let of = |layer: &Layer| filters_of(&call.params, &call.caller.view(layer.schema()));
        let mut own: Vec<(&'a Layer, Vec<Filter>)> = Vec::with_capacity(layers.len());
        let mut refused = None;
        for layer in layers {
            if drawing == Drawing::RiskGrid && !risk_grid::is_filtered(layer.schema()) {
                own.push((layer, Vec::new()));
                continue;
            }
            match of(layer) {
                Ok(filters) => own.push((layer, filters)),
                Err(problem) if drawing == Drawing::RiskGrid => refused = Some(problem),
                Err(problem) => return Err(problem),
            }
        }
        if let Some(problem) = refused.filter(|_| !own.iter().any(|(layer, _)| risk_grid::is_filtered(layer.schema())))
        {
            return Err(problem);
        }
        let (layers, filters): (Vec<&Layer>, Vec<Vec<Filter>>) = own.into_iter().unzip();
        let names = filters.iter().flatten().map(Filter::canonical);
        let has_any = filters.iter().any(|filters| !filters.is_empty());
        // `datetime` applies only to layers with a time, so the number of filters of each layer is part of the name.
        let counts: Vec<String> = filters.iter().map(|filters| filters.len().to_string()).collect();
        let name = if has_any {
            format!("{} {}", counts.join(","), names.collect::<Vec<_>>().join("\n"))
        } else {
            String::new()
        };
        Ok((layers, Self { name, filters }))
    }

    /// Whether a feature of a layer, by its position in the list of layers, is shown.
    fn holds(&self, layer: usize, row: &Row<'_>) -> bool {
        self.filters.get(layer).is_none_or(|filters| filters.iter().all(|filter| filter.matches(row)))
    }
}

/// A cached tile, if it is still valid.
pub(crate) fn kept_tile(call: &Call<'_>, content: &TileContents<'_>) -> Option<Reply> {
    with_request(call, content, |request| call.audience.tiles.kept(request))
        .map(|tile| reply(call, content.format, &tile))
}

/// A tile from the cache, or rendered now.
///
/// # Errors
/// When the tile cannot be expressed in its format.
pub(crate) fn finished_tile(call: &Call<'_>, content: &TileContents<'_>) -> Result<Reply, Problem> {
    let tile = with_request(call, content, |request| call.audience.tiles.get(request));
    Ok(reply(call, content.format, &tile.map_err(|error| Problem::internal(&error))?))
}

fn with_request<T>(call: &Call<'_>, content: &TileContents<'_>, run: impl FnOnce(TileRequest<'_>) -> T) -> T {
    let TileContents { layers, drawing, address, format, chosen } = content;
    let holds = |at: usize, row: &Row<'_>| chosen.holds(at, row);
    let filter = (!chosen.name.is_empty()).then_some(FeatureFilter { name: &chosen.name, holds: &holds });
    run(TileRequest {
        head: &call.audience.snapshots,
        snapshot: &call.current.snapshot,
        layers,
        drawing: *drawing,
        address: *address,
        format: *format,
        encoding: preferred(&call.headers, &TILE_ENCODINGS),
        filter,
    })
}

fn reply(call: &Call<'_>, format: TileFormat, tile: &Arc<CachedTile>) -> Reply {
    call.audience.requested_tiles.remember(&call.uri, &call.headers, format, tile);
    tile_reply(&call.current, &call.headers, format, tile)
}

/// The reply with a tile.
pub(crate) fn tile_reply(
    current: &RequestSnapshot,
    headers: &HeaderMap,
    format: TileFormat,
    tile: &CachedTile,
) -> Reply {
    let reply = current.reply(format.media_type()).of_tile();
    if tile.bytes().is_empty() {
        return reply.status(StatusCode::NO_CONTENT);
    }
    let reply = if tile.omitted().is_empty() { reply } else { reply.header((OMITTED, tile.omitted())) };
    let reply = current.tagged(headers, reply, tile.tag());
    let reply = match coding(tile.encoding()) {
        Some(coding) => reply.header(coding),
        None => reply,
    };
    with_body(reply, tile.bytes().clone())
}

/// Adds the content, unless the reply is 304.
fn with_body(reply: Reply, bytes: Bytes) -> Reply {
    if reply.status == StatusCode::NOT_MODIFIED { reply } else { reply.body(bytes) }
}

/// Layers by their names joined by commas, each once. `parameter` holds the names.
pub(crate) fn named_layers<'a>(
    snapshot: &'a Snapshot,
    parameter: &str,
    names: &str,
) -> Result<Vec<&'a Layer>, Problem> {
    let accepted = "layer ids joined by commas, each once, such as hazards,shelters";
    let mut layers: Vec<&Layer> = Vec::new();
    for name in names.split(',') {
        let next = layer(snapshot, "layer", name)?;
        if layers.iter().any(|layer| layer.schema().id == next.schema().id) || layers.len() == MAX_LAYERS {
            return Err(invalid(parameter, names, "a layer is repeated, or there are too many layers", accepted));
        }
        layers.push(next);
    }
    Ok(layers)
}

/// The format that a media type or a name means.
pub(crate) fn format_named(media_type: MediaType) -> TileFormat {
    let named = TileFormat::ALL.into_iter().find(|format| format.name() == media_type.name);
    named.unwrap_or(TileFormat::Mvt)
}

/// The format of a tile: `f`, otherwise the extension of the row, otherwise the Accept header. A header that accepts no
/// format gets the default, because many clients ask for types that no tile has.
fn xyz_format(call: &Call<'_>) -> Result<TileFormat, Problem> {
    if call.params.format().is_some() {
        return call.format().map(format_named);
    }
    if let Some((_, extension)) = call.segment("y").rsplit_once('.') {
        return Ok(TileFormat::ALL.into_iter().find(|own| own.name() == extension).unwrap_or(TileFormat::Mvt));
    }
    match call.header(header::ACCEPT) {
        None | Some("*/*") => Ok(TileFormat::Mvt),
        Some(_) => Ok(call.media_type().map_or(TileFormat::Mvt, format_named)),
    }
}

/// The datum of the tiles.
fn datum(call: &Call<'_>) -> Result<Datum, Problem> {
    let gcj02 = call.params.choice(&spec::DATUM)? == spec::DATUM.values[1];
    Ok(if gcj02 { Datum::Gcj02 } else { Datum::Wgs84 })
}

fn xyz_address(call: &Call<'_>) -> Result<TileAddress, Problem> {
    let (z, x, y) = (call.segment("z"), call.segment("x"), call.segment("y"));
    let y = [".mvt", ".pbf", ".mlt"].iter().find_map(|extension| y.strip_suffix(extension)).unwrap_or(y);
    let number = |name: &str, text: &str| {
        text.parse::<u32>().map_err(|_| invalid(name, text, "it is not a whole number", "a whole number"))
    };
    let (zoom, column, row) = (number("z", z)?, number("x", x)?, number("y", y)?);
    let zoom = u8::try_from(zoom).unwrap_or(u8::MAX);
    let datum = datum(call)?;
    let address = TileAddress::new(TileMatrixSet::WebMercatorQuad, zoom, column, row);
    address.map(|address| address.in_datum(datum)).map_err(|error| {
        let (what, value, accepted) = match error {
            InvalidAddress::Zoom(_) => ("z", z, format!("0..={}", TileAddress::MAX_ZOOM)),
            InvalidAddress::OutOfRange { axis: "x", max, .. } => ("x", x, format!("0..={max} at zoom {zoom}")),
            InvalidAddress::OutOfRange { max, .. } => ("y", y, format!("0..={max} at zoom {zoom}")),
        };
        Problem::NotFound { what, value: value.to_owned(), accepted }
    })
}
