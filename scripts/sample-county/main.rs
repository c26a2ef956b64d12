//! Generates the sample county and writes it: `cargo run --example sample-county [-- --out data]`.
//!
//! Everything is invented: no survey, no person, no real enterprise. Only the names and codes of the county and its
//! townships and the counts in its published plan are facts; the rest is a sketch of mountain country. The output is
//! deterministic.
//!
//! ```text
//! terrain -> divisions -> villages   the land
//!    land -> zones, roads, streets   what covers and crosses it
//!         -> hazards, shelters, rescue, monitor, places, events, duty
//!    rows -> checks -> output        invalid data is not written
//! ```

mod categories;
mod checks;
mod contour;
mod divisions;
mod duty;
mod events;
mod hazards;
mod land;
mod monitor;
mod network;
mod output;
mod places;
mod plane;
mod random;
mod rescue;
mod rivers;
mod roads;
mod sheet;
mod shelters;
mod streets;
mod terrain;
mod villages;
mod zones;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// Generates the sample county.
#[derive(Parser)]
struct Ask {
    /// The folder that gets `minqing/*.fgb` and `categories.csv`.
    #[arg(long, default_value = "data")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let ask = Ask::parse();
    let land = land::Land::settle();
    let zones = zones::draw(&land);
    let sheets = draw(&land, &zones);
    checks::all(&land, &zones, &sheets)?;
    let bytes = output::write(&ask.out, &sheets)?;
    let rows: usize = sheets.iter().map(|sheet| sheet.rows.len()).sum();
    eprintln!("{rows} features in {} layers, {bytes} bytes", sheets.len());
    Ok(())
}

/// Every layer.
fn draw(land: &land::Land, zones: &[zones::Zone]) -> Vec<sheet::Sheet> {
    let roads = roads::Roads::build(land);
    let sources = hazards::place(land, &roads);
    let (slopes, spots) = hazards::slopes(land, zones);
    let mut sheets = villages::sheets(land);
    sheets.extend([
        zones::sheet(land, zones),
        rivers::sheet(land),
        roads.sheet(land),
        streets::sheet(land),
        events::warnings(land),
        monitor::loudspeakers(land),
        monitor::stations(land, &spots),
        monitor::water_works(land),
        places::sheet(land),
        hazards::dangers(land, &sources),
        slopes,
        hazards::sheet(land, &sources),
        rescue::depots(land),
        rescue::teams(land),
        shelters::sheet(land, zones),
        events::incidents(land, zones, &roads),
        duty::reports(land),
        duty::plans(land),
    ]);
    sheets
}
