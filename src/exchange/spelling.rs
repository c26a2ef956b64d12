//! Values as people type them into tables: full-width digits, thousands separators, units, Chinese dates, degrees with
//! minutes and seconds.

use std::ops::RangeInclusive;

use time::macros::date;
use time::{Date, Month, Time};

/// Characters before and after a number that say that it is not exact.
const ABOUT: [&str; 7] = ["大约", "约", "近", "≈", "~", "左右", "余"];

/// What a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dimension {
    Length,
    Area,
    Volume,
    People,
    Years,
    Angle,
    Count,
}

/// Symbols of units, what they measure, and their size in the base unit.
const UNITS: [(&[&str], Dimension, f64); 15] = [
    (&["m", "米"], Dimension::Length, 1.0),
    (&["km", "公里", "千米"], Dimension::Length, 1_000.0),
    (&["cm", "厘米"], Dimension::Length, 0.01),
    (&["mm", "毫米"], Dimension::Length, 0.001),
    (&["m²", "m2", "㎡", "平方米", "平米"], Dimension::Area, 1.0),
    (&["km²", "km2", "平方公里", "平方千米"], Dimension::Area, 1_000_000.0),
    (&["ha", "公顷"], Dimension::Area, 10_000.0),
    (&["亩"], Dimension::Area, 2_000.0 / 3.0),
    (&["m³", "m3", "立方米", "方"], Dimension::Volume, 1.0),
    (&["km³", "km3"], Dimension::Volume, 1e9),
    (&["persons", "人", "名", "口"], Dimension::People, 1.0),
    (&["years", "年"], Dimension::Years, 1.0),
    (&["deg", "°", "度"], Dimension::Angle, 1.0),
    (&["户", "个", "处", "座", "间", "栋"], Dimension::Count, 1.0),
    (&["顶", "床", "张", "件", "套", "台", "辆", "艘", "箱"], Dimension::Count, 1.0),
];

/// The text with full-width letters, digits and blanks as half-width ones, trimmed.
#[must_use]
pub fn half_width(text: &str) -> String {
    let half = |own: char| match own {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(own) - 0xfee0).unwrap_or(own),
        '\u{3000}' | '\u{a0}' => ' ',
        other => other,
    };
    text.chars().map(half).collect::<String>().trim().to_owned()
}

/// Reads a number that may have thousands separators and a unit, such as `1,200 平方米` or `约50人`, in a unit.
///
/// # Errors
/// What is wrong with it: no number, an unknown unit, or one that measures something else.
pub fn number(text: &str, unit: Option<&str>) -> Result<f64, String> {
    let mut rest = half_width(text);
    rest.retain(|own| !own.is_whitespace());
    if let Some(plain) = rest.parse::<f64>().ok().filter(|number| number.is_finite()) {
        return Ok(plain);
    }
    for about in ABOUT {
        rest = rest.trim_start_matches(about).trim_end_matches(about).to_owned();
    }
    let is_part = |own: char| own.is_ascii_digit() || ['.', ',', '+', '-'].contains(&own);
    let end = rest.find(|own| !is_part(own)).unwrap_or(rest.len());
    let (digits, symbol) = rest.split_at(end);
    let mut symbol = symbol.trim_start_matches(['余', '多']);
    let mut number: f64 = without_separators(digits)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("{text:?} is not a number"))?;
    for (word, factor) in [("万", 1e4), ("亿", 1e8)] {
        if let Some(shorter) = symbol.strip_prefix(word) {
            (symbol, number) = (shorter, number * factor);
        }
    }
    if symbol.is_empty() {
        return Ok(number);
    }
    let find =
        |symbol: &str| UNITS.iter().find(|(symbols, ..)| symbols.iter().any(|own| own.eq_ignore_ascii_case(symbol)));
    let (_, quantity, size) = find(symbol).ok_or_else(|| format!("{symbol:?} is not a known unit"))?;
    match unit.map(find) {
        None if *quantity == Dimension::Count => Ok(number),
        Some(Some((_, wanted, own_size))) if wanted == quantity => Ok(exact(number * size / own_size)),
        _ => Err(format!("the unit {symbol:?} does not fit; the field is in {}", unit.unwrap_or("no unit"))),
    }
}

/// The nearest number of at most twelve significant digits, because a conversion is not exact in binary.
fn exact(number: f64) -> f64 {
    format!("{number:.11e}").parse().unwrap_or(number)
}

/// The digits of a number without the commas between groups of three; `None` if commas stand elsewhere.
fn without_separators(digits: &str) -> Option<String> {
    if !digits.contains(',') {
        return Some(digits.to_owned());
    }
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut groups = whole.trim_start_matches(['+', '-']).split(',');
    let first = groups.next()?;
    let is_grouped = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    (is_grouped && fraction.is_none_or(|fraction| !fraction.contains(','))).then(|| digits.replace(',', ""))
}

/// Days since the end of 1899 that are taken for a date: 1954 to 2119.
const SERIAL_DAYS: RangeInclusive<f64> = 20_000.0..=80_000.0;

/// The day and time of a number in a spreadsheet whose cell has lost the format of a date.
fn of_serial(number: f64) -> Option<(Date, Option<Time>)> {
    const SECONDS_PER_DAY: f64 = 86_400.0;
    const DAY_ZERO: Date = date!(1899 - 12 - 30);
    if !SERIAL_DAYS.contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range of the days")]
    let (days, seconds) = (number.floor() as i64, (number.fract() * SECONDS_PER_DAY).round() as u32);
    let day = DAY_ZERO.checked_add(time::Duration::days(days))?;
    let time = Time::MIDNIGHT + time::Duration::seconds(i64::from(seconds.min(86_399)));
    Some((day, (seconds > 0).then_some(time)))
}

/// A day and, if the text has one, a time of day: 2026年8月14日 10时30分, 2026/8/14 10:30, 2026.8.14, 20260814, 下午3点,
/// 46248.5 of a spreadsheet.
/// `None` for anything else, such as years of two digits.
#[must_use]
pub fn day_and_time(text: &str) -> Option<(Date, Option<Time>)> {
    let text = half_width(text);
    if let Some(found) = text.parse().ok().and_then(of_serial) {
        return Some(found);
    }
    let (text, afternoon) =
        match [("下午", 12), ("晚上", 12), ("上午", 0), ("凌晨", 0)].into_iter().find(|(word, _)| text.contains(word))
        {
            Some((word, hours)) => (text.replace(word, " "), Some(hours)),
            None => (text, None),
        };
    let plain = |own: char| match own {
        '年' | '月' | '/' | '.' => '-',
        '日' | '号' | 'T' => ' ',
        '时' | '点' | '分' => ':',
        other => other,
    };
    // Parts of seconds are dropped; their decimal point would become a hyphen.
    let text = match text.rfind(':').and_then(|colon| Some(colon + text.get(colon..)?.find('.')?)) {
        Some(point) => text.get(..point).unwrap_or(&text).to_owned(),
        None => text,
    };
    let text: String = text.chars().filter(|own| *own != '秒').map(plain).collect();
    let (day, time) = text.split_once(' ').map_or((text.as_str(), ""), |(day, time)| (day, time.trim()));
    let numbers = |text: &str, separator: char| -> Option<Vec<u16>> {
        text.split(separator).filter(|part| !part.is_empty()).map(|part| part.trim().parse().ok()).collect()
    };
    let is_compact = day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit());
    let parts = if is_compact {
        vec![day.get(..4)?.parse().ok()?, day.get(4..6)?.parse().ok()?, day.get(6..)?.parse().ok()?]
    } else {
        numbers(day, '-')?
    };
    let [year @ 1000..=9999, month, day] = parts[..] else { return None };
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
    if time.is_empty() {
        return Some((date, None));
    }
    let parts = numbers(time, ':')?;
    let part = |at: usize| u8::try_from(parts.get(at).copied().unwrap_or(0)).ok();
    let hour = part(0)?;
    let hour = match afternoon {
        Some(later) if hour < 12 => hour + later,
        _ => hour,
    };
    (parts.len() <= 3).then_some(())?;
    Some((date, Some(Time::from_hms(hour, part(1)?, part(2)?).ok()?)))
}

/// Degrees from a decimal number or from degrees, minutes and seconds: 118.86, 118°51′36″E, 北纬26度13分12秒. Metres are
/// read alike. `None` for anything else.
#[must_use]
pub fn degrees(text: &str) -> Option<f64> {
    let mut text = half_width(text);
    text.retain(|own| !own.is_whitespace());
    let is_negative = ["W", "S", "西经", "南纬"].iter().any(|own| text.starts_with(own) || text.ends_with(own));
    for word in ["东经", "西经", "北纬", "南纬", "E", "W", "N", "S"] {
        text = text.trim_start_matches(word).trim_end_matches(word).to_owned();
    }
    let parts: Vec<&str> = text.split(['°', '度', '′', '\'', '’', '分', '″', '"', '”', '秒']).collect();
    // Two apostrophes are seconds too.
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    let number = |part: &str| part.parse::<f64>().ok().filter(|number| number.is_finite());
    let sexagesimal = |part: &&str| number(part).filter(|own| (0.0..60.0).contains(own));
    let degrees = match parts.as_slice() {
        [degrees] => number(degrees)?,
        [degrees, minutes] => with_sign(number(degrees)?, sexagesimal(minutes)? / 60.0),
        [degrees, minutes, seconds] => {
            with_sign(number(degrees)?, sexagesimal(minutes)? / 60.0 + sexagesimal(seconds)? / 3_600.0)
        }
        _ => return None,
    };
    Some(if is_negative { -degrees } else { degrees })
}

fn with_sign(degrees: f64, part: f64) -> f64 {
    degrees + part.copysign(degrees)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_the_unit_of_the_field() {
        for (text, unit, number) in [
            ("３００人", Some("persons"), 300.0),
            ("约50", Some("persons"), 50.0),
            (" 1,200 平方米", Some("m²"), 1_200.0),
            ("1，200", Some("m²"), 1_200.0),
            ("3亩", Some("m²"), 2_000.0),
            ("3.5公里", Some("m"), 3_500.0),
            ("12厘米", Some("mm"), 120.0),
            ("258.6万立方米", Some("m³"), 2_586_000.0),
            ("35户", None, 35.0),
            ("-1.5", None, -1.5),
            ("50余人", Some("persons"), 50.0),
            ("1.2e3", Some("m"), 1_200.0),
        ] {
            assert_eq!(super::number(text, unit), Ok(number), "{text}");
        }
        for (text, unit) in [
            ("三百", None),
            ("300米", Some("persons")),
            ("12,34", None),
            ("1,2,3", None),
            ("5瓶", None),
            ("5人", None),
            ("", None),
            ("NaN", None),
            ("1e999", None),
        ] {
            assert!(super::number(text, unit).is_err(), "{text}");
        }
    }

    #[test]
    fn days_and_times_are_read_in_the_usual_forms() {
        let day =
            |text: &str| day_and_time(text).map(|(date, time)| (date.to_string(), time.map(|time| time.to_string())));
        for text in
            ["2026年8月14日", "2026-8-14", "2026/08/14", "2026.8.14", "20260814", "46248", "２０２６年８月１４号"]
        {
            assert_eq!(day(text), Some(("2026-08-14".to_owned(), None)), "{text}");
        }
        for (text, time) in [
            ("2026年8月14日10时30分", "10:30:00.0"),
            ("2026/8/14 10:30", "10:30:00.0"),
            ("46248.4375", "10:30:00.0"),
            ("2026/08/14 10:30:05.20", "10:30:05.0"),
            ("2026-08-14T10:30:05", "10:30:05.0"),
            ("2026年8月14日下午3点", "15:00:00.0"),
            ("2026年8月14日 上午9时5分6秒", "9:05:06.0"),
        ] {
            assert_eq!(day(text), Some(("2026-08-14".to_owned(), Some(time.to_owned()))), "{text}");
        }
        for text in
            ["26年8月14日", "2026年", "2026-13-01", "2026-02-30", "昨天", "2026-8-14 25:00", "458", "458830", ""]
        {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn degrees_are_read_with_minutes_and_seconds() {
        for (text, wanted) in [
            ("118.86", 118.86),
            ("118°51′36″E", 118.86),
            ("东经118度51分36秒", 118.86),
            ("26°13'12\"N", 26.22),
            ("26°13.2′", 26.22),
            ("W118°51'36''", -118.86),
            ("-0.5", -0.5),
            ("118.86°", 118.86),
        ] {
            assert!(degrees(text).is_some_and(|found| (found - wanted).abs() < 1e-9), "{text}: {:?}", degrees(text));
        }
        for text in ["118°61′", "一百", "118°51′36″12", "", "NaN", "1e400"] {
            assert_eq!(degrees(text), None, "{text}");
        }
    }
}
