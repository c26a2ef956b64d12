//! CQL2 functions outside the standard.

use super::number::Number;

/// Name, description, types of the arguments and of the result.
pub type Signature = (&'static str, &'static str, &'static [&'static str], &'static str);

/// All functions.
pub const FUNCTIONS: &[Signature] = &[
    ("char_length", "Number of characters of a text", &["string"], "number"),
    ("abs", "A number without its sign", &["number"], "number"),
    ("floor", "The greatest whole number that is not above a number", &["number"], "number"),
    ("ceil", "The least whole number that is not below a number", &["number"], "number"),
    ("round", "The nearest whole number, halves away from 0", &["number"], "number"),
    (DISTANCE, "Metres of the geodesic from the feature to a geometry; 0 inside", &["geometry", "geometry"], "number"),
];

/// The function that uses the feature's geometry.
pub(super) const DISTANCE: &str = "distance_m";

/// A function of one scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    CharLength,
    Abs,
    Floor,
    Ceil,
    Round,
}

impl Function {
    /// By name, case-insensitive.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "char_length" => Self::CharLength,
            "abs" => Self::Abs,
            "floor" => Self::Floor,
            "ceil" => Self::Ceil,
            "round" => Self::Round,
            _ => return None,
        })
    }

    /// Length of a text.
    pub(super) fn of_text(text: &str) -> Number {
        #[expect(clippy::cast_possible_wrap, reason = "texts are far below 2^63 characters")]
        Number::Integer(text.chars().count() as i64)
    }

    /// The result for a number; `None` if it is undefined.
    pub(super) fn of_number(self, number: Number) -> Option<Number> {
        let Number::Real(real) = number else {
            let Number::Integer(whole) = number else { return None };
            return match self {
                Self::Abs => whole.checked_abs().map(Number::Integer),
                Self::Floor | Self::Ceil | Self::Round => Some(number),
                Self::CharLength => None,
            };
        };
        Some(Number::of(match self {
            Self::Abs => real.abs(),
            Self::Floor => real.floor(),
            Self::Ceil => real.ceil(),
            Self::Round => real.round(),
            Self::CharLength => return None,
        }))
    }
}
