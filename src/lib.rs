//! onemap: the server behind a county emergency bureau's one map (应急管理一张图).
//!
//! It answers three kinds of callers from one snapshot of the county: map viewers (vector tiles, a style, a
//! viewer), dispatchers (who is nearest) and other services (OGC API Features, GeoJSON, FlatGeobuf).
//!
//! # The plan of the crate
//!
//! Data flows one way: **store → snapshot → query, tile → http**. A [`store`] keeps the layers, in one GeoPackage
//! file or in PostGIS. The [`snapshot`] is an immutable snapshot of it in memory, replaced as a whole by the one
//! follower that reads the store's change log. [`query`] and [`tile`] are plain functions on a snapshot: they do not
//! wait, read no file and know no clock. [`http`] parses, calls and renders.
//!
//! Walk a change through: an officer moves a shelter in QGIS; a trigger in the file writes the change log; the
//! follower reads the changed feature, rebuilds the one chunk that holds it and swaps the snapshot; the next tile has
//! a new ETag, the next nearest answer the new place. No step knows the steps after it.
//!
//! Walk an outage through: the store does not answer; the follower tries again with growing pauses; every reply goes
//! on from the snapshot there is and says `stale: true` and its age; `/health/ready` turns to 503. No code on the
//! reading side notices. A keeper writes the snapshot to disk all the while, so a server that is started without its
//! store begins with that local copy, and the follower reads everything as soon as the store is reached.
//!
//! # Who may use whom
//!
//! A test reads this table and fails on any path between rooms, or to a crate of another room, that it does not grant.
//!
//! | room | what lives there | may use | alone may touch |
//! |---|---|---|---|
//! | [`geodesy`] | where on earth: positions, datums, distances | – | proj4rs |
//! | [`model`] | what is on the map: features, schemas, the catalog | geodesy | – |
//! | [`clock`] | what time it is | – | – |
//! | [`store`] | where it is kept: GeoPackage, PostGIS | geodesy, model | sqlx, postgis |
//! | [`exchange`] | files in and out: GeoJSON, FlatGeobuf, tables | geodesy, model | flatgeobuf, csv |
//! | [`snapshot`] | the snapshot, its history, and the follower that replaces it | geodesy, model, store | rstar, arc_swap |
//! | [`query`] | questions: filters, pages of features, who is nearest, audits | geodesy, model, snapshot | caseless, unicode_normalization, pinyin |
//! | [`tile`] | answers as snapshots: vector tiles, made and kept | geodesy, model, snapshot | quick_cache, brotli, flate2 |
//! | [`http`] | the door: the URL map, requests, problems | geodesy, model, clock, store, exchange, snapshot, query, tile | actix_web |
//! | [`config`] | the configuration file, checked | model, store | toml |
//! | [`commands`] | the command line: serve, import, export | geodesy, model, clock, store, exchange, snapshot, http, config | clap, indicatif, anyhow, tracing_subscriber |
//!
//! # What is deliberately absent
//!
//! - Nothing in `snapshot`, `query` or `tile` knows a layer by name; what is special about a layer stands in
//!   `data/catalog.json`.
//! - No cargo features: there is one build, and options are chosen when it runs.
//! - No cache is ever told that something changed: what is made from a snapshot is named by its bytes or its version.
//! - No value stands for "unknown": unknown is a value of its own, from the file to the popup.

pub mod clock;
pub mod commands;
pub mod config;
pub mod exchange;
pub mod geodesy;
pub mod http;
pub mod model;
pub mod query;
pub mod snapshot;
pub mod store;
pub mod tile;
