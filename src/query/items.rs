//! Features of a layer page by page, in a total order, with an exact count.
//!
//! A page is told by the row before or after it, not by a number of rows to skip, so pages neither repeat nor skip a
//! feature when others come and go in between.

use std::cmp::Ordering;
use std::sync::Arc;

use geo::Intersects;
use rayon::prelude::*;

use super::cursor::Cursor;
use super::filter::Filter;
use crate::geodesy::Envelope;
use crate::geodesy::edge_index::EdgeIndex;
use crate::model::{Shape, Value, ValueRef};
use crate::snapshot::{Layer, Row};

/// What is asked.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Only features that share a point with this, and those without a place (OGC 17-069r4, requirement 24 C).
    pub region: Option<ItemsRegion>,
    /// Only features that match all of these, which are the layer's own filters.
    pub filters: Vec<Filter>,
    /// What they are sorted by.
    pub order: Order,
    /// Which of them.
    pub start: Start,
    /// How many at most.
    pub limit: usize,
}

/// A part of the earth.
#[derive(Clone, Debug)]
pub enum ItemsRegion {
    /// A box, which may cross the antimeridian.
    Box(Envelope),
    /// An area.
    Area(Arc<EdgeIndex>),
}

/// Fields that features are sorted by, each by its position and whether the greatest comes first; then by id. What is
/// unknown comes last.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Position of the field, `None` for the id; whether it descends.
    pub keys: Vec<(Option<usize>, bool)>,
}

/// Where a page begins.
#[derive(Clone, Debug, Default)]
pub enum Start {
    /// At the first feature.
    #[default]
    First,
    /// After this one.
    After(Cursor),
    /// So that it ends before this one.
    Before(Cursor),
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// The features in order.
    pub rows: Vec<Row<'a>>,
    /// How many features match on all pages together.
    pub matched: usize,
    /// Whether there are some before it.
    pub has_previous: bool,
    /// Whether there are more after it.
    pub has_next: bool,
}

impl Order {
    /// The place of a row in it.
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

/// The order of two values of one field; what is unknown comes last either way.
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

/// Answers one page.
#[must_use]
pub fn page<'a>(layer: &'a Layer, ask: &PageRequest) -> Page<'a> {
    if ask.region.is_none() && ask.filters.is_empty() && ask.order.keys.is_empty() {
        return page_by_id(layer, ask);
    }
    let mut rows = matching(layer, ask.region.as_ref(), &ask.filters);
    let matched = rows.len();
    let backwards = matches!(ask.start, Start::Before(_));
    match &ask.start {
        Start::First => {}
        Start::After(cursor) => rows.retain(|row| ask.order.compare_to(row, cursor).is_gt()),
        Start::Before(cursor) => rows.retain(|row| ask.order.compare_to(row, cursor).is_lt()),
    }
    let outside = matched > rows.len();
    let more = rows.len() > ask.limit;
    if more {
        // Only the page itself is sorted.
        rows.select_nth_unstable_by(ask.limit, |a, b| directed(ask.order.compare(a, b), backwards));
        rows.truncate(ask.limit);
    }
    rows.sort_unstable_by(|a, b| ask.order.compare(a, b));
    let (has_previous, has_next) = if backwards { (more, outside) } else { (outside, more) };
    Page { rows, matched, has_previous, has_next }
}

/// All features in order of id.
fn page_by_id<'a>(layer: &'a Layer, ask: &PageRequest) -> Page<'a> {
    let wanted = ask.limit.saturating_add(1);
    let (mut rows, backwards): (Vec<Row<'_>>, bool) = match &ask.start {
        Start::First => (layer.rows_after(None).take(wanted).collect(), false),
        Start::After(cursor) => (layer.rows_after(Some(&cursor.id)).take(wanted).collect(), false),
        Start::Before(cursor) => (layer.rows_before(&cursor.id).take(wanted).collect(), true),
    };
    let more = rows.len() > ask.limit;
    rows.truncate(ask.limit);
    if backwards {
        rows.reverse();
    }
    let (has_previous, has_next) = match &ask.start {
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

/// All features that share a point with a region and match filters, in no order.
fn matching<'a>(layer: &'a Layer, region: Option<&ItemsRegion>, filters: &[Filter]) -> Vec<Row<'a>> {
    let holds = |row: &Row<'_>| {
        region.is_none_or(|region| region.meets(row)) && filters.iter().all(|filter| filter.matches(row))
    };
    let around = region.and_then(ItemsRegion::envelope).or_else(|| filters.iter().find_map(Filter::envelope));
    layer
        .chunks()
        .par_iter()
        .flat_map_iter(|chunk| {
            let rows: Box<dyn Iterator<Item = Row<'a>>> = match &around {
                Some(around) if region.is_some() => Box::new(chunk.rows_in(around).chain(chunk.rows_without_place())),
                Some(around) => Box::new(chunk.rows_in(around)),
                None => Box::new(chunk.rows_after(None)),
            };
            rows.filter(holds)
        })
        .collect()
}

impl ItemsRegion {
    /// An area, whose edges are indexed once for all features.
    #[must_use]
    pub fn area(area: Shape) -> Self {
        Self::Area(Arc::new(EdgeIndex::new(area.into_geometry())))
    }

    fn envelope(&self) -> Option<Envelope> {
        match self {
            Self::Box(envelope) => Some(*envelope),
            Self::Area(area) => area.envelope(),
        }
    }

    /// Whether the feature itself, not just its envelope, shares a point with it, or has no place.
    fn meets(&self, row: &Row<'_>) -> bool {
        row.shape().is_none_or(|shape| match self {
            Self::Area(area) => area.intersects(shape.geometry()),
            Self::Box(envelope) => envelope.split().any(|part| {
                let rect = geo::Rect::new((part.west(), part.south()), (part.east(), part.north()));
                shape.geometry().intersects(&rect)
            }),
        })
    }
}
