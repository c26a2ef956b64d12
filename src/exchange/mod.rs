//! File formats, import and export, and values as JSON.
//!
//! Reading has two steps: a format decodes its bytes to [`Record`]s, which are independent of layers;
//! [`import::Importer`] converts a record to a feature of a layer or reports why not.

pub mod cap;
pub mod csv;
pub mod delimited;
pub mod fault;
pub mod feature_json;
pub mod feed;
pub mod flatgeobuf;
mod flatgeobuf_frames;
pub mod geojson;
pub mod geojson_reader;
pub mod gpx;
pub mod import;
pub mod kml;
pub mod marked_table;
pub mod matching;
pub mod osm;
pub mod point_table;
pub mod projection_file;
pub mod read_ahead;
pub mod reader;
pub mod shapefile;
pub mod shapefile_writer;
pub mod spelling;
mod table_header;
mod values;
pub mod workbook;
mod xml_parts;

use std::path::Path;

pub use values::{value_from_json, write_value};

/// A row of a file.
#[derive(Clone, Debug)]
pub struct Record {
    /// Position among the rows of the file, from 1.
    pub row: usize,
    /// Line where it starts, for text formats.
    pub line: Option<usize>,
    /// The feature's id member, if the format has one.
    pub id: Option<String>,
    /// Coordinates in the file's reference system, easting or longitude first.
    pub geometry: Option<geo::Geometry>,
    /// Attributes by column name.
    pub properties: serde_json::Map<String, serde_json::Value>,
}

/// A row that cannot be decoded.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// Position among the rows of the file, from 1.
    pub row: usize,
    /// Line where it starts, for text formats.
    pub line: Option<usize>,
    /// The reason.
    pub reason: String,
    /// Whether what follows in the file cannot be read either.
    pub is_end: bool,
}

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file name has no known ending.
    #[error("{path}: unknown file name ending; accepted: {accepted}")]
    UnknownFormat {
        /// The file.
        path: String,
        /// The endings that are read or written.
        accepted: &'static str,
    },
    /// The content is not of the expected format.
    #[error("{path} is not {format}: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// The expected format.
        format: &'static str,
        /// The reason.
        reason: String,
    },
}

impl ExchangeError {
    /// Adds the file name to an I/O error.
    pub(crate) fn file(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        move |source| Self::File { path: path.display().to_string(), source }
    }

    pub(crate) fn malformed(path: &Path, format: &'static str, reason: &impl ToString) -> Self {
        Self::Malformed { path: path.display().to_string(), format, reason: reason.to_string() }
    }
}

/// Endings of files that are read.
const READ: &str = ".geojson, .json, .geojsonl, .ndjson, .fgb, .csv, .tsv, .txt, .xlsx, .xlsb, .xls, .ods, .shp, .zip (Shapefile), .kml, .kmz, .gpx, .pbf (OpenStreetMap), .xml (CAP), .gpkg";
/// Endings of files that are written.
const WRITTEN: &str = ".geojson, .json, .geojsonl, .ndjson, .fgb, .csv, .xlsx, .kml, .shp, .zip (Shapefile), .gpkg";

/// A format that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A FeatureCollection (RFC 7946).
    GeoJson,
    /// One Feature per line.
    GeoJsonLines,
    /// FlatGeobuf 3.
    FlatGeobuf,
    /// CSV with positions in two columns.
    Csv,
    /// An Excel workbook with positions in two columns.
    Xlsx,
    /// KML 2.2.
    Kml,
    /// A Shapefile of several files.
    Shapefile,
    /// A Shapefile in a ZIP archive.
    ShapefileArchive,
    /// A GeoPackage with one layer.
    GeoPackage,
}

impl Format {
    /// Whether it holds points only.
    #[must_use]
    pub fn is_of_points(self) -> bool {
        matches!(self, Self::Csv | Self::Xlsx)
    }

    /// The format by the ending of the file name.
    ///
    /// # Errors
    /// When the ending is unknown.
    pub fn of(path: &Path) -> Result<Self, ExchangeError> {
        match ending(path).as_str() {
            "geojson" | "json" => Ok(Self::GeoJson),
            "geojsonl" | "ndjson" | "geojsons" => Ok(Self::GeoJsonLines),
            "fgb" => Ok(Self::FlatGeobuf),
            "csv" => Ok(Self::Csv),
            "xlsx" => Ok(Self::Xlsx),
            "kml" => Ok(Self::Kml),
            "shp" => Ok(Self::Shapefile),
            "zip" => Ok(Self::ShapefileArchive),
            "gpkg" => Ok(Self::GeoPackage),
            _ => Err(ExchangeError::UnknownFormat { path: path.display().to_string(), accepted: WRITTEN }),
        }
    }
}

/// A file opened for reading.
pub struct RecordSource {
    /// Name of the reference system that the file declares, if any.
    pub crs: Option<String>,
    /// Why the reference system must be named, if the file does not and its coordinates are not in degrees.
    pub unnamed_crs: Option<String>,
    /// Number of rows, if the file declares it.
    pub rows: Option<usize>,
    /// The rows, in order.
    pub records: Box<dyn Iterator<Item = Result<Record, Unreadable>> + Send>,
}

/// A file opened for reading; the columns of a table are not yet matched.
pub enum Opened {
    /// Features with geometries.
    Features(RecordSource),
    /// A table with coordinates in two columns.
    Table(delimited::Table),
}

/// What is known of a table before it is opened.
pub struct TableHints<'a> {
    /// The sheet of a workbook.
    pub sheet: Option<&'a str>,
    /// How many of some names are those of columns.
    pub known_columns: &'a dyn Fn(&[String]) -> usize,
}

/// Opens a file of a known format.
///
/// # Errors
/// When it cannot be opened or its content does not match its ending.
pub fn open(path: &Path, hints: &TableHints<'_>) -> Result<Opened, ExchangeError> {
    match ending(path).as_str() {
        "csv" | "tsv" | "txt" => delimited::Table::open(path, hints).map(Opened::Table),
        "xlsx" | "xlsm" | "xlsb" | "xls" | "ods" => workbook::open(path, hints).map(Opened::Table),
        "geojson" | "json" | "geojsonl" | "ndjson" | "geojsons" => geojson_reader::open(path).map(Opened::Features),
        "fgb" => flatgeobuf::open(path).map(Opened::Features),
        "shp" | "zip" => shapefile::open(path).map(Opened::Features),
        "kml" | "kmz" => kml::open(path).map(Opened::Features),
        "gpx" => gpx::open(path).map(Opened::Features),
        "pbf" => osm::open(path).map(Opened::Features),
        _ if is_alert(path) => cap::open(path).map(Opened::Features),
        _ => Err(ExchangeError::UnknownFormat { path: path.display().to_string(), accepted: READ }),
    }
}

/// Whether a file is an alert, by its ending. An older one must not replace a newer one.
#[must_use]
pub fn is_alert(path: &Path) -> bool {
    ["xml", "cap"].contains(&ending(path).as_str())
}

/// Whether features of a file may lack a name or place, by its ending: alerts may only name their area, most roads of
/// OpenStreetMap have no name.
#[must_use]
pub fn may_be_incomplete(path: &Path) -> bool {
    is_alert(path) || ending(path) == "pbf"
}

/// Lower-case ending of a file name.
fn ending(path: &Path) -> String {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase()
}
