//! The syntax tree of CQL2 text and JSON, and its canonical text.
//!
//! The tree is untyped and independent of layers. Equivalent expressions have equal trees: nested ANDs and ORs are
//! flattened, `NOT IN` is a negated `IN`, `-x` is `-1 * x`, 2.0 is 2. Equal trees print equal text.

use std::fmt;

use time::{Date, UtcDateTime};

use super::function::FUNCTIONS;
use super::number::Number;

/// Maximum nesting of an expression.
pub(super) const MAX_DEPTH: usize = 64;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Boolean(bool),
    Number(Number),
    Text(String),
    Date(Date),
    Timestamp(UtcDateTime),
    /// The open end of an interval.
    Open,
    Interval(Box<[Expr; 2]>),
    /// Longitude, latitude in degrees, not yet checked; heights are dropped.
    Geometry(geo::Geometry),
    /// West, south, east, north.
    Bbox([f64; 4]),
    Property(String),
    List(Vec<Expr>),
    Apply(Op, Vec<Expr>),
    /// A function outside the standard.
    Call(String, Vec<Expr>),
}

/// Operators and functions of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    And,
    Or,
    Not,
    Compare(Comparison),
    Like,
    Between,
    In,
    IsNull,
    Casei,
    Accenti,
    Arithmetic(Arithmetic),
    Spatial(Spatial),
    Temporal(Temporal),
    Array(Array),
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($variant),* }

        impl $name {
            /// All of them.
            pub(super) const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in JSON.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// By name, case-insensitive.
            fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|own| own.name().eq_ignore_ascii_case(name))
            }
        }
    };
}

named!(
    /// Comparison of two scalars.
    Comparison { Equal = "=", NotEqual = "<>", Less = "<", Greater = ">", LessOrEqual = "<=", GreaterOrEqual = ">=" }
);
named!(
    /// Arithmetic of two numbers.
    Arithmetic { Add = "+", Subtract = "-", Multiply = "*", Divide = "/", Modulo = "%", IntegerDivide = "div", Power = "^" }
);
named!(
    /// Relation of two geometries.
    Spatial {
        Intersects = "s_intersects", Equals = "s_equals", Disjoint = "s_disjoint", Touches = "s_touches",
        Within = "s_within", Overlaps = "s_overlaps", Crosses = "s_crosses", Contains = "s_contains",
    }
);
named!(
    /// Relation of two instants or intervals.
    Temporal {
        After = "t_after", Before = "t_before", Contains = "t_contains", Disjoint = "t_disjoint", During = "t_during",
        Equals = "t_equals", FinishedBy = "t_finishedBy", Finishes = "t_finishes", Intersects = "t_intersects",
        Meets = "t_meets", MetBy = "t_metBy", OverlappedBy = "t_overlappedBy", Overlaps = "t_overlaps",
        StartedBy = "t_startedBy", Starts = "t_starts",
    }
);
named!(
    /// Relation of two sets.
    Array { Equals = "a_equals", Contains = "a_contains", ContainedBy = "a_containedBy", Overlaps = "a_overlaps" }
);

impl Op {
    /// By name in JSON, case-insensitive.
    pub(super) fn named(name: &str) -> Option<Self> {
        let plain = [
            ("and", Self::And),
            ("or", Self::Or),
            ("not", Self::Not),
            ("like", Self::Like),
            ("between", Self::Between),
            ("in", Self::In),
            ("isNull", Self::IsNull),
        ];
        plain
            .into_iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, op)| op)
            .or_else(|| Comparison::named(name).map(Self::Compare))
            .or_else(|| Arithmetic::named(name).map(Self::Arithmetic))
            .or_else(|| Self::function(name))
    }

    /// By name, if text writes it as a function.
    pub(super) fn function(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "casei" => Some(Self::Casei),
            "accenti" => Some(Self::Accenti),
            _ => Spatial::named(name)
                .map(Self::Spatial)
                .or_else(|| Temporal::named(name).map(Self::Temporal))
                .or_else(|| Array::named(name).map(Self::Array)),
        }
    }

    /// Its name in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
            Self::Compare(op) => op.name(),
            Self::Like => "like",
            Self::Between => "between",
            Self::In => "in",
            Self::IsNull => "isNull",
            Self::Casei => "casei",
            Self::Accenti => "accenti",
            Self::Arithmetic(op) => op.name(),
            Self::Spatial(op) => op.name(),
            Self::Temporal(op) => op.name(),
            Self::Array(op) => op.name(),
        }
    }

    /// Minimum and maximum number of operands.
    pub(super) fn operands(self) -> (usize, usize) {
        match self {
            Self::And | Self::Or => (2, usize::MAX),
            Self::Not | Self::IsNull | Self::Casei | Self::Accenti => (1, 1),
            Self::Between => (3, 3),
            _ => (2, 2),
        }
    }
}

/// Joins conditions and flattens nested ones with the same operator.
pub(super) fn apply(op: Op, operands: Vec<Expr>) -> Expr {
    let operands = match op {
        Op::And | Op::Or => operands
            .into_iter()
            .flat_map(|operand| match operand {
                Expr::Apply(own, inner) if own == op => inner,
                other => vec![other],
            })
            .collect(),
        // A scalar in parentheses is a set of one.
        Op::Array(_) => operands
            .into_iter()
            .map(|operand| match operand {
                Expr::List(_) | Expr::Property(_) | Expr::Call(..) => operand,
                scalar => Expr::List(vec![scalar]),
            })
            .collect(),
        _ => operands,
    };
    Expr::Apply(op, operands)
}

/// Names of functions that text and JSON may call.
pub(super) fn functions() -> Vec<&'static str> {
    let spatial = Spatial::ALL.iter().map(|op| op.name());
    let temporal = Temporal::ALL.iter().map(|op| op.name());
    let array = Array::ALL.iter().map(|op| op.name());
    let ours = FUNCTIONS.iter().map(|(name, ..)| *name);
    ["casei", "accenti"].into_iter().chain(spatial).chain(temporal).chain(array).chain(ours).collect()
}

/// Canonical CQL2 text: all names quoted, all operations in parentheses.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(yes) => f.write_str(if *yes { "TRUE" } else { "FALSE" }),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Date(date) => write!(f, "DATE('{}')", day(*date)),
            Self::Timestamp(instant) => write!(f, "TIMESTAMP('{}')", moment(*instant)),
            Self::Open => f.write_str("'..'"),
            Self::Interval(bounds) => {
                f.write_str("INTERVAL(")?;
                bound(f, &bounds[0])?;
                f.write_str(",")?;
                bound(f, &bounds[1])?;
                f.write_str(")")
            }
            Self::Geometry(geometry) => super::geometry::write(f, geometry),
            Self::Bbox([west, south, east, north]) => {
                let [west, south, east, north] = [west, south, east, north].map(|number| Number::of(*number));
                write!(f, "BBOX({west},{south},{east},{north})")
            }
            Self::Property(name) => write!(f, "\"{}\"", name.replace('"', "\"\"")),
            Self::List(items) => {
                f.write_str("(")?;
                join(f, items, ",")?;
                f.write_str(")")
            }
            Self::Call(name, operands) => {
                write!(f, "{name}(")?;
                join(f, operands, ",")?;
                f.write_str(")")
            }
            Self::Apply(op, operands) => application(f, *op, operands),
        }
    }
}

fn application(f: &mut fmt::Formatter<'_>, op: Op, operands: &[Expr]) -> fmt::Result {
    match (op, operands) {
        (Op::Not, [inner]) => write!(f, "NOT {}", Inside(inner)),
        (Op::IsNull, [inner]) => write!(f, "{} IS NULL", Inside(inner)),
        (Op::Between, [value, low, high]) => {
            write!(f, "{} BETWEEN {} AND {}", Inside(value), Inside(low), Inside(high))
        }
        (Op::Casei | Op::Accenti | Op::Spatial(_) | Op::Temporal(_) | Op::Array(_), _) => {
            write!(f, "{}(", op.name().to_ascii_uppercase())?;
            join(f, operands, ",")?;
            f.write_str(")")
        }
        _ => {
            for (index, operand) in operands.iter().enumerate() {
                if index > 0 {
                    write!(f, " {} ", op.name().to_ascii_uppercase())?;
                }
                write!(f, "{}", Inside(operand))?;
            }
            Ok(())
        }
    }
}

/// An operand, in parentheses if it is an operation.
struct Inside<'a>(&'a Expr);

impl fmt::Display for Inside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function =
            |op: &Op| matches!(op, Op::Casei | Op::Accenti | Op::Spatial(_) | Op::Temporal(_) | Op::Array(_));
        match self.0 {
            Expr::Apply(op, _) if !function(op) => write!(f, "({})", self.0),
            Expr::Number(number) if number.as_f64() < 0.0 => write!(f, "({})", self.0),
            other => write!(f, "{other}"),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, items: &[Expr], between: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

fn bound(f: &mut fmt::Formatter<'_>, bound: &Expr) -> fmt::Result {
    match bound {
        Expr::Date(date) => write!(f, "'{}'", day(*date)),
        Expr::Timestamp(instant) => write!(f, "'{}'", moment(*instant)),
        other => write!(f, "{other}"),
    }
}

fn day(date: Date) -> String {
    crate::model::format_date(date)
}

fn moment(instant: UtcDateTime) -> String {
    instant.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}
