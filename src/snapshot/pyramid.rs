//! The cluster pyramid: features aggregated by the cells of a tile matrix, zoom by zoom.
//!
//! A tile has 8 × 8 cells. Points, and lines and areas too small to draw, are aggregated by the cell of their centre.
//! Each chunk aggregates its own cells when a zoom is first requested and keeps them if they are few; a change replaces
//! the chunk, so the cells of all other chunks stay valid and nothing needs invalidation. All sums are integer sums, so
//! the result does not depend on the order of chunks.
//!
//! Prefix sums over points in Morton order would need no state per zoom, but provide neither bounds nor a membership
//! that depends on the zoom (a line is counted only where it is too small to draw), and cost more memory per feature.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::{Chunk, Layer, ResourceFields, Row};
use crate::geodesy::Envelope;
use crate::geodesy::plane::{Datum, GridPoint, Plane, Projection};
use crate::model::cluster::{ClusterConfig, SeverityCode, SumSource};
use crate::model::{LayerSchema, ValueRef as Value};

/// Cells along a tile's side, as a power of two.
const CELL_BITS: u8 = 3;
/// Lines and areas smaller than this fraction of a tile's side are not drawn but aggregated, as a power of two: 2 of 512
/// pixels.
const MIN_DRAWN_BITS: u8 = 8;
/// A chunk keeps the cells of a zoom when a cell holds this many features on average.
const KEPT_FEATURES_PER_CELL: usize = 8;
/// Margin of a cell's envelope, as a fraction of the cell: more than the rounding of its edges.
const CELL_MARGIN: f64 = 0.001;
/// So many chunks of a tile are looked at by one thread.
const FEW_CHUNKS: usize = 6;
/// A chunk is aggregated as a whole for tiles that show at least this share of it, as a reciprocal.
const FULL_SHARE: f64 = 8.0;
const SEVERITY_COUNTS: usize = ClusterConfig::MAX_SEVERITIES + 1;
const ZOOMS: usize = ClusterConfig::MAX_ZOOM as usize + 1;

/// A cell of the pyramid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellAddress {
    plane: Plane,
    zoom: u8,
    x: u32,
    y: u32,
}

impl CellAddress {
    /// Bits of a column or row in an id.
    const ID_BITS: u8 = 20;

    fn of(plane: Plane, zoom: u8, point: GridPoint) -> Self {
        let (columns, rows) = plane.matrix_bits(zoom + CELL_BITS);
        let index = |at: u32, bits: u8| at.checked_shr(u32::from(32 - bits)).unwrap_or(0);
        Self { plane, zoom, x: index(point.x, columns), y: index(point.y, rows) }
    }

    /// A stable integer id, below 2⁴⁶.
    #[must_use]
    pub fn id(self) -> u64 {
        let level = u64::from(self.zoom) * Plane::COUNT as u64 + self.plane.index() as u64;
        level << (2 * Self::ID_BITS) | u64::from(self.y) << Self::ID_BITS | u64::from(self.x)
    }

    /// The cell of an id; `None` when no cell has it.
    #[must_use]
    pub fn from_id(id: u64) -> Option<Self> {
        let level = usize::try_from(id >> (2 * Self::ID_BITS)).ok()?;
        let plane = Plane::from_index(level % Plane::COUNT)?;
        let zoom = u8::try_from(level / Plane::COUNT).ok().filter(|zoom| *zoom <= ClusterConfig::MAX_ZOOM)?;
        let part = |shift: u8| u32::try_from(id >> shift & ((1 << Self::ID_BITS) - 1)).ok();
        let (x, y) = (part(0)?, part(Self::ID_BITS)?);
        let (columns, rows) = plane.matrix_bits(zoom + CELL_BITS);
        (x >> columns == 0 && y >> rows == 0).then_some(Self { plane, zoom, x, y })
    }

    /// Column and row of its tile.
    fn tile(self) -> (u32, u32) {
        (self.x >> CELL_BITS, self.y >> CELL_BITS)
    }

    /// A WGS 84 envelope that every feature of the cell intersects.
    fn envelope(self) -> Envelope {
        self.plane.envelope(self.zoom + CELL_BITS, self.x, self.y, CELL_MARGIN)
    }
}

/// The aggregate of the features of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterStats {
    /// Number of features.
    pub count: u32,
    severities: [u32; SEVERITY_COUNTS],
    sums: [i64; ClusterConfig::MAX_SUMS],
    x: u64,
    y: u64,
    bounds: Envelope,
}

impl ClusterStats {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.severities.iter_mut().zip(other.severities).for_each(|(own, more)| *own += more);
        self.sums.iter_mut().zip(other.sums).for_each(|(own, more)| *own = own.saturating_add(more));
        self.x += other.x;
        self.y += other.y;
        self.bounds = self.bounds.union(&other.bounds);
    }

    /// The properties of the cluster: `cluster`, `count`, the `worst` severity code present, the number of members of
    /// each code and of those with another code or none, and the sums.
    #[must_use]
    pub fn properties<'a>(&self, config: &'a ClusterConfig) -> Vec<(Cow<'a, str>, Value<'a>)> {
        let number = |count: u32| Value::Integer(i64::from(count));
        let mut properties = vec![("cluster".into(), Value::Boolean(true)), ("count".into(), number(self.count))];
        if let Some(severity) = &config.severity {
            let worst = severity.codes.iter().zip(self.severities).find(|(_, count)| *count > 0);
            let worst = worst.map(|(code, _)| match code {
                SeverityCode::Integer(code) => Value::Integer(*code),
                SeverityCode::Text(code) => Value::Text(code),
            });
            properties.extend(worst.map(|worst| ("worst".into(), worst)));
            let known = self.severities.iter().take(severity.codes.len());
            let counts = known.chain(self.severities.last()).copied().map(number);
            properties.extend(severity.property_names().map(Cow::from).zip(counts));
        }
        let sums = config.sums.iter().zip(self.sums);
        properties.extend(sums.map(|(sum, total)| (sum.name.as_str().into(), Value::Integer(total))));
        properties
    }

    /// The number of members of each severity code, worst first.
    #[must_use]
    pub fn severities(&self) -> &[u32] {
        &self.severities
    }

    /// The total of an integer field; `None` if the configuration has no such sum.
    #[must_use]
    pub fn sum_of(&self, config: &ClusterConfig, field: &str) -> Option<i64> {
        let at = config.sums.iter().position(|sum| matches!(&sum.of, SumSource::Field(own) if own == field))?;
        self.sums.get(at).copied()
    }

    /// The mean of the members' centres.
    #[must_use]
    pub fn center(&self) -> GridPoint {
        let mean = |sum: u64| u32::try_from(sum / u64::from(self.count.max(1))).unwrap_or(u32::MAX);
        GridPoint { x: mean(self.x), y: mean(self.y) }
    }

    /// The envelope of the members.
    #[must_use]
    pub fn bounds(&self) -> &Envelope {
        &self.bounds
    }
}

/// Computes the aggregate of one feature by the cluster configuration of its layer.
#[derive(Debug)]
pub(super) struct ClusterAggregator {
    to_zoom: u8,
    severity: Option<(usize, Vec<SeverityCode>)>,
    sums: Vec<SumField>,
    resources: Arc<ResourceFields>,
}

#[derive(Debug)]
struct SumField {
    /// Position of the field; `None` for free places.
    field: Option<usize>,
    only_ready: bool,
}

impl ClusterAggregator {
    pub(super) fn of(schema: &LayerSchema, resources: &Arc<ResourceFields>) -> Option<Self> {
        let config = schema.clusters.as_ref()?;
        let severity = config.severity.as_ref();
        let severity = severity.and_then(|severity| Some((schema.position(&severity.field)?, severity.codes.clone())));
        let field = |source: &SumSource| match source {
            SumSource::Field(name) => schema.position(name),
            SumSource::FreePlaces => None,
        };
        let sums = config.sums.iter().map(|sum| SumField { field: field(&sum.of), only_ready: sum.only_ready });
        Some(Self { to_zoom: config.to_zoom, severity, sums: sums.collect(), resources: resources.clone() })
    }

    /// Whether a zoom of a plane is clustered.
    fn clusters(&self, plane: Plane, zoom: u8) -> bool {
        plane.matrix_bits(zoom).0 <= self.to_zoom
    }

    fn stats_of(&self, row: &Row<'_>, center: GridPoint) -> Option<ClusterStats> {
        let bounds = Envelope::around(row.shape()?.geometry())?;
        let mut severities = [0; SEVERITY_COUNTS];
        let severity = self.severity.as_ref().and_then(|(field, codes)| {
            let own = row.cell(*field);
            codes.iter().position(|code| code.is(own))
        });
        severities[severity.unwrap_or(SEVERITY_COUNTS - 1)] = 1;
        let mut sums = [0; ClusterConfig::MAX_SUMS];
        for (sum, SumField { field, only_ready }) in sums.iter_mut().zip(&self.sums) {
            let counts = !only_ready || self.resources.is_ready(row) == Some(true);
            let own = match field {
                Some(field) => match row.cell(*field) {
                    Value::Integer(own) => Some(own),
                    _ => None,
                },
                None => self.resources.free_places(row, false),
            };
            *sum = own.filter(|_| counts).unwrap_or(0);
        }
        Some(ClusterStats { count: 1, severities, sums, x: u64::from(center.x), y: u64::from(center.y), bounds })
    }
}

/// Centre and size of a feature on a plane.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    /// The point, or the centre of the feature's envelope.
    center: GridPoint,
    /// The longer side of the envelope, in grid steps of the y axis.
    size: u32,
}

impl Footprint {
    /// `None` without a geometry.
    fn of(row: &Row<'_>, plane: Plane) -> Option<Self> {
        let shape = row.shape()?.geometry();
        let bounds = Envelope::around(shape)?;
        let center = plane
            .grid_point(f64::midpoint(bounds.west(), bounds.east()), f64::midpoint(bounds.south(), bounds.north()));
        let size = if let geo::Geometry::Point(_) = shape {
            0
        } else {
            let low = plane.grid_point(bounds.west(), bounds.north());
            let high = plane.grid_point(bounds.east(), bounds.south());
            let (columns, rows) = plane.matrix_bits(0);
            // The world may be wider than high, but both axes have the same number of steps.
            let width = high.x.saturating_sub(low.x).saturating_mul(1 << (columns - rows));
            width.max(high.y.saturating_sub(low.y))
        };
        Some(Self { center, size })
    }
}

/// The footprints of the features of a chunk.
#[derive(Debug)]
struct Footprints {
    /// By row; `None` without a geometry.
    rows: Box<[Option<Footprint>]>,
    max_size: u32,
}

impl Footprints {
    fn of(chunk: &Chunk, plane: Plane) -> Self {
        let rows: Box<[_]> = chunk.rows_after(None).map(|row| Footprint::of(&row, plane)).collect();
        let max_size = rows.iter().flatten().map(|footprint| footprint.size).max().unwrap_or(0);
        Self { rows, max_size }
    }

    /// Row and centre of the features with a size in a range.
    fn sized(&self, sizes: std::ops::Range<u32>) -> impl Iterator<Item = (usize, GridPoint)> + '_ {
        let located = self.rows.iter().enumerate().filter_map(|(row, own)| Some((row, own.as_ref()?)));
        located.filter(move |(_, own)| sizes.contains(&own.size)).map(|(row, own)| (row, own.center))
    }
}

/// The kept part of the pyramid of a chunk, per plane.
#[derive(Debug, Default)]
pub(super) struct Pyramid {
    planes: [PlanePyramid; Plane::COUNT],
}

/// The cells of a zoom; `None` if they are too many to keep.
type ZoomCells = Option<Box<[PyramidCell]>>;

#[derive(Debug, Default)]
struct PlanePyramid {
    footprints: OnceLock<Footprints>,
    zooms: OnceLock<Box<[OnceLock<ZoomCells>; ZOOMS]>>,
}

/// A cell of a chunk.
#[derive(Debug)]
struct PyramidCell {
    address: CellAddress,
    stats: ClusterStats,
    /// The first of its features.
    row: usize,
}

/// The size below which features are not drawn at a zoom, in grid steps of the y axis.
fn min_drawn_size(zoom: u8) -> u32 {
    1_u32.checked_shl(u32::from(32 - MIN_DRAWN_BITS).saturating_sub(u32::from(zoom))).unwrap_or(0)
}

impl Chunk {
    fn footprints(&self, plane: Plane) -> &Footprints {
        self.pyramid().planes[plane.index()].footprints.get_or_init(|| Footprints::of(self, plane))
    }

    /// The footprint of a row: that of the chunk if they were computed, otherwise of this row alone.
    fn footprint(&self, plane: Plane, row: &Row<'_>) -> Option<Footprint> {
        match self.pyramid().planes[plane.index()].footprints.get() {
            Some(all) => all.rows.get(row.number()).copied().flatten(),
            None => Footprint::of(row, plane),
        }
    }

    /// Whether a tile shows so little of the chunk that looking at its features there is faster than aggregating all.
    fn is_hardly_in(&self, window: &TileWindow) -> bool {
        let Some(own) = self.envelope() else { return true };
        let size = |low: f64, high: f64| (high - low).max(0.0);
        let shown = window.envelope.split().map(|half| {
            size(own.west().max(half.west()), own.east().min(half.east()))
                * size(own.south().max(half.south()), own.north().min(half.north()))
        });
        shown.sum::<f64>() * FULL_SHARE < size(own.west(), own.east()) * size(own.south(), own.north())
    }

    fn cells(&self, plane: Plane, zoom: u8, aggregator: &ClusterAggregator) -> Option<&[PyramidCell]> {
        let zooms = self.pyramid().planes[plane.index()].zooms.get_or_init(Box::default);
        zooms.get(usize::from(zoom))?.get_or_init(|| self.aggregate(plane, zoom, aggregator)).as_deref()
    }

    fn aggregate(&self, plane: Plane, zoom: u8, aggregator: &ClusterAggregator) -> ZoomCells {
        let limit = self.len() / KEPT_FEATURES_PER_CELL;
        let mut cells: BTreeMap<(u32, u32), PyramidCell> = BTreeMap::new();
        for (row, center) in self.footprints(plane).sized(0..min_drawn_size(zoom)) {
            let Some(stats) = aggregator.stats_of(&self.row(row), center) else { continue };
            let address = CellAddress::of(plane, zoom, center);
            match cells.entry((address.y, address.x)) {
                Entry::Occupied(mut own) => own.get_mut().stats.add(&stats),
                Entry::Vacant(own) => drop(own.insert(PyramidCell { address, stats, row })),
            }
            if cells.len() > limit {
                return None;
            }
        }
        Some(cells.into_values().collect())
    }
}

/// The content of a tile for one layer.
#[derive(Debug, Default)]
pub struct TileContent<'a> {
    /// Cells with more than one feature, from north to south and west to east.
    pub clusters: Vec<(CellAddress, ClusterStats)>,
    /// Features that are drawn one by one, unordered.
    pub rows: Vec<Row<'a>>,
}

/// A tile and the envelope of features that can appear in it.
#[derive(Clone, Copy, Debug)]
pub struct TileWindow {
    /// The plane of the tile.
    pub plane: Plane,
    /// Its zoom.
    pub zoom: u8,
    /// Its column.
    pub x: u32,
    /// Its row.
    pub y: u32,
    /// A WGS 84 envelope that every feature of the tile intersects.
    pub envelope: Envelope,
}

impl TileWindow {
    fn cell(&self, center: GridPoint) -> Option<CellAddress> {
        let cell = CellAddress::of(self.plane, self.zoom, center);
        (cell.tile() == (self.x, self.y)).then_some(cell)
    }
}

/// Selects features by their values.
pub type RowFilter<'f> = &'f (dyn Fn(&Row<'_>) -> bool + Sync);

/// The cells of one tile by row and column, each with its first feature.
#[derive(Default)]
struct TileCells<'a>(BTreeMap<(u32, u32), (CellAddress, ClusterStats, Row<'a>)>);

impl<'a> TileCells<'a> {
    fn add(&mut self, cell: CellAddress, stats: &ClusterStats, row: Row<'a>) {
        match self.0.entry((cell.y, cell.x)) {
            Entry::Occupied(mut own) => own.get_mut().1.add(stats),
            Entry::Vacant(own) => drop(own.insert((cell, stats.clone(), row))),
        }
    }
}

impl Layer {
    /// The content of a tile for the layer: every feature is drawn in each tile that it intersects, or counted in
    /// exactly one cluster of one tile. A cell of one feature is that feature. With a filter only matching features
    /// count.
    #[must_use]
    pub fn tile_content<'a>(&'a self, window: &TileWindow, filter: Option<RowFilter<'_>>) -> TileContent<'a> {
        let passes = |row: &Row<'a>| filter.is_none_or(|filter| filter(row));
        let Some(aggregator) = self.aggregator().filter(|own| own.clusters(window.plane, window.zoom)) else {
            let rows = self.rows_in(&window.envelope).filter(passes).collect();
            return TileContent { clusters: Vec::new(), rows };
        };
        let chunks: Vec<&'a Chunk> = self.chunks_in(&window.envelope).collect();
        let part = |chunk: &'a Chunk| chunk_content(chunk, window, aggregator, filter);
        // Waking other threads takes longer than looking at a few chunks.
        let parts: Vec<_> = if chunks.len() <= FEW_CHUNKS {
            chunks.into_iter().map(part).collect()
        } else {
            chunks.into_par_iter().map(part).collect()
        };
        let mut content = TileContent::default();
        let mut cells = TileCells::default();
        for (part, rows) in parts {
            content.rows.extend(rows);
            part.0.into_values().for_each(|(cell, stats, row)| cells.add(cell, &stats, row));
        }
        for (cell, stats, row) in cells.0.into_values() {
            if stats.count == 1 { content.rows.push(row) } else { content.clusters.push((cell, stats)) }
        }
        content
    }

    /// Aggregates the clusters of the first zooms of Web Mercator, which else the first request for each zoom waits for.
    pub fn prepare_clusters(&self, zooms: std::ops::RangeInclusive<u8>) {
        let Some(aggregator) = self.aggregator() else { return };
        let plane = Plane { projection: Projection::WebMercator, datum: Datum::Wgs84 };
        for zoom in zooms.filter(|zoom| aggregator.clusters(plane, *zoom)) {
            self.chunks().iter().for_each(|chunk| _ = chunk.cells(plane, zoom, aggregator));
        }
    }

    /// The features that are counted in a cell, unordered; none if the layer has no clusters.
    pub fn cluster_members(&self, cell: CellAddress) -> impl Iterator<Item = Row<'_>> {
        let CellAddress { plane, zoom, .. } = cell;
        let has_clusters = self.aggregator().is_some_and(|own| own.clusters(plane, zoom));
        let chunks = self.chunks_in(&cell.envelope()).filter(move |_| has_clusters);
        chunks.flat_map(move |chunk| {
            let small = chunk.footprints(plane).sized(0..min_drawn_size(zoom));
            small
                .filter(move |(_, center)| CellAddress::of(plane, zoom, *center) == cell)
                .map(|(row, _)| chunk.row(row))
        })
    }

    /// The aggregate of some features of the layer in a cell; `None` without any.
    pub fn cluster_stats<'a>(&self, cell: CellAddress, rows: impl Iterator<Item = Row<'a>>) -> Option<ClusterStats> {
        let aggregator = self.aggregator()?;
        let stats = rows.filter_map(|row| {
            let footprint = row.chunk().footprints(cell.plane).rows.get(row.number())?.as_ref()?;
            aggregator.stats_of(&row, footprint.center)
        });
        stats.reduce(|mut all, own| {
            all.add(&own);
            all
        })
    }
}

/// The part of a tile that comes from one chunk.
fn chunk_content<'a>(
    chunk: &'a Chunk,
    window: &TileWindow,
    aggregator: &ClusterAggregator,
    filter: Option<RowFilter<'_>>,
) -> (TileCells<'a>, Vec<Row<'a>>) {
    let (mut cells, mut rows) = (TileCells::default(), Vec::new());
    let limit = min_drawn_size(window.zoom);
    let is_whole = filter.is_none() && !chunk.is_hardly_in(window);
    let kept = if is_whole { chunk.cells(window.plane, window.zoom, aggregator) } else { None };
    for own in kept.into_iter().flatten().filter(|own| own.address.tile() == (window.x, window.y)) {
        cells.add(own.address, &own.stats, chunk.row(own.row));
    }
    if kept.is_some() && chunk.footprints(window.plane).max_size < limit {
        return (cells, rows);
    }
    for row in chunk.rows_in(&window.envelope) {
        let Some(own) = chunk.footprint(window.plane, &row) else { continue };
        let is_drawn = own.size >= limit;
        if (!is_drawn && kept.is_some()) || filter.is_some_and(|filter| !filter(&row)) {
            continue;
        }
        if is_drawn {
            rows.push(row);
        } else if let Some(cell) = window.cell(own.center)
            && let Some(stats) = aggregator.stats_of(&row, own.center)
        {
            cells.add(cell, &stats, row);
        }
    }
    (cells, rows)
}
