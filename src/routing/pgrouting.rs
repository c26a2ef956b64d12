//! Travel computed by pgRouting in a PostGIS database. Every request loads the open edges anew, so what changes in the table
//! counts at once.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use geo::Coord;
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::runtime::Handle;

use super::edges::{self, COSTS, EdgeTable, is_reversed};
use crate::geodesy::LonLat;
use crate::query::cancel::CancelToken;
use crate::query::road::engine::{EngineError, EnginePath, EngineRequest, RoadEngine};
use crate::query::road::search::{TravelDirection, Trip, WALKING_M_S};
use crate::store::postgis::sql::query_as;

const CONNECTIONS: u32 = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval of checks whether the request has ended.
const CHECK_EVERY: Duration = Duration::from_millis(50);
/// pgRouting ignores points at the very ends of an edge; this near to an end its vertex stands for the point, metres.
const AT_VERTEX_M: f64 = 0.01;

/// The engine.
pub struct PgRouting {
    pool: PgPool,
    table: EdgeTable,
    runtime: Handle,
    host: String,
}

impl fmt::Debug for PgRouting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgRouting").field("host", &self.host).field("table", &self.table).finish_non_exhaustive()
    }
}

/// Where a place is on the network.
struct NetworkPosition {
    /// A vertex, or minus the number of a point.
    node: i64,
    /// Distance to the road, metres.
    away_m: f64,
    /// Edge and share of its length, for a point.
    on: Option<(i64, f64)>,
}

/// The nearest edge, its source and target, the share of its length, its length, and the distance to it, metres.
type NearestEdge = (Option<i64>, Option<i64>, Option<i64>, Option<f64>, Option<f64>, Option<f64>);

impl PgRouting {
    /// Opens the engine; connections are made when they are needed.
    ///
    /// # Errors
    /// When the URL is none of a database, or there is no runtime.
    pub fn open(url: &str, table: EdgeTable) -> Result<Self, EngineError> {
        let options: PgConnectOptions =
            url.parse().map_err(|error: sqlx::Error| EngineError(format!("the URL of the road engine: {error}")))?;
        let options = options.application_name("onemap roads").statement_cache_capacity(0);
        let host = options.get_host().to_owned();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT_TIMEOUT);
        let runtime = Handle::try_current().map_err(|error| EngineError(error.to_string()))?;
        Ok(Self { pool: pool.connect_lazy_with(options), table, runtime, host })
    }

    /// Whether the database has pgRouting and the edges.
    ///
    /// # Errors
    /// What is missing, in the words of the database.
    pub async fn check(&self) -> Result<(), EngineError> {
        let sql = format!(
            "SELECT pgr_version() FROM (SELECT 1) AS one LEFT JOIN ({} LIMIT 1) AS e ON true",
            self.table.all()
        );
        let version = query_as::<(String,)>(AssertSqlSafe(sql)).fetch_one(&self.pool).await;
        version.map(drop).map_err(|error| EngineError(error.to_string()))
    }

    /// Waits for a statement unless the request ends before. Dropping the statement closes its connection.
    fn wait<T>(
        &self,
        cancel: &CancelToken,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, EngineError> {
        let ended = async {
            while !cancel.is_cancelled() {
                tokio::time::sleep(CHECK_EVERY).await;
            }
        };
        let done = self.runtime.block_on(async {
            tokio::select! {
                done = statement => Some(done),
                () = ended => None,
            }
        });
        match done {
            Some(done) => done.map_err(|error| {
                // The message may name addresses and tables, which are not for everybody.
                tracing::warn!(host = self.host, "the road engine failed: {error}");
                EngineError("the database of the road engine does not answer; the log has the reason".to_owned())
            }),
            None => Err(EngineError("the request has ended".to_owned())),
        }
    }

    /// Where places are on the open network, numbered from 1.
    fn accesses(
        &self,
        request: &EngineRequest<'_>,
        places: &[LonLat],
    ) -> Result<Vec<Option<NetworkPosition>>, EngineError> {
        let sql = edges::accesses(&self.table.open(request.mode, request.avoid));
        let (lons, lats): (Vec<f64>, Vec<f64>) = places.iter().map(|place| (place.lon(), place.lat())).unzip();
        let rows = query_as::<NearestEdge>(AssertSqlSafe(sql)).bind(lons).bind(lats);
        let rows = self.wait(request.cancel, rows.fetch_all(&self.pool))?;
        let access = |(number, (edge, source, target, share, length_m, away_m)): (i64, NearestEdge)| {
            let (share, length_m) = (share?, length_m?);
            let (node, on) = if share * length_m < AT_VERTEX_M {
                (source?, None)
            } else if (1.0 - share) * length_m < AT_VERTEX_M {
                (target?, None)
            } else {
                (-number, Some((edge?, share)))
            };
            Some(NetworkPosition { node, away_m: away_m?, on })
        };
        Ok((1..).zip(rows).map(access).collect())
    }
}

/// The points on edges, as pgRouting takes them.
fn points<'a>(accesses: impl Iterator<Item = &'a NetworkPosition>) -> String {
    let points = accesses.filter_map(|access| {
        let (edge, share) = access.on?;
        Some(format!("({}::bigint,{edge}::bigint,{share:?}::float8)", -access.node))
    });
    let points: Vec<String> = points.collect();
    if points.is_empty() {
        return "SELECT 1::bigint AS pid, 1::bigint AS edge_id, 0.5::float8 AS fraction WHERE false".to_owned();
    }
    format!("SELECT * FROM (VALUES {}) AS p(pid, edge_id, fraction)", points.join(","))
}

fn line(lons: Vec<f64>, lats: Vec<f64>) -> Vec<Coord> {
    lons.into_iter().zip(lats).map(|(x, y)| Coord { x, y }).collect()
}

impl RoadEngine for PgRouting {
    fn trips(
        &self,
        request: &EngineRequest<'_>,
        origins: &[LonLat],
        places: &[LonLat],
    ) -> Result<Vec<Option<Trip>>, EngineError> {
        let all = self.accesses(request, &[origins, places].concat())?;
        let (from, to) = all.split_at(origins.len());
        let nodes = |accesses: &[Option<NetworkPosition>]| -> Vec<i64> {
            let mut nodes: Vec<i64> = accesses.iter().flatten().map(|access| access.node).collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes
        };
        let graph = self.table.graph(request.mode, is_reversed(request.direction), request.avoid);
        let costs = query_as::<(i64, i64, f64)>(COSTS)
            .bind(graph)
            .bind(points(all.iter().flatten()))
            .bind(nodes(from))
            .bind(nodes(to));
        let costs = self.wait(request.cancel, costs.fetch_all(&self.pool))?;
        let costs: HashMap<(i64, i64), f64> = costs.into_iter().map(|(from, to, cost)| ((from, to), cost)).collect();
        let trip = |from: &Option<NetworkPosition>, to: &Option<NetworkPosition>| {
            let (from, to) = (from.as_ref()?, to.as_ref()?);
            let on_roads_s = if from.node == to.node { 0.0 } else { *costs.get(&(from.node, to.node))? };
            let access_m = from.away_m + to.away_m;
            Some(Trip { duration_s: on_roads_s + access_m / WALKING_M_S, road_m: None, access_m })
        };
        Ok(from.iter().flat_map(|from| to.iter().map(move |to| trip(from, to))).collect())
    }

    fn path(
        &self,
        request: &EngineRequest<'_>,
        origin: LonLat,
        place: LonLat,
    ) -> Result<Option<EnginePath>, EngineError> {
        let ends = match request.direction {
            TravelDirection::Outward => [origin, place],
            TravelDirection::Inward => [place, origin],
        };
        let accesses = self.accesses(request, &ends)?;
        let [Some(start), Some(end)] = accesses.as_slice() else { return Ok(None) };
        let access_m = start.away_m + end.away_m;
        if start.node == end.node {
            let trip = Trip { duration_s: access_m / WALKING_M_S, road_m: Some(0.0), access_m };
            return Ok(Some(EnginePath { trip, line: vec![origin.into()], roads: Vec::new() }));
        }
        let graph = self.table.graph(request.mode, false, request.avoid);
        let share = |access: &NetworkPosition| access.on.map(|(_, share)| share);
        let points = points([start, end].into_iter());
        let sql = edges::path(&self.table.all());
        let parts = query_as::<(Option<String>, f64, f64, Vec<f64>, Vec<f64>)>(AssertSqlSafe(sql))
            .bind(graph)
            .bind(points)
            .bind(start.node)
            .bind(end.node)
            .bind(share(start))
            .bind(share(end));
        let parts = self.wait(request.cancel, parts.fetch_all(&self.pool))?;
        if parts.is_empty() {
            return Ok(None);
        }
        let (mut cost_s, mut road_m) = (0.0, 0.0);
        let (mut points, mut roads) = (Vec::new(), Vec::<(String, f64)>::new());
        for (road, part_s, length_m, lons, lats) in parts {
            cost_s += part_s;
            road_m += length_m;
            points.extend(line(lons, lats));
            match (road, roads.last_mut()) {
                (Some(road), Some(last)) if last.0 == road => last.1 += length_m,
                (Some(road), _) => roads.push((road, length_m)),
                (None, _) => {}
            }
        }
        points.dedup();
        let trip = Trip { duration_s: cost_s + access_m / WALKING_M_S, road_m: Some(road_m), access_m };
        Ok(Some(EnginePath { trip, line: points, roads }))
    }

    fn reached(
        &self,
        request: &EngineRequest<'_>,
        origin: LonLat,
        max_duration_s: f64,
    ) -> Result<Vec<Vec<Coord>>, EngineError> {
        let accesses = self.accesses(request, &[origin])?;
        let [Some(start)] = accesses.as_slice() else { return Ok(Vec::new()) };
        let left_s = max_duration_s - start.away_m / WALKING_M_S;
        if left_s <= 0.0 {
            return Ok(Vec::new());
        }
        let graph = self.table.graph(request.mode, is_reversed(request.direction), request.avoid);
        let sql = edges::reached(&graph, &self.table.all());
        let parts = query_as::<(Vec<f64>, Vec<f64>)>(AssertSqlSafe(sql))
            .bind(graph)
            .bind(points(std::iter::once(start)))
            .bind(start.node)
            .bind(left_s)
            .bind(start.on.map(|(edge, _)| edge))
            .bind(start.on.map_or(0.0, |(_, share)| share));
        let parts = self.wait(request.cancel, parts.fetch_all(&self.pool))?;
        Ok(parts.into_iter().map(|(lons, lats)| line(lons, lats)).collect())
    }

    fn knows_footways(&self) -> bool {
        self.table.limited_access.is_some()
    }
}
