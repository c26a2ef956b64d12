//! Imports into a layer: files of every format that is read, GeoPackage files, and tables of a PostGIS database.

pub mod file;
mod reference_system;
pub mod report;
pub mod tables;
pub mod uploads;
