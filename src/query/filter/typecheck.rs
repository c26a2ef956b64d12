//! Checks an expression against the fields of a layer: resolves names to field indices and checks operand types.

use std::cell::Cell as Counter;

use geo::CoordsIter;

use super::FilterError;
use super::ast::{Arithmetic, Expr, Op, functions};
use super::eval::{Bound, Condition, Items, LikePattern, Nullable, SpatialOperand, Term, Times};
use super::function::{DISTANCE, Function};
use super::like::{Fold, Pattern};
use super::relation::Literal;
use crate::model::{FieldType, Shape, View};
use crate::query::query_geometry::QueryGeometry;

/// Maximum number of operators, literals and properties.
const MAX_NODES: usize = 2_000;
/// Maximum number of coordinates of all geometries.
const MAX_COORDINATES: usize = 5_000;

/// The geometry property, and the name that databases use for it.
const GEOMETRY_NAMES: [&str; 2] = ["geometry", "geom"];

/// Checks a condition for a layer.
pub(super) fn condition(expr: &Expr, view: &View<'_>) -> Result<Condition, FilterError> {
    Check { view, nodes: Counter::new(0), coordinates: Counter::new(0) }.condition(expr)
}

struct Check<'a> {
    view: &'a View<'a>,
    nodes: Counter<usize>,
    coordinates: Counter<usize>,
}

/// A typed operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OperandKind {
    Boolean,
    Number,
    Text,
    Time,
    Interval,
    List,
    Json,
    Geometry,
}

impl OperandKind {
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "a truth value",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Time => "a day or an instant",
            Self::Interval => "an interval",
            Self::List => "a list",
            Self::Json => "a JSON document",
            Self::Geometry => "a geometry",
        }
    }
}

/// A resolved property.
enum Property {
    Id,
    Field(usize, OperandKind),
    Geometry,
}

impl Check<'_> {
    fn condition(&self, expr: &Expr) -> Result<Condition, FilterError> {
        count(&self.nodes, 1, MAX_NODES, "operators and operands")?;
        let Expr::Apply(op, operands) = expr else {
            return Ok(Condition::Holds(self.of_kind(expr, OperandKind::Boolean)?));
        };
        Ok(match (op, operands.as_slice()) {
            (Op::And, parts) => Condition::And(self.conditions(parts)?),
            (Op::Or, parts) => Condition::Or(self.conditions(parts)?),
            (Op::Not, [inner]) => Condition::Not(Box::new(self.condition(inner)?)),
            (Op::Compare(comparison), [a, b]) => {
                let [a, b] = self.alike([a, b])?;
                Condition::Compare(*comparison, a, b)
            }
            (Op::Between, [value, low, high]) => {
                let [value, low, high] = self.alike([value, low, high])?;
                Condition::Between(value, low, high)
            }
            (Op::In, [value, Expr::List(items)]) => {
                let (value, kind) = self.scalar(value)?;
                let items = items.iter().map(|item| self.of_kind(item, kind)).collect::<Result<_, _>>()?;
                Condition::In(value, items)
            }
            (Op::Like, [value, pattern]) => {
                let value = self.of_kind(value, OperandKind::Text)?;
                let pattern = match self.of_kind(pattern, OperandKind::Text)? {
                    Term::Text(text) => LikePattern::Fixed(Pattern::new(&text)),
                    varying => LikePattern::Varying(varying),
                };
                Condition::Like(value, pattern)
            }
            (Op::IsNull, [inner]) => Condition::IsNull(self.nullable(inner)?),
            (Op::Spatial(relation), [a, b]) => Condition::Spatial(*relation, self.place(a)?, self.place(b)?),
            (Op::Temporal(relation), [a, b]) => Condition::Temporal(*relation, self.times(a)?, self.times(b)?),
            (Op::Array(relation), [a, b]) => Condition::Array(*relation, self.items(a)?, self.items(b)?),
            _ => Condition::Holds(self.of_kind(expr, OperandKind::Boolean)?),
        })
    }

    fn conditions(&self, parts: &[Expr]) -> Result<Vec<Condition>, FilterError> {
        parts.iter().map(|part| self.condition(part)).collect()
    }

    /// Comparable operands, of the type of the first.
    fn alike<const N: usize>(&self, operands: [&Expr; N]) -> Result<[Term; N], FilterError> {
        let (_, kind) = self.scalar(operands[0])?;
        let terms: Vec<Term> = operands.iter().map(|operand| self.of_kind(operand, kind)).collect::<Result<_, _>>()?;
        terms.try_into().map_err(|_| FilterError::TooMuch { max: N, what: "operands" })
    }

    fn of_kind(&self, expr: &Expr, expected: OperandKind) -> Result<Term, FilterError> {
        let (term, found) = self.scalar(expr)?;
        if found == expected { Ok(term) } else { Err(wrong(expr, found, expected.name())) }
    }

    fn scalar(&self, expr: &Expr) -> Result<(Term, OperandKind), FilterError> {
        const SCALAR: &str = "a scalar";
        count(&self.nodes, 1, MAX_NODES, "operators and operands")?;
        Ok(match expr {
            Expr::Boolean(yes) => (Term::Boolean(*yes), OperandKind::Boolean),
            Expr::Number(number) => (Term::Number(*number), OperandKind::Number),
            Expr::Text(text) => (Term::Text(text.as_str().into()), OperandKind::Text),
            Expr::Date(day) => (Term::Date(*day), OperandKind::Time),
            Expr::Timestamp(instant) => (Term::Instant(*instant), OperandKind::Time),
            Expr::Property(name) => match self.property(name)? {
                Property::Id => (Term::Id, OperandKind::Text),
                Property::Field(_, kind @ (OperandKind::List | OperandKind::Json)) => {
                    return Err(wrong(expr, kind, SCALAR));
                }
                Property::Field(at, kind) => (Term::Field(at), kind),
                Property::Geometry => return Err(wrong(expr, OperandKind::Geometry, SCALAR)),
            },
            Expr::Apply(Op::Arithmetic(op), operands) => (self.arithmetic(*op, operands)?, OperandKind::Number),
            Expr::Apply(op @ (Op::Casei | Op::Accenti), operands) => {
                let fold = if *op == Op::Casei { Fold::Case } else { Fold::Accent };
                let inner = self.of_kind(operands.first().unwrap_or(expr), OperandKind::Text)?;
                let term = match inner {
                    Term::Text(text) => Term::Text(fold.apply(&text).into()),
                    varying => Term::Fold(fold, Box::new(varying)),
                };
                (term, OperandKind::Text)
            }
            Expr::Apply(..) => (Term::Condition(Box::new(self.condition(expr)?)), OperandKind::Boolean),
            Expr::Call(name, operands) => (self.call(name, operands)?, OperandKind::Number),
            Expr::Geometry(_) | Expr::Bbox(_) => return Err(wrong(expr, OperandKind::Geometry, SCALAR)),
            Expr::List(_) => return Err(wrong(expr, OperandKind::List, SCALAR)),
            Expr::Interval(_) | Expr::Open => return Err(wrong(expr, OperandKind::Interval, SCALAR)),
        })
    }

    fn arithmetic(&self, op: Arithmetic, operands: &[Expr]) -> Result<Term, FilterError> {
        let [a, b] = operands else {
            return Err(FilterError::Operands { op: op.name(), expected: 2.to_string(), found: operands.len() });
        };
        let (a, b) = (self.of_kind(a, OperandKind::Number)?, self.of_kind(b, OperandKind::Number)?);
        Ok(Term::Arithmetic(op, Box::new(a), Box::new(b)))
    }

    fn call(&self, name: &str, operands: &[Expr]) -> Result<Term, FilterError> {
        let takes = |op: &'static str, expected: usize| FilterError::Operands {
            op,
            expected: expected.to_string(),
            found: operands.len(),
        };
        if name.eq_ignore_ascii_case(DISTANCE) {
            let [a, b] = operands else { return Err(takes(DISTANCE, 2)) };
            return match (self.place(a)?, self.place(b)?) {
                (SpatialOperand::Feature, SpatialOperand::Literal(literal))
                | (SpatialOperand::Literal(literal), SpatialOperand::Feature) => {
                    let refused = |error: &dyn ToString| FilterError::Geometry {
                        geometry: DISTANCE.to_owned(),
                        reason: error.to_string(),
                    };
                    let shape = Shape::new(literal.index.geometry().clone()).map_err(|error| refused(&error))?;
                    Ok(Term::Distance(Box::new(QueryGeometry::shape(shape))))
                }
                _ => Err(FilterError::Geometry {
                    geometry: DISTANCE.to_owned(),
                    reason: "it takes the geometry property and a geometry literal".to_owned(),
                }),
            };
        }
        let function = Function::named(name).ok_or_else(|| unknown_function(name))?;
        let [operand] = operands else { return Err(takes("a function of one operand", 1)) };
        let kind = if function == Function::CharLength { OperandKind::Text } else { OperandKind::Number };
        Ok(Term::Function(function, Box::new(self.of_kind(operand, kind)?)))
    }

    fn property(&self, name: &str) -> Result<Property, FilterError> {
        if let Some((at, field)) = self.view.fields().find(|(_, field)| field.name == name) {
            let kind = match field.field_type {
                FieldType::Boolean => OperandKind::Boolean,
                FieldType::Integer | FieldType::Real => OperandKind::Number,
                FieldType::Text => OperandKind::Text,
                FieldType::Date | FieldType::DateTime => OperandKind::Time,
                FieldType::TextList => OperandKind::List,
                FieldType::Json => OperandKind::Json,
            };
            return Ok(Property::Field(at, kind));
        }
        if name == "id" {
            return Ok(Property::Id);
        }
        if GEOMETRY_NAMES.contains(&name) {
            return Ok(Property::Geometry);
        }
        let names = ["id", "geometry"].into_iter().chain(self.view.fields().map(|(_, field)| field.name.as_str()));
        Err(FilterError::UnknownProperty {
            name: name.chars().take(80).collect(),
            accepted: names.collect::<Vec<_>>().join(", "),
        })
    }

    fn nullable(&self, expr: &Expr) -> Result<Nullable, FilterError> {
        match expr {
            Expr::Property(name) => Ok(match self.property(name)? {
                Property::Id => Nullable::Term(Term::Id),
                Property::Field(at, _) => Nullable::Field(at),
                Property::Geometry => Nullable::Geometry,
            }),
            Expr::Geometry(_) | Expr::Bbox(_) => self.place(expr).map(|_| Nullable::Term(Term::Boolean(true))),
            other => self.scalar(other).map(|(term, _)| Nullable::Term(term)),
        }
    }

    fn place(&self, expr: &Expr) -> Result<SpatialOperand, FilterError> {
        match expr {
            Expr::Geometry(geometry) => {
                count(&self.coordinates, geometry.coords_count(), MAX_COORDINATES, "coordinates")?;
                Literal::of_geometry(geometry).map(SpatialOperand::Literal)
            }
            Expr::Bbox(sides) => Literal::of_bbox(*sides).map(SpatialOperand::Literal),
            Expr::Property(name) => match self.property(name)? {
                Property::Geometry => Ok(SpatialOperand::Feature),
                Property::Id => Err(wrong(expr, OperandKind::Text, OperandKind::Geometry.name())),
                Property::Field(_, kind) => Err(wrong(expr, kind, OperandKind::Geometry.name())),
            },
            Expr::Call(name, _) => Err(unknown_function(name)),
            other => Err(wrong(other, self.kind_of(other), OperandKind::Geometry.name())),
        }
    }

    /// The type name of an operand that is not a geometry, for error messages.
    fn kind_of(&self, expr: &Expr) -> OperandKind {
        match expr {
            Expr::List(_) => OperandKind::List,
            Expr::Interval(_) | Expr::Open => OperandKind::Interval,
            other => self.scalar(other).map_or(OperandKind::Boolean, |(_, kind)| kind),
        }
    }

    fn times(&self, expr: &Expr) -> Result<Times, FilterError> {
        if let Expr::Interval(bounds) = expr {
            return Ok(Times(self.bound(&bounds[0])?, self.bound(&bounds[1])?));
        }
        let instant = Bound::Term(self.of_kind(expr, OperandKind::Time)?);
        Ok(Times(instant.clone(), instant))
    }

    fn bound(&self, expr: &Expr) -> Result<Bound, FilterError> {
        if *expr == Expr::Open { Ok(Bound::Open) } else { self.of_kind(expr, OperandKind::Time).map(Bound::Term) }
    }

    fn items(&self, expr: &Expr) -> Result<Items, FilterError> {
        match expr {
            Expr::List(items) => {
                items.iter().map(|item| Ok(self.scalar(item)?.0)).collect::<Result<_, _>>().map(Items::Literal)
            }
            Expr::Property(name) => match self.property(name)? {
                Property::Field(at, OperandKind::List) => Ok(Items::Field(at)),
                Property::Field(_, kind) => Err(wrong(expr, kind, OperandKind::List.name())),
                Property::Id => Err(wrong(expr, OperandKind::Text, OperandKind::List.name())),
                Property::Geometry => Err(wrong(expr, OperandKind::Geometry, OperandKind::List.name())),
            },
            Expr::Call(name, _) => Err(unknown_function(name)),
            other => Err(wrong(other, self.kind_of(other), OperandKind::List.name())),
        }
    }
}

fn count(counter: &Counter<usize>, more: usize, max: usize, what: &'static str) -> Result<(), FilterError> {
    counter.set(counter.get().saturating_add(more));
    if counter.get() > max { Err(FilterError::TooMuch { max, what }) } else { Ok(()) }
}

fn wrong(expr: &Expr, found: OperandKind, expected: &'static str) -> FilterError {
    FilterError::Type { expression: expr.to_string().chars().take(80).collect(), found: found.name(), expected }
}

fn unknown_function(name: &str) -> FilterError {
    FilterError::UnknownFunction { name: name.chars().take(80).collect(), accepted: functions().join(", ") }
}
