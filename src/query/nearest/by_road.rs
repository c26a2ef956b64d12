//! Nearest features by travel time on roads.

use super::traversal::{Near, SearchLimit, nearest_where};
use crate::model::FeatureId;
use crate::query::cancel::{CancelToken, Cancelled};
use crate::query::query_geometry::QueryGeometry;
use crate::query::road::Travel;
use crate::snapshot::{Group, Layer, Row};

/// Candidates of the first round for each feature to be found.
const CANDIDATES: usize = 4;

/// The accepted features with the shortest travel times, by time, then id.
///
/// Candidates come by straight line. No road is shorter, so the search ends when the straight line to the next
/// candidate would take longer on the fastest road than the last feature found.
///
/// # Errors
/// When it is cancelled.
pub(super) fn nearest_by_road<'a>(
    layer: &'a Layer,
    origin: &QueryGeometry,
    travel: &Travel<'_>,
    limit: SearchLimit,
    cancel: &CancelToken,
    may_hold: impl Fn(Group<'_>) -> bool,
    accepts: impl Fn(&Row<'a>) -> bool,
) -> Result<Vec<Near<'a>>, Cancelled> {
    let mut candidate_count = limit.k.saturating_mul(CANDIDATES);
    loop {
        let candidates = SearchLimit { k: candidate_count, ..limit };
        let near = nearest_where(layer, origin, candidates, cancel, &may_hold, &accepts)?;
        let is_all = near.len() < candidate_count;
        let least_s = near.last().map_or(0.0, |last| travel.least_s(last.distance_m));
        let mut found: Vec<(f64, &FeatureId, Near<'a>)> = Vec::with_capacity(near.len());
        travel.prepare(near.iter().map(|near| near.place));
        for near in near {
            cancel.check()?;
            if let Some(trip) = travel.trip(near.place) {
                found.push((trip.duration_s, near.row.id(), Near { trip: Some(trip), ..near }));
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        found.truncate(limit.k);
        let is_settled = found.len() == limit.k && found.last().is_some_and(|last| last.0 <= least_s);
        let is_beyond = travel.max_duration_s().is_some_and(|max| max < least_s);
        if is_all || is_settled || is_beyond {
            return Ok(found.into_iter().map(|(.., near)| near).collect());
        }
        candidate_count = candidate_count.saturating_mul(CANDIDATES);
    }
}
