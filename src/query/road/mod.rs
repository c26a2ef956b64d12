//! Travel by road: times, lines and closures, computed in memory from the roads on the map.

pub mod closures;
pub mod isochrone;
pub mod network;
pub mod passage;
pub mod search;
pub mod vehicle;

use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use geo::Coord;

use self::closures::{Closure, Closures};
use self::network::RoadNetwork;
use self::search::{RoadPath, RoadSearch, ShortestPaths, TravelDirection, TravelMode, Trip};
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

/// Travel between one position and others.
#[derive(Debug)]
pub struct Travel<'a> {
    search: RoadSearch<'a>,
    from: LonLat,
    /// Longest travel time, seconds.
    max_duration_s: Option<f64>,
    /// The same without closures; computed when a position cannot be reached.
    without_closures: OnceLock<Option<Arc<ShortestPaths>>>,
}

impl<'a> Travel<'a> {
    /// Searches the network from a position.
    ///
    /// # Errors
    /// When it is cancelled.
    pub fn new(
        network: &'a RoadNetwork,
        closures: &'a Closures<'a>,
        way: (TravelMode, TravelDirection),
        from: LonLat,
        max_duration_s: Option<f64>,
        cancel: &CancelToken,
    ) -> Result<Self, Cancelled> {
        let search = RoadSearch::new(network, closures, way, from, cancel)?;
        Ok(Self { search, from, max_duration_s, without_closures: OnceLock::new() })
    }

    /// The journey to or from a position; `None` if no open road leads there, or it takes too long.
    #[must_use]
    pub fn trip(&self, place: LonLat) -> Option<Trip> {
        let trip = self.search.trip(place)?;
        self.max_duration_s.is_none_or(|max| trip.duration_s <= max).then_some(trip)
    }

    /// The journey to or from a position, however long.
    #[must_use]
    pub fn long_trip(&self, place: LonLat) -> Option<Trip> {
        self.search.trip(place)
    }

    /// The line of the journey.
    #[must_use]
    pub fn path(&self, place: LonLat) -> Option<RoadPath> {
        self.search.path(place)
    }

    /// The parts of open roads that are reached within a time, as pairs of positions.
    #[must_use]
    pub fn reached_parts(&self, max_duration_s: f64) -> Vec<[Coord; 2]> {
        self.search.reached_parts(max_duration_s)
    }

    /// Travel time over a straight line of this length, seconds: no journey is shorter.
    #[must_use]
    pub fn least_s(&self, line_m: f64) -> f64 {
        self.search.least_s(line_m)
    }

    /// Longest travel time, seconds.
    #[must_use]
    pub fn max_duration_s(&self) -> Option<f64> {
        self.max_duration_s
    }

    /// The line of the journey if nothing were closed; `None` if nothing is, or no road leads there.
    #[must_use]
    pub fn path_without_closures(&self, place: LonLat, cancel: &CancelToken) -> Option<RoadPath> {
        if self.search.closures().is_empty() {
            return None;
        }
        let without = self.without_closures.get_or_init(|| {
            let search = RoadSearch::new(self.search.network(), &OPEN, self.search.way(), self.from, cancel);
            search.ok().map(|search| search.tree())
        });
        self.search.of_tree(without.clone()?, &OPEN).path(place)
    }

    /// What closes roads of a path.
    #[must_use]
    pub fn closures_on(&self, path: &RoadPath) -> Vec<Closure<'a>> {
        let closures = self.search.closures();
        path.closures(closures).into_iter().map(|at| closures.closures[at]).collect()
    }

    /// The closures without which a position could be reached; none if no road leads there at all.
    #[must_use]
    pub fn cut_by(&self, place: LonLat, cancel: &CancelToken) -> Vec<Closure<'a>> {
        self.path_without_closures(place, cancel).map_or_else(Vec::new, |path| self.closures_on(&path))
    }
}
