//! An index of the edges of one geometry, so that comparing a feature with a large geometry costs O(log n).
//!
//! Edges stay in path order and are grouped by eight into a tree of boxes, because neighbours on a path are neighbours
//! in space. Edges are straight in longitude and latitude.

use std::ops::{ControlFlow, Range};
use std::sync::OnceLock;

use geo::algorithm::kernels::{Kernel, Orientation};
use geo::{Coord, GeoNum, Geometry, Intersects, Line, LineString, Polygon};

use super::Envelope;
use super::ecef::EcefBox;
use super::edge_distance::EdgeChord;

/// Edges per leaf, and children per node.
const FANOUT: usize = 8;

/// An edge, or a point as an edge without length, and the path it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) line: Line,
    pub(super) path: u32,
}

/// A run of edges, or of nodes of the level below.
#[derive(Clone, Debug)]
pub(super) struct EdgeGroup {
    envelope: Envelope,
    pub(super) bounds: EcefBox,
}

/// The winding of a ring around a position.
struct Winding {
    path: u32,
    turns: i32,
    on_edge: bool,
}

/// The kind of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PathRole {
    /// A point or a line.
    Open,
    Exterior,
    Hole,
}

/// A geometry with an index of its edges.
#[derive(Clone, Debug)]
pub struct EdgeIndex {
    geometry: Geometry,
    edges: Vec<Edge>,
    /// From the leaves to the root; empty for a geometry without coordinates.
    levels: Vec<Vec<EdgeGroup>>,
    /// By path number. Holes follow the exterior ring that contains them.
    roles: Vec<PathRole>,
    /// By path number: the number of the area that the ring belongs to.
    areas: Vec<usize>,
    /// A coordinate of each point, line and exterior ring.
    starts: Vec<Coord>,
    /// By edge number; computed when a distance is first requested.
    chords: OnceLock<Vec<EdgeChord>>,
}

impl EdgeIndex {
    /// Indexes a geometry with checked positions.
    #[must_use]
    pub fn new(geometry: Geometry) -> Self {
        let mut paths = Paths::default();
        paths.add(&geometry);
        let Paths { edges, roles, areas, starts, .. } = paths;
        Self { levels: levels(&edges), geometry, edges, roles, areas, starts, chords: OnceLock::new() }
    }

    /// The geometry.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Its envelope; `None` without coordinates.
    #[must_use]
    pub fn envelope(&self) -> Option<Envelope> {
        self.root().map(|root| root.envelope)
    }

    pub(super) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    pub(super) fn chords(&self) -> &[EdgeChord] {
        self.chords.get_or_init(|| self.edges.iter().map(|edge| EdgeChord::of(&edge.line)).collect())
    }

    pub(super) fn root(&self) -> Option<&EdgeGroup> {
        self.levels.last()?.first()
    }

    /// The number of levels above the edges.
    pub(super) fn height(&self) -> usize {
        self.levels.len()
    }

    pub(super) fn node(&self, level: usize, at: usize) -> &EdgeGroup {
        &self.levels[level][at]
    }

    /// Indices of the children of a node in the level below, or of its edges if it is a leaf.
    pub(super) fn children(&self, level: usize, at: usize) -> Range<usize> {
        let count = if level == 0 { self.edges.len() } else { self.levels[level - 1].len() };
        at * FANOUT..((at + 1) * FANOUT).min(count)
    }

    /// Whether the envelope of an edge or point intersects an envelope, which must not cross the antimeridian.
    #[must_use]
    pub fn may_touch(&self, envelope: &Envelope) -> bool {
        self.visit(
            |own| own.intersects(envelope),
            |edge| {
                if around(&edge.line).intersects(envelope) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )
        .is_break()
    }

    /// An edge by its number. The edges of a path follow each other in its order; paths follow each other in their order in
    /// the geometry.
    ///
    /// # Panics
    /// When there is no edge of this number.
    #[must_use]
    pub fn edge(&self, number: usize) -> Line {
        self.edges[number].line
    }

    /// The numbers of the edges whose envelopes intersect an envelope, ascending; the envelope must not cross the
    /// antimeridian.
    #[must_use]
    pub fn edges_in(&self, envelope: &Envelope) -> Vec<usize> {
        let mut found = Vec::new();
        let _ = self.visit_leaves(
            0,
            |own| own.intersects(envelope),
            |edges| {
                found.extend(edges.filter(|edge| around(&self.edges[*edge].line).intersects(envelope)));
                ControlFlow::Continue(())
            },
        );
        found
    }

    /// Whether a coordinate is inside an area or on its boundary.
    #[must_use]
    pub fn has_inside(&self, at: Coord) -> bool {
        let windings = self.windings(at);
        windings.iter().any(|own| own.on_edge) || self.areas_around(&windings).next().is_some()
    }

    /// Whether a coordinate is strictly inside an area other than number `own`.
    pub(super) fn is_strictly_inside_another(&self, at: Coord, own: usize) -> bool {
        let windings = self.windings(at);
        self.areas_around(&windings).any(|area| area != own)
    }

    /// The windings of the rings around a coordinate: the rings that a ray to the east meets, in path order.
    fn windings(&self, at: Coord) -> Vec<Winding> {
        let mut windings: Vec<Winding> = Vec::new();
        let on_ray = |own: &Envelope| own.south <= at.y && at.y <= own.north && own.east >= at.x;
        let _ = self.visit(on_ray, |edge| {
            let turn = if self.roles[edge.path as usize] == PathRole::Open { Some(0) } else { winding(&edge.line, at) };
            if turn != Some(0) {
                if windings.last().is_none_or(|last| last.path != edge.path) {
                    windings.push(Winding { path: edge.path, turns: 0, on_edge: false });
                }
                if let Some(last) = windings.last_mut() {
                    last.turns += turn.unwrap_or_default();
                    last.on_edge |= turn.is_none();
                }
            }
            ControlFlow::Continue(())
        });
        windings
    }

    /// Numbers of the areas that strictly contain a position with these windings: inside the exterior ring, inside no
    /// hole and on no edge.
    fn areas_around(&self, windings: &[Winding]) -> impl Iterator<Item = usize> {
        let mut areas: Vec<(usize, bool)> = Vec::new();
        for own in windings.iter().filter(|own| own.turns != 0 || own.on_edge) {
            let area = self.areas[own.path as usize];
            if self.roles[own.path as usize] == PathRole::Exterior {
                areas.push((area, !own.on_edge));
            } else if let Some(last) = areas.last_mut().filter(|last| last.0 == area) {
                last.1 = false;
            }
        }
        areas.into_iter().filter(|(_, is_inside)| *is_inside).map(|(area, _)| area)
    }

    /// Whether it intersects another geometry.
    #[must_use]
    pub fn intersects(&self, other: &Geometry) -> bool {
        let Some((own, their)) = self.envelope().zip(Envelope::around(other)) else { return false };
        if !own.intersects(&their) {
            return false;
        }
        let mut found = false;
        each_path(other, &mut |path| {
            found = found || self.meets_path(path);
        });
        found || self.is_within_areas_of(other)
    }

    /// Whether a point, line or ring intersects it.
    fn meets_path(&self, path: &[Coord]) -> bool {
        let Some(first) = path.first() else { return false };
        self.has_inside(*first) || lines(path).any(|line| self.crosses(&line))
    }

    /// Whether an edge intersects one of its edges.
    #[must_use]
    pub fn crosses(&self, line: &Line) -> bool {
        let own = around(line);
        self.visit(
            |envelope| envelope.intersects(&own),
            |edge| {
                if edge.line.intersects(line) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )
        .is_break()
    }

    /// Whether a part of it is inside an area of another geometry, given that no edges intersect.
    fn is_within_areas_of(&self, other: &Geometry) -> bool {
        let holds = |polygon: &Polygon| {
            let around = Envelope::around(&Geometry::Polygon(polygon.clone()));
            around.is_some_and(|around| {
                let inside = |at: &&Coord| {
                    around.west <= at.x && at.x <= around.east && around.south <= at.y && at.y <= around.north
                };
                self.starts.iter().filter(inside).any(|at| polygon.intersects(at))
            })
        };
        match other {
            Geometry::Polygon(polygon) => holds(polygon),
            Geometry::MultiPolygon(polygons) => polygons.iter().any(holds),
            Geometry::GeometryCollection(parts) => parts.iter().any(|part| self.is_within_areas_of(part)),
            Geometry::Rect(rect) => holds(&rect.to_polygon()),
            Geometry::Triangle(triangle) => holds(&triangle.to_polygon()),
            _ => false,
        }
    }

    /// Whether its areas contain a whole envelope, which must not cross the antimeridian.
    #[must_use]
    pub fn holds(&self, envelope: &Envelope) -> bool {
        !self.may_touch(envelope) && self.has_inside(Coord { x: envelope.west, y: envelope.south })
    }

    /// The parts of an edge inside the areas, as fractions of its length from its start, in order.
    #[must_use]
    pub fn shares_inside(&self, line: &Line) -> Vec<(f64, f64)> {
        let own = around(line);
        let mut cuts = vec![0.0, 1.0];
        let _ = self.visit(
            |envelope| envelope.intersects(&own),
            |edge| {
                cuts.extend(crossings(line, &edge.line));
                ControlFlow::Continue(())
            },
        );
        cuts.sort_by(f64::total_cmp);
        let middle = |a: f64, b: f64| line.start + line.delta() * f64::midpoint(a, b);
        let pairs = cuts.windows(2).map(|pair| (pair[0], pair[1]));
        pairs.filter(|(a, b)| a < b && self.has_inside(middle(*a, *b))).collect()
    }

    /// Visits, in path order, the edges of all leaves whose envelopes `keep` accepts.
    pub(super) fn visit(
        &self,
        keep: impl Fn(&Envelope) -> bool,
        each: impl FnMut(&Edge) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.visit_from(0, keep, each)
    }

    /// Like [`Self::visit`], from edge number `first` on.
    pub(super) fn visit_from(
        &self,
        first: usize,
        keep: impl Fn(&Envelope) -> bool,
        mut each: impl FnMut(&Edge) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.visit_leaves(first, keep, |edges| self.edges[edges].iter().try_for_each(&mut each))
    }

    /// Passes the numbers of the edges of each such leaf, in path order.
    fn visit_leaves(
        &self,
        first: usize,
        keep: impl Fn(&Envelope) -> bool,
        mut leaf: impl FnMut(Range<usize>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut stack: Vec<(usize, usize)> = Vec::new();
        if !self.levels.is_empty() {
            stack.push((self.levels.len() - 1, 0));
        }
        while let Some((level, at)) = stack.pop() {
            // The number of edges below a node of this level.
            let width = FANOUT.saturating_pow(u32::try_from(level).unwrap_or(u32::MAX).saturating_add(1));
            if (at + 1).saturating_mul(width) <= first || !keep(&self.levels[level][at].envelope) {
                continue;
            }
            let children = self.children(level, at);
            if level == 0 {
                leaf(children.start.max(first)..children.end)?;
            } else {
                stack.extend(children.rev().map(|child| (level - 1, child)));
            }
        }
        ControlFlow::Continue(())
    }
}

/// Paths and edges collected from a geometry.
#[derive(Default)]
struct Paths {
    edges: Vec<Edge>,
    roles: Vec<PathRole>,
    areas: Vec<usize>,
    starts: Vec<Coord>,
    area_count: usize,
}

impl Paths {
    fn add(&mut self, geometry: &Geometry) {
        match geometry {
            Geometry::Polygon(polygon) => self.add_polygon(polygon),
            Geometry::MultiPolygon(polygons) => polygons.iter().for_each(|polygon| self.add_polygon(polygon)),
            Geometry::GeometryCollection(parts) => parts.iter().for_each(|part| self.add(part)),
            Geometry::Rect(rect) => self.add_polygon(&rect.to_polygon()),
            Geometry::Triangle(triangle) => self.add_polygon(&triangle.to_polygon()),
            open => {
                let mut paths: Vec<Vec<Coord>> = Vec::new();
                each_path(open, &mut |path| paths.push(path.to_vec()));
                for path in &paths {
                    self.add_path(path, PathRole::Open);
                }
            }
        }
    }

    fn add_polygon(&mut self, polygon: &Polygon) {
        self.add_path(&polygon.exterior().0, PathRole::Exterior);
        polygon.interiors().iter().for_each(|hole| self.add_path(&hole.0, PathRole::Hole));
        self.area_count += 1;
    }

    fn add_path(&mut self, path: &[Coord], role: PathRole) {
        #[expect(clippy::cast_possible_truncation, reason = "a geometry has at most a million coordinates")]
        let number = self.roles.len() as u32;
        self.roles.push(role);
        self.areas.push(self.area_count);
        if role != PathRole::Hole {
            self.starts.extend(path.first());
        }
        self.edges.extend(lines(path).map(|line| Edge { line, path: number }));
    }
}

fn levels(edges: &[Edge]) -> Vec<Vec<EdgeGroup>> {
    let leaf = |edges: &[Edge]| edges.iter().map(|edge| around(&edge.line)).reduce(|a, b| a.union(&b));
    let node = |envelope: Envelope| EdgeGroup { envelope, bounds: EcefBox::of_envelope(&envelope) };
    let mut levels: Vec<Vec<EdgeGroup>> = vec![edges.chunks(FANOUT).filter_map(leaf).map(node).collect()];
    if levels[0].is_empty() {
        return Vec::new();
    }
    while levels[levels.len() - 1].len() > 1 {
        let below = &levels[levels.len() - 1];
        let join = |nodes: &[EdgeGroup]| {
            let envelope = nodes.iter().map(|node| node.envelope).reduce(|a, b| a.union(&b))?;
            Some(EdgeGroup { envelope, bounds: EcefBox::around(nodes.iter().map(|node| node.bounds))? })
        };
        let above = below.chunks(FANOUT).filter_map(join).collect();
        levels.push(above);
    }
    levels
}

/// The envelope of an edge between positions.
pub(super) fn around(line: &Line) -> Envelope {
    Envelope {
        west: line.start.x.min(line.end.x),
        south: line.start.y.min(line.end.y),
        east: line.start.x.max(line.end.x),
        north: line.start.y.max(line.end.y),
    }
}

/// The edges of a path; a single coordinate is an edge without length.
fn lines(path: &[Coord]) -> impl Iterator<Item = Line> {
    let single = (path.len() == 1).then(|| Line::new(path[0], path[0]));
    path.windows(2).map(|pair| Line::new(pair[0], pair[1])).chain(single)
}

/// Calls `call` for each point, line and ring of a geometry.
pub(super) fn each_path(geometry: &Geometry, call: &mut dyn FnMut(&[Coord])) {
    let polygon = |polygon: &Polygon, call: &mut dyn FnMut(&[Coord])| {
        std::iter::once(polygon.exterior()).chain(polygon.interiors()).for_each(|ring: &LineString| call(&ring.0));
    };
    match geometry {
        Geometry::Point(point) => call(&[point.0]),
        Geometry::MultiPoint(points) => points.iter().for_each(|point| call(&[point.0])),
        Geometry::Line(line) => call(&[line.start, line.end]),
        Geometry::LineString(line) => call(&line.0),
        Geometry::MultiLineString(lines) => lines.iter().for_each(|line| call(&line.0)),
        Geometry::Polygon(own) => polygon(own, call),
        Geometry::MultiPolygon(polygons) => polygons.iter().for_each(|own| polygon(own, call)),
        Geometry::GeometryCollection(parts) => parts.iter().for_each(|part| each_path(part, call)),
        Geometry::Rect(rect) => polygon(&rect.to_polygon(), call),
        Geometry::Triangle(triangle) => polygon(&triangle.to_polygon(), call),
    }
}

/// Winding of an edge around a coordinate, counted on a ray to the east: 1 upwards, -1 downwards; `None` on the edge.
fn winding(line: &Line, at: Coord) -> Option<i32> {
    let side = || <f64 as GeoNum>::Ker::orient2d(line.start, line.end, at);
    let (low, high) = (line.start.x.min(line.end.x), line.start.x.max(line.end.x));
    let is_between = low <= at.x && at.x <= high;
    if line.start.y <= at.y && line.end.y >= at.y {
        match side() {
            Orientation::Collinear if is_between => return None,
            Orientation::CounterClockwise if line.end.y > at.y => return Some(1),
            _ => {}
        }
    } else if line.start.y >= at.y && line.end.y <= at.y {
        match side() {
            Orientation::Collinear if is_between => return None,
            Orientation::Clockwise if line.end.y <= at.y && line.start.y > at.y => return Some(-1),
            _ => {}
        }
    }
    Some(0)
}

/// Positions where an edge crosses another, as fractions of its length; for collinear edges, the ends of the overlap.
fn crossings(line: &Line, other: &Line) -> Vec<f64> {
    let (own, their) = (line.delta(), other.delta());
    let cross = |a: Coord, b: Coord| a.x * b.y - a.y * b.x;
    let between = other.start - line.start;
    let turn = cross(own, their);
    let is_share = |share: &f64| (0.0..=1.0).contains(share);
    if turn != 0.0 {
        let (share, of_other) = (cross(between, their) / turn, cross(between, own) / turn);
        let near = -1e-9..=1.0 + 1e-9;
        return Some(share).filter(|share| is_share(share) && near.contains(&of_other)).into_iter().collect();
    }
    let length_2 = own.x * own.x + own.y * own.y;
    let along = |at: Coord| ((at.x - line.start.x) * own.x + (at.y - line.start.y) * own.y) / length_2;
    [along(other.start), along(other.end)].into_iter().filter(is_share).collect()
}
