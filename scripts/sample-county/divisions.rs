//! The sixteen townships: a partition of the county along the ridges between their valleys.
//!
//! Borders start as the bisectors between a few hand-set centers (several per township), cut by the outline and
//! by each other into one network of shared lines, which is then bent as a whole by smooth noise. Neighbors
//! therefore share every vertex, and the outline is the county's own.

use std::collections::{BTreeMap, BTreeSet};

use geo::{Area, Coord, LineString, Polygon};

use crate::plane::{board, distance, heading, inside};
use crate::random::noise;
use crate::terrain::Terrain;

/// A township before its border is drawn.
pub(crate) struct Seat {
    /// The six digits after 350124.
    pub(crate) code: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// Position of its hall, in degrees.
    pub(crate) at: (f64, f64),
    /// Number of villages, and number of communities among them.
    pub(crate) villages: (usize, usize),
    /// Approximate population.
    pub(crate) people: f64,
    centers: &'static [(f64, f64)],
}

/// The townships in the order of their codes.
pub(crate) const SEATS: [Seat; 16] = [
    seat(
        "100000",
        "梅城镇",
        (118.859, 26.222),
        (20, 12),
        52_000.0,
        &[(118.867, 26.216), (118.882, 26.190), (118.905, 26.170)],
    ),
    seat(
        "101000",
        "梅溪镇",
        (118.842, 26.238),
        (22, 2),
        23_000.0,
        &[
            (118.836, 26.240),
            (118.862, 26.262),
            (118.905, 26.250),
            (118.950, 26.225),
            (118.985, 26.240),
            (118.900, 26.285),
            (118.810, 26.275),
        ],
    ),
    seat("102000", "白樟镇", (118.800, 26.205), (17, 2), 20_000.0, &[(118.800, 26.203), (118.815, 26.185)]),
    seat(
        "103000",
        "金沙镇",
        (118.740, 26.235),
        (16, 1),
        14_000.0,
        &[(118.740, 26.235), (118.695, 26.250), (118.655, 26.260)],
    ),
    seat("104000", "白中镇", (118.770, 26.140), (14, 2), 18_000.0, &[(118.775, 26.142), (118.800, 26.120)]),
    seat(
        "105000",
        "池园镇",
        (118.690, 26.135),
        (22, 2),
        27_000.0,
        &[(118.690, 26.135), (118.720, 26.150), (118.690, 26.165)],
    ),
    seat(
        "106000",
        "坂东镇",
        (118.745, 26.080),
        (30, 3),
        46_000.0,
        &[(118.745, 26.080), (118.775, 26.080), (118.700, 26.085)],
    ),
    seat("107000", "塔庄镇", (118.700, 26.030), (21, 1), 22_000.0, &[(118.702, 26.028), (118.708, 25.985)]),
    seat(
        "108000",
        "省璜镇",
        (118.625, 26.035),
        (20, 1),
        17_000.0,
        &[(118.625, 26.030), (118.570, 26.030), (118.640, 26.000)],
    ),
    seat(
        "109000",
        "雄江镇",
        (118.735, 26.335),
        (14, 1),
        8_000.0,
        &[(118.735, 26.340), (118.680, 26.350), (118.700, 26.320)],
    ),
    seat(
        "110000",
        "东桥镇",
        (118.870, 26.350),
        (24, 1),
        16_000.0,
        &[(118.870, 26.348), (118.820, 26.370), (118.915, 26.340), (118.835, 26.320)],
    ),
    seat("200000", "云龙乡", (118.850, 26.165), (13, 1), 11_000.0, &[(118.850, 26.160), (118.875, 26.115)]),
    seat(
        "201000",
        "上莲乡",
        (118.610, 26.115),
        (16, 0),
        9_000.0,
        &[(118.610, 26.115), (118.570, 26.100), (118.635, 26.165)],
    ),
    seat("204000", "三溪乡", (118.775, 26.005), (16, 0), 11_000.0, &[(118.775, 26.000), (118.815, 26.010)]),
    seat("205000", "桔林乡", (118.935, 26.455), (13, 0), 7_000.0, &[(118.938, 26.465), (118.900, 26.470)]),
    seat("206000", "下祝乡", (118.900, 26.405), (14, 0), 8_000.0, &[(118.905, 26.405), (118.860, 26.425)]),
];

const fn seat(
    code: &'static str,
    name: &'static str,
    at: (f64, f64),
    villages: (usize, usize),
    people: f64,
    centers: &'static [(f64, f64)],
) -> Seat {
    Seat { code, name, at, villages, people, centers }
}

/// The border of every township, in the order of the seats, and the border of the county made of the same vertices.
pub(crate) struct Borders {
    /// One polygon per seat.
    pub(crate) townships: Vec<Polygon<f64>>,
    /// The county.
    pub(crate) county: Polygon<f64>,
}

/// Draws the borders.
pub(crate) fn borders(terrain: &Terrain) -> Borders {
    let mut net = Net::default();
    let mut outline = net.outline(&terrain.outline, &bisectors());
    outline.push(outline[0]);
    let faces = net.faces();
    let bend = |index: &usize| bent(terrain, net.points[*index]);
    let townships = SEATS.iter().map(|seat| {
        let (lon, lat) = seat.centers[0];
        let face = faces.iter().find(|face| {
            let ring: Vec<_> = face.iter().map(|&index| net.points[index]).collect();
            inside(&ring, board(lon, lat))
        });
        let ring: Vec<_> = face.into_iter().flatten().map(bend).collect();
        Polygon::new(LineString(ring), vec![])
    });
    Borders {
        townships: townships.collect(),
        county: Polygon::new(LineString(outline.iter().map(bend).collect()), vec![]),
    }
}

/// A smooth bending of the whole plane that leaves the outline where it is.
fn bent(terrain: &Terrain, at: Coord<f64>) -> Coord<f64> {
    let hold = (terrain.depth_m(at) / 2500.0).clamp(0.0, 1.0);
    let sway = |seed| hold * (640.0 * noise(seed, at, 3400.0) + 170.0 * noise(seed + 1, at, 1000.0));
    at + Coord { x: sway(60), y: sway(70) }
}

/// The lines halfway between centers of different townships.
fn bisectors() -> Vec<(Coord<f64>, Coord<f64>)> {
    let centers: Vec<(usize, Coord<f64>)> = SEATS
        .iter()
        .enumerate()
        .flat_map(|(owner, seat)| seat.centers.iter().map(move |&(lon, lat)| (owner, board(lon, lat))))
        .collect();
    let mut lines = Vec::new();
    for (index, &(owner, here)) in centers.iter().enumerate() {
        for &(other, there) in &centers[index + 1..] {
            if owner == other {
                continue;
            }
            let middle = (here + there) * 0.5;
            let across = Coord { x: here.y - there.y, y: there.x - here.x } / distance(here, there);
            let (mut from, mut to) = (-90_000.0_f64, 90_000.0_f64);
            for &(_, third) in &centers {
                if third == here || third == there {
                    continue;
                }
                // Along the bisector, nearer to `here` than to `third` means a * t <= b.
                let a = 2.0 * (across.x * (third.x - here.x) + across.y * (third.y - here.y));
                let b = distance(third, middle).powi(2) - distance(here, middle).powi(2);
                if a > 0.0 {
                    to = to.min(b / a);
                } else if a < 0.0 {
                    from = from.max(b / a);
                }
            }
            if to - from > 1.0 {
                lines.push((middle + across * from, middle + across * to));
            }
        }
    }
    lines
}

/// The network of borders: points, and which are joined.
#[derive(Default)]
struct Net {
    points: Vec<Coord<f64>>,
    joined: BTreeMap<usize, Vec<usize>>,
}

impl Net {
    /// The index of a point, an existing one if it is nearer than a meter.
    fn point(&mut self, at: Coord<f64>) -> usize {
        if let Some(index) = self.points.iter().position(|&known| distance(known, at) < 1.0) {
            return index;
        }
        self.points.push(at);
        self.points.len() - 1
    }

    fn join(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            let ends = self.joined.entry(from).or_default();
            if from != to && !ends.contains(&to) {
                ends.push(to);
            }
        }
    }

    /// Cuts borders and outline by each other and joins all pieces; the outline comes back as indices.
    fn outline(&mut self, outline: &[Coord<f64>], borders: &[(Coord<f64>, Coord<f64>)]) -> Vec<usize> {
        let mut cuts: Vec<Vec<f64>> = vec![vec![0.0, 1.0]; borders.len()];
        let mut ring = Vec::new();
        for (index, &a) in outline.iter().enumerate() {
            let b = outline[(index + 1) % outline.len()];
            let mut shares = vec![0.0];
            for (cut, &(c, d)) in cuts.iter_mut().zip(borders) {
                if let Some((on_side, on_border)) = crossing((a, b), (c, d)) {
                    shares.push(on_side);
                    cut.push(on_border);
                }
            }
            shares.sort_by(f64::total_cmp);
            ring.extend(shares.iter().map(|&share| a + (b - a) * share));
        }
        let mut ring: Vec<_> = ring.into_iter().map(|at| self.point(at)).collect();
        ring.dedup();
        for index in 0..ring.len() {
            self.join(ring[index], ring[(index + 1) % ring.len()]);
        }
        for (cut, &(c, d)) in cuts.iter_mut().zip(borders) {
            cut.sort_by(f64::total_cmp);
            for pair in cut.windows(2) {
                let ends = (c + (d - c) * pair[0], c + (d - c) * pair[1]);
                if inside(outline, (ends.0 + ends.1) * 0.5) {
                    self.run(ends.0, ends.1);
                }
            }
        }
        ring
    }

    /// Joins two ends by a run of points a few hundred meters apart.
    fn run(&mut self, from: Coord<f64>, to: Coord<f64>) {
        let parts = (distance(from, to) / 430.0).ceil().max(1.0);
        let mut before = self.point(from);
        let mut part = 1.0;
        while part <= parts {
            let next = self.point(from + (to - from) * (part / parts));
            self.join(before, next);
            before = next;
            part += 1.0;
        }
    }

    /// The faces of the network, counter-clockwise: at every point turn into the next line to the right.
    fn faces(&self) -> Vec<Vec<usize>> {
        let mut unseen: BTreeSet<(usize, usize)> =
            self.joined.iter().flat_map(|(&a, ends)| ends.iter().map(move |&b| (a, b))).collect();
        let mut faces = Vec::new();
        while let Some(&first) = unseen.first() {
            let mut face = Vec::new();
            let mut here = first;
            while unseen.remove(&here) {
                face.push(here.0);
                here = (here.1, self.turn(here.0, here.1));
            }
            face.push(face[0]);
            let ring = LineString(face.iter().map(|&index| self.points[index]).collect());
            if Polygon::new(ring, vec![]).signed_area() > 0.0 {
                faces.push(face);
            }
        }
        faces
    }

    fn turn(&self, from: usize, via: usize) -> usize {
        let back = heading(self.points[via], self.points[from]);
        let right = |to: usize| {
            let angle = (back - heading(self.points[via], self.points[to])).rem_euclid(std::f64::consts::TAU);
            if to == from { std::f64::consts::TAU } else { angle }
        };
        self.joined[&via].iter().copied().min_by(|&a, &b| right(a).total_cmp(&right(b))).unwrap_or(from)
    }
}

/// Where two segments cross, as a fraction of each.
fn crossing((a, b): (Coord<f64>, Coord<f64>), (c, d): (Coord<f64>, Coord<f64>)) -> Option<(f64, f64)> {
    let (one, two, gap) = (b - a, d - c, c - a);
    let cross = one.x * two.y - one.y * two.x;
    let on_one = (gap.x * two.y - gap.y * two.x) / cross;
    let on_two = (gap.x * one.y - gap.y * one.x) / cross;
    let within = |share: f64| share > 0.0 && share < 1.0;
    (within(on_one) && within(on_two)).then_some((on_one, on_two))
}
