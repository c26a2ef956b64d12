//! Spatial relations in the longitude-latitude plane (OGC 06-103r4, DE-9IM).

use std::sync::Arc;

use geo::{Geometry, GeometryCollection, Intersects, Relate};

use super::FilterError;
use super::ast::Spatial;
use crate::geodesy::Envelope;
use crate::geodesy::edge_index::EdgeIndex;
use crate::model::Shape;

/// A geometry literal with checked positions.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    /// The geometry with an edge index, so that each feature costs O(log n).
    pub(super) index: Arc<EdgeIndex>,
    pub(super) envelope: Envelope,
}

impl Literal {
    pub(super) fn of_geometry(geometry: &Geometry) -> Result<Self, FilterError> {
        let refused = |reason: String| {
            let shown: String = super::ast::Expr::Geometry(geometry.clone()).to_string().chars().take(80).collect();
            FilterError::Geometry { geometry: shown, reason }
        };
        let checked = |part: &Geometry| Shape::new(part.clone()).map_err(|error| refused(error.to_string()));
        let geometry = match geometry {
            Geometry::GeometryCollection(parts) => {
                let parts: Vec<Shape> = parts.iter().map(checked).collect::<Result<_, _>>()?;
                let parts = parts.iter().map(|shape| shape.geometry().clone()).collect();
                Geometry::GeometryCollection(GeometryCollection(parts))
            }
            other => checked(other)?.geometry().clone(),
        };
        let envelope = Envelope::around(&geometry).ok_or_else(|| refused("it is empty".to_owned()))?;
        Ok(Self { index: Arc::new(EdgeIndex::new(geometry)), envelope })
    }

    /// A box; if it crosses the antimeridian, two boxes.
    pub(super) fn of_bbox([west, south, east, north]: [f64; 4]) -> Result<Self, FilterError> {
        let envelope = Envelope::new(west, south, east, north).map_err(|error| FilterError::Geometry {
            geometry: format!("BBOX({west},{south},{east},{north})"),
            reason: error.to_string(),
        })?;
        let polygons: Vec<geo::Polygon> = envelope
            .split()
            .map(|half| geo::Rect::new((half.west(), half.south()), (half.east(), half.north())).to_polygon())
            .collect();
        let geometry = match <[geo::Polygon; 1]>::try_from(polygons) {
            Ok([polygon]) => polygon.into(),
            Err(halves) => geo::MultiPolygon(halves).into(),
        };
        Ok(Self { index: Arc::new(EdgeIndex::new(geometry)), envelope })
    }

    /// Whether its envelope intersects that of another geometry.
    pub(super) fn may_touch(&self, other: &Geometry) -> bool {
        Envelope::around(other).is_none_or(|other| self.envelope.intersects(&other))
    }
}

/// Whether the relation holds from `a` to `b`.
pub(super) fn relates(relation: Spatial, a: &Geometry, b: &Geometry) -> bool {
    match relation {
        Spatial::Intersects => a.intersects(b),
        Spatial::Disjoint => !a.intersects(b),
        Spatial::Equals => a.relate(b).is_equal_topo(),
        Spatial::Touches => a.relate(b).is_touches(),
        Spatial::Within => a.relate(b).is_within(),
        Spatial::Contains => a.relate(b).is_contains(),
        Spatial::Overlaps => a.relate(b).is_overlaps(),
        Spatial::Crosses => a.relate(b).is_crosses(),
    }
}
