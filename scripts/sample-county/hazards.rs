//! The 1,850 hazard sources, the hidden dangers found at them, and the points with potential slope failures.

use geo::Coord;

use crate::categories::{CATEGORIES, Category, Setting};
use crate::divisions::SEATS;
use crate::land::{Land, Place};
use crate::plane::{distance, step};
use crate::random::Random;
use crate::roads::Roads;
use crate::sheet::{Row, Sheet, place_row};
use crate::zones::{Zone, point_within};

/// A hazard source before it becomes a row.
pub(crate) struct Hazard {
    /// Kind of the source.
    pub(crate) category: &'static Category,
    /// Location.
    pub(crate) place: Place,
    /// Name.
    pub(crate) name: String,
    level: i64,
}

/// Frequency of each level, by severity of the kind.
const LEVELS: [[f64; 4]; 4] =
    [[0.0, 3.0, 35.0, 62.0], [0.6, 9.0, 50.0, 40.0], [2.5, 21.0, 50.0, 26.0], [9.0, 38.0, 43.0, 10.0]];
const BRANDS: [[&str; 14]; 2] = [
    ["恒", "瑞", "鑫", "华", "福", "盛", "顺", "宏", "嘉", "永", "联", "新", "德", "万"],
    ["达", "源", "辉", "隆", "泰", "丰", "兴", "利", "和", "信", "成", "昌", "固", "安"],
];
const MEASURES: [&str; 12] = [
    "每月巡查,设置警示标志",
    "落实安全责任人,每日自查",
    "安装在线监测,异常即报",
    "专人值守,汛期加密巡查",
    "定期检测维护,持证上岗",
    "配齐消防器材,保持通道畅通",
    "编制应急预案,每年演练",
    "限流限载,分时管控",
    "加装防护栏和反光标识",
    "分级管控,季度评估",
    "网格员每周巡查",
    "雨前预置,必要时封闭转移",
];

/// Places all hazard sources.
pub(crate) fn place(land: &Land, roads: &Roads) -> Vec<Hazard> {
    let mut random = Random::of("hazards");
    let mut names = Sheet::new("hazards");
    let mut hazards = Vec::new();
    for category in &CATEGORIES {
        for _ in 0..category.count {
            let place = spot(land, roads, &mut random, category);
            let wanted = if category.setting == Setting::Estate {
                format!("{}{}{}", random.pick(&BRANDS[0]), random.pick(&BRANDS[1]), category.noun)
            } else {
                format!("{}{}", land.stem(place.village), category.noun)
            };
            let name = names.fresh_name(&wanted);
            let level = 1 + i64::try_from(random.weighted(&LEVELS[category.gravity])).unwrap_or(3);
            names.push(Row::new("", name.clone(), String::new(), crate::sheet::point(place.at)));
            hazards.push(Hazard { category, place, name, level });
        }
    }
    hazards
}

fn spot(land: &Land, roads: &Roads, random: &mut Random, category: &Category) -> Place {
    match category.setting {
        Setting::Estate if random.chance(0.8) => land.on_estate(random),
        Setting::Town if random.chance(0.72) => land.in_any_town(random),
        Setting::Estate | Setting::Town | Setting::Village => land.in_any_village(random),
        Setting::Slope => land.on_slope(random),
        Setting::Road => roads.beside(land, random),
        Setting::Bank => land.on_bank(random),
    }
}

/// The layer of hazard sources.
pub(crate) fn sheet(land: &Land, hazards: &[Hazard]) -> Sheet {
    let mut random = Random::of("hazard sheet");
    let mut sheet = Sheet::new("hazards");
    let id = |index: usize| format!("HZ-{:04}", index + 1);
    for (index, hazard) in hazards.iter().enumerate() {
        let category = hazard.category;
        let village = &land.villages[hazard.place.village];
        let owner = match category.unit {
            "industrial" | "crowded" => hazard.name.clone(),
            "public" if random.chance(0.5) => category.supervisor.to_owned(),
            "public" => format!("{}人民政府", SEATS[village.township].name),
            _ => format!("{}委员会", village.name.replace("社区", "社区居民").replace('村', "村民")),
        };
        let chain: Vec<String> = if hazard.level <= 2 && random.chance(0.45) {
            let near = hazards
                .iter()
                .enumerate()
                .filter(|(other, near)| *other != index && distance(near.place.at, hazard.place.at) < 450.0);
            near.take(random.index(3) + 1).map(|(other, _)| id(other)).collect()
        } else {
            Vec::new()
        };
        sheet.push(
            place_row(land, id(index), hazard.name.clone(), hazard.place)
                .with("unit", category.unit)
                .with("category", category.code)
                .with_known("industry", category.industry)
                .with("risk_level", hazard.level)
                .with("owner", owner)
                .with("supervisor", category.supervisor)
                .with("control_measures", *random.pick(&MEASURES))
                .with_known("related_ids", (!chain.is_empty()).then_some(chain)),
        );
    }
    sheet
}

const INDOORS: [&str; 6] = ["消防通道堵塞", "电气线路老化", "消防设施失效", "违规储存", "应急照明缺失", "安全出口锁闭"];
const OUTDOORS: [&str; 4] = ["边坡防护缺失", "护栏破损", "未设警示标志", "排水沟淤堵"];

/// The layer of hidden dangers: 14 major and 185 serious ones in six batches, 135 of the serious ones fixed.
pub(crate) fn dangers(land: &Land, hazards: &[Hazard]) -> Sheet {
    const DUE: [&str; 6] = ["2025-04-30", "2025-07-31", "2025-11-30", "2026-03-31", "2026-07-31", "2026-12-31"];
    let mut random = Random::of("hidden dangers");
    let mut sheet = Sheet::new("hidden_dangers");
    let grave: Vec<_> = hazards.iter().filter(|hazard| hazard.level <= 3).collect();
    for index in 0..289_usize {
        let (level, nth) = match index {
            0..14 => ("major", index),
            14..199 => ("serious", index - 14),
            _ => ("general", index - 199),
        };
        let hazard = random.pick(&grave);
        let place = beside(land, &mut random, hazard.place);
        let batch = (level != "general").then_some(nth % 6 + 1);
        let status = match level {
            "major" if nth < 11 => "verified",
            "serious" if nth * 135 / 185 < (nth + 1) * 135 / 185 => "fixed",
            "general" => *random.pick(&["open", "fixed", "verified", "verified"]),
            _ => "open",
        };
        let holder = match level {
            "major" => "county",
            "serious" => *random.pick(&["county", "township", "township"]),
            _ => *random.pick(&["township", "village", "village"]),
        };
        let due = batch.map_or(*random.pick(&DUE), |batch| DUE[batch - 1]);
        let outdoors = matches!(hazard.category.setting, Setting::Slope | Setting::Road | Setting::Bank);
        let defect = if outdoors { random.pick(&OUTDOORS) } else { random.pick(&INDOORS) };
        let name = sheet.fresh_name(&format!("{}{defect}", hazard.name));
        sheet.push(
            place_row(land, format!("HD-{:04}", index + 1), name, place)
                .with("level", level)
                .with_known("batch", batch)
                .with("listed", level != "general")
                .with("holder_level", holder)
                .with("due_on", due)
                .with("status", status),
        );
    }
    sheet
}

/// A dry place a few meters away.
fn beside(land: &Land, random: &mut Random, place: Place) -> Place {
    for _ in 0..20 {
        let at = step(place.at, random.between(0.0, std::f64::consts::TAU), random.between(4.0, 30.0));
        if land.terrain.dry(at) {
            return land.place(at);
        }
    }
    place
}

/// The layer of points where a slope may fail, and where each is.
pub(crate) fn slopes(land: &Land, zones: &[Zone]) -> (Sheet, Vec<Coord<f64>>) {
    let mut random = Random::of("slopes");
    let mut sheet = Sheet::new("geo_hazard_points");
    let mut spots = Vec::new();
    let slides: Vec<_> = zones.iter().filter(|zone| zone.hazard == "landslide").collect();
    let flows: Vec<_> = zones.iter().filter(|zone| zone.hazard == "debris_flow").collect();
    for index in 0..182_usize {
        let kind = ["landslide", "collapse", "debris_flow"][random.weighted(&[70.0, 22.0, 8.0])];
        let zone = match kind {
            "landslide" if random.chance(0.5) => Some(random.pick(&slides)),
            "debris_flow" => Some(random.pick(&flows)),
            _ => None,
        };
        let at = zone.and_then(|zone| point_within(land, &mut random, &zone.area));
        let place = at.map_or_else(|| behind_village(land, &mut random), |at| land.place(at));
        let noun = match kind {
            "landslide" => "屋后滑坡",
            "collapse" => "路边崩塌",
            _ => "沟谷泥石流",
        };
        let relocated = random.chance(0.16);
        let households = if relocated { 0 } else { 1 + random.whole(0, 5) * random.whole(0, 5) + random.whole(0, 3) };
        let people = if relocated { 0 } else { households * random.whole(3, 5) };
        let level = match people {
            100.. => 1,
            30.. => 2,
            8.. => 3,
            _ => 4,
        };
        let name = sheet.fresh_name(&format!("{}{noun}", land.stem(place.village)));
        spots.push(place.at);
        sheet.push(
            place_row(land, format!("GH-{:04}", index + 1), name, place)
                .with("kind", kind)
                .with("risk_level", level)
                .with_known("people_threatened", (index % 41 != 17).then_some(people))
                .with_known("households", (index % 41 != 17).then_some(households))
                .with("relocated", relocated),
        );
    }
    (sheet, spots)
}

fn behind_village(land: &Land, random: &mut Random) -> Place {
    let village = random.index(land.villages.len());
    land.near(random, land.villages[village].at, 120.0, 520.0)
}
