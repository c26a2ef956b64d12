//! Files in and out: formats, what became of every row, and values as JSON.
//!
//! Reading has two steps. A format turns its bytes into [`Record`]s, which know nothing of our
//! layers; [`import::Importer`] turns a record into a feature of one layer or says why not.

pub mod csv;
pub mod delimited;
pub mod feature_json;
pub mod flatgeobuf;
pub mod geojson;
pub mod import;
pub mod matching;
pub mod reader;
mod values;

use std::path::Path;

pub use values::{value_from_json, write_value};

/// A row as it stands in a file.
#[derive(Clone, Debug)]
pub struct Record {
    /// Position among the rows of the file, from 1.
    pub row: usize,
    /// Line of the file where it starts, for text formats.
    pub line: Option<usize>,
    /// The feature's id member, if the format has one.
    pub id: Option<String>,
    /// Coordinates in the file's reference system, easting or longitude first.
    pub geometry: Option<geo::Geometry>,
    /// Attributes by the file's own names.
    pub properties: serde_json::Map<String, serde_json::Value>,
}

/// A row that could not be read at all.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// Position among the rows of the file, from 1.
    pub row: usize,
    /// Line of the file where it starts, for text formats.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The name's ending is not one of a known format.
    #[error("{path}: the format is not known by its ending; accepted: .geojson, .json, .geojsonl, .ndjson, .fgb{}", if *.is_read { ", .csv, .tsv, .txt" } else { "" })]
    UnknownFormat {
        /// The file.
        path: String,
        /// Whether it was to be read, which more formats can be.
        is_read: bool,
    },
    /// The bytes are not of the format.
    #[error("{path} is not {format}: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What it should be.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl ExchangeError {
    /// Names the file that an I/O error happened to.
    pub(crate) fn file(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        move |source| Self::File { path: path.display().to_string(), source }
    }

    pub(crate) fn malformed(path: &Path, format: &'static str, reason: &impl ToString) -> Self {
        Self::Malformed { path: path.display().to_string(), format, reason: reason.to_string() }
    }
}

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A FeatureCollection, an array of Feature, one Feature, or one Feature a line (RFC 7946, RFC 8142).
    GeoJson,
    /// FlatGeobuf 3.
    FlatGeobuf,
}

impl Format {
    /// Tells the format by the ending of the name.
    ///
    /// # Errors
    /// When the ending is not known.
    pub fn of(path: &Path) -> Result<Self, ExchangeError> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        match ending.as_str() {
            "geojson" | "json" | "geojsonl" | "ndjson" | "geojsons" => Ok(Self::GeoJson),
            "fgb" => Ok(Self::FlatGeobuf),
            _ => Err(ExchangeError::UnknownFormat { path: path.display().to_string(), is_read: false }),
        }
    }
}

/// A file opened for reading.
pub struct RecordSource {
    /// The reference system the file claims, if it claims one: its name.
    pub crs: Option<String>,
    /// Rows, if the file says how many.
    pub rows: Option<usize>,
    /// The rows, in order.
    pub records: Box<dyn Iterator<Item = Result<Record, Unreadable>> + Send>,
}

/// A file opened for reading, its columns perhaps not yet understood.
pub enum Opened {
    /// Features with a geometry of their own.
    Features(RecordSource),
    /// A table in which two columns must be the coordinates.
    Table(delimited::Table),
}

/// Opens a file of a known format.
///
/// # Errors
/// When it cannot be opened or is not of the format its name says.
pub fn open(path: &Path) -> Result<Opened, ExchangeError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    if ["csv", "tsv", "txt"].contains(&ending.as_str()) {
        return delimited::Table::open(path).map(Opened::Table);
    }
    let format = Format::of(path)
        .map_err(|_| ExchangeError::UnknownFormat { path: path.display().to_string(), is_read: true })?;
    match format {
        Format::GeoJson => geojson::open(path),
        Format::FlatGeobuf => flatgeobuf::open(path),
    }
    .map(Opened::Features)
}
