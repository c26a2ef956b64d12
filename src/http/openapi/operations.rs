//! Every path and method, what it takes and what it answers. The table that the description is written from.

use crate::http::api::{coverage, events, nearest_params, search, siting, surroundings};
use crate::http::ogc::FORM;
use crate::http::ogc::items::ITEM;
use crate::http::ogc::items_params::ITEMS;
use crate::http::tiles::tilesets::{OF_COLLECTION_TILE, OF_MAP};
use crate::http::tiles::xyz;

/// What a path does under a method.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) group: &'static str,
    pub(crate) says: &'static str,
    /// Names of the parameters of the query.
    pub(crate) query: &'static [&'static str],
    /// Names that `f` takes.
    pub(crate) forms: &'static [&'static str],
    /// Media types and schema of the body.
    pub(crate) body: Option<(&'static [&'static str], &'static str)>,
    /// Status, media type and schema of the answers that are no refusals; a schema that is empty is bytes.
    pub(crate) answers: &'static [(u16, &'static str, &'static str)],
    /// Statuses of refusals.
    pub(crate) refusals: &'static [u16],
    /// Only who holds the token may.
    pub(crate) writes: bool,
}

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const GEOJSON: &str = "application/geo+json";
const SCHEMA: &str = "application/schema+json";
const CSV: &str = "text/csv; charset=utf-8";
const MVT: &str = "application/vnd.mapbox-vector-tile";
const JSON_HTML: &[&str] = &["json", "html"];
const READ: &[u16] = &[400, 406];
const READ_NAMED: &[u16] = &[400, 404, 406];
const WRITE: &[u16] = &[400, 401, 403, 404, 409, 412, 413, 415, 422, 503];
const FEATURE_BODY: &[&str] = &[GEOJSON, JSON];

const fn get(path: &'static str, id: &'static str, group: &'static str, says: &'static str) -> Operation {
    Operation {
        method: "get",
        path,
        id,
        group,
        says,
        query: &[],
        forms: &[],
        body: None,
        answers: &[],
        refusals: &[400],
        writes: false,
    }
}

const fn page(mut operation: Operation, answers: &'static [(u16, &'static str, &'static str)]) -> Operation {
    operation.query = &FORM;
    operation.forms = JSON_HTML;
    operation.answers = answers;
    operation.refusals = READ_NAMED;
    operation
}

const fn query(mut operation: Operation, query: &'static [&'static str], forms: &'static [&'static str]) -> Operation {
    operation.query = query;
    operation.forms = forms;
    operation
}

const fn answers(
    mut operation: Operation,
    answers: &'static [(u16, &'static str, &'static str)],
    refusals: &'static [u16],
) -> Operation {
    operation.answers = answers;
    operation.refusals = refusals;
    operation
}

const fn body(
    mut operation: Operation,
    method: &'static str,
    media_types: &'static [&'static str],
    schema: &'static str,
) -> Operation {
    operation.method = method;
    operation.body = Some((media_types, schema));
    operation
}

const fn write(mut operation: Operation) -> Operation {
    operation.writes = true;
    operation.refusals = WRITE;
    operation
}

const TILE: &[(u16, &str, &str)] = &[(200, MVT, ""), (204, "", ""), (304, "", "")];
const SCHEMA_PAGE: &[(u16, &str, &str)] = &[(200, SCHEMA, "jsonSchema"), (200, HTML, "")];

/// All of them.
pub(crate) const OPERATIONS: &[Operation] = &[
    page(
        get("/ogc", "getLandingPage", "OGC API", "Where everything is"),
        &[(200, JSON, "landingPage"), (200, HTML, "")],
    ),
    page(
        get("/ogc/conformance", "getConformance", "OGC API", "Conformance classes of the standards"),
        &[(200, JSON, "conformance"), (200, HTML, "")],
    ),
    page(
        get("/ogc/functions", "getFunctions", "OGC API", "Functions that filters may call"),
        &[(200, JSON, "functions"), (200, HTML, "")],
    ),
    page(
        get("/ogc/collections", "getCollections", "OGC API", "All collections"),
        &[(200, JSON, "collections"), (200, HTML, "")],
    ),
    page(
        get("/ogc/collections/{collectionId}", "getCollection", "OGC API", "One collection"),
        &[(200, JSON, "collection"), (200, HTML, "")],
    ),
    page(
        get(
            "/ogc/collections/{collectionId}/queryables",
            "getQueryables",
            "OGC API",
            "Properties that filters may speak of",
        ),
        SCHEMA_PAGE,
    ),
    page(
        get(
            "/ogc/collections/{collectionId}/sortables",
            "getSortables",
            "OGC API",
            "Properties that features may be sorted by",
        ),
        SCHEMA_PAGE,
    ),
    page(get("/ogc/collections/{collectionId}/schema", "getSchema", "OGC API", "What features look like"), SCHEMA_PAGE),
    answers(
        query(
            get(
                "/ogc/collections/{collectionId}/items",
                "getFeatures",
                "OGC API",
                "Features, page by page; CSV, FlatGeobuf and sequences hold all that match. Each property of the collection is a parameter too.",
            ),
            &ITEMS,
            &["json", "html", "csv", "fgb", "geojsonseq"],
        ),
        &[
            (200, GEOJSON, "featureCollection"),
            (200, HTML, ""),
            (200, CSV, ""),
            (200, "application/vnd.flatgeobuf", ""),
            (200, "application/geo+json-seq", ""),
            (206, "application/vnd.flatgeobuf", ""),
            (304, "", ""),
        ],
        &[400, 404, 406, 416, 503],
    ),
    write(answers(
        body(
            get("/ogc/collections/{collectionId}/items", "createFeature", "Editing", "Makes a feature"),
            "post",
            FEATURE_BODY,
            "newFeature",
        ),
        &[(201, JSON, "created")],
        WRITE,
    )),
    answers(
        query(
            get("/ogc/collections/{collectionId}/items/{featureId}", "getFeature", "OGC API", "One feature"),
            &ITEM,
            JSON_HTML,
        ),
        &[(200, GEOJSON, "feature"), (200, HTML, ""), (304, "", "")],
        READ_NAMED,
    ),
    write(answers(
        body(
            get("/ogc/collections/{collectionId}/items/{featureId}", "replaceFeature", "Editing", "Replaces a feature"),
            "put",
            FEATURE_BODY,
            "newFeature",
        ),
        &[(204, "", "")],
        WRITE,
    )),
    write(answers(
        body(
            get(
                "/ogc/collections/{collectionId}/items/{featureId}",
                "updateFeature",
                "Editing",
                "Changes what a merge patch names",
            ),
            "patch",
            &["application/merge-patch+json"],
            "newFeature",
        ),
        &[(204, "", "")],
        WRITE,
    )),
    write(Operation {
        method: "delete",
        ..answers(
            get("/ogc/collections/{collectionId}/items/{featureId}", "deleteFeature", "Editing", "Deletes a feature"),
            &[(204, "", "")],
            WRITE,
        )
    }),
    write(answers(
        body(get("/api/edits", "edit", "Editing", "Several edits, all of them or none"), "post", &[JSON], "edits"),
        &[(200, JSON, "edited")],
        WRITE,
    )),
    answers(
        query(get("/ogc/tileMatrixSets", "getTileMatrixSets", "Tiles", "Grids"), &FORM, &["json"]),
        &[(200, JSON, "tileMatrixSets")],
        READ,
    ),
    answers(
        query(get("/ogc/tileMatrixSets/{tileMatrixSetId}", "getTileMatrixSet", "Tiles", "One grid"), &FORM, &["json"]),
        &[(200, JSON, "tileMatrixSet")],
        READ_NAMED,
    ),
    answers(
        query(get("/ogc/tiles", "getTilesets", "Tiles", "Tile sets of the whole map"), &OF_MAP, &["json"]),
        &[(200, JSON, "tilesets")],
        READ_NAMED,
    ),
    answers(
        query(
            get("/ogc/tiles/{tileMatrixSetId}", "getTileset", "Tiles", "One tile set of the whole map"),
            &OF_MAP,
            &["json"],
        ),
        &[(200, JSON, "tileset")],
        READ_NAMED,
    ),
    answers(
        query(
            get(
                "/ogc/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}",
                "getTile",
                "Tiles",
                "A tile of the whole map",
            ),
            &OF_MAP,
            &["mvt"],
        ),
        TILE,
        READ_NAMED,
    ),
    answers(
        query(
            get("/ogc/collections/{collectionId}/tiles", "getCollectionTilesets", "Tiles", "Tile sets of a collection"),
            &FORM,
            &["json"],
        ),
        &[(200, JSON, "tilesets")],
        READ_NAMED,
    ),
    answers(
        query(
            get(
                "/ogc/collections/{collectionId}/tiles/{tileMatrixSetId}",
                "getCollectionTileset",
                "Tiles",
                "One tile set of a collection",
            ),
            &FORM,
            &["json"],
        ),
        &[(200, JSON, "tileset")],
        READ_NAMED,
    ),
    answers(
        query(
            get(
                "/ogc/collections/{collectionId}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}",
                "getCollectionTile",
                "Tiles",
                "A tile of a collection",
            ),
            &OF_COLLECTION_TILE,
            &["mvt"],
        ),
        TILE,
        READ_NAMED,
    ),
    answers(
        query(
            get("/tiles/{layers}", "getTileJson", "Tiles", "TileJSON 3.0 of layers joined by commas"),
            &xyz::OF_TILEJSON,
            &[],
        ),
        &[(200, JSON, "tileJson")],
        &[400, 404],
    ),
    answers(
        query(
            get(
                "/tiles/{layers}/{z}/{x}/{y}",
                "getXyzTile",
                "Tiles",
                "A tile of layers joined by commas, WebMercatorQuad",
            ),
            &xyz::OF_TILE,
            &[],
        ),
        TILE,
        &[400, 404],
    ),
    answers(
        get("/styles/{styleId}.json", "getStyle", "Tiles", "A MapLibre style"),
        &[(200, JSON, "anything"), (304, "", "")],
        &[400, 404],
    ),
    answers(
        get("/api/layers", "getLayers", "Map", "The catalog: layers, fields, units, codes"),
        &[(200, JSON, "layers")],
        &[400],
    ),
    answers(
        query(
            get("/api/nearest", "getNearest", "Dispatch", "Who is nearest and can take the job"),
            &nearest_params::PARAMETERS,
            &[],
        ),
        &[(200, GEOJSON, "nearest")],
        &[400, 404],
    ),
    answers(
        query(
            body(
                get(
                    "/api/nearest",
                    "postNearest",
                    "Dispatch",
                    "The same from a document; for up to 10,000 points one answer a line",
                ),
                "post",
                &[JSON, GEOJSON],
                "nearestAsked",
            ),
            &FORM,
            &["ndjson", "geojson"],
        ),
        &[(200, GEOJSON, "nearest"), (200, "application/x-ndjson", "")],
        &[400, 404, 413, 415],
    ),
    answers(
        query(
            get("/api/surroundings", "getSurroundings", "Dispatch", "What is around a point, or something on file"),
            &surroundings::PARAMETERS,
            &["json", "html", "csv"],
        ),
        &[(200, JSON, "surroundings"), (200, HTML, ""), (200, CSV, "")],
        &[400, 404],
    ),
    answers(
        query(
            body(
                get("/api/surroundings", "postSurroundings", "Dispatch", "What is in an area"),
                "post",
                &[GEOJSON, JSON],
                "anything",
            ),
            &surroundings::OF_BODY,
            &["json", "html", "csv"],
        ),
        &[(200, JSON, "surroundings"), (200, HTML, ""), (200, CSV, "")],
        &[400, 404, 413, 415],
    ),
    answers(
        query(
            get("/api/search", "search", "Dispatch", "By name, pinyin, first letters, code"),
            &search::PARAMETERS,
            &[],
        ),
        &[(200, GEOJSON, "found")],
        &[400, 404],
    ),
    answers(
        query(
            get("/api/audits/siting", "auditSiting", "Dispatch", "Places with people that stand in danger"),
            &siting::PARAMETERS,
            &["geojson", "csv"],
        ),
        &[(200, GEOJSON, "found"), (200, CSV, "")],
        &[400, 404],
    ),
    answers(
        query(
            get("/api/coverage", "getCoverage", "Dispatch", "How far people are from help"),
            &coverage::PARAMETERS,
            &["geojson", "csv"],
        ),
        &[(200, GEOJSON, "found"), (200, CSV, "")],
        &[400, 404],
    ),
    answers(
        query(
            get(
                "/api/events",
                "getEvents",
                "Map",
                "Changes as they happen, as server-sent events; Last-Event-ID goes on where it broke",
            ),
            &events::PARAMETERS,
            &[],
        ),
        &[(200, "text/event-stream", "")],
        &[400, 404, 503],
    ),
    answers(get("/health/live", "getLive", "Operation", "The process answers"), &[(200, JSON, "anything")], &[]),
    answers(
        get("/health/ready", "getReady", "Operation", "Whether the map is as fresh as its store"),
        &[(200, JSON, "health"), (503, JSON, "health")],
        &[],
    ),
    answers(
        get("/openapi.json", "getApi", "Operation", "This description"),
        &[(200, crate::http::openapi::MEDIA_TYPE, "anything"), (304, "", "")],
        &[400],
    ),
];
