//! Instants and intervals: literals, and the relations of OGC 21-065r2, table 7.
//!
//! A time without a zone is UTC. Compared with instants, a date is the whole UTC day, from its first to its last
//! nanosecond. Compared with dates it is a point, so an interval that ends on a date meets one that begins on it.

use time::macros::format_description;
use time::{Date, PrimitiveDateTime, Time, UtcDateTime};

use super::FilterError;
use super::ast::{Comparison, Expr, Temporal};
use crate::model::parse_zoned_instant;

/// A closed interval of instants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) start: UtcDateTime,
    pub(super) end: UtcDateTime,
}

impl Span {
    pub(super) fn at(instant: UtcDateTime) -> Self {
        Self { start: instant, end: instant }
    }

    /// A whole day, or the date as a point on the scale of dates.
    pub(super) fn of_day(date: Date, as_point: bool) -> Self {
        let start = UtcDateTime::new(date, Time::MIDNIGHT);
        Self { start, end: if as_point { start } else { UtcDateTime::new(date, Time::MAX) } }
    }

    /// Compares as a scalar: overlapping values are equal.
    pub(super) fn compare(self, op: Comparison, other: Self) -> bool {
        let (less, greater) = (self.end < other.start, self.start > other.end);
        match op {
            Comparison::Equal => !less && !greater,
            Comparison::NotEqual => less || greater,
            Comparison::Less => less,
            Comparison::Greater => greater,
            Comparison::LessOrEqual => !greater,
            Comparison::GreaterOrEqual => !less,
        }
    }

    /// Whether the relation holds between this and another.
    pub(super) fn relates(self, relation: Temporal, other: Self) -> bool {
        let (a, b) = (self, other);
        match relation {
            Temporal::After => a.start > b.end,
            Temporal::Before => a.end < b.start,
            Temporal::Disjoint => a.start > b.end || a.end < b.start,
            Temporal::Intersects => a.start <= b.end && a.end >= b.start,
            Temporal::Equals => a == b,
            Temporal::Contains => a.start < b.start && a.end > b.end,
            Temporal::During => a.start > b.start && a.end < b.end,
            Temporal::Finishes => a.end == b.end && a.start > b.start,
            Temporal::FinishedBy => a.end == b.end && a.start < b.start,
            Temporal::Starts => a.start == b.start && a.end < b.end,
            Temporal::StartedBy => a.start == b.start && a.end > b.end,
            Temporal::Meets => a.end == b.start,
            Temporal::MetBy => a.start == b.end,
            Temporal::Overlaps => a.start < b.start && a.end > b.start && a.end < b.end,
            Temporal::OverlappedBy => a.start > b.start && a.start < b.end && a.end > b.end,
        }
    }
}

fn literal(value: &str, expected: &'static str) -> FilterError {
    FilterError::Literal { value: value.chars().take(80).collect(), expected }
}

/// Reads `2026-08-14`; years 0000 to 9999.
pub(super) fn parse_date(text: &str) -> Result<Date, FilterError> {
    let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    day.filter(|day| (0..=9_999).contains(&day.year())).ok_or_else(|| literal(text, "a day such as 2026-08-14"))
}

/// Reads `2026-08-14T10:00:00Z`, also with an offset, or without a zone as UTC.
pub(super) fn parse_timestamp(text: &str) -> Result<UtcDateTime, FilterError> {
    let local = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]");
    let without_zone = || {
        let instant = PrimitiveDateTime::parse(text, local).ok()?.as_utc();
        (0..=9_999).contains(&instant.year()).then_some(instant)
    };
    parse_zoned_instant(text)
        .or_else(without_zone)
        .ok_or_else(|| literal(text, "an instant such as 2026-08-14T10:00:00Z"))
}

/// Reads a bound of an interval: a date, an instant or `..`.
pub(super) fn interval_bound(text: &str) -> Result<Expr, FilterError> {
    if text == ".." {
        return Ok(Expr::Open);
    }
    parse_date(text)
        .map(Expr::Date)
        .or_else(|_| parse_timestamp(text).map(Expr::Timestamp))
        .map_err(|_| literal(text, "a day such as 2026-08-14, an instant such as 2026-08-14T10:00:00Z, or .."))
}
