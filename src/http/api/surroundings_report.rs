//! The surroundings as a printable page: Chinese, A4, with a small map, without scripts.

use maud::{Markup, html};

use crate::http::api::event_documents::{EventDocuments, plans_printed, reports_printed};
use crate::http::api::labels::{hazard_type, label, label_of};
use crate::http::api::surroundings::contacts;
use crate::http::api::surroundings_map;
use crate::http::api::surroundings_params::SurroundingsRequest;
use crate::http::call::Call;
use crate::http::reply::numbers::metres;
use crate::http::reply::printed_page::{PrintedPage, beijing_time};
use crate::model::{Catalog, FeatureId, ValueRef};
use crate::query::surroundings::{Area, LayerCount, Ring, Surroundings};

/// The page.
pub(crate) fn page(
    call: &Call<'_>,
    wanted: &SurroundingsRequest,
    found: &Surroundings<'_>,
    documents: Option<&EventDocuments<'_>>,
) -> PrintedPage {
    let (catalog, current) = (&call.state.catalog, &call.current);
    PrintedPage {
        heading: "周边分析",
        subject: wanted.title.as_deref().map_or_else(|| place_name(&wanted.ask.area), str::to_owned),
        body: html! {
            @if let Some((layer, id)) = &wanted.subject { (facts(call, layer, id)) }
            (chips(found))
            (surroundings_map::map(catalog, &current.snapshot, &wanted.ask.area, found))
            (legend(catalog))
            @if let Some(documents) = documents {
                (plans_printed(call, &documents.plans))
                @if !documents.reports.is_empty() { (reports_printed(call, &documents.reports)) }
            }
            (counts(catalog, found))
            (secondary_hazards(catalog, found))
            (help(found))
            @if call.caller.sees_contacts() { (responsible(call, found)) }
        },
        remark: "距离为椭球面测地线距离；未知值不计为零；联系人和电话已脱敏。",
    }
}

/// The state of a stored feature: every coded value that the caller may see, then its times.
fn facts(call: &Call<'_>, layer: &str, id: &str) -> Markup {
    let Some(layer) = call.current.snapshot.layer(layer) else { return Markup::default() };
    let Some(row) = FeatureId::new(id).ok().and_then(|id| layer.find(&id)) else { return Markup::default() };
    let view = call.caller.view(layer.schema());
    let shown = row.visible(&view);
    let facts = layer.schema().fields.iter().enumerate().filter_map(|(at, field)| {
        let code = match shown.value(at) {
            ValueRef::DateTime(instant) => return Some((field, beijing_time(instant))),
            ValueRef::Text(text) => text.to_owned(),
            ValueRef::Integer(number) => number.to_string(),
            _ => return None,
        };
        field.codes.as_ref().map(|list| (field, label(&call.state.catalog, Some(list), &code).zh))
    });
    let mut facts: Vec<_> = facts.collect();
    facts.sort_by_key(|(field, _)| field.codes.is_none());
    html! {
        p.facts { @for (field, words) in facts { span { (field.title.zh) "：" b { (words) } } } }
    }
}

/// Features with a responsible person, nearest first.
fn responsible(call: &Call<'_>, found: &Surroundings<'_>) -> Markup {
    html! {
        h2 { "联系人（由近及远）" }
        @if found.responsible.is_empty() {
            p { "范围内没有登记联系人。" }
        } @else {
            table {
                tr { th { "类别" } th { "名称" } th { "联系人" } th { "电话" } }
                @for (layer, row) in &found.responsible {
                    @let contact = contacts(&call.caller.contact_view(layer.schema()), row);
                    tr {
                        td { (layer.schema().title.zh) }
                        td { (contact["name"].as_str().unwrap_or(row.id().as_str())) }
                        td { (contact["person"].as_str().unwrap_or("未登记")) }
                        td.n { (contact["phone"].as_str().unwrap_or("未登记")) }
                    }
                }
            }
        }
    }
}

/// Legend of the map: the risk levels of the catalog, then kinds of features.
fn legend(catalog: &Catalog) -> Markup {
    const KINDS: [(&str, &str); 3] = [("#1b8a5a", "避灾点"), ("#6a3fb5", "队伍、物资"), ("#5b6673", "村居、场所")];
    html! {
        p.legend {
            @for level in catalog.codes.get(surroundings_map::LEVELS).into_iter().flatten() {
                @if let Some(color) = &level.color { span { i style={ "background:" (color) } {} (level.label.zh) } }
            }
            @for (color, name) in KINDS { span { i style={ "background:" (color) } {} (name) } }
        }
    }
}

fn place_name(area: &Area) -> String {
    match area {
        Area::Rings(at, _) => format!("东经{:.5}°　北纬{:.5}°", at.lon(), at.lat()),
        Area::Around(..) => "指定线路或区域周边".to_owned(),
        Area::Inside(_) => "指定区域".to_owned(),
    }
}

/// Four totals of the largest ring.
fn chips(found: &Surroundings<'_>) -> Markup {
    let Some(ring) = found.rings.last() else { return Markup::default() };
    let within = ring.radius_m.map_or("区域内".to_owned(), |radius| format!("{}内", metres(radius)));
    let layer_count = |id: &str| ring.layers.iter().find(|layer_count| layer_count.layer.schema().id == id);
    let count =
        |id: &str| layer_count(id).map_or(0, |layer_count| i64::try_from(layer_count.count).unwrap_or(i64::MAX));
    let people = |id: &str| layer_count(id).and_then(|layer_count| layer_count.people).map_or(0, |people| people.known);
    let figures = [
        (people("villages"), "村居人口（人）"),
        (people("key_places"), "重点场所人数（人）"),
        (count("hazards"), "风险源（处）"),
        (count("shelters"), "避灾点（处）"),
    ];
    html! {
        div.chips {
            @for (figure, name) in figures { div.chip { b { (figure) } span { (within) (name) } } }
        }
    }
}

fn counts(catalog: &Catalog, found: &Surroundings<'_>) -> Markup {
    let Some(largest) = found.rings.last() else { return Markup::default() };
    let count_in = |ring: &Ring<'_>, id: &str| {
        ring.layers.iter().find(|own| own.layer.schema().id == id).map_or(0, |own| own.count)
    };
    html! {
        h2 { "各类数量" }
        table {
            tr {
                th { "图层" }
                @for ring in &found.rings {
                    th.n {
                        @match ring.radius_m {
                            Some(radius_m) => (metres(radius_m)),
                            None => "区域内",
                        }
                    }
                }
                th { "其中" }
            }
            @for layer_count in &largest.layers {
                @let schema = layer_count.layer.schema();
                tr {
                    td { (schema.title.zh) }
                    @for ring in &found.rings { td.n { (count_in(ring, &schema.id)) } }
                    td { (parts(catalog, layer_count)) }
                }
            }
        }
    }
}

/// The composition of a layer's features as text.
fn parts(catalog: &Catalog, layer_count: &LayerCount<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(people) = layer_count.people {
        let unknown =
            if people.unknown_places > 0 { format!("，{}处不明", people.unknown_places) } else { String::new() };
        parts.push(format!("{}人{unknown}", people.known));
    }
    let field = layer_count.by.iter().find(|(field, _)| *field == "risk_level").or_else(|| layer_count.by.first());
    if let Some((field, counts)) = field {
        for (code, count) in counts {
            let label = label_of(catalog, layer_count.layer, field, code.as_deref()).zh;
            let length = layer_count.length_m.as_ref().and_then(|lengths| lengths.get(code));
            let length = length.map_or(String::new(), |length_m| format!("（{}）", metres(*length_m)));
            parts.push(format!("{label}{count}{length}"));
        }
    }
    parts.join("、")
}

fn secondary_hazards(catalog: &Catalog, found: &Surroundings<'_>) -> Markup {
    const SHOWN: usize = 25;
    let more = found.secondary_hazards.len().saturating_sub(SHOWN) + found.more_secondary_hazards;
    html! {
        h2 { "次生危险源（按危险程度）" }
        @if found.secondary_hazards.is_empty() {
            p { "范围内没有次生危险源。" }
        } @else {
            table {
                tr { th.n { "序" } th { "名称" } th { "类别" } th { "等级" } th.n { "距离" } }
                @for (index, hazard) in found.secondary_hazards.iter().take(SHOWN).enumerate() {
                    @let level = hazard.layer.integer(&hazard.row, "risk_level").map(|level| level.to_string());
                    tr {
                        td.n { (index + 1) }
                        td { (hazard.layer.text(&hazard.row, "name").unwrap_or(hazard.row.id().as_str())) }
                        td { @if let Some(kind) = hazard_type(catalog, hazard.layer, &hazard.row) { (kind.zh) } }
                        td {
                            @if let Some(level) = level {
                                (label_of(catalog, hazard.layer, "risk_level", Some(&level)).zh)
                            }
                        }
                        td.n { (metres(hazard.distance_m)) }
                    }
                }
            }
            @if more > 0 { p { "另有" (more) "处未列出。" } }
        }
    }
}

fn help(found: &Surroundings<'_>) -> Markup {
    html! {
        h2 { "最近可用力量" }
        table {
            tr { th { "类别" } th { "名称" } th.n { "距离" } th { "方位" } }
            @for (layer, resources) in &found.help {
                @for resource in resources {
                    tr {
                        td { (layer.schema().title.zh) }
                        td { (layer.text(&resource.row, "name").unwrap_or(resource.row.id().as_str())) }
                        td.n { (metres(resource.distance_m)) }
                        td { (resource.bearing_deg.map_or("原地", compass)) }
                    }
                }
            }
        }
    }
}

/// One of eight directions.
fn compass(degrees: f64) -> &'static str {
    const NAMES: [&str; 8] = ["北", "东北", "东", "东南", "南", "西南", "西", "西北"];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 8")]
    let at = (degrees.rem_euclid(360.0) / 45.0).round() as usize;
    NAMES[at % NAMES.len()]
}
