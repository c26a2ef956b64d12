//! Features of a layer page by page, in order of id, with an exact count.
//!
//! A page names the last id it holds and the next one starts after it, so pages neither repeat nor
//! skip a feature when others come and go in between.

use geo::Intersects;
use rayon::prelude::*;

use super::filter::Filter;
use crate::geodesy::Envelope;
use crate::model::FeatureId;
use crate::snapshot::{Layer, Row};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Only features that share a point with this box.
    pub bbox: Option<Envelope>,
    /// Only features that match, as the layer's own filter.
    pub filter: Option<Filter>,
    /// Only features after this id.
    pub after: Option<FeatureId>,
    /// How many at most.
    pub limit: usize,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// The features, in order of id.
    pub rows: Vec<Row<'a>>,
    /// How many features match on all pages together.
    pub matched: usize,
    /// Whether there are more after this page.
    pub more: bool,
}

/// Answers one page.
#[must_use]
pub fn page<'a>(layer: &'a Layer, ask: &Ask) -> Page<'a> {
    if ask.bbox.is_none() && ask.filter.is_none() {
        let mut rows: Vec<Row<'_>> = layer.rows_after(ask.after.as_ref()).take(ask.limit + 1).collect();
        let more = rows.len() > ask.limit;
        rows.truncate(ask.limit);
        return Page { rows, matched: layer.len(), more };
    }
    let mut rows = matching(layer, ask.bbox.as_ref(), ask.filter.as_ref());
    let matched = rows.len();
    if let Some(after) = &ask.after {
        rows.retain(|row| row.id() > after);
    }
    rows.sort_unstable_by_key(Row::id);
    let more = rows.len() > ask.limit;
    rows.truncate(ask.limit);
    Page { rows, matched, more }
}

/// All features that share a point with a box and match a filter, in no order.
fn matching<'a>(layer: &'a Layer, bbox: Option<&Envelope>, filter: Option<&Filter>) -> Vec<Row<'a>> {
    let holds =
        |row: &Row<'_>| bbox.is_none_or(|bbox| meets(row, bbox)) && filter.is_none_or(|filter| filter.matches(row));
    let around = bbox.copied().or_else(|| filter.and_then(Filter::envelope));
    layer
        .chunks()
        .par_iter()
        .flat_map_iter(|chunk| {
            let rows: Box<dyn Iterator<Item = Row<'a>>> = match &around {
                Some(around) => Box::new(chunk.rows_around(around)),
                None => Box::new(chunk.rows_after(None)),
            };
            rows.filter(holds)
        })
        .collect()
}

/// Whether the feature itself, not just its envelope, shares a point with the box.
fn meets(row: &Row<'_>, bbox: &Envelope) -> bool {
    row.shape().is_some_and(|shape| {
        bbox.split().any(|part| {
            let rect = geo::Rect::new((part.west(), part.south()), (part.east(), part.north()));
            shape.geometry().intersects(&rect)
        })
    })
}
