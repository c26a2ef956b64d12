//! Coverage: distance from each place to help, and the places beyond the limits.

use rayon::prelude::*;

use super::cancel::{CancelToken, Cancelled};
use super::nearest::demand::Demand;
use super::nearest::fitting;
use super::nearest::traversal::{Near, SearchLimit};
use super::query_geometry::QueryGeometry;
use super::siting::people;
use crate::model::Shape;
use crate::snapshot::{Layer, Row, Snapshot};

/// A kind of help.
#[derive(Clone, Debug)]
pub struct Need<'a> {
    /// The layer of resources.
    pub layer: &'a Layer,
    /// The demand that resources must meet.
    pub demand: Demand,
    /// Distance limit, metres.
    pub limit_m: f64,
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
}

/// Coverage of all places of a layer with a geometry, ascending by id.
///
/// # Errors
/// When it is cancelled.
pub fn coverage<'a>(
    snapshot: &'a Snapshot,
    places: &'a Layer,
    needs: &[Need<'a>],
    cancel: &CancelToken,
) -> Result<Vec<Covered<'a>>, Cancelled> {
    let rows: Vec<(Row<'a>, &Shape)> = places.rows_after(None).filter_map(|row| Some((row, row.shape()?))).collect();
    rows.into_par_iter().map(|(row, shape)| cover(snapshot, places, row, shape, needs, cancel)).collect()
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
    Ok(Covered { row, people: people(places, &row), help, is_beyond })
}
