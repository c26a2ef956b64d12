//! Imports into a layer: files of every format that is read, GeoPackage files, and tables of a PostGIS database.

pub mod file;
pub mod tables;
