//! Days and instants as text: ISO 8601, UTC with milliseconds inside the crate.

use time::format_description::well_known::Rfc3339;
use time::format_description::{BorrowedFormatItem, FormatItem};
use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcDateTime};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const INSTANT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
/// Forms without a zone that files use.
const LOCAL: [&[FormatItem<'_>]; 4] = [
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]]"),
    format_description!(
        "[year]/[month padding:none]/[day padding:none] [hour padding:none]:[minute][optional [:[second]]]"
    ),
    format_description!("[year][month][day][hour][minute][second]"),
];

/// Writes an instant as `2026-08-14T02:00:00.000Z`.
#[must_use]
pub fn format_instant(instant: UtcDateTime) -> String {
    instant.format(INSTANT).unwrap_or_default()
}

/// Writes an instant as people in China read it: `2026-08-14 10:00`.
#[must_use]
pub fn format_beijing(instant: UtcDateTime) -> String {
    const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");
    instant.to_offset(offset!(+8)).format(MINUTE).unwrap_or_default()
}

/// Writes a day as `2026-08-14`.
#[must_use]
pub fn format_date(date: Date) -> String {
    date.format(DAY).unwrap_or_default()
}

/// Reads an instant; one without a zone is Beijing time, as in Chinese sources. Cut to milliseconds.
#[must_use]
pub fn parse_instant(text: &str) -> Option<UtcDateTime> {
    let text = text.trim();
    let instant = OffsetDateTime::parse(text, &Rfc3339).map(OffsetDateTime::to_utc).ok().or_else(|| {
        LOCAL
            .iter()
            .find_map(|format| PrimitiveDateTime::parse(text, format).ok())
            .or_else(|| parse_date(text).map(Date::midnight))
            .map(|local| local.assume_offset(offset!(+8)).to_utc())
    })?;
    instant.replace_millisecond(instant.millisecond()).ok()
}

/// Reads a day: `2026-08-14` or `2026/8/14`.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let slashed = format_description!("[year]/[month padding:none]/[day padding:none]");
    let text = text.trim();
    Date::parse(text, DAY).or_else(|_| Date::parse(text, slashed)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_beijing_time() {
        for (text, expected) in [
            ("2026-08-14T10:00:00", "2026-08-14T02:00:00.000Z"),
            ("2026-08-14T10:00:00.1239", "2026-08-14T02:00:00.123Z"),
            ("2026-08-14 10:00:00", "2026-08-14T02:00:00.000Z"),
            ("20260814100000", "2026-08-14T02:00:00.000Z"),
            ("2026/8/14 10:00", "2026-08-14T02:00:00.000Z"),
            ("2026-08-14T10:00:00Z", "2026-08-14T10:00:00.000Z"),
            ("2026-08-14T10:00:00+08:00", "2026-08-14T02:00:00.000Z"),
            ("2026-08-14", "2026-08-13T16:00:00.000Z"),
        ] {
            assert_eq!(parse_instant(text).map(format_instant).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(parse_instant("yesterday"), None);
    }
}
