//! Town streets, and the pipes and cables under them.

use crate::divisions::SEATS;
use crate::land::Land;
use crate::plane::{Line, Through, board, covers, step};
use crate::random::{Random, noise};
use crate::sheet::{Row, Sheet};

/// Names of streets, main streets first.
pub(crate) const NAMES: [&str; 14] = [
    "大街",
    "解放路",
    "溪滨路",
    "新民路",
    "学前路",
    "南门路",
    "北门路",
    "工业路",
    "文化路",
    "商业街",
    "车站路",
    "桥头路",
    "后街",
    "东门路",
];

/// Number of streets along and across the valley, by township.
const STREETS: [(u8, u8); 16] = [
    (5, 7),
    (3, 4),
    (2, 3),
    (1, 2),
    (2, 3),
    (3, 4),
    (4, 5),
    (2, 2),
    (1, 2),
    (1, 2),
    (1, 2),
    (1, 2),
    (1, 1),
    (1, 1),
    (1, 1),
    (1, 1),
];

/// The streets of a town: a loose grid along its valley, on dry ground of the township.
pub(crate) fn of_town(land: &Land, township: usize) -> Vec<Line> {
    let hall = land.halls[township];
    let (along, across) = STREETS[township];
    let valley = land.valley(hall);
    let side = valley + std::f64::consts::FRAC_PI_2;
    let mut random = Random::of(SEATS[township].name);
    let mut streets = Vec::new();
    for (count, angle, spread, other) in [(along, valley, 170.0, across), (across, side, 230.0, along)] {
        let reach_m = 130.0 + 105.0 * f64::from(other);
        for index in 0..count {
            let shift = (f64::from(index) - f64::from(count - 1) / 2.0) * spread + random.between(-25.0, 25.0);
            let middle = step(hall, angle + std::f64::consts::FRAC_PI_2, shift + 30.0);
            let reach = (reach_m * random.between(0.75, 1.1), reach_m * random.between(0.75, 1.1));
            let line = Line(vec![step(middle, angle, -reach.0), step(middle, angle, reach.1)]).resampled(85.0);
            let line = line.beside_at(|at| 16.0 * noise(540, at, 420.0));
            streets.extend(dry_run(land, township, &line));
        }
    }
    streets
}

/// The longest dry part of a line.
fn dry_run(land: &Land, township: usize, line: &Line) -> Option<Line> {
    let runs = line.0.split(|&at| !land.terrain.dry(at) || !covers(&land.townships[township], at));
    let longest = runs.max_by_key(|run| run.len())?;
    (longest.len() > 2).then(|| Line(longest.to_vec()))
}

struct Pipe {
    kind: &'static str,
    zh: &'static str,
    owner: &'static str,
    sizes: &'static [i64],
    /// Probability under a street of a large and of a small town.
    share: (f64, f64),
    off_m: f64,
}

const PIPES: [Pipe; 6] = [
    Pipe {
        kind: "water",
        zh: "供水管",
        owner: "县自来水公司",
        sizes: &[100, 150, 200, 300],
        share: (0.95, 0.9),
        off_m: -6.0,
    },
    Pipe {
        kind: "drain",
        zh: "排水管",
        owner: "县市政中心",
        sizes: &[300, 400, 600, 800],
        share: (0.9, 0.7),
        off_m: 4.0,
    },
    Pipe {
        kind: "gas",
        zh: "燃气管",
        owner: "燃气公司",
        sizes: &[63, 110, 160, 200],
        share: (0.65, 0.15),
        off_m: -3.0,
    },
    Pipe {
        kind: "telecom", zh: "通信管道", owner: "通信公司", sizes: &[110, 160], share: (0.6, 0.5), off_m: 7.0
    },
    Pipe {
        kind: "power", zh: "电力电缆", owner: "县供电公司", sizes: &[150, 175, 200], share: (0.6, 0.4), off_m: 9.0
    },
    Pipe {
        kind: "broadcast",
        zh: "广电线路",
        owner: "广电网络公司",
        sizes: &[50, 75],
        share: (0.35, 0.3),
        off_m: -9.0,
    },
];

/// Mains between towns: kind, name, and the points they pass.
const MAINS: [(usize, &str, i64, Through); 8] = [
    (0, "梅城供水主干管", 600, &[(118.893, 26.186), (118.880, 26.200), (118.866, 26.215)]),
    (0, "坂东供水主干管", 400, &[(118.776, 26.062), (118.762, 26.071), (118.748, 26.082)]),
    (0, "池园供水主干管", 400, &[(118.686, 26.160), (118.690, 26.147), (118.690, 26.137)]),
    (2, "梅城至白樟燃气干线", 315, &[(118.858, 26.219), (118.838, 26.210), (118.815, 26.196), (118.799, 26.186)]),
    (
        2,
        "白樟至坂东燃气干线",
        250,
        &[(118.799, 26.186), (118.783, 26.160), (118.770, 26.135), (118.757, 26.110), (118.748, 26.085)],
    ),
    (1, "梅城截污干管", 1000, &[(118.846, 26.212), (118.857, 26.221), (118.860, 26.233), (118.868, 26.236)]),
    (4, "梅溪至梅城电力通道", 200, &[(118.829, 26.243), (118.842, 26.236), (118.847, 26.232)]),
    (3, "坂东至塔庄通信干线", 160, &[(118.744, 26.078), (118.733, 26.054), (118.706, 26.032)]),
];

/// The layer.
pub(crate) fn sheet(land: &Land) -> Sheet {
    let mut random = Random::of("pipelines");
    let mut sheet = Sheet::new("pipelines");
    for (township, seat) in SEATS.iter().enumerate() {
        let large = matches!(township, 0 | 1 | 5 | 6);
        for (index, street) in of_town(land, township).into_iter().enumerate() {
            for pipe in &PIPES {
                if !random.chance(if large { pipe.share.0 } else { pipe.share.1 * 0.7 }) {
                    continue;
                }
                let name = format!("{}{}{}", seat.name, NAMES[index % NAMES.len()], pipe.zh);
                let line = street.beside_at(|_| pipe.off_m);
                push(land, &mut sheet, pipe, &name, (index % 37 != 20).then(|| *random.pick(pipe.sizes)), &line);
            }
        }
    }
    for (pipe, name, size, through) in MAINS {
        let through: Vec<_> = through.iter().map(|&(lon, lat)| board(lon, lat)).collect();
        let line = Line::smooth(&through, 140.0).beside_at(|at| 35.0 * noise(550, at, 600.0));
        push(land, &mut sheet, &PIPES[pipe], name, Some(size), &line);
    }
    sheet
}

fn push(land: &Land, sheet: &mut Sheet, pipe: &Pipe, name: &str, size: Option<i64>, line: &Line) {
    let middle = line.at(line.length() / 2.0).0;
    let name = sheet.fresh_name(name);
    let id = format!("PL-{:04}", sheet.rows.len() + 1);
    sheet.push(
        Row::new(id, name, land.township_code(middle), line.drawn(60.0).into())
            .with("kind", pipe.kind)
            .with_known("diameter_mm", size)
            .with("owner", pipe.owner),
    );
}
