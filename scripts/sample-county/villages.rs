//! The 292 villages and communities: invented names, placed along the valleys.

use geo::Coord;

use crate::divisions::SEATS;
use crate::land::Land;
use crate::land::Place;
use crate::plane::{covers, distance, step};
use crate::random::Random;
use crate::sheet::{Row, Sheet, place_row};

/// One village or community.
pub(crate) struct Village {
    /// Twelve digits.
    pub(crate) code: String,
    /// Unique in the county.
    pub(crate) name: String,
    /// Index of its township.
    pub(crate) township: usize,
    /// Its middle.
    pub(crate) at: Coord<f64>,
    /// Inhabitants.
    pub(crate) people: i64,
}

impl Village {
    /// Weight of the village when places are drawn.
    #[expect(clippy::cast_precision_loss, reason = "a few thousand people")]
    pub(crate) fn weight(&self) -> f64 {
        self.people as f64
    }
}

const BEFORE: [&str; 22] = [
    "上", "下", "前", "后", "东", "西", "南", "北", "大", "小", "长", "新", "古", "石", "林", "黄", "龙", "竹", "松",
    "云", "里", "半",
];
const AFTER: [&str; 22] = [
    "坂", "洋", "坑", "垅", "湖", "山", "墩", "厝", "洲", "院", "井", "岭", "峰", "埔", "寨", "楼", "源", "尾", "兜",
    "墘", "演", "溪口",
];
const COMMUNITIES: [&str; 12] =
    ["解放", "学前", "新民", "文昌", "建设", "和平", "朝阳", "兴业", "钟楼", "新城", "桥头", "园丁"];

/// Settles every township.
pub(crate) fn settle(land: &Land) -> Vec<Village> {
    let mut random = Random::of("villages");
    let mut names: Vec<String> =
        BEFORE.iter().flat_map(|before| AFTER.iter().map(move |after| format!("{before}{after}村"))).collect();
    random.shuffle(&mut names);
    let mut villages: Vec<Village> = Vec::new();
    for (township, seat) in SEATS.iter().enumerate() {
        let (count, communities) = seat.villages;
        let first = villages.len();
        let mut weights = Vec::new();
        for number in 0..count {
            let community = number < communities;
            let code = if community { 1 + number } else { 200 + number - communities };
            let name = if community { community_name(township, number) } else { names.pop().unwrap_or_default() };
            let at = if number == 0 {
                land.near_hall(&mut random, township)
            } else {
                let taken: Vec<_> = villages.iter().map(|village| village.at).collect();
                spot(land, &mut random, township, community, &taken)
            };
            weights.push((0.75 * random.bell()).exp() * if community { 2.2 } else { 1.0 });
            villages.push(Village {
                code: format!("350124{}{code:03}", &seat.code[..3]),
                name,
                township,
                at,
                people: 0,
            });
        }
        let all: f64 = weights.iter().sum();
        for (village, weight) in villages[first..].iter_mut().zip(weights) {
            village.people = round(seat.people * weight / all).max(136);
        }
    }
    villages
}

#[expect(clippy::cast_possible_truncation, reason = "a few thousand people")]
fn round(people: f64) -> i64 {
    people.round() as i64
}

fn community_name(township: usize, number: usize) -> String {
    let town = SEATS[township].name.trim_end_matches(['镇', '乡']);
    match (township, number) {
        (0, _) => format!("{}社区", COMMUNITIES[number]),
        (_, 0) => format!("{town}社区"),
        (_, 1) => format!("{town}新街社区"),
        _ => format!("{town}中心社区"),
    }
}

/// The spot with the most space of many: in town for communities, else beside a stream of the township.
fn spot(land: &Land, random: &mut Random, township: usize, community: bool, taken: &[Coord<f64>]) -> Coord<f64> {
    let mut best = (-1.0, land.halls[township]);
    let mut tried = 0;
    while tried < 40 {
        let at = if community { in_town(land, random, township) } else { beside_stream(land, random) };
        if !covers(&land.townships[township], at) || !land.terrain.dry(at) {
            continue;
        }
        tried += 1;
        let room = taken.iter().map(|&other| distance(other, at)).fold(4_000.0, f64::min) * random.between(0.7, 1.0);
        if room > best.0 {
            best = (room, at);
        }
    }
    best.1
}

fn in_town(land: &Land, random: &mut Random, township: usize) -> Coord<f64> {
    let reach = if township == 0 { 1500.0 } else { 800.0 };
    step(land.halls[township], random.between(0.0, std::f64::consts::TAU), random.between(250.0, reach))
}

fn beside_stream(land: &Land, random: &mut Random) -> Coord<f64> {
    let stream = random.pick(&land.terrain.streams);
    let (at, angle) = stream.course.at(random.unit() * stream.course.length());
    let side = if random.chance(0.5) { 1.0 } else { -1.0 };
    step(
        at,
        angle + side * std::f64::consts::FRAC_PI_2,
        stream.clearance_m() + random.between(15.0, 60.0 + stream.half_width_m.min(60.0) * 7.0),
    )
}

/// The layers county, townships and villages.
pub(crate) fn sheets(land: &Land) -> Vec<Sheet> {
    let mut random = Random::of("village sheet");
    let mut county = Sheet::new("county");
    let all: i64 = land.villages.iter().map(|village| village.people).sum();
    let shape = land.county.clone().into();
    county.push(
        Row::new("350124", "闽清县", "350124000000".into(), shape).with("code", "350124").with("population", all),
    );
    let mut townships = Sheet::new("townships");
    for (index, seat) in SEATS.iter().enumerate() {
        let code = format!("350124{}", seat.code);
        let people: i64 =
            land.villages.iter().filter(|village| village.township == index).map(|village| village.people).sum();
        let hall = crate::plane::degrees(land.halls[index]);
        townships.push(
            Row::new(code.clone(), seat.name, code.clone(), land.townships[index].clone().into())
                .with("code", code)
                .with("population", people)
                .with("seat_lon", hall.x)
                .with("seat_lat", hall.y)
                .with("duty_officer", format!("示例责任人{:02}", index + 1))
                .with("phone", invented_phone(9_000 + index)),
        );
    }
    let mut villages = Sheet::new("villages");
    for (index, village) in land.villages.iter().enumerate() {
        let place = Place { at: village.at, village: index };
        villages.push(
            place_row(land, village.code.clone(), village.name.clone(), place)
                .with("code", village.code.clone())
                .with("population", village.people)
                .with("frail", village.people * random.whole(6, 14) / 100)
                .with("households", round(village.weight() / random.between(3.0, 3.9)))
                .with("demo_community", village.code.ends_with("100001") || village.code.ends_with("106001"))
                .with("grid_officer", format!("示例网格员{:03}", index + 1))
                .with("phone", invented_phone(index + 1)),
        );
    }
    vec![county, townships, villages]
}

/// A number that no network assigns.
pub(crate) fn invented_phone(number: usize) -> String {
    format!("1000000{number:04}")
}
