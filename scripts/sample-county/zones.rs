//! Risk zones: floods along the rivers, landslides on the slopes, debris flows in side valleys, fire on the ridges.

use std::f64::consts::TAU;

use geo::{Area, Coord, InteriorPoint, LineString, Polygon, Rect};

use crate::contour::areas;
use crate::divisions::SEATS;
use crate::land::Land;
use crate::plane::{Line, Through, board, covers, distance, heading, step};
use crate::random::{Random, noise, rough};
use crate::sheet::{Row, Sheet};
use crate::terrain::Stream;

/// A risk zone before it becomes a row.
pub(crate) struct Zone {
    /// Code of the hazard.
    pub(crate) hazard: &'static str,
    /// Name.
    pub(crate) name: String,
    /// 1 to 4.
    pub(crate) level: i64,
    /// Return period of a flood, years.
    pub(crate) return_years: Option<i64>,
    /// Scale denominator of its map.
    pub(crate) map_scale: i64,
    /// Its area.
    pub(crate) area: Polygon<f64>,
}

/// All zones.
pub(crate) fn draw(land: &Land) -> Vec<Zone> {
    let mut zones = Vec::new();
    floods(land, &mut zones);
    waterlogging(land, &mut zones);
    landslides(land, &mut zones);
    debris_flows(land, &mut zones);
    forest_fires(land, &mut zones);
    faults(land, &mut zones);
    zones
}

/// The layer.
pub(crate) fn sheet(land: &Land, zones: &[Zone]) -> Sheet {
    let mut sheet = Sheet::new("risk_zones");
    for (index, zone) in zones.iter().enumerate() {
        let middle = zone.area.interior_point().map_or(land.halls[0], Into::into);
        let region =
            if zone.area.unsigned_area() > 2e8 { "350124000000".to_owned() } else { land.township_code(middle) };
        let name = sheet.fresh_name(&zone.name);
        sheet.push(
            Row::new(format!("RZ-{:04}", index + 1), name, region, zone.area.clone().into())
                .with("hazard", zone.hazard)
                .with("risk_level", zone.level)
                .with_known("return_period_years", zone.return_years)
                .with("map_scale", zone.map_scale),
        );
    }
    sheet
}

/// The flooded area of a river, for each township it passes and each return period.
fn floods(land: &Land, zones: &mut Vec<Zone>) {
    for (order, stream) in land.terrain.streams.iter().filter(|stream| !stream.name.is_empty()).enumerate() {
        let periods: &[(i64, i64, f64)] = if stream.half_width_m > 100.0 {
            &[(20, 2, 170.0), (50, 3, 330.0), (100, 4, 560.0)]
        } else if stream.half_width_m > 30.0 {
            &[(10, 1, 90.0), (20, 2, 190.0), (50, 3, 340.0)]
        } else {
            &[(20, 2, 75.0), (50, 3, 160.0)]
        };
        for (township, from_m, to_m) in passes(land, &stream.course) {
            let town = SEATS[township].name;
            for &(years, level, reach_m) in periods {
                // Upstream the valley and the flood are narrower; the Min comes from far away.
                let wide = |at, along_m: f64| {
                    let grown =
                        if stream.half_width_m > 100.0 { 1.0 } else { 0.5 + 0.5 * along_m / stream.course.length() };
                    let uneven = 1.0 + 0.45 * noise(200 + order as u64, at, 1100.0) + 0.2 * noise(220, at, 420.0);
                    stream.half_width_m + reach_m * grown * uneven
                };
                let step_m = (reach_m * 0.4).clamp(38.0, 110.0);
                let found = ribbon(land, stream, (from_m, to_m), step_m, wide);
                zones.extend(found.map(|area| Zone {
                    hazard: "flood",
                    name: format!("{}{town}段{years}年一遇洪水淹没区", stream.name),
                    level,
                    return_years: Some(years),
                    map_scale: 10_000,
                    area,
                }));
            }
        }
    }
}

/// The stretches of a course, each within one township.
fn passes(land: &Land, course: &Line) -> Vec<(usize, f64, f64)> {
    let mut passes: Vec<(usize, f64, f64)> = Vec::new();
    let mut along = 0.0;
    while along < course.length() {
        let at = course.at(along).0;
        if land.terrain.depth_m(at) > 60.0 {
            let township = land.township(at);
            match passes.last_mut() {
                Some(last) if last.0 == township && along - last.2 < 250.0 => last.2 = along,
                _ => passes.push((township, along, along)),
            }
        }
        along += 120.0;
    }
    for pass in &mut passes {
        *pass = (pass.0, (pass.1 - 75.0).max(0.0), (pass.2 + 75.0).min(course.length()));
    }
    passes.retain(|pass| pass.2 - pass.1 > 900.0);
    passes
}

/// The ground within a changing distance of a stretch of a stream.
fn ribbon(
    land: &Land,
    stream: &Stream,
    (from_m, to_m): (f64, f64),
    step_m: f64,
    wide: impl Fn(Coord<f64>, f64) -> f64,
) -> Option<Polygon<f64>> {
    let frame = frame(&stream.course.stretch(from_m, to_m).0, 1300.0);
    let before_m = (from_m - 1500.0).max(0.0);
    let near = stream.course.stretch(before_m, (to_m + 1500.0).min(stream.course.length()));
    let found = areas(frame, step_m, |at| {
        let beside = near.beside(at);
        let along_m = before_m + beside.along_m;
        let across = wide(at, along_m) - beside.off_m;
        across.min(along_m - from_m).min(to_m - along_m).min(land.terrain.depth_m(at) - step_m)
    });
    found.into_iter().next()
}

fn frame(points: &[Coord<f64>], margin_m: f64) -> Rect<f64> {
    let mut frame = Rect::new(points[0], points[0]);
    for point in points {
        let low = Coord { x: frame.min().x.min(point.x), y: frame.min().y.min(point.y) };
        let high = Coord { x: frame.max().x.max(point.x), y: frame.max().y.max(point.y) };
        frame = Rect::new(low, high);
    }
    let margin = Coord { x: margin_m, y: margin_m };
    Rect::new(frame.min() - margin, frame.max() + margin)
}

/// A natural-looking patch around a centre, longer in one direction.
pub(crate) fn patch(random: &mut Random, middle: Coord<f64>, radius_m: f64, long: f64, angle: f64) -> Polygon<f64> {
    let corners = 14 + u32::try_from(random.index(9)).unwrap_or(0);
    let (seed, turn) = (random.index(1_000_000) as u64, TAU / f64::from(corners));
    let ring = (0..corners).map(|corner| {
        let around = turn * (f64::from(corner) + random.between(-0.3, 0.3));
        let out = Coord { x: around.cos(), y: around.sin() };
        let radius = radius_m * (1.0 + 0.38 * rough(seed, out * 1000.0, 700.0));
        let (x, y) = (out.x * radius * long, out.y * radius / long.sqrt());
        middle + Coord { x: x * angle.cos() - y * angle.sin(), y: x * angle.sin() + y * angle.cos() }
    });
    let mut ring: Vec<_> = ring.collect();
    ring.push(ring[0]);
    Polygon::new(LineString(ring), vec![])
}

/// Low ground in the towns where rainwater collects.
fn waterlogging(land: &Land, zones: &mut Vec<Zone>) {
    let mut random = Random::of("waterlogging");
    for (township, label) in [
        (0, "老城区"),
        (0, "城南路口"),
        (0, "车站片区"),
        (0, "学前低洼段"),
        (1, "渡口片区"),
        (6, "集镇老街"),
        (5, "集镇桥头"),
    ] {
        let middle = land.in_town(&mut random, township).at;
        let (radius_m, level) = (random.between(90.0, 190.0), random.whole(2, 4));
        zones.push(Zone {
            hazard: "waterlogging",
            name: format!("{}{label}易涝区", SEATS[township].name),
            level,
            return_years: Some(*random.pick(&[5, 10, 20])),
            map_scale: 2_000,
            area: patch(&mut random, middle, radius_m, 1.4, land.valley(middle)),
        });
    }
}

/// Unstable slopes: half of them behind villages, none under a village's middle.
fn landslides(land: &Land, zones: &mut Vec<Zone>) {
    let mut random = Random::of("landslides");
    let mut count = 0;
    while count < 64 {
        let place = if count % 2 == 0 {
            let village = random.index(land.villages.len());
            land.near(&mut random, land.villages[village].at, 230.0, 650.0)
        } else {
            land.on_slope(&mut random)
        };
        let (stream, off_m) = land.terrain.stream(place.at);
        let down = heading(place.at, stream.course.at(stream.course.beside(place.at).along_m).0);
        let radius_m = random.between(70.0, 130.0) + if count % 2 == 0 { 0.0 } else { random.between(0.0, 190.0) };
        let long = random.between(1.2, 1.8);
        let area = patch(&mut random, place.at, radius_m, long, down);
        let free = off_m > stream.clearance_m() + radius_m * long * 1.35
            && land.terrain.depth_m(place.at) > 900.0
            && land.villages.iter().all(|village| distance(village.at, place.at) > radius_m * long * 1.4 + 40.0)
            && land.halls.iter().all(|&hall| distance(hall, place.at) > 900.0)
            && zones
                .iter()
                .all(|zone| zone.hazard != "landslide" || distance(zone.area.exterior().0[0], place.at) > 700.0);
        if free {
            count += 1;
            zones.push(Zone {
                hazard: "landslide",
                name: format!("{}{}滑坡风险区", SEATS[land.township(place.at)].name, land.villages[place.village].name),
                level: 1 + i64::try_from(random.weighted(&[2.0, 8.0, 14.0, 6.0])).unwrap_or(3),
                return_years: None,
                map_scale: *random.pick(&[10_000, 50_000]),
                area,
            });
        }
    }
}

/// Side valleys that carry mud: narrow above, a fan at the mouth.
fn debris_flows(land: &Land, zones: &mut Vec<Zone>) {
    let mut random = Random::of("debris flows");
    let mut creeks: Vec<_> = land
        .terrain
        .streams
        .iter()
        .filter(|stream| stream.name.is_empty() && stream.course.length() > 1900.0)
        .collect();
    random.shuffle(&mut creeks);
    for creek in creeks.into_iter().take(26) {
        let length = creek.course.length();
        let start = length - random.between(1100.0, 2000.0);
        let seed = random.index(1000) as u64;
        let fan = random.between(50.0, 105.0);
        let wide = |at: Coord<f64>, along: f64| {
            let share = ((along - start) / (length - start)).clamp(0.0, 1.0);
            (30.0 + 15.0 * share + fan * share.powi(3)) * (1.0 + 0.4 * noise(seed, at, 240.0))
        };
        let area = ribbon(land, creek, (start, length - 15.0), 30.0, wide);
        let foot = creek.course.at(length - 300.0).0;
        zones.extend(area.map(|area| Zone {
            hazard: "debris_flow",
            name: format!("{}{}泥石流沟", SEATS[land.township(foot)].name, land.villages[land.village(foot)].name),
            level: random.whole(2, 4),
            return_years: None,
            map_scale: 10_000,
            area,
        }));
    }
}

/// Wooded ridges, far from the valleys.
fn forest_fires(land: &Land, zones: &mut Vec<Zone>) {
    let mut random = Random::of("forest fires");
    let found = areas(land.terrain.frame(), 230.0, |at| {
        let wild = 1000.0 * rough(310, at, 5200.0) + 60.0;
        wild.min(land.terrain.stream(at).1 - 520.0 + 250.0 * noise(330, at, 1500.0))
            .min(land.terrain.depth_m(at) - 330.0)
    });
    for area in found.into_iter().filter(|area| area.unsigned_area() > 2.2e6).take(26) {
        let middle = area.interior_point().map_or(land.halls[0], Into::into);
        zones.push(Zone {
            hazard: "forest_fire",
            name: format!("{}林区森林火灾风险区", SEATS[land.township(middle)].name),
            level: random.whole(1, 4),
            return_years: None,
            map_scale: 50_000,
            area,
        });
    }
}

/// Two faults with a strip along each, and the zone of stronger shaking around the first.
fn faults(land: &Land, zones: &mut Vec<Zone>) {
    let lines: [(&str, Through); 2] = [
        (
            "北东向断层",
            &[(118.59, 25.96), (118.67, 26.05), (118.76, 26.17), (118.83, 26.29), (118.93, 26.39), (119.02, 26.47)],
        ),
        ("北西向断层", &[(118.99, 26.15), (118.87, 26.19), (118.76, 26.27), (118.68, 26.36)]),
    ];
    let strip = |through: &[(f64, f64)], half_m: f64, step_m: f64| {
        let through: Vec<_> = through.iter().map(|&(lon, lat)| board(lon, lat)).collect();
        let line = Line::smooth(&through, 400.0).beside_at(|at| 420.0 * noise(410, at, 4200.0));
        let found = areas(frame(&line.0, half_m * 1.6), step_m, |at| {
            let wide = half_m * (0.9 + 0.35 * rough(400, at, 1800.0 + half_m));
            (wide - line.beside(at).off_m).min(land.terrain.depth_m(at) - step_m)
        });
        found.into_iter().next()
    };
    for (index, (name, through)) in lines.into_iter().enumerate() {
        zones.extend(strip(through, 260.0, 170.0).map(|area| Zone {
            hazard: "fault",
            name: format!("{name}影响带"),
            level: 3,
            return_years: None,
            map_scale: 50_000,
            area,
        }));
        if index == 0 {
            zones.extend(strip(through, 6000.0, 600.0).map(|area| Zone {
                hazard: "earthquake",
                name: "地震动参数较高区".to_owned(),
                level: 4,
                return_years: Some(475),
                map_scale: 50_000,
                area,
            }));
        }
    }
}

/// Whether a point lies in a zone of one of some hazards.
pub(crate) fn within(zones: &[Zone], hazards: &[&str], at: Coord<f64>) -> bool {
    zones.iter().any(|zone| hazards.contains(&zone.hazard) && covers(&zone.area, at))
}

/// A dry point within a zone.
pub(crate) fn point_within(land: &Land, random: &mut Random, area: &Polygon<f64>) -> Option<Coord<f64>> {
    let middle: Coord<f64> = area.interior_point()?.into();
    let reach = area.exterior().0.iter().map(|&corner| distance(corner, middle)).fold(0.0, f64::max);
    (0..200)
        .map(|_| step(middle, random.between(0.0, TAU), random.between(0.0, reach)))
        .find(|&at| covers(area, at) && land.terrain.dry(at))
}
