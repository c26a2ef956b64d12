//! Tiles of a country at low zooms, in one process without a cache: size, time and memory of the cluster pyramid.
//! `--scale 1` is the whole country, `--layer hazards` one of its layers. Processor time is printed beside elapsed
//! time, to distinguish a busy machine from a slow tile.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a benchmark prints, reads the clock and panics on unexpected results"
)]

#[path = "../nation/mod.rs"]
mod nation;

use std::time::Instant;

use nation::Nation;
use onemap::geodesy::LonLat;
use onemap::model::{Catalog, View};
use onemap::query::filter::{Filter, Language};
use onemap::snapshot::{Layer, Row};
use onemap::tile::{Drawing, FeatureFilter, Labels, TileAddress, TileFormat, TileMatrixSet, render};

const BUDGET_BYTES: usize = 500_000;
/// Number of tiles per zoom.
const TILES: u64 = 200;

fn main() {
    let option = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let scale = option("--scale").map_or(0.1, |scale| scale.parse().expect("a number"));
    let only = option("--layer");
    let catalog = Catalog::built_in().expect("a catalog");
    let nation = Nation::new(&catalog, scale);
    let empty_mb = resident_mb();
    let layers: Vec<Layer> = nation
        .layers()
        .into_iter()
        .filter(|(schema, _)| only.as_ref().is_none_or(|only| *only == schema.id))
        .map(|(schema, count)| Layer::build(schema.clone(), nation.features(schema, count).collect()))
        .collect();
    let layers: Vec<&Layer> = layers.iter().collect();
    let loaded_mb = resident_mb();
    let count: usize = layers.iter().map(|layer| layer.len()).sum();
    println!("{count} features of {} layers: {:.0} MB", layers.len(), loaded_mb - empty_mb);

    let (started, processor) = (Instant::now(), processor_ms());
    for zoom in 0..=6 {
        let started = Instant::now();
        let tile =
            render(&layers, Drawing::Features(Labels::None), address(zoom, 1), TileFormat::Mvt, None, BUDGET_BYTES)
                .expect("a tile");
        println!("first tile at z{zoom}: {:7.1} ms, {:6} bytes", milliseconds(started), tile.bytes.len());
    }
    println!(
        "first tiles together: {:.1} ms, {:.1} ms of processors",
        milliseconds(started),
        processor_ms() - processor
    );
    for zoom in 0..=14 {
        measure(zoom, &|address| bytes_of(&layers, address, TileFormat::Mvt, None));
    }
    let pyramid_mb = resident_mb() - loaded_mb;
    println!("kept for tiles: {pyramid_mb:.0} MB, {:.1} % of the layers", 100.0 * pyramid_mb / (loaded_mb - empty_mb));

    println!("MapLibre Tiles compared with Mapbox Vector Tiles, both with gzip:");
    for zoom in [0, 4, 8, 10, 12, 14] {
        let (mut mvt, mut mlt) = (0, 0);
        let started = Instant::now();
        for seed in 0..TILES / 4 {
            mvt += gzipped(&layers, address(zoom, seed), TileFormat::Mvt);
        }
        let (of_mvt, started) = (milliseconds(started), Instant::now());
        for seed in 0..TILES / 4 {
            mlt += gzipped(&layers, address(zoom, seed), TileFormat::Mlt);
        }
        let share = mlt as f64 / mvt as f64;
        println!(
            "z{zoom:<2} {share:.2} of the bytes ({mlt} of {mvt}), {:.2} of the time",
            milliseconds(started) / of_mvt
        );
    }
    println!("risk surface:");
    for zoom in [0, 2, 4, 6, 8, 10, 12] {
        measure(zoom, &|address| {
            render(&layers, Drawing::RiskGrid, address, TileFormat::Mvt, None, BUDGET_BYTES)
                .expect("a tile")
                .bytes
                .len()
        });
    }
    println!("with an uncached filter:");
    let hazards = [layers[0]];
    let filter = Filter::read("risk_level=1", Language::Text, &View::public(hazards[0].schema())).expect("a filter");
    let holds = |_: usize, row: &Row<'_>| filter.matches(row);
    let choice = FeatureFilter { name: "risk_level=1", holds: &holds };
    for zoom in [0, 2, 4, 6] {
        measure(zoom, &|address| bytes_of(&hazards, address, TileFormat::Mvt, Some(choice)));
    }
}

fn gzipped(layers: &[&Layer], address: TileAddress, format: TileFormat) -> usize {
    let tile = render(layers, Drawing::Features(Labels::None), address, format, None, BUDGET_BYTES).expect("a tile");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, &tile.bytes).expect("memory");
    encoder.finish().expect("memory").len()
}

fn bytes_of(layers: &[&Layer], address: TileAddress, format: TileFormat, filter: Option<FeatureFilter<'_>>) -> usize {
    render(layers, Drawing::Features(Labels::None), address, format, filter, BUDGET_BYTES).expect("a tile").bytes.len()
}

/// A tile that contains one of the features.
fn address(zoom: u8, seed: u64) -> TileAddress {
    let (lon, lat) = nation::place(seed);
    TileAddress::at(TileMatrixSet::WebMercatorQuad, LonLat::new(lon, lat).expect("a place"), zoom)
}

fn measure(zoom: u8, bytes_of: &dyn Fn(TileAddress) -> usize) {
    let mut bytes = Vec::new();
    let mut waited = Vec::new();
    let processor = processor_ms();
    let count = if zoom < 3 { TILES / 10 } else { TILES };
    for seed in 0..count {
        let started = Instant::now();
        bytes.push(bytes_of(address(zoom, seed)));
        waited.push(milliseconds(started));
    }
    let processor = (processor_ms() - processor) / count as f64;
    waited.sort_by(f64::total_cmp);
    bytes.sort_unstable();
    let at = |share: f64| (count as f64 * share) as usize;
    println!(
        "z{zoom:<2} p50 {:8.2} ms  p99 {:8.2} ms  processors {processor:8.2} ms  largest {:7} bytes",
        waited[at(0.5)],
        waited[at(0.99)],
        bytes.last().expect("a tile")
    );
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}

/// Processor time of the process, milliseconds; the kernel counts hundredths of a second.
fn processor_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() * 10.0
}

/// Resident memory of the process, megabytes.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).and_then(|size| size.parse::<f64>().ok()).expect("a number") / 1e3
}
