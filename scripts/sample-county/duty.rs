//! Emergency plans of the county and its townships, and the situation reports of yesterday and today.

use crate::divisions::SEATS;
use crate::land::Land;
use crate::random::Random;
use crate::sheet::{Row, Sheet, point};
use crate::villages::invented_phone;
use serde_json::json;

/// Plans of the county: name, number of the document, kinds of event; without kinds for all.
const COUNTY_PLANS: [(&str, &str, &[&str]); 5] = [
    ("突发事件总体应急预案", "示例政〔2024〕1号", &[]),
    ("防汛防台风应急预案", "示例政办〔2025〕7号", &["flood", "typhoon", "rainstorm", "flash_flood"]),
    ("突发地质灾害应急预案", "示例政办〔2025〕9号", &["landslide", "geo_hazard"]),
    ("森林火灾应急预案", "示例政办〔2024〕12号", &["forest_fire", "fire_weather"]),
    ("危险化学品事故应急预案", "示例应急〔2024〕3号", &["hazchem", "traffic"]),
];
const COUNTY: &str = "350124000000";
/// Townships that have not reported today.
const SILENT: [usize; 2] = [5, 12];
/// Townships that evacuated people today; the others report that nothing happened.
const EVENTFUL: [usize; 4] = [0, 1, 6, 7];

/// The layer of emergency plans.
pub(crate) fn plans(land: &Land) -> Sheet {
    let mut sheet = Sheet::new("plans");
    let mut add =
        |name: String, region: String, hall: usize, level: &str, issuer: &str, document: String, kinds: &[&str]| {
            let number = sheet.rows.len() + 1;
            let row = Row::new(format!("PL-{number:02}"), name, region, point(land.halls[hall]))
                .with("level", level)
                .with("issued_by", issuer)
                .with("document", document)
                .with("effective_from", "2025-06-01T00:00:00+08:00")
                .with("commander", format!("示例指挥长{number:02}"))
                .with("phone", invented_phone(9_100 + number));
            sheet.push(if kinds.is_empty() { row } else { row.with("kinds", json!(kinds)) });
        };
    for (name, document, kinds) in COUNTY_PLANS {
        add(format!("闽清县{name}"), COUNTY.to_owned(), 0, "county", "闽清县人民政府", document.to_owned(), kinds);
    }
    for (index, seat) in SEATS.iter().enumerate() {
        let issuer = format!("{}人民政府", seat.name);
        let document = format!("示例{}政〔2025〕{}号", seat.name, index + 2);
        let kinds = COUNTY_PLANS[1].2;
        add(format!("{}防汛防台风应急预案", seat.name), township(index), index, "township", &issuer, document, kinds);
    }
    sheet
}

/// The layer of situation reports: every township yesterday, most of them today, and the reports of two incidents.
pub(crate) fn reports(land: &Land) -> Sheet {
    let mut random = Random::of("situation reports");
    let mut sheet = Sheet::new("situation_reports");
    for (day, is_today) in [("2026-08-13", false), ("2026-08-14", true)] {
        for (index, seat) in SEATS.iter().enumerate() {
            if is_today && SILENT.contains(&index) {
                continue;
            }
            let hour = random.whole(10, 12);
            let evacuated = if is_today && EVENTFUL.contains(&index) { random.whole(20, 180) } else { 0 };
            let figures = [
                ("affected", evacuated * random.whole(2, 5)),
                ("evacuated", evacuated),
                ("settled", evacuated * random.whole(3, 8) / 10),
                ("houses_damaged", evacuated / 40),
                ("loss_cny", evacuated * 3_000),
            ];
            let row = report_row(land, &sheet, index, &format!("{}日报", seat.name))
                .with("report", "daily")
                .with("as_of", format!("{day}T{hour}:00:00+08:00"));
            sheet.push(with_figures(row, &figures));
        }
    }
    for (incident, report, at, township, summary, evacuated) in [
        ("IN-01", "first", "2026-08-14T10:00:00+08:00", 6, "堤段漫水，正在转移下游群众", 40),
        ("IN-01", "follow_up", "2026-08-14T12:40:00+08:00", 6, "水位仍在上涨，转移继续，无人员伤亡", 126),
        ("IN-04", "first", "2026-08-13T17:20:00+08:00", 3, "货车侧翻，占用一条车道", 0),
        ("IN-04", "final", "2026-08-13T21:20:00+08:00", 3, "车辆拖离，交通恢复", 0),
    ] {
        let row = report_row(land, &sheet, township, summary)
            .with("incident", incident)
            .with("report", report)
            .with("as_of", at)
            .with("summary", summary);
        sheet.push(with_figures(row, &[("evacuated", evacuated), ("settled", evacuated / 2)]));
    }
    sheet
}

/// A report at the hall of a township.
fn report_row(land: &Land, sheet: &Sheet, index: usize, name: &str) -> Row {
    let number = sheet.rows.len() + 1;
    Row::new(format!("SR-{number:03}"), name, township(index), point(land.halls[index]))
        .with("reporter", format!("示例报告人{:02}", index + 1))
        .with("phone", invented_phone(9_200 + index))
}

/// A report states every figure: what it does not name is none.
fn with_figures(row: Row, figures: &[(&'static str, i64)]) -> Row {
    const OTHERS: [&str; 5] = ["injured", "missing", "dead", "houses_collapsed", "crops_ha"];
    let none = OTHERS.iter().chain(&["affected", "houses_damaged", "loss_cny"]);
    let none = none.filter(|name| figures.iter().all(|own| own.0 != **name)).map(|name| (*name, 0));
    figures.iter().copied().chain(none).fold(row, |row, (name, value)| row.with(name, value))
}

fn township(index: usize) -> String {
    format!("350124{}", SEATS[index].code)
}
