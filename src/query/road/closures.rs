//! Closed parts of roads: closed by their own status, by their limits to a vehicle, or by active features that close the
//! roads they touch.

use std::collections::BTreeMap;

use geo::Geometry;
use time::UtcDateTime;

use super::network::{RoadFields, RoadNetwork, road_layers};
use super::vehicle::{ExceededLimit, VehicleSize};
use crate::geodesy::Envelope;
use crate::geodesy::LonLat;
use crate::geodesy::edge_index::EdgeIndex;
use crate::model::{Shape, ValueRef};
use crate::snapshot::{Layer, Row, Snapshot};

/// A point or line closes the roads within this distance, metres; its position is rarely exact.
pub const REACH_M: f64 = 30.0;
/// Half of the length that a point closes, as a share of the segment it is on.
const POINT_SHARE: f64 = 1e-6;

/// What closes a road: an incident, or the road itself.
#[derive(Clone, Copy, Debug)]
pub struct Closure<'a> {
    /// Layer of the feature.
    pub layer: &'a Layer,
    /// The feature.
    pub row: Row<'a>,
    /// The limit of the road that the vehicle exceeds, if the road is open to smaller ones.
    pub limit: Option<ExceededLimit>,
}

/// The closed parts of a network at an instant.
#[derive(Debug, Default)]
pub struct Closures<'a> {
    /// What closes them.
    pub closures: Vec<Closure<'a>>,
    /// By segment.
    parts: BTreeMap<usize, Vec<ClosedPart>>,
    /// The same for an engine; empty with a network in memory.
    pub avoided: Avoided,
}

/// What an engine with a network of its own avoids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Avoided {
    /// Ids of closed roads.
    pub roads: Vec<String>,
    /// What closes the roads inside it, or within [`REACH_M`] of a point or line.
    pub closing: Vec<Geometry>,
}

/// A closed part of a segment, as shares of its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClosedPart {
    pub(super) from: f64,
    pub(super) to: f64,
    /// Index of the closure.
    pub(super) closure: usize,
}

impl<'a> Closures<'a> {
    /// The parts of the network of this snapshot that are closed to a vehicle at an instant.
    #[must_use]
    pub fn at(snapshot: &'a Snapshot, network: &RoadNetwork, now: UtcDateTime, vehicle: &VehicleSize) -> Self {
        let mut closures = Self::default();
        for road in &network.roads {
            let limit = if road.is_closed { None } else { road.limits.exceeded_by(vehicle) };
            if !road.is_closed && limit.is_none() {
                continue;
            }
            let Some(layer) = snapshot.layer(&road.layer) else { continue };
            let Some(row) = layer.find(&road.id) else { continue };
            let closure = closures.add(Closure { layer, row, limit });
            for segment in road.segments.clone() {
                closures.close(segment, ClosedPart { from: 0.0, to: 1.0, closure });
            }
        }
        for (closure, shape) in closing_features(snapshot, now) {
            closures.close_near(network, closure, shape);
        }
        closures
    }

    /// All features that close roads to a vehicle at an instant, for an engine with a network of its own.
    #[must_use]
    pub fn without_network(snapshot: &'a Snapshot, now: UtcDateTime, vehicle: &VehicleSize) -> Self {
        let mut closures = Self::default();
        for (layer, role) in road_layers(snapshot) {
            let fields = RoadFields::of(layer, role);
            for row in layer.rows_after(None) {
                let limit = fields.limits(&row).exceeded_by(vehicle);
                let is_closed = fields.is_closed(&row);
                if is_closed || limit.is_some() {
                    closures.avoided.roads.push(row.id().as_str().to_owned());
                    closures.add(Closure { layer, row, limit: limit.filter(|_| !is_closed) });
                }
            }
        }
        for (closure, shape) in closing_features(snapshot, now) {
            closures.avoided.closing.push(shape.geometry().clone());
            closures.add(closure);
        }
        closures
    }

    /// The closed parts of a segment.
    pub(super) fn parts_of(&self, segment: usize) -> &[ClosedPart] {
        self.parts.get(&segment).map_or(&[], Vec::as_slice)
    }

    /// Whether no part of the network is closed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn add(&mut self, closure: Closure<'a>) -> usize {
        self.closures.push(closure);
        self.closures.len() - 1
    }

    fn close(&mut self, segment: usize, part: ClosedPart) {
        self.parts.entry(segment).or_default().push(part);
    }

    fn close_near(&mut self, network: &RoadNetwork, closing: Closure<'a>, shape: &Shape) {
        let Some(around) = Envelope::around(shape.geometry()) else { return };
        let near = around.padded(REACH_M).split().flat_map(|part| network.index.edges_in(&part)).collect::<Vec<_>>();
        let area = EdgeIndex::new(shape.geometry().clone());
        let mut closure = None;
        for segment in near {
            for (from, to) in closed_shares(network, segment, &area) {
                let closure = *closure.get_or_insert_with(|| self.add(closing));
                self.close(segment, ClosedPart { from, to, closure });
            }
        }
    }
}

/// The active features that close the roads they touch.
fn closing_features(snapshot: &Snapshot, now: UtcDateTime) -> Vec<(Closure<'_>, &Shape)> {
    let mut closing = Vec::new();
    for layer in snapshot.layers().iter().map(|layer| &**layer) {
        let schema = layer.schema();
        let Some(role) = &schema.roles.closes_roads else { continue };
        let Some(field) = schema.position(&role.field) else { continue };
        for row in layer.rows_after(None) {
            let closes = matches!(row.cell(field), ValueRef::Text(code) if role.codes.iter().any(|own| own == code));
            if closes
                && layer.resources().is_active(&row, now)
                && let Some(shape) = row.shape()
            {
                closing.push((Closure { layer, row, limit: None }, shape));
            }
        }
    }
    closing
}

/// The parts of a segment that are inside an area, or near a point or line.
fn closed_shares(network: &RoadNetwork, segment: usize, closing: &EdgeIndex) -> Vec<(f64, f64)> {
    let line = network.index.edge(segment);
    if is_area(closing.geometry()) {
        return closing.shares_inside(&line);
    }
    let edge = EdgeIndex::new(Geometry::Line(line));
    if let Geometry::Point(point) = closing.geometry() {
        let near = LonLat::try_from(point.0).ok().and_then(|at| edge.nearest_place(at, REACH_M));
        return near.map(|(place, _)| around(network.share(segment, place))).into_iter().collect();
    }
    let is_near = closing.crosses(&line) || closing.nearest_pair(&edge, REACH_M).is_some();
    if is_near { vec![(0.0, 1.0)] } else { Vec::new() }
}

fn around(share: f64) -> (f64, f64) {
    ((share - POINT_SHARE).max(0.0), (share + POINT_SHARE).min(1.0))
}

fn is_area(geometry: &Geometry) -> bool {
    match geometry {
        Geometry::Polygon(_) | Geometry::MultiPolygon(_) | Geometry::Rect(_) | Geometry::Triangle(_) => true,
        Geometry::GeometryCollection(parts) => parts.iter().any(is_area),
        _ => false,
    }
}

/// The position of a segment nearest to a share of its length from which the segment is open in one direction at least;
/// `None` if it is closed throughout.
pub(super) fn nearest_open(parts: &[ClosedPart], share: f64) -> Option<f64> {
    let is_open = |at: f64| {
        let back = at > 0.0 && !parts.iter().any(|part| part.from < at && at <= part.to);
        let ahead = at < 1.0 && !parts.iter().any(|part| part.from <= at && at < part.to);
        back || ahead
    };
    let ends = parts.iter().flat_map(|part| [part.from, part.to]);
    let candidates = std::iter::once(share).chain(ends).filter(|at| is_open(*at));
    candidates.min_by(|a, b| (a - share).abs().total_cmp(&(b - share).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_open_position_leads_away_from_what_is_closed() {
        let part = |from, to| ClosedPart { from, to, closure: 0 };
        let middle = [part(0.4, 0.6)];
        assert_eq!(nearest_open(&[], 0.0), Some(0.0));
        assert_eq!(nearest_open(&middle, 0.3), Some(0.3));
        assert_eq!(nearest_open(&middle, 0.45), Some(0.4));
        assert_eq!(nearest_open(&middle, 0.6), Some(0.6));
        // Adjoining parts have no opening between them.
        assert_eq!(nearest_open(&[part(0.4, 0.6), part(0.6, 0.7)], 0.59), Some(0.7));
        assert_eq!(nearest_open(&[part(0.0, 0.6)], 0.1), Some(0.6));
        assert_eq!(nearest_open(&[part(0.9, 1.0)], 1.0), Some(0.9));
        assert_eq!(nearest_open(&[part(0.0, 1.0)], 0.5), None);
    }
}
