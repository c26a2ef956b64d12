//! What is on file about an incident or a warning: the plans in force for it, and its situation reports.

use maud::{Markup, html};
use serde_json::{Value as Json, json};
use time::UtcDateTime;

use crate::geodesy::edge_index::EdgeIndex;
use crate::http::api::alert_facts::{TOWNSHIPS, contact, contact_words, json_of, value};
use crate::http::api::labels::label_of;
use crate::http::call::Call;
use crate::http::reply::page_language::PageLanguage;
use crate::http::reply::printed_page::beijing_time;
use crate::http::reply::problem::Problem;
use crate::model::ValueRef;
use crate::query::plans::{PlanQuery, plans_in_force};
use crate::query::situation_reports::reports_of;
use crate::snapshot::{Layer, Row};

/// Features with their layer.
type Features<'a> = Vec<(&'a Layer, Row<'a>)>;

/// What is on file about an event.
pub(crate) struct EventDocuments<'a> {
    pub(crate) plans: Features<'a>,
    /// The latest first.
    pub(crate) reports: Features<'a>,
}

impl<'a> EventDocuments<'a> {
    /// Of an event with a geometry.
    ///
    /// # Errors
    /// When the request is cancelled.
    pub(crate) fn of(
        call: &'a Call<'_>,
        (layer, row): (&'a Layer, Row<'a>),
        area: &EdgeIndex,
        at: UtcDateTime,
    ) -> Result<Self, Problem> {
        let snapshot = &call.current.snapshot;
        let townships = snapshot.layer(TOWNSHIPS).into_iter().flat_map(|townships| {
            let around = area.envelope().into_iter().flat_map(|around| townships.rows_in(&around));
            let touched = around.filter(|row| row.shape().is_some_and(|shape| area.intersects(shape.geometry())));
            touched.filter_map(|row| townships.text(&row, "region_code"))
        });
        let divisions: Vec<&str> = layer.text(&row, "region_code").into_iter().chain(townships).collect();
        let plans = plans_of(call, (layer, row), (area, &divisions), at)?;
        Ok(Self { plans, reports: reports_of(snapshot, row.id().as_str()) })
    }

    pub(crate) fn plans_json(&self, call: &Call<'_>) -> Json {
        self.plans.iter().map(|(layer, row)| describe_plan(call, layer, row)).collect()
    }

    /// Every field that the caller may see.
    pub(crate) fn reports_json(&self, call: &Call<'_>) -> Json {
        let report = |(layer, row): &(&Layer, Row<'_>)| {
            let mut report = json!({"layer": layer.schema().id, "id": row.id().as_str()});
            for field in layer.schema().fields.iter().filter(|field| !field.sensitive) {
                report[&field.name] = json_of(value(call, layer, row, &field.name));
            }
            report
        };
        self.reports.iter().map(report).collect()
    }
}

/// The plans in force for the kind of an event in its area.
///
/// # Errors
/// When the request is cancelled.
pub(crate) fn plans_of<'a>(
    call: &'a Call<'_>,
    (layer, row): (&Layer, Row<'_>),
    (area, divisions): (&EdgeIndex, &[&str]),
    at: UtcDateTime,
) -> Result<Features<'a>, Problem> {
    let kind = match value(call, layer, &row, "kind") {
        ValueRef::Text(kind) => Some(kind),
        _ => None,
    };
    let query = PlanQuery { area, divisions, kind, at };
    Ok(plans_in_force(&call.current.snapshot, &query, &call.cancel)?)
}

/// A plan with its contact, masked.
pub(crate) fn describe_plan(call: &Call<'_>, layer: &Layer, row: &Row<'_>) -> Json {
    let mut plan = json!({"layer": layer.schema().id, "id": row.id().as_str()});
    for name in ["name", "level", "issued_by", "document", "effective_from", "effective_until"] {
        plan[name] = json_of(value(call, layer, row, name));
    }
    if let Some([person, phone]) = contact(call, layer, row) {
        plan["person"] = json!(person);
        plan["phone"] = json!(phone);
    }
    plan
}

/// The plans on a printed page.
pub(crate) fn plans_printed(call: &Call<'_>, language: PageLanguage, plans: &[(&Layer, Row<'_>)]) -> Markup {
    let say = |zh, en| language.say(zh, en);
    html! {
        h2 { (say("适用预案", "Plans in force")) }
        @if plans.is_empty() { p { (say("没有登记适用的预案。", "No plan for it is on file.")) } }
        @else {
            table {
                tr {
                    th { (say("预案", "Plan")) } th { (say("发布单位、文号", "Issued by, number")) }
                    th { (say("指挥长、电话", "Commander, phone")) }
                }
                @for (layer, row) in plans {
                    tr {
                        td { (layer.text(row, "name").unwrap_or(row.id().as_str())) }
                        td { (layer.text(row, "issued_by").unwrap_or(language.unknown())) " " (layer.text(row, "document").unwrap_or_default()) }
                        td { (contact_words(language, contact(call, layer, row))) }
                    }
                }
            }
        }
    }
}

/// The situation reports of an incident on a printed page.
pub(crate) fn reports_printed(call: &Call<'_>, language: PageLanguage, reports: &[(&Layer, Row<'_>)]) -> Markup {
    let say = |zh, en| language.say(zh, en);
    html! {
        h2 { (say("灾情报告（由新到旧）", "Situation reports, latest first")) }
        @if reports.is_empty() { p { (say("没有报告。", "There is none.")) } }
        @else {
            table {
                tr {
                    th { (say("截至时间", "As of")) } th { (say("类别", "Kind")) } th { (say("报告", "Report")) }
                    th { (say("情况", "Situation")) } th { (say("数据", "Figures")) }
                }
                @for (layer, row) in reports {
                    tr {
                        td { (as_of(call, language, layer, row)) }
                        td { (kind(call, language, layer, row)) }
                        td { (layer.text(row, "name").unwrap_or(row.id().as_str())) }
                        td { (text(call, layer, row, "summary")) }
                        td { (figures(call, language, layer, row)) }
                    }
                }
            }
        }
    }
}

fn as_of(call: &Call<'_>, language: PageLanguage, layer: &Layer, row: &Row<'_>) -> String {
    let field = layer.schema().roles.time.as_ref().map_or("", |time| time.start.as_str());
    match value(call, layer, row, field) {
        ValueRef::DateTime(instant) => beijing_time(language, instant),
        _ => language.unknown().to_owned(),
    }
}

fn kind(call: &Call<'_>, language: PageLanguage, layer: &Layer, row: &Row<'_>) -> String {
    let code = text(call, layer, row, "report");
    let label = label_of(&call.state.catalog, layer, "report", Some(code).filter(|code| !code.is_empty()));
    language.pick(&label).to_owned()
}

fn text<'a>(call: &Call<'_>, layer: &Layer, row: &Row<'a>, field: &str) -> &'a str {
    match value(call, layer, row, field) {
        ValueRef::Text(text) => text,
        _ => "",
    }
}

/// The figures that a report states; what it does not state is left out, and zero is kept.
fn figures(call: &Call<'_>, language: PageLanguage, layer: &Layer, row: &Row<'_>) -> String {
    let schema = layer.schema();
    let names = schema.roles.situation_report.as_ref().map_or(&[][..], |role| role.figures.as_slice());
    let stated = names.iter().filter_map(|name| {
        let field = schema.fields.get(schema.position(name)?)?;
        let figure = json_of(value(call, layer, row, name));
        figure.is_number().then(|| format!("{}{}{figure}", language.pick(&field.title), language.say("", " ")))
    });
    stated.collect::<Vec<_>>().join(language.say("，", ", "))
}
