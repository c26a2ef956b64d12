//! Number formats of replies: distances to the millimetre, bearings to a hundredth of a degree.

use serde_json::{Value as Json, json};

/// A whole number where the quantity is whole.
pub(crate) fn quantity(count: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    if count.fract() == 0.0 && count.abs() < 9e15 { json!(count as i64) } else { json!(count) }
}

/// Metres, rounded to the millimetre.
pub(crate) fn millimetres(metres: f64) -> f64 {
    (metres * 1_000.0).round() / 1_000.0
}

/// Degrees clockwise from north, rounded to a hundredth, below 360; null at the position itself.
pub(crate) fn bearing(degrees: Option<f64>) -> Json {
    degrees.map_or(Json::Null, |degrees| json!((degrees * 100.0).round() % 36_000.0 / 100.0))
}

/// With one decimal unless it is zero.
pub(crate) fn tenths(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}
