//! Imports into a layer: files of every format that is read, GeoPackage files, tables of a PostGIS database, and collections
//! of other servers.

pub mod download;
pub mod fetch;
pub mod file;
mod reference_system;
pub mod remote;
pub mod report;
pub mod sync;
pub mod tables;
pub mod uploads;
pub mod watch;
