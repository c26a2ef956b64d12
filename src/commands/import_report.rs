//! The report of an import: in the log, as CSV or JSON, and as a copy of the table in which the rows are marked.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::exchange::import::{MAX_ISSUES, Report, RowIssue, Twin};
use crate::exchange::{TableHints, marked_table};
use crate::import::report;
use crate::model::LayerSchema;
use crate::private_file;

/// Rows of each kind in the log; the others are counted.
const MAX_LOGGED_ISSUES: usize = 50;

/// Checks the ending of the name of a report.
pub(super) fn check_report_path(path: &Path) -> anyhow::Result<()> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    anyhow::ensure!(
        ["json", "csv", "xlsx"].contains(&ending),
        "--report names a file that ends in .csv, .json or .xlsx"
    );
    Ok(())
}

/// Writes the refused rows and the warnings to a file; `table` is what was imported, with these hints.
pub(super) fn write_report(path: &Path, report: &Report, table: &Path, hints: &TableHints<'_>) -> anyhow::Result<()> {
    let bytes = match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => serde_json::to_vec_pretty(&report::as_json(report, MAX_ISSUES))?,
        Some("xlsx") => marked_table::write(table, hints, report)?,
        _ => report::as_csv(report),
    };
    let mut file = private_file::open(path, File::options().create(true).truncate(true).write(true))?;
    Ok(file.write_all(&bytes)?)
}

/// Logs what became of the rows.
pub(super) fn log_report(report: &Report, schema: &LayerSchema) {
    for RowIssue { row, line, field, value, reason, .. } in report.refused.iter().take(MAX_LOGGED_ISSUES) {
        tracing::warn!(row, line, field, value, "refused: {reason}");
    }
    if report.refused_count > MAX_LOGGED_ISSUES {
        tracing::warn!(more = report.refused_count - MAX_LOGGED_ISSUES, "more rows were refused");
    }
    if report.refused_count > MAX_ISSUES {
        tracing::warn!("a report has the first {MAX_ISSUES} of them");
    }
    for RowIssue { row, line, reason, .. } in report.warnings.iter().take(MAX_LOGGED_ISSUES) {
        tracing::warn!(row, line, "{reason}");
    }
    if let Some(more) = report.warnings.len().checked_sub(MAX_LOGGED_ISSUES).filter(|more| *more > 0) {
        tracing::warn!(more, "more rows have a warning");
    }
    if report.numbered > 0 {
        tracing::warn!(
            rows = report.numbered,
            "rows without an id received a generated one (--column COLUMN=id names the id column)"
        );
    }
    for (column, rows) in &report.ignored_columns {
        tracing::warn!(
            column,
            rows,
            "layer {} has no field for this column; it is ignored (--column {column}=FIELD matches it)",
            schema.id
        );
    }
    for Twin { name, ids } in report.twins.iter().take(MAX_LOGGED_ISSUES) {
        tracing::warn!(
            name,
            ids = ids.join(", "),
            "features with the same name at the same place; is one superfluous?"
        );
    }
    if report.placeless > 0 {
        tracing::warn!(rows = report.placeless, "features without geometry do not appear on the map");
    }
    tracing::info!(read = report.read, taken = report.taken, refused = report.refused_count, "rows read");
}
