//! The working plane in metres around the centre of the county, and lines in it.
//!
//! Coordinates are metres east and north of 118.77 E, 26.23 N, converted to degrees at the end. A sketch needs no
//! projection: one scale per axis is accurate to a few parts in ten thousand here.

use geo::{Coord, LineString, Polygon, SimplifyVw};

const MIDDLE: Coord<f64> = Coord { x: 118.77, y: 26.23 };
const METERS_PER_DEGREE: Coord<f64> = Coord { x: 99_880.0, y: 110_770.0 };

/// Points on a hand-drawn line: longitude, latitude.
pub(crate) type Through = &'static [(f64, f64)];

/// From degrees to the plane.
pub(crate) fn board(lon: f64, lat: f64) -> Coord<f64> {
    Coord { x: (lon - MIDDLE.x) * METERS_PER_DEGREE.x, y: (lat - MIDDLE.y) * METERS_PER_DEGREE.y }
}

/// From the plane to degrees, to six decimals.
pub(crate) fn degrees(at: Coord<f64>) -> Coord<f64> {
    Coord { x: six(at.x / METERS_PER_DEGREE.x + MIDDLE.x), y: six(at.y / METERS_PER_DEGREE.y + MIDDLE.y) }
}

fn six(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Straight distance.
pub(crate) fn distance(a: Coord<f64>, b: Coord<f64>) -> f64 {
    (a.x - b.x).hypot(a.y - b.y)
}

/// The point `meters` away in the direction of an angle, counted from east over north.
pub(crate) fn step(from: Coord<f64>, angle: f64, meters: f64) -> Coord<f64> {
    Coord { x: from.x + angle.cos() * meters, y: from.y + angle.sin() * meters }
}

/// The direction from one point to another.
pub(crate) fn heading(from: Coord<f64>, to: Coord<f64>) -> f64 {
    (to.y - from.y).atan2(to.x - from.x)
}

/// The place on a segment nearest to a point, as a fraction of the segment.
fn foot(at: Coord<f64>, a: Coord<f64>, b: Coord<f64>) -> f64 {
    let run = b - a;
    let square = run.x * run.x + run.y * run.y;
    if square == 0.0 {
        return 0.0;
    }
    (((at.x - a.x) * run.x + (at.y - a.y) * run.y) / square).clamp(0.0, 1.0)
}

/// A drawn line: at least two points.
#[derive(Clone, Debug)]
pub(crate) struct Line(pub(crate) Vec<Coord<f64>>);

/// The position of a point relative to a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside {
    /// Distance from the line.
    pub(crate) off_m: f64,
    /// Distance along the line.
    pub(crate) along_m: f64,
}

impl Line {
    /// A smooth line through a few points (Catmull-Rom), with a vertex about every `step_m`.
    pub(crate) fn smooth(through: &[Coord<f64>], step_m: f64) -> Self {
        let mut points = vec![through[0]];
        for index in 0..through.len() - 1 {
            let (b, c) = (through[index], through[index + 1]);
            let a = if index == 0 { b } else { through[index - 1] };
            let d = through.get(index + 2).copied().unwrap_or(c);
            let parts = (distance(b, c) / step_m).ceil().max(1.0);
            let mut part = 1.0;
            while part <= parts {
                points.push(spline([a, b, c, d], part / parts));
                part += 1.0;
            }
        }
        Self(points)
    }

    /// The line as a geometry, without the points that bend it by less than a triangle of `square_m2`.
    pub(crate) fn drawn(&self, square_m2: f64) -> LineString<f64> {
        LineString(self.0.clone()).simplify_vw(square_m2)
    }

    /// The length in meters.
    pub(crate) fn length(&self) -> f64 {
        self.0.windows(2).map(|pair| distance(pair[0], pair[1])).sum()
    }

    /// The point `along_m` from the start and the direction there.
    pub(crate) fn at(&self, along_m: f64) -> (Coord<f64>, f64) {
        let mut left = along_m.max(0.0);
        for pair in self.0.windows(2) {
            let piece = distance(pair[0], pair[1]);
            if left <= piece && piece > 0.0 {
                return (pair[0] + (pair[1] - pair[0]) * (left / piece), heading(pair[0], pair[1]));
            }
            left -= piece;
        }
        let end = self.0.len() - 1;
        (self.0[end], heading(self.0[end - 1], self.0[end]))
    }

    /// The same line with a vertex every `step_m`.
    pub(crate) fn resampled(&self, step_m: f64) -> Self {
        let parts = (self.length() / step_m).round().max(1.0);
        let mut points = Vec::new();
        let mut part = 0.0;
        while part <= parts {
            points.push(self.at(self.length() * part / parts).0);
            part += 1.0;
        }
        Self(points)
    }

    /// The stretch between two distances from the start.
    pub(crate) fn stretch(&self, from_m: f64, to_m: f64) -> Self {
        let mut points = vec![self.at(from_m).0];
        let mut along = 0.0;
        for pair in self.0.windows(2) {
            along += distance(pair[0], pair[1]);
            if along > from_m + 1.0 && along < to_m - 1.0 {
                points.push(pair[1]);
            }
        }
        points.push(self.at(to_m).0);
        Self(points)
    }

    /// The position of a point relative to the line.
    pub(crate) fn beside(&self, at: Coord<f64>) -> Beside {
        let mut best = Beside { off_m: f64::INFINITY, along_m: 0.0 };
        let mut along = 0.0;
        for pair in self.0.windows(2) {
            let share = foot(at, pair[0], pair[1]);
            let off_m = distance(at, pair[0] + (pair[1] - pair[0]) * share);
            let piece = distance(pair[0], pair[1]);
            if off_m < best.off_m {
                best = Beside { off_m, along_m: along + piece * share };
            }
            along += piece;
        }
        best
    }

    /// The line moved sideways, to the left for positive distances; `shift` may vary along it.
    pub(crate) fn beside_at(&self, mut shift: impl FnMut(Coord<f64>) -> f64) -> Self {
        let last = self.0.len() - 1;
        let moved = (0..=last).map(|index| {
            let here = self.0[index];
            let angle = heading(self.0[index.saturating_sub(1)], self.0[(index + 1).min(last)]);
            step(here, angle + std::f64::consts::FRAC_PI_2, shift(here))
        });
        Self(moved.collect())
    }
}

fn spline(p: [Coord<f64>; 4], t: f64) -> Coord<f64> {
    let (square, cube) = (t * t, t * t * t);
    (p[1] * 2.0
        + (p[2] - p[0]) * t
        + (p[0] * 2.0 - p[1] * 5.0 + p[2] * 4.0 - p[3]) * square
        + (p[1] * 3.0 - p[0] - p[2] * 3.0 + p[3]) * cube)
        * 0.5
}

/// Whether a point lies in a ring (even-odd rule).
pub(crate) fn inside(ring: &[Coord<f64>], at: Coord<f64>) -> bool {
    let mut within = false;
    let mut before = ring[ring.len() - 1];
    for &corner in ring {
        if (corner.y > at.y) != (before.y > at.y) {
            let cut = corner.x + (at.y - corner.y) / (before.y - corner.y) * (before.x - corner.x);
            within ^= at.x < cut;
        }
        before = corner;
    }
    within
}

/// Whether a point lies in a polygon and in none of its holes.
pub(crate) fn covers(area: &Polygon<f64>, at: Coord<f64>) -> bool {
    inside(&area.exterior().0, at) && !area.interiors().iter().any(|hole| inside(&hole.0, at))
}
