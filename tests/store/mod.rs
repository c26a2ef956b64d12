//! What is kept stays kept: each promise once, held by both backends; and the file as GDAL sees it.

mod contract;
mod foreign;
mod geopackage;
mod geopackage_faults;
mod missing_tables;
mod owners;
mod pooler;
mod postgis;
mod unreadable;
mod writers;
