//! The surroundings as a printable page: A4, with a small map, without scripts.

use maud::{Markup, html};

use crate::http::api::event_documents::{EventDocuments, plans_printed, reports_printed};
use crate::http::api::labels::{hazard_type, label, label_of};
use crate::http::api::surroundings::contacts;
use crate::http::api::surroundings_map;
use crate::http::api::surroundings_params::SurroundingsRequest;
use crate::http::call::Call;
use crate::http::reply::page_language::PageLanguage;
use crate::http::reply::printed_page::{PrintedPage, beijing_time};
use crate::model::{Catalog, FeatureId, ValueRef};
use crate::query::surroundings::{Area, LayerCount, Ring, Surroundings};

/// The page.
pub(crate) fn page(
    call: &Call<'_>,
    language: PageLanguage,
    wanted: &SurroundingsRequest,
    found: &Surroundings<'_>,
    documents: Option<&EventDocuments<'_>>,
) -> PrintedPage {
    let (catalog, current) = (&call.state.catalog, &call.current);
    PrintedPage {
        language,
        heading: language.say("周边分析", "Surroundings"),
        subject: wanted.title.as_deref().map_or_else(|| place_name(language, &wanted.ask.area), str::to_owned),
        body: html! {
            @if let Some((layer, id)) = &wanted.subject { (facts(call, language, layer, id)) }
            (chips(language, found))
            (surroundings_map::map((catalog, language), &current.snapshot, &wanted.ask.area, found))
            (legend(catalog, language))
            @if let Some(documents) = documents {
                (plans_printed(call, language, &documents.plans))
                @if !documents.reports.is_empty() { (reports_printed(call, language, &documents.reports)) }
            }
            (counts(catalog, language, found))
            (secondary_hazards(catalog, language, found))
            (help(language, found))
            @if call.caller.sees_contacts() { (responsible(call, language, found)) }
        },
        remark: language.say(
            "距离为椭球面测地线距离；未知值不计为零；联系人和电话已脱敏。",
            "Distances are geodesic; unknown values do not count as zero; names and phones are masked.",
        ),
    }
}

/// The state of a stored feature: every coded value that the caller may see, then its times.
fn facts(call: &Call<'_>, language: PageLanguage, layer: &str, id: &str) -> Markup {
    let Some(layer) = call.current.snapshot.layer(layer) else { return Markup::default() };
    let Some(row) = FeatureId::new(id).ok().and_then(|id| layer.find(&id)) else { return Markup::default() };
    let view = call.caller.view(layer.schema());
    let shown = row.visible(&view);
    let facts = layer.schema().fields.iter().enumerate().filter_map(|(at, field)| {
        let code = match shown.value(at) {
            ValueRef::DateTime(instant) => return Some((field, beijing_time(language, instant))),
            ValueRef::Text(text) => text.to_owned(),
            ValueRef::Integer(number) => number.to_string(),
            _ => return None,
        };
        field
            .codes
            .as_ref()
            .map(|list| (field, language.pick(&label(&call.state.catalog, Some(list), &code)).to_owned()))
    });
    let mut facts: Vec<_> = facts.collect();
    facts.sort_by_key(|(field, _)| field.codes.is_none());
    html! {
        p.facts { @for (field, words) in facts { span { (language.pick(&field.title)) (language.say("：", ": ")) b { (words) } } } }
    }
}

/// Features with a responsible person, nearest first.
fn responsible(call: &Call<'_>, language: PageLanguage, found: &Surroundings<'_>) -> Markup {
    let say = |zh, en| language.say(zh, en);
    html! {
        h2 { (say("联系人（由近及远）", "Contacts, nearest first")) }
        @if found.responsible.is_empty() {
            p { (say("范围内没有登记联系人。", "No contact is on file here.")) }
        } @else {
            table {
                tr {
                    th { (say("类别", "Kind")) } th { (say("名称", "Name")) } th { (say("联系人", "Person")) }
                    th { (say("电话", "Phone")) }
                }
                @for (layer, row) in &found.responsible {
                    @let contact = contacts(&call.caller.contact_view(layer.schema()), row);
                    tr {
                        td { (language.pick(&layer.schema().title)) }
                        td { (contact["name"].as_str().unwrap_or(row.id().as_str())) }
                        td { (contact["person"].as_str().unwrap_or(say("未登记", "not on file"))) }
                        td.n { (contact["phone"].as_str().unwrap_or(say("未登记", "not on file"))) }
                    }
                }
            }
        }
    }
}

/// Legend of the map: the risk levels of the catalog, then kinds of features.
fn legend(catalog: &Catalog, language: PageLanguage) -> Markup {
    let kinds = [
        ("#1b8a5a", language.say("避灾点", "Shelters")),
        ("#6a3fb5", language.say("队伍、物资", "Teams, stock")),
        ("#5b6673", language.say("村居、场所", "Villages, places")),
    ];
    html! {
        p.legend {
            @for level in catalog.codes.get(surroundings_map::LEVELS).into_iter().flatten() {
                @if let Some(color) = &level.color { span { i style={ "background:" (color) } {} (language.pick(&level.label)) } }
            }
            @for (color, name) in kinds { span { i style={ "background:" (color) } {} (name) } }
        }
    }
}

fn place_name(language: PageLanguage, area: &Area) -> String {
    match area {
        Area::Rings(at, _) if language == PageLanguage::Chinese => {
            format!("东经{:.5}°　北纬{:.5}°", at.lon(), at.lat())
        }
        Area::Rings(at, _) => format!("{:.5}° E, {:.5}° N", at.lon(), at.lat()),
        Area::Around(..) => language.say("指定线路或区域周边", "Around a line or an area").to_owned(),
        Area::Inside(_) => language.say("指定区域", "An area").to_owned(),
    }
}

/// Four totals of the largest ring.
fn chips(language: PageLanguage, found: &Surroundings<'_>) -> Markup {
    let Some(ring) = found.rings.last() else { return Markup::default() };
    let within = match ring.radius_m {
        None => language.say("区域内", "in the area: ").to_owned(),
        Some(radius) if language == PageLanguage::Chinese => format!("{}内", language.metres(radius)),
        Some(radius) => format!("within {}: ", language.metres(radius)),
    };
    let layer_count = |id: &str| ring.layers.iter().find(|layer_count| layer_count.layer.schema().id == id);
    let count =
        |id: &str| layer_count(id).map_or(0, |layer_count| i64::try_from(layer_count.count).unwrap_or(i64::MAX));
    let people = |id: &str| layer_count(id).and_then(|layer_count| layer_count.people).map_or(0, |people| people.known);
    let figures = [
        (people("villages"), language.say("村居人口（人）", "people in villages")),
        (people("key_places"), language.say("重点场所人数（人）", "people in key places")),
        (count("hazards"), language.say("风险源（处）", "hazards")),
        (count("shelters"), language.say("避灾点（处）", "shelters")),
    ];
    html! {
        div.chips {
            @for (figure, name) in figures { div.chip { b { (figure) } span { (within) (name) } } }
        }
    }
}

fn counts(catalog: &Catalog, language: PageLanguage, found: &Surroundings<'_>) -> Markup {
    let Some(largest) = found.rings.last() else { return Markup::default() };
    let count_in = |ring: &Ring<'_>, id: &str| {
        ring.layers.iter().find(|own| own.layer.schema().id == id).map_or(0, |own| own.count)
    };
    html! {
        h2 { (language.say("各类数量", "Numbers by layer")) }
        table {
            tr {
                th { (language.say("图层", "Layer")) }
                @for ring in &found.rings {
                    th.n {
                        @match ring.radius_m {
                            Some(radius_m) => (language.metres(radius_m)),
                            None => (language.say("区域内", "in the area")),
                        }
                    }
                }
                th { (language.say("其中", "Of which")) }
            }
            @for layer_count in &largest.layers {
                @let schema = layer_count.layer.schema();
                tr {
                    td { (language.pick(&schema.title)) }
                    @for ring in &found.rings { td.n { (count_in(ring, &schema.id)) } }
                    td { (parts(catalog, language, layer_count)) }
                }
            }
        }
    }
}

/// The composition of a layer's features as text.
fn parts(catalog: &Catalog, language: PageLanguage, layer_count: &LayerCount<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(people) = layer_count.people {
        let unknown = match people.unknown_places {
            0 => String::new(),
            places => format!("{}{places}{}", language.say("，", ", "), language.say("处不明", " places unknown")),
        };
        parts.push(format!("{}{}{unknown}", people.known, language.say("人", " people")));
    }
    let field = layer_count.by.iter().find(|(field, _)| *field == "risk_level").or_else(|| layer_count.by.first());
    if let Some((field, counts)) = field {
        for (code, count) in counts {
            let label = label_of(catalog, layer_count.layer, field, code.as_deref());
            let length = layer_count.length_m.as_ref().and_then(|lengths| lengths.get(code));
            let length = length.map_or(String::new(), |length_m| {
                format!("{}{}{}", language.say("（", " ("), language.metres(*length_m), language.say("）", ")"))
            });
            parts.push(format!("{}{}{count}{length}", language.pick(&label), language.say("", " ")));
        }
    }
    language.join(&parts)
}

fn secondary_hazards(catalog: &Catalog, language: PageLanguage, found: &Surroundings<'_>) -> Markup {
    const SHOWN: usize = 25;
    let say = |zh, en| language.say(zh, en);
    let more = found.secondary_hazards.len().saturating_sub(SHOWN) + found.more_secondary_hazards;
    html! {
        h2 { (say("次生危险源（按危险程度）", "Secondary hazards, worst first")) }
        @if found.secondary_hazards.is_empty() {
            p { (say("范围内没有次生危险源。", "There is none here.")) }
        } @else {
            table {
                tr {
                    th.n { (say("序", "No.")) } th { (say("名称", "Name")) } th { (say("类别", "Kind")) }
                    th { (say("等级", "Level")) } th.n { (say("距离", "Distance")) }
                }
                @for (index, hazard) in found.secondary_hazards.iter().take(SHOWN).enumerate() {
                    @let level = hazard.layer.integer(&hazard.row, "risk_level").map(|level| level.to_string());
                    tr {
                        td.n { (index + 1) }
                        td { (hazard.layer.text(&hazard.row, "name").unwrap_or(hazard.row.id().as_str())) }
                        td { @if let Some(kind) = hazard_type(catalog, hazard.layer, &hazard.row) { (language.pick(&kind)) } }
                        td {
                            @if let Some(level) = level {
                                (language.pick(&label_of(catalog, hazard.layer, "risk_level", Some(&level))))
                            }
                        }
                        td.n { (language.metres(hazard.distance_m)) }
                    }
                }
            }
            @if more > 0 { p { (say("另有", "")) (more) (say("处未列出。", " more are not listed.")) } }
        }
    }
}

fn help(language: PageLanguage, found: &Surroundings<'_>) -> Markup {
    let say = |zh, en| language.say(zh, en);
    html! {
        h2 { (say("最近可用力量", "Nearest resources")) }
        table {
            tr {
                th { (say("类别", "Kind")) } th { (say("名称", "Name")) } th.n { (say("距离", "Distance")) }
                th { (say("方位", "Direction")) }
            }
            @for (layer, resources) in &found.help {
                @for resource in resources {
                    tr {
                        td { (language.pick(&layer.schema().title)) }
                        td { (layer.text(&resource.row, "name").unwrap_or(resource.row.id().as_str())) }
                        td.n { (language.metres(resource.distance_m)) }
                        td { (resource.bearing_deg.map_or(say("原地", "here"), |degrees| compass(language, degrees))) }
                    }
                }
            }
        }
    }
}

/// One of eight directions.
fn compass(language: PageLanguage, degrees: f64) -> &'static str {
    const NAMES: [(&str, &str); 8] = [
        ("北", "north"),
        ("东北", "north-east"),
        ("东", "east"),
        ("东南", "south-east"),
        ("南", "south"),
        ("西南", "south-west"),
        ("西", "west"),
        ("西北", "north-west"),
    ];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 8")]
    let at = (degrees.rem_euclid(360.0) / 45.0).round() as usize;
    let (zh, en) = NAMES[at % NAMES.len()];
    language.say(zh, en)
}
