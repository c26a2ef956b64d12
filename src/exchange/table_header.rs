//! Finds the header of a table below its title: the row, or the two rows, that name the most known columns.

use super::TableHints;

/// Rows that are searched for the header.
pub(super) const HEADER_ROWS: usize = 15;

/// A header: its last row, its names, and how many of them are known.
pub(super) struct Header {
    pub(super) row: usize,
    pub(super) names: Vec<String>,
    pub(super) known: usize,
}

/// The header among the first rows; without any known column, the first row that names two columns.
pub(super) fn find_header(rows: &[Vec<String>], hints: &TableHints<'_>) -> Option<Header> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|name| name.trim().to_owned()).collect()).collect();
    let mut best: Option<Header> = None;
    for (row, own) in rows.iter().enumerate() {
        // The lower of two rows names parts of what the upper one names, or leaves a cell blank that is merged.
        let joined = row.checked_sub(1).map(|above| {
            let pairs = rows[above].iter().zip(own);
            pairs.map(|(above, own)| if own.is_empty() { above.clone() } else { own.clone() }).collect()
        });
        for names in std::iter::once(own.clone()).chain(joined) {
            let count = names.iter().filter(|name| !name.is_empty()).count();
            let known = (hints.known_columns)(&names);
            if count >= 2 && best.as_ref().is_none_or(|best| known > best.known) {
                best = Some(Header { row, names, known });
            }
        }
    }
    best
}
