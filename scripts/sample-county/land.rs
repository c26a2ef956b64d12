//! Settlements: townships and villages on the terrain, and dry positions for all other features.

use geo::{Coord, Polygon};

use crate::divisions::{self, SEATS};
use crate::plane::{Line, board, covers, distance, heading, step};
use crate::random::Random;
use crate::terrain::Terrain;
use crate::villages::{self, Village};

/// The base of all later layers.
pub(crate) struct Land {
    /// Rivers and the outline.
    pub(crate) terrain: Terrain,
    /// Borders of the townships, in the order of [`SEATS`].
    pub(crate) townships: Vec<Polygon<f64>>,
    /// Border of the county.
    pub(crate) county: Polygon<f64>,
    /// Positions of the township halls.
    pub(crate) halls: Vec<Coord<f64>>,
    /// All villages, by township.
    pub(crate) villages: Vec<Village>,
}

/// A dry spot and the village it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Position.
    pub(crate) at: Coord<f64>,
    /// Index of the village.
    pub(crate) village: usize,
}

/// Centres of the industrial estates, in degrees.
const ESTATES: [(f64, f64); 7] = [
    (118.797, 26.187),
    (118.764, 26.152),
    (118.709, 26.136),
    (118.757, 26.093),
    (118.842, 26.182),
    (118.766, 26.226),
    (118.815, 26.249),
];

impl Land {
    /// Generates terrain and settlements.
    pub(crate) fn settle() -> Self {
        let terrain = Terrain::draw();
        let borders = divisions::borders(&terrain);
        let halls = SEATS.iter().map(|seat| nearest_dry(&terrain, board(seat.at.0, seat.at.1))).collect();
        let mut land =
            Self { terrain, townships: borders.townships, county: borders.county, halls, villages: Vec::new() };
        land.villages = villages::settle(&land);
        land
    }

    /// The parts of a line that are at least `depth_m` metres inside the county.
    pub(crate) fn within(&self, line: &Line, depth_m: f64) -> Vec<Line> {
        let runs = line.0.split(|&at| self.terrain.depth_m(at) < depth_m);
        runs.filter(|run| run.len() >= 2).map(|run| Line(run.to_vec())).collect()
    }

    /// The township in which a point lies; the one with the nearest hall for points outside all.
    pub(crate) fn township(&self, at: Coord<f64>) -> usize {
        let within = self.townships.iter().position(|area| covers(area, at));
        within.unwrap_or_else(|| nearest(self.halls.iter().copied(), at))
    }

    /// The village a point belongs to: the nearest one of its township.
    pub(crate) fn village(&self, at: Coord<f64>) -> usize {
        let township = self.township(at);
        let mut best = (f64::INFINITY, 0);
        for (index, village) in self.villages.iter().enumerate() {
            let away = distance(village.at, at);
            if village.township == township && away < best.0 {
                best = (away, index);
            }
        }
        best.1
    }

    /// The place at a point.
    pub(crate) fn place(&self, at: Coord<f64>) -> Place {
        Place { at, village: self.village(at) }
    }

    /// The code of the township of a point.
    pub(crate) fn township_code(&self, at: Coord<f64>) -> String {
        format!("350124{}", SEATS[self.township(at)].code)
    }

    /// A dry place between two distances from a point; farther if need be.
    pub(crate) fn near(&self, random: &mut Random, from: Coord<f64>, low_m: f64, high_m: f64) -> Place {
        let mut reach = high_m;
        loop {
            for _ in 0..24 {
                let at = step(from, random.between(0.0, std::f64::consts::TAU), random.between(low_m, reach));
                if self.terrain.dry(at) {
                    return self.place(at);
                }
            }
            reach *= 1.3;
        }
    }

    /// A dry place that belongs to one village, a few hundred meters from its middle at most.
    pub(crate) fn in_village(&self, random: &mut Random, village: usize, reach_m: f64) -> Place {
        for _ in 0..60 {
            let place = self.near(random, self.villages[village].at, 15.0, reach_m);
            if place.village == village {
                return place;
            }
        }
        Place { at: self.villages[village].at, village }
    }

    /// A place in any village, the larger the likelier.
    pub(crate) fn in_any_village(&self, random: &mut Random) -> Place {
        let weights: Vec<_> = self.villages.iter().map(Village::weight).collect();
        let village = random.weighted(&weights);
        self.in_village(random, village, 420.0)
    }

    /// A place in a township's town.
    pub(crate) fn in_town(&self, random: &mut Random, township: usize) -> Place {
        let spread = if township == 0 { (900.0, 520.0) } else { (430.0, 250.0) };
        self.strewn(random, self.halls[township], spread)
    }

    /// The centre of the village with the township's hall.
    pub(crate) fn near_hall(&self, random: &mut Random, township: usize) -> Coord<f64> {
        loop {
            let at =
                step(self.halls[township], random.between(0.0, std::f64::consts::TAU), random.between(80.0, 320.0));
            if self.terrain.dry(at) && covers(&self.townships[township], at) {
                return at;
            }
        }
    }

    /// A random place around a centre, denser inside, spread farther along the valley than across it.
    fn strewn(&self, random: &mut Random, middle: Coord<f64>, (along_m, across_m): (f64, f64)) -> Place {
        let valley = self.valley(middle);
        for _ in 0..60 {
            let at = step(middle, valley, along_m * random.bell());
            let at = step(at, valley + std::f64::consts::FRAC_PI_2, across_m * random.bell());
            if self.terrain.dry(at) {
                return self.place(at);
            }
        }
        self.near(random, middle, 20.0, along_m)
    }

    /// A place in any town, the larger the likelier.
    pub(crate) fn in_any_town(&self, random: &mut Random) -> Place {
        let weights: Vec<_> = SEATS.iter().map(|seat| seat.people.powf(1.25)).collect();
        let township = random.weighted(&weights);
        self.in_town(random, township)
    }

    /// A place on an industrial estate.
    pub(crate) fn on_estate(&self, random: &mut Random) -> Place {
        let &(lon, lat) = random.pick(&ESTATES);
        self.strewn(random, board(lon, lat), (620.0, 190.0))
    }

    /// A place on the slopes, away from every valley floor.
    pub(crate) fn on_slope(&self, random: &mut Random) -> Place {
        loop {
            let village = random.index(self.villages.len());
            let place = self.near(random, self.villages[village].at, 300.0, 2600.0);
            if self.terrain.slope(place.at) {
                return place;
            }
        }
    }

    /// A place on the bank of one of the named rivers.
    pub(crate) fn on_bank(&self, random: &mut Random) -> Place {
        let rivers: Vec<_> = self.terrain.streams.iter().filter(|stream| !stream.name.is_empty()).collect();
        let weights: Vec<_> =
            rivers.iter().map(|stream| stream.course.length() * (40.0 + 0.4 * stream.half_width_m)).collect();
        loop {
            let river = rivers[random.weighted(&weights)];
            let (at, angle) = river.course.at(random.unit() * river.course.length());
            let side = if random.chance(0.5) { 1.0 } else { -1.0 };
            let off_m = river.clearance_m() + 2.0 + 220.0 * random.unit().powi(2);
            let bank = step(at, angle + side * std::f64::consts::FRAC_PI_2, off_m);
            if self.terrain.dry(bank) {
                return self.place(bank);
            }
        }
    }

    /// The direction of the valley at a point.
    pub(crate) fn valley(&self, at: Coord<f64>) -> f64 {
        let course = &self.terrain.stream(at).0.course;
        let along = course.beside(at).along_m;
        heading(course.at(along - 400.0).0, course.at(along + 400.0).0)
    }

    /// The name of a village without its kind, for names of features in it.
    pub(crate) fn stem(&self, village: usize) -> &str {
        let name = &self.villages[village].name;
        name.strip_suffix('村').or_else(|| name.strip_suffix("社区")).unwrap_or(name)
    }
}

/// The index of the nearest of several points.
pub(crate) fn nearest(points: impl Iterator<Item = Coord<f64>>, at: Coord<f64>) -> usize {
    let away = points.map(|point| distance(point, at)).enumerate();
    away.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(index, _)| index)
}

/// The dry point nearest to a wanted one.
fn nearest_dry(terrain: &Terrain, wanted: Coord<f64>) -> Coord<f64> {
    let mut reach = 0.0;
    loop {
        for turn in 0..16 {
            let at = step(wanted, f64::from(turn) * std::f64::consts::TAU / 16.0, reach);
            if terrain.dry(at) {
                return at;
            }
        }
        reach += 25.0;
    }
}
