//! From a warning to persons: who lives in its area, who is reached by loudspeakers, which shelters are inside and
//! outside, and which stations exceed their thresholds.

use std::sync::Arc;

use rayon::prelude::*;
use time::UtcDateTime;

use super::cancel::{CancelToken, Cancelled};
use super::nearest::demand::{Avoid, Demand};
use super::nearest::fitting;
use super::nearest::traversal::{Near, SearchLimit};
use super::query_geometry::QueryGeometry;
use super::siting::people;
use crate::geodesy::Envelope;
use crate::geodesy::edge_index::EdgeIndex;
use crate::model::Shape;
use crate::snapshot::{Layer, Row, Snapshot};

/// Number of shelters outside the area that are listed.
const OUTSIDE: usize = 10;

/// A query for the persons that a warning concerns.
#[derive(Clone, Debug)]
pub struct AlertQuery<'a> {
    /// The area of the warning.
    pub area: &'a Shape,
    /// Layers whose active areas shelters must not be in.
    pub active_areas: Vec<String>,
    /// The instant at which resources are ready and areas active.
    pub at: UtcDateTime,
}

/// The persons that a warning concerns.
#[derive(Clone, Debug)]
pub struct Alert<'a> {
    /// The area.
    pub area: Arc<EdgeIndex>,
    /// Places with people and a responsible person in the area, by division, then id.
    pub places: Vec<AlertedPlace<'a>>,
    /// Number of loudspeakers in or near the area whose reach is unknown; they are taken to reach nobody.
    pub unknown_reach: usize,
    /// Shelters in the area, by id.
    pub shelters_inside: Vec<(&'a Layer, Row<'a>)>,
    /// Ready shelters outside all active areas, nearest first.
    pub shelters_outside: Vec<(&'a Layer, Near<'a>)>,
    /// Stations in the area whose reading reaches their threshold, by id.
    pub over_threshold: Vec<(&'a Layer, Row<'a>)>,
}

/// A place with people.
#[derive(Clone, Copy, Debug)]
pub struct AlertedPlace<'a> {
    /// Its layer.
    pub layer: &'a Layer,
    /// The place.
    pub row: Row<'a>,
    /// People; `None` if unknown.
    pub people: Option<i64>,
    /// Number of loudspeakers whose reach includes it.
    pub loudspeakers: usize,
}

/// Finds the persons that a warning concerns.
///
/// # Errors
/// When it is cancelled.
pub fn alert<'a>(snapshot: &'a Snapshot, query: &AlertQuery<'_>, cancel: &CancelToken) -> Result<Alert<'a>, Cancelled> {
    let area = Arc::new(EdgeIndex::new(query.area.geometry().clone()));
    let inside = |has_role: &dyn Fn(&Layer) -> bool| -> Result<Vec<(&'a Layer, Row<'a>)>, Cancelled> {
        let layers = snapshot.layers().iter().map(|layer| &**layer).filter(|layer| has_role(layer));
        layers.map(|layer| rows_inside(layer, &area, cancel)).collect::<Result<Vec<_>, _>>().map(|rows| rows.concat())
    };
    // People at other sites live somewhere, too.
    let is_place = |layer: &Layer| {
        let roles = &layer.schema().roles;
        roles.people.is_some() && roles.responsible.is_some() && roles.exposed_site.is_none()
    };
    let loudspeakers = Loudspeakers::of(snapshot);
    let mut places: Vec<AlertedPlace<'a>> = inside(&is_place)?
        .into_par_iter()
        .map(|(layer, row)| {
            cancel.check()?;
            let loudspeakers = row.shape().map_or(0, |shape| loudspeakers.reaching(shape));
            Ok(AlertedPlace { layer, row, people: people(layer, &row), loudspeakers })
        })
        .collect::<Result<_, Cancelled>>()?;
    places.sort_by(|a, b| a.division().cmp(&b.division()).then_with(|| a.row.id().cmp(b.row.id())));
    let over_threshold = inside(&|layer| layer.schema().roles.reading.is_some())?
        .into_iter()
        .filter(|(layer, row)| is_over(layer, row) == Some(true))
        .collect();
    Ok(Alert {
        places,
        unknown_reach: loudspeakers.unknown_in(&area, cancel)?,
        shelters_inside: inside(&|layer| layer.resources().has_capacity())?,
        shelters_outside: outside(snapshot, &area, query, cancel)?,
        over_threshold,
        area,
    })
}

impl<'a> AlertedPlace<'a> {
    /// Its division code.
    #[must_use]
    pub fn division(&self) -> Option<&'a str> {
        self.layer.text(&self.row, "region_code")
    }
}

/// The rows of a layer that intersect an area, by id.
fn rows_inside<'a>(
    layer: &'a Layer,
    area: &EdgeIndex,
    cancel: &CancelToken,
) -> Result<Vec<(&'a Layer, Row<'a>)>, Cancelled> {
    let Some(around) = area.envelope() else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for row in layer.rows_in(&around) {
        cancel.check()?;
        if row.shape().is_some_and(|shape| area.intersects(shape.geometry())) {
            rows.push((layer, row));
        }
    }
    rows.sort_by(|a, b| a.1.id().cmp(b.1.id()));
    Ok(rows)
}

/// The nearest ready shelters outside the area and all active areas.
fn outside<'a>(
    snapshot: &'a Snapshot,
    area: &Arc<EdgeIndex>,
    query: &AlertQuery<'_>,
    cancel: &CancelToken,
) -> Result<Vec<(&'a Layer, Near<'a>)>, Cancelled> {
    let origin = QueryGeometry::indexed(area.clone());
    let avoid = Avoid { active_areas: query.active_areas.clone(), ..Avoid::default() };
    let demand = Demand { avoid, ..Demand::ready(query.at) };
    let mut found = Vec::new();
    for layer in snapshot.layers().iter().map(|layer| &**layer).filter(|layer| layer.resources().has_capacity()) {
        let limit = SearchLimit { k: OUTSIDE, max_distance_m: None };
        // A warning that is not active is no area to avoid, but its own shelters are listed as inside.
        let beyond = fitting(snapshot, layer, &origin, limit, &demand, cancel)?;
        found.extend(beyond.into_iter().filter(|near| near.distance_m > 0.0).map(|near| (layer, near)));
    }
    found.sort_by(|a, b| a.1.distance_m.total_cmp(&b.1.distance_m));
    found.truncate(OUTSIDE);
    Ok(found)
}

/// Whether the reading of a station reaches its threshold; `None` if either is unknown.
fn is_over(layer: &Layer, row: &Row<'_>) -> Option<bool> {
    let role = layer.schema().roles.reading.as_ref()?;
    let number = |field: &str| row.real(layer.schema().position(field)?);
    Some(number(&role.value)? >= number(&role.threshold)?)
}

/// The loudspeakers of all layers.
struct Loudspeakers<'a> {
    /// Each with the field of its reach, metres.
    layers: Vec<(&'a Layer, usize)>,
    farthest_m: f64,
}

impl<'a> Loudspeakers<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let layers: Vec<(&Layer, usize)> = snapshot
            .layers()
            .iter()
            .filter_map(|layer| {
                let role = layer.schema().roles.loudspeaker.as_ref()?;
                Some((&**layer, layer.schema().position(&role.reach_m)?))
            })
            .collect();
        let reaches =
            layers.iter().flat_map(|&(layer, field)| layer.rows_after(None).filter_map(move |row| row.real(field)));
        Self { farthest_m: reaches.fold(0.0, f64::max), layers }
    }

    /// Number of those whose reach includes a place.
    fn reaching(&self, place: &Shape) -> usize {
        let Some(around) = Envelope::around(place.geometry()) else { return 0 };
        let origin = QueryGeometry::shape(place.clone());
        let reaches = |row: &Row<'_>, field: usize| {
            let nearest = row.real(field).zip(row.shape()).and_then(|(reach_m, own)| origin.nearest(own, reach_m));
            nearest.is_some()
        };
        let near = |&(layer, field): &(&'a Layer, usize)| {
            layer.rows_in(&around.padded(self.farthest_m)).filter(|row| reaches(row, field)).count()
        };
        self.layers.iter().map(near).sum()
    }

    /// Number of those in an area whose reach is unknown.
    fn unknown_in(&self, area: &EdgeIndex, cancel: &CancelToken) -> Result<usize, Cancelled> {
        let unknown = |&(layer, field): &(&'a Layer, usize)| {
            let inside = rows_inside(layer, area, cancel)?;
            Ok(inside.iter().filter(|(_, row)| row.real(field).is_none()).count())
        };
        self.layers.iter().map(unknown).sum()
    }
}
