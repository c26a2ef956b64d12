//! Texts of a column, one per row, each distinct one stored once.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::packed_integers::PackedIntegers;

/// Optional texts. Rows have numbers of entries of a dictionary, whose texts follow each other in one string.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Texts {
    entries: PackedIntegers,
    joined: String,
    /// The end of each text in `joined`.
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn collect<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut own = Self::default();
        let mut known: HashMap<&str, i64> = HashMap::new();
        let entries: Vec<Option<i64>> =
            texts.map(|text| text.map(|text| *known.entry(text).or_insert_with(|| own.append(text)))).collect();
        own.joined.shrink_to_fit();
        own.ends.shrink_to_fit();
        own.entries = PackedIntegers::collect(entries.into_iter());
        own
    }

    /// Adds a text to the dictionary.
    fn append(&mut self, text: &str) -> i64 {
        self.joined.push_str(text);
        self.ends.push(self.joined.len());
        entry_number(self.ends.len() - 1)
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether all entries are texts.
    pub(super) fn is_sound(&self) -> bool {
        let last = self.ends.last().copied().unwrap_or_default();
        let is_cut_between_characters = |end: &usize| self.joined.is_char_boundary(*end);
        let is_known = |entry: i64| usize::try_from(entry).is_ok_and(|entry| entry < self.ends.len());
        self.ends.is_sorted()
            && last == self.joined.len()
            && self.ends.iter().all(is_cut_between_characters)
            && self.entries.iter().flatten().all(is_known)
    }

    pub(super) fn get(&self, row: usize) -> Option<&str> {
        self.entry(usize::try_from(self.entries.get(row)?).ok()?)
    }

    /// A text of the dictionary.
    fn entry(&self, entry: usize) -> Option<&str> {
        let start = entry.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.joined.get(start..*self.ends.get(entry)?)
    }
}

fn entry_number(entry: usize) -> i64 {
    i64::try_from(entry).unwrap_or(i64::MAX)
}
