//! onemap
pub mod clock;
pub mod commands;
pub mod exchange;
pub mod geodesy;
pub mod http;
pub mod model;
pub mod query;
pub mod snapshot;
pub mod store;
pub mod tile;
