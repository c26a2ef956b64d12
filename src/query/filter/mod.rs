//! CQL2 (OGC 21-065r2), as text and as JSON: a condition on the features of one layer.
//!
//! An expression is read into a tree that knows no layer (`ast`), checked against the fields that the caller may
//! see (`check`), and asked of each feature (`condition`) in three-valued logic: what is unknown is neither true
//! nor false, and only what is true matches.
//!
//! Covered: comparison, logic, `LIKE`, `BETWEEN`, `IN`, `IS NULL`, `CASEI`, `ACCENTI`, spatial, temporal and array
//! functions, arithmetic, and properties on either side.

mod ast;
mod eval;
mod function;
mod geometry;
mod lexer;
mod like;
mod number;
mod parse_json;
mod parse_text;
mod relation;
mod reproject;
mod temporal;
mod typecheck;

use crate::geodesy::Envelope;
use crate::geodesy::reference::CrsTransform;
use crate::model::View;
use crate::snapshot::Row;
use ast::{Expr, Op};
use eval::Condition;

pub use function::{FUNCTIONS, Signature};

/// A checked condition on the features of one layer.
///
/// ```
/// use onemap::model::{Catalog, Feature, FeatureId, Value, View};
/// use onemap::query::filter::{Filter, Language};
/// use onemap::snapshot::Layer;
///
/// let catalog = Catalog::built_in()?;
/// let schema = catalog.layer("shelters").ok_or("a layer")?;
/// let filter = Filter::read("capacity >= 100 OR name LIKE '%学校%'", Language::Text, &View::public(schema))?;
///
/// let mut values = vec![Value::Unknown; schema.fields.len()];
/// values[schema.position("capacity").ok_or("a field")?] = Value::Integer(250);
/// let features = vec![Feature { id: FeatureId::new("SH-1")?, geometry: None, values }];
/// let layer = Layer::build(schema.clone(), features);
/// assert!(layer.rows_after(None).all(|row| filter.matches(&row)));
/// // What is unknown is neither true nor false, and does not match.
/// let named = Filter::read("name LIKE '%学校%'", Language::Text, &View::public(schema))?;
/// assert!(!layer.rows_after(None).any(|row| named.matches(&row)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    condition: Condition,
    canonical: String,
}

impl Filter {
    /// Longest expression, bytes.
    pub const MAX_BYTES: usize = 65_536;

    /// Reads an expression for a layer whose visible fields are its properties, beside `id` and `geometry`.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub fn read(source: &str, language: Language, view: &View<'_>) -> Result<Self, FilterError> {
        Self::of_expr(&language.parse(source)?, view)
    }

    /// Reads an expression whose geometries are written in another reference system than longitude, latitude.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub fn read_in(
        reference: &CrsTransform,
        source: &str,
        language: Language,
        view: &View<'_>,
    ) -> Result<Self, FilterError> {
        Self::of_expr(&reproject::locate(language.parse(source)?, reference)?, view)
    }

    fn of_expr(expr: &Expr, view: &View<'_>) -> Result<Self, FilterError> {
        Ok(Self { condition: typecheck::condition(expr, view)?, canonical: expr.to_string() })
    }

    /// Whether a feature of the layer matches.
    #[must_use]
    pub fn matches(&self, row: &Row<'_>) -> bool {
        self.condition.of(row) == Some(true)
    }

    /// A box outside of which nothing matches, in degrees; `None` when matches may be anywhere or nowhere on earth.
    #[must_use]
    pub fn envelope(&self) -> Option<Envelope> {
        self.condition.envelope()
    }

    /// The expression in canonical CQL2 text: the same for text and JSON that mean the same.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// How an expression is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// CQL2 text.
    Text,
    /// CQL2 JSON.
    Json,
}

impl Language {
    /// An expression in canonical CQL2 text, before any layer is asked whether it has such properties.
    ///
    /// # Errors
    /// When it is not of this language.
    pub fn canonical(self, source: &str) -> Result<String, FilterError> {
        self.parse(source).map(|expr| expr.to_string())
    }

    fn parse(self, source: &str) -> Result<Expr, FilterError> {
        if source.len() > Filter::MAX_BYTES {
            return Err(FilterError::TooLong { max: Filter::MAX_BYTES });
        }
        match self {
            Self::Text => parse_text::parse(source),
            Self::Json => parse_json::parse(source),
        }
    }
}

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FilterError {
    /// Not CQL2 text.
    #[error("at character {at} stands {found} where {expected} should")]
    Syntax {
        /// Where, in bytes from 1.
        at: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// Not JSON at all.
    #[error("it is not JSON: {reason}")]
    NotJson {
        /// What the parser says.
        reason: String,
    },
    /// JSON, but not CQL2.
    #[error("{found} stands where there should be {expected}")]
    JsonShape {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A literal that is none.
    #[error("{value:?} is not {expected}")]
    Literal {
        /// What was given.
        value: String,
        /// What should be.
        expected: &'static str,
    },
    /// A coordinate outside the world, or a geometry without extent where it needs one.
    #[error("{geometry}: {reason}")]
    Geometry {
        /// The geometry.
        geometry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An operator with too few or too many operands.
    #[error("{op} takes {expected} operands, not {found}")]
    Operands {
        /// The operator.
        op: &'static str,
        /// How many it takes.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// The layer has no such property, or the caller may not know.
    #[error("there is no property {name:?}; there are {accepted}")]
    UnknownProperty {
        /// The name.
        name: String,
        /// The names there are.
        accepted: String,
    },
    /// Not a function of the standard.
    #[error("there is no function {name:?}; there are {accepted}")]
    UnknownFunction {
        /// The name.
        name: String,
        /// The names there are.
        accepted: String,
    },
    /// An operand of the wrong type.
    #[error("{expression} is {found} where {expected} is needed")]
    Type {
        /// The operand.
        expression: String,
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Nested too deeply.
    #[error("it is nested more than {max} levels deep")]
    TooDeep {
        /// Most levels.
        max: usize,
    },
    /// Too long.
    #[error("it is longer than {max} bytes")]
    TooLong {
        /// Most bytes.
        max: usize,
    },
    /// Too many operations or coordinates.
    #[error("it has more than {max} {what}")]
    TooMuch {
        /// Most of them.
        max: usize,
        /// Of what.
        what: &'static str,
    },
}

/// A geometry as well-known text.
#[must_use]
pub fn write_wkt(geometry: &geo::Geometry) -> String {
    geometry::Wkt(geometry).to_string()
}

/// Reads a geometry in well-known text; longitude, latitude in degrees are not checked.
///
/// # Errors
/// When it is not well-known text.
pub fn read_wkt(text: &str) -> Result<geo::Geometry, FilterError> {
    let mut tokens = lexer::Tokens::new(text)?;
    let kind = match tokens.peek() {
        Some(lexer::Token::Word(word)) => geometry::WktKind::of(word),
        _ => None,
    };
    let kind = kind.ok_or_else(|| tokens.unexpected("a geometry such as POLYGON((...))"))?;
    tokens.skip();
    let geometry = geometry::read(&mut tokens, kind)?;
    tokens.end()?;
    Ok(geometry)
}

fn check_operands(op: Op, found: usize) -> Result<(), FilterError> {
    let (least, most) = op.operands();
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let expected = if least == most { least.to_string() } else { format!("at least {least}") };
    Err(FilterError::Operands { op: op.name(), expected, found })
}
