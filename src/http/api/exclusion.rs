//! Reasons for excluding a resource, in Chinese and English.

use serde_json::{Value as Json, json};

use crate::http::api::labels::label;
use crate::http::reply::numbers::quantity;
use crate::model::catalog::Catalog;
use crate::model::schema::Label;
use crate::model::{LayerSchema, format_date};
use crate::query::nearest::demand::Reason;
use crate::query::road::closures::Closure;
use crate::query::road::vehicle::{ExceededLimit, LimitKind};
use crate::snapshot::{Layer, Row};

/// One reason as JSON: its code, a text in both languages, and its facts.
pub(crate) fn reason(catalog: &Catalog, schema: &LayerSchema, reason: &Reason<'_>) -> Json {
    let roles = &schema.roles;
    let of_field = |field: Option<&String>, code: &str| {
        let list = field.and_then(|name| schema.position(name)).and_then(|at| schema.fields[at].codes.as_ref());
        label(catalog, list, code)
    };
    match reason {
        Reason::Status(status) => {
            let Label { zh, en } = of_field(roles.ready.as_ref().map(|ready| &ready.field), status);
            reason_json("status", format!("状态为{zh}"), format!("its status is {en}"), json!({"status": status}))
        }
        Reason::StatusUnknown => reason_json("status_unknown", "状态不明", "its status is unknown", json!({})),
        Reason::Capacity { free, required } => reason_json(
            "capacity",
            format!("仅余{free}个空位，需要{required}个"),
            format!("{free} free places, {required} required"),
            json!({"free": free, "required": required}),
        ),
        Reason::CapacityUnknown => {
            reason_json("capacity_unknown", "剩余容量不明", "its number of free places is unknown", json!({}))
        }
        Reason::Unsuitable(hazard) => {
            let Label { zh, en } = of_field(roles.suitable_for.as_ref().map(|suits| &suits.yes), hazard);
            reason_json(
                "unsuitable",
                format!("不适用于{zh}"),
                format!("it is not suitable for {en}"),
                json!({"hazard": hazard}),
            )
        }
        Reason::SuitabilityUnknown(hazard) => {
            let Label { zh, en } = of_field(roles.suitable_for.as_ref().map(|suits| &suits.yes), hazard);
            let zh = format!("是否适用于{zh}不明");
            reason_json(
                "suitability_unknown",
                zh,
                format!("its suitability for {en} is unknown"),
                json!({"hazard": hazard}),
            )
        }
        Reason::Skill(skill) => {
            let Label { zh, en } = of_field(roles.skills.as_ref(), skill);
            reason_json("skill", format!("不具备{zh}能力"), format!("it lacks the skill {en}"), json!({"skill": skill}))
        }
        Reason::SkillsUnknown => reason_json("skills_unknown", "能力不明", "its skills are unknown", json!({})),
        Reason::Stock { code, free, required } => stock(catalog, schema, code, Some((*free, *required))),
        Reason::StockUnknown(code) => stock(catalog, schema, code, None),
        Reason::Empty => reason_json("empty", "没有可用物资", "it has no available stock", json!({})),
        Reason::ContentUnknown => reason_json("stock_unknown", "库存不明", "its stock is unknown", json!({})),
        Reason::Ended(until) => {
            let day = format_date(*until);
            reason_json(
                "ended",
                format!("协议已于{day}到期"),
                format!("its agreement ended on {day}"),
                json!({"until": day}),
            )
        }
        Reason::OutsideArea => {
            reason_json("outside_area", "不在指定范围内", "it is outside the requested area", json!({}))
        }
        Reason::DivisionUnknown => reason_json("division_unknown", "区划不明", "its division is unknown", json!({})),
        Reason::NoPlace => reason_json("no_place", "没有位置", "it has no location", json!({})),
        Reason::Inside { layer, area } => inside(catalog, layer, area),
        Reason::TooLong { duration_s } => too_long(*duration_s),
        Reason::Unreachable { cut_by } => unreachable(cut_by),
        Reason::Filtered => reason_json("filter", "不符合筛选条件", "it does not match the filter", json!({})),
    }
}

/// Insufficient stock of an item: the available and the required quantity, if known.
fn stock(catalog: &Catalog, schema: &LayerSchema, code: &str, amounts: Option<(f64, f64)>) -> Json {
    let Label { zh, en } = label(catalog, schema.roles.stock.as_ref().map(|stock| &stock.codes), code);
    let Some((free, required)) = amounts else {
        let zh = format!("{zh}库存不明");
        return reason_json("stock_unknown", zh, format!("its stock of {en} is unknown"), json!({"item_code": code}));
    };
    reason_json(
        "stock",
        format!("{zh}可用{free}，需要{required}"),
        format!("{free} of {en} available, {required} required"),
        json!({"item_code": code, "free": quantity(free), "required": quantity(required)}),
    )
}

fn inside(catalog: &Catalog, layer: &Layer, area: &Row<'_>) -> Json {
    let schema = layer.schema();
    let level = schema.roles.zone.as_ref().and_then(|zone| layer.integer(area, &zone.level));
    let grade = level.map(|level| {
        let list = schema.roles.zone.as_ref().and_then(|zone| schema.position(&zone.level));
        label(catalog, list.and_then(|at| schema.fields[at].codes.as_ref()), &level.to_string())
    });
    let name = layer.text(area, "name").unwrap_or(area.id().as_str());
    let (zh, en) =
        grade.map_or((String::new(), String::new()), |Label { zh, en }| (format!("（{zh}）"), format!(" ({en})")));
    let title = &schema.title;
    reason_json(
        "inside",
        format!("位于{}“{name}”内{zh}", title.zh),
        format!("it is inside {} {name:?}{en}", title.en.to_lowercase()),
        json!({"layer": schema.id, "area": area.id().as_str(), "risk_level": level}),
    )
}

fn too_long(duration_s: f64) -> Json {
    let minutes = duration_s / 60.0;
    reason_json(
        "too_long",
        format!("路程约{minutes:.0}分钟，超过上限"),
        format!("the journey takes {minutes:.0} minutes, which is too long"),
        json!({"duration_s": duration_s.round()}),
    )
}

/// No open road, and what closes the roads.
pub(crate) fn unreachable(cut_by: &[Closure<'_>]) -> Json {
    let (zh, en): (Vec<String>, Vec<String>) = cut_by.iter().map(closure_name).unzip();
    let (zh, en) = if cut_by.is_empty() {
        ("没有道路可达".to_owned(), "no road leads there".to_owned())
    } else {
        (format!("道路被{}阻断", zh.join("、")), format!("the road is closed by {}", en.join(", ")))
    };
    let closures: Vec<Json> = cut_by.iter().map(closure_json).collect();
    reason_json("unreachable", zh, en, json!({"closures": closures}))
}

/// The name of what closes a road, and the limit that the vehicle exceeds, in Chinese and English.
fn closure_name(closure: &Closure<'_>) -> (String, String) {
    let name = closure.layer.text(&closure.row, "name").unwrap_or(closure.row.id().as_str());
    let Some(ExceededLimit { kind, limit }) = &closure.limit else { return (format!("“{name}”"), name.to_owned()) };
    let (zh, en, unit_zh, unit) = match kind {
        LimitKind::Height => ("限高", "height", "米", "m"),
        LimitKind::Width => ("限宽", "width", "米", "m"),
        LimitKind::Weight => ("限重", "weight", "吨", "t"),
    };
    (format!("“{name}”（{zh}{limit}{unit_zh}）"), format!("{name} ({en} limit {limit} {unit})"))
}

/// What closes a road: the layer, the id and the name of the feature, and the limit that the vehicle exceeds.
pub(crate) fn closure_json(closure: &Closure<'_>) -> Json {
    let name = closure.layer.text(&closure.row, "name");
    let mut json = json!({"layer": closure.layer.schema().id, "id": closure.row.id().as_str(), "name": name});
    if let Some(limit) = &closure.limit {
        json[limit.kind.property()] = json!(limit.limit);
    }
    json
}

fn reason_json(code: &str, zh: impl Into<String>, en: impl Into<String>, facts: Json) -> Json {
    let mut reason = json!({"code": code, "zh": zh.into(), "en": en.into()});
    if let (Some(reason), Json::Object(facts)) = (reason.as_object_mut(), facts) {
        reason.extend(facts);
    }
    reason
}
