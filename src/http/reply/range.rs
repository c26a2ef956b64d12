//! Parts of a file (RFC 9110, section 14), such as the index of a FlatGeobuf and then what it points at.

use std::ops::Range;

use actix_web::http::header::{self, HeaderMap};

/// What of a file is asked for.
pub(crate) enum Asked {
    /// All of it.
    Whole,
    /// These bytes, at least one.
    Part(Range<usize>),
    /// What it does not have.
    Nothing,
}

/// Reads the header Range for a file of so many bytes and this tag. Several parts at once are answered with the whole,
/// as is a part of a file that has changed since.
pub(crate) fn asked_range(headers: &HeaderMap, tag: &str, length: usize) -> Asked {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Asked::Whole;
    }
    let Some((first, last)) = text(header::RANGE)
        .and_then(|range| range.trim().strip_prefix("bytes="))
        .filter(|range| !range.contains(','))
        .and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    let part = match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..length,
        (Err(_), Ok(count)) if first.trim().is_empty() => length.saturating_sub(count)..length,
        _ => return Asked::Whole,
    };
    if part.start < part.end { Asked::Part(part) } else { Asked::Nothing }
}
