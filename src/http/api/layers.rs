//! The catalog as the viewer needs it: layers, fields, units, codes, counts, bounds.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value as Json, json};

use crate::http::AppState;
use crate::http::params::QueryParams;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::problem::Problem;
use crate::model::View;
use crate::model::catalog::{Code, CodeValue};
use crate::model::schema::Label;
use crate::snapshot::Layer;

pub(crate) async fn layers(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    QueryParams::read(&request, &[])?;
    let current = RequestSnapshot::now(&state);
    let layers = current.snapshot.layers();
    let bounds = layers.iter().filter_map(|layer| layer.envelope()).reduce(|a, b| a.union(&b));
    let codes: BTreeMap<&str, Vec<Json>> =
        state.catalog.codes.iter().map(|(name, list)| (name.as_str(), list.iter().map(code).collect())).collect();
    Ok(current.json(json!({
        "bounds": bounds.map(|bounds| bounds.to_array()),
        "codes": codes,
        "layers": layers.iter().map(|layer| describe(layer)).collect::<Vec<_>>(),
    })))
}

fn describe(layer: &Layer) -> Json {
    let schema = layer.schema();
    let fields: Vec<Json> = View::public(schema)
        .fields()
        .map(|(_, field)| {
            let mut json = json!({
                "name": field.name, "type": field.field_type.name(), "title": label(&field.title), "tile": field.in_tiles,
            });
            if let Some(unit) = &field.unit {
                json["unit"] = json!(unit);
            }
            if let Some(codes) = &field.codes {
                json["codes"] = json!(codes);
            }
            json
        })
        .collect();
    json!({
        "id": schema.id,
        "title": label(&schema.title),
        "group": schema.group,
        "geometry": schema.geometry.name(),
        "count": layer.len(),
        "bounds": layer.envelope().map(|bounds| bounds.to_array()),
        "minzoom": schema.min_zoom,
        "fields": fields,
    })
}

fn label(label: &Label) -> Json {
    json!({"zh": label.zh, "en": label.en})
}

fn code(code: &Code) -> Json {
    let mut json = json!({"zh": code.label.zh, "en": code.label.en});
    json["code"] = match &code.code {
        CodeValue::Integer(number) => json!(number),
        CodeValue::Text(text) => json!(text),
    };
    if let Some(color) = &code.color {
        json["color"] = json!(color);
    }
    if let Some(unit) = &code.unit {
        json["unit"] = json!(unit);
    }
    json
}
