//! Roads: trunk roads along the valleys and over the passes, then a road from every village to the network.

use geo::Coord;
use rstar::RTree;

use crate::divisions::SEATS;
use crate::land::{Land, Place, nearest};
use crate::network::{Part, joined};
use crate::plane::{Line, Through, board, distance, heading, step};
use crate::random::{Random, noise};
use crate::sheet::{Row, Sheet};

/// One road section before it becomes a row.
struct Road {
    name: String,
    class: &'static str,
    oneway: bool,
    line: Line,
}

/// Distance of a road from the border of the county, metres.
const DEPTH_M: f64 = 40.0;

/// The road net.
pub(crate) struct Roads(Vec<Road>);

/// Valley roads along rivers: name, class, river, side.
const VALLEY_ROADS: [(&str, &str, &str, f64); 12] = [
    ("316国道闽江段", "national", "闽江", -1.0),
    ("省道梅溪线", "provincial", "梅溪", 1.0),
    ("省道芝溪线", "provincial", "芝溪", -1.0),
    ("县道三溪线", "county", "三溪", 1.0),
    ("县道金沙线", "county", "金沙溪", -1.0),
    ("县道云龙线", "county", "云龙溪", 1.0),
    ("省道东桥线", "provincial", "东桥溪", 1.0),
    ("县道雄江线", "county", "雄江溪", -1.0),
    ("县道北洋线", "county", "北洋溪", 1.0),
    ("县道南坑线", "county", "南坑溪", -1.0),
    ("县道洋中线", "county", "洋中溪", 1.0),
    ("县道北坑线", "county", "北坑溪", -1.0),
];

/// Roads over the passes: name, class, and the points they pass.
const PASS_ROADS: [(&str, &str, Through); 9] = [
    ("省璜至上莲县道", "county", &[(118.626, 26.033), (118.618, 26.060), (118.622, 26.088), (118.611, 26.117)]),
    (
        "金沙至池园县道",
        "county",
        &[(118.738, 26.233), (118.722, 26.205), (118.709, 26.180), (118.703, 26.158), (118.694, 26.132)],
    ),
    (
        "雄江至金沙县道",
        "county",
        &[(118.735, 26.337), (118.722, 26.312), (118.728, 26.288), (118.722, 26.262), (118.735, 26.237)],
    ),
    (
        "三溪至云龙县道",
        "county",
        &[
            (118.774, 26.006),
            (118.799, 26.030),
            (118.826, 26.052),
            (118.842, 26.085),
            (118.858, 26.120),
            (118.851, 26.163),
        ],
    ),
    ("塔庄至三溪县道", "county", &[(118.704, 26.027), (118.728, 26.015), (118.751, 26.012), (118.772, 26.008)]),
    ("东桥至北洋县道", "county", &[(118.872, 26.352), (118.846, 26.363), (118.822, 26.356), (118.803, 26.350)]),
    (
        "下祝至东桥西线县道",
        "county",
        &[(118.902, 26.407), (118.868, 26.412), (118.851, 26.392), (118.858, 26.368), (118.871, 26.353)],
    ),
    ("白中至云龙县道", "county", &[(118.776, 26.141), (118.800, 26.150), (118.824, 26.152), (118.846, 26.166)]),
    (
        "梅城至东部山区县道",
        "county",
        &[(118.861, 26.221), (118.884, 26.205), (118.909, 26.186), (118.930, 26.172), (118.944, 26.161)],
    ),
];

/// The middle of the expressway, from north to south.
const EXPRESSWAY: [(f64, f64); 10] = [
    (118.800, 26.415),
    (118.810, 26.375),
    (118.818, 26.330),
    (118.823, 26.290),
    (118.816, 26.255),
    (118.820, 26.228),
    (118.832, 26.200),
    (118.852, 26.175),
    (118.878, 26.145),
    (118.915, 26.105),
];

impl Roads {
    /// Builds the net.
    pub(crate) fn build(land: &Land) -> Self {
        let mut roads = Vec::new();
        expressway(land, &mut roads);
        for (name, class, river, side) in VALLEY_ROADS {
            let stream = land.terrain.river(river);
            let base = stream.clearance_m() + 45.0;
            let line = stream.course.beside_at(|at| side * (base + 40.0 + 40.0 * noise(510, at, 900.0)));
            sections(land, &mut roads, name, class, &ashore(land, river, &line.resampled(170.0)));
        }
        for (name, class, through) in PASS_ROADS {
            let through: Vec<_> = through.iter().map(|&(lon, lat)| board(lon, lat)).collect();
            sections(land, &mut roads, name, class, &winding(&through, 200.0, 130.0));
        }
        streets(land, &mut roads);
        village_ways(land, &mut roads);
        Self(roads)
    }

    /// A dry place beside some road.
    pub(crate) fn beside(&self, land: &Land, random: &mut Random) -> Place {
        loop {
            let road = random.pick(&self.0);
            if road.class == "expressway" {
                continue;
            }
            let (at, angle) = road.line.at(random.unit() * road.line.length());
            let off_m = random.between(12.0, 35.0) * if random.chance(0.5) { 1.0 } else { -1.0 };
            let at = step(at, angle + std::f64::consts::FRAC_PI_2, off_m);
            if land.terrain.dry(at) {
                return land.place(at);
            }
        }
    }

    /// The layer.
    pub(crate) fn sheet(&self, land: &Land) -> Sheet {
        let mut random = Random::of("road sheet");
        let mut limited = Random::of("road limits");
        let mut sheet = Sheet::new("roads");
        let part = |road: &Road| Part {
            line: road.line.drawn(500.0),
            is_expressway: road.class == "expressway",
            is_trunk: ["national", "provincial"].contains(&road.class),
        };
        let joined = joined(self.0.iter().map(part).collect());
        for (index, (road, joined)) in self.0.iter().zip(joined).enumerate() {
            let middle = road.line.at(road.line.length() / 2.0).0;
            let by_water = land.terrain.stream(middle).1 < 260.0 || land.terrain.slope(middle);
            let dangerous = road.class != "expressway" && by_water && random.chance(0.3);
            let name = sheet.fresh_name(&road.name);
            sheet.push(
                Row::new(format!("RD-{:04}", index + 1), name, land.township_code(middle), joined.line.into())
                    .with("class", road.class)
                    .with("status", "open")
                    .with("oneway", road.oneway && (joined.is_through || road.class == "expressway"))
                    .with("dangerous", dangerous)
                    .with_known("max_weight_t", weight_limit_t(road.class, &mut limited)),
            );
        }
        sheet
    }
}

/// The weight limit of a road: some township roads have a weak bridge.
fn weight_limit_t(class: &str, random: &mut Random) -> Option<f64> {
    let limit = *random.pick(&[10.0, 15.0, 20.0, 30.0]);
    (random.chance(0.15) && class == "township").then_some(limit)
}

/// A line through some points that winds as mountain roads do.
fn winding(through: &[Coord<f64>], step_m: f64, sway_m: f64) -> Line {
    let line = Line::smooth(through, step_m);
    let ends = (line.0[0], line.0[line.0.len() - 1]);
    line.beside_at(|at| {
        let hold = (distance(at, ends.0).min(distance(at, ends.1)) / 500.0).min(1.0);
        hold * (sway_m * noise(520, at, 700.0) + 0.6 * sway_m * noise(521, at, 330.0))
    })
}

/// The line without its end in the wider river into which its river flows.
fn ashore(land: &Land, river: &str, line: &Line) -> Line {
    let mut points = line.0.clone();
    while let Some(&end) = points.last() {
        let (stream, off_m) = land.terrain.stream(end);
        if stream.name == river || off_m > stream.clearance_m() {
            break;
        }
        points.pop();
    }
    Line(points)
}

/// Cuts a road into sections at township borders.
fn sections(land: &Land, roads: &mut Vec<Road>, name: &str, class: &'static str, line: &Line) {
    for part in land.within(line, DEPTH_M) {
        let mut section: Vec<Coord<f64>> = Vec::new();
        let mut owner = land.township(part.0[0]);
        for &at in &part.0 {
            section.push(at);
            let here = land.township(at);
            if here != owner && section.len() > 7 {
                roads.push(Road {
                    name: format!("{name}({})", SEATS[owner].name),
                    class,
                    oneway: false,
                    line: Line(section),
                });
                section = vec![at];
                owner = here;
            }
        }
        if section.len() >= 2 {
            roads.push(Road {
                name: format!("{name}({})", SEATS[owner].name),
                class,
                oneway: false,
                line: Line(section),
            });
        }
    }
}

fn expressway(land: &Land, roads: &mut Vec<Road>) {
    let through: Vec<_> = EXPRESSWAY.iter().map(|&(lon, lat)| board(lon, lat)).collect();
    let middle = Line::smooth(&through, 330.0);
    for (direction, side) in [("下行", -1.0), ("上行", 1.0)] {
        let mut line = middle.beside_at(|_| side * 14.0);
        if side > 0.0 {
            line.0.reverse();
        }
        for part in land.within(&line, DEPTH_M) {
            roads.push(Road {
                name: format!("高速公路闽清段{direction}"),
                class: "expressway",
                oneway: true,
                line: part,
            });
        }
    }
}

/// The main street of every town, and a second one where the town is large.
fn streets(land: &Land, roads: &mut Vec<Road>) {
    for (township, &hall) in land.halls.iter().enumerate() {
        for (index, line) in crate::streets::of_town(land, township).into_iter().enumerate() {
            let away = distance(hall, line.at(line.length() / 2.0).0);
            if away < 1500.0 {
                let name =
                    format!("{}{}", SEATS[township].name, crate::streets::NAMES[index % crate::streets::NAMES.len()]);
                roads.push(Road { name, class: "township", oneway: index % 9 == 7, line });
            }
        }
    }
}

/// Joins every village to the net, the nearest village first.
fn village_ways(land: &Land, roads: &mut Vec<Road>) {
    let known = roads
        .iter()
        .filter(|road| road.class != "expressway")
        .flat_map(|road| road.line.0.iter().map(|at| [at.x, at.y]));
    let mut net = RTree::bulk_load(known.collect::<Vec<[f64; 2]>>());
    let mut open: Vec<usize> = (0..land.villages.len()).collect();
    while !open.is_empty() {
        let target = |village: &usize| {
            let at = land.villages[*village].at;
            let near = net.nearest_neighbor([at.x, at.y]).map_or(at, |near| Coord { x: near[0], y: near[1] });
            (at, near)
        };
        let first = nearest_pair(open.iter().map(target));
        let village = open.swap_remove(first);
        let (at, near) = target(&village);
        if distance(at, near) < 40.0 {
            continue;
        }
        let line = way(land, near, at);
        for point in &line.0 {
            net.insert([point.x, point.y]);
        }
        let name = format!("{}{}公路", SEATS[land.villages[village].township].name, land.stem(village));
        roads.push(Road { name, class: "township", oneway: false, line });
    }
}

fn nearest_pair(pairs: impl Iterator<Item = (Coord<f64>, Coord<f64>)>) -> usize {
    nearest(pairs.map(|(a, b)| b - a), Coord { x: 0.0, y: 0.0 })
}

/// A way between two points, straighter if the winding one would leave the county.
fn way(land: &Land, from: Coord<f64>, to: Coord<f64>) -> Line {
    let length = distance(from, to);
    let bow = step(
        (from + to) * 0.5,
        heading(from, to) + std::f64::consts::FRAC_PI_2,
        0.16 * length * noise(530, from, 700.0),
    );
    for sway_m in [90.0, 40.0, 0.0] {
        let line = winding(&[from, bow, to], 130.0, sway_m);
        if line.0.iter().all(|&at| land.terrain.depth_m(at) > 30.0) {
            return line;
        }
    }
    Line(vec![from, to])
}
