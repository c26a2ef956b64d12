//! Statistics of situation reports: figures by day and township, as JSON and as a table.

use serde_json::{Map, Value as Json, json};
use time::{Date, Duration};

use crate::clock;
use crate::exchange::csv::write_table;
use crate::http::api::alert_facts::{TOWNSHIPS, value};
use crate::http::call::Call;
use crate::http::params::duty::{DAYS, REPORTED_INCIDENT};
use crate::http::params::{QueryParams, invalid, layer};
use crate::http::reply::Reply;
use crate::http::reply::media::{CSV, CSV_UTF8};
use crate::http::reply::numbers::quantity;
use crate::http::reply::problem::Problem;
use crate::model::{Field, ValueRef, format_date, format_instant, parse_date};
use crate::query::statistics::{
    DayStatistics, Figure, MAX_DAYS, Statistics, StatisticsQuery, TownshipFigures, statistics as compute,
};
use crate::snapshot::{Layer, Row};

const REPORTS: &str = "situation_reports";
/// Days of the statistics if the request names none.
const USUAL_DAYS: i64 = 7;

/// `GET /api/statistics`: figures of situation reports by day and township.
pub(crate) fn statistics(call: &Call<'_>) -> Result<Reply, Problem> {
    let (snapshot, format) = (&call.current.snapshot, call.format()?);
    let (reports, townships) = (layer(snapshot, "layer", REPORTS)?, layer(snapshot, "layer", TOWNSHIPS)?);
    let (from, to) = days(&call.params)?;
    let incident = call.params.get(&REPORTED_INCIDENT);
    let found = compute(&StatisticsQuery { reports, townships, from, to, incident }, &call.cancel)?;
    let fields: Vec<&Field> = found.figures.iter().map(|at| &reports.schema().fields[*at]).collect();
    let writer = Writer { call, reports, townships, fields };
    if format == CSV {
        return Ok(call.current.reply(CSV_UTF8).body(writer.table(&found)));
    }
    let title = |field: &&Field| json!({"name": field.name, "title": field.title, "unit": field.unit});
    Ok(call.current.json(json!({
        "layer": reports.schema().id,
        "incident": incident,
        "figures": writer.fields.iter().map(title).collect::<Vec<_>>(),
        "expected": townships.len(),
        "days": found.days.iter().map(|day| writer.day(day)).collect::<Vec<_>>(),
    })))
}

/// The first and the last day.
fn days(params: &QueryParams) -> Result<(Date, Date), Problem> {
    let Some(text) = params.get(&DAYS) else {
        let today = clock::today();
        return Ok((today.checked_sub(Duration::days(USUAL_DAYS - 1)).unwrap_or(today), today));
    };
    let refused = |detail: &str| {
        invalid(DAYS.name, text, detail, &format!("YYYY-MM-DD, or FIRST/LAST of at most {MAX_DAYS} days"))
    };
    let (first, last) = text.split_once('/').unwrap_or((text, text));
    let day = |text: &str| parse_date(text).ok_or_else(|| refused("it is not a day"));
    let (from, to) = (day(first)?, day(last)?);
    match (to - from).whole_days() {
        0..MAX_DAYS => Ok((from, to)),
        ..0 => Err(refused("the last day is before the first")),
        _ => Err(refused("these are too many days")),
    }
}

struct Writer<'a> {
    call: &'a Call<'a>,
    reports: &'a Layer,
    townships: &'a Layer,
    fields: Vec<&'a Field>,
}

impl Writer<'_> {
    fn day(&self, own: &DayStatistics<'_>) -> Json {
        let missing = |row: &Row<'_>| json!({"code": self.code(row), "name": self.townships.text(row, "name")});
        json!({
            "day": format_date(own.day),
            "reported": own.townships.len(),
            "zero": own.townships.iter().filter(|township| township.is_zero()).count(),
            "missing": own.missing.iter().map(missing).collect::<Vec<_>>(),
            "not_counted": own.not_counted,
            "totals": self.figures(&own.totals),
            "incomplete": self.incomplete(&own.totals),
            "townships": own.townships.iter().map(|township| self.township(township)).collect::<Vec<_>>(),
        })
    }

    fn township(&self, own: &TownshipFigures<'_>) -> Json {
        json!({
            "code": self.code(&own.township),
            "name": self.townships.text(&own.township, "name"),
            "report": own.report.map(|row| row.id().to_string()),
            "as_of": own.report.and_then(|row| self.as_of(&row)),
            "zero": own.is_zero(),
            "figures": self.figures(&own.figures),
            "incomplete": self.incomplete(&own.figures),
        })
    }

    fn code(&self, row: &Row<'_>) -> Option<String> {
        self.townships.text(row, "region_code").map(str::to_owned)
    }

    fn as_of(&self, row: &Row<'_>) -> Option<String> {
        let time = self.reports.schema().roles.time.as_ref()?;
        match value(self.call, self.reports, row, &time.start) {
            ValueRef::DateTime(at) => Some(format_instant(at)),
            _ => None,
        }
    }

    fn figures(&self, figures: &[Figure]) -> Map<String, Json> {
        let named = self.fields.iter().zip(figures);
        named.map(|(field, figure)| (field.name.clone(), figure.known.map_or(Json::Null, quantity))).collect()
    }

    /// Names of the figures that some report does not state.
    fn incomplete(&self, figures: &[Figure]) -> Vec<&str> {
        let named = self.fields.iter().zip(figures);
        named.filter(|(_, figure)| figure.unknown > 0).map(|(field, _)| field.name.as_str()).collect()
    }

    /// A row per day and township, and one per day with the sums.
    fn table(&self, found: &Statistics<'_>) -> Vec<u8> {
        let mut header: Vec<String> =
            ["日期 day", "区划代码 region_code", "名称 name", "状态 state"].map(str::to_owned).into();
        header.extend(self.fields.iter().map(|field| match &field.unit {
            Some(unit) => format!("{} {} ({unit})", field.title.zh, field.name),
            None => format!("{} {}", field.title.zh, field.name),
        }));
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let cells = |figures: &[Figure]| -> Vec<String> {
            figures
                .iter()
                .map(|figure| figure.known.map_or(String::new(), |known| quantity(known).to_string()))
                .collect()
        };
        let rows = found.days.iter().flat_map(|own| {
            let day = format_date(own.day);
            let row = |code: Option<String>, name: Option<&str>, state: &str, figures: &[Figure]| {
                let mut row =
                    vec![day.clone(), code.unwrap_or_default(), name.unwrap_or_default().to_owned(), state.to_owned()];
                row.extend(cells(figures));
                row
            };
            let township = |township: &Row<'_>, state: &str, figures: &[Figure]| {
                row(self.code(township), self.townships.text(township, "name"), state, figures)
            };
            let unknown = vec![Figure::default(); self.fields.len()];
            let mut rows: Vec<Vec<String>> = own
                .townships
                .iter()
                .map(|of| township(&of.township, if of.is_zero() { "零报告" } else { "已报" }, &of.figures))
                .chain(own.missing.iter().map(|missing| township(missing, "未报", &unknown)))
                .collect();
            rows.sort();
            rows.push(row(
                None,
                Some("合计"),
                &format!("{}/{}", own.townships.len(), self.townships.len()),
                &own.totals,
            ));
            rows
        });
        write_table(&header, rows)
    }
}
