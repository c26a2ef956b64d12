//! Converts the geometry literals of an expression to longitude, latitude.

use super::FilterError;
use super::ast::Expr;
use crate::geodesy::reference::{CrsTransform, Region};

/// The expression with all geometries in degrees.
///
/// # Errors
/// When a coordinate is not a position.
pub(super) fn locate(expr: Expr, reference: &CrsTransform) -> Result<Expr, FilterError> {
    let all = |parts: Vec<Expr>| parts.into_iter().map(|part| locate(part, reference)).collect::<Result<_, _>>();
    let refused = |what: &str, error: &dyn ToString| FilterError::Geometry {
        geometry: what.to_owned(),
        reason: error.to_string(),
    };
    Ok(match expr {
        Expr::Geometry(geometry) => {
            let there = reference.bent(&geometry);
            Expr::Geometry(there.map_err(|error| refused("a geometry", &error))?)
        }
        Expr::Bbox(sides) => match reference.bent_box(sides).map_err(|error| refused("BBOX", &error))? {
            Region::Box(envelope) => Expr::Bbox([envelope.west(), envelope.south(), envelope.east(), envelope.north()]),
            Region::Area(area) => Expr::Geometry(area.into()),
        },
        Expr::List(parts) => Expr::List(all(parts)?),
        Expr::Apply(op, parts) => Expr::Apply(op, all(parts)?),
        Expr::Call(name, parts) => Expr::Call(name, all(parts)?),
        other => other,
    })
}
