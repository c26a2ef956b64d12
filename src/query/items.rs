//! Features of a layer in pages: a total order and an exact count.
//!
//! A page is defined by the row before or after it, not by an offset, so concurrent changes neither repeat nor skip
//! features.

use std::cmp::Ordering;
use std::sync::Arc;

use rayon::prelude::*;

use super::cancel::{CancelToken, Cancelled};
use super::cursor::Cursor;
use super::filter::Filter;
use crate::geodesy::region::Region;
use crate::model::{Value, ValueRef};
use crate::snapshot::{Chunk, Layer, Row};

/// A layer of up to so many features is searched on the calling thread if the token has a budget.
const SEQUENTIAL_ROWS: usize = 1_000;

/// A query for a page of features.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Only features that intersect this region, and features without a geometry (OGC 17-069r4, requirement 24 C).
    pub region: Option<Region>,
    /// Only features that match all of these filters, which are filters of this layer.
    pub filters: Vec<Filter>,
    /// Sort order.
    pub order: Order,
    /// Which page.
    pub start: Start,
    /// Maximum number of features.
    pub limit: usize,
}

/// Sort keys by field index, then by id. Unknown values come last.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Field index, `None` for the id; whether descending.
    pub keys: Vec<(Option<usize>, bool)>,
}

/// Start of a page.
#[derive(Clone, Debug, Default)]
pub enum Start {
    /// The first page.
    #[default]
    First,
    /// The page after this cursor.
    After(Cursor),
    /// The page that ends before this cursor.
    Before(Cursor),
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// Its features, in order.
    pub rows: Vec<Row<'a>>,
    /// Number of matching features on all pages.
    pub matched: usize,
    /// Whether features precede it.
    pub has_previous: bool,
    /// Whether features follow it.
    pub has_next: bool,
}

impl Order {
    /// The cursor of a row.
    #[must_use]
    pub fn cursor(&self, row: &Row<'_>) -> Cursor {
        let value = |(field, _): &(Option<usize>, bool)| match field {
            Some(at) => row.value(*at),
            None => Value::Text(row.id().as_str().to_owned()),
        };
        Cursor { values: self.keys.iter().map(value).collect(), id: row.id().clone() }
    }

    fn compare(&self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        let by_key = |(field, descends): &(Option<usize>, bool)| match field {
            Some(at) => total_order(a.cell(*at), b.cell(*at), *descends),
            None => directed(a.id().cmp(b.id()), *descends),
        };
        self.keys.iter().map(by_key).find(|order| order.is_ne()).unwrap_or_else(|| a.id().cmp(b.id()))
    }

    fn compare_to(&self, row: &Row<'_>, cursor: &Cursor) -> Ordering {
        let by_key = |((field, descends), value): (&(Option<usize>, bool), &Value)| match field {
            Some(at) => total_order(row.cell(*at), value.as_value_ref(), *descends),
            None => directed(row.id().cmp(&cursor.id), *descends),
        };
        let by_keys = self.keys.iter().zip(&cursor.values).map(by_key).find(|order| order.is_ne());
        by_keys.unwrap_or_else(|| row.id().cmp(&cursor.id))
    }
}

/// Order of two values of a field; unknown comes last in both directions.
fn total_order(a: ValueRef<'_>, b: ValueRef<'_>, descends: bool) -> Ordering {
    let order = match (a, b) {
        (ValueRef::Unknown, ValueRef::Unknown) => return Ordering::Equal,
        (ValueRef::Unknown, _) => return Ordering::Greater,
        (_, ValueRef::Unknown) => return Ordering::Less,
        (ValueRef::Boolean(a), ValueRef::Boolean(b)) => a.cmp(&b),
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Real(a), ValueRef::Real(b)) => a.total_cmp(&b),
        (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Json(a), ValueRef::Json(b)) => a.cmp(b),
        (ValueRef::Date(a), ValueRef::Date(b)) => a.cmp(&b),
        (ValueRef::DateTime(a), ValueRef::DateTime(b)) => a.cmp(&b),
        (ValueRef::TextList(a), ValueRef::TextList(b)) => a.cmp(b),
        // A field has one type.
        _ => Ordering::Equal,
    };
    directed(order, descends)
}

fn directed(order: Ordering, descends: bool) -> Ordering {
    if descends { order.reverse() } else { order }
}

/// Finds a page.
///
/// # Errors
/// When it is cancelled.
pub fn page<'a>(layer: &'a Layer, request: &PageRequest, cancel: &CancelToken) -> Result<Page<'a>, Cancelled> {
    if request.region.is_none() && request.filters.is_empty() && request.order.keys.is_empty() {
        return Ok(page_by_id(layer, request));
    }
    if cancel.has_budget() && layer.len() > SEQUENTIAL_ROWS {
        // All features have to be tested, which is work for several threads.
        cancel.cancel();
        return Err(Cancelled);
    }
    let mut rows = matching(layer, request.region.as_ref(), &request.filters, cancel)?;
    cancel.check()?;
    let matched = rows.len();
    let backwards = matches!(request.start, Start::Before(_));
    match &request.start {
        Start::First => {}
        Start::After(cursor) => rows.retain(|row| request.order.compare_to(row, cursor).is_gt()),
        Start::Before(cursor) => rows.retain(|row| request.order.compare_to(row, cursor).is_lt()),
    }
    let outside = matched > rows.len();
    let more = rows.len() > request.limit;
    if more {
        // Only the page is sorted.
        rows.select_nth_unstable_by(request.limit, |a, b| directed(request.order.compare(a, b), backwards));
        rows.truncate(request.limit);
    }
    rows.sort_unstable_by(|a, b| request.order.compare(a, b));
    let (has_previous, has_next) = if backwards { (more, outside) } else { (outside, more) };
    Ok(Page { rows, matched, has_previous, has_next })
}

/// All features, ascending by id.
fn page_by_id<'a>(layer: &'a Layer, request: &PageRequest) -> Page<'a> {
    let take = request.limit.saturating_add(1);
    let (mut rows, backwards): (Vec<Row<'_>>, bool) = match &request.start {
        Start::First => (layer.rows_after(None).take(take).collect(), false),
        Start::After(cursor) => (layer.rows_after(Some(&cursor.id)).take(take).collect(), false),
        Start::Before(cursor) => (layer.rows_before(&cursor.id).take(take).collect(), true),
    };
    let more = rows.len() > request.limit;
    rows.truncate(request.limit);
    if backwards {
        rows.reverse();
    }
    let (has_previous, has_next) = match &request.start {
        Start::First => (false, more),
        Start::After(cursor) => {
            let first = rows.first().map_or(&cursor.id, |row| row.id());
            (layer.rows_before(first).next().is_some(), more)
        }
        Start::Before(cursor) => {
            let is_there = layer.find(&cursor.id).is_some();
            (more, is_there || layer.rows_after(Some(&cursor.id)).next().is_some())
        }
    };
    Page { rows, matched: layer.len(), has_previous, has_next }
}

/// All features that intersect a region and match filters, unordered.
fn matching<'a>(
    layer: &'a Layer,
    region: Option<&Region>,
    filters: &[Filter],
    cancel: &CancelToken,
) -> Result<Vec<Row<'a>>, Cancelled> {
    let holds = |row: &Row<'_>| {
        region.is_none_or(|region| row.shape().is_none_or(|shape| region.intersects(shape.geometry())))
            && filters.iter().all(|filter| filter.matches(row))
    };
    let around = region.and_then(Region::envelope).or_else(|| filters.iter().find_map(Filter::envelope));
    let of_chunk = |chunk: &'a Arc<Chunk>| {
        let rows: Box<dyn Iterator<Item = Row<'a>>> = match &around {
            Some(around) if region.is_some() => Box::new(chunk.rows_in(around).chain(chunk.rows_without_place())),
            Some(around) => Box::new(chunk.rows_in(around)),
            None => Box::new(chunk.rows_after(None)),
        };
        rows.filter_map(|row| match cancel.check() {
            Ok(()) => holds(&row).then_some(Ok(row)),
            Err(cancelled) => Some(Err(cancelled)),
        })
    };
    if cancel.has_budget() {
        return layer.chunks().iter().flat_map(of_chunk).collect();
    }
    layer.chunks().par_iter().flat_map_iter(of_chunk).collect()
}
