//! Reads GeoJSON (RFC 7946) and GeoJSON text sequences (RFC 8142), one feature at a time.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use geozero::ToGeo;
use geozero::geojson::GeoJson;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::read_ahead::{Rows, read_ahead};
use super::{ExchangeError, Record, RecordSource, Unreadable};

const FORMAT: &str = "GeoJSON";
/// Separates the texts of a sequence.
const RECORD_SEPARATOR: u8 = 0x1e;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const BUFFER_BYTES: usize = 256 * 1024;

/// Opens a file: a FeatureCollection, an array of Features, one Feature, or one Feature per line. Skips a byte order
/// mark; reports a `crs` member (GeoJSON 2008) as the declared reference system. The file is read twice, because that
/// member may follow the features.
///
/// # Errors
/// When the file cannot be read, is not UTF-8 or is none of these.
pub fn open(path: &Path) -> Result<RecordSource, ExchangeError> {
    let malformed = |reason: String| ExchangeError::malformed(path, FORMAT, &reason);
    let file_error = ExchangeError::file(path);
    if let Some(at) = first_not_utf8(text_of(path).map_err(&file_error)?).map_err(&file_error)? {
        return Err(malformed(format!("it is not UTF-8 from byte {at} on")));
    }
    let file = text_of(path).map_err(&file_error)?;
    let source = |crs, rows, records| RecordSource { crs, unnamed_crs: None, rows, records };
    match survey(text_of(path).map_err(&file_error)?) {
        Ok(Survey { features: Some(rows), crs, .. }) => {
            Ok(source(crs, Some(rows), read_ahead(move |rows| read_members(file, rows))))
        }
        Ok(Survey { crs, .. }) => Ok(source(crs, Some(1), read_ahead(move |rows| read_single(file, rows)))),
        Err(error) => match first_line(text_of(path).map_err(file_error)?) {
            None => Ok(source(None, Some(0), Box::new(std::iter::empty()))),
            Some(line) if serde_json::from_str::<serde_json::Map<_, _>>(&line).is_ok() => {
                Ok(source(None, None, read_ahead(move |rows| read_lines(file, rows))))
            }
            Some(_) => Err(malformed(error.to_string())),
        },
    }
}

/// The text of a file without a byte order mark.
fn text_of(path: &Path) -> io::Result<BufReader<File>> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    if file.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        file.consume(BYTE_ORDER_MARK.len());
    }
    Ok(file)
}

/// The position of the first byte that is not UTF-8.
fn first_not_utf8(mut file: impl BufRead) -> io::Result<Option<usize>> {
    let (mut at, mut rest) = (0, Vec::new());
    loop {
        let part = file.fill_buf()?;
        let length = part.len();
        rest.extend_from_slice(part);
        file.consume(length);
        match std::str::from_utf8(&rest) {
            Ok(_) if length == 0 => return Ok(None),
            Ok(text) => {
                at += text.len();
                rest.clear();
            }
            // A character may continue in the next part.
            Err(error) if error.error_len().is_none() && length > 0 => {
                at += error.valid_up_to();
                rest.drain(..error.valid_up_to());
            }
            Err(error) => return Ok(Some(at + error.valid_up_to())),
        }
    }
}

/// What a whole document is.
#[derive(Default)]
struct Survey {
    kind: Option<String>,
    crs: Option<String>,
    /// Number of features of a collection or an array; `None` for another object.
    features: Option<usize>,
}

fn survey(file: impl BufRead) -> serde_json::Result<Survey> {
    let mut json = serde_json::Deserializer::from_reader(file);
    let mut survey = (&mut json).deserialize_any(SurveyVisitor)?;
    json.end()?;
    if survey.kind.as_deref().is_some_and(|kind| kind != "FeatureCollection") {
        survey.features = None;
    } else if survey.kind.is_some() {
        survey.features.get_or_insert(0);
    }
    Ok(survey)
}

struct SurveyVisitor;

impl<'de> Visitor<'de> for SurveyVisitor {
    type Value = Survey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GeoJSON object or an array of features")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Survey, A::Error> {
        let mut count = 0;
        while array.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Survey { features: Some(count), ..Survey::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Survey, A::Error> {
        let mut survey = Survey::default();
        while let Some(name) = object.next_key::<String>()? {
            match name.as_str() {
                "type" => survey.kind = object.next_value::<serde_json::Value>()?.as_str().map(str::to_owned),
                "crs" => {
                    let crs: serde_json::Value = object.next_value()?;
                    survey.crs = Some(crs).filter(|crs| !crs.is_null()).map(|crs| claimed_crs(&crs));
                }
                "features" => survey.features = Some(object.next_value_seed(FeatureCount)?),
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(survey)
    }
}

/// Counts the elements of an array; null has none.
struct FeatureCount;

impl<'de> DeserializeSeed<'de> for FeatureCount {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for FeatureCount {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of features")
    }

    fn visit_none<E: Error>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<usize, A::Error> {
        SurveyVisitor.visit_seq(array).map(|survey| survey.features.unwrap_or(0))
    }
}

/// Hands over the features of a collection or an array.
struct FeatureMembers<'a> {
    rows: &'a mut Rows,
    /// Line breaks that were read.
    breaks: Rc<Cell<usize>>,
}

fn read_members(file: impl BufRead, rows: &mut Rows) {
    let breaks = Rc::new(Cell::new(0));
    let file = BreakCounter { file, breaks: Rc::clone(&breaks) };
    // The survey has read the whole text, so that an error means that nobody reads the rows any more.
    let _ = serde_json::Deserializer::from_reader(file).deserialize_any(FeatureMembers { rows, breaks });
}

impl<'de> DeserializeSeed<'de> for &mut FeatureMembers<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(FeatureMembers { rows: self.rows, breaks: Rc::clone(&self.breaks) })
    }
}

impl<'de> Visitor<'de> for FeatureMembers<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("features")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key::<String>()? {
            if name == "features" {
                object.next_value_seed(&mut self)?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(feature) = array.next_element::<Box<RawValue>>()? {
            let text = feature.get();
            let line = self.breaks.get() + 1 - text.bytes().filter(|byte| *byte == b'\n').count();
            if !push(self.rows, text, line) {
                return Err(A::Error::custom("nobody reads the rows"));
            }
        }
        Ok(())
    }
}

/// Counts the line breaks that a reader passes on.
struct BreakCounter<R> {
    file: R,
    breaks: Rc<Cell<usize>>,
}

impl<R: Read> Read for BreakCounter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        let own = buffer.iter().take(length).filter(|byte| **byte == b'\n').count();
        self.breaks.set(self.breaks.get() + own);
        Ok(length)
    }
}

fn read_single(mut file: impl BufRead, rows: &mut Rows) {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => {
            let start = text.len() - text.trim_start().len();
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            push(rows, text.trim(), line);
        }
        Err(error) => rows.push_cut(Some(1), error.to_string()),
    }
}

fn read_lines(file: impl BufRead, rows: &mut Rows) {
    for (index, line) in file.split(b'\n').enumerate() {
        let line = match line {
            Ok(line) => line,
            Err(error) => return rows.push_cut(Some(index + 1), error.to_string()),
        };
        for text in line.split(|byte| *byte == RECORD_SEPARATOR) {
            let text = String::from_utf8_lossy(text);
            if !text.trim().is_empty() && !push(rows, text.trim(), index + 1) {
                return;
            }
        }
    }
}

/// The first text that is not blank.
fn first_line(file: impl BufRead) -> Option<String> {
    let line = |line: io::Result<Vec<u8>>| {
        let line = line.ok()?;
        let mut texts = line.split(|byte| *byte == RECORD_SEPARATOR).map(|text| String::from_utf8_lossy(text));
        texts.find(|text| !text.trim().is_empty()).map(|text| text.trim().to_owned())
    };
    file.split(b'\n').find_map(line)
}

fn push(rows: &mut Rows, text: &str, line: usize) -> bool {
    let (row, line) = (rows.count() + 1, Some(line));
    rows.push(read_feature(text, row, line).map_err(|reason| Unreadable { row, line, reason, is_end: false }))
}

/// The name of the reference system in a `crs` member of GeoJSON 2008; the member itself if it has no name.
fn claimed_crs(crs: &serde_json::Value) -> String {
    let properties = &crs["properties"];
    if let Some(name) = properties["name"].as_str() {
        return name.to_owned();
    }
    match properties["code"].as_u64() {
        Some(code) if crs["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("epsg")) => {
            format!("EPSG:{code}")
        }
        _ => crs.to_string(),
    }
}

#[derive(Deserialize)]
struct RawFeature<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<serde_json::Value>,
    #[serde(borrow)]
    geometry: Option<&'a RawValue>,
    properties: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Reads one feature.
///
/// # Errors
/// What is wrong with it.
pub fn read_feature(text: &str, row: usize, line: Option<usize>) -> Result<Record, String> {
    let raw: RawFeature = serde_json::from_str(text).map_err(|error| format!("not a Feature: {error}"))?;
    if raw.kind.as_deref() != Some("Feature") {
        return Err(format!("not a Feature but {}", raw.kind.as_deref().unwrap_or("an object without a type")));
    }
    let geometry = match raw.geometry.map(RawValue::get) {
        None | Some("null") => None,
        Some(json) => Some(GeoJson(json).to_geo().map_err(|error| format!("the geometry is not GeoJSON: {error}"))?),
    };
    let id = raw.id.and_then(|id| match id {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    Ok(Record { row, line, id, geometry, properties: raw.properties.unwrap_or_default() })
}
