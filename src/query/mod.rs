//! Questions: plain functions on a snapshot. No waiting, no files, no clock, so they fail only on a wrong ask.

pub mod cancel;
pub mod coverage;
pub mod cursor;
pub mod filter;
pub mod items;
pub mod nearest;
pub mod query_geometry;
pub mod search;
pub mod siting;
pub mod surroundings;
