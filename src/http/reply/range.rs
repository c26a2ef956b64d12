//! Range requests (RFC 9110, section 14), for example for the index of a FlatGeobuf and then for its features.

use std::ops::Range;

use actix_web::http::header::{self, HeaderMap};

/// The requested part of a file.
pub(crate) enum Asked {
    /// The whole file.
    Whole,
    /// A range of bytes, not empty.
    Part(Range<usize>),
    /// A range outside the file.
    Nothing,
}

/// Reads the header Range for a file with a tag and a length in bytes. A request for several ranges gets the whole
/// file, as does a request whose If-Range does not match the tag.
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
