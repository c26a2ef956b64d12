//! Dates and instants as text: ISO 8601, UTC, microseconds, years 0000 to 9999.
//!
//! The year is checked after the offset is applied, so every instant that is read can be written in UTC and read again.
//! PostgreSQL stores microseconds, so this precision holds from the store to page cursors.

use time::format_description::well_known::Rfc3339;
use time::format_description::{BorrowedFormatItem, FormatItem};
use time::macros::{format_description, offset};
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time, UtcDateTime};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// A notation common in Chinese sources.
const SLASHED_DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]/[month padding:none]/[day padding:none]");
const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const MICROSECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
/// Notations without a zone that occur in files.
const LOCAL: [&[FormatItem<'_>]; 4] = [
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]]"),
    format_description!(
        "[year]/[month padding:none]/[day padding:none] [hour padding:none]:[minute][optional [:[second]]]"
    ),
    format_description!("[year][month][day][hour][minute][second]"),
];

/// Writes an instant as `2026-08-14T02:00:00.000Z`, with six decimals if it has microseconds.
#[must_use]
pub fn format_instant(instant: UtcDateTime) -> String {
    let form = if instant.microsecond().is_multiple_of(1_000) { MILLISECONDS } else { MICROSECONDS };
    instant.format(form).unwrap_or_default()
}

/// Writes an instant for people, in Beijing time: `2026-08-14 10:00`.
#[must_use]
pub fn format_beijing(instant: UtcDateTime) -> String {
    const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");
    let local = instant.checked_to_offset(offset!(+8));
    local.and_then(|local| local.format(MINUTE).ok()).unwrap_or_default()
}

/// Writes a date as `2026-08-14`.
#[must_use]
pub fn format_date(date: Date) -> String {
    date.format(DAY).unwrap_or_default()
}

/// Reads an instant; without a zone it is Beijing time, as in Chinese sources. Truncated to microseconds. `None` if the
/// text is not an instant or its year in UTC is outside 0000..=9999.
#[must_use]
pub fn parse_instant(text: &str) -> Option<UtcDateTime> {
    let text = text.trim();
    let local = || {
        let local = LOCAL.iter().find_map(|format| PrimitiveDateTime::parse(text, format).ok());
        local.or_else(|| parse_date(text).map(Date::midnight)).and_then(from_beijing)
    };
    let instant = parse_zoned_instant(text).or_else(local)?;
    instant.replace_microsecond(instant.microsecond()).ok()
}

/// Reads an instant with a zone (RFC 3339), to the nanosecond. A blank before the offset counts as a plus sign, because
/// an unencoded plus sign in a query string is decoded to a blank. `None` if the text is not such an instant or its
/// year in UTC is outside 0000..=9999.
#[must_use]
pub fn parse_zoned_instant(text: &str) -> Option<UtcDateTime> {
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let with_plus = || {
        // Only a blank after the time of day is a plus sign; one between date and time is a separator.
        let (before, offset) = text.rsplit_once(' ').filter(|(before, _)| before.contains(':'))?;
        parse(&format!("{before}+{offset}"))
    };
    parse(text).or_else(with_plus)?.checked_to_utc().filter(|instant| is_in_range(instant.date()))
}

/// Reads a date: `2026-08-14` or `2026/8/14`. `None` if the text is not a date or its year is outside 0000..=9999.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let text = text.trim();
    let date = Date::parse(text, DAY).or_else(|_| Date::parse(text, SLASHED_DAY)).ok();
    date.filter(|date| is_in_range(*date))
}

/// The first and last instant of a text. An instant with a zone is both; a date (`2026-08-14`) is that day in Beijing
/// (UTC+08:00), as dates in records are. `None` if it is neither.
#[must_use]
pub fn parse_time_span(text: &str) -> Option<(UtcDateTime, UtcDateTime)> {
    if let Some(instant) = parse_zoned_instant(text) {
        return Some((instant, instant));
    }
    let day = Date::parse(text, DAY).ok().filter(|day| is_in_range(*day))?;
    // The last microsecond, the smallest stored unit.
    let end = PrimitiveDateTime::new(day, Time::MAX) - Duration::nanoseconds(999);
    Some((from_beijing(day.midnight())?, from_beijing(end)?))
}

/// The date in Beijing (UTC+08:00) of an instant.
#[must_use]
pub fn beijing_day(instant: UtcDateTime) -> Date {
    instant.checked_to_offset(offset!(+8)).map_or(Date::MAX, OffsetDateTime::date)
}

fn from_beijing(local: PrimitiveDateTime) -> Option<UtcDateTime> {
    local.assume_offset(offset!(+8)).checked_to_utc().filter(|instant| is_in_range(instant.date()))
}

/// Whether the year has four digits.
fn is_in_range(date: Date) -> bool {
    (0..=9_999).contains(&date.year())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_without_a_zone_is_beijing_time() {
        for (text, expected) in [
            ("2026-08-14T10:00:00", "2026-08-14T02:00:00.000Z"),
            ("2026-08-14T10:00:00.1239", "2026-08-14T02:00:00.123900Z"),
            ("2026-08-14 10:00:00", "2026-08-14T02:00:00.000Z"),
            ("20260814100000", "2026-08-14T02:00:00.000Z"),
            ("2026/8/14 10:00", "2026-08-14T02:00:00.000Z"),
            ("2026-08-14T10:00:00Z", "2026-08-14T10:00:00.000Z"),
            ("2026-08-14T10:00:00+08:00", "2026-08-14T02:00:00.000Z"),
            ("2026-08-14T10:00:00 08:00", "2026-08-14T02:00:00.000Z"),
            ("2026-08-14 10:00:00 08:00", "2026-08-14T02:00:00.000Z"),
            ("2026-08-14T10:00:00.123456789Z", "2026-08-14T10:00:00.123456Z"),
            ("2026-08-14", "2026-08-13T16:00:00.000Z"),
        ] {
            assert_eq!(parse_instant(text).map(format_instant).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(parse_instant("yesterday"), None);
    }

    #[test]
    fn an_instant_out_of_range_after_its_offset_is_none() {
        for text in [
            "9999-12-31T23:59:59-12:00",
            "0000-01-01T00:00:00+08:00",
            "0000-01-01T00:00:00",
            "0000-01-01",
            "-9999-01-01T00:00:00",
            "-9999-01-01 00:00:00",
            "-0001-05-05T00:00:00Z",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
        assert_eq!(parse_date("-0001-01-01"), None);
        assert!(parse_date("0000-01-01").is_some() && parse_date("9999-12-31").is_some());
    }

    #[test]
    fn a_day_is_from_midnight_to_midnight_in_beijing() {
        let span = parse_time_span("2026-08-14").map(|(from, to)| (format_instant(from), format_instant(to)));
        let expected = ("2026-08-13T16:00:00.000Z".to_owned(), "2026-08-14T15:59:59.999999Z".to_owned());
        assert_eq!(span, Some(expected));
        for text in ["2026-08-14T10:00:00", "2026-08-14年", "2026年08月14日", "0000-01-01", ""] {
            assert_eq!(parse_time_span(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,40}") {
            let _ = (parse_instant(&text), parse_date(&text), parse_time_span(&text));
        }

        #[test]
        fn no_time_and_offset_makes_a_parser_panic(
            year in -10_000..=10_000_i32, month in 0..=13_u8, day in 0..=32_u8, hour in 0..=25_u8, minute in 0..=60_u8,
            zone in "(Z|z|[+ -][0-2][0-9]:[0-5][0-9])?", separator in "[Tt ]",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:59{zone}");
            let _ = (parse_date(&text), parse_time_span(&text));
            if let Some(instant) = parse_instant(&text) {
                prop_assert_eq!(parse_instant(&format_instant(instant)), Some(instant));
            }
        }
    }
}
