//! CQL2 (OGC 21-065r2) as text and JSON: a condition on the features of one layer.
//!
//! An expression is parsed into a tree that is independent of layers (`ast`), checked against the visible fields
//! (`typecheck`), and evaluated for each feature (`eval`) in three-valued logic: an unknown condition is neither true
//! nor false, and only true ones match.
//!
//! Supported: comparison, logic, `LIKE`, `BETWEEN`, `IN`, `IS NULL`, `CASEI`, `ACCENTI`, spatial, temporal and array
//! functions, arithmetic, and properties on both sides.

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
mod selection;
mod temporal;
mod typecheck;

use crate::geodesy::Envelope;
use crate::geodesy::crs_transform::CrsTransform;
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
/// // A condition on an unknown value is neither true nor false, and does not match.
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
    /// Maximum length of an expression, bytes.
    pub const MAX_BYTES: usize = 65_536;
    /// Longest expression that can be quick, bytes.
    pub const QUICK_BYTES: usize = 200;

    /// Parses and checks an expression for a layer. Its properties are the visible fields, `id` and `geometry`.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub fn read(source: &str, language: Language, view: &View<'_>) -> Result<Self, FilterError> {
        Self::of_expr(&language.parse(source)?, view)
    }

    /// Parses and checks an expression with geometries in another reference system.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub fn read_in(crs: &CrsTransform, source: &str, language: Language, view: &View<'_>) -> Result<Self, FilterError> {
        Self::of_expr(&reproject::to_lon_lat(language.parse(source)?, crs)?, view)
    }

    fn of_expr(expr: &Expr, view: &View<'_>) -> Result<Self, FilterError> {
        Ok(Self { condition: typecheck::condition(expr, view)?, canonical: expr.to_string() })
    }

    /// Whether a feature of the layer matches.
    #[must_use]
    pub fn matches(&self, row: &Row<'_>) -> bool {
        self.condition.of(row) == Some(true)
    }

    /// An envelope outside which no feature matches, in degrees; `None` if matches are not limited to an area, or if
    /// nothing matches.
    #[must_use]
    pub fn envelope(&self) -> Option<Envelope> {
        self.condition.envelope()
    }

    /// Whether it compares values with few constants, so that a feature costs little more than reading them.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        self.canonical.len() <= Self::QUICK_BYTES && self.condition.is_quick()
    }

    /// Canonical CQL2 text: equal for equivalent text and JSON.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// The encoding of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// CQL2 text.
    Text,
    /// CQL2 JSON.
    Json,
}

impl Language {
    /// Parses an expression and returns its canonical text, without a layer to check properties.
    ///
    /// # Errors
    /// When it is not valid in this language.
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
    #[error("syntax error at character {at}: expected {expected}, found {found}")]
    Syntax {
        /// Position in characters, from 1.
        at: usize,
        /// The text found.
        found: String,
        /// The expected element.
        expected: String,
    },
    /// Not JSON.
    #[error("not JSON: {reason}")]
    NotJson {
        /// The error of the parser.
        reason: String,
    },
    /// JSON, but not CQL2.
    #[error("expected {expected}, found {found}")]
    JsonShape {
        /// The text found.
        found: String,
        /// The expected element.
        expected: &'static str,
    },
    /// An invalid literal.
    #[error("{value:?} is not {expected}")]
    Literal {
        /// The value in the expression.
        value: String,
        /// The expected element.
        expected: &'static str,
    },
    /// A coordinate out of range, or a degenerate geometry.
    #[error("{geometry}: {reason}")]
    Geometry {
        /// The geometry.
        geometry: String,
        /// The reason.
        reason: String,
    },
    /// A wrong number of operands.
    #[error("{op} takes {expected} operands, not {found}")]
    Operands {
        /// The operator.
        op: &'static str,
        /// The accepted number.
        expected: String,
        /// The number found.
        found: usize,
    },
    /// An unknown property, or one that the caller may not see.
    #[error("property {name:?} does not exist; accepted: {accepted}")]
    UnknownProperty {
        /// The name.
        name: String,
        /// The accepted names.
        accepted: String,
    },
    /// An unknown function.
    #[error("function {name:?} does not exist; accepted: {accepted}")]
    UnknownFunction {
        /// The name.
        name: String,
        /// The accepted names.
        accepted: String,
    },
    /// An operand of the wrong type.
    #[error("{expression} is {found} where {expected} is required")]
    Type {
        /// The operand.
        expression: String,
        /// Its type.
        found: &'static str,
        /// The expected type.
        expected: &'static str,
    },
    /// Nested too deeply.
    #[error("it is nested more than {max} levels deep")]
    TooDeep {
        /// The maximum.
        max: usize,
    },
    /// Too long.
    #[error("it is longer than {max} bytes")]
    TooLong {
        /// The maximum.
        max: usize,
    },
    /// Too many operations or coordinates.
    #[error("it has more than {max} {what}")]
    TooMuch {
        /// The maximum.
        max: usize,
        /// The limited elements, in the plural.
        what: &'static str,
    },
}

/// Formats a geometry as well-known text.
#[must_use]
pub fn write_wkt(geometry: &geo::Geometry) -> String {
    geometry::Wkt(geometry).to_string()
}

/// Parses well-known text; positions are not checked.
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
