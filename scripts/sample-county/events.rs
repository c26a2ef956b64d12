//! Current events of the sample on the afternoon of 14 August 2026: four incidents and two warnings.

use geo::{Coord, Geometry, InteriorPoint, Polygon};

use crate::contour::areas;
use crate::land::Land;
use crate::plane::{board, distance, heading};
use crate::random::{Random, noise};
use crate::roads::Roads;
use crate::sheet::{Row, Sheet, point};
use crate::zones::{Zone, patch};

/// The reach of the Meixi that the sample flood covers: its lower and its upper end.
const FLOOD: ((f64, f64), (f64, f64)) = ((118.733, 26.062), (118.764, 26.116));

/// The layer of incidents.
pub(crate) fn incidents(land: &Land, zones: &[Zone], roads: &Roads) -> Sheet {
    let mut random = Random::of("incidents");
    let mut sheet = Sheet::new("incidents");
    let slide = slide(land, zones, &mut random);
    let below: Coord<f64> = slide.exterior().0[0];
    let blocked = near_road(land, roads, &mut random, below);
    let crash = near_road(land, roads, &mut random, land.halls[3]);
    let events = [
        (
            "梅溪坂东段漫堤",
            "flood",
            3,
            "responding",
            "follow_up",
            "2026-08-14T09:40:00+08:00",
            Geometry::from(flood(land)),
        ),
        ("强降雨引发山体滑坡", "landslide", 4, "responding", "first", "2026-08-14T12:15:00+08:00", slide.into()),
        ("塌方阻断道路", "road_closure", 4, "responding", "first", "2026-08-14T12:30:00+08:00", point(blocked)),
        ("货车侧翻", "traffic", 4, "closed", "final", "2026-08-13T17:05:00+08:00", point(crash)),
    ];
    for (name, kind, severity, status, report, started, shape) in events {
        let middle = shape.interior_point().map_or(land.halls[0], Into::into);
        let region = land.villages[land.village(middle)].code.clone();
        let expires = if status == "closed" { "2026-08-13T21:30:00+08:00" } else { "2026-08-16T12:00:00+08:00" };
        sheet.push(
            Row::new(format!("IN-{:02}", sheet.rows.len() + 1), name, region, shape)
                .with("kind", kind)
                .with("severity", severity)
                .with("status", status)
                .with("report", report)
                .with("started_at", started)
                .with("expires_at", expires),
        );
    }
    sheet
}

/// The flooded area: wider than the river, narrower than its zone of the fifty-year flood.
fn flood(land: &Land) -> Polygon<f64> {
    let river = land.terrain.river("梅溪");
    let ends = [FLOOD.0, FLOOD.1].map(|(lon, lat)| river.course.beside(board(lon, lat)).along_m);
    let stretch = river.course.stretch(ends[0], ends[1]);
    let mut frame = land.terrain.frame();
    let reach = Coord { x: 1000.0, y: 1000.0 };
    frame.set_min(stretch.at(0.0).0 - reach - reach);
    frame.set_max(stretch.at(stretch.length()).0 + reach + reach);
    let found = areas(frame, 60.0, |at| {
        let beside = river.course.beside(at);
        let wide = 230.0 + 110.0 * noise(610, at, 800.0);
        (wide - beside.off_m).min(beside.along_m - ends[0]).min(ends[1] - beside.along_m)
    });
    found.into_iter().next().unwrap_or_else(|| land.townships[6].clone())
}

/// Part of a slope near Tazhuang or Shenghuang that has slid.
fn slide(land: &Land, zones: &[Zone], random: &mut Random) -> Polygon<f64> {
    let slopes = zones.iter().filter(|zone| zone.hazard == "landslide");
    let middles = slopes.filter_map(|zone| zone.area.interior_point()).map(Coord::from);
    let middle = middles
        .min_by(|&a, &b| distance(a, land.halls[7]).total_cmp(&distance(b, land.halls[7])))
        .unwrap_or(land.halls[7]);
    let (stream, _) = land.terrain.stream(middle);
    let down = heading(middle, stream.course.at(stream.course.beside(middle).along_m).0);
    patch(random, middle, 46.0, 1.7, down)
}

/// A place beside a road, not far from a point.
fn near_road(land: &Land, roads: &Roads, random: &mut Random, from: Coord<f64>) -> Coord<f64> {
    let tried = (0..400).map(|_| roads.beside(land, random).at);
    tried.min_by(|&a, &b| distance(a, from).total_cmp(&distance(b, from))).unwrap_or(from)
}

/// The layer of warnings.
pub(crate) fn warnings(land: &Land) -> Sheet {
    let mut sheet = Sheet::new("warnings");
    let around = |lon: f64, lat: f64, reach_m: f64, seed: u64| {
        let middle = board(lon, lat);
        let found = areas(land.terrain.frame(), 600.0, |at| {
            (reach_m * (1.0 + 0.3 * noise(seed, at, 9000.0)) - distance(at, middle))
                .min(land.terrain.depth_m(at) - 400.0)
        });
        found.into_iter().next().unwrap_or_else(|| land.county.clone())
    };
    let events = [
        (
            "暴雨橙色预警",
            "rainstorm",
            2,
            "2026-08-14T08:30:00+08:00",
            "2026-08-15T08:30:00+08:00",
            around(118.69, 26.06, 12_500.0, 620),
        ),
        (
            "地质灾害气象风险黄色预警",
            "geo_hazard",
            3,
            "2026-08-14T11:00:00+08:00",
            "2026-08-15T20:00:00+08:00",
            around(118.72, 26.13, 20_000.0, 630),
        ),
    ];
    for (name, kind, severity, started, expires, area) in events {
        sheet.push(
            Row::new(format!("WN-{:02}", sheet.rows.len() + 1), name, "350124000000".to_owned(), area.into())
                .with("kind", kind)
                .with("severity", severity)
                .with("status", "active")
                .with("started_at", started)
                .with("expires_at", expires),
        );
    }
    sheet
}
