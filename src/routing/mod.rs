//! Engines that compute travel on roads outside of this program: pgRouting in a PostGIS database.

pub mod edges;
pub mod pgrouting;
