//! Tables of comma-separated values (RFC 4180) for people with a spreadsheet.

use std::borrow::Cow;

/// UTF-8 with a byte order mark, without which spreadsheets take Chinese for something else.
#[must_use]
pub fn write_table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    // Writing to memory cannot fail, and rows have one length.
    let mut write = |cells: &mut dyn Iterator<Item = Cow<'_, str>>| {
        let _ = writer.write_record(cells.map(Cow::into_owned));
    };
    write(&mut header.iter().map(|cell| Cow::Borrowed(*cell)));
    for row in rows {
        write(&mut row.iter().map(|cell| as_text(cell)));
    }
    writer.into_inner().unwrap_or_default()
}

/// A cell that a spreadsheet does not take for a formula.
fn as_text(cell: &str) -> Cow<'_, str> {
    let is_number = cell.parse::<f64>().is_ok();
    if !is_number && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}").into()
    } else {
        cell.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let rows = [vec!["闽清,县".to_owned(), "=1+1".to_owned()], vec!["\"a\"".to_owned(), "-5.5".to_owned()]];
        let text = String::from_utf8(write_table(&["名称", "x"], rows)).unwrap_or_default();
        assert_eq!(text, "\u{feff}名称,x\n\"闽清,县\",'=1+1\n\"\"\"a\"\"\",-5.5\n");
    }
}
