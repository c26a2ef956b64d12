//! Text that comes from elsewhere, in one line for logs, tables and terminals.

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

/// Control characters, line and paragraph separators, and those that change the direction of text.
fn is_control(own: char) -> bool {
    own.is_control() || matches!(own, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
