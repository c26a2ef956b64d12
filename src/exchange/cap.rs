//! Reads warnings as CAP 1.2 (OASIS Common Alerting Protocol) and its Chinese profile GB/T 35965.1.
//!
//! Positions in CAP are latitude, longitude. The columns have the names of the fields of warnings: `name`, `kind`, `severity`
//! (1 to 4), `status`, `confirmed_at` (when it was sent), `started_at`, `expires_at`, `source`. Updates and cancellations have the id of the first message that
//! they refer to, so that they replace it.

use std::path::Path;

use geo::line_measures::Destination;
use geo::{Coord, Geodesic, Geometry, LineString, MultiPolygon, Point, Polygon};
use roxmltree::{Document, Node};
use serde_json::{Map, Value as Json, json};

use super::{ExchangeError, Record, RecordSource, Unreadable};
use crate::model::parse_instant;

const FORMAT: &str = "a CAP alert";
/// A longer file is no alert.
const MAX_BYTES: u64 = 16_000_000;
/// Corners of the polygon that stands for a circle.
const CIRCLE_CORNERS: u32 = 64;
/// Words for severity: of CAP, and the colours of Chinese warnings.
const SEVERITIES: [[&str; 3]; 4] =
    [["extreme", "red", "红"], ["severe", "orange", "橙"], ["moderate", "yellow", "黄"], ["minor", "blue", "蓝"]];
/// What follows the kind of event in its name.
const SUFFIXES: [&str; 10] = ["预警信号", "预警信息", "预警", "信号", "风险", "红色", "橙色", "黄色", "蓝色", "气象"];

/// Opens an alert; each block of information in its first language is a row.
///
/// # Errors
/// When the file cannot be read, is no XML without a document type, or is no alert.
pub fn open(path: &Path) -> Result<RecordSource, ExchangeError> {
    let malformed = |reason: &str| ExchangeError::malformed(path, FORMAT, &reason);
    let file_error = ExchangeError::file(path);
    if std::fs::metadata(path).map_err(&file_error)?.len() > MAX_BYTES {
        return Err(malformed(&format!("it is longer than {MAX_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(file_error)?;
    // A document type, and with it any entity of its own, is refused.
    let document =
        Document::parse(text.trim_start_matches('\u{feff}')).map_err(|error| malformed(&error.to_string()))?;
    let alert = document.root_element();
    if !alert.tag_name().name().eq_ignore_ascii_case("alert") {
        return Err(malformed(&format!("its root element is {}", alert.tag_name().name())));
    }
    let records = read(alert);
    Ok(RecordSource { crs: None, unnamed_crs: None, rows: Some(records.len()), records: Box::new(records.into_iter()) })
}

fn read(alert: Node<'_, '_>) -> Vec<Result<Record, Unreadable>> {
    let infos: Vec<Node<'_, '_>> = children(alert, "info").collect();
    let language = |info: &Node<'_, '_>| text(*info, "language").unwrap_or("en-US").to_ascii_lowercase();
    // A message in several languages says the same several times; Chinese is preferred.
    let chosen = infos.iter().map(language).find(|own| own.starts_with("zh"));
    let chosen = chosen.or_else(|| infos.first().map(language)).unwrap_or_default();
    let own: Vec<&Node<'_, '_>> = infos.iter().filter(|info| language(info) == chosen).collect();
    let failed = |row: usize, reason: String| Err(Unreadable { row, line: None, reason, is_end: false });
    if own.is_empty() {
        return vec![failed(1, "the alert has no info".to_owned())];
    }
    let several = own.len() > 1;
    let rows = own.into_iter().enumerate().map(|(at, info)| {
        let row = at + 1;
        let suffix = if several { format!("-{row}") } else { String::new() };
        record(alert, *info, row, &suffix).or_else(|reason| failed(row, reason))
    });
    rows.collect()
}

fn record(alert: Node<'_, '_>, info: Node<'_, '_>, row: usize, suffix: &str) -> Result<Record, String> {
    let status = text(alert, "status").unwrap_or("Actual");
    if !status.eq_ignore_ascii_case("actual") {
        return Err(format!("it is not an actual alert but has the status {status}"));
    }
    let identifier = text(alert, "identifier").ok_or("it has no identifier")?;
    // `sender,identifier,sent`, separated by white space, oldest first.
    let references = text(alert, "references").unwrap_or_default();
    let first = references.split_whitespace().next().and_then(|reference| reference.split(',').nth(1));
    let ended = text(alert, "msgType").is_some_and(|kind| ["cancel", "error"].contains(&&*kind.to_ascii_lowercase()));
    let start = ["onset", "effective"].iter().find_map(|name| text(info, name)).or_else(|| text(alert, "sent"));
    let end = text(info, "expires");
    if let (Some(start), Some(end)) = (start.and_then(parse_instant), end.and_then(parse_instant))
        && end < start
    {
        return Err("it expires before it begins".to_owned());
    }
    let sent_at = text(alert, "sent").and_then(parse_instant);
    if !ended && sent_at.zip(end.and_then(parse_instant)).is_some_and(|(sent, end)| end < sent) {
        return Err("it had expired when it was sent".to_owned());
    }
    let event = text(info, "event").unwrap_or_default();
    let mut properties = Map::new();
    let mut set = |name: &str, value: Option<Json>| properties.extend(value.map(|value| (name.to_owned(), value)));
    set("name", text(info, "headline").or(Some(event)).map(Json::from));
    set("kind", Some(kind(event)).filter(|kind| !kind.is_empty()).map(Json::from));
    set("severity", severity(info, event).map(Json::from));
    set("status", Some(json!(if ended { "lifted" } else { "active" })));
    set("confirmed_at", text(alert, "sent").map(Json::from));
    set("started_at", start.map(Json::from));
    set("expires_at", end.map(Json::from));
    set("source", text(info, "senderName").or_else(|| text(alert, "sender")).map(Json::from));
    let id = format!("{}{suffix}", first.unwrap_or(identifier));
    Ok(Record { row, line: None, id: Some(id), geometry: area(info)?, properties })
}

/// The kind of event in its name: `暴雨` of `暴雨橙色预警信号`.
fn kind(event: &str) -> String {
    let mut kind = event.trim().trim_end_matches("Warning").trim_end();
    while let Some(shorter) = SUFFIXES.iter().find_map(|suffix| kind.strip_suffix(suffix)) {
        kind = shorter.trim_end();
    }
    kind.to_owned()
}

/// 1 to 4; the colour in the name of the event takes precedence, because profiles differ in what they call severe.
fn severity(info: Node<'_, '_>, event: &str) -> Option<u8> {
    let headline = text(info, "headline").unwrap_or_default();
    let colour = |words: &[&str; 3]| format!("{}色", words[2]);
    let by_colour =
        SEVERITIES.iter().position(|words| event.contains(&colour(words)) || headline.contains(&colour(words)));
    let stated = text(info, "severity").unwrap_or_default().to_ascii_lowercase();
    let by_word = SEVERITIES.iter().position(|words| words.contains(&stated.as_str()));
    by_colour.or(by_word).and_then(|at| u8::try_from(at + 1).ok())
}

/// The area of all polygons and circles; `None` for an area that is only named.
fn area(info: Node<'_, '_>) -> Result<Option<Geometry>, String> {
    let mut polygons: Vec<Polygon> = Vec::new();
    for area in children(info, "area") {
        for polygon in children(area, "polygon") {
            let words = polygon.text().unwrap_or_default().split_whitespace();
            let ring: LineString = words.map(position).collect::<Result<Vec<Coord>, _>>()?.into();
            polygons.push(Polygon::new(ring, Vec::new()));
        }
        for circle in children(area, "circle") {
            polygons.push(round(circle.text().unwrap_or_default())?);
        }
    }
    Ok(match polygons.len() {
        0 => None,
        1 => polygons.pop().map(Geometry::Polygon),
        _ => Some(Geometry::MultiPolygon(MultiPolygon(polygons))),
    })
}

/// `LAT,LON`.
fn position(text: &str) -> Result<Coord, String> {
    let pair = text.split_once(',').and_then(|(lat, lon)| Some((lat.trim().parse().ok()?, lon.trim().parse().ok()?)));
    let (lat, lon): (f64, f64) = pair.ok_or_else(|| format!("{text:?} is no position; accepted: LAT,LON"))?;
    if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
        return Err(format!("{text:?} is no position: latitude comes first"));
    }
    Ok(Coord { x: lon, y: lat })
}

/// `LAT,LON RADIUS`, the radius in kilometres.
fn round(text: &str) -> Result<Polygon, String> {
    let refused = || format!("{text:?} is no circle; accepted: LAT,LON RADIUS_KM");
    let (centre, radius) = text.trim().split_once(char::is_whitespace).ok_or_else(refused)?;
    let centre = Point(position(centre)?);
    let radius_km: f64 = radius.trim().parse().map_err(|_| refused())?;
    if !(radius_km > 0.0 && radius_km <= 5_000.0) {
        return Err(refused());
    }
    let corner = |at: u32| {
        let bearing = f64::from(at) * -360.0 / f64::from(CIRCLE_CORNERS);
        Geodesic.destination(centre, bearing, radius_km * 1_000.0).0
    };
    let ring: LineString = (0..CIRCLE_CORNERS).map(corner).collect::<Vec<Coord>>().into();
    Ok(Polygon::new(ring, Vec::new()))
}

fn children<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.tag_name().name().eq_ignore_ascii_case(name))
}

/// The text of a child; `None` without it or if it is empty.
fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let child = node.children().find(|child| child.tag_name().name().eq_ignore_ascii_case(name))?;
    child.text().map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_what_the_name_of_the_event_begins_with() {
        let kinds = [
            ("暴雨橙色预警信号", "暴雨"),
            ("地质灾害气象风险黄色预警", "地质灾害"),
            ("台风", "台风"),
            ("Rainstorm Warning", "Rainstorm"),
            ("", ""),
        ];
        for (event, expected) in kinds {
            assert_eq!(kind(event), expected, "{event}");
        }
    }

    #[test]
    fn latitude_comes_first_and_circles_have_their_radius() {
        assert_eq!(position("26.2,118.8"), Ok(Coord { x: 118.8, y: 26.2 }));
        assert!(position("118.8,26.2").is_err_and(|reason| reason.contains("latitude comes first")));
        let circle = round("26.2,118.8 2.5").expect("a circle");
        for corner in circle.exterior().coords() {
            let distance = geo::Distance::distance(&Geodesic, Point(*corner), Point::new(118.8, 26.2));
            assert!((distance - 2_500.0).abs() < 0.001, "{distance}");
        }
        for wrong in ["26.2,118.8", "26.2,118.8 0", "26.2,118.8 NaN", "x 3", ""] {
            assert!(round(wrong).is_err(), "{wrong:?}");
        }
    }
}
