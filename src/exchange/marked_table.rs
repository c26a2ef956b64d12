//! A copy of an imported table as a workbook, in which each refused row says why.

use std::collections::HashMap;
use std::path::Path;

use rust_xlsxwriter::{Color, Format, Workbook, XlsxError};

use super::import::Report;
use super::{ExchangeError, Opened, TableHints, open};

/// Most rows of a sheet with a header.
const MAX_ROWS: usize = 1_048_575;
/// Longest text of a cell, characters.
const MAX_CELL_CHARS: usize = 16_383;
const REFUSED: Color = Color::RGB(0xF8_D7_DA);
const WARNED: Color = Color::RGB(0xFF_F3_CD);

/// Why no copy is written.
#[derive(Debug, thiserror::Error)]
pub enum MarkedTableError {
    /// The file cannot be read again.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The file is no table.
    #[error("only tables (.csv, .tsv, .txt, .xlsx, .xlsb, .xls, .ods) can be copied with marks; use .csv or .json")]
    NoTable,
    /// The table is too large, or the workbook cannot be written.
    #[error(transparent)]
    Workbook(#[from] XlsxError),
}

/// Writes the rows of a table with a first column that says what is wrong with them. The hints are those of the import, so that
/// the same sheet and header are found.
///
/// # Errors
/// When the file is no table, cannot be read, or has more rows than a sheet.
pub fn write(path: &Path, hints: &TableHints<'_>, report: &Report) -> Result<Vec<u8>, MarkedTableError> {
    let Opened::Table(table) = open(path, hints)? else { return Err(MarkedTableError::NoTable) };
    let defects: HashMap<usize, (&str, Color)> = report
        .warnings
        .iter()
        .map(|issue| (issue.row, (issue.reason.as_str(), WARNED)))
        .chain(report.refused.iter().map(|issue| (issue.row, (issue.reason.as_str(), REFUSED))))
        .collect();
    let mut workbook = Workbook::new();
    let bold = Format::new().set_bold();
    let [plain, refused, warned] = [None, Some(REFUSED), Some(WARNED)].map(|color| {
        let format = Format::new().set_num_format("@");
        color.map_or(format.clone(), |color| format.set_background_color(color))
    });
    let sheet = workbook.add_worksheet();
    let header = std::iter::once("问题 Problem").chain(table.columns().iter().map(String::as_str));
    for (column, name) in (0..).zip(header) {
        sheet.write_with_format(0, column, name, &bold)?;
    }
    for (index, row) in table.into_rows().enumerate() {
        if index >= MAX_ROWS {
            return Err(XlsxError::RowColumnLimitError.into());
        }
        let at = u32::try_from(index + 1).map_err(|_| XlsxError::RowColumnLimitError)?;
        let (reason, format) = match defects.get(&(index + 1)) {
            Some((reason, REFUSED)) => (*reason, &refused),
            Some((reason, _)) => (*reason, &warned),
            None => ("", &plain),
        };
        let cells = row.map(|(_, cells)| cells).unwrap_or_default();
        for (column, cell) in (0..).zip(std::iter::once(reason).chain(cells.iter())) {
            let cell: String = cell.chars().take(MAX_CELL_CHARS).collect();
            sheet.write_with_format(at, column, cell, format)?;
        }
    }
    sheet.set_freeze_panes(1, 1)?;
    Ok(workbook.save_to_buffer()?)
}
