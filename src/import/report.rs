//! The report of an import as CSV and JSON.

use serde_json::{Value as Json, json};

use crate::exchange::csv::write_table;
use crate::exchange::import::{Report, RowIssue, Twin};

/// The report with at most so many rows of each kind.
#[must_use]
pub fn as_json(report: &Report, most: usize) -> Json {
    let row = |issue: &RowIssue| {
        let RowIssue { row, line, field, value, fault, reason } = issue;
        json!({"row": row, "line": line, "column": field, "value": value, "fault": fault, "reason": reason})
    };
    let twin = |Twin { name, ids }: &Twin| json!({"name": name, "ids": ids});
    json!({
        "read": report.read,
        "taken": report.taken,
        "refused_count": report.refused_count,
        "refused": report.refused.iter().take(most).map(row).collect::<Vec<_>>(),
        "warnings": report.warnings.iter().take(most).map(row).collect::<Vec<_>>(),
        "without_id": report.numbered,
        "without_place": report.placeless,
        "ignored_columns": report.ignored_columns,
        "twins": report.twins.iter().take(most).map(twin).collect::<Vec<_>>(),
    })
}

/// The refused rows and those with warnings.
#[must_use]
pub fn as_csv(report: &Report) -> Vec<u8> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let row = |kind: &str, issue: &RowIssue| {
        let line = issue.line.map(|line| line.to_string()).unwrap_or_default();
        let (column, value, reason) = (text(&issue.field), text(&issue.value), issue.reason.clone());
        vec![issue.row.to_string(), line, column, value, reason, kind.to_owned()]
    };
    let refused = report.refused.iter().map(|issue| row("refused", issue));
    let warnings = report.warnings.iter().map(|issue| row("warning", issue));
    write_table(&["row", "line", "column", "value", "reason", "kind"], refused.chain(warnings))
}
