//! The catalog for the viewer: layers, fields, units, codes, counts, bounds.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::http::api::labels::code_json;
use crate::http::call::Call;
use crate::http::ogc::schemas::SET_BY_THE_SERVER;
use crate::http::params::auth::Caller;
use crate::http::reply::Reply;
use crate::http::reply::problem::Problem;
use crate::model::LayerSchema;
use crate::model::roles::Roles;
use crate::model::schema::Label;
use crate::snapshot::Layer;

/// `GET /api/layers`.
#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn layers(call: &Call<'_>) -> Result<Reply, Problem> {
    let layers = call.current.snapshot.layers();
    let bounds = layers.iter().filter_map(|layer| layer.envelope()).reduce(|a, b| a.union(&b));
    let codes: BTreeMap<&str, Vec<Json>> = call
        .state
        .catalog
        .codes
        .iter()
        .map(|(name, list)| (name.as_str(), list.iter().map(code_json).collect()))
        .collect();
    let county = &call.state.catalog.county;
    let stored = |layer: &Layer| call.state.store.schemas().iter().find(|own| own.id == layer.schema().id);
    Ok(call.current.json(json!({
        "county": {
            "name": label(&county.name),
            "title": label(&county.title),
            "code": county.code,
            "center": [county.center.lon(), county.center.lat()],
            "zoom": county.zoom,
            "bounds": county.bounds.to_array(),
        },
        "bounds": bounds.map(|bounds| bounds.to_array()),
        "codes": codes,
        "layers": layers.iter().map(|layer| describe(&call.caller, layer, stored(layer))).collect::<Vec<_>>(),
    })))
}

/// `own` is the schema in the store; in that of the layer, fields that are reserved for higher roles are sensitive too.
fn describe(caller: &Caller, layer: &Layer, own: Option<&LayerSchema>) -> Json {
    let schema = layer.schema();
    let contacts = own.filter(|_| caller.may_reveal()).into_iter().flat_map(|own| &own.fields);
    let contacts: Vec<Json> = contacts
        .filter(|field| {
            field.sensitive && schema.fields.iter().any(|seen| seen.name == field.name && !seen.is_reserved)
        })
        .map(|field| json!({"name": field.name, "title": label(&field.title)}))
        .collect();
    let view = caller.view(schema);
    let fields: Vec<Json> = view
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
            for (name, limit) in [("min", field.min), ("max", field.max)] {
                if let Some(limit) = limit {
                    json[name] = json!(limit);
                }
            }
            if SET_BY_THE_SERVER.contains(&field.name.as_str()) {
                json["read_only"] = json!(true);
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
        "clusters": schema.clusters.as_ref().map(|clusters| json!({
            "to_zoom": clusters.to_zoom,
            "severity": clusters.severity.as_ref().map(|severity| &severity.field),
            "sums": clusters.sums.iter().map(|sum| json!({"name": sum.name, "title": label(&sum.title)})).collect::<Vec<_>>(),
        })),
        "fields": fields,
        "roles": roles(&schema.roles),
        "contacts": contacts,
        "withheld": own.is_some_and(|own| own.fields.iter().any(|field| field.sensitive)),
    })
}

/// The roles by which the viewer recognizes what is over, closed, or may be closed, and finds reports and plans.
fn roles(roles: &Roles) -> Json {
    json!({
        "active_area": roles.active_area,
        "closes_roads": roles.closes_roads,
        "road": roles.road.as_ref().map(|road| json!({"closed": road.closed})),
        "time": roles.time,
        "situation_report": roles.situation_report,
        "plan": roles.plan,
    })
}

fn label(label: &Label) -> Json {
    json!({"zh": label.zh, "en": label.en})
}
