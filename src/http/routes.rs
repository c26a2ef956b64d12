//! The table of all endpoints: path, method, access, thread, parameters, bodies and replies.

use crate::http::api::{
    allocations, audit, clusters, coverage, events, health, layers, nearest, nearest_params, search, session, siting,
    surroundings,
};
use crate::http::assets;
use crate::http::call::Call;
use crate::http::endpoint::{Access, Body, Endpoint, Handler, Success, Thread, Verb, empty, ok};
use crate::http::endpoint_kinds::{
    DISPATCH, FEATURE_BODY, GEOJSON_TYPE, JSON_TYPE, MAP, OGC, OPERATION, TILES, ogc_page, tile_endpoint, tiles_page,
    write,
};
use crate::http::ogc::{collections, conformance, edits, items, landing, styles};
use crate::http::openapi;
use crate::http::params::lists::{
    AUDIT, COLLECTION_TILE, COVERAGE, EVENTS, FORMAT_ONLY, ITEM, ITEMS, MAP_TILE, MAP_TILES, MEMBERS, SCHEMA_PAGE,
    SEARCH, SITING, SURROUNDINGS, SURROUNDINGS_OF_BODY, TILEJSON, VIEWER, VIEWER_FILE, XYZ_TILE,
};
use crate::http::reply::Reply;
use crate::http::reply::media::{
    CSV, CSV_UTF8, FEATURE_FORMATS, GEOJSON_NAMED, HTML, HTML_UTF8, ITEM_FORMATS, JSON, JSON_FG, MAPBOX_STYLE,
    MediaType, NDJSON, SCHEMA,
};
use crate::http::reply::problem::Problem;
use crate::http::tiles::{tilesets, xyz};

const OPENAPI: MediaType = MediaType { name: "json", media_type: openapi::MEDIA_TYPE, title: "OpenAPI 3.0" };

/// `GET /openapi.json`: the whole API.
fn api_document(call: &Call<'_>) -> Result<Reply, Problem> {
    call.format()?;
    Ok(openapi::document(call, ENDPOINTS, "", "onemap"))
}

/// `GET /ogc/openapi.json`: the OGC API alone, rooted at its landing page, as clients of the standard expect it.
fn ogc_api_document(call: &Call<'_>) -> Result<Reply, Problem> {
    call.format()?;
    Ok(openapi::document(call, ENDPOINTS, "/ogc", "onemap OGC API"))
}

const PAGE: Success = ok(HTML_UTF8, "");
const TABLE: Success = ok(CSV_UTF8, "");
const SCHEMA_REPLIES: &[Success] = &[ok(SCHEMA.media_type, "jsonSchema"), PAGE];

/// All endpoints. The most frequent paths come first, because routes are tried in this order.
pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        id: "getXyzTile",
        summary: "A vector tile of layers, in WebMercatorQuad",
        params: XYZ_TILE,
        ..tile_endpoint("/tiles/{layers}/{z}/{x}/{y}", xyz::kept, xyz::tile)
    },
    Endpoint {
        id: "getNearest",
        tag: DISPATCH,
        summary: "The nearest resources that meet a demand",
        thread: Thread::Interactive,
        handler: Handler::Budgeted(nearest::nearest),
        params: nearest_params::PARAMS,
        replies: &[ok(GEOJSON_TYPE, "nearest")],
        ..Endpoint::get("/api/nearest", nearest::nearest)
    },
    Endpoint {
        method: Verb::Post,
        id: "postNearest",
        is_long: nearest::is_long,
        tag: DISPATCH,
        summary: "The nearest resources for parameters in a JSON body; with up to 10,000 points, one reply per line",
        thread: Thread::Interactive,
        params: FORMAT_ONLY,
        formats: &[NDJSON, GEOJSON_NAMED],
        body: Some(Body { media_types: &[JSON_TYPE, GEOJSON_TYPE], schema: "nearestRequest", max_bytes: 1_000_000 }),
        replies: &[ok(GEOJSON_TYPE, "nearestOfBody"), ok(NDJSON.media_type, "")],
        ..Endpoint::get("/api/nearest", nearest::nearest_of_body)
    },
    Endpoint {
        method: Verb::Post,
        id: "allocate",
        tag: DISPATCH,
        summary: "Resources for several demands at once: as much as possible served, nothing given twice, least total distance",
        thread: Thread::Bulk,
        params: FORMAT_ONLY,
        formats: &[GEOJSON_NAMED, CSV],
        body: Some(Body { media_types: &[JSON_TYPE], schema: "allocationRequest", max_bytes: 1_000_000 }),
        replies: &[ok(GEOJSON_TYPE, "allocation"), TABLE],
        ..Endpoint::get("/api/allocations", allocations::allocations)
    },
    Endpoint {
        id: "getLive",
        tag: OPERATION,
        summary: "Whether the process handles requests",
        replies: &[ok(JSON_TYPE, "anything")],
        access: Access::Open,
        ..Endpoint::get("/health/live", health::live)
    },
    Endpoint {
        id: "getReady",
        tag: OPERATION,
        summary: "Whether the snapshot follows the store",
        replies: &[ok(JSON_TYPE, "health"), Success { status: 503, media_type: JSON_TYPE, schema: "health" }],
        access: Access::Open,
        ..Endpoint::get("/health/ready", health::ready)
    },
    Endpoint {
        id: "getMetrics",
        tag: OPERATION,
        summary: "Metrics in the text format of Prometheus",
        replies: &[ok("text/plain", "")],
        access: Access::Operate,
        ..Endpoint::get("/metrics", health::metrics)
    },
    Endpoint {
        id: "getFeatures",
        tag: OGC,
        summary: "Features in pages; CSV, FlatGeobuf and GeoJSON sequences contain all matching features. Each property of the collection is also a parameter.",
        thread: Thread::Bulk,
        handler: Handler::Budgeted(items::items),
        params: ITEMS,
        property_params: true,
        formats: &ITEM_FORMATS,
        replies: &[
            ok(GEOJSON_TYPE, "featureCollection"),
            PAGE,
            TABLE,
            ok("application/vnd.flatgeobuf", ""),
            ok("application/geo+json-seq", ""),
            ok(JSON_FG.media_type, "jsonFgCollection"),
            Success { status: 206, media_type: "application/vnd.flatgeobuf", schema: "" },
            empty(304),
        ],
        ..Endpoint::get("/ogc/collections/{collectionId}/items", items::items)
    },
    Endpoint {
        id: "createFeature",
        summary: "Creates a feature",
        body: FEATURE_BODY,
        replies: &[Success { status: 201, media_type: JSON_TYPE, schema: "created" }],
        ..write(
            Verb::Post,
            "/ogc/collections/{collectionId}/items",
            Handler::Async(|call| Box::pin(edits::create(call))),
        )
    },
    Endpoint {
        id: "getFeature",
        summary: "One feature",
        params: ITEM,
        formats: &FEATURE_FORMATS,
        replies: &[ok(GEOJSON_TYPE, "feature"), PAGE, ok(JSON_FG.media_type, "jsonFgFeature"), empty(304)],
        ..ogc_page("/ogc/collections/{collectionId}/items/{featureId}", items::item)
    },
    Endpoint {
        id: "replaceFeature",
        summary: "Replaces a feature",
        body: FEATURE_BODY,
        replies: &[empty(204)],
        ..write(
            Verb::Put,
            "/ogc/collections/{collectionId}/items/{featureId}",
            Handler::Async(|call| Box::pin(edits::replace(call))),
        )
    },
    Endpoint {
        id: "updateFeature",
        summary: "Changes the properties in a merge patch",
        body: Some(Body { media_types: &["application/merge-patch+json"], schema: "newFeature", max_bytes: 4_000_000 }),
        replies: &[empty(204)],
        ..write(
            Verb::Patch,
            "/ogc/collections/{collectionId}/items/{featureId}",
            Handler::Async(|call| Box::pin(edits::patch(call))),
        )
    },
    Endpoint {
        id: "deleteFeature",
        summary: "Deletes a feature",
        replies: &[empty(204)],
        ..write(
            Verb::Delete,
            "/ogc/collections/{collectionId}/items/{featureId}",
            Handler::Async(|call| Box::pin(edits::delete(call))),
        )
    },
    Endpoint {
        id: "edit",
        summary: "Several edits as one transaction",
        body: Some(Body { media_types: &[JSON_TYPE], schema: "edits", max_bytes: 16_000_000 }),
        replies: &[ok(JSON_TYPE, "edited")],
        ..write(Verb::Post, "/api/edits", Handler::Async(|call| Box::pin(edits::batch(call))))
    },
    Endpoint {
        id: "getSurroundings",
        tag: DISPATCH,
        summary: "Surroundings of a point or a feature",
        thread: Thread::Bulk,
        params: SURROUNDINGS,
        formats: &[JSON, HTML, CSV],
        replies: &[ok(JSON_TYPE, "surroundings"), PAGE, TABLE],
        ..Endpoint::get("/api/surroundings", surroundings::surroundings)
    },
    Endpoint {
        method: Verb::Post,
        id: "postSurroundings",
        tag: DISPATCH,
        summary: "Contents of an area",
        thread: Thread::Bulk,
        params: SURROUNDINGS_OF_BODY,
        formats: &[JSON, HTML, CSV],
        body: Some(Body { media_types: &[GEOJSON_TYPE, JSON_TYPE], schema: "anything", max_bytes: 2_000_000 }),
        replies: &[ok(JSON_TYPE, "surroundings"), PAGE, TABLE],
        ..Endpoint::get("/api/surroundings", surroundings::surroundings_of_body)
    },
    Endpoint {
        id: "getSession",
        tag: OPERATION,
        summary: "Who the caller is, and what it may do",
        replies: &[ok(JSON_TYPE, "session")],
        ..Endpoint::get("/api/session", session::session)
    },
    Endpoint {
        method: Verb::Post,
        id: "signIn",
        tag: OPERATION,
        summary: "Sign a browser in: a cookie with the secret of an account",
        access: Access::Open,
        thread: Thread::Interactive,
        body: Some(Body { media_types: &[JSON_TYPE], schema: "signIn", max_bytes: 10_000 }),
        replies: &[ok(JSON_TYPE, "signedIn")],
        ..Endpoint::get("/api/session", session::sign_in)
    },
    Endpoint {
        method: Verb::Delete,
        id: "signOut",
        tag: OPERATION,
        summary: "Sign a browser out",
        access: Access::Open,
        replies: &[empty(204)],
        ..Endpoint::get("/api/session", session::sign_out)
    },
    Endpoint {
        id: "getAudit",
        tag: OPERATION,
        summary: "The audit log: who did what, when and from where",
        access: Access::Admin,
        params: AUDIT,
        handler: Handler::Async(|call| Box::pin(audit::entries(call))),
        replies: &[ok(JSON_TYPE, "audit")],
        ..Endpoint::get("/api/audit", health::live)
    },
    Endpoint {
        method: Verb::Post,
        id: "reveal",
        tag: OPERATION,
        summary: "Names and phones of one feature, unmasked; the reason is recorded",
        access: Access::Reveal,
        thread: Thread::Interactive,
        body: Some(Body { media_types: &[JSON_TYPE], schema: "revealRequest", max_bytes: 10_000 }),
        replies: &[ok(JSON_TYPE, "revealed")],
        ..Endpoint::get("/api/reveal", audit::reveal)
    },
    Endpoint {
        id: "search",
        tag: DISPATCH,
        summary: "Features by name, pinyin, initials or code",
        thread: Thread::Interactive,
        params: SEARCH,
        replies: &[ok(GEOJSON_TYPE, "found")],
        ..Endpoint::get("/api/search", search::search)
    },
    Endpoint {
        id: "auditSiting",
        tag: DISPATCH,
        summary: "Places with people inside risk zones",
        thread: Thread::Bulk,
        params: SITING,
        formats: &[GEOJSON_NAMED, CSV],
        replies: &[ok(GEOJSON_TYPE, "found"), TABLE],
        ..Endpoint::get("/api/audits/siting", siting::siting)
    },
    Endpoint {
        id: "getCoverage",
        tag: DISPATCH,
        summary: "Distances from places with people to help",
        thread: Thread::Bulk,
        params: COVERAGE,
        formats: &[GEOJSON_NAMED, CSV],
        replies: &[ok(GEOJSON_TYPE, "found"), TABLE],
        ..Endpoint::get("/api/coverage", coverage::coverage)
    },
    Endpoint {
        id: "getLayers",
        tag: MAP,
        summary: "Layers, their fields, units and code lists",
        replies: &[ok(JSON_TYPE, "layers")],
        ..Endpoint::get("/api/layers", layers::layers)
    },
    Endpoint {
        id: "getEvents",
        tag: MAP,
        summary: "Changes as server-sent events; Last-Event-ID resumes a stream",
        handler: Handler::Async(|call| Box::pin(events::events(call))),
        params: EVENTS,
        replies: &[ok("text/event-stream", "")],
        ..Endpoint::get("/api/events", health::live)
    },
    Endpoint {
        id: "getTileJson",
        tag: TILES,
        summary: "TileJSON 3.0 of layers",
        thread: Thread::Interactive,
        params: TILEJSON,
        replies: &[ok(JSON_TYPE, "tileJson")],
        ..Endpoint::get("/tiles/{layers}", xyz::tilejson)
    },
    Endpoint {
        id: "getClusterMembers",
        tag: TILES,
        summary: "The members of a cluster in a tile, with the filter of the tile",
        thread: Thread::Interactive,
        params: MEMBERS,
        replies: &[ok(GEOJSON_TYPE, "members")],
        ..Endpoint::get("/api/clusters/{layer}/{clusterId}", clusters::members)
    },
    Endpoint {
        id: "getStyle",
        tag: TILES,
        summary: "A MapLibre style",
        replies: &[ok(JSON_TYPE, "anything"), empty(304)],
        ..Endpoint::get("/styles/{styleId}.json", assets::style)
    },
    Endpoint {
        id: "getLandingPage",
        summary: "Landing page",
        replies: &[ok(JSON_TYPE, "landingPage"), PAGE],
        ..ogc_page("/ogc", landing::landing_page)
    },
    Endpoint {
        id: "getConformance",
        summary: "Conformance classes",
        replies: &[ok(JSON_TYPE, "conformance"), PAGE],
        ..ogc_page("/ogc/conformance", conformance::conformance)
    },
    Endpoint {
        id: "getFunctions",
        summary: "Functions for use in filters",
        replies: &[ok(JSON_TYPE, "functions"), PAGE],
        ..ogc_page("/ogc/functions", collections::functions)
    },
    Endpoint {
        id: "getCollections",
        summary: "All collections",
        replies: &[ok(JSON_TYPE, "collections"), PAGE],
        ..ogc_page("/ogc/collections", collections::collections)
    },
    Endpoint {
        id: "getCollection",
        summary: "One collection",
        replies: &[ok(JSON_TYPE, "collection"), PAGE],
        ..ogc_page("/ogc/collections/{collectionId}", collections::collection)
    },
    Endpoint {
        id: "getQueryables",
        summary: "Properties for use in filters",
        params: SCHEMA_PAGE,
        formats: &[SCHEMA, HTML],
        replies: SCHEMA_REPLIES,
        ..ogc_page("/ogc/collections/{collectionId}/queryables", collections::queryables)
    },
    Endpoint {
        id: "getSortables",
        summary: "Properties for sorting",
        params: SCHEMA_PAGE,
        formats: &[SCHEMA, HTML],
        replies: SCHEMA_REPLIES,
        ..ogc_page("/ogc/collections/{collectionId}/sortables", collections::sortables)
    },
    Endpoint {
        id: "getSchema",
        summary: "JSON Schema of the features",
        params: SCHEMA_PAGE,
        formats: &[SCHEMA, HTML],
        replies: SCHEMA_REPLIES,
        ..ogc_page("/ogc/collections/{collectionId}/schema", collections::features_schema)
    },
    Endpoint {
        id: "getCodelist",
        summary: "A code list",
        formats: &[JSON],
        replies: &[ok(JSON_TYPE, "codelist")],
        ..ogc_page("/ogc/codelists/{codelistId}", collections::codelist)
    },
    Endpoint {
        id: "getStyles",
        summary: "Map styles",
        replies: &[ok(JSON_TYPE, "styles"), PAGE],
        ..tiles_page("/ogc/styles", styles::styles)
    },
    Endpoint {
        id: "getOgcStyle",
        summary: "A map style",
        formats: &[MAPBOX_STYLE],
        replies: &[ok(MAPBOX_STYLE.media_type, "anything"), empty(304)],
        ..tiles_page("/ogc/styles/{styleId}", styles::style)
    },
    Endpoint {
        id: "getTileMatrixSets",
        summary: "Tile matrix sets",
        replies: &[ok(JSON_TYPE, "tileMatrixSets"), PAGE],
        ..tiles_page("/ogc/tileMatrixSets", tilesets::tile_matrix_sets)
    },
    Endpoint {
        id: "getTileMatrixSet",
        summary: "One tile matrix set",
        replies: &[ok(JSON_TYPE, "tileMatrixSet"), PAGE],
        ..tiles_page("/ogc/tileMatrixSets/{tileMatrixSetId}", tilesets::tile_matrix_set)
    },
    Endpoint {
        id: "map.dataset.vector.getTileSetsList",
        summary: "Tile sets of the whole map",
        params: MAP_TILES,
        replies: &[ok(JSON_TYPE, "tilesets"), PAGE],
        ..tiles_page("/ogc/tiles", tilesets::tilesets)
    },
    Endpoint {
        id: "map.dataset.vector.getTileSet",
        summary: "One tile set of the whole map",
        params: MAP_TILES,
        replies: &[ok(JSON_TYPE, "tileset"), PAGE],
        ..tiles_page("/ogc/tiles/{tileMatrixSetId}", tilesets::tileset)
    },
    Endpoint {
        id: "map.dataset.vector.getTile",
        summary: "A tile of the whole map",
        params: MAP_TILE,
        ..tile_endpoint(
            "/ogc/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}",
            tilesets::kept_map_tile,
            tilesets::map_tile,
        )
    },
    Endpoint {
        id: "features.collection.vector.getTileSetsList",
        summary: "Tile sets of a collection",
        replies: &[ok(JSON_TYPE, "tilesets"), PAGE],
        ..tiles_page("/ogc/collections/{collectionId}/tiles", tilesets::tilesets_of_collection)
    },
    Endpoint {
        id: "features.collection.vector.getTileSet",
        summary: "One tile set of a collection",
        replies: &[ok(JSON_TYPE, "tileset"), PAGE],
        ..tiles_page("/ogc/collections/{collectionId}/tiles/{tileMatrixSetId}", tilesets::tileset_of_collection)
    },
    Endpoint {
        id: "features.collection.vector.getTile",
        summary: "A tile of a collection",
        params: COLLECTION_TILE,
        ..tile_endpoint(
            "/ogc/collections/{collectionId}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}",
            tilesets::kept_collection_tile,
            tilesets::collection_tile,
        )
    },
    Endpoint {
        id: "getApi",
        tag: OPERATION,
        summary: "This description",
        params: FORMAT_ONLY,
        formats: &[OPENAPI],
        replies: &[ok(openapi::MEDIA_TYPE, "anything"), empty(304)],
        ..Endpoint::get("/openapi.json", api_document)
    },
    Endpoint {
        id: "getOgcApi",
        tag: OGC,
        summary: "The description of the OGC API, rooted at its landing page",
        params: FORMAT_ONLY,
        formats: &[OPENAPI],
        replies: &[ok(openapi::MEDIA_TYPE, "anything"), empty(304)],
        ..Endpoint::get("/ogc/openapi.json", ogc_api_document)
    },
    Endpoint { params: VIEWER, access: Access::Open, ..Endpoint::get("/", assets::viewer) },
    Endpoint { access: Access::Open, ..Endpoint::get("/docs", assets::docs) },
    Endpoint { params: VIEWER_FILE, access: Access::Open, ..Endpoint::get("/viewer/{file:.*}", assets::viewer_file) },
];
