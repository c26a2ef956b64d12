//! Surroundings (周边分析) of a place, an area or something on file: JSON, a table, or a page to print.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value as Json, json};

use crate::clock;
use crate::exchange::csv::write_table;
use crate::http::AppState;
use crate::http::api::exclusion::label;
use crate::http::api::nearest::millimetres;
use crate::http::params::auth::may_write;
use crate::http::params::crs::RequestCrs;
use crate::http::params::{QueryParams, body, invalid, layer, parse_json};
use crate::http::reply::freshness::{CSV, RequestSnapshot, blocking};
use crate::http::reply::problem::Problem;
use crate::model::schema::Label;
use crate::model::{Catalog, FeatureId};
use crate::query::surroundings::{Area, LayerCount, Surroundings, SurroundingsQuery, surroundings as look_around};
use crate::snapshot::{Layer, Row, Snapshot};

pub(crate) const PARAMETERS: [&str; 8] = ["point", "radius_m", "kind", "incident", "warning", "zone", "f", "crs"];
/// Parameters beside a body.
pub(crate) const OF_BODY: [&str; 2] = ["f", "crs"];
const BODY_TYPES: &str = "application/geo+json, application/json";
const MAX_BODY_BYTES: usize = 2_000_000;
const MAX_COORDINATES: usize = 20_000;
const MAX_RINGS: usize = 10;
const MAX_RADIUS_M: f64 = 200_000.0;
/// What can be named by its id, and the layer that it stands in.
const ON_FILE: [(&str, &str); 3] = [("incident", "incidents"), ("warning", "warnings"), ("zone", "risk_zones")];

/// What is asked, and what people call it.
pub(crate) struct SurroundingsRequest {
    pub(crate) ask: SurroundingsQuery,
    pub(crate) title: Option<String>,
    place: Json,
}

/// GET: a point with rings, or something on file.
pub(crate) async fn surroundings(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let parameters = QueryParams::read(&request, &PARAMETERS)?;
    let current = RequestSnapshot::now(&state);
    let frame = RequestCrs::read(&parameters)?;
    let on_file: Vec<(&str, &str, &str)> =
        ON_FILE.iter().filter_map(|(name, layer)| Some((*name, *layer, parameters.get(name)?))).collect();
    let wanted = match (parameters.get("point"), on_file.as_slice()) {
        (_, []) => {
            let at = frame.point(&parameters, "point")?;
            let radii = rings(&parameters, &state.catalog, parameters.get("kind"))?;
            SurroundingsRequest {
                ask: ask(Area::Rings(at, radii)),
                title: None,
                place: json!({"point": frame.pair(at)}),
            }
        }
        (None, [(name, layer, id)]) => of_feature(&parameters, &state.catalog, &current.snapshot, (name, layer, id))?,
        (_, [(name, _, id), ..]) => {
            let accepted = "one of point, incident, warning, zone";
            return Err(invalid(name, id, "it stands beside another place", accepted));
        }
    };
    answer(&request, state, current, &parameters, frame, wanted).await
}

/// POST: an area as GeoJSON.
pub(crate) async fn surroundings_of_body(
    request: HttpRequest,
    state: web::Data<AppState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let parameters = QueryParams::read(&request, &OF_BODY)?;
    let frame = RequestCrs::read(&parameters)?;
    let bytes = body(&request, payload, BODY_TYPES, MAX_BODY_BYTES).await?;
    let document = parse_json(&bytes)?;
    let geometry = if document["type"] == "Feature" { &document["geometry"] } else { &document };
    let shape = frame.shape("body", &geometry.to_string(), MAX_COORDINATES)?;
    if !matches!(shape.geometry(), geo::Geometry::Polygon(_) | geo::Geometry::MultiPolygon(_)) {
        let detail = "it is not an area";
        return Err(invalid("body", &geometry["type"].to_string(), detail, "a GeoJSON Polygon or MultiPolygon"));
    }
    let current = RequestSnapshot::now(&state);
    let wanted =
        SurroundingsRequest { ask: ask(Area::Inside(Box::new(shape))), title: None, place: json!({"area": true}) };
    answer(&request, state, current, &parameters, frame, wanted).await
}

fn ask(area: Area) -> SurroundingsQuery {
    SurroundingsQuery { area, today: clock::today() }
}

/// Rings that are asked for, or those that a kind of incident has.
fn rings(parameters: &QueryParams, catalog: &Catalog, kind: Option<&str>) -> Result<Vec<f64>, Problem> {
    const ACCEPTED: &str = "up to 10 distances in metres above 0 and up to 200000, growing, such as 500,1000,3000";
    if parameters.get("radius_m").is_none() {
        let kinds = &catalog.rings_m;
        if let Some(kind) = parameters.get("kind").filter(|kind| !kinds.contains_key(*kind)) {
            let accepted: Vec<&str> = kinds.keys().map(String::as_str).collect();
            return Err(invalid("kind", kind, "it has no rings of its own", &accepted.join(", ")));
        }
        let own = kind.and_then(|kind| kinds.get(kind)).or_else(|| kinds.get("default"));
        return Ok(own.cloned().unwrap_or_else(|| vec![1_000.0]));
    }
    let text = parameters.get("radius_m").unwrap_or_default();
    let refused = |detail: &str| invalid("radius_m", text, detail, ACCEPTED);
    let radii: Vec<f64> = parameters
        .list("radius_m")?
        .into_iter()
        .map(|part| part.parse::<f64>().ok().filter(|metres| *metres > 0.0 && *metres <= MAX_RADIUS_M))
        .collect::<Option<_>>()
        .ok_or_else(|| refused("one is not a distance"))?;
    if radii.len() > MAX_RINGS || !radii.is_sorted_by(|a, b| a < b) {
        return Err(refused("they are too many or do not grow"));
    }
    Ok(radii)
}

/// An area on file is looked at as it is; around a point there are the rings of its kind.
fn of_feature(
    parameters: &QueryParams,
    catalog: &Catalog,
    snapshot: &Snapshot,
    (name, layer_id, id): (&'static str, &'static str, &str),
) -> Result<SurroundingsRequest, Problem> {
    let layer = layer(snapshot, "layer", layer_id)?;
    let missing = || Problem::NotFound { what: name, value: id.chars().take(200).collect(), accepted: String::new() };
    let row = FeatureId::new(id).ok().and_then(|id| layer.find(&id)).ok_or_else(missing)?;
    let shape = row.shape().ok_or_else(|| invalid(name, id, "it has no place on the map", "one that has a place"))?;
    let area = match shape.as_point() {
        Some(at) => {
            let kind = parameters.get("kind").or_else(|| layer.text(&row, "kind"));
            Area::Rings(at, rings(parameters, catalog, kind)?)
        }
        None => Area::Inside(Box::new(shape.clone())),
    };
    let title = layer.text(&row, "name").map(str::to_owned);
    let place = json!({"layer": layer_id, "id": id, "name": title});
    Ok(SurroundingsRequest { ask: ask(area), title, place })
}

async fn answer(
    request: &HttpRequest,
    state: web::Data<AppState>,
    current: RequestSnapshot,
    parameters: &QueryParams,
    frame: RequestCrs,
    wanted: SurroundingsRequest,
) -> Result<HttpResponse, Problem> {
    let form = parameters.form(&["json", "html", "csv"])?;
    // Whoever may write may see whom to call.
    let tells_whom = form == "json" && request.headers().contains_key(header::AUTHORIZATION);
    if tells_whom {
        may_write(request, state.token.as_ref())?;
    }
    blocking(move || {
        let found = look_around(&current.snapshot, &wanted.ask);
        Ok(match form {
            "html" => {
                let page = crate::http::api::surroundings_report::page(&state.catalog, &current, &wanted, &found);
                let mut made = current.made("text/html; charset=utf-8", page.into_bytes());
                made.policy = Some(crate::http::api::surroundings_report::CONTENT_SECURITY_POLICY);
                made
            }
            "csv" => current.made(CSV, table(&state.catalog, &found)),
            _ => {
                let mut json = describe(&state.catalog, &frame, &wanted, &found);
                if tells_whom {
                    json["responsible"] = found.responsible.iter().map(|(layer, row)| whom(layer, row)).collect();
                }
                current.made_json(json)
            }
        })
    })
    .await
}

fn describe(catalog: &Catalog, frame: &RequestCrs, wanted: &SurroundingsRequest, found: &Surroundings<'_>) -> Json {
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
            "place": hazard.row.shape().and_then(crate::model::Shape::as_point).map(|at| frame.pair(at)),
        })
    });
    let help = found.help.iter().map(|(layer, near)| {
        let features = near.iter().map(|near| {
            json!({
                "id": near.row.id().as_str(),
                "name": layer.text(&near.row, "name"),
                "distance_m": millimetres(near.distance_m),
                "bearing_deg": near.bearing_deg.map(|degrees| (degrees * 100.0).round() / 100.0),
                "place": frame.pair(near.place),
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

fn whom(layer: &Layer, row: &Row<'_>) -> Json {
    let whom = layer.schema().roles.responsible.as_ref();
    json!({
        "layer": layer.schema().id,
        "id": row.id().as_str(),
        "name": layer.text(row, "name"),
        "person": whom.and_then(|whom| layer.secret_text(row, &whom.person)),
        "phone": whom.and_then(|whom| layer.secret_text(row, &whom.phone)),
    })
}

/// What kind of danger it is, in two languages.
pub(crate) fn hazard_type(catalog: &Catalog, layer: &Layer, row: &Row<'_>) -> Option<Label> {
    let field = &layer.schema().roles.secondary_hazard.as_ref()?.field;
    Some(label_of(catalog, layer, field, Some(layer.text(row, field)?)))
}

/// What people call a code of a field; 不明 where it is unknown.
pub(crate) fn label_of(catalog: &Catalog, layer: &Layer, field: &str, code: Option<&str>) -> Label {
    let schema = layer.schema();
    match code {
        Some(code) => {
            let list = schema.position(field).and_then(|at| schema.fields[at].codes.as_ref());
            label(catalog, list, code)
        }
        None => Label { zh: "不明".to_owned(), en: "Unknown".to_owned() },
    }
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

/// One row for each ring, layer, field and code; a layer's own row has no field.
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
