//! Coverage: how far the people of each place are from help, and who is beyond the limits.

use rayon::prelude::*;

use super::cancel::{CancelToken, Cancelled};
use super::nearest::demand::Demand;
use super::nearest::fitting;
use super::nearest::traversal::{Near, SearchLimit};
use super::query_geometry::QueryGeometry;
use super::siting::people;
use crate::model::Shape;
use crate::snapshot::{Layer, Row, Snapshot};

/// Help of one kind.
#[derive(Clone, Debug)]
pub struct Need<'a> {
    /// The layer of those who help.
    pub layer: &'a Layer,
    /// What they must be able to do.
    pub demand: Demand,
    /// How far they may be, metres.
    pub limit_m: f64,
}

/// A place with people, and its help.
#[derive(Clone, Debug)]
pub struct Covered<'a> {
    /// The place.
    pub row: Row<'a>,
    /// How many people are there; `None` is unknown.
    pub people: Option<i64>,
    /// The nearest help of each kind that is known to fit, in the order of the needs; `None` where there is none.
    pub help: Vec<Option<Near<'a>>>,
    /// Whether help is beyond the limit, in the order of the needs.
    pub is_beyond: Vec<bool>,
}

/// All places of a layer that have a position, in order of id.
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
