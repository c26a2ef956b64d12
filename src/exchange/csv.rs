//! Writes CSV (RFC 4180) for spreadsheets.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::model::{ValueRef, format_date, format_instant};

/// Writes a CSV table row by row, in UTF-8 with a byte order mark, because spreadsheets otherwise misread Chinese text.
pub struct CsvWriter<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// When writing fails.
    pub fn begin(mut out: W, header: &[&str]) -> io::Result<Self> {
        out.write_all("\u{feff}".as_bytes())?;
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(header).map_err(io::Error::from)?;
        Ok(Self { writer })
    }

    /// Writes a row with as many cells as the header.
    ///
    /// # Errors
    /// When writing fails.
    pub fn row(&mut self, cells: &[String]) -> io::Result<()> {
        self.writer.write_record(cells.iter().map(|cell| as_text(cell).into_owned())).map_err(io::Error::from)
    }

    /// Flushes buffered rows.
    ///
    /// # Errors
    /// When writing fails.
    pub fn end(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes a table into memory.
#[must_use]
pub fn write_table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to memory cannot fail, and all rows have the same length.
    let written = CsvWriter::begin(&mut out, header).and_then(|mut table| {
        rows.into_iter().try_for_each(|row| table.row(&row))?;
        table.end()
    });
    debug_assert!(written.is_ok());
    out
}

/// A value as a cell; unknown is blank, lists are joined by semicolons.
#[must_use]
pub fn cell_text(cell: ValueRef<'_>) -> String {
    match cell {
        ValueRef::Unknown => String::new(),
        ValueRef::Boolean(yes) => yes.to_string(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) | ValueRef::Json(text) => text.to_owned(),
        ValueRef::Date(day) => format_date(day),
        ValueRef::DateTime(instant) => format_instant(instant),
        ValueRef::TextList(list) => list.join(";"),
    }
}

/// The first characters of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A cell without what keeps spreadsheets from interpreting it as a formula.
#[must_use]
pub fn from_text(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(cell)
}

/// Escapes a cell that a spreadsheet would interpret as a formula.
fn as_text(cell: &str) -> Cow<'_, str> {
    let is_number = cell.parse::<f64>().is_ok();
    if !is_number && cell.starts_with(FORMULA) { format!("'{cell}").into() } else { cell.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_escaped() {
        let rows = [vec!["闽清,县".to_owned(), "=1+1".to_owned()], vec!["\"a\"".to_owned(), "-5.5".to_owned()]];
        let text = String::from_utf8(write_table(&["名称", "x"], rows)).unwrap_or_default();
        assert_eq!(text, "\u{feff}名称,x\n\"闽清,县\",'=1+1\n\"\"\"a\"\"\",-5.5\n");
    }
}
