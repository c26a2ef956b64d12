//! The persons that a warning concerns as a printable page: A4, without scripts.

use maud::{Markup, html};

use crate::http::api::alert_facts::{
    TARGET_SHARE, TownshipAlert, contact, contact_words, people_in, reached, value, warning_label,
};
use crate::http::api::event_documents::plans_printed;
use crate::http::call::Call;
use crate::http::reply::page_language::PageLanguage;
use crate::http::reply::printed_page::PrintedPage;
use crate::model::ValueRef;
use crate::query::alert::{Alert, AlertedPlace};
use crate::snapshot::{Layer, Row};

/// The page.
pub(crate) fn page(
    (call, language): (&Call<'_>, PageLanguage),
    warning: &(&Layer, Row<'_>),
    found: &Alert<'_>,
    townships: &[TownshipAlert<'_>],
    plans: &[(&Layer, Row<'_>)],
) -> PrintedPage {
    let (layer, row) = warning;
    PrintedPage {
        language,
        heading: language.say("预警到人", "Who to warn"),
        subject: layer.text(row, "name").unwrap_or(row.id().as_str()).to_owned(),
        body: html! {
            (facts(call, language, warning))
            (chips(language, found, townships))
            (plans_printed(call, language, plans))
            (places(call, language, townships))
            (silent(language, found))
            (shelters(language, found))
            (stations(call, language, found))
        },
        remark: language.say(
            "联系人和电话已脱敏，完整信息须登录后按规定查看；未知值不计为零。",
            "Names and phones are masked; who may see them signs in. Unknown values do not count as zero.",
        ),
    }
}

fn facts(call: &Call<'_>, language: PageLanguage, warning: &(&Layer, Row<'_>)) -> Markup {
    let (layer, row) = warning;
    let time = |field: &str| match value(call, layer, row, field) {
        ValueRef::DateTime(instant) => {
            let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]");
            instant.to_offset(time::macros::offset!(+8)).format(format).unwrap_or_default()
        }
        _ => language.unknown().to_owned(),
    };
    html! {
        p {
            @for field in ["kind", "severity", "status"] { (language.pick(&warning_label(call, warning, field))) "　" }
            (time("started_at")) (language.say(" 至 ", " to ")) (time("expires_at"))
        }
    }
}

fn chips(language: PageLanguage, found: &Alert<'_>, townships: &[TownshipAlert<'_>]) -> Markup {
    let people = people_in(&found.places);
    let (people_reached, share) = reached(found);
    let share = share.map_or(language.unknown().to_owned(), |share| format!("{:.1}%", share * 100.0));
    let figures = [
        (people.known.to_string(), language.say("预警区人口（人）", "people in the area").to_owned()),
        (
            format!("{} / {}", townships.len(), found.places.len()),
            language.say("乡镇 / 村居（个）", "townships / villages").to_owned(),
        ),
        (
            share,
            match language {
                PageLanguage::Chinese => {
                    format!("应急广播覆盖（{people_reached}人，要求{:.0}%）", TARGET_SHARE * 100.0)
                }
                PageLanguage::English => {
                    format!("reached by loudspeakers ({people_reached} people; {:.0}% required)", TARGET_SHARE * 100.0)
                }
            },
        ),
        (
            found.over_threshold.len().to_string(),
            language.say("超阈值站点（个）", "stations over their threshold").to_owned(),
        ),
    ];
    html! {
        div.chips { @for (figure, name) in figures { div.chip { b { (figure) } span { (name) } } } }
    }
}

/// Calls are made by township, then village.
fn places(call: &Call<'_>, language: PageLanguage, townships: &[TownshipAlert<'_>]) -> Markup {
    let say = |zh, en| language.say(zh, en);
    html! {
        h2 { (say("责任人（乡镇、村居）", "Responsible persons of townships and villages")) }
        @if townships.is_empty() { p { (say("预警区内没有村居。", "No village is in the area.")) } }
        @if !call.caller.sees_contacts() { p { (say("联系人登录后显示。", "Contacts are shown to whoever is signed in.")) } }
        table {
            tr {
                th { (say("乡镇、村居", "Township, village")) } th.n { (say("人口", "People")) }
                th { (say("责任人、电话", "Person, phone")) } th { (say("应急广播", "Loudspeakers")) }
            }
            @for own in townships {
                @let officer = own.township.as_ref().map(|(layer, row)| contact_words(language, contact(call, layer, row)));
                tr {
                    th { (own.name()) }
                    th.n { (people_in(&own.places).known) }
                    th { (officer.unwrap_or_default()) }
                    td {}
                }
                @for place in &own.places {
                    tr {
                        td { "　" (name_of(place)) }
                        td.n { (place.people.map_or(language.unknown().to_owned(), |people| people.to_string())) }
                        td { (contact_words(language, contact(call, place.layer, &place.row))) }
                        td { @if place.loudspeakers > 0 { (place.loudspeakers) (say(" 个", "")) } @else { b { (say("未覆盖，须上门或电话", "none: call or visit")) } } }
                    }
                }
            }
        }
    }
}

fn name_of<'a>(place: &AlertedPlace<'a>) -> &'a str {
    place.layer.text(&place.row, "name").unwrap_or(place.row.id().as_str())
}

fn silent(language: PageLanguage, found: &Alert<'_>) -> Markup {
    let names: Vec<&str> = found.places.iter().filter(|place| place.loudspeakers == 0).map(name_of).collect();
    html! {
        @if !names.is_empty() {
            h2 { (language.say("应急广播未覆盖的村居", "Villages that no loudspeaker reaches")) }
            p { (names.join(language.say("、", ", "))) (language.say("。", ".")) }
            @if found.unknown_reach > 0 { p {
                    (language.say("另有 ", "")) (found.unknown_reach)
                    (language.say(" 个终端覆盖半径不明，未计入。", " more loudspeakers have no known reach and do not count."))
                } }
        }
    }
}

fn shelters(language: PageLanguage, found: &Alert<'_>) -> Markup {
    let say = |zh, en| language.say(zh, en);
    let free = |layer: &Layer, row: &Row<'_>| {
        layer.resources().free_places(row, true).map_or(language.unknown().to_owned(), |free| free.to_string())
    };
    html! {
        h2 { (say("避灾点", "Shelters")) }
        p {
            (say("预警区内 ", "In the area: ")) (found.shelters_inside.len())
            (say(" 处。预警区外最近的可用避灾点：", ". The nearest ones outside that take people:"))
        }
        table {
            tr {
                th { (say("名称", "Name")) } th.n { (say("过夜余位", "Places for the night")) }
                th.n { (say("距预警区（米）", "From the area, m")) }
            }
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

fn stations(call: &Call<'_>, language: PageLanguage, found: &Alert<'_>) -> Markup {
    let say = |zh, en| language.say(zh, en);
    let number = |layer: &Layer, row: &Row<'_>, field: &str| match value(call, layer, row, field) {
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Integer(number) => number.to_string(),
        _ => language.unknown().to_owned(),
    };
    html! {
        @if !found.over_threshold.is_empty() {
            h2 { (say("超阈值站点", "Stations over their threshold")) }
            table {
                tr {
                    th { (say("名称", "Name")) } th.n { (say("实测值", "Value")) } th.n { (say("阈值", "Threshold")) }
                    th { (say("单位", "Unit")) }
                }
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
