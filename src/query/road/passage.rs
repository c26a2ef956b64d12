//! What a path passes: the roads it takes, and the risk zones and active areas it crosses.

use geo::{Geometry, LineString};
use time::UtcDateTime;

use super::search::{RoadPath, RoadStretch};
use crate::geodesy::Envelope;
use crate::geodesy::edge_index::EdgeIndex;
use crate::query::cancel::{CancelToken, Cancelled};
use crate::snapshot::{Layer, Row, Snapshot};

/// Consecutive parts of a path on one road.
#[derive(Clone, Copy, Debug)]
pub struct RoadPart<'a> {
    /// Layer of the road.
    pub layer: &'a Layer,
    /// The road.
    pub row: Row<'a>,
    /// Length of the path on it, metres.
    pub length_m: f64,
}

/// The roads of a path, in its direction, as features of the snapshot.
#[must_use]
pub fn roads_of<'a>(snapshot: &'a Snapshot, path: &RoadPath) -> Vec<RoadPart<'a>> {
    let layers = || snapshot.layers().iter().map(|layer| &**layer).filter(|layer| layer.schema().roles.road.is_some());
    let part = |own: &RoadStretch| {
        let is_of = |layer: &&Layer| own.layer.as_ref().is_none_or(|id| **id == *layer.schema().id);
        let (layer, row) = layers().filter(is_of).find_map(|layer| Some((layer, layer.find(&own.id)?)))?;
        Some(RoadPart { layer, row, length_m: own.length_m })
    };
    path.roads.iter().filter_map(part).collect()
}

/// The risk zones, and the areas of events that are active at an instant, which a path crosses, by layer and id.
///
/// # Errors
/// When it is cancelled.
pub fn areas_on<'a>(
    snapshot: &'a Snapshot,
    path: &RoadPath,
    now: UtcDateTime,
    cancel: &CancelToken,
) -> Result<Vec<(&'a Layer, Row<'a>)>, Cancelled> {
    let line = Geometry::LineString(LineString(path.line.clone()));
    let Some(around) = Envelope::around(&line) else { return Ok(Vec::new()) };
    let line = EdgeIndex::new(line);
    let mut areas = Vec::new();
    for layer in snapshot.layers().iter().map(|layer| &**layer) {
        let resources = layer.resources();
        if !resources.has_zone() && !resources.has_active_area() {
            continue;
        }
        let mut own = Vec::new();
        for row in layer.rows_in(&around) {
            cancel.check()?;
            let counts = resources.has_zone() || resources.is_active(&row, now);
            if counts && row.shape().is_some_and(|shape| line.intersects(shape.geometry())) {
                own.push((layer, row));
            }
        }
        own.sort_by(|a, b| a.1.id().cmp(b.1.id()));
        areas.append(&mut own);
    }
    Ok(areas)
}
