//! The audit log: entries in the order of their commits, each with a hash over itself and all before it.

use sha2::{Digest, Sha256};

use crate::model::AuditEntry;

/// The hash before the first entry.
pub const FIRST_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A part of the log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditPart {
    /// Entries with a greater number, oldest first.
    After(i64),
    /// Entries with a smaller number, newest first.
    Before(i64),
}

impl AuditPart {
    /// What is left of the part behind an entry of it.
    #[must_use]
    pub const fn behind(self, number: i64) -> Self {
        match self {
            Self::After(_) => Self::After(number),
            Self::Before(_) => Self::Before(number),
        }
    }
}

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1, without gaps.
    pub number: i64,
    /// The entry as JSON text, exactly as it was hashed.
    pub body: String,
    /// SHA-256 of the hash before it, a line feed and the body, in hexadecimal digits.
    pub hash: String,
}

/// Where the log ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of the last entry; 0 without any.
    pub number: i64,
    /// Its hash.
    pub hash: String,
}

impl Default for AuditHead {
    fn default() -> Self {
        Self { number: 0, hash: FIRST_HASH.to_owned() }
    }
}

impl AuditHead {
    /// The row of the next entry, after which the log ends there.
    pub(super) fn append(&mut self, entry: &AuditEntry) -> AuditRow {
        let body = serde_json::to_string(entry).unwrap_or_default();
        self.number += 1;
        self.hash = hash(&self.hash, &body);
        AuditRow { number: self.number, body, hash: self.hash.clone() }
    }

    /// Checks that a row follows, and moves there.
    ///
    /// # Errors
    /// What is wrong with the row.
    pub fn verify(&mut self, row: &AuditRow) -> Result<(), String> {
        if row.number != self.number + 1 {
            return Err(format!("entries {} to {} are missing", self.number + 1, row.number - 1));
        }
        if row.hash != hash(&self.hash, &row.body) {
            return Err(format!("entry {} or one before it was changed", row.number));
        }
        *self = Self { number: row.number, hash: row.hash.clone() };
        Ok(())
    }
}

fn hash(before: &str, body: &str) -> String {
    let digest = Sha256::new().chain_update(before).chain_update("\n").chain_update(body).finalize();
    digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_missing_row_is_found() {
        let row = |number: i64, body: &str, before: &str| AuditRow {
            number,
            body: body.to_owned(),
            hash: hash(before, body),
        };
        let first = row(1, "{}", FIRST_HASH);
        let second = row(2, "{\"a\":1}", &first.hash);
        let verify = |rows: &[&AuditRow]| {
            let mut head = AuditHead::default();
            rows.iter().try_for_each(|row| head.verify(row))
        };
        assert_eq!(verify(&[&first, &second]), Ok(()));
        assert_eq!(verify(&[&second]), Err("entries 1 to 1 are missing".to_owned()));
        let changed = AuditRow { body: "{\"a\":2}".to_owned(), ..second.clone() };
        assert_eq!(verify(&[&first, &changed]), Err("entry 2 or one before it was changed".to_owned()));
        // The hash of the standard, computed by another program: printf '000…\n{}' | sha256sum.
        assert_eq!(first.hash, "5649d09ed68c17156095d175eef152856c5b1a81c117c409c1e00f096aa6838e");
    }
}
