//! Places with people: schools, hospitals, care homes, crowded and tall buildings, parks.

use crate::divisions::SEATS;
use crate::land::{Land, Place};
use crate::random::Random;
use crate::sheet::{Sheet, place_row};

/// The layer.
pub(crate) fn sheet(land: &Land) -> Sheet {
    let mut random = Random::of("key places");
    let mut sheet = Sheet::new("key_places");
    for (township, seat) in SEATS.iter().enumerate() {
        let large = seat.people > 20_000.0;
        let town = |random: &mut Random| land.in_town(random, township);
        for (kind, label, low, high) in [
            ("school", "中心小学", 180, 900),
            ("school", "中学", 220, 1400),
            ("hospital", "卫生院", 20, 120),
            ("care_home", "敬老院", 15, 80),
        ] {
            let place = town(&mut random);
            push(land, &mut sheet, &mut random, kind, &format!("{}{label}", seat.name), place, (low, high));
        }
        let extra: &[(&str, &str, i64, i64)] = if large {
            &[
                ("crowded", "农贸市场", 120, 900),
                ("crowded", "商贸综合楼", 150, 1200),
                ("high_rise", "高层住宅", 180, 700),
                ("park", "溪滨公园", 50, 1500),
                ("school", "幼儿园", 80, 320),
            ]
        } else {
            &[("crowded", "农贸市场", 60, 300), ("park", "文体公园", 30, 400), ("school", "幼儿园", 40, 150)]
        };
        for &(kind, label, low, high) in extra {
            let place = town(&mut random);
            push(land, &mut sheet, &mut random, kind, &format!("{}{label}", seat.name), place, (low, high));
        }
    }
    for (kind, label, low, high) in [
        ("hospital", "县总医院", 500, 900),
        ("hospital", "县中医院", 180, 420),
        ("school", "县职业学校", 900, 2200),
        ("crowded", "县客运中心", 150, 800),
        ("crowded", "县文化艺术中心", 80, 900),
        ("crowded", "县城商业广场", 400, 2600),
        ("park", "县城中心公园", 100, 3000),
        ("park", "安全主题公园", 40, 700),
        ("care_home", "县社会福利中心", 80, 160),
    ] {
        let place = land.in_town(&mut random, 0);
        push(land, &mut sheet, &mut random, kind, label, place, (low, high));
    }
    for _ in 0..14 {
        let place = land.in_town(&mut random, 0);
        let name = format!("{}高层住宅小区", land.stem(place.village));
        push(land, &mut sheet, &mut random, "high_rise", &name, place, (160, 900));
    }
    for _ in 0..60 {
        let place = land.in_any_village(&mut random);
        let (kind, label, low, high) = [
            ("school", "小学", 20, 180),
            ("crowded", "宗祠", 20, 300),
            ("care_home", "长者之家", 8, 40),
            ("crowded", "游客集散点", 30, 600),
        ][random.weighted(&[40.0, 22.0, 26.0, 12.0])];
        let name = format!("{}{label}", land.stem(place.village));
        push(land, &mut sheet, &mut random, kind, &name, place, (low, high));
    }
    sheet
}

fn push(
    land: &Land,
    sheet: &mut Sheet,
    random: &mut Random,
    kind: &str,
    name: &str,
    place: Place,
    (low, high): (i64, i64),
) {
    let name = sheet.fresh_name(name);
    let id = format!("KP-{:03}", sheet.rows.len() + 1);
    let people = random.whole(low, high);
    let known = sheet.rows.len() % 33 != 21;
    sheet.push(place_row(land, id, name, place).with("kind", kind).with_known("people", known.then_some(people)));
}
