//! Regions for selecting features: an envelope, or an area with indexed edges.

use std::sync::Arc;

use geo::{Geometry, Intersects, Polygon, Rect};

use super::Envelope;
use super::edge_index::EdgeIndex;

/// A region in longitude and latitude.
#[derive(Clone, Debug)]
pub enum Region {
    /// An envelope, which may cross the antimeridian.
    Box(Envelope),
    /// An area, with the index of its edges.
    Area(Arc<EdgeIndex>),
}

impl From<Polygon> for Region {
    fn from(area: Polygon) -> Self {
        Self::Area(Arc::new(EdgeIndex::new(area.into())))
    }
}

impl Region {
    /// The smallest envelope around the region; `None` for an empty area.
    #[must_use]
    pub fn envelope(&self) -> Option<Envelope> {
        match self {
            Self::Box(envelope) => Some(*envelope),
            Self::Area(area) => area.envelope(),
        }
    }

    /// Whether a geometry, not only its envelope, shares a point with the region.
    #[must_use]
    pub fn intersects(&self, geometry: &Geometry) -> bool {
        match self {
            Self::Area(area) => area.intersects(geometry),
            Self::Box(envelope) => envelope.split().any(|part| {
                let rect = Rect::new((part.west(), part.south()), (part.east(), part.north()));
                geometry.intersects(&rect)
            }),
        }
    }
}
