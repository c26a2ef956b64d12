//! Endpoints of tiles, their TileJSON, styles and archives.

use crate::http::api::{clusters, health};
use crate::http::assets;
use crate::http::endpoint::{Endpoint, Handler, Success, Thread, empty, ok};
use crate::http::endpoint_kinds::{GEOJSON_TYPE, JSON_TYPE, TILES, tile_endpoint};
use crate::http::fonts;
use crate::http::params::lists::{MEMBERS, TILEJSON, XYZ_TILE};
use crate::http::tiles::{packs, tile_catalog, xyz};
use crate::tile::TileFormat;

pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        id: "getXyzTile",
        summary: "A vector tile of layers, in WebMercatorQuad",
        params: XYZ_TILE,
        ..tile_endpoint("/tiles/{layers}/{z}/{x}/{y}", xyz::kept, xyz::tile)
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
        id: "getGlyphs",
        tag: TILES,
        summary: "Glyphs of a font for map styles",
        replies: &[ok(fonts::MEDIA_TYPE, ""), empty(304)],
        ..Endpoint::get("/fonts/{fontStack}/{range}.pbf", fonts::glyphs)
    },
    Endpoint {
        id: "getTileCatalog",
        tag: TILES,
        summary: "Sources of tiles, and styles, by id",
        replies: &[ok(JSON_TYPE, "tileCatalog")],
        ..Endpoint::get("/catalog", tile_catalog::catalog)
    },
    Endpoint {
        id: "getPacks",
        tag: TILES,
        summary: "Archives of tiles",
        handler: Handler::Async(|call| Box::pin(packs::list(call))),
        replies: &[ok(JSON_TYPE, "packs")],
        ..Endpoint::get("/packs", health::live)
    },
    Endpoint {
        id: "getPack",
        tag: TILES,
        summary: "An archive of tiles as a PMTiles or MBTiles file, or a range of it",
        handler: Handler::Async(|call| Box::pin(packs::file(call))),
        replies: &[
            ok(packs::MEDIA_TYPE, ""),
            ok(packs::SQLITE, ""),
            Success { status: 206, media_type: packs::MEDIA_TYPE, schema: "" },
            Success { status: 206, media_type: packs::SQLITE, schema: "" },
            empty(304),
        ],
        ..Endpoint::get("/packs/{pack}", health::live)
    },
    Endpoint {
        id: "getPackTileJson",
        tag: TILES,
        summary: "TileJSON 3.0 of an archive",
        handler: Handler::Async(|call| Box::pin(packs::tilejson(call))),
        replies: &[ok(JSON_TYPE, "packTileJson")],
        ..Endpoint::get("/packs/{pack}/tilejson.json", health::live)
    },
    Endpoint {
        id: "getPackTile",
        tag: TILES,
        summary: "A tile of an archive, in the format of the archive",
        handler: Handler::Async(|call| Box::pin(packs::tile(call))),
        replies: &[
            ok(TileFormat::Mvt.media_type(), ""),
            ok(TileFormat::Mlt.media_type(), ""),
            ok("image/png", ""),
            ok("image/jpeg", ""),
            ok("image/webp", ""),
            ok("image/avif", ""),
            empty(204),
            empty(304),
        ],
        ..Endpoint::get("/packs/{pack}/{z}/{x}/{y}", health::live)
    },
];
