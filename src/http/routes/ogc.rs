//! Endpoints of the OGC API: features, edits, styles and tiles.

use crate::http::call::Call;
use crate::http::endpoint::{Body, Endpoint, Handler, Success, Thread, Verb, empty, ok};
use crate::http::endpoint_kinds::{
    FEATURE_BODY, GEOJSON_TYPE, JSON_TYPE, OGC, OPENAPI, PAGE, SCHEMA_REPLIES, TABLE, ogc_page, tile_endpoint,
    tiles_page, write,
};
use crate::http::ogc::{collections, conformance, edits, items, landing, styles};
use crate::http::openapi;
use crate::http::params::lists::{COLLECTION_TILE, FORMAT_ONLY, ITEM, ITEMS, MAP_TILE, MAP_TILES, SCHEMA_PAGE};
use crate::http::reply::Reply;
use crate::http::reply::media::{FEATURE_FORMATS, HTML, ITEM_FORMATS, JSON, JSON_FG, MAPBOX_STYLE, SCHEMA};
use crate::http::reply::problem::Problem;
use crate::http::tiles::tilesets;

/// `GET /ogc/openapi.json`: the OGC API alone, rooted at its landing page, as clients of the standard expect it.
fn ogc_api_document(call: &Call<'_>) -> Result<Reply, Problem> {
    call.format()?;
    Ok(openapi::document(call, &super::ENDPOINTS, "/ogc", "onemap OGC API"))
}

pub(super) static ENDPOINTS: &[Endpoint] = &[
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
        ..tiles_page("/ogc/styles", styles::list)
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
        id: "getOgcApi",
        tag: OGC,
        summary: "The description of the OGC API, rooted at its landing page",
        params: FORMAT_ONLY,
        formats: &[OPENAPI],
        replies: &[ok(openapi::MEDIA_TYPE, "anything"), empty(304)],
        ..Endpoint::get("/ogc/openapi.json", ogc_api_document)
    },
];
