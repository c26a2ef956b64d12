//! Parameters by their names: type, meaning, an example.

use serde_json::{Value as Json, json};

use crate::geodesy::datum::ACCEPTED_CRS;
use crate::geodesy::reference::{CRS84, CrsTransform};
use crate::http::openapi::operations::Operation;
use crate::tile::TileAddress;

/// A parameter in the query of an operation.
#[expect(clippy::too_many_lines, reason = "one table, a row for each name")]
pub(crate) fn query(operation: &Operation, name: &'static str) -> Json {
    let addresses: Vec<&str> = CrsTransform::addresses().collect();
    let is_ogc = operation.path.starts_with("/ogc");
    let text = || json!({"type": "string"});
    let list = || json!({"type": "array", "items": {"type": "string"}, "minItems": 1});
    let yes_or_no = || json!({"type": "boolean", "default": false});
    let metres = || json!({"type": "number", "minimum": 0, "exclusiveMinimum": true});
    let (schema, says, example) = match name {
        "f" => (
            json!({"type": "string", "enum": operation.forms}),
            "Form of the answer; without it the header Accept decides",
            json!(operation.forms.first()),
        ),
        "limit" if is_ogc => (
            json!({"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100}),
            "Most features of a page; more than the maximum is the maximum",
            json!(10),
        ),
        "limit" => (json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 10}), "Most answers", json!(10)),
        "bbox" => (
            json!({"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}),
            "West, south, east, north in degrees, or the least and the greatest coordinates of bbox-crs; west greater than east crosses the antimeridian",
            json!([118.5, 25.9, 119.1, 26.6]),
        ),
        "bbox-crs" | "filter-crs" => (
            json!({"type": "string", "enum": addresses, "default": CRS84}),
            "Reference system of its coordinates",
            json!(CRS84),
        ),
        "crs" if is_ogc => (
            json!({"type": "string", "enum": addresses, "default": CRS84}),
            "Reference system of the answer",
            json!(CRS84),
        ),
        "crs" => (text(), ACCEPTED_CRS, json!("gcj02")),
        "datetime" => {
            (text(), "An instant, or an interval FROM/TO whose ends may be ..", json!("2026-08-01T00:00:00Z/.."))
        }
        "filter" => (text(), "A CQL2 expression", json!("name LIKE '%小学%'")),
        "filter-lang" => (
            json!({"type": "string", "enum": ["cql2-text", "cql2-json"], "default": "cql2-text"}),
            "How the filter is written",
            json!("cql2-text"),
        ),
        "sortby" => (list(), "Properties to sort by, a - before those that descend", json!(["-name"])),
        "properties" => (list(), "Properties that are shown", json!(["name"])),
        "skipGeometry" => (yes_or_no(), "Leave geometries out", json!(true)),
        "ids" => (list(), "Only these features", json!(["SH-0001"])),
        "after" | "before" => (
            json!({"type": "string", "minLength": 1}),
            "Where the page begins, or ends; as the links next and prev hold it",
            json!("SH-0001"),
        ),
        "q" => (json!({"type": "string", "minLength": 1, "maxLength": 100}), "Words to look for", json!("小学")),
        "collections" => (list(), "Collections in the tiles; all without it", json!(["shelters"])),
        "layers" | "layer" => {
            (list(), "Ids of layers, for nearest each with a number of answers after a colon", json!(["shelters"]))
        }
        "v" => (text(), "Anything that makes the address a new one", json!("1")),
        "point" => (
            json!({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
            "Longitude, latitude in degrees, or coordinates of crs",
            json!([118.86, 26.22]),
        ),
        "near" => (
            text(),
            "A point, line or area as WKT or GeoJSON to start from",
            json!("LINESTRING(118.8 26.2,118.9 26.3)"),
        ),
        "k" => (json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 5}), "How many answers", json!(5)),
        "max_distance_m" => (metres(), "Nothing farther, metres", json!(20_000)),
        "people" => (
            json!({"type": "integer", "minimum": 1, "maximum": 1_000_000_000}),
            "Free places that are needed, persons",
            json!(120),
        ),
        "night" => (yes_or_no(), "Count places to sleep in", json!(true)),
        "hazard" => (list(), "Dangers that it must be for, or that are audited", json!(["flood"])),
        "status" => (list(), "ready, any, or codes", json!(["ready"])),
        "skills" => (list(), "What it must be able to do", json!(["flood_rescue"])),
        "items" => {
            (list(), "What it must have: code or name of an article, a colon and a quantity", json!(["tent:20"]))
        }
        "within" => (text(), "Code of a division, or an area as WKT or GeoJSON", json!("350124100000")),
        "avoid" => (
            list(),
            "Dangers whose zones are avoided; any, warnings, incidents; NAME:METRES for a margin",
            json!(["landslide"]),
        ),
        "avoid_level" | "level" => (
            json!({"type": "integer", "minimum": 1, "maximum": 4}),
            "Zones of this level or worse; 1 is worst",
            json!(2),
        ),
        "explain" => (yes_or_no(), "Tell who was nearer and was passed over, and why", json!(true)),
        "relax" => (yes_or_no(), "Fill up with those who can do part of it", json!(true)),
        "cover" => (yes_or_no(), "The nearest set that covers the demand together", json!(true)),
        "stale_after_h" => (
            json!({"type": "integer", "minimum": 1, "maximum": 1_000_000}),
            "Mark records that nobody has confirmed for so many hours",
            json!(720),
        ),
        "radius_m" => (
            json!({"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 10}),
            "Rings, metres, growing",
            json!([500, 1000, 3000]),
        ),
        "kind" => (text(), "Kind of incident, which has rings of its own", json!("landslide")),
        "incident" | "warning" | "zone" => (text(), "Id of one on file", json!("IN-0001")),
        "margin_m" => (
            json!({"type": "integer", "minimum": 0, "maximum": 10_000, "default": 0}),
            "What is so near counts as inside, metres",
            json!(50),
        ),
        "shelter_m" | "team_m" | "depot_m" => (metres(), "Farther than this is beyond reach, metres", json!(5000)),
        "beyond" => (yes_or_no(), "Only places that are beyond reach", json!(true)),
        _ => (text(), "Where a broken stream goes on", json!("1")),
    };
    let required = matches!((operation.id, name), ("getNearest", "layer") | ("search", "q"));
    let mut parameter = json!({"name": name, "in": "query", "required": required, "description": says, "schema": schema, "example": example});
    if schema["type"] == "array" {
        parameter["style"] = json!("form");
        parameter["explode"] = json!(false);
    }
    parameter
}

/// A parameter in the path.
pub(crate) fn path(name: &str, collections: &[&str], grids: &[&str]) -> Json {
    let number = || json!({"type": "integer", "minimum": 0});
    let (schema, says, example) = match name {
        "collectionId" => {
            (json!({"type": "string", "enum": collections}), "Id of a collection", json!(collections.first()))
        }
        "featureId" => (json!({"type": "string", "minLength": 1}), "Id of a feature", json!("SH-0001")),
        "tileMatrixSetId" => (json!({"type": "string", "enum": grids}), "Name of a grid", json!(grids.first())),
        "tileMatrix" | "z" => {
            (json!({"type": "integer", "minimum": 0, "maximum": TileAddress::MAX_ZOOM}), "Zoom", json!(10))
        }
        "tileRow" | "y" => (number(), "Row from the north", json!(434)),
        "tileCol" | "x" => (number(), "Column from the west", json!(850)),
        "styleId" => (json!({"type": "string"}), "Name of a style", json!("onemap")),
        _ => (json!({"type": "string"}), "Ids of layers joined by commas", json!(collections.first())),
    };
    json!({"name": name, "in": "path", "required": true, "description": says, "schema": schema, "example": example})
}

/// Headers that writers may send.
pub(crate) fn of_writers(operation: &Operation) -> Vec<Json> {
    let header = |name: &str, says: &str, example: &str| json!({"name": name, "in": "header", "required": false, "description": says, "schema": {"type": "string"}, "example": example});
    let mut headers = vec![header("Idempotency-Key", "The same key makes the same edit once", "7d1f-1")];
    if matches!(operation.method, "put" | "patch" | "delete") {
        headers.push(header(
            "If-Match",
            "The ETag of the state that is changed; 412 when it is another by now",
            "\"0123456789abcdef\"",
        ));
    }
    if operation.body.is_some() && operation.path.starts_with("/ogc") {
        headers.push(header("Content-Crs", "Reference system of the body's coordinates", &format!("<{CRS84}>")));
    }
    headers
}
