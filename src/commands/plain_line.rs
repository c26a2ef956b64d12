//! Text that comes from elsewhere, without control characters, for logs, tables and terminals.

use std::borrow::Cow;

/// The text with control characters escaped as in Rust: none begins a line, controls a terminal, or reorders what is shown.
pub(super) fn plain_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 8);
    for own in text.chars() {
        if is_control(own) { plain.extend(own.escape_debug()) } else { plain.push(own) }
    }
    Cow::Owned(plain)
}

/// The same, but an excerpt of a configuration file, with a caret below the mistake, keeps its lines, and so does the reason
/// below it: no event of the log looks like them, because events begin with digits.
pub(super) fn plain_lines(text: &str) -> String {
    let mut lines = text.trim_end().split('\n');
    let mut plain = plain_line(lines.next().unwrap_or_default()).into_owned();
    let mut follows_excerpt = false;
    for line in lines {
        let is_own = is_excerpt(line);
        let is_reason = follows_excerpt && !line.starts_with(|first: char| first.is_ascii_digit());
        plain.push_str(if is_own || is_reason { "\n" } else { "\\n" });
        plain.push_str(&plain_line(line));
        follows_excerpt = is_own;
    }
    plain
}

/// Whether a line is `14 | text`, or the same without a number.
fn is_excerpt(line: &str) -> bool {
    line.split_once('|').is_some_and(|(before, _)| before.bytes().all(|byte| byte == b' ' || byte.is_ascii_digit()))
}

/// Control characters, line and paragraph separators, and those that change the direction of text.
fn is_control(own: char) -> bool {
    own.is_control() || matches!(own, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_excerpt_keeps_its_lines() {
        assert_eq!(
            plain_lines("a: line 14\n   |\n14 | \u{1b}x\n   | ^\n\n"),
            "a: line 14\n   |\n14 | \\u{1b}x\n   | ^"
        );
        assert_eq!(plain_lines("a\n3 | b\n  | ^\nwhy\nnot"), "a\n3 | b\n  | ^\nwhy\\nnot");
        assert_eq!(plain_lines("a\n3 | b\n2026 c"), "a\n3 | b\\n2026 c");
        assert_eq!(plain_lines("a\n2026-11-28T00:00:00Z INFO | b"), "a\\n2026-11-28T00:00:00Z INFO | b");
    }
}
