//! What is kept stays kept: each promise once, held by both houses; and the file as GDAL sees it.

mod contract;
mod foreign;
mod geopackage;
mod owners;
mod pooler;
mod postgis;
mod unreadable;
mod writers;
