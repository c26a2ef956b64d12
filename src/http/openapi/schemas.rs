//! Schemas of bodies and replies.

use serde_json::{Map, Value as Json, json};

use crate::http::ogc::schemas::property;
use crate::model::catalog::Catalog;
use crate::model::{ImportMode, Role, View};

/// All schemas, by name.
pub(crate) fn schemas(catalog: &Catalog, views: &[View<'_>]) -> Json {
    let mut schemas = pages();
    for more in [features(), tiles(), dispatch(), duty(), roads(), commitments(), imports(), subscriptions()] {
        if let (Some(all), Json::Object(more)) = (schemas.as_object_mut(), more) {
            all.extend(more);
        }
    }
    for view in views {
        let layer = view.schema();
        let mut properties = Map::new();
        for (_, field) in view.fields() {
            let mut property = property(catalog, layer, field);
            property["nullable"] = json!(true);
            // OpenAPI 3.0 requires null in the enum of a nullable property.
            if let Some(values) = property.get_mut("enum").and_then(Json::as_array_mut) {
                values.push(Json::Null);
            }
            properties.insert(field.name.clone(), property);
        }
        let title = format!("{} {}", layer.title.zh, layer.title.en);
        schemas[format!("{}Properties", layer.id)] =
            json!({"type": "object", "title": title, "properties": properties, "additionalProperties": false});
    }
    let any: Vec<Json> = views.iter().map(|view| reference(&format!("{}Properties", view.schema().id))).collect();
    schemas["featureProperties"] = json!({"anyOf": any});
    schemas
}

/// An example of a body.
pub(crate) fn example(schema: &str) -> Option<Json> {
    let feature = json!({
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [118.86, 26.22]},
        "properties": {"name": "梅城小学避灾点"},
    });
    Some(match schema {
        "newFeature" => feature,
        "edits" => json!({"edits": [{"op": "create", "collection": "shelters", "feature": feature}]}),
        "nearestRequest" => {
            json!({"layer": "shelters", "k": 3, "people": 50, "points": [[118.86, 26.22], [118.7, 26.3]]})
        }
        _ => return None,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "so that tables of schemas stay readable")]
/// An object of properties, all of those named required.
fn object(required: &[&str], properties: Json) -> Json {
    let mut json = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        json["required"] = json!(required);
    }
    json
}

#[expect(clippy::needless_pass_by_value, reason = "so that tables of schemas stay readable")]
fn list(items: Json) -> Json {
    json!({"type": "array", "items": items})
}

/// A reply from the snapshot: its own members, and those that every reply has.
fn answer(required: &[&str], mut properties: Json) -> Json {
    properties["data_version"] = json!({"type": "string", "description": "Version of the snapshot"});
    properties["data_age_s"] = json!({"type": "number", "description": "Seconds since the store confirmed it"});
    properties["stale"] =
        json!({"type": "boolean", "description": "Whether the store has not confirmed the snapshot recently"});
    properties["unavailable"] = json!({
        "type": "object",
        "description": "Layers that cannot be read, by id; absent if all can be read, except in `/health/ready`",
        "additionalProperties": object(&["age_s"], json!({"age_s": whole()})),
    });
    let mut all = required.to_vec();
    all.extend(["data_version", "data_age_s", "stale"]);
    object(&all, properties)
}

fn text() -> Json {
    json!({"type": "string"})
}

fn number() -> Json {
    json!({"type": "number"})
}

fn whole() -> Json {
    json!({"type": "integer"})
}

fn pages() -> Json {
    let links = list(reference("link"));
    json!({
        "anything": {"type": "object"},
        "link": object(&["href", "rel"], json!({
            "href": text(), "rel": text(), "type": text(), "title": text(), "templated": {"type": "boolean"},
        })),
        "problem": object(&["type", "title", "status", "detail"], json!({
            "type": text(), "title": text(), "status": whole(), "detail": text(),
            "parameter": text(), "value": {}, "accepted": {}, "edit": whole(), "incident": text(),
        })),
        "landingPage": answer(&["links"], json!({"title": text(), "description": text(), "links": links})),
        "conformance": answer(&["conformsTo"], json!({"conformsTo": list(text()), "links": links})),
        "functions": answer(&["functions"], json!({"functions": list(object(&["name", "returns"], json!({
            "name": text(), "description": text(), "returns": list(text()),
            "arguments": list(object(&["type"], json!({"type": list(text())}))),
        })))})),
        "extent": object(&[], json!({
            "spatial": object(&["bbox"], json!({"bbox": list(list(number())), "crs": text()})),
            "temporal": object(&["interval"], json!({
                "interval": list(list(json!({"type": "string", "nullable": true}))), "trs": text(),
            })),
        })),
        "collectionFacts": object(&["id", "links"], json!({
            "id": text(), "title": text(), "description": text(), "itemType": text(), "crs": list(text()),
            "storageCrs": text(), "links": links, "extent": reference("extent"),
        })),
        "collection": {"allOf": [reference("collectionFacts"), answer(&[], json!({}))]},
        "collections": answer(&["links", "collections"], json!({
            "links": links, "crs": list(text()), "collections": list(reference("collectionFacts")),
        })),
        "jsonSchema": object(&["$schema", "$id", "type", "properties"], json!({
            "$schema": text(), "$id": text(), "type": kind("object"), "title": text(), "properties": {"type": "object"},
        })),
    })
}

fn features() -> Json {
    let links = list(reference("link"));
    let time = json!({"type": "object", "nullable": true, "properties": {
        "date": {"type": "string", "format": "date"}, "timestamp": {"type": "string", "format": "date-time"},
        "interval": {"type": "array", "items": text(), "minItems": 2, "maxItems": 2},
    }});
    json!({
        "geometry": {
            "type": "object",
            "nullable": true,
            "required": ["type", "coordinates"],
            "properties": {
                "type": {"type": "string", "enum": ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]},
                "coordinates": {"type": "array", "items": {}},
            },
        },
        "featureFacts": object(&["type", "id", "geometry", "properties"], json!({
            "type": kind("Feature"), "id": text(), "geometry": reference("geometry"), "properties": reference("featureProperties"),
        })),
        "feature": {"allOf": [reference("featureFacts"), answer(&["links"], json!({"links": links}))]},
        "featureCollection": answer(&["type", "features", "numberMatched", "numberReturned", "links"], json!({
            "type": kind("FeatureCollection"), "features": list(reference("featureFacts")),
            "numberMatched": whole(), "numberReturned": whole(),
            "timeStamp": {"type": "string", "format": "date-time"}, "links": links,
        })),
        "codelist": answer(&["id", "codes", "links"], json!({
            "id": text(), "links": links,
            "codes": list(object(&["code", "zh", "en"], json!({
                "code": {}, "zh": text(), "en": text(), "color": text(), "unit": text(),
            }))),
        })),
        "jsonFgFeature": {"allOf": [
            reference("feature"),
            object(&["conformsTo", "featureType", "time", "place"], json!({
                "conformsTo": list(text()), "featureType": text(), "featureSchema": text(), "coordRefSys": text(),
                "time": time, "place": reference("geometry"),
            })),
        ]},
        "jsonFgCollection": {"allOf": [
            reference("featureCollection"),
            object(&["conformsTo", "featureType"], json!({
                "conformsTo": list(text()), "featureType": text(), "featureSchema": text(), "coordRefSys": text(),
                "geometryDimension": whole(),
                "features": list(object(&["time", "place"], json!({"time": time, "place": reference("geometry")}))),
            })),
        ]},
        "newFeature": object(&[], json!({
            "type": kind("Feature"), "id": text(), "geometry": reference("geometry"),
            "properties": {"type": "object", "nullable": true},
        })),
        "created": object(&["id"], json!({"id": text()})),
        "edits": object(&["edits"], json!({"edits": {
            "type": "array", "minItems": 1, "maxItems": 10_000,
            "items": object(&["op", "collection"], json!({
                "op": {"type": "string", "enum": ["create", "replace", "patch", "delete"]}, "collection": text(),
                "id": text(), "feature": reference("newFeature"), "if_match": text(),
            })),
        }})),
        "edited": object(&["edits"], json!({"edits": list(object(&["id"], json!({
            "collection": text(), "id": text(), "etag": {"type": "string", "nullable": true},
        })))})),
    })
}

fn tiles() -> Json {
    let links = list(reference("link"));
    json!({
        "styles": answer(&["styles", "default", "links"], json!({
            "styles": list(object(&["id", "links"], json!({"id": text(), "title": text(), "links": links}))),
            "default": text(), "links": links,
        })),
        "tileMatrixSets": answer(&["tileMatrixSets"], json!({"tileMatrixSets": list(object(&["id", "links"], json!({
            "id": text(), "title": text(), "uri": text(), "crs": text(), "links": links,
        })))})),
        "tileMatrixSet": answer(&["id", "crs", "tileMatrices"], json!({
            "id": text(), "title": text(), "uri": text(), "crs": text(), "orderedAxes": list(text()),
            "wellKnownScaleSet": text(), "links": links, "tileMatrices": list(object(
                &["id", "scaleDenominator", "cellSize", "pointOfOrigin", "tileWidth", "tileHeight", "matrixWidth", "matrixHeight"],
                json!({
                    "id": text(), "scaleDenominator": number(), "cellSize": number(), "cornerOfOrigin": text(),
                    "pointOfOrigin": list(number()), "tileWidth": whole(), "tileHeight": whole(),
                    "matrixWidth": whole(), "matrixHeight": whole(),
                }),
            )),
        })),
        "tilesets": answer(&["tilesets", "links"], json!({"links": links, "tilesets": list(object(&["dataType", "crs", "links"], json!({
            "title": text(), "dataType": kind("vector"), "crs": text(), "tileMatrixSetURI": text(), "links": links,
            "tileMatrixSetId": text(), "tileMatrixSetLimits": list(json!({"type": "object"})),
        })))})),
        "tileset": answer(&["dataType", "crs", "links"], json!({
            "title": text(), "dataType": kind("vector"), "crs": text(), "tileMatrixSetURI": text(), "links": links,
            "boundingBox": {"type": "object"}, "layers": list(json!({"type": "object"})),
            "tileMatrixSetLimits": list(object(&["tileMatrix"], json!({
                "tileMatrix": text(), "minTileRow": whole(), "maxTileRow": whole(), "minTileCol": whole(), "maxTileCol": whole(),
            }))),
        })),
        "tileCatalog": answer(&["tiles", "styles"], json!({
            "tiles": {"type": "object"}, "styles": {"type": "object"}, "sprites": {"type": "object"}, "fonts": {"type": "object"},
        })),
        "packs": answer(&["packs"], json!({"packs": list(object(&["name"], json!({
            "name": text(), "title": text(), "format": text(), "bytes": whole(), "minzoom": whole(), "maxzoom": whole(),
            "bounds": list(number()), "url": text(), "tilejson": text(),
        })))})),
        "packTileJson": answer(&["tilejson", "tiles"], json!({
            "tilejson": text(), "tiles": list(text()), "minzoom": whole(), "maxzoom": whole(), "bounds": list(number()),
        })),
        "tileJson": answer(&["tilejson", "tiles", "vector_layers"], json!({
            "tilejson": text(), "name": text(), "scheme": text(), "tiles": list(text()), "minzoom": whole(), "maxzoom": whole(),
            "bounds": list(number()), "vector_layers": list(json!({"type": "object"})),
        })),
    })
}

fn commitments() -> Json {
    json!({
        "coordinates": answer(&["point", "systems"], json!({
            "point": list(number()),
            "systems": list(object(&["crs", "coordinates"], json!({
                "crs": text(), "title": text(), "unit": text(), "coordinates": list(number()),
            }))),
        })),
        "commitments": answer(&["type", "features"], json!({
            "type": kind("FeatureCollection"), "numberReturned": whole(), "features": list(reference("featureFacts")),
        })),
        "commitment": object(&["type", "id", "properties"], json!({
            "type": kind("Feature"), "id": text(), "geometry": reference("geometry"), "properties": {"type": "object"},
        })),
        "commitmentRequest": object(&["incident", "resource"], json!({
            "incident": text(),
            "resource": object(&["layer", "id"], json!({"layer": text(), "id": text()})),
            "people": {"type": "integer", "minimum": 1, "maximum": 1_000_000}, "night": {"type": "boolean"},
            "items": list(object(&["code", "quantity"], json!({"code": text(), "quantity": number()}))),
            "until": text(), "state": {"type": "string", "enum": ["proposed", "committed", "en_route"]},
            "note": text(), "override": text(),
        })),
        "commitmentChange": object(&[], json!({
            "state": {"type": "string", "enum": ["committed", "en_route", "released"]},
            "until": {"type": "string", "nullable": true}, "note": text(), "override": text(),
        })),
    })
}

fn subscriptions() -> Json {
    let condition = object(
        &["field"],
        json!({
            "field": text(), "becomes": list(text()), "above": number(), "below": number(),
        }),
    );
    let words = json!({"type": "string", "enum": ["enters", "leaves", "changes"]});
    let common = || {
        json!({
            "name": {"type": "string", "nullable": true}, "layers": list(text()), "area": {"type": "object"},
            "when": list(json!({"oneOf": [words, condition]})), "filter": {"type": "string", "nullable": true},
            "webhook": {"type": "object", "nullable": true, "properties": {"url": text(), "secret": text()}},
        })
    };
    let mut own = common();
    for (name, schema) in [("id", text()), ("owner", text()), ("created_at", text()), ("last_sequence", whole())] {
        own[name] = schema;
    }
    let notice = json!({
        "id": text(), "sequence": whole(), "subscription": text(), "layer": text(), "feature": text(), "event": text(),
        "data_version": text(), "time": text(), "attempts": whole(), "reason": {"type": "string", "nullable": true},
    });
    json!({
        "subscriptionRequest": object(&["layers", "area", "when"], common()),
        "subscription": object(&["id", "layers", "area", "when"], own),
        "subscriptions": object(&["subscriptions"], json!({"subscriptions": list(reference("subscription"))})),
        "deadNotices": object(&["notices"], json!({"notices": list(object(&["id", "sequence"], notice))})),
        "resent": object(&["resent"], json!({"resent": whole()})),
    })
}

fn imports() -> Json {
    let mode = || json!({"type": "string", "enum": ImportMode::ALL.map(ImportMode::name)});
    let flag = || json!({"type": "boolean"});
    let counts = || {
        object(
            &["new", "changed", "unchanged", "removed", "skipped"],
            json!({
                "new": whole(), "changed": whole(), "unchanged": whole(), "removed": whole(), "skipped": whole(),
            }),
        )
    };
    json!({
        "importOptions": object(&[], json!({
            "crs": text(), "columns": {"type": "object", "additionalProperties": text()}, "sheet": text(), "source": text(),
            "mode": mode(), "key": text(), "skip_bad": flag(), "anywhere": flag(), "incomplete": flag(),
        })),
        "importPreview": object(&["id", "collection", "file", "bytes", "expires_at"], json!({
            "id": text(), "collection": text(), "file": text(), "bytes": whole(), "expires_at": text(),
            "needs": object(&["detail"], json!({"option": {"type": "string", "nullable": true}, "detail": text()})),
            "recognised": {"type": "object"}, "fields": list(text()), "report": {"type": "object"},
            "counts": {"type": "object", "nullable": true}, "sample": {"type": "object"},
        })),
        "importResult": object(&["id", "collection", "counts"], json!({"id": text(), "collection": text(), "counts": counts()})),
        "imports": object(&["imports"], json!({"imports": list(object(&["id", "at", "layer", "file", "actor", "mode", "counts"], json!({
            "id": text(), "at": text(), "layer": text(), "file": text(), "actor": text(), "mode": text(), "counts": counts(),
            "undone_at": {"type": "string", "nullable": true},
        })))})),
        "importUndo": object(&[], json!({"skip_changed": flag()})),
        "importUndone": object(&["restored", "removed", "kept"], json!({"restored": whole(), "removed": whole(), "kept": whole()})),
    })
}

fn roads() -> Json {
    json!({
        "isochrones": answer(&["type", "features"], json!({
            "type": kind("FeatureCollection"),
            "features": list(object(&["type", "id", "geometry", "properties"], json!({
                "type": kind("Feature"), "id": text(), "geometry": {"type": "object", "nullable": true},
                "properties": object(&["minutes", "by", "direction", "within_m"], json!({
                    "minutes": number(), "by": text(), "direction": text(), "within_m": number(),
                })),
            }))),
        })),
        "route": answer(&["type", "features"], json!({
            "type": kind("FeatureCollection"), "unreachable": object(&["closures"], json!({"closures": list(closure())})),
            "features": list(object(&["type", "id", "geometry", "properties"], json!({
                "type": kind("Feature"), "id": text(), "geometry": reference("geometry"),
                "properties": object(&["by", "duration_s", "road_m", "access_m", "roads", "crosses", "closures_avoided", "detour_s"], json!({
                    "by": text(), "duration_s": number(), "road_m": number(), "access_m": number(), "detour_s": number(),
                    "roads": list(json!({"type": "object"})), "crosses": list(json!({"type": "object"})),
                    "closures_avoided": list(closure()),
                })),
            }))),
        })),
    })
}

fn dispatch() -> Json {
    json!({
        "layers": answer(&["layers", "codes"], json!({
            "bounds": json!({"type": "array", "items": number(), "nullable": true}), "codes": {"type": "object"},
            "layers": list(json!({"type": "object"})),
        })),
        "nearest": answer(&["type", "features", "layers"], nearest()),
        // For one point as above; for several points without the summary of each layer.
        "nearestOfBody": answer(&["type", "features"], nearest()),
        "nearestRequest": object(&["layer"], json!({
            "layer": {}, "points": {"type": "array", "minItems": 1, "maxItems": 10_000, "items": list(number())},
        })),
        "allocationRequest": object(&["layer", "demands"], json!({
            "layer": text(), "item": text(), "together": {"type": "boolean"}, "max_distance_m": number(), "night": {"type": "boolean"},
            "demands": {"type": "array", "minItems": 1, "maxItems": 2_000, "items": object(&[], json!({
                "id": text(), "amount": whole(), "point": list(number()), "place": feature_name(), "each_of": text(),
                "inside": feature_name(), "share": number(),
            }))},
        })),
        "allocation": answer(&["type", "features", "demands", "totals", "nearest_first"], json!({
            "type": kind("FeatureCollection"), "layer": text(), "features": list(json!({"type": "object"})),
            "demands": list(json!({"type": "object"})), "totals": {"type": "object"}, "nearest_first": {"type": "object"},
            "saved_unit_km": {"type": "number", "nullable": true}, "saved_unit_h": {"type": "number", "nullable": true}, "gap": number(), "relief": {"type": "object", "nullable": true},
        })),
        "audit": answer(&["entries", "next"], json!({"next": {"type": "integer", "nullable": true}, "entries": list(object(&["number", "hash", "entry"], json!({
            "number": whole(), "hash": text(),
            "entry": object(&["entry", "at", "action", "actor", "role"], json!({
                "entry": text(), "at": {"type": "string", "format": "date-time"}, "action": text(), "actor": text(),
                "account": text(), "role": text(), "address": text(), "request_id": text(), "layer": text(),
                "id": text(), "reason": text(),
                "changes": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string", "nullable": true}}},
            })),
        })))})),
        "revealRequest": object(&["collection", "id", "reason"], json!({
            "collection": text(), "id": text(), "reason": {"type": "string", "minLength": 1, "maxLength": 500},
        })),
        "revealed": answer(&["collection", "id", "values"], json!({
            "collection": text(), "id": text(), "values": {"type": "object"},
        })),
        "signIn": object(&["secret"], json!({"secret": text()})),
        "signedIn": object(&["signed_in", "role"], json!({"signed_in": {"type": "boolean"}, "role": text()})),
        "session": answer(&["signed_in", "role", "name", "expires_at", "writable_layers", "regions"], json!({
            "signed_in": {"type": "boolean"}, "role": {"type": "string", "enum": Role::ALL.map(Role::name)},
            "name": {"type": "string", "nullable": true},
            "expires_at": {"type": "string", "format": "date-time", "nullable": true},
            "writable_layers": list(text()), "regions": {"type": "array", "items": text(), "nullable": true},
        })),
        "alert": answer(&["warning", "people", "broadcast", "townships", "shelters", "plans", "over_threshold"], json!({
            "warning": object(&["layer", "id", "active"], json!({"layer": text(), "id": text(), "active": {"type": "boolean"}})),
            "people": {"type": "object"}, "broadcast": {"type": "object"}, "townships": list(json!({"type": "object"})),
            "shelters": {"type": "object"}, "plans": list(json!({"type": "object"})), "over_threshold": list(json!({"type": "object"})),
        })),
        "surroundings": answer(&["place", "rings", "secondary_hazards", "help"], json!({
            "place": {"type": "object"}, "rings": list(json!({"type": "object"})), "secondary_hazards": list(json!({"type": "object"})),
            "more_secondary_hazards": {}, "help": list(json!({"type": "object"})), "responsible": {},
            "plans": list(json!({"type": "object"})), "reports": list(json!({"type": "object"})),
        })),
        "members": answer(&["type", "features", "count", "bbox"], json!({
            "type": kind("FeatureCollection"), "count": whole(), "bbox": list(json!({"type": "number"})),
            "features": list(reference("featureFacts")), "links": list(reference("link")), "numberReturned": whole(),
        })),
        "found": answer(&["type", "features"], json!({
            "type": kind("FeatureCollection"), "numberReturned": whole(), "features": list(object(&["type", "geometry", "properties"], json!({
                "type": kind("Feature"), "id": text(), "geometry": reference("geometry"), "properties": {"type": "object"},
            }))),
        })),
        "health": answer(&["status", "features"], json!({"status": {"type": "string", "enum": ["ready", "stale"]}, "features": whole(), "read_warnings": {"type": "object", "description": "Number of unreadable values and skipped rows, by layer", "additionalProperties": whole()}, "identity_provider": {"type": "object", "nullable": true, "description": "Keys of the identity provider: their number, when they were fetched, and whether the last fetch failed"}})),
    })
}

fn duty() -> Json {
    json!({
        "statistics": answer(&["layer", "figures", "expected", "days"], json!({
            "layer": text(), "incident": {"type": "string", "nullable": true}, "figures": list(json!({"type": "object"})),
            "expected": whole(), "days": list(json!({"type": "object"})),
        })),
        "needs": answer(&["people", "days", "needs", "items"], json!({
            "people": whole(), "days": whole(), "needs": list(json!({"type": "object"})), "items": text(),
        })),
    })
}

/// The layer and the id of a feature.
fn feature_name() -> Json {
    object(&["layer", "id"], json!({"layer": text(), "id": text()}))
}

/// What closes a road.
fn closure() -> Json {
    object(&["layer", "id"], json!({"layer": text(), "id": text(), "name": {"type": "string", "nullable": true}}))
}

/// Members of a reply with the nearest features.
fn nearest() -> Json {
    json!({
        "type": kind("FeatureCollection"), "layer": text(), "point": list(number()),
        "features": list(object(&["type", "id", "geometry", "properties"], json!({
            "type": kind("Feature"), "id": text(), "geometry": reference("geometry"),
            "properties": object(&["rank", "distance_m", "bearing_deg"], json!({
                "rank": whole(), "distance_m": number(), "bearing_deg": {"type": "number", "nullable": true},
                "eligibility": text(), "free_places": whole(), "jurisdiction": text(),
                "over_committed": {"type": "object"},
                "duration_s": number(), "road_m": number(), "access_m": number(),
            })),
        }))),
        "layers": list(json!({"type": "object"})),
    })
}

/// A constant text, such as the type of a feature.
fn kind(name: &str) -> Json {
    json!({"type": "string", "enum": [name]})
}

/// A reference to a schema.
pub(crate) fn reference(schema: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}
