//! Where the asker is: a point, or the shape of something that happens.

use geo::{CoordsIter, Geometry, Intersects};

use crate::geodesy::bound::upper_bound_m;
use crate::geodesy::distance::nearest_place;
use crate::geodesy::ecef::{Ecef, EcefBox, ecef};
use crate::geodesy::{Envelope, LonLat};
use crate::model::Shape;

/// A point, line or area that distances are measured from.
#[derive(Clone, Debug)]
pub struct QueryGeometry {
    shape: Shape,
    /// A place in earth-centred coordinates, and the metres of a geodesic within which all of the shape is.
    centre: Ecef,
    reach_m: f64,
}

impl QueryGeometry {
    /// Most coordinates of a line or an area.
    pub const MAX_COORDINATES: usize = 1_000;

    /// Distances from a point.
    #[must_use]
    pub fn point(at: LonLat) -> Self {
        Self { shape: at.into(), centre: ecef(at), reach_m: 0.0 }
    }

    /// Distances from the nearest part of a shape; 0 inside an area.
    #[must_use]
    pub fn shape(shape: Shape) -> Self {
        if let Some(at) = shape.as_point() {
            return Self::point(at);
        }
        let around = EcefBox::of_envelope(&Envelope::around(shape.geometry()).unwrap_or(Envelope::WORLD));
        // What reaches around the earth is near everything.
        let (centre, reach_m) =
            around.centre().map_or(([0.0; 3], f64::INFINITY), |(at, chord_m)| (at, upper_bound_m(chord_m)));
        Self { shape, centre, reach_m }
    }

    /// The shape.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        self.shape.geometry()
    }

    pub(super) fn centre(&self) -> Ecef {
        self.centre
    }

    /// Metres within which all of it is around the centre.
    pub(super) fn reach_m(&self) -> f64 {
        self.reach_m
    }

    /// The places of the asker and of a feature that are nearest to each other, and the geodesic between them in
    /// metres. Between two lines or areas it is taken at a corner of either.
    pub(in crate::query) fn nearest(&self, feature: &Shape) -> Option<(LonLat, LonLat, f64)> {
        if let Some(from) = self.shape.as_point() {
            return nearest_place(from, feature.geometry()).map(|(place, metres)| (from, place, metres));
        }
        if let Some(place) = feature.as_point() {
            return nearest_place(place, self.geometry()).map(|(from, metres)| (from, place, metres));
        }
        if self.geometry().intersects(feature.geometry()) {
            let at = feature.geometry().coords_iter().next().and_then(|coord| LonLat::try_from(coord).ok())?;
            return Some((at, at, 0.0));
        }
        let corners = |geometry: &Geometry| -> Vec<LonLat> {
            geometry.coords_iter().filter_map(|coord| LonLat::try_from(coord).ok()).collect()
        };
        let of_ours = corners(self.geometry())
            .into_iter()
            .filter_map(|from| nearest_place(from, feature.geometry()).map(|(place, metres)| (from, place, metres)));
        let of_theirs = corners(feature.geometry())
            .into_iter()
            .filter_map(|place| nearest_place(place, self.geometry()).map(|(from, metres)| (from, place, metres)));
        of_ours.chain(of_theirs).min_by(|(.., a), (.., b)| a.total_cmp(b))
    }
}
