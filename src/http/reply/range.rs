//! Byte ranges of a file (RFC 9110, section 14), such as the index of a FlatGeobuf and then the features it points at.

use actix_web::http::header::{self, HeaderMap};

/// The requested part of a file.
pub(crate) enum RequestedRange {
    /// The whole file.
    Whole,
    /// These bytes, at least one.
    Part(std::ops::Range<usize>),
    /// Bytes that the file does not have.
    Unsatisfiable,
}

/// Reads the header `Range` for a file of so many bytes and this entity tag. The whole file is sent for several ranges
/// at once, and for a range of a file that has changed since.
pub(crate) fn requested_range(headers: &HeaderMap, tag: &str, length: usize) -> RequestedRange {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|known| known != tag) {
        return RequestedRange::Whole;
    }
    let Some(Ok(header::Range::Bytes(ranges))) = text(header::RANGE).map(str::parse) else {
        return RequestedRange::Whole;
    };
    let [range] = &ranges[..] else { return RequestedRange::Whole };
    // A range that ends before it begins is malformed, and a malformed range is ignored.
    if matches!(range, header::ByteRangeSpec::FromTo(first, last) if first > last) {
        return RequestedRange::Whole;
    }
    let position = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX);
    match range.to_satisfiable_range(length as u64) {
        Some((first, last)) => RequestedRange::Part(position(first)..position(last).saturating_add(1).min(length)),
        None => RequestedRange::Unsatisfiable,
    }
}
