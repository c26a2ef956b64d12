//! Travel on roads, as requests ask for it.

use geo::{Coord, Geometry, LineString};
use serde_json::{Value as Json, json};
use time::UtcDateTime;

use crate::geodesy::LonLat;
use crate::http::call::Call;
use crate::http::params::param::Decimal;
use crate::http::params::{QueryParams, invalid, travel};
use crate::http::reply::numbers::millimetres;
use crate::http::reply::problem::Problem;
use crate::query::cancel::CancelToken;
use crate::query::query_geometry::QueryGeometry;
use crate::query::road::closures::Closures;
use crate::query::road::search::{RoadPath, TravelDirection, TravelMode, Trip};
use crate::query::road::vehicle::VehicleSize;
use crate::query::road::{RoadSource, Travel};
use crate::snapshot::{Layer, Snapshot};

/// Travel on the roads of the snapshot of a request.
pub(crate) struct ByRoad {
    pub(crate) source: RoadSource,
    pub(crate) mode: TravelMode,
    pub(crate) max_duration_s: Option<f64>,
    /// The instant at which incidents close roads.
    at: UtcDateTime,
    /// The vehicle to which roads may be closed by their limits.
    vehicle: VehicleSize,
}

impl ByRoad {
    /// Reads `by`, `max_minutes` and the size of the vehicle; `None` for the straight line.
    ///
    /// # Errors
    /// When they are invalid, or there are no roads.
    pub(crate) fn read(call: &Call<'_>, params: &QueryParams, at: UtcDateTime) -> Result<Option<Self>, Problem> {
        let minutes = params.count(&travel::MAX_MINUTES)?;
        let by = params.choice(&travel::BY)?;
        if by != "line" {
            return Self::new(call, params, by, minutes, at).map(Some);
        }
        vehicle(params, by)?;
        match minutes {
            Some(minutes) => {
                let accepted = "max_minutes= with by=road or by=walk";
                Err(invalid("max_minutes", &minutes.to_string(), "a straight line takes no time", accepted))
            }
            None => Ok(None),
        }
    }

    /// Travel by `road` or `walk`, with the vehicle of the parameters.
    ///
    /// # Errors
    /// When there are no roads, or the size of the vehicle is invalid.
    pub(crate) fn new(
        call: &Call<'_>,
        params: &QueryParams,
        by: &str,
        minutes: Option<u32>,
        at: UtcDateTime,
    ) -> Result<Self, Problem> {
        let vehicle = vehicle(params, by)?;
        let mode = if by == "walk" { TravelMode::Walk } else { TravelMode::Drive };
        let source = match &call.state.road_engine {
            Some(engine) if mode == TravelMode::Walk && !engine.knows_footways() => {
                let detail = "the road engine does not know where people may walk";
                return Err(invalid("by", by, detail, "road, or line where it is offered"));
            }
            Some(engine) => {
                // The request waits for the connection to the engine.
                call.leave_web_thread()?;
                RoadSource::Engine(engine.clone())
            }
            None => RoadSource::Network(call.state.road_networks.of(&call.current.snapshot).ok_or_else(|| {
                invalid("by", by, "no layer that you can read has roads", "line, or a layer with the role road")
            })?),
        };
        Ok(Self { source, mode, max_duration_s: minutes.map(|minutes| f64::from(minutes) * 60.0), at, vehicle })
    }

    /// The closed parts of the roads.
    pub(crate) fn closures<'a>(&self, snapshot: &'a Snapshot) -> Closures<'a> {
        self.source.closures(snapshot, self.at, &self.vehicle)
    }

    /// How people travel to places with a capacity, and other resources from theirs.
    pub(crate) fn way(&self, layer: &Layer) -> (TravelMode, TravelDirection) {
        let is_outward = layer.resources().has_capacity();
        (self.mode, if is_outward { TravelDirection::Outward } else { TravelDirection::Inward })
    }

    /// Travel to places with a capacity for people; from other resources.
    ///
    /// # Errors
    /// When the origin is not a point, or the request is cancelled.
    pub(crate) fn travel<'a>(
        &'a self,
        closures: &'a Closures<'a>,
        layer: &Layer,
        origin: &QueryGeometry,
        cancel: &CancelToken,
    ) -> Result<Travel<'a>, Problem> {
        let from = match origin.geometry() {
            Geometry::Point(point) => LonLat::try_from(point.0).ok(),
            _ => None,
        };
        let from = from.ok_or_else(|| {
            invalid("by", "road", "a journey begins at a point, not a line or an area", "by=line, or point=LON,LAT")
        })?;
        Ok(Travel::new(&self.source, closures, self.way(layer), from, self.max_duration_s, cancel)?)
    }
}

/// The size of the vehicle.
fn vehicle(params: &QueryParams, by: &str) -> Result<VehicleSize, Problem> {
    let read = |param: &Decimal| {
        let size = params.decimal(param)?;
        match size.filter(|_| by != "road") {
            Some(size) => Err(invalid(param.name, &size.to_string(), "vehicles are on roads", "it with by=road")),
            None => Ok(size),
        }
    };
    let sizes = [read(&travel::VEHICLE_HEIGHT_M)?, read(&travel::VEHICLE_WIDTH_M)?, read(&travel::VEHICLE_WEIGHT_T)?];
    Ok(VehicleSize(sizes))
}

/// Members that describe a journey.
pub(crate) fn trip_members(trip: &Trip) -> [(&'static str, Json); 3] {
    [
        ("duration_s", json!(trip.duration_s.round())),
        ("road_m", json!(trip.road_m.map(millimetres))),
        ("access_m", json!(millimetres(trip.access_m))),
    ]
}

/// The path on roads; a path without length has its position twice.
pub(crate) fn road_line(path: &RoadPath) -> Geometry {
    // A hundredth of a metre: the ends are computed.
    let rounded = |at: &Coord| Coord { x: (at.x * 1e7).round() / 1e7, y: (at.y * 1e7).round() / 1e7 };
    let mut line: Vec<Coord> = path.line.iter().map(rounded).collect();
    line.dedup();
    if line.len() == 1 {
        line.push(line[0]);
    }
    Geometry::LineString(LineString(line))
}
