//! OGC API Tiles (OGC 20-057): grids, tile sets of the whole map and of one collection, and their tiles.

use serde_json::{Value as Json, json};

use crate::geodesy::reference::CRS84;
use crate::geodesy::{Envelope, LonLat};
use crate::http::call::Call;
use crate::http::ogc::schemas::{Purpose, schema};
use crate::http::params::spec;
use crate::http::reply::Reply;
use crate::http::reply::links::{REL, encode, link, own_links};
use crate::http::reply::media::JSON;
use crate::http::reply::problem::Problem;
use crate::http::tiles::xyz::{Chosen, MAX_ZOOM, finished_tile, kept_tile, named_layers};
use crate::model::schema::GeometryKind;
use crate::snapshot::Layer;
use crate::tile::{InvalidAddress, MEDIA_TYPE, TileAddress, TileMatrixSet};

/// Cells of a tile's side in a grid's description; vector tiles are finer.
const CELLS: f64 = 256.0;
/// Metres of a degree on the equator, by which scales are told in degrees.
const METRES_PER_DEGREE: f64 = 6_378_137.0 * std::f64::consts::PI / 180.0;
/// Half the side of the world in Web Mercator, metres.
const HALF_WORLD_M: f64 = 20_037_508.342_789_2;
/// Side of a pixel by which scales are told, metres.
const PIXEL_M: f64 = 0.000_28;

/// A grid by its name.
struct PublishedTileMatrixSet {
    id: &'static str,
    title: &'static str,
    grid: TileMatrixSet,
    /// The name of the first matrix.
    first: u8,
    crs: &'static str,
    axes: [&'static str; 2],
    /// What the registry calls it, and its scales.
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

    /// Zooms of the grid that are described.
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
    call.media_type()?;
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
    Ok(call.current.json(json!({"tileMatrixSets": SETS.iter().map(set).collect::<Vec<_>>()})))
}

/// `GET /ogc/tileMatrixSets/{tileMatrixSetId}`.
pub(crate) fn tile_matrix_set(call: &Call<'_>) -> Result<Reply, Problem> {
    call.media_type()?;
    let set = PublishedTileMatrixSet::named(call.segment("tileMatrixSetId"))?;
    Ok(call.current.json(set.describe(&call.ogc_base())))
}

/// `GET /ogc/tiles`.
pub(crate) fn tilesets(call: &Call<'_>) -> Result<Reply, Problem> {
    call.media_type()?;
    let own = format!("{}/tiles", call.ogc_base());
    Ok(list(call, &layers_of_map(call)?, &own, &query_of_map(call)))
}

/// `GET /ogc/tiles/{tileMatrixSetId}`.
pub(crate) fn tileset(call: &Call<'_>) -> Result<Reply, Problem> {
    call.media_type()?;
    let set = PublishedTileMatrixSet::named(call.segment("tileMatrixSetId"))?;
    let own = format!("{}/tiles", call.ogc_base());
    Ok(call.current.json(describe(call, &layers_of_map(call)?, set, &own, &query_of_map(call))))
}

/// A tile of the whole map from memory, if it is there.
pub(crate) fn kept_map_tile(call: &Call<'_>) -> Result<Option<Reply>, Problem> {
    call.format()?;
    let layers = layers_of_map(call)?;
    Ok(kept_tile(call, &layers, address(call)?, &Chosen::read(call, &layers)?))
}

/// `GET /ogc/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}`.
pub(crate) fn map_tile(call: &Call<'_>) -> Result<Reply, Problem> {
    let layers = layers_of_map(call)?;
    Ok(finished_tile(call, &layers, address(call)?, &Chosen::read(call, &layers)?))
}

/// `GET /ogc/collections/{collectionId}/tiles`.
pub(crate) fn tilesets_of_collection(call: &Call<'_>) -> Result<Reply, Problem> {
    call.media_type()?;
    let layer = call.collection()?;
    let own = format!("{}/collections/{}/tiles", call.ogc_base(), layer.schema().id);
    Ok(list(call, &[layer], &own, ""))
}

/// `GET /ogc/collections/{collectionId}/tiles/{tileMatrixSetId}`.
pub(crate) fn tileset_of_collection(call: &Call<'_>) -> Result<Reply, Problem> {
    call.media_type()?;
    let layer = call.collection()?;
    let set = PublishedTileMatrixSet::named(call.segment("tileMatrixSetId"))?;
    let own = format!("{}/collections/{}/tiles", call.ogc_base(), layer.schema().id);
    Ok(call.current.json(describe(call, &[layer], set, &own, "")))
}

/// A tile of a collection from memory, if it is there.
pub(crate) fn kept_collection_tile(call: &Call<'_>) -> Result<Option<Reply>, Problem> {
    call.format()?;
    let layers = [call.collection()?];
    Ok(kept_tile(call, &layers, address(call)?, &Chosen::read(call, &layers)?))
}

/// `GET /ogc/collections/{collectionId}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}`.
pub(crate) fn collection_tile(call: &Call<'_>) -> Result<Reply, Problem> {
    let layers = [call.collection()?];
    Ok(finished_tile(call, &layers, address(call)?, &Chosen::read(call, &layers)?))
}

/// The collections of the map that are asked for; all without the parameter.
fn layers_of_map<'a>(call: &'a Call<'_>) -> Result<Vec<&'a Layer>, Problem> {
    match call.params.get(&spec::COLLECTIONS) {
        Some(names) => named_layers(&call.current.snapshot, names),
        None => Ok(call.current.snapshot.layers().iter().map(|layer| &**layer).collect()),
    }
}

fn query_of_map(call: &Call<'_>) -> String {
    let names = call.params.get(&spec::COLLECTIONS);
    names.map(|names| format!("?collections={}", encode(names))).unwrap_or_default()
}

fn address(call: &Call<'_>) -> Result<TileAddress, Problem> {
    let set = PublishedTileMatrixSet::named(call.segment("tileMatrixSetId"))?;
    set.address(call.segment("tileMatrix"), call.segment("tileRow"), call.segment("tileCol"))
}

fn list(call: &Call<'_>, layers: &[&Layer], own: &str, query: &str) -> Reply {
    let title = title(call, layers);
    let set = |set: &PublishedTileMatrixSet| {
        let href = format!("{own}/{}{query}", set.id);
        let scheme = own.split("/ogc/").next().unwrap_or_default();
        let scheme = format!("{scheme}/ogc/tileMatrixSets/{}", set.id);
        let mut json = json!({
            "title": title,
            "dataType": "vector",
            "crs": set.crs,
            "links": [
                link(&href, "self", "application/json", set.title),
                link(&scheme, &format!("{REL}tiling-scheme"), "application/json", set.title),
            ],
        });
        if let Some(uri) = set.uri() {
            json["tileMatrixSetURI"] = json!(uri);
        }
        json
    };
    let links = own_links(&format!("{own}{query}"), JSON, &[JSON]);
    call.current.json(json!({"links": links, "tilesets": SETS.iter().map(set).collect::<Vec<_>>()}))
}

fn title(call: &Call<'_>, layers: &[&Layer]) -> String {
    match layers {
        [layer] => layer.schema().title.zh.clone(),
        _ if layers.len() == call.current.snapshot.layers().len() => "一张图 The whole map".to_owned(),
        _ => layers.iter().map(|layer| layer.schema().title.zh.as_str()).collect::<Vec<_>>().join("、"),
    }
}

fn describe(call: &Call<'_>, layers: &[&Layer], set: &PublishedTileMatrixSet, own: &str, query: &str) -> Json {
    let base = call.ogc_base();
    let bounds = layers.iter().filter_map(|layer| layer.envelope()).reduce(|a, b| a.union(&b));
    let bounds = bounds.unwrap_or(Envelope::WORLD);
    let corners = |bounds: &Envelope| json!({"lowerLeft": [bounds.west(), bounds.south()], "upperRight": [bounds.east(), bounds.north()], "crs": CRS84});
    let last = MAX_ZOOM.saturating_sub(u8::from(set.grid == TileMatrixSet::WorldCrs84Quad));
    let of_layer = |layer: &&Layer| {
        let own = layer.schema();
        let address = format!("{base}/collections/{}/schema", own.id);
        let first = own.min_zoom.saturating_sub(u8::from(set.grid == TileMatrixSet::WorldCrs84Quad));
        let mut json = json!({
            "id": own.id,
            "title": own.title.zh,
            "description": own.title.en,
            "dataType": "vector",
            "minTileMatrix": (first + set.first).to_string(),
            "maxTileMatrix": (last + set.first).to_string(),
            "propertiesSchema": schema(&call.state.catalog, &call.caller.view(own), Purpose::Features, &address),
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
    let mut template =
        link(&format!("{own}/{}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}{query}", set.id), "item", MEDIA_TYPE, "Tiles");
    template["templated"] = json!(true);
    let mut json = json!({
        "title": title(call, layers),
        "dataType": "vector",
        "crs": set.crs,
        "boundingBox": corners(&bounds),
        "tileMatrixSetLimits": limits(set, &bounds, last),
        "layers": layers.iter().map(of_layer).collect::<Vec<_>>(),
        "links": [
            link(&href, "self", "application/json", "This tile set"),
            link(&format!("{base}/tileMatrixSets/{}", set.id), &format!("{REL}tiling-scheme"), "application/json", set.title),
            template,
        ],
    });
    if let Some(uri) = set.uri() {
        json["tileMatrixSetURI"] = json!(uri);
    }
    json
}

/// Rows and columns that something is in, matrix by matrix.
fn limits(set: &PublishedTileMatrixSet, bounds: &Envelope, last: u8) -> Vec<Json> {
    let corner = |lon: f64, lat: f64, zoom: u8| {
        let at = LonLat::new(lon, lat).map(|at| TileAddress::at(set.grid, at, zoom).column_and_row());
        at.unwrap_or_default()
    };
    let of = |zoom: u8| {
        let (first_column, first_row) = corner(bounds.west(), bounds.north(), zoom);
        let (last_column, last_row) = corner(bounds.east(), bounds.south(), zoom);
        json!({
            "tileMatrix": (zoom + set.first).to_string(),
            "minTileRow": first_row,
            "maxTileRow": last_row,
            "minTileCol": first_column.min(last_column),
            "maxTileCol": first_column.max(last_column),
        })
    };
    (0..=last).map(of).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a power of two below 2^24")]
fn whole(number: f64) -> u32 {
    number as u32
}
