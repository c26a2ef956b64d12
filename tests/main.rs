//! Tests of the program through its real binary, real files, a real database and a real browser.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test ends at what it did not expect, waits by the clock and reads its own settings"
)]

mod support; // what every test stands on: a server, a database, foreign programs

mod api; // every path: what it answers, and how it refuses
mod architecture; // the rules of the crate, executed
mod audits; // places in danger, people far from help: equals PostGIS
mod browser; // Chromium: the map draws, answers and speaks two languages
mod commands; // the command line: what goes in, what comes out, what it says when it cannot
mod conformance; // the OGC API by its standards and by foreign clients
mod county; // another county, with a catalog of its own
mod geodesy; // datums against published vectors
mod nearest; // equals brute force with another geodesic, and PostGIS
mod outage; // the database goes, the map stays
mod query; // pages, regions, sets and active events equal brute force, in memory
mod real_data; // the same against data that nobody here made, where it is at hand
mod sample; // the sample county is what it says, byte by byte
mod search; // what people type is found
mod store; // what is kept stays kept, and GDAL reads it
mod surroundings; // what lies around: equals SQL over PostGIS
mod tiles; // decoded by a second implementation, equal to the source
