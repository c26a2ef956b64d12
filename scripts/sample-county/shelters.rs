//! The 349 shelters: 4 of the county, 3 in every township, one in every village, and 5 temporary ones.
//!
//! Six village shelters are in landslide zones on purpose, so that the siting audit has findings. No other shelter is
//! where a slope or a debris flow may reach it.

use crate::divisions::SEATS;
use crate::land::{Land, Place};
use crate::plane::distance;
use crate::random::Random;
use crate::sheet::{Row, Sheet, place_row};
use crate::zones::{Zone, point_within, within};

/// Slope hazards, whose zones have no shelters.
pub(crate) const SLOPES: [&str; 2] = ["landslide", "debris_flow"];
/// Number of shelters in landslide zones on purpose.
pub(crate) const MISPLACED: usize = 6;

struct Site {
    place: Place,
    name: String,
    grade: &'static str,
    kind: &'static str,
    capacity: i64,
}

/// The layer.
pub(crate) fn sheet(land: &Land, zones: &[Zone]) -> Sheet {
    let mut random = Random::of("shelters");
    let mut sheet = Sheet::new("shelters");
    for (index, site) in sites(land, zones, &mut random).into_iter().enumerate() {
        let row = row(land, zones, &mut random, index, &site, sheet.fresh_name(&site.name));
        sheet.push(row);
    }
    sheet
}

fn sites(land: &Land, zones: &[Zone], random: &mut Random) -> Vec<Site> {
    let mut sites = Vec::new();
    for (name, kind, capacity) in [
        ("县体育中心避灾点", "building", 1200),
        ("县第一中学避灾点", "building", 900),
        ("县城中心公园避灾场地", "open_ground", 2000),
        ("县委党校避灾点", "building", 420),
    ] {
        let place = safe(zones, || land.in_town(random, 0));
        sites.push(Site { place, name: name.to_owned(), grade: "county", kind, capacity });
    }
    for (township, seat) in SEATS.iter().enumerate() {
        let middle_school = if seat.people > 12_000.0 { "中学" } else { "学校" };
        for (label, kind) in [("中心小学", "building"), (middle_school, "building"), ("文体广场", "open_ground")]
        {
            let place = safe(zones, || land.in_town(random, township));
            let capacity = 10 * random.whole(20, 62);
            sites.push(Site {
                place, name: format!("{}{label}避灾点", seat.name), grade: "township", kind, capacity
            });
        }
    }
    let misplaced = misplaced(land, zones, random);
    for (village, home) in land.villages.iter().enumerate() {
        let (label, kind) = [
            ("村部", "building"),
            ("小学", "building"),
            ("文化活动中心", "building"),
            ("老人会", "building"),
            ("晒谷场", "open_ground"),
        ][random.weighted(&[48.0, 20.0, 18.0, 8.0, 6.0])];
        let label = if home.name.ends_with("社区") {
            label.replace("村部", "居委会").replace("晒谷场", "广场")
        } else {
            label.to_owned()
        };
        let chosen = misplaced.iter().find(|place| place.village == village);
        let place = chosen.copied().unwrap_or_else(|| {
            let mut reach = 260.0;
            safe(zones, || {
                reach += 8.0;
                land.in_village(random, village, reach)
            })
        });
        let capacity = 5 * random.whole(20, 44);
        sites.push(Site {
            place,
            name: format!("{}{label}避灾点", land.stem(village)),
            grade: "village",
            kind,
            capacity,
        });
    }
    for township in [6, 7, 0, 10, 4] {
        let place = safe(zones, || land.in_town(random, township));
        let capacity = 5 * random.whole(8, 19);
        sites.push(Site {
            place,
            name: format!("{}临时避灾点", SEATS[township].name),
            grade: "village",
            kind: "temporary",
            capacity,
        });
    }
    sites
}

/// The first place off every unstable slope.
fn safe(zones: &[Zone], mut draw: impl FnMut() -> Place) -> Place {
    loop {
        let place = draw();
        if !within(zones, &SLOPES, place.at) {
            return place;
        }
    }
}

/// Places in landslide zones, each of another township's village.
fn misplaced(land: &Land, zones: &[Zone], random: &mut Random) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    for zone in zones.iter().filter(|zone| zone.hazard == "landslide") {
        let Some(at) = point_within(land, random, &zone.area) else { continue };
        let place = land.place(at);
        let village = &land.villages[place.village];
        let fresh = found.iter().all(|other| land.villages[other.village].township != village.township);
        if fresh && distance(village.at, at) < 620.0 && found.len() < MISPLACED {
            found.push(place);
        }
    }
    found
}

fn row(land: &Land, zones: &[Zone], random: &mut Random, index: usize, site: &Site, name: String) -> Row {
    let township = land.villages[site.place.village].township;
    let known = index % 58 != 37;
    let flooding = matches!(township, 6 | 7) && random.chance(0.3);
    let status = match index {
        _ if flooding => *random.pick(&["open", "open", "full", "opening"]),
        _ if index % 43 == 30 => "closed",
        _ if index % 50 == 41 => "out_of_use",
        _ if index % 90 == 60 => "opening",
        _ => "standby",
    };
    let occupancy = match status {
        "full" => site.capacity,
        "open" => site.capacity * random.whole(8, 80) / 100,
        _ => 0,
    };
    let promised = match status {
        "open" => (site.capacity - occupancy) * random.whole(0, 40) / 100,
        "opening" => site.capacity * random.whole(10, 60) / 100,
        _ => 0,
    };
    let (fits, unfit) = suitability(zones, random, site);
    let crowded = if site.kind == "open_ground" { random.between(2.0, 3.5) } else { random.between(2.6, 5.5) };
    place_row(land, format!("SH-{:04}", index + 1), name, site.place)
        .with("kind", site.kind)
        .with("grade", site.grade)
        .with_known("capacity", known.then_some(site.capacity))
        .with_known(
            "capacity_night",
            (known && index % 7 != 3 && site.kind != "open_ground").then_some(site.capacity / 2),
        )
        .with_known("occupancy", (known || occupancy == 0).then_some(occupancy))
        .with("promised", promised)
        .with("status", status)
        .with_known("fits", (!fits.is_empty()).then_some(fits))
        .with_known("unfit", (!unfit.is_empty()).then_some(unfit))
        .with_known("for_frail", (index % 5 != 2).then(|| site.kind == "building" && random.chance(0.6)))
        .with_known("area_m2", (index % 19 != 8).then(|| area(site.capacity, crowded)))
        .with("public", !matches!(status, "out_of_use") && site.kind != "temporary")
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a few thousand square meters")]
fn area(capacity: i64, each_m2: f64) -> i64 {
    (capacity as f64 * each_m2 / 10.0).round() as i64 * 10
}

/// Hazards the place is suitable and unsuitable for. A hazard in neither list is unknown.
fn suitability(zones: &[Zone], random: &mut Random, site: &Site) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut fits, mut unfit) = (Vec::new(), Vec::new());
    for hazard in ["flood", "landslide", "debris_flow", "forest_fire", "earthquake", "waterlogging"] {
        let threatened = within(zones, &[hazard], site.place.at);
        let open_air = site.kind == "open_ground";
        let slope = SLOPES.contains(&hazard);
        if random.chance(0.18) || (slope && threatened) {
            continue;
        }
        let good = match hazard {
            "earthquake" => open_air || random.chance(0.35),
            "flood" | "waterlogging" => !threatened && !open_air,
            _ => !threatened,
        };
        if good { fits.push(hazard) } else { unfit.push(hazard) }
    }
    (fits, unfit)
}
