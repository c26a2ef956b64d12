//! What time it is: the one reader of the clock, so that nothing else depends on it unseen.

use time::UtcDateTime;

/// Now, in UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one reader of the clock")]
pub fn now() -> UtcDateTime {
    UtcDateTime::now()
}

/// Now, in milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    let now = now();
    now.unix_timestamp() * 1000 + i64::from(now.millisecond())
}

/// Now, in UTC, cut to milliseconds, as times are kept.
#[must_use]
pub fn now_to_the_millisecond() -> UtcDateTime {
    let now = now();
    now.replace_millisecond(now.millisecond()).unwrap_or(now)
}

/// The day in China.
#[must_use]
pub fn today() -> time::Date {
    now().to_offset(time::macros::offset!(+8)).date()
}

/// A duration in seconds, to a hundredth, for people.
#[must_use]
pub fn rounded_s(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 100.0).round() / 100.0
}
