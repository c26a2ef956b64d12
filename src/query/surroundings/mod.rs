//! Surroundings (周边分析): features within rings around a position, or inside an area.

mod length;

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use time::UtcDateTime;

use super::cancel::{CancelToken, Cancelled};
use super::nearest::demand::Demand;
use super::nearest::fitting;
use super::nearest::traversal::{Near, SearchLimit};
use super::query_geometry::QueryGeometry;
use super::siting::people;
use crate::geodesy::edge_index::EdgeIndex;
use crate::geodesy::{Envelope, LonLat};
use crate::model::{GeometryKind, Shape, ValueRef};
use crate::snapshot::{Chunk, Layer, Row, Snapshot};
use length::{length_inside_m, length_near_m, length_within_m};

/// Maximum number of secondary hazards listed.
pub const MAX_SECONDARY_HAZARDS: usize = 100;
/// Maximum number of responsible persons listed.
pub const MAX_RESPONSIBLE: usize = 200;
/// Number of nearest resources listed per layer.
const HELP: usize = 3;

/// The area.
#[derive(Clone, Debug)]
pub enum Area {
    /// Within ascending radii around a position, metres; by geodesic distance to the nearest part of a feature.
    Rings(LonLat, Vec<f64>),
    /// Within ascending distances of a line or area, metres; what is inside an area is at distance 0.
    Around(Box<Shape>, Vec<f64>),
    /// Intersecting an area.
    Inside(Box<Shape>),
}

/// A query for surroundings.
#[derive(Clone, Debug)]
pub struct SurroundingsQuery {
    /// The area.
    pub area: Area,
    /// The instant at which warnings and incidents are active and resources are ready.
    pub at: UtcDateTime,
}

/// The result.
#[derive(Clone, Debug)]
pub struct Surroundings<'a> {
    /// One entry per ring, each including the smaller rings; one entry for an area.
    pub rings: Vec<Ring<'a>>,
    /// Secondary hazards: by level, the most severe first and unknown ones last, then rank, then distance.
    pub secondary_hazards: Vec<SecondaryHazard<'a>>,
    /// Number of further secondary hazards.
    pub more_secondary_hazards: usize,
    /// Features with a responsible person, nearest first; shown only to clients with access to contacts.
    pub responsible: Vec<(&'a Layer, Row<'a>)>,
    /// The nearest ready resources, per layer.
    pub help: Vec<(&'a Layer, Vec<Near<'a>>)>,
}

/// The content of a ring.
#[derive(Clone, Debug)]
pub struct Ring<'a> {
    /// Its radius, metres; `None` for an area.
    pub radius_m: Option<f64>,
    /// Counts per layer that has any feature there.
    pub layers: Vec<LayerCount<'a>>,
}

/// Counts of one layer.
#[derive(Clone, Debug)]
pub struct LayerCount<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// Number of features.
    pub count: usize,
    /// Number of features by code of each counted field; `None` is unknown.
    pub by: Vec<(&'a str, BTreeMap<Option<String>, usize>)>,
    /// People, for layers that count people.
    pub people: Option<People>,
    /// Length inside in metres by code of the first counted field; for lines.
    pub length_m: Option<BTreeMap<Option<String>, f64>>,
}

/// Number of people in several places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Sum of the known numbers.
    pub known: i64,
    /// Number of places with an unknown number.
    pub unknown_places: usize,
}

/// A secondary hazard.
#[derive(Clone, Copy, Debug)]
pub struct SecondaryHazard<'a> {
    /// Its layer.
    pub layer: &'a Layer,
    /// The feature.
    pub row: Row<'a>,
    /// Geodesic distance, metres; 0 inside an area.
    pub distance_m: f64,
    /// Rank; 1 is the most dangerous.
    rank: u8,
    level: Option<i64>,
}

/// A feature and the smallest ring that contains it.
type Hit<'a> = (Row<'a>, usize, f64);

/// Computes the surroundings.
///
/// # Errors
/// When it is cancelled.
pub fn surroundings<'a>(
    snapshot: &'a Snapshot,
    query: &SurroundingsQuery,
    cancel: &CancelToken,
) -> Result<Surroundings<'a>, Cancelled> {
    let search = match &query.area {
        Area::Rings(at, radii) => Search::Rings { origin: QueryGeometry::point(*at), at: *at, radii },
        Area::Around(shape, radii) => {
            let edges = Arc::new(EdgeIndex::new(shape.geometry().clone()));
            Search::Around { origin: QueryGeometry::indexed(edges.clone()), edges, radii }
        }
        Area::Inside(shape) => Search::Inside(Arc::new(EdgeIndex::new(shape.geometry().clone()))),
    };
    let of_layer = |layer: &'a Arc<Layer>| Ok((&**layer, hits(layer, &search, query.at, cancel)?));
    let layers = snapshot.layers().par_iter().filter(|layer| !layer.schema().roles.are_records());
    let hits: Vec<(&'a Layer, Vec<Hit<'a>>)> = layers.map(of_layer).collect::<Result<_, _>>()?;
    let radii: Vec<Option<f64>> = match &query.area {
        Area::Rings(_, radii) | Area::Around(_, radii) => radii.iter().copied().map(Some).collect(),
        Area::Inside(_) => vec![None],
    };
    let ring = |(at, radius_m): (usize, Option<f64>)| {
        let counts = hits.iter().map(|(layer, hits)| layer_count(layer, hits, at, &search, cancel));
        let layers = counts.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok(Ring { radius_m, layers })
    };
    let rings = radii.into_iter().enumerate().map(ring).collect::<Result<_, _>>()?;
    let mut secondary_hazards: Vec<SecondaryHazard<'a>> = hits
        .iter()
        .flat_map(|(layer, hits)| hits.iter().filter_map(|(row, _, metres)| hazard(layer, *row, *metres)))
        .collect();
    secondary_hazards.sort_by(|a, b| {
        let level = |own: &SecondaryHazard<'_>| own.level.unwrap_or(i64::MAX);
        let order = level(a).cmp(&level(b)).then(a.rank.cmp(&b.rank)).then(a.distance_m.total_cmp(&b.distance_m));
        order.then_with(|| a.row.id().cmp(b.row.id()))
    });
    let more_secondary_hazards = secondary_hazards.len().saturating_sub(MAX_SECONDARY_HAZARDS);
    secondary_hazards.truncate(MAX_SECONDARY_HAZARDS);
    let responsible = responsible(&hits);
    let help = help(snapshot, &search.origin(), query.at, cancel)?;
    Ok(Surroundings { rings, secondary_hazards, more_secondary_hazards, responsible, help })
}

/// A prepared area.
enum Search<'a> {
    /// Within ascending radii around a position, metres.
    Rings { origin: QueryGeometry, at: LonLat, radii: &'a [f64] },
    /// Within ascending distances of a line or area, metres.
    Around { origin: QueryGeometry, edges: Arc<EdgeIndex>, radii: &'a [f64] },
    /// Inside an area.
    Inside(Arc<EdgeIndex>),
}

impl Search<'_> {
    fn origin(&self) -> QueryGeometry {
        match self {
            Self::Rings { origin, .. } | Self::Around { origin, .. } => origin.clone(),
            Self::Inside(area) => QueryGeometry::indexed(area.clone()),
        }
    }
}

/// Counts of a layer. In layers of events only active features count.
fn hits<'a>(
    layer: &'a Layer,
    search: &Search<'_>,
    at: UtcDateTime,
    cancel: &CancelToken,
) -> Result<Vec<Hit<'a>>, Cancelled> {
    let resources = layer.resources();
    let counts = |row: &Row<'a>| !resources.has_active_area() || resources.is_active(row, at);
    match search {
        Search::Rings { origin, at, radii } => hits_within(layer, (origin, Envelope::from(*at)), radii, counts, cancel),
        Search::Around { origin, edges, radii } => {
            let Some(around) = edges.envelope() else { return Ok(Vec::new()) };
            hits_within(layer, (origin, around), radii, counts, cancel)
        }
        Search::Inside(area) => {
            let Some(around) = area.envelope() else { return Ok(Vec::new()) };
            let touches = |row: &Row<'a>| row.shape().is_some_and(|own| area.intersects(own.geometry()));
            let near =
                layer.chunks().par_iter().filter(|chunk| chunk.envelope().is_some_and(|own| own.intersects(&around)));
            let of_chunk = |chunk: &'a Arc<Chunk>| {
                // Features of a chunk that is entirely inside are not tested.
                let all_inside = chunk.envelope().is_some_and(|own| area.holds(own));
                let mut found = Vec::new();
                for row in chunk.rows_in(&around).filter(counts) {
                    cancel.check()?;
                    found.extend((all_inside || touches(&row)).then_some((row, 0, 0.0)));
                }
                Ok(found)
            };
            Ok(near.map(of_chunk).collect::<Result<Vec<Vec<Hit<'a>>>, _>>()?.concat())
        }
    }
}

/// Features within the greatest of ascending distances of a geometry with an envelope.
fn hits_within<'a>(
    layer: &'a Layer,
    (origin, envelope): (&QueryGeometry, Envelope),
    radii: &[f64],
    counts: impl Fn(&Row<'a>) -> bool,
    cancel: &CancelToken,
) -> Result<Vec<Hit<'a>>, Cancelled> {
    let farthest = radii.last().copied().unwrap_or_default();
    let ring = |row: Row<'a>| {
        let (.., metres) = origin.nearest(row.shape()?, farthest)?;
        let ring = radii.iter().position(|radius| metres <= *radius)?;
        Some((row, ring, metres))
    };
    let mut found = Vec::new();
    for row in layer.rows_in(&envelope.padded(farthest)).filter(counts) {
        cancel.check()?;
        found.extend(ring(row));
    }
    Ok(found)
}

/// Counts of one layer in a ring; `None` without any feature there.
fn layer_count<'a>(
    layer: &'a Layer,
    hits: &[Hit<'a>],
    ring: usize,
    search: &Search<'_>,
    cancel: &CancelToken,
) -> Result<Option<LayerCount<'a>>, Cancelled> {
    let inside = || hits.iter().filter(|(_, own, _)| *own <= ring).map(|(row, ..)| row);
    let count = inside().count();
    if count == 0 {
        return Ok(None);
    }
    let roles = &layer.schema().roles;
    let by = roles.count_by.iter().map(|field| {
        let mut counts: BTreeMap<Option<String>, usize> = BTreeMap::new();
        for row in inside() {
            *counts.entry(code(layer, row, field)).or_default() += 1;
        }
        (field.as_str(), counts)
    });
    let by = by.collect();
    let people = roles.people.is_some().then(|| {
        inside().map(|row| people(layer, row)).fold(People::default(), |sum, people| match people {
            Some(people) => People { known: sum.known + people, ..sum },
            None => People { unknown_places: sum.unknown_places + 1, ..sum },
        })
    });
    let mut length_m = None;
    if layer.schema().geometry == GeometryKind::Line {
        let lengths: &mut BTreeMap<Option<String>, f64> = length_m.insert(BTreeMap::new());
        for row in inside() {
            cancel.check()?;
            let kind = roles.count_by.first().and_then(|field| code(layer, row, field));
            let metres = row.shape().map_or(0.0, |shape| match search {
                Search::Rings { at, radii, .. } => length_within_m(shape.geometry(), *at, radii[ring]),
                Search::Around { edges, radii, .. } => length_near_m(shape.geometry(), edges, radii[ring]),
                Search::Inside(area) => length_inside_m(shape.geometry(), area),
            });
            *lengths.entry(kind).or_default() += metres;
        }
    }
    Ok(Some(LayerCount { layer, count, by, people, length_m }))
}

/// A code as text; numbers are ranks.
fn code(layer: &Layer, row: &Row<'_>, field: &str) -> Option<String> {
    let text = layer.text(row, field).map(str::to_owned);
    text.or_else(|| layer.integer(row, field).map(|number| number.to_string()))
}

fn hazard<'a>(layer: &'a Layer, row: Row<'a>, distance_m: f64) -> Option<SecondaryHazard<'a>> {
    let hazard = layer.schema().roles.secondary_hazard.as_ref()?;
    let code = layer.text(&row, &hazard.field)?;
    let rank = *hazard.ranks.get(code)?;
    Some(SecondaryHazard { layer, row, distance_m, rank, level: layer.integer(&row, "risk_level") })
}

fn responsible<'a>(hits: &[(&'a Layer, Vec<Hit<'a>>)]) -> Vec<(&'a Layer, Row<'a>)> {
    let is_known = |layer: &Layer, row: &Row<'_>, field: &str| {
        layer.schema().position(field).is_some_and(|at| matches!(row.cell(at), ValueRef::Text(_)))
    };
    let has_contact = |layer: &Layer, row: &Row<'_>| {
        let role = layer.schema().roles.responsible.as_ref();
        role.is_some_and(|role| is_known(layer, row, &role.person) || is_known(layer, row, &role.phone))
    };
    let all = hits.iter().flat_map(|(layer, hits)| hits.iter().map(move |(row, _, metres)| (*layer, *row, *metres)));
    let mut found: Vec<(&Layer, Row<'_>, f64)> = all.filter(|(layer, row, _)| has_contact(layer, row)).collect();
    found.sort_by(|a, b| a.2.total_cmp(&b.2).then_with(|| a.1.id().cmp(b.1.id())));
    found.truncate(MAX_RESPONSIBLE);
    found.into_iter().map(|(layer, row, _)| (layer, row)).collect()
}

fn help<'a>(
    snapshot: &'a Snapshot,
    origin: &QueryGeometry,
    at: UtcDateTime,
    cancel: &CancelToken,
) -> Result<Vec<(&'a Layer, Vec<Near<'a>>)>, Cancelled> {
    let can_help = |layer: &&'a Layer| {
        let roles = &layer.schema().roles;
        roles.capacity.is_some() || roles.skills.is_some() || roles.stock.is_some()
    };
    let limit = SearchLimit { k: HELP, max_distance_m: None };
    let demand = Demand::ready(at);
    let layers = snapshot.layers().iter().map(|layer| &**layer).filter(can_help);
    layers.map(|layer| Ok((layer, fitting(snapshot, layer, origin, limit, &demand, cancel)?))).collect()
}
