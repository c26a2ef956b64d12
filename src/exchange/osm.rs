//! Reads the roads of OpenStreetMap extracts (PBF): ways that motor vehicles use, as lines.
//!
//! A file lists nodes before the ways that name them, so it is read three times: for the nodes of roads, for their
//! positions, and for the roads. Only these positions are kept, 20 bytes each, whatever else the file contains.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use geo::{Coord, LineString};
use osmpbf::{BlobDecode, BlobReader, Element, ElementReader, Way};
use serde_json::{Map, Value as Json};

use super::kml::joined;
use super::read_ahead::{Rows, read_ahead};
use super::{ExchangeError, Record, RecordSource, Unreadable};

/// Limits of vehicles: the property, the tag and the unit.
const LIMITS: [(&str, &str, &str); 3] =
    [("max_height_m", "maxheight", "m"), ("max_width_m", "maxwidth", "m"), ("max_weight_t", "maxweight", "t")];

/// Ways that are roads, and their class. Streets and tracks have no class of the road administration: it is unknown.
const ROADS: [(&str, Option<&str>); 16] = [
    ("motorway", Some("expressway")),
    ("motorway_link", Some("expressway")),
    ("trunk", Some("national")),
    ("trunk_link", Some("national")),
    ("primary", Some("provincial")),
    ("primary_link", Some("provincial")),
    ("secondary", Some("county")),
    ("secondary_link", Some("county")),
    ("tertiary", Some("township")),
    ("tertiary_link", Some("township")),
    ("unclassified", Some("township")),
    ("residential", None),
    ("living_street", None),
    ("service", None),
    ("road", None),
    ("track", None),
];
/// What a reader must know to read a file; history is not in the list, because it contains deleted roads.
const KNOWN_FEATURES: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];
const FORMAT: &str = "OpenStreetMap PBF";
/// Units of stored positions in a degree.
const UNITS: f64 = 1e7;

/// Opens a file. Coordinates are WGS 84 by the format.
///
/// # Errors
/// When it cannot be read, or is not an extract without history.
pub fn open(path: &Path) -> Result<RecordSource, ExchangeError> {
    let file = BufReader::new(File::open(path).map_err(ExchangeError::file(path))?);
    check_header(BlobReader::new(file)).map_err(|reason| ExchangeError::malformed(path, FORMAT, &reason))?;
    let path = path.to_owned();
    let records = read_ahead(move |rows| {
        if let Err(error) = read(&path, rows) {
            rows.push_cut(None, format!("the file is not read further: {error}"));
        }
    });
    Ok(RecordSource { crs: Some("wgs84".to_owned()), unnamed_crs: None, rows: None, records })
}

fn check_header(mut blobs: BlobReader<BufReader<File>>) -> Result<(), String> {
    let first = blobs.next().ok_or("it is empty")?.map_err(|error| error.to_string())?;
    let BlobDecode::OsmHeader(header) = first.decode().map_err(|error| error.to_string())? else {
        return Err("it does not start with a header".to_owned());
    };
    let unknown = header.required_features().iter().find(|own| !KNOWN_FEATURES.contains(&own.as_str()));
    unknown.map_or(Ok(()), |name| Err(format!("it requires {name:?}; accepted: {}", KNOWN_FEATURES.join(", "))))
}

fn read(path: &Path, rows: &mut Rows) -> Result<(), osmpbf::Error> {
    let mut nodes = Vec::new();
    ElementReader::from_path(path)?.for_each(|element| {
        if let Element::Way(way) = element
            && OsmRoad::of(&way).is_some()
        {
            nodes.extend(way.refs());
        }
    })?;
    let mut positions = Positions::of(nodes);
    ElementReader::from_path(path)?.for_each(|element| match element {
        Element::Node(node) => positions.set(node.id(), [node.decimicro_lon(), node.decimicro_lat()]),
        Element::DenseNode(node) => positions.set(node.id(), [node.decimicro_lon(), node.decimicro_lat()]),
        Element::Way(_) | Element::Relation(_) => {}
    })?;
    let mut is_read = true;
    ElementReader::from_path(path)?.for_each(|element| {
        if let Element::Way(way) = element
            && is_read
            && let Some(road) = OsmRoad::of(&way)
        {
            let row = rows.count() + 1;
            is_read = rows.push(road.into_record(row, &way, &positions));
        }
    })
}

/// The positions of nodes.
struct Positions {
    /// Ids, in order.
    nodes: Vec<i64>,
    places: Vec<Option<[i32; 2]>>,
}

impl Positions {
    fn of(mut nodes: Vec<i64>) -> Self {
        nodes.sort_unstable();
        nodes.dedup();
        nodes.shrink_to_fit();
        let places = vec![None; nodes.len()];
        Self { nodes, places }
    }

    fn set(&mut self, node: i64, place: [i32; 2]) {
        if let Ok(at) = self.nodes.binary_search(&node) {
            self.places[at] = Some(place);
        }
    }

    /// The position of a node; equal for all roads that meet in it.
    fn get(&self, node: i64) -> Option<Coord> {
        let [lon, lat] = self.places[self.nodes.binary_search(&node).ok()?]?;
        Some(Coord { x: f64::from(lon) / UNITS, y: f64::from(lat) / UNITS })
    }
}

/// A limit in metres or tonnes, with or without its unit; `None` if it is in another unit or no number, such as
/// `none` and `default`.
fn limit(text: &str, unit: &str) -> Option<f64> {
    let number = text.strip_suffix(unit).unwrap_or(text).trim();
    number.parse().ok().filter(|limit: &f64| limit.is_finite() && *limit > 0.0)
}

/// What the tags of a way say of a road.
struct OsmRoad {
    properties: Map<String, Json>,
    /// Whether it is open only against the direction of its line.
    is_reversed: bool,
}

impl OsmRoad {
    /// The road of a way, if it is one.
    fn of(way: &Way<'_>) -> Option<Self> {
        let tag = |wanted: &str| way.tags().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let highway = tag("highway")?;
        let (_, class) = ROADS.iter().find(|(own, _)| *own == highway)?;
        // The most specific tag counts: access=no, motor_vehicle=yes is open.
        let access = ["motor_vehicle", "vehicle", "access"].into_iter().find_map(tag);
        if tag("area") == Some("yes") || access == Some("no") {
            return None;
        }
        let is_implied = highway == "motorway" || matches!(tag("junction"), Some("roundabout" | "circular"));
        let (is_oneway, is_reversed) = match tag("oneway") {
            Some("yes" | "true" | "1") => (true, false),
            Some("-1" | "reverse") => (true, true),
            Some(_) => (false, false),
            None => (is_implied, false),
        };
        // No status: an update would open what a dispatcher has closed.
        let texts = [("name", ["name:zh", "name", "ref"].into_iter().find_map(tag)), ("class", *class)];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Json::from(text?))));
        let mut properties: Map<String, Json> = texts.collect();
        properties.insert("oneway".to_owned(), Json::from(is_oneway));
        for (name, key, unit) in LIMITS {
            let limit = tag(key).and_then(|text| limit(text, unit));
            properties.extend(limit.map(|limit| (name.to_owned(), Json::from(limit))));
        }
        Some(Self { properties, is_reversed })
    }

    fn into_record(self, row: usize, way: &Way<'_>, positions: &Positions) -> Result<Record, Unreadable> {
        let id = format!("way-{}", way.id());
        let failed = |reason: String| Unreadable { row, line: None, reason, is_end: false };
        let mut places: Vec<Option<Coord>> = way.refs().map(|node| positions.get(node)).collect();
        if self.is_reversed {
            places.reverse();
        }
        // An extract may lack nodes: nobody knows where the road is between those around the gap.
        let parts = places.split(Option::is_none).filter(|part| part.len() > 1);
        let lines: Vec<geo::Geometry> =
            parts.map(|part| LineString(part.iter().copied().flatten().collect()).into()).collect();
        if lines.is_empty() {
            return Err(failed(format!("{id} has no two nodes in a row that the file contains")));
        }
        let geometry = joined(lines).map_err(failed)?;
        Ok(Record { row, line: None, id: Some(id), geometry, properties: self.properties })
    }
}
