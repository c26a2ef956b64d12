//! The siting audit: places with people inside risk zones or close to them.

use serde_json::{Value as Json, json};

use crate::exchange::csv::write_table;
use crate::geodesy::crs_transform::CrsTransform;
use crate::http::api::nearest_params::code;
use crate::http::call::Call;
use crate::http::params::crs::crs_by_name;
use crate::http::params::filters::instant;
use crate::http::params::{QueryParams, invalid, layer, spec};
use crate::http::reply::Reply;
use crate::http::reply::geojson::{CollectionWriter, write_feature};
use crate::http::reply::media::{CSV, CSV_UTF8, GEOJSON};
use crate::http::reply::numbers::millimetres;
use crate::http::reply::problem::Problem;
use crate::http::state::AppState;
use crate::model::LayerSchema;
use crate::model::catalog::Code;
use crate::query::siting::{Finding, SitingQuery, audit};
use crate::snapshot::{Layer, Snapshot};

/// Hazards to audit for when the request names none.
const DEFAULT_HAZARDS: [&str; 3] = ["landslide", "debris_flow", "flood"];

/// `GET /api/audits/siting`: places with people inside risk zones, or closer than the margin.
pub(crate) fn siting(call: &Call<'_>) -> Result<Reply, Problem> {
    let (params, snapshot) = (&call.params, &call.current.snapshot);
    let (format, crs) = (call.format()?, crs_by_name(params)?);
    let layers = audited(params, snapshot)?;
    let query = SitingQuery {
        hazards: hazards(params, &call.state, snapshot)?,
        level: params.count(&spec::LEVEL)?.map(i64::from),
        margin_m: params.count(&spec::MARGIN_M)?.map_or(0.0, f64::from),
        at: instant(params)?,
    };
    let findings = audit(snapshot, &layers, &query, &call.cancel)?;
    if format == CSV {
        return Ok(call.current.reply(CSV_UTF8).body(table(&crs, &findings)));
    }
    let mut body = CollectionWriter::new();
    for finding in &findings {
        let id = format!("{}/{}", finding.site.id(), finding.zone.id());
        body.feature(|out| write_feature(out, &crs, &id, &finding.site, &describe(finding)));
    }
    let body = body.end_features().member("numberReturned", &findings.len()).close(&call.current);
    Ok(call.current.reply(GEOJSON.media_type).body(body))
}

/// The layers to audit: the requested ones, or all layers of places with people.
fn audited<'a>(parameters: &QueryParams, snapshot: &'a Snapshot) -> Result<Vec<&'a Layer>, Problem> {
    let all =
        || snapshot.layers().iter().map(|layer| &**layer).filter(|layer| layer.schema().roles.exposed_site.is_some());
    let requested = parameters.list(&spec::LAYER)?;
    if requested.is_empty() {
        return Ok(all().collect());
    }
    let named = |name: &str| {
        layer(snapshot, "layer", name)?;
        all().find(|layer| layer.schema().id == name).ok_or_else(|| {
            let accepted: Vec<&str> = all().map(|layer| layer.schema().id.as_str()).collect();
            invalid("layer", name, "this layer does not contain places with people", &accepted.join(", "))
        })
    };
    requested.into_iter().map(named).collect()
}

fn hazards(parameters: &QueryParams, state: &AppState, snapshot: &Snapshot) -> Result<Vec<String>, Problem> {
    let list = |schema: &LayerSchema| {
        let at = schema.position(&schema.roles.zone.as_ref()?.hazard)?;
        state.catalog.codes.get(schema.fields[at].codes.as_ref()?)
    };
    let known: Vec<&Code> = snapshot.layers().iter().filter_map(|layer| list(layer.schema())).flatten().collect();
    let words = parameters.list(&spec::HAZARD)?;
    let words = if words.is_empty() { DEFAULT_HAZARDS.to_vec() } else { words };
    words.into_iter().map(|word| code(&spec::HAZARD, word, &known, "")).collect()
}

fn describe(finding: &Finding<'_>) -> Json {
    let safe =
        finding.safe.map(|near| json!({"id": near.row.id().as_str(), "distance_m": millimetres(near.distance_m)}));
    json!({
        "layer": finding.layer.schema().id,
        "id": finding.site.id().as_str(),
        "name": finding.layer.text(&finding.site, "name"),
        "region_code": finding.layer.text(&finding.site, "region_code"),
        "zone": finding.zone.id().as_str(),
        "zone_name": finding.zone_layer.text(&finding.zone, "name"),
        "hazard": finding.hazard,
        "risk_level": finding.level,
        "inside": finding.is_inside,
        "edge_m": millimetres(finding.edge_m),
        "people": finding.people,
        "safe_shelter": safe,
    })
}

fn table(crs: &CrsTransform, findings: &[Finding<'_>]) -> Vec<u8> {
    const HEADER: [&str; 13] = [
        "图层 layer",
        "编号 id",
        "名称 name",
        "经度 lon",
        "纬度 lat",
        "风险区 zone",
        "灾种 hazard",
        "风险等级 risk_level",
        "在区内 inside",
        "距边界 edge_m",
        "人数 people",
        "建议避灾点 safe_shelter",
        "距离 safe_shelter_m",
    ];
    let or_blank = |number: Option<i64>| number.map_or(String::new(), |number| number.to_string());
    let rows = findings.iter().map(|own| {
        let [x, y] = crs.pair(own.at).ok().map_or_else(Default::default, |pair| pair.map(|part| part.to_string()));
        vec![
            own.layer.schema().id.clone(),
            own.site.id().to_string(),
            own.layer.text(&own.site, "name").unwrap_or_default().to_owned(),
            x,
            y,
            own.zone.id().to_string(),
            own.hazard.unwrap_or_default().to_owned(),
            or_blank(own.level),
            own.is_inside.to_string(),
            format!("{:.3}", own.edge_m),
            or_blank(own.people),
            own.safe.map_or(String::new(), |near| near.row.id().to_string()),
            own.safe.map_or(String::new(), |near| format!("{:.3}", near.distance_m)),
        ]
    });
    write_table(&HEADER, rows)
}
