//! Monitoring and broadcasting: water works, stations, loudspeakers.

use geo::Coord;

use crate::divisions::SEATS;
use crate::land::{Land, Place};
use crate::random::Random;
use crate::sheet::{Sheet, place_row};

/// The layer of water works.
pub(crate) fn water_works(land: &Land) -> Sheet {
    let mut random = Random::of("water works");
    let mut sheet = Sheet::new("water_works");
    let kinds: [(&str, &str, usize); 7] = [
        ("reservoir", "水库", 22),
        ("dam", "拦河坝", 8),
        ("dike", "防洪堤", 12),
        ("sluice", "水闸", 9),
        ("pump", "排涝泵站", 7),
        ("hydropower", "水电站", 16),
        ("pond", "山塘", 10),
    ];
    for (kind, noun, count) in kinds {
        for _ in 0..count {
            let place = match kind {
                "reservoir" | "pond" => beside_creek(land, &mut random),
                "pump" => land.in_any_town(&mut random),
                _ => land.on_bank(&mut random),
            };
            let stores = matches!(kind, "reservoir" | "dam" | "pond");
            let capacity = match kind {
                "reservoir" => (10.0_f64).powf(random.between(5.1, 6.9)).round(),
                "dam" => (10.0_f64).powf(random.between(4.6, 6.0)).round(),
                _ => (10.0_f64).powf(random.between(3.3, 4.9)).round(),
            };
            let limit = (random.between(60.0, 420.0) * 10.0).round() / 10.0;
            let level = ((limit - random.between(-0.3, 6.0)) * 100.0).round() / 100.0;
            let name = sheet.fresh_name(&format!("{}{noun}", land.stem(place.village)));
            sheet.push(
                place_row(land, format!("WW-{:03}", sheet.rows.len() + 1), name, place)
                    .with("kind", kind)
                    .with_known("capacity_m3", stores.then_some((capacity / 1000.0).round() * 1000.0))
                    .with_known("level_m", (stores && kind != "pond").then_some(level))
                    .with_known("limit_m", (stores && kind != "pond").then_some(limit)),
            );
        }
    }
    sheet
}

/// A place beside the upper part of a side creek.
fn beside_creek(land: &Land, random: &mut Random) -> Place {
    let creeks: Vec<_> = land.terrain.streams.iter().filter(|stream| stream.name.is_empty()).collect();
    let creek = random.pick(&creeks);
    let at = creek.course.at(random.between(0.1, 0.6) * creek.course.length()).0;
    land.near(random, at, creek.clearance_m(), creek.clearance_m() + 120.0)
}

struct Gauge {
    kind: &'static str,
    noun: &'static str,
    unit: &'static str,
    count: usize,
    threshold: f64,
    /// Usual value as a share of the threshold.
    share: (f64, f64),
    digits: f64,
}

const GAUGES: [Gauge; 7] = [
    Gauge {
        kind: "rain", noun: "雨量站", unit: "mm", count: 58, threshold: 50.0, share: (0.02, 0.75), digits: 10.0
    },
    Gauge {
        kind: "water_level",
        noun: "水位站",
        unit: "m",
        count: 24,
        threshold: 30.0,
        share: (0.86, 0.99),
        digits: 100.0,
    },
    Gauge {
        kind: "displacement",
        noun: "位移监测点",
        unit: "mm",
        count: 22,
        threshold: 30.0,
        share: (0.01, 0.5),
        digits: 10.0,
    },
    Gauge {
        kind: "waterlogging",
        noun: "内涝监测点",
        unit: "cm",
        count: 11,
        threshold: 15.0,
        share: (0.0, 0.6),
        digits: 1.0,
    },
    Gauge {
        kind: "fire_watch",
        noun: "森林火情瞭望点",
        unit: "处",
        count: 13,
        threshold: 1.0,
        share: (0.0, 0.0),
        digits: 1.0,
    },
    Gauge {
        kind: "seismic", noun: "地震烈度台", unit: "度", count: 4, threshold: 5.0, share: (0.2, 0.2), digits: 1.0
    },
    Gauge {
        kind: "crowd",
        noun: "人流监测点",
        unit: "人",
        count: 9,
        threshold: 800.0,
        share: (0.05, 0.6),
        digits: 1.0,
    },
];

/// The layer of stations. In the townships where the sample flood happens rain and rivers exceed their thresholds.
pub(crate) fn stations(land: &Land, slopes: &[Coord<f64>]) -> Sheet {
    let mut random = Random::of("stations");
    let mut sheet = Sheet::new("stations");
    for gauge in &GAUGES {
        for nth in 0..gauge.count {
            let place = match gauge.kind {
                "rain" if nth < SEATS.len() => land.near(&mut random, land.halls[nth], 100.0, 500.0),
                "rain" => land.in_any_village(&mut random),
                "water_level" => land.on_bank(&mut random),
                "displacement" => land.near(&mut random, slopes[nth * slopes.len() / gauge.count], 5.0, 60.0),
                "fire_watch" => land.on_slope(&mut random),
                _ => land.in_any_town(&mut random),
            };
            let threshold =
                if gauge.kind == "water_level" { random.between(12.0, 180.0).round() } else { gauge.threshold };
            let wet =
                matches!(land.villages[place.village].township, 6..=8) && matches!(gauge.kind, "rain" | "water_level");
            let share = random.between(gauge.share.0, gauge.share.1);
            let share = if wet && gauge.kind == "rain" {
                share + 1.0
            } else if wet {
                share.max(0.95) + 0.06
            } else {
                share
            };
            let value = (threshold * share * gauge.digits).round() / gauge.digits;
            let silent = nth % 23 == 19;
            let minute = random.whole(0, 11) * 5;
            let name = sheet.fresh_name(&format!("{}{}", land.stem(place.village), gauge.noun));
            sheet.push(
                place_row(land, format!("ST-{:03}", sheet.rows.len() + 1), name, place)
                    .with("kind", gauge.kind)
                    .with_known("value", (!silent).then_some(value))
                    .with("unit", gauge.unit)
                    .with("threshold", threshold)
                    .with_known("observed_at", (!silent).then(|| format!("2026-08-14T13:{minute:02}:00+08:00"))),
            );
        }
    }
    sheet
}

/// The layer of loudspeakers: one of the county, one in every township, one in every village.
pub(crate) fn loudspeakers(land: &Land) -> Sheet {
    let mut random = Random::of("loudspeakers");
    let mut sheet = Sheet::new("broadcast_terminals");
    let place = land.near(&mut random, land.halls[0], 60.0, 300.0);
    sheet.push(place_row(land, "BT-001", "县应急广播平台", place).with("level", "county").with("reach_m", 3000));
    for (township, seat) in SEATS.iter().enumerate() {
        let place = land.near(&mut random, land.halls[township], 20.0, 160.0);
        let id = format!("BT-{:03}", sheet.rows.len() + 1);
        sheet.push(
            place_row(land, id, format!("{}应急广播站", seat.name), place)
                .with("level", "township")
                .with("reach_m", 100 * random.whole(12, 20)),
        );
    }
    for village in 0..land.villages.len() {
        let place = land.in_village(&mut random, village, 180.0);
        let id = format!("BT-{:03}", sheet.rows.len() + 1);
        let reach = (village % 29 != 11).then(|| 50 * random.whole(10, 20));
        let name = sheet.fresh_name(&format!("{}应急广播终端", land.villages[village].name));
        sheet.push(place_row(land, id, name, place).with("level", "village").with_known("reach_m", reach));
    }
    sheet
}
