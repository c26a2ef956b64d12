//! Statistics of situation reports: the figures of each day by township and in total, and who has not reported.

use std::collections::{BTreeMap, BTreeSet};

use time::{Date, UtcDateTime};

use super::cancel::{CancelToken, Cancelled};
use crate::model::division::division_prefix;
use crate::model::{ValueRef, beijing_day};
use crate::snapshot::{Layer, Row};

/// Maximum number of days of one query.
pub const MAX_DAYS: i64 = 92;

/// A query for the statistics of some days.
#[derive(Clone, Copy, Debug)]
pub struct StatisticsQuery<'a> {
    /// The layer of reports.
    pub reports: &'a Layer,
    /// The layer of the divisions that are to report every day.
    pub townships: &'a Layer,
    /// First day, in Beijing time.
    pub from: Date,
    /// Last day, in Beijing time; at most [`MAX_DAYS`] from the first.
    pub to: Date,
    /// Only reports about this incident; without it only those about no single incident.
    pub incident: Option<&'a str>,
}

/// The statistics of some days.
#[derive(Clone, Debug)]
pub struct Statistics<'a> {
    /// Positions of the figures in the schema of the reports.
    pub figures: Vec<usize>,
    /// The days, ascending.
    pub days: Vec<DayStatistics<'a>>,
}

/// The statistics of a day.
#[derive(Clone, Debug)]
pub struct DayStatistics<'a> {
    /// The day in Beijing.
    pub day: Date,
    /// The townships that reported, by code.
    pub townships: Vec<TownshipFigures<'a>>,
    /// The townships that did not, by code.
    pub missing: Vec<Row<'a>>,
    /// Sums over the townships that reported.
    pub totals: Vec<Figure>,
    /// Number of reports of divisions that lie in no township; they are in no sum.
    pub not_counted: usize,
}

/// The figures of a township on a day.
#[derive(Clone, Debug)]
pub struct TownshipFigures<'a> {
    /// The township.
    pub township: Row<'a>,
    /// Its last report of the day; `None` if the figures are the sums of its villages' last reports.
    pub report: Option<Row<'a>>,
    /// The figures.
    pub figures: Vec<Figure>,
}

impl TownshipFigures<'_> {
    /// Whether it reported that nothing happened.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.figures.iter().all(|figure| figure.known == Some(0.0) && figure.unknown == 0)
    }
}

/// A number that is reported or added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    /// The sum of what is known; `None` if nothing is.
    pub known: Option<f64>,
    /// Number of reports without this figure.
    pub unknown: usize,
}

impl Figure {
    fn of(row: &Row<'_>, position: usize) -> Self {
        let known = row.real(position);
        Self { known, unknown: usize::from(known.is_none()) }
    }

    fn plus(self, other: Self) -> Self {
        let known = match (self.known, other.known) {
            (Some(own), Some(more)) => Some(own + more),
            (own, more) => own.or(more),
        };
        Self { known, unknown: self.unknown + other.unknown }
    }
}

/// Computes the statistics of some days. Of several reports of a division on a day the last one counts. The figures of
/// a township are those of its own report; if it has none, the sums of the reports of its villages.
///
/// # Errors
/// When it is cancelled.
pub fn statistics<'a>(query: &StatisticsQuery<'a>, cancel: &CancelToken) -> Result<Statistics<'a>, Cancelled> {
    let schema = query.reports.schema();
    let named = schema.roles.situation_report.iter().flat_map(|role| &role.figures);
    let figures: Vec<usize> =
        named.filter_map(|name| schema.position(name)).filter(|at| !schema.fields[*at].sensitive).collect();
    let last = last_reports(query, cancel)?;
    let mut townships: Vec<(&str, Row<'a>)> = query
        .townships
        .rows_after(None)
        .filter_map(|row| Some((division_prefix(query.townships.text(&row, "region_code")?)?, row)))
        .collect();
    townships.sort_by_key(|(prefix, _)| *prefix);
    let days = std::iter::successors(Some(query.from), |day| day.next_day()).take_while(|day| *day <= query.to);
    let none = BTreeMap::new();
    let days = days.map(|day| of_day(day, last.get(&day).unwrap_or(&none), &townships, &figures)).collect();
    Ok(Statistics { figures, days })
}

/// By day and division prefix: the last report.
type LastReports<'a> = BTreeMap<Date, BTreeMap<&'a str, Row<'a>>>;

fn last_reports<'a>(query: &StatisticsQuery<'a>, cancel: &CancelToken) -> Result<LastReports<'a>, Cancelled> {
    let (reports, schema) = (query.reports, query.reports.schema());
    let incident = schema.roles.situation_report.as_ref().map_or("", |role| role.incident.as_str());
    let as_of = schema.roles.time.as_ref().and_then(|time| schema.position(&time.start));
    let mut last: BTreeMap<Date, BTreeMap<&'a str, (UtcDateTime, Row<'a>)>> = BTreeMap::new();
    for row in reports.rows_after(None) {
        cancel.check()?;
        let at = as_of.map(|position| row.cell(position));
        let (Some(ValueRef::DateTime(at)), true) = (at, reports.text(&row, incident) == query.incident) else {
            continue;
        };
        let day = beijing_day(at);
        let prefix = reports.text(&row, "region_code").and_then(division_prefix);
        let (Some(prefix), true) = (prefix, (query.from..=query.to).contains(&day)) else { continue };
        let of_day = last.entry(day).or_default();
        // Rows come by id, so that of two reports of one instant the greater id counts.
        if of_day.get(prefix).is_none_or(|(before, _)| *before <= at) {
            of_day.insert(prefix, (at, row));
        }
    }
    let rows = |own: BTreeMap<&'a str, (UtcDateTime, Row<'a>)>| own.into_iter().map(|(prefix, (_, row))| (prefix, row));
    Ok(last.into_iter().map(|(day, own)| (day, rows(own).collect())).collect())
}

fn of_day<'a>(
    day: Date,
    reports: &BTreeMap<&'a str, Row<'a>>,
    townships: &[(&'a str, Row<'a>)],
    figures: &[usize],
) -> DayStatistics<'a> {
    let mut counted: BTreeSet<&str> = BTreeSet::new();
    let (mut reported, mut missing) = (Vec::new(), Vec::new());
    for (prefix, township) in townships {
        let within: Vec<(&str, Row<'a>)> = reports
            .range(*prefix..)
            .take_while(|(code, _)| code.starts_with(prefix))
            .map(|(code, row)| (*code, *row))
            .collect();
        counted.extend(within.iter().map(|(code, _)| *code));
        let own = within.first().filter(|(code, _)| code == prefix).map(|(_, row)| *row);
        let rows: Vec<Row<'a>> = own.map_or_else(|| within.iter().map(|(_, row)| *row).collect(), |row| vec![row]);
        if rows.is_empty() {
            missing.push(*township);
            continue;
        }
        let sum = |at: &usize| rows.iter().map(|row| Figure::of(row, *at)).fold(Figure::default(), Figure::plus);
        reported.push(TownshipFigures { township: *township, report: own, figures: figures.iter().map(sum).collect() });
    }
    let total = |index| {
        reported.iter().map(|own: &TownshipFigures<'_>| own.figures[index]).fold(Figure::default(), Figure::plus)
    };
    DayStatistics {
        day,
        totals: (0..figures.len()).map(total).collect(),
        townships: reported,
        missing,
        not_counted: reports.len() - counted.len(),
    }
}
