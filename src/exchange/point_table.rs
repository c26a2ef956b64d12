//! Writes layers of points as tables: CSV with field names and codes for programs, XLSX with titles and labels for people.

use std::io::{self, Write};

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use time::{Date, UtcDateTime};

use super::csv::{CsvWriter, cell_text};
use crate::geodesy::LonLat;
use crate::model::{Catalog, Feature, Field, Value, ValueRef, View, format_beijing};

/// Most rows of a sheet.
const MAX_ROWS: usize = 1_048_575;
/// Longest text of a cell, UTF-16 code units.
const MAX_CELL: usize = 32_767;
/// Longest name of a sheet.
const MAX_SHEET_NAME: usize = 31;
/// Greater whole numbers lose digits in a cell.
const LONGEST_NUMBER: u64 = 1_000_000_000_000_000;
/// Widest column, pixels.
const MAX_WIDTH: u32 = 300;

/// Writes CSV: id, fields, longitude and latitude.
///
/// # Errors
/// When writing fails.
pub fn write_csv(out: impl Write, view: &View<'_>, features: impl Iterator<Item = Feature>) -> io::Result<()> {
    let mut header = vec!["id"];
    header.extend(view.fields().map(|(_, field)| field.name.as_str()));
    header.extend(["lon", "lat"]);
    let mut table = CsvWriter::begin(out, &header)?;
    for feature in features {
        let mut cells = vec![feature.id.to_string()];
        cells.extend(view.fields().map(|(at, _)| cell_text(feature.values[at].as_value_ref())));
        cells.extend(place(&feature).map(|degrees| degrees.map(|degrees| degrees.to_string()).unwrap_or_default()));
        table.row(&cells)?;
    }
    table.end()
}

/// Writes a workbook with one sheet: titles with units, labels of codes, times in Beijing time.
///
/// # Errors
/// When there are more features than a sheet has rows, or writing fails.
pub fn write_xlsx(
    mut out: impl Write,
    catalog: &Catalog,
    view: &View<'_>,
    features: impl Iterator<Item = Feature>,
) -> io::Result<()> {
    let bytes = workbook(catalog, view, features).map_err(io::Error::other)?;
    out.write_all(&bytes)
}

fn workbook(catalog: &Catalog, view: &View<'_>, features: impl Iterator<Item = Feature>) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let formats = CellFormats::default();
    let sheet = workbook.add_worksheet();
    sheet.set_name(view.schema().title.zh.chars().take(MAX_SHEET_NAME).collect::<String>())?;
    let titles = view.fields().map(|(_, field)| title(field));
    let titles =
        std::iter::once("编号".to_owned()).chain(titles).chain(["经度(WGS84)".to_owned(), "纬度(WGS84)".to_owned()]);
    for (column, title) in (0..).zip(titles) {
        sheet.write_with_format(0, column, title, &formats.header)?;
    }
    for (index, feature) in features.enumerate() {
        if index >= MAX_ROWS {
            return Err(XlsxError::RowColumnLimitError);
        }
        let row = u32::try_from(index + 1).map_err(|_| XlsxError::RowColumnLimitError)?;
        sheet.write_with_format(row, 0, feature.id.as_str(), &formats.text)?;
        let mut column = 1;
        for (at, field) in view.fields() {
            write_cell(sheet, &formats, (row, column), cell(catalog, field, &feature.values[at]))?;
            column += 1;
        }
        for degrees in place(&feature) {
            write_cell(sheet, &formats, (row, column), degrees.map_or(Cell::Blank, Cell::Number))?;
            column += 1;
        }
    }
    sheet.set_freeze_panes(1, 2)?;
    sheet.set_autofit_max_width(MAX_WIDTH).autofit();
    workbook.save_to_buffer()
}

struct CellFormats {
    header: Format,
    day: Format,
    /// Ids, phones and codes stay texts when somebody edits the cell.
    text: Format,
}

impl Default for CellFormats {
    fn default() -> Self {
        Self {
            header: Format::new().set_bold(),
            day: Format::new().set_num_format("yyyy-mm-dd"),
            text: Format::new().set_num_format("@"),
        }
    }
}

/// The content of a cell.
enum Cell {
    Blank,
    Number(f64),
    Day(ExcelDateTime),
    Text(String),
}

fn cell(catalog: &Catalog, field: &Field, value: &Value) -> Cell {
    match value {
        Value::Unknown => Cell::Blank,
        Value::Boolean(yes) => Cell::Text(if *yes { "是" } else { "否" }.to_owned()),
        Value::Integer(number) => match label(catalog, field, value.as_value_ref()) {
            Some(label) => Cell::Text(label.to_owned()),
            #[expect(clippy::cast_precision_loss, reason = "a cell holds 15 digits; longer numbers are texts")]
            None if number.unsigned_abs() < LONGEST_NUMBER => Cell::Number(*number as f64),
            None => Cell::Text(number.to_string()),
        },
        Value::Real(number) => Cell::Number(*number),
        Value::Date(date) => match serial(*date) {
            Some(serial) => Cell::Day(serial),
            None => Cell::Text(cell_text(ValueRef::Date(*date))),
        },
        Value::DateTime(instant) => Cell::Text(time_text(*instant)),
        Value::Text(_) | Value::TextList(_) | Value::Json(_) => Cell::Text(texts(catalog, field, value)),
    }
}

fn write_cell(
    sheet: &mut Worksheet,
    formats: &CellFormats,
    (row, column): (u32, u16),
    cell: Cell,
) -> Result<(), XlsxError> {
    match cell {
        Cell::Blank => return Ok(()),
        Cell::Number(number) => sheet.write(row, column, number)?,
        Cell::Day(day) => sheet.write_with_format(row, column, &day, &formats.day)?,
        Cell::Text(text) => {
            // A character outside the basic plane counts twice.
            let text: String = text.chars().take(MAX_CELL / 2).collect();
            sheet.write_with_format(row, column, text, &formats.text)?
        }
    };
    Ok(())
}

/// Longitude and latitude of a feature.
fn place(feature: &Feature) -> [Option<f64>; 2] {
    let at = feature.geometry.as_ref().and_then(crate::model::Shape::as_point);
    [at.map(LonLat::lon), at.map(LonLat::lat)]
}

fn title(field: &Field) -> String {
    match field.unit.as_deref() {
        None | Some("persons") => field.title.zh.clone(),
        Some(unit) => format!("{}({unit})", field.title.zh),
    }
}

/// The Chinese label of a code.
fn label<'a>(catalog: &'a Catalog, field: &Field, value: ValueRef<'_>) -> Option<&'a str> {
    let codes = catalog.codes.get(field.codes.as_ref()?)?;
    let text = cell_text(value);
    codes.iter().find(|code| code.code.to_string() == text).map(|code| code.label.zh.as_str())
}

/// A text or a list of texts, with labels instead of codes.
fn texts(catalog: &Catalog, field: &Field, value: &Value) -> String {
    let shown = |text: &str| label(catalog, field, ValueRef::Text(text)).unwrap_or(text).to_owned();
    match value {
        Value::Text(text) => shown(text),
        Value::TextList(list) => list.iter().map(|text| shown(text)).collect::<Vec<_>>().join(";"),
        other => cell_text(other.as_value_ref()),
    }
}

/// A time with its zone, to the precision that it has.
fn time_text(instant: UtcDateTime) -> String {
    if instant.second() == 0 && instant.nanosecond() == 0 {
        format_beijing(instant)
    } else {
        cell_text(ValueRef::DateTime(instant))
    }
}

/// A day of a sheet; `None` before 1900 and after 9999.
fn serial(date: Date) -> Option<ExcelDateTime> {
    let year = u16::try_from(date.year()).ok()?;
    ExcelDateTime::from_ymd(year, date.month().into(), date.day()).ok()
}
