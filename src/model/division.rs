//! Codes of administrative divisions (GB/T 2260 and GB/T 10114): province, prefecture, county, township, village.

/// Lengths of the codes, each with the length of the code of the division above it.
const LEVELS: [(usize, usize); 4] = [(12, 9), (9, 6), (6, 4), (4, 2)];

/// The common prefix of the codes of all divisions within a division, by its code: 12 digits, or the first 2, 4, 6 or 9.
/// `None` if the text is no code.
#[must_use]
pub fn division_prefix(code: &str) -> Option<&str> {
    let is_code = code.bytes().all(|byte| byte.is_ascii_digit()) && [2, 4, 6, 9, 12].contains(&code.len());
    let prefix = LEVELS.into_iter().fold(code, |prefix, (length, above)| match prefix.split_at_checked(above) {
        Some((parent, own)) if prefix.len() == length && own.bytes().all(|byte| byte == b'0') => parent,
        _ => prefix,
    });
    is_code.then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_only_zeros_follow() {
        for (code, prefix) in [
            ("350124101202", "350124101202"),
            ("350124101000", "350124101"),
            ("350124000000", "350124"),
            ("350100", "3501"),
            ("350000", "35"),
            ("35", "35"),
        ] {
            assert_eq!(division_prefix(code), Some(prefix));
        }
        for wrong in ["", "3501240", "35012a", "福州市闽"] {
            assert_eq!(division_prefix(wrong), None);
        }
    }
}
