//! The persons that a warning concerns as a printable page: Chinese, A4, without scripts.

use maud::{Markup, html};

use crate::http::api::alert_facts::{
    TARGET_SHARE, TownshipAlert, contact, contact_words, people_in, reached, value, warning_label,
};
use crate::http::api::event_documents::plans_printed;
use crate::http::call::Call;
use crate::http::reply::printed_page::PrintedPage;
use crate::model::ValueRef;
use crate::query::alert::{Alert, AlertedPlace};
use crate::snapshot::{Layer, Row};

/// The page.
pub(crate) fn page(
    call: &Call<'_>,
    warning: &(&Layer, Row<'_>),
    found: &Alert<'_>,
    townships: &[TownshipAlert<'_>],
    plans: &[(&Layer, Row<'_>)],
) -> PrintedPage {
    let (layer, row) = warning;
    PrintedPage {
        heading: "预警到人",
        subject: layer.text(row, "name").unwrap_or(row.id().as_str()).to_owned(),
        body: html! {
            (facts(call, warning))
            (chips(found, townships))
            (plans_printed(call, plans))
            (places(call, townships))
            (silent(found))
            (shelters(found))
            (stations(call, found))
        },
        remark: "联系人和电话已脱敏，完整信息须登录后按规定查看；未知值不计为零。",
    }
}

fn facts(call: &Call<'_>, warning: &(&Layer, Row<'_>)) -> Markup {
    let (layer, row) = warning;
    let time = |field: &str| match value(call, layer, row, field) {
        ValueRef::DateTime(instant) => {
            let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]");
            instant.to_offset(time::macros::offset!(+8)).format(format).unwrap_or_default()
        }
        _ => "不明".to_owned(),
    };
    html! {
        p {
            (warning_label(call, warning, "kind").zh) "　" (warning_label(call, warning, "severity").zh) "　"
            (warning_label(call, warning, "status").zh) "　" (time("started_at")) " 至 " (time("expires_at"))
        }
    }
}

fn chips(found: &Alert<'_>, townships: &[TownshipAlert<'_>]) -> Markup {
    let people = people_in(&found.places);
    let (people_reached, share) = reached(found);
    let share = share.map_or("不明".to_owned(), |share| format!("{:.1}%", share * 100.0));
    let figures = [
        (people.known.to_string(), "预警区人口（人）".to_owned()),
        (format!("{} / {}", townships.len(), found.places.len()), "乡镇 / 村居（个）".to_owned()),
        (share, format!("应急广播覆盖（{people_reached}人，要求{:.0}%）", TARGET_SHARE * 100.0)),
        (found.over_threshold.len().to_string(), "超阈值站点（个）".to_owned()),
    ];
    html! {
        div.chips { @for (figure, name) in figures { div.chip { b { (figure) } span { (name) } } } }
    }
}

/// Calls are made by township, then village.
fn places(call: &Call<'_>, townships: &[TownshipAlert<'_>]) -> Markup {
    html! {
        h2 { "责任人（乡镇、村居）" }
        @if townships.is_empty() { p { "预警区内没有村居。" } }
        @if !call.caller.sees_contacts() { p { "联系人登录后显示。" } }
        table {
            tr { th { "乡镇、村居" } th.n { "人口" } th { "责任人、电话" } th { "应急广播" } }
            @for own in townships {
                @let officer = own.township.as_ref().map(|(layer, row)| contact_words(contact(call, layer, row)));
                tr {
                    th { (own.name()) }
                    th.n { (people_in(&own.places).known) }
                    th { (officer.unwrap_or_default()) }
                    td {}
                }
                @for place in &own.places {
                    tr {
                        td { "　" (name_of(place)) }
                        td.n { (place.people.map_or("不明".to_owned(), |people| people.to_string())) }
                        td { (contact_words(contact(call, place.layer, &place.row))) }
                        td { @if place.loudspeakers > 0 { (place.loudspeakers) " 个" } @else { b { "未覆盖，须上门或电话" } } }
                    }
                }
            }
        }
    }
}

fn name_of<'a>(place: &AlertedPlace<'a>) -> &'a str {
    place.layer.text(&place.row, "name").unwrap_or(place.row.id().as_str())
}

fn silent(found: &Alert<'_>) -> Markup {
    let names: Vec<&str> = found.places.iter().filter(|place| place.loudspeakers == 0).map(name_of).collect();
    html! {
        @if !names.is_empty() {
            h2 { "应急广播未覆盖的村居" }
            p { (names.join("、")) "。" }
            @if found.unknown_reach > 0 { p { "另有 " (found.unknown_reach) " 个终端覆盖半径不明，未计入。" } }
        }
    }
}

fn shelters(found: &Alert<'_>) -> Markup {
    let free = |layer: &Layer, row: &Row<'_>| {
        layer.resources().free_places(row, true).map_or("不明".to_owned(), |free| free.to_string())
    };
    html! {
        h2 { "避灾点" }
        p { "预警区内 " (found.shelters_inside.len()) " 处。预警区外最近的可用避灾点：" }
        table {
            tr { th { "名称" } th.n { "过夜余位" } th.n { "距预警区（米）" } }
            @for (layer, near) in &found.shelters_outside {
                tr {
                    td { (layer.text(&near.row, "name").unwrap_or(near.row.id().as_str())) }
                    td.n { (free(layer, &near.row)) }
                    td.n { (format_args!("{:.0}", near.distance_m)) }
                }
            }
        }
    }
}

fn stations(call: &Call<'_>, found: &Alert<'_>) -> Markup {
    let number = |layer: &Layer, row: &Row<'_>, field: &str| match value(call, layer, row, field) {
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Integer(number) => number.to_string(),
        _ => "不明".to_owned(),
    };
    html! {
        @if !found.over_threshold.is_empty() {
            h2 { "超阈值站点" }
            table {
                tr { th { "名称" } th.n { "实测值" } th.n { "阈值" } th { "单位" } }
                @for (layer, row) in &found.over_threshold {
                    tr {
                        td { (layer.text(row, "name").unwrap_or(row.id().as_str())) }
                        td.n { (number(layer, row, "value")) }
                        td.n { (number(layer, row, "threshold")) }
                        td { (layer.text(row, "unit").unwrap_or_default()) }
                    }
                }
            }
        }
    }
}
