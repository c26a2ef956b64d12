//! Makes areas valid on the integer grid of a tile.

use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay::{IntOverlayOptions, Overlay};
use i_overlay::core::solver::Solver;
use i_overlay::i_float::int::point::IntPoint;

use super::clip::TilePoint;

/// Resolves the crossings and shared edges that simplification, clipping and snapping leave in rings. Exteriors are
/// clockwise on screen and interiors counter-clockwise; so are those of the result, each exterior followed by its
/// interiors, and valid by OGC 06-103r4, 6.1.11.1. Positions on a straight edge are removed.
pub(super) fn valid_areas(rings: Vec<Vec<TilePoint>>) -> Vec<Vec<TilePoint>> {
    if rings.is_empty() {
        return rings;
    }
    let shape: Vec<Vec<IntPoint>> =
        rings.iter().map(|ring| ring.iter().map(|(x, y)| IntPoint::new(*x, *y)).collect()).collect();
    let count = shape.iter().map(Vec::len).sum();
    let mut overlay = Overlay::new_custom(count, IntOverlayOptions::ogc(), Solver::default());
    // `None` means that the only ring is valid without changes.
    let Some(areas) = overlay.simplify_shape(&shape, FillRule::Positive) else { return rings };
    // An interior that touches its exterior may be returned with the winding of an exterior.
    let wind =
        |(at, ring): (usize, Vec<IntPoint>)| clockwise(ring.into_iter().map(|at| (at.x, at.y)).collect(), at == 0);
    areas.into_iter().flat_map(|area| area.into_iter().enumerate().map(wind)).collect()
}

/// Areas one unit wide along paths: the rendering of an area thinner than a unit.
pub(super) fn thin_areas(paths: &[Vec<TilePoint>]) -> Vec<Vec<TilePoint>> {
    let square = |(x, y): TilePoint| vec![(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)];
    let strip = |from: TilePoint, to: TilePoint| {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let (right, down) = if dx.abs() >= dy.abs() { (0, 1) } else { (1, 0) };
        clockwise(vec![from, to, (to.0 + right, to.1 + down), (from.0 + right, from.1 + down)], true)
    };
    let strips = paths.iter().flat_map(|path| match path.as_slice() {
        [only] => vec![square(*only)],
        path => path.windows(2).map(|pair| strip(pair[0], pair[1])).collect(),
    });
    valid_areas(strips.collect())
}

/// Orients a ring clockwise on screen, or counter-clockwise. With y southward a clockwise ring has a positive area.
pub(super) fn clockwise(mut ring: Vec<TilePoint>, clockwise: bool) -> Vec<TilePoint> {
    if (doubled_area(&ring) > 0) != clockwise {
        ring.reverse();
    }
    ring
}

/// Twice the signed area of a ring, square units.
pub(super) fn doubled_area(ring: &[TilePoint]) -> i64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1)).sum()
}
