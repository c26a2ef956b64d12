//! Coverage: distance or travel time from each place to help, and the places beyond the limits.

use rayon::prelude::*;

use super::cancel::{CancelToken, Cancelled};
use super::nearest::demand::Demand;
use super::nearest::traversal::{Near, SearchLimit};
use super::nearest::{fitting, fitting_by_road};
use super::query_geometry::QueryGeometry;
use super::road::closures::{Closure, Closures};
use super::road::search::{TravelDirection, TravelMode};
use super::road::{RoadSource, Travel};
use super::siting::people;
use crate::geodesy::LonLat;
use crate::model::Shape;
use crate::snapshot::{Layer, Row, Snapshot};

/// A kind of help.
#[derive(Clone, Debug)]
pub struct Need<'a> {
    /// The layer of resources.
    pub layer: &'a Layer,
    /// The demand that resources must meet.
    pub demand: Demand,
    /// Limit of the distance, metres; travel has a limit of its own.
    pub limit_m: f64,
}

/// Travel on roads between places and help.
#[derive(Clone, Copy, Debug)]
pub struct CoverageByRoad<'a> {
    /// Where travel is computed.
    pub source: &'a RoadSource,
    /// Their closed parts.
    pub closures: &'a Closures<'a>,
    /// By vehicle or on foot.
    pub mode: TravelMode,
    /// Time beyond which a place is not covered, seconds.
    pub limit_s: f64,
}

/// A place with people and its nearest help.
#[derive(Clone, Debug)]
pub struct Covered<'a> {
    /// The place.
    pub row: Row<'a>,
    /// People present; `None` if unknown.
    pub people: Option<i64>,
    /// The nearest eligible resource of each kind, in the order of the needs; `None` without one.
    pub help: Vec<Option<Near<'a>>>,
    /// Whether help is beyond its limit, in the order of the needs.
    pub is_beyond: Vec<bool>,
    /// By road, for help that no open road reaches: what closes the way to the nearest by straight line, in the order
    /// of the needs.
    pub cut_by: Vec<Vec<Closure<'a>>>,
}

/// Coverage of all places of a layer with a geometry, ascending by id. People travel to places with a capacity, other
/// help to them.
///
/// # Errors
/// When it is cancelled.
pub fn coverage<'a>(
    snapshot: &'a Snapshot,
    places: &'a Layer,
    needs: &[Need<'a>],
    by_road: Option<&CoverageByRoad<'a>>,
    cancel: &CancelToken,
) -> Result<Vec<Covered<'a>>, Cancelled> {
    let rows: Vec<(Row<'a>, &Shape)> = places.rows_after(None).filter_map(|row| Some((row, row.shape()?))).collect();
    let cover = |(row, shape): (Row<'a>, &Shape)| match by_road.zip(shape.anchor()) {
        Some((by_road, from)) => by_road.cover(snapshot, (places, row), from, needs, cancel),
        None => cover(snapshot, places, row, shape, needs, cancel),
    };
    rows.into_par_iter().map(cover).collect()
}

impl<'a> CoverageByRoad<'a> {
    fn cover(
        &self,
        snapshot: &'a Snapshot,
        (places, row): (&Layer, Row<'a>),
        from: LonLat,
        needs: &[Need<'a>],
        cancel: &CancelToken,
    ) -> Result<Covered<'a>, Cancelled> {
        let origin = QueryGeometry::point(from);
        let travel = |direction| Travel::new(self.source, self.closures, (self.mode, direction), from, None, cancel);
        let (outward, inward) = (travel(TravelDirection::Outward)?, travel(TravelDirection::Inward)?);
        let (mut help, mut cut_by) = (Vec::new(), Vec::new());
        for need in needs {
            let travel = if need.layer.resources().has_capacity() { &outward } else { &inward };
            let near = fitting_by_road(snapshot, need.layer, &origin, travel, &need.demand, cancel)?;
            let by_line = if near.is_none() {
                let one = SearchLimit { k: 1, max_distance_m: None };
                fitting(snapshot, need.layer, &origin, one, &need.demand, cancel)?
            } else {
                Vec::new()
            };
            cut_by.push(by_line.first().map_or_else(Vec::new, |near| travel.cut_by(near.place, cancel)));
            help.push(near);
        }
        let is_far =
            |near: &Option<Near<'_>>| near.and_then(|near| near.trip).is_none_or(|trip| trip.duration_s > self.limit_s);
        let is_beyond = help.iter().map(is_far).collect();
        Ok(Covered { row, people: people(places, &row), help, is_beyond, cut_by })
    }
}

fn cover<'a>(
    snapshot: &'a Snapshot,
    places: &Layer,
    row: Row<'a>,
    shape: &Shape,
    needs: &[Need<'a>],
    cancel: &CancelToken,
) -> Result<Covered<'a>, Cancelled> {
    let origin = QueryGeometry::shape(shape.clone());
    let limit = SearchLimit { k: 1, max_distance_m: None };
    let nearest = |need: &Need<'a>| {
        let found = fitting(snapshot, need.layer, &origin, limit, &need.demand, cancel)?;
        Ok(found.into_iter().next())
    };
    let help: Vec<Option<Near<'a>>> = needs.iter().map(nearest).collect::<Result<_, _>>()?;
    let far = |(near, need): (&Option<Near<'_>>, &Need<'_>)| near.is_none_or(|near| near.distance_m > need.limit_m);
    let is_beyond = help.iter().zip(needs).map(far).collect();
    let cut_by = vec![Vec::new(); needs.len()];
    Ok(Covered { row, people: people(places, &row), help, is_beyond, cut_by })
}
