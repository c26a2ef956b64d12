//! A new subscription, read from a body: layers, area, conditions, webhook.

use geozero::ToJson;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::geodesy::crs_transform::CrsTransform;
use crate::http::call::Call;
use crate::http::params::crs::shape;
use crate::http::params::{invalid, parse_json};
use crate::http::reply::problem::Problem;
use crate::model::division::division_prefix;
use crate::model::{FeatureId, FieldType, LayerSchema};
use crate::query::filter::{Filter, Language};
use crate::query::geofence::{FenceArea, FenceCondition, FenceDefinition, Geofence};
use crate::snapshot::Layer;
use crate::subscription::webhook::{Destinations, key_of, new_secret};
use crate::subscription::{SubscriptionDocument, WebhookTarget};

const MAX_LAYERS: usize = 20;
const MAX_CONDITIONS: usize = 20;
const MAX_CODES: usize = 100;
const MAX_COORDINATES: usize = 10_000;
const MAX_NAME_CHARS: usize = 200;
const MAX_URL_BYTES: usize = 2_000;
const ACCEPTED: &str = "{\"layers\": [IDS], \"area\": a GeoJSON Polygon or MultiPolygon, {\"division\": CODE} or \
                        {\"layer\", \"id\", \"buffer_m\"}, \"when\": [\"enters\", \"leaves\", \"changes\", {\"field\", \
                        \"becomes\": [CODES]}, {\"field\", \"above\"|\"below\": NUMBER}], \"filter\": CQL2 text, \
                        \"webhook\": {\"url\", \"secret\"}, \"name\"}";
const AREA: &str =
    "a GeoJSON Polygon or MultiPolygon, {\"division\": CODE}, or {\"layer\": ID, \"id\": ID, \"buffer_m\": METRES}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSubscription {
    name: Option<String>,
    layers: Vec<String>,
    area: Json,
    when: Vec<Json>,
    filter: Option<String>,
    webhook: Option<RawWebhook>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    url: String,
    secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFenceCondition {
    field: String,
    becomes: Option<Vec<String>>,
    above: Option<f64>,
    below: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DivisionArea {
    division: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeatureArea {
    layer: String,
    id: String,
    #[serde(default)]
    buffer_m: f64,
}

/// The problem of a member.
pub(crate) fn accepted(pointer: &str, value: &str, detail: &str) -> Problem {
    invalid(pointer, value, detail, if pointer == "/area" { AREA } else { ACCEPTED })
}

/// Reads the body, for what the caller sees.
pub(crate) fn read(call: &Call<'_>, destinations: &Destinations) -> Result<SubscriptionDocument, Problem> {
    let body = Some(parse_json(&call.body)?).filter(Json::is_object);
    let body = body.ok_or_else(|| accepted("body", "", "it is no object"))?;
    let raw: RawSubscription =
        serde_json::from_value(body).map_err(|error| accepted("body", "", &error.to_string()))?;
    let name = raw.name.map(|name| name.trim().to_owned());
    if name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control)) {
        return Err(accepted("/name", "", "it is too long, or contains control characters"));
    }
    let layers = layers(call, &raw.layers)?;
    if let Some(filter) = &raw.filter {
        for layer in &layers {
            let view = call.caller.view(layer.schema());
            let read = Filter::read(filter, Language::Text, &view);
            read.map_err(|error| accepted("/filter", filter, &format!("layer {}: {error}", layer.schema().id)))?;
        }
    }
    let when = conditions(call, &raw.when, &layers)?;
    let (area, shown) = area(call, &raw.area, &layers)?;
    let webhook = raw.webhook.map(|webhook| target(webhook, destinations)).transpose()?;
    let fence = FenceDefinition { layers: raw.layers, area, when, filter: raw.filter };
    Ok(SubscriptionDocument { fence, area: shown, webhook, name })
}

fn layers<'a>(call: &'a Call<'_>, ids: &[String]) -> Result<Vec<&'a Layer>, Problem> {
    if ids.is_empty() || ids.len() > MAX_LAYERS {
        return Err(accepted("/layers", &ids.len().to_string(), &format!("it is not 1 to {MAX_LAYERS} layers")));
    }
    let found = ids.iter().enumerate().map(|(at, id)| {
        let pointer = format!("/layers/{at}");
        if ids.iter().take(at).any(|earlier| earlier == id) {
            return Err(invalid(&pointer, id, "it is repeated", "each layer once"));
        }
        let layers = call.current.snapshot.layers();
        call.current.snapshot.layer(id).ok_or_else(|| {
            let names: Vec<&str> = layers.iter().map(|layer| layer.schema().id.as_str()).collect();
            invalid(&pointer, id, "this layer does not exist", &names.join(", "))
        })
    });
    found.collect()
}

fn conditions(call: &Call<'_>, raw: &[Json], layers: &[&Layer]) -> Result<Vec<FenceCondition>, Problem> {
    if raw.is_empty() || raw.len() > MAX_CONDITIONS {
        let detail = format!("it is not 1 to {MAX_CONDITIONS} conditions");
        return Err(accepted("/when", &raw.len().to_string(), &detail));
    }
    let mut conditions = Vec::with_capacity(raw.len());
    for (at, raw) in raw.iter().enumerate() {
        let pointer = format!("/when/{at}");
        let condition = condition(call, raw, &pointer, layers)?;
        if conditions.contains(&condition) {
            return Err(accepted(&pointer, &raw.to_string(), "it is repeated"));
        }
        conditions.push(condition);
    }
    Ok(conditions)
}

fn condition(call: &Call<'_>, raw: &Json, pointer: &str, layers: &[&Layer]) -> Result<FenceCondition, Problem> {
    let refused = |detail: &str| accepted(pointer, &raw.to_string(), detail);
    match raw.as_str() {
        Some("enters") => return Ok(FenceCondition::Enters),
        Some("leaves") => return Ok(FenceCondition::Leaves),
        Some("changes") => return Ok(FenceCondition::Changes),
        Some(_) => return Err(refused("it is none of enters, leaves, changes")),
        None if !raw.is_object() => return Err(refused("it is neither a word nor an object")),
        None => {}
    }
    let RawFenceCondition { field, becomes, above, below } =
        serde_json::from_value(raw.clone()).map_err(|error| refused(&error.to_string()))?;
    let condition = match (becomes, above, below) {
        (Some(codes), None, None) => FenceCondition::Becomes { field, codes },
        (None, Some(threshold), None) => FenceCondition::Crosses { field, threshold, rises: true },
        (None, None, Some(threshold)) => FenceCondition::Crosses { field, threshold, rises: false },
        _ => return Err(refused("it has not exactly one of becomes, above, below")),
    };
    layers.iter().try_for_each(|layer| check_field(call, layer.schema(), &condition, pointer))?;
    Ok(condition)
}

/// Checks that a layer shows the field of a condition to the caller, and that the field can have such values.
fn check_field(
    call: &Call<'_>,
    schema: &LayerSchema,
    condition: &FenceCondition,
    pointer: &str,
) -> Result<(), Problem> {
    let name = condition.field().unwrap_or_default();
    let view = call.caller.view(schema);
    let is_wanted = |field_type: FieldType| match condition {
        FenceCondition::Crosses { .. } => matches!(field_type, FieldType::Integer | FieldType::Real),
        _ => field_type == FieldType::Text,
    };
    let Some((_, field)) = view.fields().find(|(_, field)| field.name == name && is_wanted(field.field_type)) else {
        let names = view.fields().filter(|(_, field)| is_wanted(field.field_type));
        let names: Vec<&str> = names.map(|(_, field)| field.name.as_str()).collect();
        let detail = format!("layer {} has no such field for this condition", schema.id);
        return Err(invalid(&format!("{pointer}/field"), name, &detail, &names.join(", ")));
    };
    let FenceCondition::Becomes { codes, .. } = condition else { return Ok(()) };
    if codes.is_empty() || codes.len() > MAX_CODES {
        let detail = format!("it is not 1 to {MAX_CODES} values");
        return Err(accepted(&format!("{pointer}/becomes"), &codes.len().to_string(), &detail));
    }
    let Some(list) = field.codes.as_ref().and_then(|list| call.state.catalog.codes.get(list)) else { return Ok(()) };
    let known: Vec<String> = list.iter().map(|own| own.code.to_string()).collect();
    match codes.iter().find(|code| !known.contains(code)) {
        Some(code) => {
            Err(invalid(&format!("{pointer}/becomes"), code, "it is no code of the field", &known.join(", ")))
        }
        None => Ok(()),
    }
}

/// The area, and as it is shown. That of a feature is the one that it has now.
fn area(call: &Call<'_>, raw: &Json, layers: &[&Layer]) -> Result<(FenceArea, Json), Problem> {
    let members = raw.as_object().ok_or_else(|| accepted("/area", &raw.to_string(), "it is no object"))?;
    let refused = |error: serde_json::Error| accepted("/area", "", &error.to_string());
    if members.contains_key("division") {
        let DivisionArea { division } = serde_json::from_value(raw.clone()).map_err(refused)?;
        let prefix = division_prefix(&division).ok_or_else(|| {
            invalid("/area/division", &division, "it is no code of a division", "2, 4, 6, 9 or 12 digits")
        })?;
        if let Some(other) = layers.iter().find(|layer| layer.schema().position("region_code").is_none()) {
            let detail = format!("features of layer {} belong to no division", other.schema().id);
            return Err(accepted("/area/division", &division, &detail));
        }
        return Ok((FenceArea::Division(prefix.to_owned()), json!({"division": division})));
    }
    if members.contains_key("layer") {
        let own: FeatureArea = serde_json::from_value(raw.clone()).map_err(refused)?;
        return feature_area(call, &own);
    }
    let shape = shape(&CrsTransform::crs84(), "/area", &raw.to_string(), MAX_COORDINATES)?;
    if !matches!(shape.geometry(), geo::Geometry::Polygon(_) | geo::Geometry::MultiPolygon(_)) {
        return Err(accepted("/area", &raw["type"].to_string(), "it is not an area"));
    }
    Ok((FenceArea::Near { geometry: raw.clone(), within_m: 0.0 }, raw.clone()))
}

fn feature_area(call: &Call<'_>, own: &FeatureArea) -> Result<(FenceArea, Json), Problem> {
    let FeatureArea { layer, id, buffer_m } = own;
    if !(0.0..=Geofence::MAX_WITHIN_M).contains(buffer_m) {
        let accepted = format!("0 to {} metres", Geofence::MAX_WITHIN_M);
        return Err(invalid("/area/buffer_m", &buffer_m.to_string(), "it is out of range", &accepted));
    }
    let found = call.current.snapshot.layer(layer);
    let found = found.ok_or_else(|| accepted("/area/layer", layer, "this layer does not exist"))?;
    let row = FeatureId::new(id).ok().and_then(|id| found.find(&id));
    let row = row.ok_or_else(|| accepted("/area/id", id, "the layer has no such feature"))?;
    let geometry = row.shape().map(crate::model::Shape::geometry);
    let geometry = geometry.and_then(|geometry| serde_json::from_str(&geometry.to_json().ok()?).ok());
    let geometry: Json = geometry.ok_or_else(|| accepted("/area/id", id, "the feature has no location"))?;
    let shown = json!({"layer": layer, "id": id, "buffer_m": buffer_m});
    Ok((FenceArea::Near { geometry, within_m: *buffer_m }, shown))
}

fn target(raw: RawWebhook, destinations: &Destinations) -> Result<WebhookTarget, Problem> {
    let RawWebhook { url, secret } = raw;
    let too_long = (url.len() > MAX_URL_BYTES).then(|| "it is too long".to_owned());
    let checked = too_long.map_or_else(|| destinations.check(&url).map(drop), Err);
    checked.map_err(|reason| invalid("/webhook/url", &url, &reason, &destinations.accepted()))?;
    let secret = match secret {
        // The value is not repeated: it may be a secret.
        Some(secret) if key_of(&secret).is_none() => {
            let accepted = "whsec_ and 24 to 64 bytes in Base64; without a secret, one is made";
            return Err(invalid("/webhook/secret", "", "it is no secret of a webhook", accepted));
        }
        Some(secret) => secret,
        None => new_secret().map_err(|error| Problem::internal(&error))?,
    };
    Ok(WebhookTarget { url, secret })
}
