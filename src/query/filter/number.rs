//! Numbers in expressions: integers are exact, others are doubles; undefined results are unknown.

use std::cmp::Ordering;
use std::fmt;

use super::ast::Arithmetic;

/// Largest integer up to which doubles are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A finite number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Integer(i64),
    /// Not an integer below 2^53, which is an `Integer`.
    Real(f64),
}

impl Number {
    /// Converts a finite number; a whole one becomes an integer.
    pub(super) fn of(number: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        if number.fract() == 0.0 && number.abs() <= EXACT { Self::Integer(number as i64) } else { Self::Real(number) }
    }

    /// The nearest double.
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is the intended result")]
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Real(number) => number,
        }
    }

    /// Exact order, also between a large integer and a double.
    pub(super) fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(&b),
            (Self::Integer(a), Self::Real(b)) => integer_against_real(a, b),
            (Self::Real(a), Self::Integer(b)) => integer_against_real(b, a).reverse(),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(&b),
        }
    }

    /// The result; `None` if undefined, such as a division by zero.
    pub(super) fn combine(op: Arithmetic, a: Self, b: Self) -> Option<Self> {
        let whole = match (op, a, b) {
            (Arithmetic::Add, Self::Integer(a), Self::Integer(b)) => a.checked_add(b),
            (Arithmetic::Subtract, Self::Integer(a), Self::Integer(b)) => a.checked_sub(b),
            (Arithmetic::Multiply, Self::Integer(a), Self::Integer(b)) => a.checked_mul(b),
            (Arithmetic::Modulo, Self::Integer(a), Self::Integer(b)) => a.checked_rem(b),
            (Arithmetic::IntegerDivide, Self::Integer(a), Self::Integer(b)) => a.checked_div(b),
            _ => None,
        };
        if let Some(whole) = whole {
            return Some(Self::Integer(whole));
        }
        let (a, b) = (a.as_f64(), b.as_f64());
        let result = match op {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
            Arithmetic::Modulo => a % b,
            Arithmetic::IntegerDivide => (a / b).trunc(),
            Arithmetic::Power => a.powf(b),
        };
        result.is_finite().then(|| Self::of(result))
    }
}

fn integer_against_real(a: i64, b: f64) -> Ordering {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if b >= BEYOND {
        return Ordering::Less;
    }
    if b < -BEYOND {
        return Ordering::Greater;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the range of i64")]
    let whole = b.floor() as i64;
    a.cmp(&whole).then(if b.fract() == 0.0 { Ordering::Equal } else { Ordering::Less })
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Real(number) if (1e-5..1e16).contains(&number.abs()) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_doubles_have_one_order() {
        let large = 9_007_199_254_740_993;
        for (a, b, order) in [
            (Number::Integer(large), Number::Real(9_007_199_254_740_994.0), Ordering::Less),
            (Number::Integer(-1), Number::Real(-0.5), Ordering::Less),
            (Number::Integer(-1), Number::Real(-1.5), Ordering::Greater),
            (Number::Real(0.5), Number::Integer(0), Ordering::Greater),
            (Number::Integer(i64::MAX), Number::Real(1e19), Ordering::Less),
            (Number::Integer(i64::MIN), Number::Real(-1e19), Ordering::Greater),
            (Number::Integer(i64::MIN), Number::Real(-9_223_372_036_854_775_808.0), Ordering::Equal),
        ] {
            assert_eq!(a.order(b), order, "{a} and {b}");
            assert_eq!(b.order(a), order.reverse(), "{b} and {a}");
        }
    }

    #[test]
    fn undefined_results_are_unknown() {
        let [zero, one, two] = [0, 1, 2].map(Number::Integer);
        for (op, a, b, expected) in [
            (Arithmetic::Divide, one, zero, None),
            (Arithmetic::Modulo, one, zero, None),
            (Arithmetic::IntegerDivide, one, zero, None),
            (
                Arithmetic::IntegerDivide,
                Number::Integer(i64::MIN),
                Number::Integer(-1),
                Some(Number::Real(9_223_372_036_854_775_808.0)),
            ),
            (Arithmetic::Divide, one, two, Some(Number::Real(0.5))),
            (Arithmetic::IntegerDivide, Number::Integer(-7), two, Some(Number::Integer(-3))),
            (Arithmetic::Power, two, Number::Integer(3), Some(Number::Integer(8))),
            (Arithmetic::Power, Number::Integer(-1), Number::Real(0.5), None),
            (Arithmetic::Add, Number::Integer(i64::MAX), one, Some(Number::Real(9_223_372_036_854_775_808.0))),
        ] {
            assert_eq!(Number::combine(op, a, b), expected, "{a} {} {b}", op.name());
        }
    }
}
