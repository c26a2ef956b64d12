//! An expression against the fields of a layer: names become positions, and every operand has the type it must have.

use std::cell::Cell as Counter;

use geo::CoordsIter;

use super::Error;
use super::ast::{Arithmetic, Expr, Op, functions};
use super::condition::{Bound, Condition, Items, LikePattern, Nullable, Place, Term, Times};
use super::function::{DISTANCE, Function};
use super::relation::Literal;
use super::words::{Fold, Pattern};
use crate::model::{FieldType, Shape, View};
use crate::query::nearest::origin::Origin;

/// Most operators, literals and properties.
const MAX_NODES: usize = 2_000;
/// Most coordinates of all geometries together.
const MAX_COORDINATES: usize = 5_000;

/// The name of a feature's geometry, and the one that databases use.
const GEOMETRY_NAMES: [&str; 2] = ["geometry", "geom"];

/// Checks a condition for a layer.
pub(super) fn condition(expr: &Expr, view: &View<'_>) -> Result<Condition, Error> {
    Check { view, nodes: Counter::new(0), coordinates: Counter::new(0) }.condition(expr)
}

struct Check<'a> {
    view: &'a View<'a>,
    nodes: Counter<usize>,
    coordinates: Counter<usize>,
}

/// What an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Boolean,
    Number,
    Text,
    Time,
    Interval,
    List,
    Json,
    Geometry,
}

impl Kind {
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

/// What a property names.
enum Property {
    Id,
    Field(usize, Kind),
    Geometry,
}

impl Check<'_> {
    fn condition(&self, expr: &Expr) -> Result<Condition, Error> {
        count(&self.nodes, 1, MAX_NODES, "operators and operands")?;
        let Expr::Apply(op, operands) = expr else {
            return Ok(Condition::Holds(self.of_kind(expr, Kind::Boolean)?));
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
                let value = self.of_kind(value, Kind::Text)?;
                let pattern = match self.of_kind(pattern, Kind::Text)? {
                    Term::Text(text) => LikePattern::Fixed(Pattern::new(&text)),
                    varying => LikePattern::Varying(varying),
                };
                Condition::Like(value, pattern)
            }
            (Op::IsNull, [inner]) => Condition::IsNull(self.nullable(inner)?),
            (Op::Spatial(relation), [a, b]) => Condition::Spatial(*relation, self.place(a)?, self.place(b)?),
            (Op::Temporal(relation), [a, b]) => Condition::Temporal(*relation, self.times(a)?, self.times(b)?),
            (Op::Array(relation), [a, b]) => Condition::Array(*relation, self.items(a)?, self.items(b)?),
            _ => Condition::Holds(self.of_kind(expr, Kind::Boolean)?),
        })
    }

    fn conditions(&self, parts: &[Expr]) -> Result<Vec<Condition>, Error> {
        parts.iter().map(|part| self.condition(part)).collect()
    }

    /// Operands that can be compared: of the kind of the first.
    fn alike<const N: usize>(&self, operands: [&Expr; N]) -> Result<[Term; N], Error> {
        let (_, kind) = self.scalar(operands[0])?;
        let terms: Vec<Term> = operands.iter().map(|operand| self.of_kind(operand, kind)).collect::<Result<_, _>>()?;
        terms.try_into().map_err(|_| Error::TooMuch { max: N, what: "operands" })
    }

    fn of_kind(&self, expr: &Expr, expected: Kind) -> Result<Term, Error> {
        let (term, found) = self.scalar(expr)?;
        if found == expected { Ok(term) } else { Err(wrong(expr, found, expected.name())) }
    }

    fn scalar(&self, expr: &Expr) -> Result<(Term, Kind), Error> {
        const SCALAR: &str = "a scalar";
        count(&self.nodes, 1, MAX_NODES, "operators and operands")?;
        Ok(match expr {
            Expr::Boolean(yes) => (Term::Boolean(*yes), Kind::Boolean),
            Expr::Number(number) => (Term::Number(*number), Kind::Number),
            Expr::Text(text) => (Term::Text(text.as_str().into()), Kind::Text),
            Expr::Date(day) => (Term::Date(*day), Kind::Time),
            Expr::Timestamp(instant) => (Term::Instant(*instant), Kind::Time),
            Expr::Property(name) => match self.property(name)? {
                Property::Id => (Term::Id, Kind::Text),
                Property::Field(_, kind @ (Kind::List | Kind::Json)) => return Err(wrong(expr, kind, SCALAR)),
                Property::Field(at, kind) => (Term::Field(at), kind),
                Property::Geometry => return Err(wrong(expr, Kind::Geometry, SCALAR)),
            },
            Expr::Apply(Op::Arithmetic(op), operands) => (self.arithmetic(*op, operands)?, Kind::Number),
            Expr::Apply(op @ (Op::Casei | Op::Accenti), operands) => {
                let fold = if *op == Op::Casei { Fold::Case } else { Fold::Accent };
                let inner = self.of_kind(operands.first().unwrap_or(expr), Kind::Text)?;
                let term = match inner {
                    Term::Text(text) => Term::Text(fold.apply(&text).into()),
                    varying => Term::Fold(fold, Box::new(varying)),
                };
                (term, Kind::Text)
            }
            Expr::Apply(..) => (Term::Condition(Box::new(self.condition(expr)?)), Kind::Boolean),
            Expr::Call(name, operands) => (self.call(name, operands)?, Kind::Number),
            Expr::Geometry(_) | Expr::Bbox(_) => return Err(wrong(expr, Kind::Geometry, SCALAR)),
            Expr::List(_) => return Err(wrong(expr, Kind::List, SCALAR)),
            Expr::Interval(_) | Expr::Open => return Err(wrong(expr, Kind::Interval, SCALAR)),
        })
    }

    fn arithmetic(&self, op: Arithmetic, operands: &[Expr]) -> Result<Term, Error> {
        let [a, b] = operands else {
            return Err(Error::Operands { op: op.name(), expected: 2.to_string(), found: operands.len() });
        };
        let (a, b) = (self.of_kind(a, Kind::Number)?, self.of_kind(b, Kind::Number)?);
        Ok(Term::Arithmetic(op, Box::new(a), Box::new(b)))
    }

    fn call(&self, name: &str, operands: &[Expr]) -> Result<Term, Error> {
        let takes = |op: &'static str, expected: usize| Error::Operands {
            op,
            expected: expected.to_string(),
            found: operands.len(),
        };
        if name.eq_ignore_ascii_case(DISTANCE) {
            let [a, b] = operands else { return Err(takes(DISTANCE, 2)) };
            return match (self.place(a)?, self.place(b)?) {
                (Place::Feature, Place::Literal(literal)) | (Place::Literal(literal), Place::Feature) => {
                    let refused = |error: &dyn ToString| Error::Geometry {
                        geometry: DISTANCE.to_owned(),
                        reason: error.to_string(),
                    };
                    let shape = Shape::new(literal.geometry).map_err(|error| refused(&error))?;
                    Ok(Term::Distance(Box::new(Origin::shape(shape))))
                }
                _ => Err(Error::Geometry {
                    geometry: DISTANCE.to_owned(),
                    reason: "it takes the feature's geometry and another".to_owned(),
                }),
            };
        }
        let function = Function::named(name).ok_or_else(|| unknown_function(name))?;
        let [operand] = operands else { return Err(takes("a function of one operand", 1)) };
        let kind = if function == Function::CharLength { Kind::Text } else { Kind::Number };
        Ok(Term::Function(function, Box::new(self.of_kind(operand, kind)?)))
    }

    fn property(&self, name: &str) -> Result<Property, Error> {
        if let Some((at, field)) = self.view.fields().find(|(_, field)| field.name == name) {
            let kind = match field.field_type {
                FieldType::Boolean => Kind::Boolean,
                FieldType::Integer | FieldType::Real => Kind::Number,
                FieldType::Text => Kind::Text,
                FieldType::Date | FieldType::DateTime => Kind::Time,
                FieldType::TextList => Kind::List,
                FieldType::Json => Kind::Json,
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
        Err(Error::UnknownProperty {
            name: name.chars().take(80).collect(),
            accepted: names.collect::<Vec<_>>().join(", "),
        })
    }

    fn nullable(&self, expr: &Expr) -> Result<Nullable, Error> {
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

    fn place(&self, expr: &Expr) -> Result<Place, Error> {
        match expr {
            Expr::Geometry(geometry) => {
                count(&self.coordinates, geometry.coords_count(), MAX_COORDINATES, "coordinates")?;
                Literal::of_geometry(geometry).map(Place::Literal)
            }
            Expr::Bbox(sides) => Literal::of_bbox(*sides).map(Place::Literal),
            Expr::Property(name) => match self.property(name)? {
                Property::Geometry => Ok(Place::Feature),
                Property::Id => Err(wrong(expr, Kind::Text, Kind::Geometry.name())),
                Property::Field(_, kind) => Err(wrong(expr, kind, Kind::Geometry.name())),
            },
            Expr::Call(name, _) => Err(unknown_function(name)),
            other => Err(wrong(other, self.kind_of(other), Kind::Geometry.name())),
        }
    }

    /// Of what is no geometry; for the words of a refusal alone.
    fn kind_of(&self, expr: &Expr) -> Kind {
        match expr {
            Expr::List(_) => Kind::List,
            Expr::Interval(_) | Expr::Open => Kind::Interval,
            other => self.scalar(other).map_or(Kind::Boolean, |(_, kind)| kind),
        }
    }

    fn times(&self, expr: &Expr) -> Result<Times, Error> {
        if let Expr::Interval(bounds) = expr {
            return Ok(Times(self.bound(&bounds[0])?, self.bound(&bounds[1])?));
        }
        let instant = Bound::Term(self.of_kind(expr, Kind::Time)?);
        Ok(Times(instant.clone(), instant))
    }

    fn bound(&self, expr: &Expr) -> Result<Bound, Error> {
        if *expr == Expr::Open { Ok(Bound::Open) } else { self.of_kind(expr, Kind::Time).map(Bound::Term) }
    }

    fn items(&self, expr: &Expr) -> Result<Items, Error> {
        match expr {
            Expr::List(items) => {
                items.iter().map(|item| Ok(self.scalar(item)?.0)).collect::<Result<_, _>>().map(Items::Literal)
            }
            Expr::Property(name) => match self.property(name)? {
                Property::Field(at, Kind::List) => Ok(Items::Field(at)),
                Property::Field(_, kind) => Err(wrong(expr, kind, Kind::List.name())),
                Property::Id => Err(wrong(expr, Kind::Text, Kind::List.name())),
                Property::Geometry => Err(wrong(expr, Kind::Geometry, Kind::List.name())),
            },
            Expr::Call(name, _) => Err(unknown_function(name)),
            other => Err(wrong(other, self.kind_of(other), Kind::List.name())),
        }
    }
}

fn count(counter: &Counter<usize>, more: usize, max: usize, what: &'static str) -> Result<(), Error> {
    counter.set(counter.get().saturating_add(more));
    if counter.get() > max { Err(Error::TooMuch { max, what }) } else { Ok(()) }
}

fn wrong(expr: &Expr, found: Kind, expected: &'static str) -> Error {
    Error::Type { expression: expr.to_string().chars().take(80).collect(), found: found.name(), expected }
}

fn unknown_function(name: &str) -> Error {
    Error::UnknownFunction { name: name.chars().take(80).collect(), accepted: functions().join(", ") }
}
