//! What replies are made of: problem details, freshness, media types, ranges, HTML, streams.

pub(crate) mod freshness;
pub(crate) mod html;
pub(crate) mod media;
pub(crate) mod problem;
pub(crate) mod range;
pub(crate) mod stream;
