//! OGC API Tiles: tile matrix sets match the OGC registry, tile sets link to their tiles, and all grids show the same
//! features.

use serde_json::{Value as Json, json};

use super::{document, link, path};
use crate::support::node::script_well;
use crate::support::{Server, encoded};

#[test]
fn tile_matrix_sets_have_the_scales_of_the_registry() {
    let (_folder, server) = Server::of_sample();
    let sets = document(&server, "/ogc/tileMatrixSets")["tileMatrixSets"].clone();
    assert_eq!(sets.as_array().map(Vec::len), Some(3));
    let close = |a: &Json, b: f64| (a.as_f64().expect("a number") / b - 1.0).abs() < 1e-9;
    for (id, first, scale, size, origin, width) in [
        (
            "WebMercatorQuad",
            "0",
            559_082_264.028_717,
            156_543.033_928_041,
            [-20_037_508.342_789_2, 20_037_508.342_789_2],
            1,
        ),
        ("WorldCRS84Quad", "0", 279_541_132.014_358_76, 0.703_125, [-180.0, 90.0], 2),
        ("CGCS2000Quad", "1", 279_541_132.014_358_76, 0.703_125, [90.0, -180.0], 2),
    ] {
        let set = document(&server, &format!("/ogc/tileMatrixSets/{id}"));
        let matrix = &set["tileMatrices"][0];
        assert_eq!(matrix["id"], first, "{id}");
        assert!(close(&matrix["scaleDenominator"], scale), "{id}: {matrix}");
        assert!(close(&matrix["cellSize"], size), "{id}: {matrix}");
        assert_eq!(matrix["pointOfOrigin"], json!(origin), "{id}");
        assert_eq!((&matrix["matrixWidth"], &matrix["matrixHeight"]), (&json!(width), &json!(1)), "{id}");
    }
    assert_eq!(server.get("/ogc/tileMatrixSets/Mars").status, 404);
}

#[test]
fn tile_sets_lead_to_tiles_inside_their_limits() {
    let (_folder, server) = Server::of_sample();
    for list in ["/ogc/tiles", "/ogc/tiles?collections=shelters,hazards", "/ogc/collections/shelters/tiles"] {
        let sets = document(&server, list)["tilesets"].clone();
        for set in sets.as_array().expect("tile sets") {
            let set = document(&server, path(&server, &link(set, "self", "application/json")));
            let template = link(&set, "item", "application/vnd.mapbox-vector-tile");
            let limits = set["tileMatrixSetLimits"].as_array().expect("limits");
            let limit = &limits[11];
            let address = |row: &Json, column: &Json| {
                let matrix = limit["tileMatrix"].as_str().expect("a matrix");
                template
                    .replace("{tileMatrix}", matrix)
                    .replace("{tileRow}", &row.to_string())
                    .replace("{tileCol}", &column.to_string())
            };
            let numbers = |least: &str, most: &str| {
                limit[least].as_u64().expect("a number")..=limit[most].as_u64().expect("a number")
            };
            let mut shown = 0;
            for row in numbers("minTileRow", "maxTileRow") {
                for column in numbers("minTileCol", "maxTileCol") {
                    let reply = server.get(path(&server, &address(&json!(row), &json!(column))));
                    assert!(reply.status == 200 || reply.status == 204, "{list} {row} {column}");
                    shown += usize::from(reply.status == 200);
                }
            }
            assert!(shown > 0, "{list}");
            assert_eq!(server.get(path(&server, &address(&json!(99_999_999), &json!(0)))).status, 404);
            let beside = limit["maxTileCol"].as_u64().expect("a number") + 1;
            let beside = server.get(path(&server, &address(&limit["minTileRow"], &json!(beside))));
            assert_eq!((beside.status, beside.json()["parameter"].clone()), (404, json!("tileCol")), "{list}");
        }
    }
}

#[test]
fn tiles_show_the_filtered_features() {
    let (_folder, server) = Server::of_sample();
    for (layer, parameters) in [
        ("shelters", format!("filter={}", encoded("capacity >= 300 AND status = 'standby'"))),
        (
            "hazards",
            format!("filter-lang=cql2-json&filter={}", encoded(r#"{"op":"<=","args":[{"property":"risk_level"},2]}"#)),
        ),
        ("shelters", "ids=SH-0003,SH-0005".to_owned()),
        ("stations", "datetime=2026-01-01T00:00:00Z/..".to_owned()),
    ] {
        let items = document(&server, &format!("/ogc/collections/{layer}/items?limit=1&{parameters}"));
        let expected = items["numberMatched"].as_u64();
        assert!(expected > Some(0), "{parameters} chooses nothing");
        // Twice: rendered, then from the cache, beside the tile without a filter.
        for _ in 0..2 {
            let printed = script_well("conformance/count.mjs", &[&server.url, layer, "WebMercatorQuad", &parameters]);
            assert_eq!(printed.trim().parse().ok(), expected, "{layer} {parameters}");
        }
        let printed = script_well("conformance/count.mjs", &[&server.url, layer, "WebMercatorQuad"]);
        assert!(printed.trim().parse().ok() >= expected, "{layer}: all");
    }
    let tilejson = document(&server, "/tiles/shelters?filter=capacity%3E300");
    assert!(
        tilejson["tiles"][0].as_str().is_some_and(|address| address.ends_with("?filter=capacity%3E300")),
        "{tilejson}"
    );
    let refused = server.get("/tiles/shelters,roads/10/850/434?filter=capacity%3E300");
    assert_eq!((refused.status, &refused.json()["parameter"]), (400, &json!("filter")), "roads have no capacity");
}

#[test]
fn every_tile_matrix_set_shows_the_same_features() {
    let (_folder, server) = Server::of_sample();
    let expected = document(&server, "/ogc/collections/shelters/items?limit=1")["numberMatched"].as_u64();
    for grid in ["WebMercatorQuad", "WorldCRS84Quad", "CGCS2000Quad"] {
        let printed = script_well("conformance/count.mjs", &[&server.url, "shelters", grid]);
        assert_eq!(printed.trim().parse().ok(), expected, "{grid}");
    }
}

#[test]
fn datetime_selects_features_in_tiles_of_the_map_and_of_collections() {
    let (_folder, server) = Server::of_sample();
    let classes = document(&server, "/ogc/conformance")["conformsTo"].to_string();
    assert!(classes.contains("ogcapi-tiles-1/1.0/conf/datetime"), "{classes}");
    let set = document(&server, "/ogc/tiles/WebMercatorQuad");
    let limit = &set["tileMatrixSetLimits"][8];
    let tile =
        format!("WebMercatorQuad/{}/{}/{}", text(&limit["tileMatrix"]), limit["minTileRow"], limit["minTileCol"]);
    let bytes = |path: &str| {
        let reply = server.get(path);
        assert!(reply.status == 200 || reply.status == 204, "{path}: {}", reply.status);
        reply.body
    };
    for base in ["/ogc/tiles/", "/ogc/collections/incidents/tiles/"] {
        let all = if base == "/ogc/tiles/" { "?collections=incidents,villages&" } else { "?" };
        let of = |datetime: &str| bytes(&format!("{base}{tile}{all}datetime={datetime}"));
        let whole = bytes(&format!("{base}{tile}{all}"));
        let (before, from, until) = (of("1990-01-01T00:00:00Z"), of("1990-01-01T00:00:00Z/.."), of("../1990-01-01"));
        assert!(before.len() < whole.len(), "{base}: incidents of 1990 are {} bytes", before.len());
        assert_eq!((&from, &until), (&whole, &before), "{base}");
        assert_eq!(of("/1990-01-01T00:00:00Z"), before, "{base}");
        let axis = |range: &str| bytes(&format!("{base}{tile}{all}subset={}", encoded(&format!("datetime({range})"))));
        for (range, expected) in [
            ("\"1990-01-01T00:00:00Z\"", &before),
            ("\"1990-01-01T00:00:00Z\":*", &whole),
            ("*:\"1990-01-01\"", &before),
            ("\"1989-01-01\":\"1990-01-01T00:00:00Z\"", &before),
        ] {
            assert_eq!(&axis(range), expected, "{base} {range}");
        }
        for refused in
            ["time(\"1990-01-01\")", "datetime(1990-01-01)", "datetime(*:*)", "datetime(\"x\")", "datetime(\""]
        {
            let reply = server.get(&format!("{base}{tile}{all}subset={}", encoded(refused)));
            assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!("subset")), "{base} {refused}");
        }
        for refused in ["yesterday", "../..", "2026-08-14T10:00:00", "2026-08-15T00:00:00Z/2026-08-14T00:00:00Z", ""] {
            let reply = server.get(&format!("{base}{tile}{all}datetime={refused}"));
            assert_eq!((reply.status, &reply.json()["parameter"]), (400, &json!("datetime")), "{base} {refused}");
        }
    }
    // A layer without a time is not filtered.
    let villages = |query: &str| bytes(&format!("/ogc/tiles/{tile}?collections=villages{query}"));
    assert_eq!(villages("&datetime=1990-01-01"), villages(""));
}

fn text(value: &Json) -> &str {
    value.as_str().expect("a text")
}
