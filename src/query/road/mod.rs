//! Travel by road: times, lines and closures, from the roads on the map or by an engine with a network of its own.

pub mod closures;
pub mod engine;
pub mod isochrone;
pub mod network;
pub mod passage;
pub mod search;
pub mod vehicle;

use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use geo::Coord;
use time::UtcDateTime;

use self::closures::{Closure, Closures};
use self::engine::{EngineTravel, FASTEST_M_S, RoadEngine};
use self::network::RoadNetwork;
use self::search::{RoadPath, RoadSearch, ShortestPaths, TravelDirection, TravelMode, Trip};
use self::vehicle::VehicleSize;
use crate::geodesy::LonLat;
use crate::query::cancel::{CancelToken, Cancelled};
use crate::snapshot::Snapshot;

/// Number of networks that are kept: what callers of different roles see may differ.
const KEPT: usize = 4;

static OPEN: LazyLock<Closures<'static>> = LazyLock::new(Closures::default);

/// The networks of the last snapshots. A network is rebuilt only when a road changes.
#[derive(Debug, Default)]
pub struct RoadNetworks(Mutex<Vec<Arc<RoadNetwork>>>);

impl RoadNetworks {
    /// The network of a snapshot; `None` if no layer has the road role. Concurrent requests wait for one build.
    #[must_use]
    pub fn of(&self, snapshot: &Snapshot) -> Option<Arc<RoadNetwork>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|network| network.is_of(snapshot)) {
            let network = kept.remove(at);
            kept.push(network.clone());
            return Some(network);
        }
        let network = Arc::new(RoadNetwork::build(snapshot)?);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(network.clone());
        Some(network)
    }
}

/// Where travel is computed.
#[derive(Clone, Debug)]
pub enum RoadSource {
    /// In memory, on the roads of a snapshot.
    Network(Arc<RoadNetwork>),
    /// By an engine.
    Engine(Arc<dyn RoadEngine>),
}

impl RoadSource {
    /// What is closed to a vehicle at an instant.
    #[must_use]
    pub fn closures<'a>(&self, snapshot: &'a Snapshot, at: UtcDateTime, vehicle: &VehicleSize) -> Closures<'a> {
        match self {
            Self::Network(network) => Closures::at(snapshot, network, at, vehicle),
            Self::Engine(_) => Closures::without_network(snapshot, at, vehicle),
        }
    }
}

/// Travel between one position and others.
#[derive(Debug)]
pub struct Travel<'a> {
    by: TravelBy<'a>,
    /// Longest travel time, seconds.
    max_duration_s: Option<f64>,
}

#[derive(Debug)]
enum TravelBy<'a> {
    Memory(MemoryTravel<'a>),
    Engine(EngineTravel<'a>),
}

impl<'a> Travel<'a> {
    /// Travel from a position, or to it. An engine computes a journey when it is requested.
    ///
    /// # Errors
    /// When it is cancelled.
    pub fn new(
        source: &'a RoadSource,
        closures: &'a Closures<'a>,
        way: (TravelMode, TravelDirection),
        from: LonLat,
        max_duration_s: Option<f64>,
        cancel: &CancelToken,
    ) -> Result<Self, Cancelled> {
        let by = match source {
            RoadSource::Network(network) => TravelBy::Memory(MemoryTravel::new(network, closures, way, from, cancel)?),
            RoadSource::Engine(engine) => TravelBy::Engine(EngineTravel::new(&**engine, closures, way, from, cancel)),
        };
        Ok(Self { by, max_duration_s })
    }

    /// Travel between each of several positions and the same places, if an engine computes it: in one request.
    #[must_use]
    pub fn by_engine(
        source: &'a RoadSource,
        closures: &'a Closures<'a>,
        way: (TravelMode, TravelDirection),
        (origins, places): (&[LonLat], &[LonLat]),
        max_duration_s: Option<f64>,
        cancel: &CancelToken,
    ) -> Option<Vec<Self>> {
        let RoadSource::Engine(engine) = source else { return None };
        let own = EngineTravel::new(&**engine, closures, way, *origins.first()?, cancel);
        let travel = |own| Self { by: TravelBy::Engine(own), max_duration_s };
        Some(own.between(origins, places).into_iter().map(travel).collect())
    }

    /// Prepares the journeys to places: an engine computes them in one request.
    pub fn prepare(&self, places: impl Iterator<Item = LonLat>) {
        if let TravelBy::Engine(own) = &self.by {
            own.prepare(places);
        }
    }

    /// Whether places are to be prepared.
    #[must_use]
    pub fn is_by_engine(&self) -> bool {
        matches!(self.by, TravelBy::Engine(_))
    }

    /// The journey to or from a position; `None` if no open road leads there, or it takes too long.
    #[must_use]
    pub fn trip(&self, place: LonLat) -> Option<Trip> {
        let trip = self.long_trip(place)?;
        self.max_duration_s.is_none_or(|max| trip.duration_s <= max).then_some(trip)
    }

    /// The journey to or from a position, however long.
    #[must_use]
    pub fn long_trip(&self, place: LonLat) -> Option<Trip> {
        match &self.by {
            TravelBy::Memory(own) => own.search.trip(place),
            TravelBy::Engine(own) => own.trip(place),
        }
    }

    /// The line of the journey.
    #[must_use]
    pub fn path(&self, place: LonLat) -> Option<RoadPath> {
        match &self.by {
            TravelBy::Memory(own) => own.search.path(place),
            TravelBy::Engine(own) => own.path(place),
        }
    }

    /// The lines of the open roads that are reached within a time.
    #[must_use]
    pub fn reached_parts(&self, max_duration_s: f64) -> Vec<Vec<Coord>> {
        match &self.by {
            TravelBy::Memory(own) => own.search.reached_parts(max_duration_s),
            TravelBy::Engine(own) => own.reached(max_duration_s),
        }
    }

    /// Travel time over a straight line of this length, seconds: no journey is shorter.
    #[must_use]
    pub fn least_s(&self, line_m: f64) -> f64 {
        match &self.by {
            TravelBy::Memory(own) => own.search.least_s(line_m),
            TravelBy::Engine(_) => line_m / FASTEST_M_S,
        }
    }

    /// Longest travel time, seconds.
    #[must_use]
    pub fn max_duration_s(&self) -> Option<f64> {
        self.max_duration_s
    }

    /// The line of the journey if nothing were closed; `None` if nothing is, or no road leads there.
    #[must_use]
    pub fn path_without_closures(&self, place: LonLat, cancel: &CancelToken) -> Option<RoadPath> {
        match &self.by {
            TravelBy::Memory(own) => own.path_without_closures(place, cancel),
            TravelBy::Engine(own) => own.path_without_closures(place),
        }
    }

    /// What closes roads of a path.
    #[must_use]
    pub fn closures_on(&self, path: &RoadPath) -> Vec<Closure<'a>> {
        match &self.by {
            TravelBy::Memory(own) => own.closures_on(path),
            TravelBy::Engine(own) => own.closures_on(path),
        }
    }

    /// The closures without which a position could be reached; none if no road leads there at all.
    #[must_use]
    pub fn cut_by(&self, place: LonLat, cancel: &CancelToken) -> Vec<Closure<'a>> {
        self.path_without_closures(place, cancel).map_or_else(Vec::new, |path| self.closures_on(&path))
    }
}

/// Travel on the network in memory.
#[derive(Debug)]
struct MemoryTravel<'a> {
    search: RoadSearch<'a>,
    from: LonLat,
    /// The same without closures; computed when a position cannot be reached.
    without_closures: OnceLock<Option<Arc<ShortestPaths>>>,
}

impl<'a> MemoryTravel<'a> {
    fn new(
        network: &'a RoadNetwork,
        closures: &'a Closures<'a>,
        way: (TravelMode, TravelDirection),
        from: LonLat,
        cancel: &CancelToken,
    ) -> Result<Self, Cancelled> {
        let search = RoadSearch::new(network, closures, way, from, cancel)?;
        Ok(Self { search, from, without_closures: OnceLock::new() })
    }

    fn path_without_closures(&self, place: LonLat, cancel: &CancelToken) -> Option<RoadPath> {
        if self.search.closures().is_empty() {
            return None;
        }
        let without = self.without_closures.get_or_init(|| {
            let search = RoadSearch::new(self.search.network(), &OPEN, self.search.way(), self.from, cancel);
            search.ok().map(|search| search.tree())
        });
        self.search.of_tree(without.clone()?, &OPEN).path(place)
    }

    fn closures_on(&self, path: &RoadPath) -> Vec<Closure<'a>> {
        let closures = self.search.closures();
        path.closures(closures).into_iter().map(|at| closures.closures[at]).collect()
    }
}
