//! Reads delimited text (CSV, TSV) of other programs; encoding and delimiter are detected.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;
use serde_json::{Map, Value as Json};

use super::csv::from_text;
use super::read_ahead::read_ahead;
use super::spelling::degrees;
use super::table_header::{HEADER_ROWS, Header, find_header};
use super::{ExchangeError, Record, RecordSource, TableHints, Unreadable};

const FORMAT: &str = "a table of delimited text";
/// Delimiters that are detected in the header.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
const BUFFER_BYTES: usize = 64 * 1024;
/// Frequent characters of Chinese texts and of lists of places, simplified and traditional.
const COMMON_CHARACTERS: &str = "的一是在不了有和人這这中大為为上個个國国我以要他時时來来用們们生到作地於于出分對对成會会可主發发年動动同工也能\
    下過过子說说產产種种面而方後后多定行學学法所民得經经十三之進进部度家電电力水高二理起小現现實实加量都兩两體体制機机當当使點点從从\
    業业本去把性應应開开它合還还因由其些然前外天政四日那社義义事平形相全表間间與与關关各重新線线內内數数正心反你明看原但質质氣气第向道\
    條条只沒没結结問问意建月公無无系軍军情者最立代想已通並并提直題题黨党展五果料象員员位入常文總总次品式活設设及管特件長长求老頭头\
    基資资邊边路級级少圖图山統统接知較较將将組组見见計计手根論论農农區区強强村縣县鎮镇鄉乡號号稱称緯纬度編编名容納纳避難难場场災灾\
    校院話话聯联繫系負负責责任類类別别址備备註注";
/// Bytes in which the delimiter is searched.
const MAX_HEADER_BYTES: u64 = 1_000_000;

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

/// A row of a table with its line, or the line and the reason why it cannot be read.
pub type TableRow = Result<(usize, Cells), (usize, String)>;

/// A table with known columns.
pub struct Table {
    columns: Vec<String>,
    records: Box<dyn Iterator<Item = TableRow> + Send>,
    /// Number of rows, if it is known.
    rows: Option<usize>,
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
    /// statistics; the delimiter is the most frequent one of the header. The file is read twice: its encoding is known
    /// only at its end.
    ///
    /// # Errors
    /// When the file cannot be read, or its header has fewer than two columns.
    pub fn open(path: &Path, hints: &TableHints<'_>) -> Result<Self, ExchangeError> {
        let file_error = ExchangeError::file(path);
        let malformed = |reason: String| ExchangeError::malformed(path, FORMAT, &reason);
        let encoding =
            encoding_of_text(File::open(path).map_err(&file_error)?).map_err(&file_error)?.map_err(malformed)?;
        let decoded =
            DecodeReaderBytesBuilder::new().encoding(Some(encoding)).build(File::open(path).map_err(&file_error)?);
        let mut text = BufReader::with_capacity(BUFFER_BYTES, decoded);
        let mut start = Vec::new();
        for _ in 0..HEADER_ROWS {
            let left = MAX_HEADER_BYTES.saturating_sub(start.len() as u64);
            text.by_ref().take(left).read_until(b'\n', &mut start).map_err(&file_error)?;
        }
        Self::read(start, text, encoding, hints).map_err(malformed)
    }

    /// Reads a text whose first lines, in which the header is, were read already.
    fn read(
        start: Vec<u8>,
        rest: impl Read + Send + 'static,
        encoding: &'static Encoding,
        hints: &TableHints<'_>,
    ) -> Result<Self, String> {
        let delimiter = delimiter_of(&String::from_utf8_lossy(&start));
        let text = io::Cursor::new(start).chain(rest);
        let mut records = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text)
            .into_records()
            .map(|record| match record {
                Ok(record) => Ok((line_of(record.position()), record)),
                Err(error) => Err((line_of(error.position()), error.to_string())),
            });
        let mut first: Vec<TableRow> = records.by_ref().take(HEADER_ROWS).collect();
        let texts = |row: &TableRow| match row {
            Ok((_, cells)) => cells.iter().map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        };
        let rows: Vec<Vec<String>> = first.iter().map(texts).collect();
        let none = "none of its first lines names at least two columns";
        let Header { row, names, .. } = find_header(&rows, hints).ok_or(none)?;
        first.drain(..=row);
        let records = first.into_iter().chain(records);
        let records = records.filter(|record| !record.as_ref().is_ok_and(|(_, cells)| cells.iter().all(str::is_empty)));
        let origin = TableOrigin::Text { encoding: encoding.name(), delimiter: char::from(delimiter) };
        Self::new(names, Box::new(records), None, origin)
    }

    /// A table of rows.
    ///
    /// # Errors
    /// When there are fewer than two columns, or two of the same name.
    pub(super) fn new(
        columns: Vec<String>,
        records: Box<dyn Iterator<Item = TableRow> + Send>,
        rows: Option<usize>,
        origin: TableOrigin,
    ) -> Result<Self, String> {
        if columns.iter().filter(|name| !name.is_empty()).count() < 2 {
            return Err("its first line does not name at least two columns".to_owned());
        }
        if columns.iter().any(|name| name.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(format!("its first line is not valid {origin}"));
        }
        let mut seen = HashSet::new();
        match columns.iter().find(|name| !name.is_empty() && !seen.insert(name.as_str())) {
            Some(twice) => Err(format!("the column {twice:?} occurs twice")),
            None => Ok(Self { columns, records, rows, origin }),
        }
    }

    /// The columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows as they are, to be marked.
    pub fn into_rows(self) -> impl Iterator<Item = TableRow> + Send {
        self.records
    }

    /// The rows, with points from two of the columns if they are given. A row with more cells than the header is
    /// unreadable, because an unquoted delimiter inside a cell has shifted its values.
    #[must_use]
    pub fn into_source(self, places: Option<&PlaceColumns>) -> RecordSource {
        let Self { columns, records, rows, .. } = self;
        let places = places.cloned();
        let records = read_ahead(move |out| {
            for (index, record) in records.enumerate() {
                let row = index + 1;
                let (line, read) = match record {
                    Ok((line, cells)) => (line, read_row(&columns, &cells, places.as_ref())),
                    Err((line, reason)) => (line, Err(reason)),
                };
                let line = Some(line);
                let record = read
                    .map(|(geometry, properties)| Record { row, line, id: None, geometry, properties })
                    .map_err(|reason| Unreadable { row, line, reason, is_end: false });
                if !out.push(record) {
                    return;
                }
            }
        });
        RecordSource { crs: None, unnamed_crs: None, rows, records }
    }
}

fn line_of(position: Option<&csv::Position>) -> usize {
    position.map_or(0, |position| usize::try_from(position.line()).unwrap_or(usize::MAX))
}

type Row = (Option<geo::Geometry>, Map<String, Json>);

fn read_row(columns: &[String], cells: &csv::StringRecord, places: Option<&PlaceColumns>) -> Result<Row, String> {
    if cells.len() > columns.len() {
        return Err(format!(
            "the row has {} cells, the header {}; a delimiter inside a cell must be quoted",
            cells.len(),
            columns.len()
        ));
    }
    if cells.iter().any(|cell| cell.contains(char::REPLACEMENT_CHARACTER)) {
        return Err("a cell has bytes that are no characters in the encoding of the file".to_owned());
    }
    let (mut lon, mut lat) = (None, None);
    let mut properties = Map::new();
    for (column, cell) in columns.iter().zip(cells) {
        if places.is_some_and(|places| *column == places.lon) {
            lon = coordinate(column, cell)?;
        } else if places.is_some_and(|places| *column == places.lat) {
            lat = coordinate(column, cell)?;
        } else if !column.is_empty() {
            properties.insert(column.clone(), Json::from(from_text(cell)));
        }
    }
    let geometry = match (lon, lat, places) {
        (Some(lon), Some(lat), _) => Some(geo::Point::new(lon, lat).into()),
        (Some(_), None, Some(places)) => return Err(format!("{} is blank, {} is not", places.lat, places.lon)),
        (None, Some(_), Some(places)) => return Err(format!("{} is blank, {} is not", places.lon, places.lat)),
        _ => None,
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

/// The encoding of a whole text, or why it is none.
fn encoding_of_text(mut file: impl Read) -> io::Result<Result<&'static Encoding, String>> {
    let mut bytes = vec![0; BUFFER_BYTES];
    let mut utf8 = encoding_rs::UTF_8.new_decoder_without_bom_handling();
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    let (mut marked, mut is_utf8, mut has_nul, mut is_first) = (None, true, false, true);
    let mut text = String::with_capacity(4 * BUFFER_BYTES);
    let mut start = Vec::new();
    loop {
        let length = file.read(&mut bytes)?;
        let part = &bytes[..length];
        if is_first {
            marked = Encoding::for_bom(part).map(|(encoding, _)| encoding);
            start = part.to_vec();
            is_first = false;
        }
        has_nul |= part.contains(&0);
        if is_utf8 {
            text.clear();
            let (result, ..) = utf8.decode_to_string_without_replacement(part, &mut text, length == 0);
            is_utf8 = result == encoding_rs::DecoderResult::InputEmpty;
        }
        detector.feed(part, length == 0);
        if length == 0 {
            break;
        }
    }
    let encoding = match marked {
        Some(marked) => marked,
        None if is_utf8 => encoding_rs::UTF_8,
        None => chinese_guess(&detector, &start),
    };
    let is_wide = [encoding_rs::UTF_16LE, encoding_rs::UTF_16BE].contains(&encoding);
    Ok(if has_nul && !is_wide {
        Err("it contains NUL characters and is not text".to_owned())
    } else if encoding == encoding_rs::UTF_8 && !is_utf8 {
        Err("it is not valid UTF-8".to_owned())
    } else {
        Ok(encoding)
    })
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
    chinese_guess(&detector, bytes.get(..BUFFER_BYTES).unwrap_or(bytes))
}

/// The guess of the detector; between the two encodings of Chinese, the one in which the start of the text has more common
/// characters, because most texts are valid in both.
fn chinese_guess(detector: &chardetng::EncodingDetector, start: &[u8]) -> &'static Encoding {
    let guess = detector.guess(Some(b"cn"), chardetng::Utf8Detection::Allow);
    if guess != encoding_rs::GBK && guess != encoding_rs::BIG5 {
        return guess;
    }
    let common = |encoding: &'static Encoding| {
        let (text, ..) = encoding.decode(start);
        text.chars().filter(|own| COMMON_CHARACTERS.contains(*own)).count()
    };
    // GB 18030 is a superset of GBK.
    if common(encoding_rs::BIG5) > common(encoding_rs::GB18030) { encoding_rs::BIG5 } else { encoding_rs::GB18030 }
}

/// The delimiter that the middle one of the first lines has most often outside quotes: a title has few, and cells may contain
/// other ones.
fn delimiter_of(text: &str) -> u8 {
    let counts = |line: &str| {
        let mut counts = [0_usize; DELIMITERS.len()];
        let mut is_quoted = false;
        for byte in line.bytes() {
            is_quoted ^= byte == b'"';
            if let Some(at) = DELIMITERS.iter().position(|delimiter| *delimiter == byte && !is_quoted) {
                counts[at] += 1;
            }
        }
        counts
    };
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).map(counts).collect();
    let middle = |at: usize| {
        let mut own: Vec<usize> = lines.iter().map(|counts| counts[at]).collect();
        own.sort_unstable();
        own.get(own.len().saturating_sub(1) / 2).copied().unwrap_or(0)
    };
    let best = (0..DELIMITERS.len()).rev().max_by_key(|at| middle(*at)).unwrap_or(0);
    DELIMITERS[best]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(bytes: &[u8]) -> Table {
        let encoding = encoding_of_text(bytes).expect("read").expect("a text");
        let text = DecodeReaderBytesBuilder::new().encoding(Some(encoding)).build(std::io::Cursor::new(bytes.to_vec()));
        let mut text = BufReader::new(text);
        let mut start = Vec::new();
        text.read_until(b'\n', &mut start).expect("a line");
        let hints = TableHints { sheet: None, known_columns: &|names| usize::from(names[0].contains("名")) };
        Table::read(start, text, encoding, &hints).expect("a table")
    }

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
            let table = table(&bytes);
            assert_eq!(table.origin, TableOrigin::Text { encoding, delimiter });
            assert_eq!(table.columns[0], first);
            assert_eq!(table.columns.len(), 4);
            assert_eq!(table.records.count(), 1);
        }
    }

    #[test]
    fn shifted_rows_and_incomplete_coordinates_are_unreadable() {
        let text = "name,lon,lat\na,118.8,26.2\nb,118.8\nc,1,2,3\nd,,\ne,x,26\nf,１１８．８,26.2°\n";
        let table = table(text.as_bytes());
        let places = PlaceColumns { lon: "lon".to_owned(), lat: "lat".to_owned() };
        let rows: Vec<_> = table.into_source(Some(&places)).records.collect();
        let outcome = |row: &Result<Record, Unreadable>| match row {
            Ok(record) => format!("{}", record.geometry.is_some()),
            Err(bad) => format!("{}", bad.line.unwrap_or_default()),
        };
        let outcomes: Vec<String> = rows.iter().map(outcome).collect();
        assert_eq!(outcomes, ["true", "3", "4", "false", "6", "true"]);
    }
}
