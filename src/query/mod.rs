//! Queries: pure functions of a snapshot. No I/O, no clock; they fail only on invalid input or cancellation.

pub mod alert;
pub mod allocation;
pub mod cancel;
pub mod coverage;
pub mod cursor;
pub mod filter;
pub mod geofence;
pub mod items;
pub mod nearest;
pub mod needs;
pub mod plans;
pub mod query_geometry;
pub mod road;
pub mod search;
pub mod siting;
pub mod situation_reports;
pub mod statistics;
pub mod surroundings;
