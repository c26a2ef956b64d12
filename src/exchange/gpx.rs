//! Reads GPX 1.0 and 1.1: waypoints as points, routes and tracks as lines.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use geo::{Coord, Geometry, LineString, Point};
use serde_json::{Map, Value as Json};

use super::kml::joined;
use super::read_ahead::{Rows, read_ahead};
use super::xml_parts::{Part, XmlParts};
use super::{ExchangeError, Record, RecordSource, Unreadable};

/// Elements that are a feature.
const FEATURES: [&str; 3] = ["wpt", "rte", "trk"];

/// Opens a file. Coordinates are WGS 84 by the standard.
///
/// # Errors
/// When the file cannot be read.
pub fn open(path: &Path) -> Result<RecordSource, ExchangeError> {
    let file = BufReader::new(File::open(path).map_err(ExchangeError::file(path))?);
    let records = read_ahead(move |rows| read(file, rows));
    Ok(RecordSource { crs: Some("wgs84".to_owned()), unnamed_crs: None, rows: None, records })
}

/// A feature that is being read.
struct Track {
    properties: Map<String, Json>,
    /// The position of a waypoint.
    at: Option<Coord>,
    /// A route, or the segments of a track.
    lines: Vec<LineString>,
    defect: Option<String>,
}

fn read(source: impl BufRead, rows: &mut Rows) {
    let mut parts = XmlParts::new(source);
    let mut path: Vec<String> = Vec::new();
    let mut track: Option<Track> = None;
    loop {
        match parts.next() {
            Ok(None) => return,
            Ok(Some(Part::Start { name, attributes })) => {
                let place = position(&attributes);
                match (&mut track, name.as_str()) {
                    (None, own) if FEATURES.contains(&own) => {
                        let properties = Map::from_iter([("kind".to_owned(), Json::from(own))]);
                        let lines = if own == "rte" { vec![LineString(Vec::new())] } else { Vec::new() };
                        let (at, defect) = match place {
                            Ok(at) => (Some(at).filter(|_| own == "wpt"), None),
                            Err(reason) => (None, Some(reason).filter(|_| own == "wpt")),
                        };
                        track = Some(Track { properties, at, lines, defect });
                    }
                    (Some(track), "trkseg") => track.lines.push(LineString(Vec::new())),
                    (Some(track), "rtept" | "trkpt") => match (place, track.lines.last_mut()) {
                        (Ok(at), Some(line)) => line.0.push(at),
                        (Err(reason), _) => drop(track.defect.get_or_insert(reason)),
                        (Ok(_), None) => {}
                    },
                    _ => {}
                }
                path.push(name);
            }
            Ok(Some(Part::End { name, text })) => {
                path.pop();
                let parent = path.last().map_or("", String::as_str);
                if FEATURES.contains(&name.as_str()) {
                    let row = rows.count() + 1;
                    if track.take().is_some_and(|own| !rows.push(own.into_record(row))) {
                        return;
                    }
                } else if let Some(track) = track.as_mut().filter(|_| FEATURES.contains(&parent) && !text.is_empty()) {
                    track.properties.insert(name, Json::from(text));
                }
            }
            Err(reason) => return rows.push_cut(None, format!("the document is not read further: {reason}")),
        }
    }
}

fn position(attributes: &[(String, String)]) -> Result<Coord, String> {
    let degrees = |wanted: &str| {
        let text = attributes.iter().find(|(name, _)| name == wanted).map(|(_, own)| own.trim());
        text.and_then(|text| text.parse::<f64>().ok())
    };
    match (degrees("lon"), degrees("lat")) {
        (Some(x), Some(y)) => Ok(Coord { x, y }),
        _ => Err("a point has no numbers lon and lat".to_owned()),
    }
}

impl Track {
    fn into_record(self, row: usize) -> Result<Record, Unreadable> {
        let failed = |reason: String| Unreadable { row, line: None, reason, is_end: false };
        if let Some(defect) = self.defect {
            return Err(failed(defect));
        }
        // A segment of one point is no line.
        let lines = self.lines.into_iter().filter(|line| line.0.len() > 1).map(Geometry::LineString);
        let geometry = match self.at {
            Some(at) => Some(Point(at).into()),
            None => joined(lines.collect()).map_err(failed)?,
        };
        Ok(Record { row, line: None, id: None, geometry, properties: self.properties })
    }
}
