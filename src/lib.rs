//! onemap: the map server of a county emergency bureau (应急管理一张图).
//!
//! It serves map viewers (vector tiles, styles, a built-in viewer), dispatchers (nearest resources, surroundings,
//! audits) and other services (OGC API Features and Tiles, GeoJSON, FlatGeobuf, change events) from one in-memory
//! snapshot of a GeoPackage file or a PostGIS database.
//!
//! # Data flow
//!
//! ```text
//!  GeoPackage file ──┐   read everything      ┌── query ──┐
//!  or PostGIS        ├──────────────▶ snapshot┤           ├──▶ http ──▶ viewers, dispatchers, services
//!  database          │   follow the  (immutable)── tile ──┘      │
//!    ▲               └── change log ──▶ │                        │
//!    │                                  └─▶ disk cache           │
//!    └────────────────────── edits, in one transaction ◀─────────┘
//! ```
//!
//! Data flows one way: **store → snapshot → query, tile → http**. A [`store`] keeps the layers. The [`snapshot`] is
//! immutable and replaced as a whole by the follower, the only reader of the store's change log. [`query`] and [`tile`]
//! are plain functions of a snapshot: no I/O, no waiting, no clock. [`http`] parses a request, calls a function and
//! renders the reply.
//!
//! **A change.** An officer moves a shelter in QGIS. A trigger in the file writes the change log. The follower reads
//! the changed feature, rebuilds the chunk that holds it and replaces the snapshot. The next tile has a new ETag, the
//! next nearest query uses the new position, and browsers are notified over server-sent events. No cache is
//! invalidated: everything derived from a snapshot is identified by a hash of its bytes or by its version.
//!
//! **An outage.** The store is unreachable. The follower retries with growing pauses. Replies come from the current
//! snapshot and have `stale: true` and their age; `/health/ready` returns 503. The disk cache holds the snapshot, so a
//! server that starts while its database is down loads that copy and reads everything once the database is back.
//!
//! # Modules
//!
//! A test reads this table and fails if a module uses another module or crate that the table does not allow.
//!
//! | module | purpose | may use | only user of, with other modules that name it too |
//! |---|---|---|---|
//! | [`geodesy`] | positions, reference systems, distances on the ellipsoid | – | proj4rs |
//! | [`model`] | features, schemas, the catalog | geodesy | – |
//! | [`clock`] | the time | – | – |
//! | [`private_file`] | files that only their owner may read | – | – |
//! | [`store`] | backends: GeoPackage and PostGIS | geodesy, model, private_file | sqlx, postgis |
//! | [`exchange`] | file formats: GeoJSON, FlatGeobuf, Shapefiles, KML, GPX, CSV, workbooks, CAP, OpenStreetMap PBF | geodesy, model | flatgeobuf, csv, encoding_rs, chardetng, calamine, zip, osmpbf, shapefile, strsim, rust_xlsxwriter, roxmltree, quick_xml |
//! | [`import`] | imports of files, tables and other servers into a layer | geodesy, model, private_file, store, exchange | ureq |
//! | [`snapshot`] | the snapshot, its history, and the follower that replaces it | geodesy, model, store | rstar, arc_swap |
//! | [`query`] | filters, pages of features, nearest, allocation, travel by road, surroundings, alerts, audits | geodesy, model, snapshot | caseless, unicode_normalization, pinyin, microlp |
//! | [`tile`] | vector tiles: rendering, cache and archives | geodesy, model, snapshot | quick_cache, brotli, flate2, zstd, i_overlay, mlt_core, pmtiles, sqlx |
//! | [`access`] | accounts, identities of other systems, and what each role sees of the snapshot | model, query, snapshot, private_file | jsonwebtoken, ureq, quick_cache |
//! | [`dispatch`] | commitments of resources to incidents | model, store, snapshot | – |
//! | [`routing`] | travel on roads by pgRouting | geodesy, store, query | sqlx |
//! | [`subscription`] | notices of what happens in an area, for other services | model, private_file, store, snapshot, query, access | ureq |
//! | [`traces`] | spans of requests for an OpenTelemetry collector | – | opentelemetry, opentelemetry_sdk, opentelemetry_otlp, opentelemetry_http, ureq |
//! | [`http`] | endpoints, parameters, replies | geodesy, model, clock, store, exchange, import, snapshot, query, tile, access, dispatch, subscription, traces | actix_web, maud, prometheus, governor, rustls, opentelemetry, quick_cache, flate2, zstd |
//! | [`config`] | the configuration file | model, store, import, routing, subscription, access | toml |
//! | [`commands`] | the command line: serve, import, export | geodesy, model, clock, private_file, store, exchange, import, snapshot, tile, access, dispatch, routing, subscription, traces, http, config | clap, indicatif, anyhow, tracing_subscriber |
//!
//! # Rules
//!
//! - `snapshot`, `query` and `tile` refer to no layer by name; special properties of a layer are roles in
//!   `data/catalog.json`.
//! - Endpoints, parameters, limits and layer names are each declared in one place; routes, documentation and checks
//!   are derived from the declaration.
//! - No cargo features: there is one build, and options are set at run time.
//! - No sentinel values: unknown is a separate value everywhere, from the store to the viewer.

pub mod access;
pub mod clock;
pub mod commands;
pub mod config;
pub mod dispatch;
pub mod exchange;
pub mod geodesy;
pub mod http;
pub mod import;
pub mod model;
pub mod private_file;
pub mod query;
pub mod routing;
pub mod snapshot;
pub mod store;
pub mod subscription;
pub mod tile;
pub mod traces;
