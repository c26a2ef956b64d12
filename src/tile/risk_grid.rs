//! The risk surface: square cells with a score from the hazards in them, the share of risk zones and the people.
//!
//! A tile has 32 × 32 cells up to [`FINEST_ZOOM`], where a cell is about a kilometre wide at middle latitudes; at higher
//! zooms cells keep that size. With A the area of a cell in km²:
//!
//! ```text
//! score = (Σ weight of the points in the cell / A + Σ weight · area inside the cell of the zones / A)
//!         · (1 + people in the cell / A / people per km² that double a risk)
//! ```
//!
//! Weights are given by severity in the catalog (role `risk`). Levels are thresholds of the score.

use std::collections::BTreeMap;

use geo::{Coord, Geometry};
use rayon::prelude::*;

use super::attribute::Attribute;
use super::clip::{EXTENT, TileGeometry};
use super::select::{TileFeature, TileLayer, window};
use super::{FeatureFilter, TileAddress};
use crate::geodesy::Envelope;
use crate::geodesy::plane::{EQUATOR_KM, GridPoint};
use crate::model::cluster::SeverityCode;
use crate::model::roles::RiskRole;
use crate::model::{GeometryKind, LayerSchema, Shape};
use crate::snapshot::{ClusterStats, Layer, Row, RowFilter};

/// Name of the tile layer.
pub const RISK_GRID: &str = "risk_grid";
/// The zoom from which on cells keep their size.
pub const FINEST_ZOOM: u8 = 10;
/// The last zoom with whole cells in each tile.
pub const LAST_ZOOM: u8 = FINEST_ZOOM + CELL_BITS;
/// Cells along a tile's side, as a power of two.
const CELL_BITS: u8 = 5;
/// Features are read by tiles that are so many zooms deeper, whose clusters are not larger than a cell.
const SUBTILE_BITS: u8 = 2;
/// The least score of the levels 1, 2 and 3; what is below has level 4.
const THRESHOLDS: [f64; 3] = [24.0, 8.0, 2.0];

/// What is summed in a cell.
#[derive(Clone, Copy, Debug, Default)]
struct GridCell {
    /// Sum of the weights of points.
    points: f64,
    /// Number of points.
    count: u64,
    /// Sum of weight and area of zones, km².
    zones: f64,
    /// Area of zones, km²; overlaps count more than once.
    zone_km2: f64,
    people: u64,
}

/// The cells of a tile.
struct Grid {
    address: TileAddress,
    /// Cells along the side.
    side: u32,
    cells: BTreeMap<(u32, u32), GridCell>,
}

/// Whether a layer contributes to the risk surface.
#[must_use]
pub fn contributes(schema: &LayerSchema) -> bool {
    schema.roles.risk.is_some()
}

/// Whether a filter applies to a layer: people stay where they are, whatever risks are selected.
#[must_use]
pub fn is_filtered(schema: &LayerSchema) -> bool {
    schema.roles.risk.as_ref().is_some_and(|risk| !risk.weights.is_empty())
}

/// The cells of a tile with a score, from north to south and west to east.
pub(super) fn select<'a>(
    layers: &[&'a Layer],
    address: TileAddress,
    filter: Option<FeatureFilter<'_>>,
) -> TileLayer<'a> {
    let bits = CELL_BITS.min(LAST_ZOOM.saturating_sub(address.mercator_zoom()));
    let mut grid = Grid { address, side: 1 << bits, cells: BTreeMap::new() };
    let mut doubling = f64::INFINITY;
    for (at, layer) in layers.iter().enumerate() {
        let Some(risk) = &layer.schema().roles.risk else { continue };
        let holds = filter.map(|filter| move |row: &Row<'_>| (filter.holds)(at, row));
        let holds = holds.as_ref().map(|holds| holds as RowFilter<'_>);
        if let Some(people_km2) = risk.doubling_people_km2 {
            doubling = f64::from(people_km2.get());
            grid.add_people(layer);
        }
        if risk.weights.is_empty() {
            continue;
        }
        if layer.schema().geometry == GeometryKind::Polygon {
            grid.add_zones(layer, risk, holds);
        } else {
            grid.add_points(layer, risk, holds);
        }
    }
    let features = grid.cells.iter().filter_map(|(place, cell)| grid.feature(*place, cell, doubling)).collect();
    TileLayer { name: RISK_GRID, importance: 1, schema: None, features }
}

impl Grid {
    /// Row and column of the cell at a grid point; `None` outside the tile.
    fn place(&self, point: GridPoint) -> Option<(u32, u32)> {
        let (x, y) = self.address.fraction_of(point)?;
        Some((self.index(y)?, self.index(x)?))
    }

    /// The index of a fraction of the tile.
    fn index(&self, fraction: f64) -> Option<u32> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
        let index = (fraction * f64::from(self.side)).floor() as u32;
        (fraction >= 0.0 && index < self.side).then_some(index)
    }

    fn cell(&mut self, place: (u32, u32)) -> &mut GridCell {
        self.cells.entry(place).or_default()
    }

    /// Area of a cell by its row, km².
    fn cell_km2(&self, row: u32) -> f64 {
        let (_, tile_row) = self.address.column_and_row();
        let rows = f64::from(self.side) * f64::from(self.address.zoom()).exp2();
        let middle = (f64::from(tile_row) * f64::from(self.side) + f64::from(row) + 0.5) / rows;
        let width_km = EQUATOR_KM / rows * self.address.plane().latitude(middle).to_radians().cos();
        width_km * width_km
    }

    /// The clusters of a layer, and the features that are in none, with the cell of each.
    fn contents<'a>(&self, layer: &'a Layer, filter: Option<RowFilter<'_>>) -> Vec<CellContent<'a>> {
        let subtiles = self.address.descendants(SUBTILE_BITS);
        let contents = subtiles.par_iter().flat_map_iter(|subtile| {
            let content = layer.tile_content(&window(*subtile), filter);
            let clusters = content.clusters.into_iter().filter_map(|(_, stats)| {
                Some(CellContent { place: self.place(stats.center())?, members: CellMembers::Cluster(stats) })
            });
            let rows = content.rows.into_iter().filter_map(|row| {
                // A feature near the edge is in several windows, its centre in one.
                let center = self.center(&row).filter(|center| subtile.fraction_of(*center).is_some())?;
                Some(CellContent { place: self.place(center)?, members: CellMembers::Feature(row) })
            });
            clusters.chain(rows).collect::<Vec<_>>()
        });
        contents.collect()
    }

    fn add_points(&mut self, layer: &Layer, risk: &RiskRole, filter: Option<RowFilter<'_>>) {
        let Some(severity) = SeverityOf::of(layer.schema()) else { return };
        for CellContent { place, members } in self.contents(layer, filter) {
            let (points, count) = match members {
                CellMembers::Cluster(stats) => {
                    let weighed = risk.weights.iter().zip(stats.severities());
                    let points = weighed.map(|(weight, count)| f64::from(*weight) * f64::from(*count)).sum();
                    (points, u64::from(stats.count))
                }
                CellMembers::Feature(row) => (severity.weight(&row, risk), 1),
            };
            let cell = self.cell(place);
            cell.points += points;
            cell.count += count;
        }
    }

    fn add_people(&mut self, layer: &Layer) {
        let schema = layer.schema();
        let Some(field) = schema.roles.people.as_deref() else { return };
        for CellContent { place, members } in self.contents(layer, None) {
            let people = match members {
                CellMembers::Cluster(stats) => schema.clusters.as_ref().and_then(|config| stats.sum_of(config, field)),
                CellMembers::Feature(row) => layer.integer(&row, field),
            };
            self.cell(place).people += people.and_then(|people| u64::try_from(people).ok()).unwrap_or_default();
        }
    }

    fn center(&self, row: &Row<'_>) -> Option<GridPoint> {
        let own = Envelope::around(row.shape()?.geometry())?;
        let (lon, lat) = (f64::midpoint(own.west(), own.east()), f64::midpoint(own.south(), own.north()));
        Some(self.address.plane().grid_point(lon, lat))
    }

    fn add_zones(&mut self, layer: &Layer, risk: &RiskRole, filter: Option<RowFilter<'_>>) {
        let Some(severity) = SeverityOf::of(layer.schema()) else { return };
        for row in layer.rows_in(&self.address.buffered_envelope(0.0)) {
            if filter.is_some_and(|filter| !filter(&row)) {
                continue;
            }
            let weight = severity.weight(&row, risk);
            let Some(geometry) = row.shape().map(Shape::geometry).filter(|_| weight > 0.0) else { continue };
            let Some(around) = Envelope::around(geometry) else { continue };
            let plane = self.address.plane();
            let low = self.place(plane.grid_point(around.west(), around.north()));
            let high = self.place(plane.grid_point(around.east(), around.south()));
            if let (Some(place), true) = (low, low == high) {
                let km2 = row.area_km2();
                let cell = self.cell(place);
                cell.zones += weight * km2;
                cell.zone_km2 += km2;
                continue;
            }
            for ((y, x), share) in self.shares(geometry) {
                let km2 = share * self.cell_km2(y);
                let cell = self.cell((y, x));
                cell.zones += weight * km2;
                cell.zone_km2 += km2;
            }
        }
    }

    /// The cells that an area covers, with the covered share of each.
    fn shares(&self, geometry: &Geometry) -> Vec<((u32, u32), f64)> {
        let polygons = match geometry {
            Geometry::Polygon(one) => std::slice::from_ref(one),
            Geometry::MultiPolygon(many) => &many.0,
            _ => &[],
        };
        let mut shares: BTreeMap<(u32, u32), f64> = BTreeMap::new();
        let side = f64::from(self.side);
        let to_cells = |at: &Coord| {
            let (x, y) = self.address.fraction(at.x, at.y);
            Coord { x: x * side, y: y * side }
        };
        for polygon in polygons {
            let exterior = std::iter::once((polygon.exterior(), 1.0));
            for (ring, sign) in exterior.chain(polygon.interiors().iter().map(|ring| (ring, -1.0))) {
                let ring: Vec<Coord> = ring.coords().map(to_cells).collect();
                for (y, band) in strips(&ring, self.side, |at| at.y) {
                    for (x, part) in strips(&band, self.side, |at| at.x) {
                        *shares.entry((y, x)).or_default() += sign * area(&part);
                    }
                }
            }
        }
        shares.into_iter().filter(|(_, share)| *share > 0.0).collect()
    }

    fn feature<'a>(
        &self,
        (row, column): (u32, u32),
        cell: &GridCell,
        doubling_people_km2: f64,
    ) -> Option<TileFeature<'a>> {
        let km2 = self.cell_km2(row);
        #[expect(clippy::cast_precision_loss, reason = "fewer people than 2^52")]
        let people_km2 = cell.people as f64 / km2;
        let score = (cell.points + cell.zones) / km2 * (1.0 + people_km2 / doubling_people_km2);
        if score <= 0.0 {
            return None;
        }
        let level = 1 + THRESHOLDS.iter().position(|least| score >= *least).unwrap_or(THRESHOLDS.len());
        let real = |number: f64| Attribute::Real(three_digits(number).to_bits());
        let whole = |number: u64| Attribute::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let properties = vec![
            ("score".into(), real(score)),
            ("level".into(), whole(level as u64)),
            ("hazards".into(), whole(cell.count)),
            ("people".into(), whole(cell.people)),
            ("zone_share".into(), real((cell.zone_km2 / km2).min(1.0))),
        ];
        let (tile_column, tile_row) = self.address.column_and_row();
        let (x, y) = (u64::from(tile_column * self.side + column), u64::from(tile_row * self.side + row));
        let id = u64::from(self.address.zoom()) << 40 | y << 20 | x;
        Some(TileFeature { id, geometry: self.square(row, column), properties, row: None })
    }

    fn square(&self, row: u32, column: u32) -> TileGeometry {
        #[expect(clippy::cast_possible_truncation, reason = "units of a tile")]
        let edge = |index: u32| (f64::from(index) * EXTENT / f64::from(self.side)) as i32;
        let (west, east, north, south) = (edge(column), edge(column + 1), edge(row), edge(row + 1));
        TileGeometry::Areas(vec![vec![(west, north), (east, north), (east, south), (west, south)]])
    }
}

/// Points or people of a cell.
struct CellContent<'a> {
    place: (u32, u32),
    members: CellMembers<'a>,
}

enum CellMembers<'a> {
    Cluster(ClusterStats),
    Feature(Row<'a>),
}

/// The severity of a feature by its layer's cluster configuration.
struct SeverityOf<'a> {
    field: usize,
    codes: &'a [SeverityCode],
}

impl<'a> SeverityOf<'a> {
    fn of(schema: &'a LayerSchema) -> Option<Self> {
        let severity = schema.clusters.as_ref()?.severity.as_ref()?;
        Some(Self { field: schema.position(&severity.field)?, codes: &severity.codes })
    }

    /// The weight of a feature; an unknown severity weighs nothing.
    fn weight(&self, row: &Row<'_>, risk: &RiskRole) -> f64 {
        let own = row.cell(self.field);
        let at = self.codes.iter().position(|code| code.is(own));
        at.and_then(|at| risk.weights.get(at)).map_or(0.0, |weight| f64::from(*weight))
    }
}

/// Rounds to three significant digits.
fn three_digits(number: f64) -> f64 {
    if number == 0.0 {
        return 0.0;
    }
    let scale = 10_f64.powf(2.0 - number.abs().log10().floor());
    (number * scale).round() / scale
}

/// Cuts a ring into strips of width 1 along an axis, from 0 to `count`, each with its index.
fn strips(ring: &[Coord], count: u32, axis: fn(Coord) -> f64) -> Vec<(u32, Vec<Coord>)> {
    let (low, high) =
        ring.iter().map(|at| axis(*at)).fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let (first, last) = (low.max(0.0) as u32, high.min(f64::from(count)) as u32);
    if high <= 0.0 {
        return Vec::new();
    }
    let strip = |at: u32| {
        let (from, to) = (f64::from(at), f64::from(at + 1));
        let above = half(ring, |point| axis(point) - from);
        (at, half(&above, |point| to - axis(point)))
    };
    (first..=last.min(count - 1)).map(strip).filter(|(_, part)| part.len() >= 3).collect()
}

/// The part of a ring where a distance is not negative (Sutherland and Hodgman).
fn half(ring: &[Coord], inside: impl Fn(Coord) -> f64) -> Vec<Coord> {
    let Some(&last) = ring.last() else { return Vec::new() };
    let mut kept = Vec::with_capacity(ring.len() + 2);
    let mut before = last;
    for &at in ring {
        let (from, to) = (inside(before), inside(at));
        if (from < 0.0) != (to < 0.0) {
            kept.push(before + (at - before) * (from / (from - to)));
        }
        if to >= 0.0 {
            kept.push(at);
        }
        before = at;
    }
    kept
}

/// Area of a ring, whichever way it turns.
fn area(ring: &[Coord]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    let doubled: f64 = ring.iter().zip(next).map(|(a, b)| a.x * b.y - b.x * a.y).sum();
    doubled.abs() / 2.0
}
