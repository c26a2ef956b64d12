//! The table of edges of a pgRouting network, and the statements that search it.

use geo::Geometry;

use crate::query::filter::write_wkt;
use crate::query::road::closures::{Avoided, REACH_M};
use crate::query::road::search::{TravelDirection, TravelMode, WALKING_M_S};
use crate::store::quoting::{identifier, literal};

/// Greatest distance between a position and the road that leads to it, metres.
const MAX_ACCESS_M: f64 = 5_000.0;
/// Nearest edges in degrees among which the nearest in metres is.
const NEAREST: u32 = 16;

/// The table of edges. Its lines are in longitude and latitude.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeTable {
    /// Name, with or without a schema.
    pub table: String,
    /// Whole number that identifies an edge.
    pub id: String,
    /// Vertex where it begins.
    pub source: String,
    /// Vertex where it ends.
    pub target: String,
    /// Travel time from source to target, seconds; negative if that is not allowed.
    pub cost_s: String,
    /// Travel time from target to source, seconds; negative if that is not allowed.
    pub reverse_cost_s: String,
    /// Length, metres.
    pub length_m: String,
    /// The line.
    pub geometry: String,
    /// Id of the road among the features, by which its status and limits are known.
    pub road: Option<String>,
    /// Whether places beside it cannot be reached from it, and people on foot may not use it.
    pub limited_access: Option<String>,
}

impl EdgeTable {
    /// The edges with the names of their columns in this program: `id`, `source`, `target`, `cost_s`, `reverse_cost_s`,
    /// `length_m`, `geom`, `road`, `limited`.
    pub(super) fn all(&self) -> String {
        let column = |name: &String| format!("e.{}", identifier(name));
        let optional = |name: &Option<String>, otherwise: &str| name.as_ref().map_or(otherwise.to_owned(), column);
        let table = self.table.split('.').map(identifier).collect::<Vec<_>>().join(".");
        format!(
            "SELECT {}::bigint AS id, {}::bigint AS source, {}::bigint AS target, {}::float8 AS cost_s, \
             {}::float8 AS reverse_cost_s, {}::float8 AS length_m, {} AS geom, {}::text AS road, \
             coalesce({}::boolean, false) AS limited FROM {table} AS e",
            column(&self.id),
            column(&self.source),
            column(&self.target),
            column(&self.cost_s),
            column(&self.reverse_cost_s),
            column(&self.length_m),
            column(&self.geometry),
            optional(&self.road, "NULL"),
            optional(&self.limited_access, "false"),
        )
    }

    /// The edges that are open for a way of travelling.
    pub(super) fn open(&self, mode: TravelMode, avoid: &Avoided) -> String {
        let mut conditions = Vec::new();
        if mode == TravelMode::Walk {
            conditions.push("NOT limited".to_owned());
        }
        if !avoid.roads.is_empty() {
            let roads: Vec<String> = avoid.roads.iter().map(|road| literal(road)).collect();
            conditions.push(format!("(road IS NULL OR road NOT IN ({}))", roads.join(",")));
        }
        conditions.extend(avoid.closing.iter().map(|closing| format!("NOT {}", touches(closing))));
        let all = self.all();
        if conditions.is_empty() {
            all
        } else {
            format!("SELECT * FROM ({all}) AS a WHERE {}", conditions.join(" AND "))
        }
    }

    /// The open edges as pgRouting takes them. Travel to a position is travel from it on reversed edges.
    pub(super) fn graph(&self, mode: TravelMode, is_reversed: bool, avoid: &Avoided) -> String {
        let (cost, reverse_cost) = match mode {
            TravelMode::Drive => ("cost_s".to_owned(), "reverse_cost_s".to_owned()),
            TravelMode::Walk => (format!("length_m / {WALKING_M_S}"), format!("length_m / {WALKING_M_S}")),
        };
        let (cost, reverse_cost) = if is_reversed { (reverse_cost, cost) } else { (cost, reverse_cost) };
        let open = self.open(mode, avoid);
        format!("SELECT id, source, target, {cost} AS cost, {reverse_cost} AS reverse_cost FROM ({open}) AS o")
    }
}

/// Whether a direction is searched on reversed edges, from the one position to the others.
pub(super) fn is_reversed(direction: TravelDirection) -> bool {
    direction == TravelDirection::Inward
}

/// The condition that an edge is closed by a geometry.
fn touches(closing: &Geometry) -> String {
    let text = literal(&write_wkt(closing));
    let shape = format!("ST_SetSRID({text}::geometry, 4326)");
    match closing {
        Geometry::Polygon(_) | Geometry::MultiPolygon(_) => format!("ST_Intersects(geom, {shape})"),
        // The envelope in degrees is wide enough at any latitude of a county.
        _ => format!(
            "(geom && ST_Expand({shape}, {}) AND ST_DWithin(geom::geography, {shape}::geography, {REACH_M}))",
            REACH_M / 50_000.0
        ),
    }
}

/// Finds the nearest open edge of each position, with access: `$1` longitudes, `$2` latitudes. Columns: edge, source,
/// target, share of its length, length, distance in metres. Longitudes are scaled to the length of those of latitude.
pub(super) fn accesses(open: &str) -> String {
    format!(
        "SELECT n.id, n.source, n.target, n.share, n.length_m, n.away_m \
         FROM unnest($1::float8[], $2::float8[]) WITH ORDINALITY AS q(lon, lat, number) \
         CROSS JOIN LATERAL (SELECT ST_SetSRID(ST_MakePoint(q.lon, q.lat), 4326) AS place, \
           cos(radians(q.lat)) AS east) AS p \
         LEFT JOIN LATERAL ( \
           SELECT c.*, s.share, ST_Distance(ST_LineInterpolatePoint(c.geom, s.share)::geography, p.place::geography) \
             AS away_m \
           FROM (SELECT * FROM ({open}) AS o WHERE NOT limited ORDER BY geom <-> p.place LIMIT {NEAREST}) AS c \
           CROSS JOIN LATERAL (SELECT ST_LineLocatePoint(ST_Scale(c.geom, p.east, 1), ST_Scale(p.place, p.east, 1)) \
             AS share) AS s \
           ORDER BY away_m, c.id LIMIT 1) AS n ON n.away_m <= {MAX_ACCESS_M} \
         ORDER BY q.number"
    )
}

/// The least times: `$1` graph, `$2` points, `$3` starts, `$4` ends.
pub(super) const COSTS: &str = "SELECT start_pid, end_pid, agg_cost FROM pgr_withPointsCost($1, $2, $3::bigint[], \
                                $4::bigint[], directed => true, driving_side => 'b')";

/// The parts of the shortest path in order: `$1` graph, `$2` points, `$3` start, `$4` end, `$5` and `$6` their shares.
/// Columns: road, time in seconds, length, longitudes, latitudes.
pub(super) fn path(all: &str) -> String {
    let share = |node: &str| {
        format!("CASE WHEN {node} = -1 THEN $5 WHEN {node} = -2 THEN $6 WHEN {node} = e.source THEN 0.0 ELSE 1.0 END")
    };
    format!(
        "WITH steps AS (SELECT path_seq, node, edge, cost, lead(node) OVER (ORDER BY path_seq) AS next \
           FROM pgr_withPoints($1, $2, $3::bigint, $4::bigint, directed => true, driving_side => 'b')), \
         parts AS (SELECT path_seq, road, cost, length_m, geom, {} AS a, {} AS b FROM steps \
           JOIN ({all}) AS e ON e.id = steps.edge), \
         lines AS (SELECT path_seq, road, cost, length_m * abs(b - a) AS length_m, \
           CASE WHEN a <= b THEN ST_LineSubstring(geom, a, b) ELSE ST_Reverse(ST_LineSubstring(geom, b, a)) END AS line \
           FROM parts) \
         SELECT road, cost, length_m, {COORDINATES} FROM lines ORDER BY path_seq",
        share("steps.node"),
        share("steps.next"),
    )
}

/// The parts of edges that are reached in a time: `$1` graph, `$2` points, `$3` start, `$4` seconds, `$5` edge of the start
/// or NULL, `$6` its share. Columns: longitudes, latitudes.
pub(super) fn reached(graph: &str, all: &str) -> String {
    format!(
        "WITH reached AS (SELECT node, agg_cost FROM pgr_withPointsDD($1, $2, $3::bigint, $4::float8, directed => true, \
           driving_side => 'b')), \
         edges AS (SELECT g.*, e.geom FROM ({graph}) AS g JOIN ({all}) AS e USING (id)), \
         shares AS (SELECT geom, \
           CASE WHEN s.node IS NULL OR cost < 0 THEN 0.0 WHEN cost = 0 THEN 1.0 \
             ELSE least(1.0, ($4 - s.agg_cost) / cost) END AS ahead, \
           CASE WHEN t.node IS NULL OR reverse_cost < 0 THEN 0.0 WHEN reverse_cost = 0 THEN 1.0 \
             ELSE least(1.0, ($4 - t.agg_cost) / reverse_cost) END AS back \
           FROM edges LEFT JOIN reached AS s ON s.node = edges.source LEFT JOIN reached AS t ON t.node = edges.target \
           WHERE s.node IS NOT NULL OR t.node IS NOT NULL), \
         parts AS (SELECT ST_LineSubstring(geom, 0, ahead) AS line FROM shares WHERE ahead > 0 \
           UNION ALL SELECT ST_LineSubstring(geom, 1 - back, 1) FROM shares WHERE back > 0 \
           UNION ALL SELECT ST_LineSubstring(geom, $6, \
             least(1.0, $6 + CASE WHEN cost > 0 THEN $4 / cost ELSE 0 END)) FROM edges WHERE id = $5 \
           UNION ALL SELECT ST_LineSubstring(geom, \
             greatest(0.0, $6 - CASE WHEN reverse_cost > 0 THEN $4 / reverse_cost ELSE 0 END), $6) \
             FROM edges WHERE id = $5), \
         lines AS (SELECT line FROM parts WHERE ST_GeometryType(line) = 'ST_LineString') \
         SELECT {COORDINATES} FROM lines"
    )
}

const COORDINATES: &str = "ARRAY(SELECT ST_X(d.geom) FROM ST_DumpPoints(line) AS d ORDER BY d.path), \
                           ARRAY(SELECT ST_Y(d.geom) FROM ST_DumpPoints(line) AS d ORDER BY d.path)";
