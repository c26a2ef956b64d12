//! OGC API Tiles (OGC 20-057): tile matrix sets, tile sets of the whole map and of one collection, and their tiles.

use serde_json::{Value as Json, json};

use crate::geodesy::crs::CRS84;
use crate::geodesy::{Envelope, LonLat};
use crate::http::call::Call;
use crate::http::ogc::schemas::{CodelistProfile, Purpose, schema};
use crate::http::params::{invalid, spec};
use crate::http::reply::Reply;
use crate::http::reply::links::{REL, encode, link, own_links};
use crate::http::reply::media::{HTML, TILE_FORMATS};
use crate::http::reply::problem::Problem;
use crate::http::tiles::pages;
use crate::http::tiles::xyz::{Chosen, TileContents, finished_tile, format_named, kept_tile, named_layers};
use crate::model::schema::GeometryKind;
use crate::snapshot::Layer;
use crate::tile::vector_layer::MAX_ZOOM;
use crate::tile::{Drawing, InvalidAddress, Labels, TileAddress, TileMatrixSet};

/// Cells along the side of a tile in the description of a tile matrix set; vector tiles have a finer resolution.
const CELLS: f64 = 256.0;
/// Metres per degree on the equator, for scale denominators in degrees.
const METRES_PER_DEGREE: f64 = 6_378_137.0 * std::f64::consts::PI / 180.0;
/// Half the side of the world in Web Mercator, metres.
const HALF_WORLD_M: f64 = 20_037_508.342_789_2;
/// Standardized pixel size for scale denominators, metres.
const PIXEL_M: f64 = 0.000_28;

/// A published tile matrix set.
struct PublishedTileMatrixSet {
    id: &'static str,
    title: &'static str,
    grid: TileMatrixSet,
    /// The name of the first matrix.
    first: u8,
    crs: &'static str,
    axes: [&'static str; 2],
    /// Its id in the OGC registry, and its well-known scale set.
    registered: Option<(&'static str, &'static str)>,
}

const SETS: [PublishedTileMatrixSet; 3] = [
    PublishedTileMatrixSet {
        id: "WebMercatorQuad",
        title: "Web Mercator, as most maps on the web",
        grid: TileMatrixSet::WebMercatorQuad,
        first: 0,
        crs: "http://www.opengis.net/def/crs/EPSG/0/3857",
        axes: ["X", "Y"],
        registered: Some(("WebMercatorQuad", "GoogleMapsCompatible")),
    },
    PublishedTileMatrixSet {
        id: "WorldCRS84Quad",
        title: "WGS 84 longitude, latitude",
        grid: TileMatrixSet::WorldCrs84Quad,
        first: 0,
        crs: CRS84,
        axes: ["Lon", "Lat"],
        registered: Some(("WorldCRS84Quad", "GoogleCRS84Quad")),
    },
    // Tianditu counts its matrices from 1.
    PublishedTileMatrixSet {
        id: "CGCS2000Quad",
        title: "CGCS2000 latitude, longitude, as Tianditu's set c 天地图经纬度",
        grid: TileMatrixSet::WorldCrs84Quad,
        first: 1,
        crs: "http://www.opengis.net/def/crs/EPSG/0/4490",
        axes: ["Lat", "Lon"],
        registered: None,
    },
];

/// Ids of the tile matrix sets.
pub(crate) fn tile_matrix_set_ids() -> Vec<&'static str> {
    SETS.iter().map(|set| set.id).collect()
}

impl PublishedTileMatrixSet {
    fn named(name: &str) -> Result<&'static Self, Problem> {
        SETS.iter().find(|set| set.id == name).ok_or_else(|| {
            let accepted = SETS.iter().map(|set| set.id).collect::<Vec<_>>().join(", ");
            Problem::NotFound { what: "tileMatrixSet", value: name.chars().take(200).collect(), accepted }
        })
    }

    /// The zoom levels of the description.
    fn zooms(&self) -> std::ops::RangeInclusive<u8> {
        0..=TileAddress::MAX_ZOOM - self.first
    }

    fn uri(&self) -> Option<String> {
        self.registered.map(|(id, _)| format!("http://www.opengis.net/def/tilematrixset/OGC/1.0/{id}"))
    }

    fn describe(&self, base: &str) -> Json {
        let matrix = |zoom: u8| {
            let rows = f64::from(1_u32 << zoom);
            let (size, metres, origin, columns) = match self.grid {
                TileMatrixSet::WebMercatorQuad => {
                    (2.0 * HALF_WORLD_M / CELLS / rows, 1.0, [-HALF_WORLD_M, HALF_WORLD_M], rows)
                }
                TileMatrixSet::WorldCrs84Quad => {
                    let origin = if self.axes[0] == "Lat" { [90.0, -180.0] } else { [-180.0, 90.0] };
                    (180.0 / CELLS / rows, METRES_PER_DEGREE, origin, rows * 2.0)
                }
            };
            json!({
                "id": (zoom + self.first).to_string(),
                "scaleDenominator": size * metres / PIXEL_M,
                "cellSize": size,
                "cornerOfOrigin": "topLeft",
                "pointOfOrigin": origin,
                "tileWidth": 256,
                "tileHeight": 256,
                "matrixWidth": whole(columns),
                "matrixHeight": whole(rows),
            })
        };
        let mut json = json!({
            "id": self.id,
            "title": self.title,
            "crs": self.crs,
            "orderedAxes": self.axes,
            "tileMatrices": self.zooms().map(matrix).collect::<Vec<_>>(),
            "links": [link(&format!("{base}/tileMatrixSets/{}", self.id), "self", "application/json", "The tile matrix set")],
        });
        if let (Some(uri), Some((_, scales))) = (self.uri(), self.registered) {
            json["uri"] = json!(uri);
            json["wellKnownScaleSet"] = json!(format!("http://www.opengis.net/def/wkss/OGC/1.0/{scales}"));
        }
        json
    }

    fn address(&self, matrix: &str, row: &str, column: &str) -> Result<TileAddress, Problem> {
        let missing = |what: &'static str, value: &str, accepted: String| Problem::NotFound {
            what,
            value: value.chars().take(200).collect(),
            accepted,
        };
        let number = |what: &'static str, text: &str| {
            text.parse::<u32>().map_err(|_| missing(what, text, "a whole number".to_owned()))
        };
        let column = column.trim_end_matches(".mvt").trim_end_matches(".pbf");
        let matrices = || format!("{}..={}", self.first, TileAddress::MAX_ZOOM);
        let zoom = number("tileMatrix", matrix)?.checked_sub(u32::from(self.first));
        let zoom = zoom.and_then(|zoom| u8::try_from(zoom).ok()).filter(|zoom| self.zooms().contains(zoom));
        let zoom = zoom.ok_or_else(|| missing("tileMatrix", matrix, matrices()))?;
        TileAddress::new(self.grid, zoom, number("tileCol", column)?, number("tileRow", row)?).map_err(|error| {
            match error {
                InvalidAddress::OutOfRange { axis: "x", max, .. } => missing("tileCol", column, format!("0..={max}")),
                InvalidAddress::OutOfRange { max, .. } => missing("tileRow", row, format!("0..={max}")),
                InvalidAddress::Zoom(_) => missing("tileMatrix", matrix, matrices()),
            }
        })
    }
}

/// `GET /ogc/tileMatrixSets`.
pub(crate) fn tile_matrix_sets(call: &Call<'_>) -> Result<Reply, Problem> {
    let base = call.ogc_base();
    let set = |set: &PublishedTileMatrixSet| {
        let href = format!("{base}/tileMatrixSets/{}", set.id);
        let mut json = json!({"id": set.id, "title": set.title, "crs": set.crs});
        if let Some(uri) = set.uri() {
            json["uri"] = json!(uri);
        }
        json["links"] = json!([link(&href, &format!("{REL}tiling-scheme"), "application/json", set.title)]);
        json
    };
    let sets = json!({"tileMatrixSets": SETS.iter().map(set).collect::<Vec<_>>()});
    answer(call, &format!("{base}/tileMatrixSets"), sets, ("瓦片矩阵集", "Tile matrix sets"))
}

/// `GET /ogc/tileMatrixSets/{tileMatrixSetId}`.
pub(crate) fn tile_matrix_set(call: &Call<'_>) -> Result<Reply, Problem> {
    let set = PublishedTileMatrixSet::named(call.segment("tileMatrixSetId"))?;
    let address = format!("{}/tileMatrixSets/{}", call.ogc_base(), set.id);
    answer(call, &address, set.describe(&call.ogc_base()), ("瓦片矩阵集", set.title))
}

/// `GET /ogc/tiles`.
pub(crate) fn tilesets(call: &Call<'_>) -> Result<Reply, Problem> {
    let own = format!("{}/tiles", call.ogc_base());
    list(call, &layers_of_map(call)?, &own, &query_of_map(call))
}

/// `GET /ogc/tiles/{tileMatrixSetId}`.
pub(crate) fn tileset(call: &Call<'_>) -> Result<Reply, Problem> {
    let own = format!("{}/tiles", call.ogc_base());
    describe(call, &layers_of_map(call)?, &own, &query_of_map(call))
}

/// A tile of the whole map from the cache; `None` if it is not cached.
pub(crate) fn kept_map_tile(call: &Call<'_>) -> Result<Option<Reply>, Problem> {
    Ok(kept_tile(call, &content(call, layers_of_map(call)?)?))
}

/// `GET /ogc/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}`.
pub(crate) fn map_tile(call: &Call<'_>) -> Result<Reply, Problem> {
    finished_tile(call, &content(call, layers_of_map(call)?)?)
}

/// `GET /ogc/collections/{collectionId}/tiles`.
pub(crate) fn tilesets_of_collection(call: &Call<'_>) -> Result<Reply, Problem> {
    let layer = call.collection()?;
    list(call, &[layer], &format!("{}/collections/{}/tiles", call.ogc_base(), layer.schema().id), "")
}

/// `GET /ogc/collections/{collectionId}/tiles/{tileMatrixSetId}`.
pub(crate) fn tileset_of_collection(call: &Call<'_>) -> Result<Reply, Problem> {
    let layer = call.collection()?;
    describe(call, &[layer], &format!("{}/collections/{}/tiles", call.ogc_base(), layer.schema().id), "")
}

/// A tile of a collection from the cache; `None` if it is not cached.
pub(crate) fn kept_collection_tile(call: &Call<'_>) -> Result<Option<Reply>, Problem> {
    Ok(kept_tile(call, &content(call, vec![call.collection()?])?))
}

/// `GET /ogc/collections/{collectionId}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}`.
pub(crate) fn collection_tile(call: &Call<'_>) -> Result<Reply, Problem> {
    finished_tile(call, &content(call, vec![call.collection()?])?)
}

/// The requested collections; all without the parameter.
fn layers_of_map<'a>(call: &'a Call<'_>) -> Result<Vec<&'a Layer>, Problem> {
    match call.params.get(&spec::COLLECTIONS) {
        // A wrong id in a parameter is an invalid value (400); only a wrong path is 404.
        Some(names) => {
            named_layers(&call.current.snapshot, spec::COLLECTIONS.name, names).map_err(|problem| match problem {
                Problem::NotFound { value, accepted, .. } => {
                    invalid(spec::COLLECTIONS.name, &value, "this collection does not exist", &accepted)
                }
                other => other,
            })
        }
        None => Ok(call.current.snapshot.layers().iter().map(|layer| &**layer).collect()),
    }
}

fn query_of_map(call: &Call<'_>) -> String {
    let names = call.params.get(&spec::COLLECTIONS);
    names.map(|names| format!("?collections={}", encode(names))).unwrap_or_default()
}

/// A tile address within the limits of its tile set.
fn address(call: &Call<'_>, layers: &[&Layer]) -> Result<TileAddress, Problem> {
    let set = PublishedTileMatrixSet::named(call.segment("tileMatrixSetId"))?;
    let address = set.address(call.segment("tileMatrix"), call.segment("tileRow"), call.segment("tileCol"))?;
    let (column, row) = address.column_and_row();
    let limits = TileLimits::of(set, &bounds_of(layers), address.zoom());
    let missing = |what: &'static str, own: u32, least: u32, most: u32| Problem::NotFound {
        what,
        value: own.to_string(),
        accepted: format!("{least}..={most}, the limits of the tile set"),
    };
    let (rows, columns) = ((limits.min_row, limits.max_row), (limits.min_column, limits.max_column));
    if !(rows.0..=rows.1).contains(&row) {
        return Err(missing("tileRow", row, rows.0, rows.1));
    }
    if !(columns.0..=columns.1).contains(&column) {
        return Err(missing("tileCol", column, columns.0, columns.1));
    }
    Ok(address)
}

fn bounds_of(layers: &[&Layer]) -> Envelope {
    layers.iter().filter_map(|layer| layer.envelope()).reduce(|a, b| a.union(&b)).unwrap_or(Envelope::WORLD)
}

/// A document in the negotiated media type. `address` is its URL.
fn answer(call: &Call<'_>, address: &str, document: Json, title: (&str, &str)) -> Result<Reply, Problem> {
    if call.media_type()? == HTML {
        return Ok(pages::document(address, &document, title, &call.ogc_base()).reply(&call.current));
    }
    Ok(call.current.json(document))
}

fn list(call: &Call<'_>, layers: &[&Layer], own: &str, query: &str) -> Result<Reply, Problem> {
    let title = title(call, layers);
    let set = |set: &PublishedTileMatrixSet| {
        let href = format!("{own}/{}{query}", set.id);
        let scheme = own.split("/ogc/").next().unwrap_or_default();
        let scheme = format!("{scheme}/ogc/tileMatrixSets/{}", set.id);
        let last = MAX_ZOOM.saturating_sub(u8::from(set.grid == TileMatrixSet::WorldCrs84Quad));
        let mut json = json!({
            "title": title,
            "dataType": "vector",
            "crs": set.crs,
            "tileMatrixSetId": set.id,
            "tileMatrixSetLimits": limits(set, &bounds_of(layers), last),
            "links": [
                link(&href, "self", "application/json", set.title),
                link(&scheme, &format!("{REL}tiling-scheme"), "application/json", set.title),
            ],
        });
        add_links(&mut json, tile_links(own, set, query));
        if let Some(uri) = set.uri() {
            json["tileMatrixSetURI"] = json!(uri);
        }
        json
    };
    let address = format!("{own}{query}");
    let links = own_links(&address, call.media_type()?, call.formats);
    let sets = json!({"links": links, "tilesets": SETS.iter().map(set).collect::<Vec<_>>()});
    answer(call, &address, sets, (&title, "Tile sets"))
}

/// The content of a tile, in the format that the client prefers.
fn content<'a>(call: &Call<'_>, layers: Vec<&'a Layer>) -> Result<TileContents<'a>, Problem> {
    let format = format_named(call.media_type()?);
    let (address, drawing) = (address(call, &layers)?, Drawing::Features(Labels::None));
    let (layers, chosen) = Chosen::read(call, layers, drawing)?;
    Ok(TileContents { layers, drawing, address, format, chosen })
}

/// The templated links to the tiles of a tile set, one for each format.
fn tile_links(own: &str, set: &PublishedTileMatrixSet, query: &str) -> impl Iterator<Item = Json> {
    let href = format!("{own}/{}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}{query}", set.id);
    let separator = if query.is_empty() { '?' } else { '&' };
    TILE_FORMATS.into_iter().enumerate().map(move |(at, format)| {
        let choice = if at == 0 { String::new() } else { format!("{separator}f={}", format.name) };
        let mut template = link(&format!("{href}{choice}"), "item", format.media_type, format.title);
        template["templated"] = json!(true);
        template
    })
}

fn title(call: &Call<'_>, layers: &[&Layer]) -> String {
    match layers {
        [layer] => layer.schema().title.zh.clone(),
        _ if layers.len() == call.current.snapshot.layers().len() => "一张图 The whole map".to_owned(),
        _ => layers.iter().map(|layer| layer.schema().title.zh.as_str()).collect::<Vec<_>>().join("、"),
    }
}

fn describe(call: &Call<'_>, layers: &[&Layer], own: &str, query: &str) -> Result<Reply, Problem> {
    let set = PublishedTileMatrixSet::named(call.segment("tileMatrixSetId"))?;
    let base = call.ogc_base();
    let bounds = bounds_of(layers);
    let corners = |bounds: &Envelope| json!({"lowerLeft": [bounds.west(), bounds.south()], "upperRight": [bounds.east(), bounds.north()], "crs": CRS84});
    let last = MAX_ZOOM.saturating_sub(u8::from(set.grid == TileMatrixSet::WorldCrs84Quad));
    let of_layer = |layer: &&Layer| {
        let own = layer.schema();
        let first = own.min_zoom.saturating_sub(u8::from(set.grid == TileMatrixSet::WorldCrs84Quad));
        let mut json = json!({
            "id": own.id,
            "title": own.title.zh,
            "description": own.title.en,
            "dataType": "vector",
            "minTileMatrix": (first + set.first).to_string(),
            "maxTileMatrix": (last + set.first).to_string(),
            "propertiesSchema": schema(
                &call.state.catalog, &call.caller.view(own), Purpose::Features, CodelistProfile::Reference, &base,
            ),
        });
        let dimension = match own.geometry {
            GeometryKind::Point => Some(0),
            GeometryKind::Line => Some(1),
            GeometryKind::Polygon => Some(2),
            GeometryKind::Any => None,
        };
        if let Some(dimension) = dimension {
            json["geometryDimension"] = json!(dimension);
        }
        if let Some(bounds) = layer.envelope() {
            json["boundingBox"] = corners(&bounds);
        }
        json
    };
    let href = format!("{own}/{}{query}", set.id);
    let mut json = json!({
        "title": title(call, layers),
        "dataType": "vector",
        "crs": set.crs,
        "tileMatrixSetId": set.id,
        "boundingBox": corners(&bounds),
        "tileMatrixSetLimits": limits(set, &bounds, last),
        "layers": layers.iter().map(of_layer).collect::<Vec<_>>(),
        "links": [
            link(&href, "self", "application/json", "This tile set"),
            link(&format!("{base}/tileMatrixSets/{}", set.id), &format!("{REL}tiling-scheme"), "application/json", set.title),
        ],
    });
    add_links(&mut json, tile_links(own, set, query));
    if let Some(uri) = set.uri() {
        json["tileMatrixSetURI"] = json!(uri);
    }
    answer(call, &href, json, (&title(call, layers), set.title))
}

fn add_links(document: &mut Json, links: impl Iterator<Item = Json>) {
    if let Some(own) = document["links"].as_array_mut() {
        own.extend(links);
    }
}

/// Rows and columns of a tile matrix that have content.
struct TileLimits {
    min_row: u32,
    max_row: u32,
    min_column: u32,
    max_column: u32,
}

impl TileLimits {
    /// Bounds that cross the antimeridian cover all columns.
    fn of(set: &PublishedTileMatrixSet, bounds: &Envelope, zoom: u8) -> Self {
        let corner = |lon: f64, lat: f64| {
            let at = LonLat::new(lon, lat).map(|at| TileAddress::at(set.grid, at, zoom).column_and_row());
            at.unwrap_or_default()
        };
        let crosses = bounds.west() > bounds.east();
        let (west, east) = if crosses { (-180.0, 180.0) } else { (bounds.west(), bounds.east()) };
        let (first_column, first_row) = corner(west, bounds.north());
        let (last_column, last_row) = corner(east, bounds.south());
        Self {
            min_row: first_row.min(last_row),
            max_row: first_row.max(last_row),
            min_column: first_column.min(last_column),
            max_column: first_column.max(last_column),
        }
    }
}

/// The limits of each tile matrix.
fn limits(set: &PublishedTileMatrixSet, bounds: &Envelope, last: u8) -> Vec<Json> {
    let of = |zoom: u8| {
        let limits = TileLimits::of(set, bounds, zoom);
        json!({
            "tileMatrix": (zoom + set.first).to_string(),
            "minTileRow": limits.min_row,
            "maxTileRow": limits.max_row,
            "minTileCol": limits.min_column,
            "maxTileCol": limits.max_column,
        })
    };
    (0..=last).map(of).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a power of two below 2^24")]
fn whole(number: f64) -> u32 {
    number as u32
}
