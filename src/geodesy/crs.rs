//! Coordinate reference systems by name and by URI, with their axis order.
//!
//! Names are used in files and in the parameter `crs`: easting or longitude comes first, as in files, regardless of the
//! EPSG registry. URIs are used in OGC requests: the axes have the order of the registry.

use std::fmt;

use super::{EnvelopeError, PositionError};

/// The URI of WGS 84 longitude, latitude: the system of GeoJSON.
pub const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";

/// The names that [`Crs::parse`] accepts, for messages.
pub const ACCEPTED_CRS: &str = "wgs84, cgcs2000, gcj02, bd09, EPSG:4326, EPSG:4490, EPSG:3857, \
     EPSG:4513..4554 (3-degree Gauss-Krüger), EPSG:4491..4512 (6-degree Gauss-Krüger), EPSG:32601..32660 (UTM north)";

/// Systems with a URI: the URI, the EPSG code (0 for CRS84), and whether northing or latitude comes first in the EPSG
/// registry.
const URIS: [(&str, u32, bool); 7] = [
    (CRS84, 0, false),
    ("http://www.opengis.net/def/crs/EPSG/0/4326", 4326, true),
    ("http://www.opengis.net/def/crs/EPSG/0/4490", 4490, true),
    ("http://www.opengis.net/def/crs/EPSG/0/3857", 3857, false),
    ("http://www.opengis.net/def/crs/EPSG/0/4547", 4547, true),
    ("http://www.opengis.net/def/crs/EPSG/0/4548", 4548, true),
    ("http://www.opengis.net/def/crs/EPSG/0/4549", 4549, true),
];

/// A coordinate reference system and the order of its axes.
#[derive(Clone, PartialEq, Eq)]
pub struct Crs {
    pub(super) coordinates: Coordinates,
    /// Whether northing or latitude comes first.
    pub(super) north_first: bool,
    uri: Option<&'static str>,
}

/// The coordinates of a system.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Coordinates {
    /// WGS 84 or CGCS2000 longitude, latitude in degrees.
    Geographic,
    /// GCJ-02 longitude, latitude in degrees.
    Gcj02,
    /// BD-09 longitude, latitude in degrees.
    Bd09,
    /// A projected system: EPSG code and PROJ definition; easting, northing in metres.
    Projected { epsg: u32, definition: String },
}

/// Why coordinates cannot be converted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CrsError {
    /// An unknown name.
    #[error("unknown coordinate reference system {0:?}; accepted: {ACCEPTED_CRS}")]
    Unknown(String),
    /// A system of the former Chinese datums.
    #[error(
        "{name} is of the datum {datum}, whose relation to WGS 84 differs from place to place and is not public; have the \
         surveying office convert the file to CGCS2000 (EPSG:4490 or a Gauss-Krüger system of it)"
    )]
    FormerDatum {
        /// The name of the system.
        name: String,
        /// The datum.
        datum: &'static str,
    },
    /// The pair is not a position in that system.
    #[error("{x},{y} is not a position in {crs}")]
    NotThere {
        /// The first coordinate: easting or longitude.
        x: f64,
        /// The second coordinate: northing or latitude.
        y: f64,
        /// The system's name.
        crs: String,
    },
    /// A box whose minimum is greater than its maximum.
    #[error("the minimum of the box is greater than its maximum")]
    BoxOrder,
    /// The converted pair is not a position.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// The corners are not an envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl Crs {
    /// WGS 84 longitude, latitude.
    pub const CRS84: Self = Self { coordinates: Coordinates::Geographic, north_first: false, uri: Some(CRS84) };

    /// Reads a name such as `gcj02`, `EPSG:4549` or `http://www.opengis.net/def/crs/OGC/1.3/CRS84`; easting or
    /// longitude first.
    ///
    /// # Errors
    /// When the name is not known.
    pub fn parse(name: &str) -> Result<Self, CrsError> {
        let lower = name.trim().to_ascii_lowercase();
        // Names by OGC 09-048 and CURIEs: urn:ogc:def:crs:AUTHORITY:VERSION:CODE,
        // http://www.opengis.net/def/crs/AUTHORITY/VERSION/CODE, [AUTHORITY:CODE]; any version.
        let plain = lower.trim_start_matches('[').trim_end_matches(']');
        let urn = ["urn:ogc:def:crs:", "urn:x-ogc:def:crs:"].iter().find_map(|start| plain.strip_prefix(start));
        let uri = ["http://", "https://"].iter().find_map(|scheme| plain.strip_prefix(scheme));
        let uri = uri.and_then(|rest| rest.strip_prefix("www.opengis.net/def/crs/"));
        let parts: Vec<&str> = match (urn, uri) {
            (Some(urn), _) => urn.split(':').collect(),
            (_, Some(path)) => path.split('/').collect(),
            _ => plain.split(':').collect(),
        };
        let unknown = || match former_datum(&lower, parts.last().and_then(|code| code.parse().ok())) {
            Some(datum) => CrsError::FormerDatum { name: name.to_owned(), datum },
            None => CrsError::Unknown(name.to_owned()),
        };
        let coordinates = match parts[..] {
            ["wgs84" | "cgcs2000" | "crs84"] | ["ogc", "crs84"] | ["ogc", _, "crs84"] => Coordinates::Geographic,
            ["gcj02" | "gcj-02"] => Coordinates::Gcj02,
            ["bd09" | "bd-09"] => Coordinates::Bd09,
            ["epsg", code] | ["epsg", _, code] => {
                code.parse().ok().and_then(Coordinates::from_epsg).ok_or_else(unknown)?
            }
            _ => return Err(unknown()),
        };
        Ok(Self { coordinates, north_first: false, uri: None })
    }

    /// The system of a URI; axes in the order of the EPSG registry.
    ///
    /// # Errors
    /// When the URI is none of [`Self::uris`].
    pub fn from_uri(uri: &str) -> Result<Self, CrsError> {
        let unknown = || CrsError::Unknown(uri.to_owned());
        let (uri, epsg, north_first) = URIS.into_iter().find(|(own, ..)| *own == uri).ok_or_else(unknown)?;
        let coordinates = Coordinates::from_epsg(epsg).unwrap_or(Coordinates::Geographic);
        Ok(Self { coordinates, north_first, uri: Some(uri) })
    }

    /// The URIs that [`Self::from_uri`] accepts.
    pub fn uris() -> impl Iterator<Item = &'static str> {
        URIS.into_iter().map(|(uri, ..)| uri)
    }

    /// Its URI, if it was created from one.
    #[must_use]
    pub fn uri(&self) -> Option<&'static str> {
        self.uri
    }

    /// Whether its coordinates are WGS 84 longitude, latitude in degrees, as stored.
    #[must_use]
    pub fn is_crs84(&self) -> bool {
        self.coordinates == Coordinates::Geographic && !self.north_first
    }
}

/// Xi'an 1980 or Beijing 1954, by the EPSG code of a system or by its name.
fn former_datum(name: &str, code: Option<u32>) -> Option<&'static str> {
    let (xian, beijing) = ("Xi'an 1980", "Beijing 1954");
    match code {
        Some(4610 | 2327..=2390) => return Some(xian),
        Some(4214 | 2401..=2442 | 21_413..=21_423 | 21_453..=21_463) => return Some(beijing),
        _ => {}
    }
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["xian", "xi'an", "西安"]) {
        Some(xian)
    } else {
        has(&["beijing", "北京54", "北京 54", "北京1954"]).then_some(beijing)
    }
}

impl Coordinates {
    /// The system of an EPSG code, if it is one of [`ACCEPTED_CRS`].
    fn from_epsg(epsg: u32) -> Option<Self> {
        let gauss_krueger = |central_meridian: u32, false_easting: u32| {
            format!(
                "+proj=tmerc +lat_0=0 +lon_0={central_meridian} +k=1 +x_0={false_easting} +y_0=0 +ellps=GRS80 +units=m"
            )
        };
        let definition = match epsg {
            4326 | 4490 => return Some(Self::Geographic),
            3857 => "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m".to_owned(),
            // Zone prefixes 13 to 23, central meridians 75 to 135 degrees.
            4491..=4501 => gauss_krueger(75 + 6 * (epsg - 4491), (epsg - 4491 + 13) * 1_000_000 + 500_000),
            4502..=4512 => gauss_krueger(75 + 6 * (epsg - 4502), 500_000),
            // Zone prefixes 25 to 45, central meridians 75 to 135 degrees.
            4513..=4533 => gauss_krueger(75 + 3 * (epsg - 4513), (epsg - 4513 + 25) * 1_000_000 + 500_000),
            4534..=4554 => gauss_krueger(75 + 3 * (epsg - 4534), 500_000),
            32601..=32660 => format!("+proj=utm +zone={} +datum=WGS84 +units=m", epsg - 32600),
            _ => return None,
        };
        Some(Self::Projected { epsg, definition })
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.coordinates {
            Coordinates::Geographic => f.write_str("WGS 84"),
            Coordinates::Gcj02 => f.write_str("GCJ-02"),
            Coordinates::Bd09 => f.write_str("BD-09"),
            Coordinates::Projected { epsg, .. } => write!(f, "EPSG:{epsg}"),
        }
    }
}

impl fmt::Debug for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
