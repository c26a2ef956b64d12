//! Converts the geometry literals of an expression to longitude, latitude.

use super::FilterError;
use super::ast::Expr;
use crate::geodesy::crs_transform::CrsTransform;
use crate::geodesy::region::Region;

/// The expression with all geometries in degrees.
///
/// # Errors
/// When a coordinate is not a position.
pub(super) fn to_lon_lat(expr: Expr, crs: &CrsTransform) -> Result<Expr, FilterError> {
    let all = |parts: Vec<Expr>| parts.into_iter().map(|part| to_lon_lat(part, crs)).collect::<Result<_, _>>();
    let refused = |what: &str, error: &dyn ToString| FilterError::Geometry {
        geometry: what.to_owned(),
        reason: error.to_string(),
    };
    Ok(match expr {
        Expr::Geometry(geometry) => {
            let converted = crs.to_lon_lat(&geometry);
            Expr::Geometry(converted.map_err(|error| refused("a geometry", &error))?)
        }
        Expr::Bbox(sides) => match crs.region(sides).map_err(|error| refused("BBOX", &error))? {
            Region::Box(envelope) => Expr::Bbox([envelope.west(), envelope.south(), envelope.east(), envelope.north()]),
            Region::Area(area) => Expr::Geometry(area.geometry().clone()),
        },
        Expr::List(parts) => Expr::List(all(parts)?),
        Expr::Apply(op, parts) => Expr::Apply(op, all(parts)?),
        Expr::Call(name, parts) => Expr::Call(name, all(parts)?),
        other => other,
    })
}
