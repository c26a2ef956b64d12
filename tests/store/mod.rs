//! Stores: the contract of both backends, and behaviour of each backend.

mod backup;
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
