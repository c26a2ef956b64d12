//! Surroundings (周边分析) of a point, an area or a stored feature: JSON, a table, or a page to print.

use serde_json::{Value as Json, json};

use crate::exchange::csv::write_table;
use crate::geodesy::crs_transform::CrsTransform;
use crate::geodesy::edge_index::EdgeIndex;
use crate::http::api::event_documents::EventDocuments;
use crate::http::api::labels::{hazard_type, label_of};
use crate::http::api::surroundings_params::SurroundingsRequest;
use crate::http::api::{surroundings_params, surroundings_report};
use crate::http::call::Call;
use crate::http::params::crs::crs_by_name;
use crate::http::reply::Reply;
use crate::http::reply::media::{CSV, CSV_UTF8, HTML};
use crate::http::reply::numbers::millimetres;
use crate::http::reply::page_language::PageLanguage;
use crate::http::reply::problem::Problem;
use crate::model::mask::{mask_name, mask_phone};
use crate::model::schema::Label;
use crate::model::{Catalog, FeatureId, View};
use crate::query::surroundings::{LayerCount, Surroundings, surroundings as look_around};
use crate::snapshot::{Layer, Row};

/// `GET /api/surroundings`: a point with rings, or a feature.
pub(crate) fn surroundings(call: &Call<'_>) -> Result<Reply, Problem> {
    let crs = crs_by_name(&call.params)?;
    answer(call, &crs, &surroundings_params::read(call, &crs)?)
}

/// `POST /api/surroundings`: an area as GeoJSON, or any geometry with distances around it.
pub(crate) fn surroundings_of_body(call: &Call<'_>) -> Result<Reply, Problem> {
    let crs = crs_by_name(&call.params)?;
    answer(call, &crs, &surroundings_params::read_body(call, &crs)?)
}

fn answer(call: &Call<'_>, crs: &CrsTransform, wanted: &SurroundingsRequest) -> Result<Reply, Problem> {
    let (current, catalog) = (&call.current, &call.state.catalog);
    let (format, language) = (call.format()?, PageLanguage::of(&call.params)?);
    let found = look_around(&current.snapshot, &wanted.ask, &call.cancel)?;
    let documents = documents(call, wanted)?;
    Ok(match format {
        HTML => surroundings_report::page(call, language, wanted, &found, documents.as_ref()).reply(current),
        CSV => current.reply(CSV_UTF8).body(table(catalog, &found)),
        _ => {
            let mut json = describe(catalog, crs, wanted, &found);
            if call.caller.sees_contacts() {
                let contact =
                    |(layer, row): &(&Layer, Row<'_>)| contacts(&call.caller.contact_view(layer.schema()), row);
                json["responsible"] = found.responsible.iter().map(contact).collect();
            }
            if let Some(documents) = &documents {
                json["plans"] = documents.plans_json(call);
                json["reports"] = documents.reports_json(call);
            }
            current.json(json)
        }
    })
}

/// What is on file about the incident or warning of the request.
fn documents<'a>(call: &'a Call<'_>, wanted: &SurroundingsRequest) -> Result<Option<EventDocuments<'a>>, Problem> {
    let subject = wanted.subject.as_ref().and_then(|(layer, id)| {
        let layer = call.current.snapshot.layer(layer).filter(|layer| layer.schema().roles.time.is_some())?;
        let row = layer.find(&FeatureId::new(id).ok()?)?;
        Some((layer, row, EdgeIndex::new(row.shape()?.geometry().clone())))
    });
    subject.map(|(layer, row, area)| EventDocuments::of(call, (layer, row), &area, wanted.ask.at)).transpose()
}

fn describe(catalog: &Catalog, crs: &CrsTransform, wanted: &SurroundingsRequest, found: &Surroundings<'_>) -> Json {
    let rings = found.rings.iter().map(|ring| {
        let layers: Vec<Json> =
            ring.layers.iter().map(|layer_count| describe_layer_count(catalog, layer_count)).collect();
        json!({"radius_m": ring.radius_m, "layers": layers})
    });
    let secondary_hazards = found.secondary_hazards.iter().map(|hazard| {
        let kind = hazard_type(catalog, hazard.layer, &hazard.row);
        json!({
            "layer": hazard.layer.schema().id,
            "id": hazard.row.id().as_str(),
            "name": hazard.layer.text(&hazard.row, "name"),
            "kind": kind,
            "risk_level": hazard.layer.integer(&hazard.row, "risk_level"),
            "distance_m": millimetres(hazard.distance_m),
            "place": hazard.row.shape().and_then(crate::model::Shape::as_point).and_then(|at| crs.pair(at).ok()),
        })
    });
    let help = found.help.iter().map(|(layer, near)| {
        let features = near.iter().map(|near| {
            json!({
                "id": near.row.id().as_str(),
                "name": layer.text(&near.row, "name"),
                "distance_m": millimetres(near.distance_m),
                "bearing_deg": near.bearing_deg.map(|degrees| (degrees * 100.0).round() / 100.0),
                "place": crs.pair(near.place).ok(),
            })
        });
        json!({"layer": layer.schema().id, "title": layer.schema().title, "features": features.collect::<Vec<_>>()})
    });
    json!({
        "place": wanted.place,
        "rings": rings.collect::<Vec<_>>(),
        "secondary_hazards": secondary_hazards.collect::<Vec<_>>(),
        "more_secondary_hazards": found.more_secondary_hazards,
        "help": help.collect::<Vec<_>>(),
    })
}

/// The contacts of a feature that the view shows, masked.
pub(crate) fn contacts(view: &View<'_>, row: &Row<'_>) -> Json {
    let schema = view.schema();
    let role = schema.roles.responsible.as_ref();
    let shown = row.visible(view);
    json!({
        "layer": schema.id,
        "id": row.id().as_str(),
        "name": shown.text("name"),
        "person": role.and_then(|role| shown.text(&role.person)).map(mask_name),
        "phone": role.and_then(|role| shown.text(&role.phone)).map(mask_phone),
    })
}

fn describe_layer_count(catalog: &Catalog, layer_count: &LayerCount<'_>) -> Json {
    let schema = layer_count.layer.schema();
    let named = |field: &str, code: &Option<String>| {
        let Label { zh, en } = label_of(catalog, layer_count.layer, field, code.as_deref());
        json!({"code": code, "zh": zh, "en": en})
    };
    let mut json = json!({"layer": schema.id, "title": schema.title, "count": layer_count.count});
    for (field, counts) in &layer_count.by {
        let list = counts.iter().map(|(code, count)| {
            let mut entry = named(field, code);
            entry["count"] = json!(count);
            entry
        });
        json["by"][*field] = list.collect();
    }
    if let Some(people) = layer_count.people {
        json["people"] = json!({"known": people.known, "unknown_places": people.unknown_places});
    }
    if let Some(lengths) = &layer_count.length_m {
        let field = schema.roles.count_by.first().map_or("", String::as_str);
        let list = lengths.iter().map(|(code, metres)| {
            let mut entry = named(field, code);
            entry["length_m"] = json!(millimetres(*metres));
            entry
        });
        json["length_m"] = list.collect();
    }
    json
}

/// One row for each ring, layer, field and code; the row with the layer's total has no field.
fn table(catalog: &Catalog, found: &Surroundings<'_>) -> Vec<u8> {
    const HEADER: [&str; 8] = [
        "半径 radius_m",
        "图层 layer",
        "字段 field",
        "代码 code",
        "名称 name",
        "数量 count",
        "人数 people",
        "长度 length_m",
    ];
    let mut rows = Vec::new();
    for ring in &found.rings {
        let radius = ring.radius_m.map_or(String::new(), |radius| radius.to_string());
        for layer_count in &ring.layers {
            let schema = layer_count.layer.schema();
            let whole: f64 = layer_count.length_m.iter().flat_map(|lengths| lengths.values()).sum();
            let metres =
                |metres: f64| if layer_count.length_m.is_some() { format!("{metres:.3}") } else { String::new() };
            let people = layer_count.people.map_or(String::new(), |people| people.known.to_string());
            rows.push(vec![
                radius.clone(),
                schema.id.clone(),
                String::new(),
                String::new(),
                schema.title.zh.clone(),
                layer_count.count.to_string(),
                people,
                metres(whole),
            ]);
            for (index, (field, counts)) in layer_count.by.iter().enumerate() {
                for (code, count) in counts {
                    let length =
                        layer_count.length_m.as_ref().filter(|_| index == 0).and_then(|lengths| lengths.get(code));
                    rows.push(vec![
                        radius.clone(),
                        schema.id.clone(),
                        (*field).to_owned(),
                        code.clone().unwrap_or_default(),
                        label_of(catalog, layer_count.layer, field, code.as_deref()).zh,
                        count.to_string(),
                        String::new(),
                        length.map_or(String::new(), |length| metres(*length)),
                    ]);
                }
            }
        }
    }
    write_table(&HEADER, rows)
}
