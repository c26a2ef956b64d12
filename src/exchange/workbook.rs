//! Reads a sheet of a workbook (XLSX, XLSB, XLS, ODS) as a table. Titles above the header and headers of two rows are
//! recognised by the columns that they name.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use calamine::{Data, Range, Reader, open_workbook_auto};
use zip::ZipArchive;

use super::delimited::{Cells, Table, TableOrigin, TableRow};
use super::table_header::{HEADER_ROWS, Header, find_header};
use super::{ExchangeError, TableHints};

const FORMAT: &str = "a workbook";
/// Maximum size of the file and of its expanded parts, bytes.
const MAX_FILE_BYTES: u64 = 200_000_000;
const MAX_EXPANDED_BYTES: u64 = 1_000_000_000;

/// Opens a sheet: the one that the hints name, otherwise the one with the most matching columns.
///
/// # Errors
/// When the file is not a workbook, is too large, has no such sheet, or the sheet has no header.
pub fn open(path: &Path, hints: &TableHints<'_>) -> Result<Table, ExchangeError> {
    let malformed = |reason: &str| ExchangeError::malformed(path, FORMAT, &reason);
    check_size(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge => malformed(&error.to_string()),
        _ => ExchangeError::file(path)(error),
    })?;
    // The library panics on some damaged files.
    let read = catch_unwind(AssertUnwindSafe(|| sheet(path, hints)));
    read.unwrap_or_else(|_| Err("it is damaged".to_owned())).map_err(|reason| malformed(&reason))
}

/// Expands the parts of a compressed workbook once without keeping them, because their stated sizes may be wrong.
fn check_size(path: &Path) -> io::Result<()> {
    let too_large = |limit: u64| {
        let limit = limit / 1_000_000;
        io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} MB"))
    };
    let file = File::open(path)?;
    if file.metadata()?.len() > MAX_FILE_BYTES {
        return Err(too_large(MAX_FILE_BYTES));
    }
    let mut start = [0; 2];
    let is_compressed = File::open(path)?.read_exact(&mut start).is_ok() && start == *b"PK";
    if !is_compressed {
        return Ok(());
    }
    let damaged = |error: zip::result::ZipError| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    let mut parts = ZipArchive::new(file).map_err(damaged)?;
    let mut left = MAX_EXPANDED_BYTES;
    for index in 0..parts.len() {
        let part = parts.by_index(index).map_err(damaged)?;
        left = left.saturating_sub(io::copy(&mut part.take(left), &mut io::sink())?);
        if left == 0 {
            return Err(too_large(MAX_EXPANDED_BYTES));
        }
    }
    Ok(())
}

fn sheet(path: &Path, hints: &TableHints<'_>) -> Result<Table, String> {
    let mut workbook = open_workbook_auto(path).map_err(|error| error.to_string())?;
    let names = workbook.sheet_names();
    let wanted: Vec<String> = match hints.sheet {
        Some(name) if names.iter().any(|own| own == name) => vec![name.to_owned()],
        Some(name) => return Err(format!("it has no sheet {name:?}; its sheets: {}", names.join(", "))),
        None => names.clone(),
    };
    let mut best: Option<(String, Range<Data>, Header)> = None;
    for name in wanted {
        let cells = workbook.worksheet_range(&name).map_err(|error| format!("sheet {name}: {error}"))?;
        let Some(header) = header(&cells, hints) else { continue };
        if best.as_ref().is_none_or(|(.., own)| header.known > own.known) {
            best = Some((name, cells, header));
        }
    }
    let none = || format!("no row of its sheets names at least two columns; its sheets: {}", names.join(", "));
    let (name, cells, header) = best.ok_or_else(none)?;
    let first_row = cells.start().map_or(0, |(row, _)| row as usize);
    let rows: Vec<TableRow> = cells
        .rows()
        .enumerate()
        .skip(header.row + 1)
        .filter_map(|(index, row)| {
            let line = first_row + index + 1;
            let texts: Result<Vec<String>, String> = row.iter().map(text).collect();
            match texts {
                Ok(texts) if texts.iter().all(|text| text.trim().is_empty()) => None,
                Ok(texts) => Some(Ok((line, Cells::from(texts)))),
                Err(reason) => Some(Err((line, reason))),
            }
        })
        .collect();
    let origin = TableOrigin::Sheet { name, header_row: first_row + header.row + 1 };
    let count = rows.len();
    Table::new(header.names, Box::new(rows.into_iter()), Some(count), origin)
}

/// The header of a sheet.
fn header(cells: &Range<Data>, hints: &TableHints<'_>) -> Option<Header> {
    let row_texts = |row: &[Data]| -> Vec<String> { row.iter().map(|cell| text(cell).unwrap_or_default()).collect() };
    let rows: Vec<Vec<String>> = cells.rows().take(HEADER_ROWS).map(row_texts).collect();
    find_header(&rows, hints)
}

/// A cell as text; dates in ISO 8601, without a time at midnight.
///
/// # Errors
/// When the cell holds an error, such as `#REF!`.
fn text(cell: &Data) -> Result<String, String> {
    Ok(match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number.to_string(),
        Data::Bool(yes) => yes.to_string(),
        Data::DateTime(serial) if serial.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = serial.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
                _ => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"),
            }
        }
        Data::DateTime(serial) => serial.as_f64().to_string(),
        Data::Error(error) => return Err(format!("a cell holds the error {error}")),
    })
}
