//! Evaluates a checked condition for a feature: true, false or unknown.

use std::borrow::Cow;
use std::cmp::Ordering;

use geo::Geometry;
use time::{Date, UtcDateTime};

use super::ast::{Arithmetic, Array, Comparison, Spatial, Temporal};
use super::function::Function;
use super::like::{Fold, Pattern};
use super::number::Number;
use super::relation::{Literal, relates};
use super::temporal::Span;
use crate::geodesy::Envelope;
use crate::model::{Shape, ValueRef};
use crate::query::query_geometry::QueryGeometry;
use crate::snapshot::Row;

/// A condition with typed operands.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    /// A truth value: a literal or a field.
    Holds(Term),
    Compare(Comparison, Term, Term),
    Between(Term, Term, Term),
    In(Term, Vec<Term>),
    Like(Term, LikePattern),
    IsNull(Nullable),
    Spatial(Spatial, SpatialOperand, SpatialOperand),
    Temporal(Temporal, Times, Times),
    Array(Array, Items, Items),
}

/// A scalar expression.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Id,
    /// By index in the schema.
    Field(usize),
    Boolean(bool),
    Number(Number),
    Text(Box<str>),
    Date(Date),
    Instant(UtcDateTime),
    Arithmetic(Arithmetic, Box<Term>, Box<Term>),
    Fold(Fold, Box<Term>),
    Condition(Box<Condition>),
    Function(Function, Box<Term>),
    /// Distance from the feature to this geometry, metres.
    Distance(Box<QueryGeometry>),
}

/// The pattern of a `LIKE`: compiled once, or per feature.
#[derive(Clone, Debug)]
pub(super) enum LikePattern {
    Fixed(Pattern),
    Varying(Term),
}

/// An operand of `IS NULL`.
#[derive(Clone, Debug)]
pub(super) enum Nullable {
    Geometry,
    /// A field of any type, by index in the schema.
    Field(usize),
    Term(Term),
}

/// An operand of a spatial function.
#[derive(Clone, Debug)]
pub(super) enum SpatialOperand {
    Feature,
    Literal(Literal),
}

/// An operand of a temporal function: its two bounds.
#[derive(Clone, Debug)]
pub(super) struct Times(pub(super) Bound, pub(super) Bound);

/// A bound of an interval.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Open,
    Term(Term),
}

/// An operand of an array function.
#[derive(Clone, Debug)]
pub(super) enum Items {
    /// By index in the schema.
    Field(usize),
    Literal(Vec<Term>),
}

/// A known scalar.
#[derive(Clone, Debug, PartialEq)]
enum Scalar<'a> {
    Boolean(bool),
    Number(Number),
    Text(Cow<'a, str>),
    Date(Date),
    Instant(UtcDateTime),
}

impl Scalar<'_> {
    /// Compares two scalars of one type; unknown for different types, which the type check excludes.
    fn compare(&self, op: Comparison, other: &Self) -> Option<bool> {
        let order = match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.order(*b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            _ => return Some(self.span(false)?.compare(op, other.span(false)?)),
        };
        Some(match op {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::NotEqual => order != Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::LessOrEqual => order != Ordering::Greater,
            Comparison::GreaterOrEqual => order != Ordering::Less,
        })
    }

    fn span(&self, days_are_points: bool) -> Option<Span> {
        match self {
            Self::Date(day) => Some(Span::of_day(*day, days_are_points)),
            Self::Instant(instant) => Some(Span::at(*instant)),
            _ => None,
        }
    }
}

impl Condition {
    /// Whether it only compares fields and constants.
    pub(super) fn is_quick(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().all(Self::is_quick),
            Self::Not(part) => part.is_quick(),
            Self::Holds(term) => term.is_quick(),
            Self::Compare(_, a, b) => a.is_quick() && b.is_quick(),
            Self::Between(a, b, c) => [a, b, c].into_iter().all(Term::is_quick),
            Self::In(term, list) => term.is_quick() && list.iter().all(Term::is_quick),
            Self::IsNull(operand) => !matches!(operand, Nullable::Term(term) if !term.is_quick()),
            Self::Like(..) | Self::Spatial(..) | Self::Temporal(..) | Self::Array(..) => false,
        }
    }

    /// Evaluates it for a feature; `None` is unknown.
    pub(super) fn of(&self, row: &Row<'_>) -> Option<bool> {
        match self {
            Self::And(parts) => all(parts.iter().map(|part| part.of(row))),
            Self::Or(parts) => any(parts.iter().map(|part| part.of(row))),
            Self::Not(inner) => inner.of(row).map(|holds| !holds),
            Self::Holds(term) => match term.of(row)? {
                Scalar::Boolean(holds) => Some(holds),
                _ => None,
            },
            Self::Compare(op, a, b) => a.of(row)?.compare(*op, &b.of(row)?),
            Self::Between(value, low, high) => {
                let value = value.of(row)?;
                let side = |op, bound: &Term| value.compare(op, &bound.of(row)?);
                all([side(Comparison::GreaterOrEqual, low), side(Comparison::LessOrEqual, high)].into_iter())
            }
            Self::In(value, items) => {
                let value = value.of(row)?;
                any(items.iter().map(|item| value.compare(Comparison::Equal, &item.of(row)?)))
            }
            Self::Like(value, pattern) => {
                let Scalar::Text(value) = value.of(row)? else { return None };
                match pattern {
                    LikePattern::Fixed(pattern) => Some(pattern.fits(&value)),
                    LikePattern::Varying(term) => match term.of(row)? {
                        Scalar::Text(pattern) => Some(Pattern::new(&pattern).fits(&value)),
                        _ => None,
                    },
                }
            }
            Self::IsNull(nullable) => Some(match nullable {
                Nullable::Geometry => row.shape().is_none(),
                Nullable::Field(at) => row.cell(*at) == ValueRef::Unknown,
                Nullable::Term(term) => term.of(row).is_none(),
            }),
            Self::Spatial(relation, a, b) => spatial(*relation, a, b, row),
            Self::Temporal(relation, a, b) => {
                let (a, b) = (a.of(row)?, b.of(row)?);
                let days = a.iter().chain(&b).flatten().all(|bound| matches!(bound, Scalar::Date(_)));
                Some(span(&a, days)?.relates(*relation, span(&b, days)?))
            }
            Self::Array(relation, a, b) => {
                let (a, b) = (a.of(row)?, b.of(row)?);
                let within = |a: &[Scalar<'_>], b: &[Scalar<'_>]| a.iter().all(|item| b.contains(item));
                Some(match relation {
                    Array::Equals => within(&a, &b) && within(&b, &a),
                    Array::Contains => within(&b, &a),
                    Array::ContainedBy => within(&a, &b),
                    Array::Overlaps => a.iter().any(|item| b.contains(item)),
                })
            }
        }
    }

    /// An envelope outside which it is not true, in degrees; crosses the antimeridian only if a literal does.
    pub(super) fn envelope(&self) -> Option<Envelope> {
        let crosses = |envelope: &Envelope| envelope.west() > envelope.east();
        match self {
            Self::And(parts) => {
                let area = |own: &Envelope| own.split().map(|e| (e.east() - e.west()) * (e.north() - e.south())).sum();
                let boxes = parts.iter().filter_map(Self::envelope).map(|own| (area(&own), own));
                boxes.min_by(|(a, _): &(f64, Envelope), (b, _)| a.total_cmp(b)).map(|(_, own)| own)
            }
            Self::Or(parts) => {
                let boxes: Vec<Envelope> = parts.iter().map(Self::envelope).collect::<Option<_>>()?;
                if boxes.iter().any(crosses) { None } else { boxes.into_iter().reduce(|a, b| a.union(&b)) }
            }
            Self::Spatial(Spatial::Disjoint, ..) => None,
            Self::Spatial(_, SpatialOperand::Feature, SpatialOperand::Literal(literal))
            | Self::Spatial(_, SpatialOperand::Literal(literal), SpatialOperand::Feature) => Some(literal.envelope),
            _ => None,
        }
    }
}

impl Term {
    fn is_quick(&self) -> bool {
        match self {
            Self::Id
            | Self::Field(_)
            | Self::Boolean(_)
            | Self::Number(_)
            | Self::Text(_)
            | Self::Date(_)
            | Self::Instant(_) => true,
            Self::Condition(condition) => condition.is_quick(),
            Self::Arithmetic(_, a, b) => a.is_quick() && b.is_quick(),
            Self::Fold(..) | Self::Function(..) | Self::Distance(_) => false,
        }
    }

    fn of<'a>(&'a self, row: &Row<'a>) -> Option<Scalar<'a>> {
        match self {
            Self::Id => Some(Scalar::Text(row.id().as_str().into())),
            Self::Field(at) => match row.cell(*at) {
                ValueRef::Boolean(yes) => Some(Scalar::Boolean(yes)),
                ValueRef::Integer(number) => Some(Scalar::Number(Number::Integer(number))),
                ValueRef::Real(number) => Some(Scalar::Number(Number::of(number))),
                ValueRef::Text(text) => Some(Scalar::Text(text.into())),
                ValueRef::Date(day) => Some(Scalar::Date(day)),
                ValueRef::DateTime(instant) => Some(Scalar::Instant(instant)),
                ValueRef::Unknown | ValueRef::TextList(_) | ValueRef::Json(_) => None,
            },
            Self::Boolean(yes) => Some(Scalar::Boolean(*yes)),
            Self::Number(number) => Some(Scalar::Number(*number)),
            Self::Text(text) => Some(Scalar::Text((&**text).into())),
            Self::Date(day) => Some(Scalar::Date(*day)),
            Self::Instant(instant) => Some(Scalar::Instant(*instant)),
            Self::Arithmetic(op, a, b) => match (a.of(row)?, b.of(row)?) {
                (Scalar::Number(a), Scalar::Number(b)) => Number::combine(*op, a, b).map(Scalar::Number),
                _ => None,
            },
            Self::Fold(fold, inner) => match inner.of(row)? {
                Scalar::Text(text) => Some(Scalar::Text(fold.apply(&text).into())),
                _ => None,
            },
            Self::Condition(condition) => condition.of(row).map(Scalar::Boolean),
            Self::Function(function, operand) => match operand.of(row)? {
                Scalar::Text(text) => Some(Scalar::Number(Function::of_text(&text))),
                Scalar::Number(number) => function.of_number(number).map(Scalar::Number),
                _ => None,
            },
            Self::Distance(from) => {
                let (_, _, metres) = from.nearest(row.shape()?, f64::INFINITY)?;
                Some(Scalar::Number(Number::of(metres)))
            }
        }
    }
}

impl Times {
    /// Both bounds, each `None` if open; `None` if one is unknown.
    fn of<'a>(&'a self, row: &Row<'a>) -> Option<[Option<Scalar<'a>>; 2]> {
        let bound = |bound: &'a Bound| match bound {
            Bound::Open => Some(None),
            Bound::Term(term) => term.of(row).map(Some),
        };
        Some([bound(&self.0)?, bound(&self.1)?])
    }
}

fn span([start, end]: &[Option<Scalar<'_>>; 2], days_are_points: bool) -> Option<Span> {
    let at = |bound: &Option<Scalar<'_>>| match bound {
        Some(scalar) => scalar.span(days_are_points).map(Some),
        None => Some(None),
    };
    Some(Span {
        start: at(start)?.map_or(UtcDateTime::MIN, |span| span.start),
        end: at(end)?.map_or(UtcDateTime::MAX, |span| span.end),
    })
}

impl Items {
    fn of<'a>(&'a self, row: &Row<'a>) -> Option<Vec<Scalar<'a>>> {
        match self {
            Self::Field(at) => match row.cell(*at) {
                ValueRef::TextList(items) => {
                    Some(items.iter().map(|item| Scalar::Text(item.as_str().into())).collect())
                }
                _ => None,
            },
            Self::Literal(items) => items.iter().map(|item| item.of(row)).collect(),
        }
    }
}

fn spatial(relation: Spatial, a: &SpatialOperand, b: &SpatialOperand, row: &Row<'_>) -> Option<bool> {
    let own = row.shape().map(Shape::geometry);
    if let (SpatialOperand::Feature, SpatialOperand::Literal(literal))
    | (SpatialOperand::Literal(literal), SpatialOperand::Feature) = (a, b)
    {
        if !literal.may_touch(own?) {
            return Some(relation == Spatial::Disjoint);
        }
        match relation {
            Spatial::Intersects => return Some(literal.index.intersects(own?)),
            Spatial::Disjoint => return Some(!literal.index.intersects(own?)),
            _ => {}
        }
    }
    Some(relates(relation, a.geometry(own)?, b.geometry(own)?))
}

impl SpatialOperand {
    fn geometry<'a>(&'a self, own: Option<&'a Geometry>) -> Option<&'a Geometry> {
        match self {
            Self::Feature => own,
            Self::Literal(literal) => Some(literal.index.geometry()),
        }
    }
}

/// Three-valued AND.
fn all(mut parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    if parts.any(|part| {
        known &= part.is_some();
        part == Some(false)
    }) {
        return Some(false);
    }
    known.then_some(true)
}

/// Three-valued OR.
fn any(mut parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    if parts.any(|part| {
        known &= part.is_some();
        part == Some(true)
    }) {
        return Some(true);
    }
    known.then_some(false)
}
