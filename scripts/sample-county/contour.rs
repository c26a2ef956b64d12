//! Natural outlines: areas where a field is positive, traced by marching squares.
//!
//! Rings traced this way never intersect themselves or each other.

use std::collections::BTreeMap;

use geo::{Area, Coord, LineString, Polygon, Rect, SimplifyVwPreserve};

use crate::plane::inside;

/// A side of a grid square: its lower left corner and whether it is vertical.
type Side = (usize, usize, bool);

/// The areas within `frame` where `field` is positive, largest first. The field is forced down at the frame.
pub(crate) fn areas(frame: Rect<f64>, step_m: f64, field: impl Fn(Coord<f64>) -> f64) -> Vec<Polygon<f64>> {
    let grid = Grid::measure(frame, step_m, field);
    let mut rings = grid.rings();
    rings.retain(|ring| ring.0.len() > 4);
    let (mut outer, holes): (Vec<_>, Vec<_>) =
        rings.into_iter().map(|ring| Polygon::new(ring, vec![])).partition(|area| area.signed_area() > 0.0);
    for hole in holes {
        let corner = hole.exterior().0[0];
        let owner = outer
            .iter_mut()
            .filter(|area| inside(&area.exterior().0, corner))
            .min_by(|a, b| a.unsigned_area().total_cmp(&b.unsigned_area()));
        if let Some(area) = owner {
            area.interiors_push(hole.exterior().clone());
        }
    }
    outer.sort_by(|a, b| b.unsigned_area().total_cmp(&a.unsigned_area()));
    // Vertices that hardly change the outline only cost bytes.
    outer.into_iter().map(|area| area.simplify_vw_preserve(0.14 * step_m * step_m)).collect()
}

struct Grid {
    origin: Coord<f64>,
    step_m: f64,
    columns: usize,
    rows: usize,
    values: Vec<f64>,
}

impl Grid {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a few hundred squares a side"
    )]
    fn measure(frame: Rect<f64>, step_m: f64, field: impl Fn(Coord<f64>) -> f64) -> Self {
        let columns = (frame.width() / step_m).ceil() as usize + 1;
        let rows = (frame.height() / step_m).ceil() as usize + 1;
        let mut values = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            for column in 0..columns {
                let edge = row == 0 || column == 0 || row + 1 == rows || column + 1 == columns;
                let at = frame.min() + Coord { x: column as f64, y: row as f64 } * step_m;
                let value = if edge { -step_m } else { field(at).clamp(-4.0 * step_m, 4.0 * step_m) };
                // Kept away from zero, so that crossings stay away from the corners and rings never touch.
                values.push(if value.abs() < 0.08 * step_m { 0.08f64.copysign(value) * step_m } else { value });
            }
        }
        Self { origin: frame.min(), step_m, columns, rows, values }
    }

    fn value(&self, column: usize, row: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    #[expect(clippy::cast_precision_loss, reason = "a few hundred squares a side")]
    fn crossing(&self, (column, row, up): Side) -> Coord<f64> {
        let from = self.value(column, row);
        let to = if up { self.value(column, row + 1) } else { self.value(column + 1, row) };
        let share = from / (from - to);
        let ahead = if up { Coord { x: 0.0, y: share } } else { Coord { x: share, y: 0.0 } };
        self.origin + (Coord { x: column as f64, y: row as f64 } + ahead) * self.step_m
    }

    /// Every piece of outline, with the positive side on its left.
    fn pieces(&self) -> BTreeMap<Side, Side> {
        let mut next = BTreeMap::new();
        for row in 0..self.rows - 1 {
            for column in 0..self.columns - 1 {
                let (bottom, top) = ((column, row, false), (column, row + 1, false));
                let (left, right) = ((column, row, true), (column + 1, row, true));
                let corner = |dx, dy| self.value(column + dx, row + dy) > 0.0;
                let case = (corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1));
                let mut link = |from: Side, to: Side| next.insert(from, to);
                match case {
                    (true, false, false, false) => _ = link(bottom, left),
                    (false, true, false, false) => _ = link(right, bottom),
                    (false, false, true, false) => _ = link(top, right),
                    (false, false, false, true) => _ = link(left, top),
                    (true, true, false, false) => _ = link(right, left),
                    (false, true, true, false) => _ = link(top, bottom),
                    (false, false, true, true) => _ = link(left, right),
                    (true, false, false, true) => _ = link(bottom, top),
                    (false, true, true, true) => _ = link(left, bottom),
                    (true, false, true, true) => _ = link(bottom, right),
                    (true, true, false, true) => _ = link(right, top),
                    (true, true, true, false) => _ = link(top, left),
                    (true, false, true, false) => _ = (link(bottom, left), link(top, right)),
                    (false, true, false, true) => _ = (link(right, bottom), link(left, top)),
                    (true, true, true, true) | (false, false, false, false) => {}
                }
            }
        }
        next
    }

    fn rings(&self) -> Vec<LineString<f64>> {
        let mut next = self.pieces();
        let mut rings = Vec::new();
        while let Some((&start, _)) = next.iter().next() {
            let mut ring = Vec::new();
            let mut here = start;
            while let Some(after) = next.remove(&here) {
                ring.push(self.crossing(here));
                here = after;
            }
            ring.push(ring[0]);
            rings.push(LineString(ring));
        }
        rings
    }
}
