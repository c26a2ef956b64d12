//! Coverage: distances from each village to help.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use time::UtcDateTime;

use crate::clock;
use crate::exchange::csv::write_table;
use crate::http::api::by_road::ByRoad;
use crate::http::api::exclusion::closure_json;
use crate::http::call::Call;
use crate::http::params::crs::crs_by_name;
use crate::http::params::filters::instant;
use crate::http::params::param::Decimal;
use crate::http::params::{invalid, layer, spec, travel};
use crate::http::reply::Reply;
use crate::http::reply::geojson::{CollectionWriter, write_feature};
use crate::http::reply::media::{CSV, CSV_UTF8, GEOJSON};
use crate::http::reply::numbers::millimetres;
use crate::http::reply::problem::Problem;
use crate::model::schema::Label;
use crate::model::{Feature, Field, FieldType, GeometryKind, LayerSchema, Roles, Value};
use crate::query::coverage::{CoverageByRoad, Covered, Need, coverage as cover};
use crate::query::nearest::demand::Demand;
use crate::snapshot::{Layer, Snapshot};

/// Kinds of help: name, layer, and the parameter for the distance beyond which a place is not covered.
static HELP: [(&str, &str, &Decimal); 3] =
    [("shelter", "shelters", &spec::SHELTER_M), ("team", "teams", &spec::TEAM_M), ("depot", "depots", &spec::DEPOT_M)];

/// The id of the coverage with the default limits, as a layer of tiles.
pub(crate) const LAYER_ID: &str = "coverage";
/// By road without a limit: half an hour.
const DEFAULT_LIMIT_S: f64 = 1_800.0;
/// The places of the coverage with the default limits.
pub(crate) const PLACES: &str = "villages";

/// The coverage with the default limits, as a layer of tiles.
pub(crate) fn coverage_layer(call: &Call<'_>) -> Result<Arc<Layer>, Problem> {
    let snapshot = &call.current.snapshot;
    call.audience.coverage.get_or_build(snapshot.version(), clock::today(), || {
        let places = layer(snapshot, "layer", PLACES)?;
        let limit_m = |limit: &Decimal| limit.default.unwrap_or(limit.max);
        let needs = HELP
            .iter()
            .map(|(_, id, limit)| need(snapshot, id, 1, limit_m(limit), clock::now()))
            .collect::<Result<Vec<_>, _>>()?;
        let covered = cover(snapshot, places, &needs, None, &call.cancel)?;
        let features = covered.iter().map(|own| as_feature(places, own)).collect();
        Ok(Layer::build(schema(), features))
    })
}

fn schema() -> LayerSchema {
    let field = |name: &str, field_type: FieldType, zh: &str, unit: Option<&str>| Field {
        name: name.to_owned(),
        field_type,
        title: Label { zh: zh.to_owned(), en: name.to_owned() },
        unit: unit.map(str::to_owned),
        codes: None,
        sensitive: false,
        is_reserved: false,
        in_tiles: true,
        min: None,
        max: None,
    };
    let metres = HELP.iter().map(|(help, ..)| field(&format!("{help}_m"), FieldType::Real, "距离", Some("m")));
    let own = [
        field("name", FieldType::Text, "名称", None),
        field("people", FieldType::Integer, "人口", Some("persons")),
        field("beyond", FieldType::Integer, "超限项数", None),
    ];
    LayerSchema {
        id: LAYER_ID.to_owned(),
        title: Label { zh: "救助覆盖".to_owned(), en: "Coverage".to_owned() },
        group: "rescue".to_owned(),
        geometry: GeometryKind::Any,
        min_zoom: 0,
        clusters: None,
        importance: 1,
        tessellation: false,
        fields: own.into_iter().chain(metres).collect(),
        roles: Roles::default(),
    }
}

fn as_feature(places: &Layer, own: &Covered<'_>) -> Feature {
    let beyond = own.is_beyond.iter().filter(|is_beyond| **is_beyond).count();
    let metres =
        own.help.iter().map(|near| near.map_or(Value::Unknown, |near| Value::Real(millimetres(near.distance_m))));
    let facts = [
        places.text(&own.row, "name").map_or(Value::Unknown, |name| Value::Text(name.to_owned())),
        own.people.map_or(Value::Unknown, Value::Integer),
        Value::Integer(i64::try_from(beyond).unwrap_or(i64::MAX)),
    ];
    Feature {
        id: own.row.id().clone(),
        geometry: own.row.shape().cloned(),
        values: facts.into_iter().chain(metres).collect(),
    }
}

fn need<'a>(snapshot: &'a Snapshot, id: &str, people: u32, limit_m: f64, at: UtcDateTime) -> Result<Need<'a>, Problem> {
    let demand = Demand { people: Some(people), ..Demand::ready(at) };
    Ok(Need { layer: layer(snapshot, "layer", id)?, demand, limit_m })
}

/// `GET /api/coverage`: distances from each village to a ready shelter with free places, a ready team and a stocked
/// depot.
pub(crate) fn coverage(call: &Call<'_>) -> Result<Reply, Problem> {
    let (params, snapshot) = (&call.params, &call.current.snapshot);
    let (format, crs) = (call.format()?, crs_by_name(params)?);
    let only_beyond = params.flag(&spec::BEYOND)?;
    let name = params.get(&spec::COVERAGE_LAYER).unwrap_or(PLACES);
    let places = layer(snapshot, "layer", name)?;
    if places.schema().roles.people.is_none() {
        let layers = snapshot.layers().iter().map(|layer| layer.schema());
        let accepted: Vec<&str> =
            layers.filter(|schema| schema.roles.people.is_some()).map(|schema| schema.id.as_str()).collect();
        return Err(invalid("layer", name, "this layer has no population field", &accepted.join(", ")));
    }
    let (people, at) = (params.count(&spec::PEOPLE)?.unwrap_or(1), instant(params)?);
    let by_road = by_road(call, at)?;
    let closures = by_road.as_ref().map(|by_road| by_road.closures(snapshot));
    let by_road = by_road.as_ref().zip(closures.as_ref()).map(|(by_road, closures)| CoverageByRoad {
        source: &by_road.source,
        closures,
        mode: by_road.mode,
        limit_s: by_road.max_duration_s.unwrap_or(DEFAULT_LIMIT_S),
    });
    let mut needs = Vec::new();
    for (_, id, limit) in &HELP {
        needs.push(need(snapshot, id, people, params.decimal(limit)?.unwrap_or(limit.max), at)?);
    }
    let covered = cover(snapshot, places, &needs, by_road.as_ref(), &call.cancel)?;
    let shown = || covered.iter().filter(|own| !only_beyond || own.is_beyond.contains(&true));
    if format == CSV {
        return Ok(call.current.reply(CSV_UTF8).body(table(places, by_road.is_some(), shown())));
    }
    let mut body = CollectionWriter::new();
    for own in shown() {
        let properties = describe(places, own);
        body.feature(|out| write_feature(out, &crs, own.row.id().as_str(), &own.row, &properties));
    }
    let limits: BTreeMap<&str, f64> = match &by_road {
        Some(by_road) => BTreeMap::from([(travel::MAX_MINUTES.name, by_road.limit_s / 60.0)]),
        None => HELP.iter().zip(&needs).map(|((.., param), need)| (param.name, need.limit_m)).collect(),
    };
    let body = body
        .end_features()
        .member("townships", &totals(places, &covered, snapshot))
        .member("limits", &limits)
        .close(&call.current);
    Ok(call.current.reply(GEOJSON.media_type).body(body))
}

/// Travel on roads, if it is what is measured; its limit is a time.
fn by_road(call: &Call<'_>, at: UtcDateTime) -> Result<Option<ByRoad>, Problem> {
    let by_road = ByRoad::read(call, &call.params, at)?;
    let distance = HELP.iter().find_map(|(.., limit)| Some((limit.name, call.params.get(*limit)?)));
    match distance.filter(|_| by_road.is_some()) {
        Some((name, value)) => Err(invalid(name, value, "by road the limit is a time", "max_minutes=")),
        None => Ok(by_road),
    }
}

fn describe(places: &Layer, own: &Covered<'_>) -> Json {
    let mut json = json!({"name": places.text(&own.row, "name"), "people": own.people, "region_code": places.text(&own.row, "region_code")});
    for ((help, ..), near) in HELP.iter().zip(&own.help) {
        json[help] = json!(near.map(|near| near.row.id().as_str()));
        json[format!("{help}_m")] = json!(near.map(|near| millimetres(near.distance_m)));
        if let Some(trip) = near.and_then(|near| near.trip) {
            json[format!("{help}_s")] = json!(trip.duration_s.round());
        }
    }
    for ((help, ..), cut_by) in HELP.iter().zip(&own.cut_by).filter(|(_, cut_by)| !cut_by.is_empty()) {
        json[format!("{help}_cut_by")] = cut_by.iter().map(closure_json).collect();
    }
    let beyond = HELP.iter().zip(&own.is_beyond).filter(|(_, is_beyond)| **is_beyond).map(|((help, ..), _)| *help);
    json["beyond"] = beyond.collect();
    json
}

fn table<'a>(places: &Layer, is_by_road: bool, covered: impl Iterator<Item = &'a Covered<'a>>) -> Vec<u8> {
    let mut header: Vec<String> =
        ["编号 id", "名称 name", "区划代码 region_code", "人口 people"].map(str::to_owned).into();
    for ((help, ..), title) in HELP.iter().zip(["避灾点", "队伍", "物资库"]) {
        header.extend([format!("{title} {help}"), format!("距离 {help}_m")]);
        if is_by_road {
            header.push(format!("时间 {help}_s"));
        }
    }
    header.push("超限 beyond".to_owned());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = covered.map(|own| {
        let mut row = vec![
            own.row.id().to_string(),
            places.text(&own.row, "name").unwrap_or_default().to_owned(),
            places.text(&own.row, "region_code").unwrap_or_default().to_owned(),
            own.people.map_or(String::new(), |people| people.to_string()),
        ];
        for near in &own.help {
            row.push(near.map_or(String::new(), |near| near.row.id().to_string()));
            row.push(near.map_or(String::new(), |near| format!("{:.3}", near.distance_m)));
            if is_by_road {
                let trip = near.and_then(|near| near.trip);
                row.push(trip.map_or(String::new(), |trip| format!("{:.0}", trip.duration_s)));
            }
        }
        let beyond = HELP.iter().zip(&own.is_beyond).filter(|(_, is_beyond)| **is_beyond).map(|((help, ..), _)| *help);
        row.push(beyond.collect::<Vec<_>>().join(" "));
        row
    });
    write_table(&header, rows)
}

/// Totals of each township, by the first nine digits of the division code.
fn totals(places: &Layer, covered: &[Covered<'_>], snapshot: &Snapshot) -> Vec<Json> {
    let mut townships: BTreeMap<&str, Vec<&Covered<'_>>> = BTreeMap::new();
    for own in covered {
        let code = places.text(&own.row, "region_code").and_then(|code| code.get(..9)).unwrap_or_default();
        townships.entry(code).or_default().push(own);
    }
    let named = |code: &str| {
        let layer = snapshot.layer("townships")?;
        let row =
            layer.rows_after(None).find(|row| layer.text(row, "code").is_some_and(|own| own.starts_with(code)))?;
        layer.text(&row, "name").map(str::to_owned)
    };
    townships
        .into_iter()
        .map(|(code, villages)| {
            let people =
                |those: &mut dyn Iterator<Item = &&Covered<'_>>| those.filter_map(|own| own.people).sum::<i64>();
            let is_beyond = |own: &&&Covered<'_>| own.is_beyond.contains(&true);
            json!({
                "code": code,
                "name": if code.is_empty() { None } else { named(code) },
                "places": villages.len(),
                "people": people(&mut villages.iter()),
                "people_unknown": villages.iter().filter(|own| own.people.is_none()).count(),
                "places_beyond": villages.iter().filter(is_beyond).count(),
                "people_beyond": people(&mut villages.iter().filter(is_beyond)),
            })
        })
        .collect()
}
