//! The current time. No other code reads the system clock, so every dependency on it is visible.

use time::UtcDateTime;

/// Now, in UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "only this function reads the clock")]
pub fn now() -> UtcDateTime {
    UtcDateTime::now()
}

/// The current offset of local time; `None` if it is unknown, or if the program already has several threads.
#[must_use]
pub fn local_offset() -> Option<time::UtcOffset> {
    time::UtcOffset::current_local_offset().ok()
}

/// Now, in milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    let now = now();
    now.unix_timestamp() * 1000 + i64::from(now.millisecond())
}

/// Now, in UTC, truncated to milliseconds, the precision in which times are stored.
#[must_use]
pub fn now_to_the_millisecond() -> UtcDateTime {
    let now = now();
    now.replace_millisecond(now.millisecond()).unwrap_or(now)
}

/// The current date in Beijing (UTC+08:00).
#[must_use]
pub fn today() -> time::Date {
    now().to_offset(time::macros::offset!(+8)).date()
}

/// A duration in seconds, rounded to hundredths, for log messages.
#[must_use]
pub fn rounded_s(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 100.0).round() / 100.0
}
