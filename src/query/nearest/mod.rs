//! Nearest resources that meet a demand, and nearer features that are excluded, with reasons.

mod by_road;
pub mod cover;
pub mod covering_program;
pub mod demand;
pub mod traversal;

use self::by_road::nearest_by_road;
use self::demand::{Demand, Eligibility, Reason, Verdict};
use self::traversal::{Near, SearchLimit, nearest_where};
use crate::query::cancel::{CancelToken, Cancelled};
use crate::query::query_geometry::QueryGeometry;
use crate::query::road::Travel;
use crate::snapshot::{Group, Layer, Row, Snapshot};

/// Number of partial matches from which the best are chosen.
const PARTIAL: usize = 1_000;

/// Excluded features are counted up to this number, in addition to those listed.
pub const COUNTED: usize = 1_000;

/// Which excluded features a result lists, at most so many; [`COUNTED`] further ones are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// None.
    Never,
    /// Only if no feature is found.
    WhenEmpty(usize),
    /// Always.
    Always(usize),
}

/// A nearest query on one layer.
#[derive(Clone, Copy, Debug)]
pub struct NearestQuery<'a> {
    /// Geometry to measure from.
    pub origin: &'a QueryGeometry,
    /// Travel on roads from there, which then decides what is near; without it the straight line.
    pub travel: Option<&'a Travel<'a>>,
    /// Number of results and distance limit.
    pub limit: SearchLimit,
    /// Demand on the resources.
    pub demand: &'a Demand,
    /// Partial matches, best first, then by distance.
    pub relax: bool,
    /// Which excluded features are listed.
    pub explain: Explain,
    /// Cancels the search.
    pub cancel: &'a CancelToken,
}

impl<'q> NearestQuery<'q> {
    /// The nearest accepted features by straight line or by road.
    fn search<'a>(
        &self,
        layer: &'a Layer,
        limit: SearchLimit,
        may_hold: impl Fn(Group<'_>) -> bool,
        accepts: impl Fn(&Row<'a>) -> bool,
    ) -> Result<Vec<Near<'a>>, Cancelled> {
        match self.travel {
            Some(travel) => nearest_by_road(layer, self.origin, travel, limit, self.cancel, may_hold, accepts),
            None => nearest_where(layer, self.origin, limit, self.cancel, may_hold, accepts),
        }
    }

    /// Why a feature is not reached by road; `None` if it is, or the straight line counts.
    fn unreachable(&self, near: &Near<'_>) -> Option<Reason<'q>> {
        let travel = self.travel.filter(|travel| near.trip.is_none() && travel.trip(near.place).is_none())?;
        Some(match travel.long_trip(near.place) {
            Some(trip) => Reason::TooLong { duration_s: trip.duration_s },
            None => Reason::Unreachable { cut_by: travel.cut_by(near.place, self.cancel) },
        })
    }
}

/// A found feature.
#[derive(Clone, Debug)]
pub struct NearestFeature<'a> {
    /// The feature and its distance.
    pub near: Near<'a>,
    /// Whether it meets the demand.
    pub verdict: Verdict,
    /// Reasons against it; empty if eligible.
    pub reasons: Vec<Reason<'a>>,
}

/// The result of a nearest query.
#[derive(Clone, Debug)]
pub struct NearestAnswer<'a> {
    /// Eligible features by distance; then, if requested, partial matches, best first; then features with unknown data,
    /// by distance.
    pub found: Vec<NearestFeature<'a>>,
    /// The nearest excluded features: not farther than the last eligible one, and not in `found`.
    pub excluded: Vec<NearestFeature<'a>>,
    /// Number of further excluded features, counted up to [`COUNTED`].
    pub more_excluded: usize,
}

/// Finds the nearest features that meet a demand.
///
/// ```
/// use onemap::geodesy::LonLat;
/// use onemap::model::{Catalog, Feature, FeatureId, Shape, Value};
/// use onemap::query::cancel::CancelToken;
/// use onemap::query::nearest::demand::Demand;
/// use onemap::query::query_geometry::QueryGeometry;
/// use onemap::query::nearest::traversal::SearchLimit;
/// use onemap::query::nearest::{Explain, NearestQuery, nearest};
/// use onemap::snapshot::{Layer, Snapshot};
///
/// let catalog = Catalog::built_in()?;
/// let schema = catalog.layer("villages").ok_or("a layer")?;
/// let village = |id: &str, lon: f64| -> Result<Feature, Box<dyn std::error::Error>> {
///     let at = LonLat::new(lon, 26.22)?;
///     let values = vec![Value::Unknown; schema.fields.len()];
///     Ok(Feature { id: FeatureId::new(id)?, geometry: Some(Shape::from(at)), values })
/// };
/// let features = vec![village("far", 118.90)?, village("near", 118.87)?];
/// let snapshot = Snapshot::new(0, vec![Layer::build(schema.clone(), features)]);
///
/// let query = NearestQuery {
///     origin: &QueryGeometry::point(LonLat::new(118.86, 26.22)?),
///     travel: None,
///     limit: SearchLimit { k: 1, max_distance_m: None },
///     demand: &Demand::anything(time::UtcDateTime::UNIX_EPOCH),
///     relax: false,
///     explain: Explain::Never,
///     cancel: &CancelToken::new(),
/// };
/// let answer = nearest(&snapshot, &snapshot.layers()[0], &query)?;
/// assert_eq!(answer.found[0].near.row.id().as_str(), "near");
/// assert!((answer.found[0].near.distance_m - 999.3).abs() < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it is cancelled.
pub fn nearest<'a>(
    snapshot: &'a Snapshot,
    layer: &'a Layer,
    query: &NearestQuery<'a>,
) -> Result<NearestAnswer<'a>, Cancelled> {
    let eligibility = Eligibility::new(snapshot, layer, query.demand);
    let with_reasons = |near: Near<'a>| {
        let mut reasons = eligibility.reasons(&near.row);
        reasons.extend(query.unreachable(&near));
        NearestFeature { near, verdict: eligibility.verdict(&near.row), reasons }
    };
    let is = |verdict: Verdict| {
        let eligibility = &eligibility;
        move |row: &Row<'a>| eligibility.verdict(row) == verdict
    };
    let may_be_eligible = |group: Group<'_>| eligibility.may_be_eligible(group);
    let fitting = query.search(layer, query.limit, may_be_eligible, is(Verdict::Eligible))?;
    let is_full = fitting.len() == query.limit.k;
    // By road the last is not always the farthest.
    let farthest_m = fitting.iter().map(|near| near.distance_m).fold(0.0, f64::max);
    let last_m = is_full.then_some(farthest_m);
    let mut found: Vec<NearestFeature<'a>> = fitting
        .into_iter()
        .map(|near| NearestFeature { near, verdict: Verdict::Eligible, reasons: Vec::new() })
        .collect();
    if query.relax && !is_full {
        let mut partial = in_part(layer, query, &eligibility)?;
        partial.truncate(query.limit.k - found.len());
        found.extend(partial.into_iter().map(with_reasons));
    }
    if found.len() < query.limit.k {
        let rest = SearchLimit { k: query.limit.k - found.len(), ..query.limit };
        let may_be_unknown = |group: Group<'_>| eligibility.may_be_unknown(group);
        let unknown = query.search(layer, rest, may_be_unknown, is(Verdict::Unknown))?;
        found.extend(unknown.into_iter().map(with_reasons));
    }
    let listed = match query.explain {
        Explain::Always(listed) => listed,
        Explain::WhenEmpty(listed) if found.is_empty() => listed,
        Explain::WhenEmpty(_) | Explain::Never => 0,
    };
    let (excluded, more_excluded) = if listed == 0 {
        (Vec::new(), 0)
    } else {
        let limit =
            SearchLimit { k: listed.saturating_add(COUNTED), max_distance_m: last_m.or(query.limit.max_distance_m) };
        if let Some(travel) = query.travel.filter(|travel| travel.is_by_engine()) {
            let near = SearchLimit { k: limit.k.saturating_add(found.len()), ..limit };
            let near = nearest_where(layer, query.origin, near, query.cancel, |_| true, |_| true)?;
            travel.prepare(near.iter().map(|near| near.place));
        }
        let answered: Vec<_> = found.iter().map(|found| found.near.row.id()).collect();
        let is_reached = |row: &Row<'a>| {
            query.travel.is_none_or(|travel| {
                let place = row.shape().and_then(|shape| query.origin.nearest(shape, f64::INFINITY));
                place.is_some_and(|(_, place, _)| travel.trip(place).is_some())
            })
        };
        let passed = |row: &Row<'a>| {
            (eligibility.verdict(row) != Verdict::Eligible || !is_reached(row)) && !answered.contains(&row.id())
        };
        let mut excluded = nearest_where(layer, query.origin, limit, query.cancel, |_| true, passed)?;
        let more = excluded.len().saturating_sub(listed);
        excluded.truncate(listed);
        (excluded.into_iter().map(with_reasons).collect(), more)
    };
    Ok(NearestAnswer { found, excluded, more_excluded })
}

/// The nearest eligible features by straight line.
///
/// # Errors
/// When it is cancelled.
pub fn fitting<'a>(
    snapshot: &'a Snapshot,
    layer: &'a Layer,
    origin: &QueryGeometry,
    limit: SearchLimit,
    demand: &Demand,
    cancel: &CancelToken,
) -> Result<Vec<Near<'a>>, Cancelled> {
    let eligibility = Eligibility::new(snapshot, layer, demand);
    let is_eligible = |row: &Row<'a>| eligibility.verdict(row) == Verdict::Eligible;
    nearest_where(layer, origin, limit, cancel, |group| eligibility.may_be_eligible(group), is_eligible)
}

/// The nearest eligible feature by road.
///
/// # Errors
/// When it is cancelled.
pub fn fitting_by_road<'a>(
    snapshot: &'a Snapshot,
    layer: &'a Layer,
    origin: &QueryGeometry,
    travel: &Travel<'_>,
    demand: &Demand,
    cancel: &CancelToken,
) -> Result<Option<Near<'a>>, Cancelled> {
    let eligibility = Eligibility::new(snapshot, layer, demand);
    let is_eligible = |row: &Row<'a>| eligibility.verdict(row) == Verdict::Eligible;
    let may_be_eligible = |group: Group<'_>| eligibility.may_be_eligible(group);
    let one = SearchLimit { k: 1, max_distance_m: None };
    Ok(nearest_by_road(layer, origin, travel, one, cancel, may_be_eligible, is_eligible)?.into_iter().next())
}

/// Partial matches, best first, then by distance.
fn in_part<'a>(
    layer: &'a Layer,
    query: &NearestQuery<'a>,
    eligibility: &Eligibility<'a>,
) -> Result<Vec<Near<'a>>, Cancelled> {
    let limit = SearchLimit { k: PARTIAL, ..query.limit };
    let accepts = |row: &Row<'a>| {
        eligibility.verdict(row) == Verdict::Partial && cover::share(eligibility, query.demand, row) > 0.0
    };
    let mut partial: Vec<(f64, Near<'a>)> = query
        .search(layer, limit, |_| true, accepts)?
        .into_iter()
        .map(|near| (cover::share(eligibility, query.demand, &near.row), near))
        .collect();
    // The sort is stable: equal matches stay in order of distance.
    partial.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    Ok(partial.into_iter().map(|(_, near)| near).collect())
}
