//! Tests of the program through its real binary, real files, a real database and a real browser.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test panics on unexpected results, waits for events and reads environment variables"
)]

mod support; // shared: server, database, other programs

mod access; // accounts, and what each role sees and writes
mod api; // every path: replies and refusals
mod architecture; // rules of the code base
mod audits; // siting and coverage audits, compared with PostGIS
mod browser; // the viewer in Chromium
mod cluster; // several servers over a database cluster with failover
mod commands; // the command line: import, export, messages
mod conformance; // OGC API conformance, and other clients
mod county; // another county, with its own catalog
mod geodesy; // distances, edges, validity, reference systems
mod hostile; // bytes of strangers: the corpus of the fuzz targets
mod nearest; // nearest, compared with brute force and another geodesic
mod outage; // database outages and the disk cache
mod query; // paging, regions, covering sets, compared with brute force
mod real_data; // tests with data of third parties, if available
mod roads; // travel by road, compared with another library
mod sample; // the sample county
mod search; // search by name, pinyin and code
mod store; // the contract of stores, and both backends
mod subscriptions; // notices for other services, taken by a receiver of their own
mod surroundings; // surroundings, compared with PostGIS
mod tiles; // tiles decoded by a second implementation, compared with their source
