//! Reads delimited text (CSV, TSV) of other programs; encoding and delimiter are detected.

use std::fmt;
use std::path::Path;

use encoding_rs::Encoding;
use serde_json::{Map, Value as Json};

use super::spelling::degrees;
use super::{ExchangeError, Record, RecordSource, Unreadable};

const FORMAT: &str = "a table of delimited text";
/// Delimiters that are detected in the header.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Names of the coordinate columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceColumns {
    /// Longitude or easting.
    pub lon: String,
    /// Latitude or northing.
    pub lat: String,
}

/// The cells of a row.
pub type Cells = csv::StringRecord;

/// Rows of a table, each with its line or the reason why it cannot be read.
pub type TableRows = Vec<Result<(usize, Cells), (usize, String)>>;

/// A table in memory with known columns.
pub struct Table {
    columns: Vec<String>,
    records: TableRows,
    /// What was recognised.
    pub origin: TableOrigin,
}

/// What was recognised of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableOrigin {
    /// Delimited text.
    Text {
        /// Its encoding.
        encoding: &'static str,
        /// Its delimiter.
        delimiter: char,
    },
    /// A sheet of a workbook.
    Sheet {
        /// Its name.
        name: String,
        /// The last row of its header, from 1.
        header_row: usize,
    },
}

impl fmt::Display for TableOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { encoding, delimiter } => write!(f, "{encoding}, delimiter {delimiter:?}"),
            Self::Sheet { name, header_row } => write!(f, "sheet {name}, header in row {header_row}"),
        }
    }
}

impl Table {
    /// Opens a file. UTF-8 and UTF-16 are detected by byte order mark or validity, other encodings by character
    /// statistics; the delimiter is the most frequent one of the header.
    ///
    /// # Errors
    /// When the file cannot be read, or its header has fewer than two columns.
    pub fn open(path: &Path) -> Result<Self, ExchangeError> {
        let bytes = std::fs::read(path).map_err(ExchangeError::file(path))?;
        Self::read(&bytes).map_err(|reason| ExchangeError::malformed(path, FORMAT, &reason))
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let encoding = encoding_of(bytes);
        let (text, _, has_errors) = encoding.decode(bytes);
        if has_errors {
            return Err(format!("it is not valid {}", encoding.name()));
        }
        if text.contains('\0') {
            return Err("it contains NUL characters and is not text".to_owned());
        }
        let delimiter = delimiter_of(&text);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let columns: Vec<String> =
            reader.headers().map_err(|error| error.to_string())?.iter().map(str::to_owned).collect();
        let records = reader.into_records().map(|record| match record {
            Ok(record) => Ok((line_of(record.position()), record)),
            Err(error) => Err((line_of(error.position()), error.to_string())),
        });
        let records = records.filter(|record| !record.as_ref().is_ok_and(|(_, cells)| cells.iter().all(str::is_empty)));
        let origin = TableOrigin::Text { encoding: encoding.name(), delimiter: char::from(delimiter) };
        Self::new(columns, records.collect(), origin)
    }

    /// A table of rows.
    ///
    /// # Errors
    /// When there are fewer than two columns, or two of the same name.
    pub(super) fn new(columns: Vec<String>, records: TableRows, origin: TableOrigin) -> Result<Self, String> {
        if columns.iter().filter(|name| !name.is_empty()).count() < 2 {
            return Err("its first line does not name at least two columns".to_owned());
        }
        let mut named = columns.iter().enumerate().filter(|(_, name)| !name.is_empty());
        match named.find(|(at, name)| columns[..*at].contains(name)) {
            Some((_, twice)) => Err(format!("the column {twice:?} occurs twice")),
            None => Ok(Self { columns, records, origin }),
        }
    }

    /// The columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows, with points from two of the columns. A row with more cells than the header is unreadable, because an
    /// unquoted delimiter inside a cell has shifted its values.
    #[must_use]
    pub fn into_source(self, places: &PlaceColumns) -> RecordSource {
        let Self { columns, records, .. } = self;
        let rows = records.len();
        let places = places.clone();
        let records = records.into_iter().enumerate().map(move |(index, record)| {
            let row = index + 1;
            let (line, read) = match record {
                Ok((line, cells)) => (line, read_row(&columns, &cells, &places)),
                Err((line, reason)) => (line, Err(reason)),
            };
            let line = Some(line);
            let (geometry, properties) = read.map_err(|reason| Unreadable { row, line, reason })?;
            Ok(Record { row, line, id: None, geometry, properties })
        });
        RecordSource { crs: None, unnamed_crs: None, rows: Some(rows), records: Box::new(records) }
    }
}

fn line_of(position: Option<&csv::Position>) -> usize {
    position.map_or(0, |position| usize::try_from(position.line()).unwrap_or(usize::MAX))
}

type Row = (Option<geo::Geometry>, Map<String, Json>);

fn read_row(columns: &[String], cells: &csv::StringRecord, places: &PlaceColumns) -> Result<Row, String> {
    if cells.len() > columns.len() {
        return Err(format!(
            "the row has {} cells, the header {}; a delimiter inside a cell must be quoted",
            cells.len(),
            columns.len()
        ));
    }
    let (mut lon, mut lat) = (None, None);
    let mut properties = Map::new();
    for (column, cell) in columns.iter().zip(cells) {
        if *column == places.lon {
            lon = coordinate(column, cell)?;
        } else if *column == places.lat {
            lat = coordinate(column, cell)?;
        } else if !column.is_empty() {
            properties.insert(column.clone(), Json::from(cell));
        }
    }
    let geometry = match (lon, lat) {
        (Some(lon), Some(lat)) => Some(geo::Point::new(lon, lat).into()),
        (None, None) => None,
        (Some(_), None) => return Err(format!("{} is blank, {} is not", places.lat, places.lon)),
        (None, Some(_)) => return Err(format!("{} is blank, {} is not", places.lon, places.lat)),
    };
    Ok((geometry, properties))
}

/// Reads a coordinate; blank is unknown.
fn coordinate(column: &str, cell: &str) -> Result<Option<f64>, String> {
    if cell.trim().is_empty() {
        return Ok(None);
    }
    let shown: String = cell.chars().take(40).collect();
    let unreadable =
        || format!("{column}: {shown:?} is not a number of degrees or metres, nor degrees, minutes and seconds");
    degrees(cell).map(Some).ok_or_else(unreadable)
}

/// The encoding that a text seems to have; of Chinese ones GB 18030, UTF-8, UTF-16 or Big5.
pub(super) fn encoding_of(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if std::str::from_utf8(bytes).is_ok() {
        return encoding_rs::UTF_8;
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    match detector.guess(Some(b"cn"), chardetng::Utf8Detection::Allow) {
        // GB 18030 is a superset of GBK.
        guess if guess == encoding_rs::GBK => encoding_rs::GB18030,
        guess => guess,
    }
}

/// The most frequent delimiter outside quotes in the header, or the one that a spreadsheet declares with `sep=`.
fn delimiter_of(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut is_quoted = false;
    for byte in header.bytes() {
        is_quoted ^= byte == b'"';
        if let Some(at) = DELIMITERS.iter().position(|delimiter| *delimiter == byte && !is_quoted) {
            counts[at] += 1;
        }
    }
    let best = (0..DELIMITERS.len()).rev().max_by_key(|at| counts[*at]).unwrap_or(0);
    DELIMITERS[best]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_and_delimiters_are_found() {
        let text = "名称,经度,纬度,备注\n闽清县第一中学避灾点,118.86,26.22,\"可容纳,三百人\"\n";
        let gb = encoding_rs::GB18030.encode(text).0.into_owned();
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let with_mark = format!("\u{feff}{text}").into_bytes();
        let tabs = text.replace("可容纳,三百人", "可").replace(',', "\t").into_bytes();
        let semicolons = text.replace("可容纳,三百人", "可").replace(',', ";").into_bytes();
        for (bytes, encoding, delimiter, first) in [
            (text.as_bytes().to_vec(), "UTF-8", ',', "名称"),
            (with_mark, "UTF-8", ',', "名称"),
            (gb, "gb18030", ',', "名称"),
            (utf16, "UTF-16LE", ',', "名称"),
            (tabs, "UTF-8", '\t', "名称"),
            (semicolons, "UTF-8", ';', "名称"),
        ] {
            let table = Table::read(&bytes).expect("a table");
            assert_eq!(table.origin, TableOrigin::Text { encoding, delimiter });
            assert_eq!(table.columns[0], first);
            assert_eq!(table.columns.len(), 4);
            assert_eq!(table.records.len(), 1);
        }
    }

    #[test]
    fn shifted_rows_and_incomplete_coordinates_are_unreadable() {
        let text = "name,lon,lat\na,118.8,26.2\nb,118.8\nc,1,2,3\nd,,\ne,x,26\nf,１１８．８,26.2°\n";
        let table = Table::read(text.as_bytes()).expect("a table");
        let places = PlaceColumns { lon: "lon".to_owned(), lat: "lat".to_owned() };
        let rows: Vec<_> = table.into_source(&places).records.collect();
        let outcome = |row: &Result<Record, Unreadable>| match row {
            Ok(record) => format!("{}", record.geometry.is_some()),
            Err(bad) => format!("{}", bad.line.unwrap_or_default()),
        };
        let outcomes: Vec<String> = rows.iter().map(outcome).collect();
        assert_eq!(outcomes, ["true", "3", "4", "false", "6", "true"]);
    }
}
