//! The hand-drawn terrain: the outline of the county, the rivers, and the side creeks of their valleys.
//!
//! Drawn by eye as a sketch of a mountain county. It follows no survey and no published data set; use it to try the
//! program, never for navigation or to determine a boundary.

use std::f64::consts::PI;

use geo::{Coord, Rect};
use rstar::RTree;
use rstar::primitives::{GeomWithData, Line as Segment};

use crate::plane::{Line, Through, board, distance, inside, step};
use crate::random::{Random, noise};

/// The outline, clockwise from the northern tip.
const OUTLINE: [(f64, f64); 109] = [
    (118.968, 26.532),
    (118.985, 26.521),
    (118.991, 26.502),
    (118.983, 26.487),
    (118.997, 26.470),
    (119.003, 26.449),
    (118.992, 26.434),
    (118.999, 26.415),
    (118.987, 26.398),
    (118.968, 26.389),
    (118.971, 26.371),
    (118.955, 26.356),
    (118.949, 26.337),
    (118.962, 26.321),
    (118.958, 26.303),
    (118.972, 26.290),
    (118.993, 26.281),
    (119.011, 26.266),
    (119.019, 26.247),
    (119.006, 26.231),
    (119.010, 26.213),
    (118.994, 26.199),
    (118.981, 26.183),
    (118.966, 26.176),
    (118.958, 26.159),
    (118.941, 26.151),
    (118.936, 26.133),
    (118.921, 26.121),
    (118.907, 26.124),
    (118.893, 26.109),
    (118.898, 26.091),
    (118.885, 26.078),
    (118.869, 26.071),
    (118.862, 26.053),
    (118.868, 26.036),
    (118.853, 26.022),
    (118.838, 26.017),
    (118.833, 25.999),
    (118.839, 25.982),
    (118.824, 25.969),
    (118.808, 25.967),
    (118.797, 25.951),
    (118.781, 25.944),
    (118.768, 25.929),
    (118.751, 25.921),
    (118.737, 25.930),
    (118.731, 25.947),
    (118.716, 25.956),
    (118.703, 25.948),
    (118.690, 25.960),
    (118.683, 25.976),
    (118.666, 25.979),
    (118.651, 25.971),
    (118.636, 25.978),
    (118.622, 25.969),
    (118.605, 25.975),
    (118.592, 25.966),
    (118.576, 25.974),
    (118.566, 25.990),
    (118.549, 25.992),
    (118.534, 26.004),
    (118.519, 26.010),
    (118.514, 26.026),
    (118.526, 26.040),
    (118.524, 26.058),
    (118.539, 26.069),
    (118.543, 26.087),
    (118.535, 26.104),
    (118.545, 26.121),
    (118.541, 26.139),
    (118.556, 26.152),
    (118.573, 26.157),
    (118.583, 26.172),
    (118.599, 26.179),
    (118.609, 26.195),
    (118.604, 26.213),
    (118.618, 26.227),
    (118.636, 26.233),
    (118.642, 26.251),
    (118.634, 26.268),
    (118.643, 26.285),
    (118.637, 26.303),
    (118.625, 26.318),
    (118.631, 26.336),
    (118.621, 26.352),
    (118.630, 26.369),
    (118.648, 26.378),
    (118.661, 26.393),
    (118.680, 26.400),
    (118.697, 26.411),
    (118.716, 26.408),
    (118.731, 26.397),
    (118.749, 26.399),
    (118.762, 26.388),
    (118.781, 26.391),
    (118.795, 26.404),
    (118.790, 26.421),
    (118.806, 26.433),
    (118.823, 26.431),
    (118.833, 26.446),
    (118.851, 26.452),
    (118.856, 26.470),
    (118.871, 26.480),
    (118.886, 26.475),
    (118.896, 26.489),
    (118.911, 26.497),
    (118.918, 26.514),
    (118.936, 26.517),
    (118.950, 26.528),
];

/// The rivers: name, half the width of the water in meters, and the points they pass.
/// A river that is not the first ends in the one before it that its last point is nearest to.
const RIVERS: [(&str, f64, Through); 14] = [
    (
        "闽江",
        190.0,
        &[
            (118.585, 26.372),
            (118.645, 26.362),
            (118.690, 26.352),
            (118.728, 26.343),
            (118.765, 26.318),
            (118.795, 26.288),
            (118.822, 26.262),
            (118.851, 26.246),
            (118.885, 26.238),
            (118.918, 26.222),
            (118.952, 26.215),
            (118.985, 26.205),
            (119.030, 26.212),
        ],
    ),
    (
        "梅溪",
        45.0,
        &[
            (118.552, 26.020),
            (118.585, 26.030),
            (118.620, 26.029),
            (118.660, 26.021),
            (118.696, 26.024),
            (118.724, 26.050),
            (118.738, 26.077),
            (118.760, 26.108),
            (118.776, 26.138),
            (118.789, 26.172),
            (118.807, 26.199),
            (118.829, 26.214),
            (118.848, 26.222),
            (118.854, 26.234),
            (118.852, 26.246),
        ],
    ),
    (
        "芝溪",
        22.0,
        &[
            (118.560, 26.138),
            (118.584, 26.122),
            (118.608, 26.120),
            (118.640, 26.127),
            (118.672, 26.131),
            (118.694, 26.129),
            (118.725, 26.119),
            (118.748, 26.112),
            (118.763, 26.112),
        ],
    ),
    (
        "三溪",
        18.0,
        &[
            (118.758, 25.945),
            (118.766, 25.975),
            (118.771, 26.004),
            (118.764, 26.035),
            (118.752, 26.060),
            (118.740, 26.078),
        ],
    ),
    (
        "金沙溪",
        20.0,
        &[
            (118.655, 26.262),
            (118.690, 26.252),
            (118.722, 26.240),
            (118.743, 26.231),
            (118.772, 26.216),
            (118.806, 26.199),
        ],
    ),
    (
        "云龙溪",
        16.0,
        &[
            (118.880, 26.092),
            (118.870, 26.110),
            (118.858, 26.135),
            (118.847, 26.165),
            (118.838, 26.190),
            (118.842, 26.219),
        ],
    ),
    (
        "东桥溪",
        22.0,
        &[
            (118.958, 26.505),
            (118.947, 26.475),
            (118.931, 26.452),
            (118.915, 26.430),
            (118.904, 26.408),
            (118.890, 26.383),
            (118.874, 26.354),
            (118.862, 26.325),
            (118.850, 26.295),
            (118.838, 26.272),
            (118.835, 26.255),
        ],
    ),
    ("雄江溪", 14.0, &[(118.708, 26.400), (118.727, 26.370), (118.732, 26.341)]),
    ("北洋溪", 12.0, &[(118.782, 26.382), (118.800, 26.352), (118.797, 26.318), (118.799, 26.284)]),
    ("东山溪", 12.0, &[(118.950, 26.285), (118.932, 26.256), (118.919, 26.222)]),
    ("洋中溪", 12.0, &[(118.704, 25.962), (118.712, 25.988), (118.703, 26.008), (118.700, 26.026)]),
    ("北坑溪", 12.0, &[(118.652, 26.212), (118.664, 26.186), (118.676, 26.160), (118.688, 26.130)]),
    ("东坑溪", 12.0, &[(118.826, 25.980), (118.812, 26.000), (118.792, 26.008), (118.770, 26.014)]),
    ("南坑溪", 12.0, &[(118.655, 26.072), (118.681, 26.098), (118.694, 26.129)]),
];

/// A river or creek.
pub(crate) struct Stream {
    /// Its name; creeks have none.
    pub(crate) name: &'static str,
    /// Its course, downstream.
    pub(crate) course: Line,
    /// Half the width of the water.
    pub(crate) half_width_m: f64,
}

impl Stream {
    /// Minimum distance of buildings from the middle of the stream.
    pub(crate) fn clearance_m(&self) -> f64 {
        self.half_width_m * 1.3 + 60.0
    }

    /// Extent of the flat ground from the middle of the stream.
    pub(crate) fn floor_m(&self) -> f64 {
        self.clearance_m() + 60.0 + self.half_width_m.min(60.0) * 11.0
    }
}

/// The land without settlements.
pub(crate) struct Terrain {
    /// The outline of the county, counter-clockwise, not closed.
    pub(crate) outline: Vec<Coord<f64>>,
    /// Rivers first, then creeks.
    pub(crate) streams: Vec<Stream>,
    water: RTree<GeomWithData<Segment<[f64; 2]>, usize>>,
    border: RTree<Segment<[f64; 2]>>,
}

impl Terrain {
    /// Draws the land.
    pub(crate) fn draw() -> Self {
        let outline: Vec<_> = OUTLINE.iter().rev().map(|&(lon, lat)| board(lon, lat)).collect();
        let mut streams: Vec<Stream> = Vec::new();
        for (order, &(name, half_width_m, through)) in RIVERS.iter().enumerate() {
            let mut course = meander(order as u64, half_width_m, through);
            if let Some(mouth) = mouth(&streams, &course) {
                course.0.push(mouth);
            }
            streams.push(Stream { name, course, half_width_m });
        }
        collect_creeks(&outline, &mut streams);
        let water = RTree::bulk_load(
            streams
                .iter()
                .enumerate()
                .flat_map(|(index, stream)| {
                    stream.course.0.windows(2).map(move |pair| GeomWithData::new(segment(pair[0], pair[1]), index))
                })
                .collect(),
        );
        let closed = outline.iter().zip(outline.iter().cycle().skip(1));
        let border = RTree::bulk_load(closed.map(|(&a, &b)| segment(a, b)).collect());
        Self { outline, streams, water, border }
    }

    /// The box around the county.
    pub(crate) fn frame(&self) -> Rect<f64> {
        let mut frame = Rect::new(self.outline[0], self.outline[0]);
        for corner in &self.outline {
            frame = Rect::new(
                Coord { x: frame.min().x.min(corner.x), y: frame.min().y.min(corner.y) },
                Coord { x: frame.max().x.max(corner.x), y: frame.max().y.max(corner.y) },
            );
        }
        frame
    }

    /// Distance from the outline; negative outside.
    pub(crate) fn depth_m(&self, at: Coord<f64>) -> f64 {
        let away = self
            .border
            .nearest_neighbor([at.x, at.y])
            .map_or(0.0, |side| rstar::PointDistance::distance_2(side, &[at.x, at.y]).sqrt());
        if inside(&self.outline, at) { away } else { -away }
    }

    /// The nearest stream and the distance to its middle.
    pub(crate) fn stream(&self, at: Coord<f64>) -> (&Stream, f64) {
        let point = [at.x, at.y];
        let nearest = self.water.nearest_neighbor(point);
        nearest.map_or((&self.streams[0], f64::INFINITY), |near| {
            (&self.streams[near.data], rstar::PointDistance::distance_2(near, &point).sqrt())
        })
    }

    /// Whether a feature may be here: well within the county and outside every river and creek.
    pub(crate) fn dry(&self, at: Coord<f64>) -> bool {
        if self.depth_m(at) < 150.0 {
            return false;
        }
        let reach = 360.0_f64;
        self.water.locate_within_distance([at.x, at.y], reach * reach).all(|near| {
            rstar::PointDistance::distance_2(near, &[at.x, at.y]).sqrt() >= self.streams[near.data].clearance_m()
        })
    }

    /// Whether a point lies on the slopes above the flat ground.
    pub(crate) fn slope(&self, at: Coord<f64>) -> bool {
        let (stream, off_m) = self.stream(at);
        off_m > stream.floor_m()
    }

    /// The river of a name.
    pub(crate) fn river(&self, name: &str) -> &Stream {
        self.streams.iter().find(|stream| stream.name == name).unwrap_or(&self.streams[0])
    }
}

fn segment(a: Coord<f64>, b: Coord<f64>) -> Segment<[f64; 2]> {
    Segment::new([a.x, a.y], [b.x, b.y])
}

/// A river through its points, swinging a little to both sides.
fn meander(order: u64, half_width_m: f64, through: &[(f64, f64)]) -> Line {
    let through: Vec<_> = through.iter().map(|&(lon, lat)| board(lon, lat)).collect();
    let swing = 260.0 + half_width_m * 1.6;
    let wave = 950.0 + half_width_m * 15.0;
    let course = Line::smooth(&through, 110.0 + half_width_m * 0.6);
    let end = course.0[course.0.len() - 1];
    course.beside_at(|at| {
        let hold = (distance(at, end) / 700.0).min(1.0);
        hold * (swing * noise(40 + order, at, wave) + 0.3 * swing * noise(80 + order, at, wave * 0.45))
    })
}

/// Where a river that ends here flows into one drawn before.
fn mouth(streams: &[Stream], course: &Line) -> Option<Coord<f64>> {
    let end = course.0[course.0.len() - 1];
    let parent = streams.iter().min_by(|a, b| a.course.beside(end).off_m.total_cmp(&b.course.beside(end).off_m))?;
    Some(parent.course.at(parent.course.beside(end).along_m).0)
}

/// Side valleys: every few kilometers a creek comes down to the river from one side, then from the other.
fn collect_creeks(outline: &[Coord<f64>], streams: &mut Vec<Stream>) {
    let mut random = Random::of("creeks");
    for generation in 0..2 {
        let parents: Vec<_> = streams
            .iter()
            .filter(|stream| generation == 0 || stream.name.is_empty())
            .map(|stream| stream.course.clone())
            .collect();
        for parent in parents {
            let mut along = random.between(600.0, 1800.0);
            let mut side = if random.chance(0.5) { 1.0 } else { -1.0 };
            while along < parent.length() - 500.0 {
                if let Some(course) = creek(&mut random, outline, streams, parent.at(along), side) {
                    streams.push(Stream { name: "", course, half_width_m: 6.0 });
                }
                side = -side;
                along += random.between(900.0, 2100.0);
            }
        }
    }
}

/// A creek that climbs away from its mouth until it comes near another stream or the county border.
fn creek(
    random: &mut Random,
    outline: &[Coord<f64>],
    streams: &[Stream],
    mouth: (Coord<f64>, f64),
    side: f64,
) -> Option<Line> {
    let mut angle = mouth.1 + side * random.between(0.32, 0.62) * PI;
    let mut climb = vec![mouth.0];
    let longest = random.between(2600.0, 7500.0);
    let mut length = 0.0;
    while length < longest {
        angle += random.between(-0.28, 0.28);
        let next = step(climb[climb.len() - 1], angle, 300.0);
        let crowded = streams.iter().any(|stream| {
            let off_m = stream.course.beside(next).off_m;
            off_m < 900.0 && off_m < 0.8 * distance(next, mouth.0)
        });
        if crowded || !inside(outline, next) || !inside(outline, step(next, angle, 500.0)) {
            break;
        }
        climb.push(next);
        length += 300.0;
    }
    if length < 1200.0 {
        return None;
    }
    climb.reverse();
    Some(Line::smooth(&climb, 150.0))
}
