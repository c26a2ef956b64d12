//! The siting audit: places with people inside risk zones or close to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use geo::{Geometry, MultiLineString};
use rayon::prelude::*;
use time::UtcDateTime;

use super::cancel::{CancelToken, Cancelled};
use super::nearest::demand::{Avoid, Demand, Eligibility, Verdict};
use super::nearest::traversal::{Near, SearchLimit, nearest_where};
use super::query_geometry::QueryGeometry;
use crate::geodesy::distance::nearest_place;
use crate::geodesy::{Envelope, LonLat};
use crate::model::{FeatureId, Shape};
use crate::snapshot::{Layer, Row, Snapshot};

/// Parameters of an audit.
#[derive(Clone, Debug)]
pub struct SitingQuery {
    /// Hazard codes.
    pub hazards: Vec<String>,
    /// Only zones of this level or worse (1 is the worst); `None` for all levels.
    pub level: Option<i64>,
    /// Places within this distance of a zone count as inside, metres.
    pub margin_m: f64,
    /// The instant, for suggested shelters.
    pub at: UtcDateTime,
}

/// A place in or near a risk zone.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// Layer of the place.
    pub layer: &'a Layer,
    /// The place.
    pub site: Row<'a>,
    /// Its position, or its nearest position to the zone.
    pub at: LonLat,
    /// Layer of the zone.
    pub zone_layer: &'a Layer,
    /// The zone.
    pub zone: Row<'a>,
    /// Hazard of the zone.
    pub hazard: Option<&'a str>,
    /// Level of the zone, 1 is the worst; `None` if unknown.
    pub level: Option<i64>,
    /// Whether the place is inside the zone.
    pub is_inside: bool,
    /// Distance to the boundary of the zone in metres, from inside or outside.
    pub edge_m: f64,
    /// People present; `None` if unknown.
    pub people: Option<i64>,
    /// The nearest shelter that is ready, has free places, and is neither inside such a zone nor within the margin.
    pub safe: Option<Near<'a>>,
}

/// Audits layers of places. Sorted by level (unknown first, then worst first), inside before near, number of people,
/// id.
///
/// # Errors
/// When it is cancelled.
pub fn audit<'a>(
    snapshot: &'a Snapshot,
    layers: &[&'a Layer],
    query: &SitingQuery,
    cancel: &CancelToken,
) -> Result<Vec<Finding<'a>>, Cancelled> {
    let zones: Vec<&Layer> =
        snapshot.layers().iter().map(|layer| &**layer).filter(|layer| layer.resources().has_zone()).collect();
    let avoid =
        Avoid { hazards: query.hazards.clone(), level: query.level, margin_m: query.margin_m, ..Avoid::default() };
    let demand = Demand { avoid, ..Demand::ready(query.at) };
    let safe = SafeShelters::new(snapshot, &demand);
    let of_chunks: Vec<Vec<Finding<'a>>> = layers
        .iter()
        .flat_map(|layer| layer.chunks().iter().map(move |chunk| (*layer, chunk)))
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|(layer, chunk)| {
            let sites = chunk.rows_after(None).filter(move |row| is_site(layer, row));
            let found = sites.map(|site| of_site(&zones, layer, site, query, &safe, cancel));
            Ok(found.collect::<Result<Vec<_>, _>>()?.concat())
        })
        .collect::<Result<_, _>>()?;
    let mut findings = of_chunks.concat();
    findings.sort_by(|a, b| {
        let key = |own: &Finding<'_>| (own.level, !own.is_inside, std::cmp::Reverse(own.people));
        key(a).cmp(&key(b)).then_with(|| (a.site.id(), a.zone.id()).cmp(&(b.site.id(), b.zone.id())))
    });
    Ok(findings)
}

fn is_site(layer: &Layer, row: &Row<'_>) -> bool {
    let Some(site) = &layer.schema().roles.exposed_site else { return false };
    let Some(only) = &site.only else { return true };
    layer.text(row, &only.field).is_some_and(|code| only.codes.iter().any(|own| own == code))
}

/// The number of people of a place, by the roles of its layer.
#[must_use]
pub fn people(layer: &Layer, row: &Row<'_>) -> Option<i64> {
    let roles = &layer.schema().roles;
    layer.integer(row, roles.people.as_ref().or_else(|| roles.exposed_site.as_ref()?.people.as_ref())?)
}

/// The number of people of a place who cannot move without help; unknown if it is not recorded.
#[must_use]
pub fn frail(layer: &Layer, row: &Row<'_>) -> Option<i64> {
    layer.integer(row, layer.schema().roles.frail.as_ref()?)
}

fn of_site<'a>(
    zones: &[&'a Layer],
    layer: &'a Layer,
    site: Row<'a>,
    query: &SitingQuery,
    safe: &SafeShelters<'a, '_>,
    cancel: &CancelToken,
) -> Result<Vec<Finding<'a>>, Cancelled> {
    cancel.check()?;
    let Some(shape) = site.shape() else { return Ok(Vec::new()) };
    let Some(around) = Envelope::around(shape.geometry()) else { return Ok(Vec::new()) };
    let around = around.padded(query.margin_m);
    let origin = QueryGeometry::shape(shape.clone());
    let mut findings = Vec::new();
    for &zone_layer in zones {
        let resources = zone_layer.resources();
        for zone in zone_layer.rows_in(&around) {
            let (hazard, level) = (resources.hazard(&zone), resources.level(&zone));
            let is_requested = hazard.is_none_or(|hazard| query.hazards.iter().any(|own| own == hazard))
                && level.zip(query.level).is_none_or(|(level, worst)| level <= worst);
            let near = zone.shape().filter(|_| is_requested).and_then(|zone| origin.nearest(zone, query.margin_m));
            let Some((at, _, distance_m)) = near else { continue };
            let is_inside = distance_m == 0.0;
            let edge_m = if is_inside { to_edge_m(at, zone.shape()) } else { distance_m };
            let people = people(layer, &site);
            findings.push(Finding {
                layer,
                site,
                at,
                zone_layer,
                zone,
                hazard,
                level,
                is_inside,
                edge_m,
                people,
                safe: None,
            });
        }
    }
    if !findings.is_empty() {
        let safe = safe.nearest(&origin, cancel)?;
        for finding in &mut findings {
            finding.safe = safe;
        }
    }
    Ok(findings)
}

/// Distance in metres from a position inside an area to its boundary.
fn to_edge_m(at: LonLat, area: Option<&Shape>) -> f64 {
    let polygons = match area.map(Shape::geometry) {
        Some(Geometry::Polygon(polygon)) => std::slice::from_ref(polygon),
        Some(Geometry::MultiPolygon(polygons)) => polygons.0.as_slice(),
        _ => return 0.0,
    };
    let rings = polygons.iter().flat_map(|own| std::iter::once(own.exterior()).chain(own.interiors()).cloned());
    let edges = Geometry::MultiLineString(MultiLineString(rings.collect()));
    nearest_place(at, &edges).map_or(0.0, |(_, metres)| metres)
}

/// A layer of shelters with cached verdicts.
type Known<'a, 'd> = (&'a Layer, Eligibility<'d>, Mutex<HashMap<&'a FeatureId, bool>>);

/// Shelters, each assessed once.
struct SafeShelters<'a, 'd> {
    layers: Vec<Known<'a, 'd>>,
}

impl<'a: 'd, 'd> SafeShelters<'a, 'd> {
    fn new(snapshot: &'a Snapshot, demand: &'d Demand) -> Self {
        let layers = snapshot.layers().iter().filter(|layer| layer.schema().roles.capacity.is_some());
        let known = |layer: &'a Arc<Layer>| (&**layer, Eligibility::new(snapshot, layer, demand), Mutex::default());
        Self { layers: layers.map(known).collect() }
    }

    fn nearest(&self, origin: &QueryGeometry, cancel: &CancelToken) -> Result<Option<Near<'a>>, Cancelled> {
        let limit = SearchLimit { k: 1, max_distance_m: None };
        let of_layer = |(layer, eligibility, known): &Known<'a, 'd>| {
            let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
            let is_safe = |row: &Row<'a>| {
                let before = known().get(row.id()).copied();
                before.unwrap_or_else(|| {
                    let is_safe = eligibility.verdict(row) == Verdict::Eligible;
                    known().insert(row.id(), is_safe);
                    is_safe
                })
            };
            let found =
                nearest_where(layer, origin, limit, cancel, |group| eligibility.may_be_eligible(group), is_safe);
            found.map(|found| found.into_iter().next())
        };
        let found: Vec<Option<Near<'a>>> = self.layers.iter().map(of_layer).collect::<Result<_, _>>()?;
        Ok(found.into_iter().flatten().min_by(|a, b| a.distance_m.total_cmp(&b.distance_m)))
    }
}
