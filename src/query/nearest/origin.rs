//! Where the asker is: a point, or the shape of something that happens.

use geo::{CoordsIter, Geometry, Intersects};

use crate::geodesy::distance::{Ecef, chord_2, ecef, ecef_box, lower_bound_m, nearest_place};
use crate::geodesy::{Envelope, LonLat};
use crate::model::Shape;

/// A point, line or area that distances are measured from.
#[derive(Clone, Debug)]
pub struct Origin {
    shape: Shape,
    /// A place in earth-centred coordinates, and the metres within which all of the shape is.
    centre: Ecef,
    reach_m: f64,
}

impl Origin {
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
        let (low, high) = ecef_box(&Envelope::around(shape.geometry()).unwrap_or(Envelope::WORLD));
        let centre = std::array::from_fn(|axis| f64::midpoint(low[axis], high[axis]));
        Self { shape, centre, reach_m: chord_2(centre, high).sqrt() }
    }

    /// The shape.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        self.shape.geometry()
    }

    pub(super) fn centre(&self) -> Ecef {
        self.centre
    }

    /// A distance that nothing at this squared chord from the centre (metres squared) is nearer than.
    pub(super) fn lower_bound_m(&self, chord_2: f64) -> f64 {
        (lower_bound_m(chord_2) - self.reach_m).max(0.0)
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
