//! The geometry that distances are measured from: a point, or a line or area.

use std::sync::Arc;

use geo::{CoordsIter, Geometry};

use crate::geodesy::bound::upper_bound_m;
use crate::geodesy::distance::nearest_place;
use crate::geodesy::ecef::{Ecef, EcefBox, ecef};
use crate::geodesy::edge_index::EdgeIndex;
use crate::geodesy::{Envelope, LonLat};
use crate::model::Shape;

/// A point, line or area that distances are measured from.
#[derive(Clone, Debug)]
pub struct QueryGeometry {
    place: Place,
    /// A centre in earth-centred coordinates, and the geodesic radius in metres that contains the whole geometry.
    centre: Ecef,
    reach_m: f64,
}

#[derive(Clone, Debug)]
enum Place {
    Point(LonLat, Geometry),
    Shape(Arc<EdgeIndex>),
}

impl QueryGeometry {
    /// Maximum number of coordinates of a line or area.
    pub const MAX_COORDINATES: usize = 1_000;

    /// Distances from a point.
    #[must_use]
    pub fn point(at: LonLat) -> Self {
        Self { place: Place::Point(at, geo::Point::from(geo::Coord::from(at)).into()), centre: ecef(at), reach_m: 0.0 }
    }

    /// Distances from the nearest part of a shape; 0 inside an area. Its edges are indexed once, so that each feature
    /// costs O(log n).
    #[must_use]
    pub fn shape(shape: Shape) -> Self {
        match shape.as_point() {
            Some(at) => Self::point(at),
            None => Self::indexed(Arc::new(EdgeIndex::new(shape.into_geometry()))),
        }
    }

    /// The same with an existing edge index.
    #[must_use]
    pub fn indexed(index: Arc<EdgeIndex>) -> Self {
        let around = EcefBox::of_envelope(&index.envelope().unwrap_or(Envelope::WORLD));
        // The envelope of the geometry spans the earth, so its radius is unbounded.
        let (centre, reach_m) =
            around.centre().map_or(([0.0; 3], f64::INFINITY), |(at, chord_m)| (at, upper_bound_m(chord_m)));
        Self { place: Place::Shape(index), centre, reach_m }
    }

    /// The geometry.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        match &self.place {
            Place::Point(_, geometry) => geometry,
            Place::Shape(index) => index.geometry(),
        }
    }

    pub(super) fn centre(&self) -> Ecef {
        self.centre
    }

    /// Radius around the centre that contains the whole geometry, metres.
    pub(super) fn reach_m(&self) -> f64 {
        self.reach_m
    }

    /// The nearest positions of this geometry and a feature, and the geodesic between them in metres; `None` beyond a
    /// limit in metres. Between two lines or areas the minimum is taken at a vertex of one of them.
    pub(in crate::query) fn nearest(&self, feature: &Shape, limit_m: f64) -> Option<(LonLat, LonLat, f64)> {
        let index = match &self.place {
            Place::Point(from, _) => {
                let (place, metres) = nearest_place(*from, feature.geometry())?;
                return (metres <= limit_m).then_some((*from, place, metres));
            }
            Place::Shape(index) => index,
        };
        if let Some(place) = feature.as_point() {
            return index.nearest_place(place, limit_m).map(|(from, metres)| (from, place, metres));
        }
        if index.intersects(feature.geometry()) {
            let at = feature.geometry().coords_iter().next().and_then(|coord| LonLat::try_from(coord).ok())?;
            return (limit_m >= 0.0).then_some((at, at, 0.0));
        }
        index.nearest_pair(&EdgeIndex::new(feature.geometry().clone()), limit_m)
    }
}
