//! Rescue resources: 31 teams, and depots with their stock.

use serde_json::{Value as Json, json};

use crate::divisions::SEATS;
use crate::land::Land;
use crate::random::Random;
use crate::sheet::{Row, Sheet, place_row};

/// County professional fire teams: name and township. The first four are the older ones.
const PROFESSIONAL: [(&str, usize); 7] = [
    ("县专业扑火一队", 0),
    ("县专业扑火二队", 1),
    ("县专业扑火三队", 6),
    ("县专业扑火四队", 3),
    ("池园县级专业扑火队", 5),
    ("省璜县级专业扑火队", 8),
    ("东桥县级专业扑火队", 10),
];

struct Social {
    name: &'static str,
    kind: &'static str,
    role: &'static str,
    township: usize,
    skills: &'static [&'static str],
    equipment: &'static str,
}

const SOCIAL: [Social; 5] = [
    Social {
        name: "蓝天救援队",
        kind: "social",
        role: "auxiliary",
        township: 0,
        skills: &["flood", "earthquake", "landslide"],
        equipment: "冲锋舟2艘,生命探测仪1台,绳索救援装备4套",
    },
    Social {
        name: "蓝豹救援队(闽清)",
        kind: "social",
        role: "auxiliary",
        township: 6,
        skills: &["flood", "landslide", "road"],
        equipment: "橡皮艇3艘,破拆工具2套,照明灯组4套",
    },
    Social {
        name: "民兵应急分队",
        kind: "militia",
        role: "assault",
        township: 0,
        skills: &["flood", "forest_fire", "landslide", "engineering"],
        equipment: "运兵车3辆,铁锹200把,风力灭火机20台",
    },
    Social {
        name: "电力抢修队",
        kind: "industry",
        role: "coordinated",
        township: 1,
        skills: &["power", "communications"],
        equipment: "应急发电车2辆,抢修车4辆,带电作业车1辆",
    },
    Social {
        name: "矿山救护队",
        kind: "industry",
        role: "coordinated",
        township: 4,
        skills: &["mine_rescue", "hazchem", "landslide"],
        equipment: "正压呼吸器16台,气体检测仪8台,救护车2辆",
    },
];

/// The layer of teams: 7 professional, 18 semi-professional, 1 joint and 5 social ones.
pub(crate) fn teams(land: &Land) -> Sheet {
    let mut random = Random::of("teams");
    let mut sheet = Sheet::new("teams");
    for (name, township) in PROFESSIONAL {
        let place = land.near(&mut random, land.halls[township], 150.0, 700.0);
        let equipment = format!("风力灭火机{}台,高压水泵{}台,运兵车2辆", random.whole(16, 30), random.whole(2, 6));
        let people = random.whole(25, 40);
        let row = team(place_row(land, id(&sheet), name, place), people);
        sheet.push(
            row.with("kind", "professional")
                .with("role", "main")
                .with("skills", list(&["forest_fire", "flood", "landslide"]))
                .with("equipment", equipment),
        );
    }
    // The two largest townships have two teams each.
    for township in (0..SEATS.len()).chain([0, 6]) {
        let place = land.near(&mut random, land.halls[township], 80.0, 450.0);
        let name = sheet.fresh_name(&format!("{}半专业巡查扑火队", SEATS[township].name));
        let equipment = format!("风力灭火机{}台,二号工具{}把", random.whole(6, 12), random.whole(20, 50));
        let people = random.whole(15, 25);
        let row = team(place_row(land, id(&sheet), name, place), people);
        sheet.push(
            row.with("kind", "semi_professional")
                .with("role", "coordinated")
                .with("skills", list(if township % 2 == 0 { &["forest_fire", "flood"] } else { &["forest_fire"] }))
                .with("equipment", equipment),
        );
    }
    let place = land.near(&mut random, land.halls[9], 900.0, 2200.0);
    let row = team(place_row(land, id(&sheet), "黄楮林管委会雄江镇联合半专业扑火队", place), 28);
    sheet.push(
        row.with("kind", "semi_professional")
            .with("role", "coordinated")
            .with("skills", list(&["forest_fire", "flood"]))
            .with("equipment", "风力灭火机18台,移动水池4个"),
    );
    for social in &SOCIAL {
        let place = land.near(&mut random, land.halls[social.township], 200.0, 900.0);
        let people = random.whole(22, 60);
        let row = team(place_row(land, id(&sheet), social.name, place), people);
        sheet.push(
            row.with("kind", social.kind)
                .with("role", social.role)
                .with("skills", list(social.skills))
                .with("equipment", social.equipment),
        );
    }
    sheet
}

fn id(sheet: &Sheet) -> String {
    format!("TM-{:02}", sheet.rows.len() + 1)
}

fn list(codes: &[&str]) -> Json {
    json!(codes)
}

/// Teams near the sample flood are deployed, a few train or rest, all others are on standby.
fn team(row: Row, people: i64) -> Row {
    let status = match row.id.as_str() {
        "TM-03" | "TM-14" | "TM-28" => "arrived",
        "TM-15" | "TM-27" => "en_route",
        "TM-25" | "TM-30" => "out",
        "TM-12" => "returning",
        "TM-02" | "TM-18" | "TM-23" => "training",
        "TM-20" => "off",
        _ => "standby",
    };
    row.with("people", people).with("status", status)
}

/// An article: code in the style of GB/T 38565 (1 living, 2 equipment, 3 engineering), name, unit, usual stock
/// of a township, whether it expires.
struct Article(&'static str, &'static str, &'static str, i64, bool);

const ARTICLES: [Article; 16] = [
    Article("1010101", "帐篷", "顶", 40, false),
    Article("1010201", "折叠床", "张", 80, false),
    Article("1020101", "棉被", "床", 120, false),
    Article("1020201", "毛毯", "条", 100, false),
    Article("1020301", "棉大衣", "件", 90, false),
    Article("1030101", "瓶装饮用水", "箱", 150, true),
    Article("1030201", "方便食品", "箱", 120, true),
    Article("1040101", "应急药箱", "个", 12, true),
    Article("2010101", "救生衣", "件", 60, true),
    Article("2010201", "冲锋舟", "艘", 2, false),
    Article("2020101", "风力灭火机", "台", 12, false),
    Article("2030101", "应急发电机", "台", 3, false),
    Article("2030201", "应急照明灯", "套", 10, false),
    Article("3010101", "编织袋", "条", 3000, false),
    Article("3010201", "排水泵", "台", 4, false),
    Article("3020101", "铁锹", "把", 80, false),
];

/// The layer of depots.
pub(crate) fn depots(land: &Land) -> Sheet {
    let mut random = Random::of("depots");
    let mut sheet = Sheet::new("depots");
    let county = [("县级应急物资储备库", 0, 8), ("县级防汛抗旱物资储备库", 1, 6)];
    for (name, township, times) in county {
        let place = land.near(&mut random, land.halls[township], 500.0, 1300.0);
        let row =
            place_row(land, depot_id(&sheet), name, place).with("level", "county").with("ownership", "government");
        sheet.push(row.with("stock", stock(&mut random, times, 1.0)).with("dispatch_authority", "县应急管理局"));
    }
    for (township, seat) in SEATS.iter().enumerate() {
        let place = land.near(&mut random, land.halls[township], 60.0, 420.0);
        let row = place_row(land, depot_id(&sheet), format!("{}应急物资储备点", seat.name), place)
            .with("level", "township")
            .with("ownership", "government");
        sheet.push(
            row.with("stock", stock(&mut random, 1, 0.62)).with("dispatch_authority", format!("{}人民政府", seat.name)),
        );
    }
    let place = land.in_town(&mut random, 0);
    let row = place_row(land, depot_id(&sheet), "梅城生鲜超市协议储备点", place)
        .with("level", "county")
        .with("ownership", "agreement");
    let food = json!([
        item(&ARTICLES[5], 600, 0, Some("2027-05-31")),
        item(&ARTICLES[6], 400, 40, Some("2027-01-31")),
        item(&Article("1030301", "大米", "袋", 0, true), 300, 0, Some("2027-03-31")),
    ]);
    sheet
        .push(row.with("stock", food).with("dispatch_authority", "县应急管理局").with("agreement_until", "2027-12-31"));
    let place = land.in_town(&mut random, 6);
    let row = place_row(land, depot_id(&sheet), "坂东社会救援物资点", place)
        .with("level", "township")
        .with("ownership", "social");
    sheet.push(row.with("stock", stock(&mut random, 1, 0.3)).with("dispatch_authority", "县应急管理局商请调用"));
    sheet
}

fn depot_id(sheet: &Sheet) -> String {
    format!("DP-{:02}", sheet.rows.len() + 1)
}

fn stock(random: &mut Random, times: i64, share: f64) -> Json {
    let mut items = Vec::new();
    for article in &ARTICLES {
        if !random.chance(share) {
            continue;
        }
        let quantity = (article.3 * times * random.whole(50, 140) / 100).max(1);
        let promised = if random.chance(0.12) { quantity * random.whole(5, 40) / 100 } else { 0 };
        let expires = format!("20{}-{:02}-{}", random.whole(26, 28), random.whole(9, 12), random.whole(10, 28));
        items.push(item(article, quantity, promised, article.4.then_some(expires.as_str())));
    }
    Json::Array(items)
}

fn item(article: &Article, quantity: i64, promised: i64, expires_on: Option<&str>) -> Json {
    json!({
        "item_code": article.0,
        "name": article.1,
        "quantity": quantity,
        "promised": promised,
        "unit": article.2,
        "expires_on": expires_on,
    })
}
