//! Travel that an engine outside of this program computes, for road networks that are too large for its memory.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use geo::{Coord, Geometry};

use super::closures::{Avoided, Closure, Closures, REACH_M};
use super::search::{RoadPath, RoadStretch, TravelDirection, TravelMode, Trip};
use crate::geodesy::LonLat;
use crate::geodesy::edge_index::EdgeIndex;
use crate::model::FeatureId;
use crate::query::cancel::CancelToken;

/// Faster than any road, metres per second: 150 km/h.
pub(super) const FASTEST_M_S: f64 = 150.0 / 3.6;

/// An engine, which knows its own roads.
pub trait RoadEngine: Debug + Send + Sync {
    /// The shortest journeys between origins and places, by origin, then place; `None` where no open road leads.
    ///
    /// # Errors
    /// When the engine does not answer.
    fn trips(
        &self,
        request: &EngineRequest<'_>,
        origins: &[LonLat],
        places: &[LonLat],
    ) -> Result<Vec<Option<Trip>>, EngineError>;

    /// The line of the shortest journey between an origin and a place; `None` if no open road leads there.
    ///
    /// # Errors
    /// When the engine does not answer.
    fn path(
        &self,
        request: &EngineRequest<'_>,
        origin: LonLat,
        place: LonLat,
    ) -> Result<Option<EnginePath>, EngineError>;

    /// The lines of the open roads that are reached within a time, seconds.
    ///
    /// # Errors
    /// When the engine does not answer.
    fn reached(
        &self,
        request: &EngineRequest<'_>,
        origin: LonLat,
        max_duration_s: f64,
    ) -> Result<Vec<Vec<Coord>>, EngineError>;

    /// Whether it knows which roads are open to people on foot.
    fn knows_footways(&self) -> bool;
}

/// Why an engine does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

/// How an engine is to search.
#[derive(Clone, Copy, Debug)]
pub struct EngineRequest<'a> {
    /// By vehicle or on foot.
    pub mode: TravelMode,
    /// From the origins to the places, or the other way.
    pub direction: TravelDirection,
    /// What is closed.
    pub avoid: &'a Avoided,
    /// Stops it.
    pub cancel: &'a CancelToken,
}

/// Whether a closure is a road that is closed itself.
fn is_road(closure: &Closure<'_>) -> bool {
    closure.layer.schema().roles.road.is_some()
}

/// The line of a journey and the roads that it takes.
#[derive(Clone, Debug)]
pub struct EnginePath {
    /// The journey.
    pub trip: Trip,
    /// Positions on roads, in the direction of travel.
    pub line: Vec<Coord>,
    /// Ids of the roads, where they are known, with the length on each, metres.
    pub roads: Vec<(String, f64)>,
}

/// Travel between a position and others by an engine. A failure ends the computation through its token.
#[derive(Debug)]
pub(super) struct EngineTravel<'a> {
    engine: &'a dyn RoadEngine,
    closures: &'a Closures<'a>,
    way: (TravelMode, TravelDirection),
    from: LonLat,
    cancel: CancelToken,
    known: Mutex<HashMap<(u64, u64), Option<Trip>>>,
}

impl<'a> EngineTravel<'a> {
    pub(super) fn new(
        engine: &'a dyn RoadEngine,
        closures: &'a Closures<'a>,
        way: (TravelMode, TravelDirection),
        from: LonLat,
        cancel: &CancelToken,
    ) -> Self {
        Self { engine, closures, way, from, cancel: cancel.clone(), known: Mutex::default() }
    }

    /// Travel from each of several positions to the same places, in one request.
    pub(super) fn between(self, origins: &[LonLat], places: &[LonLat]) -> Vec<Self> {
        let trips = self.request(|request| self.engine.trips(&request, origins, places));
        let mut rows = trips.as_deref().unwrap_or_default().chunks(places.len().max(1));
        let travel = |from: &LonLat| {
            let row = rows.next().unwrap_or_default();
            let known = places.iter().zip(row).map(|(place, trip)| (key(*place), *trip)).collect();
            Self { from: *from, known: Mutex::new(known), cancel: self.cancel.clone(), ..self }
        };
        origins.iter().map(travel).collect()
    }

    /// Requests the journeys to places at once, which is quicker than one by one.
    pub(super) fn prepare(&self, places: impl Iterator<Item = LonLat>) {
        let unknown: Vec<LonLat> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            places.filter(|place| !known.contains_key(&key(*place))).collect()
        };
        if unknown.is_empty() {
            return;
        }
        if let Some(trips) = self.request(|request| self.engine.trips(&request, &[self.from], &unknown)) {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.extend(unknown.iter().zip(trips).map(|(place, trip)| (key(*place), trip)));
        }
    }

    pub(super) fn trip(&self, place: LonLat) -> Option<Trip> {
        self.prepare(std::iter::once(place));
        *self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key(place))?
    }

    pub(super) fn path(&self, place: LonLat) -> Option<RoadPath> {
        let found = self.request(|request| self.engine.path(&request, self.from, place))?;
        found.map(named)
    }

    pub(super) fn path_without_closures(&self, place: LonLat) -> Option<RoadPath> {
        if self.closures.closures.is_empty() {
            return None;
        }
        let nothing = Avoided::default();
        let open = |request: EngineRequest<'_>| {
            self.engine.path(&EngineRequest { avoid: &nothing, ..request }, self.from, place)
        };
        self.request(open)?.map(named)
    }

    pub(super) fn reached(&self, max_duration_s: f64) -> Vec<Vec<Coord>> {
        self.request(|request| self.engine.reached(&request, self.from, max_duration_s)).unwrap_or_default()
    }

    /// The closures that a path passes.
    pub(super) fn closures_on(&self, path: &RoadPath) -> Vec<Closure<'a>> {
        let line = EdgeIndex::new(Geometry::LineString(path.line.clone().into()));
        let passes = |closure: &&Closure<'a>| {
            if is_road(closure) {
                return path.roads.iter().any(|road| road.id.as_str() == closure.row.id().as_str());
            }
            let shape = closure.row.shape();
            shape.is_some_and(|shape| {
                let closing = EdgeIndex::new(shape.geometry().clone());
                line.intersects(shape.geometry()) || closing.nearest_pair(&line, REACH_M).is_some()
            })
        };
        self.closures.closures.iter().filter(passes).copied().collect()
    }

    /// Sends a request to the engine, unless the computation has ended.
    fn request<T>(&self, send: impl FnOnce(EngineRequest<'_>) -> Result<T, EngineError>) -> Option<T> {
        let (mode, direction) = self.way;
        if self.cancel.is_cancelled() {
            return None;
        }
        send(EngineRequest { mode, direction, avoid: &self.closures.avoided, cancel: &self.cancel })
            .map_err(|error| self.cancel.fail(&error.0))
            .ok()
    }
}

/// The path with the roads whose ids are those of features.
fn named(path: EnginePath) -> RoadPath {
    let EnginePath { trip, line, roads } = path;
    let stretch =
        |(id, length_m): (String, f64)| Some(RoadStretch { layer: None, id: FeatureId::new(&id).ok()?, length_m });
    RoadPath::of_engine(trip, line, roads.into_iter().filter_map(stretch).collect())
}

fn key(place: LonLat) -> (u64, u64) {
    (place.lon().to_bits(), place.lat().to_bits())
}
