//! Describes the content of tiles as in TileJSON 3.0.

use serde_json::{Map, Value as Json, json};

use super::risk_grid::{FINEST_ZOOM, RISK_GRID};
use super::{Drawing, LABELS, Labels};
use crate::model::cluster::{Severity, SeverityCode};
use crate::model::{FieldType, LayerSchema, View};

/// Maximum zoom; beyond it, viewers enlarge tiles.
pub const MAX_ZOOM: u8 = 16;

/// The entries of `vector_layers` for tiles of some layers.
#[must_use]
pub fn vector_layers(schemas: &[&LayerSchema], drawing: Drawing) -> Vec<Json> {
    let own = || schemas.iter().map(|schema| vector_layer(schema));
    match drawing {
        Drawing::Features(Labels::None) => own().collect(),
        Drawing::Features(Labels::OfFirst(_)) => own().chain([labels_layer()]).collect(),
        Drawing::Features(Labels::Only) => vec![labels_layer()],
        Drawing::RiskGrid => vec![risk_grid_layer()],
    }
}

fn labels_layer() -> Json {
    json!({
        "id": LABELS,
        "description": "名称 Names of lines and areas, one position each; layer is the layer of the feature",
        "minzoom": 0,
        "maxzoom": MAX_ZOOM,
        "fields": {"id": "String", "layer": "String", "name": "String"},
    })
}

fn risk_grid_layer() -> Json {
    json!({
        "id": RISK_GRID,
        "description": "风险面 Cells with a score from hazards, risk zones and people; level 1 is the worst",
        "minzoom": 0,
        "maxzoom": FINEST_ZOOM,
        "fields": {
            "score": "Number", "level": "Number", "hazards": "Number", "people": "Number", "zone_share": "Number",
        },
    })
}

/// Id, description, zooms and fields of a layer in tiles.
fn vector_layer(schema: &LayerSchema) -> Json {
    let mut fields = Map::from_iter([("id".to_owned(), json!("String"))]);
    if let Some(clusters) = &schema.clusters {
        let counts = clusters.severity.iter().flat_map(Severity::property_names);
        let numbers = counts.chain(clusters.sums.iter().map(|sum| sum.name.clone())).chain(["count".to_owned()]);
        fields.extend(numbers.map(|name| (name, json!("Number"))));
        fields.extend([("cluster".to_owned(), json!("Boolean")), ("bbox".to_owned(), json!("String"))]);
        let worst = clusters.severity.as_ref().and_then(|severity| severity.codes.first()).map(|code| match code {
            SeverityCode::Integer(_) => "Number",
            SeverityCode::Text(_) => "String",
        });
        fields.extend(worst.map(|kind| ("worst".to_owned(), json!(kind))));
    }
    for (_, field) in View::public(schema).fields().filter(|(_, field)| field.in_tiles) {
        let kind = match field.field_type {
            FieldType::Boolean => "Boolean",
            FieldType::Integer | FieldType::Real => "Number",
            FieldType::Text | FieldType::Date | FieldType::DateTime | FieldType::TextList | FieldType::Json => "String",
        };
        fields.insert(field.name.clone(), json!(kind));
    }
    json!({
        "id": schema.id,
        "description": format!("{} {}", schema.title.zh, schema.title.en),
        "minzoom": schema.min_zoom,
        "maxzoom": MAX_ZOOM,
        "fields": fields,
    })
}
