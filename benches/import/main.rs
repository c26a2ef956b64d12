//! Importing points (`--rows 1000000`), with ratios to `ogr2ogr` of the same run, and the memory of both.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, reads the clock and panics on unexpected results"
)]

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "benchmarks use only a part of the test support")]
mod support;

use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::database::fresh_database;
use support::{Folder, foreign, memory_kb, onemap};

const DEFAULT_ROWS: u64 = 1_000_000;
/// Interval at which the memory of a process is read.
const WATCH_EVERY: Duration = Duration::from_millis(20);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let rows = arguments.iter().position(|argument| argument == "--rows").and_then(|at| arguments.get(at + 1));
    let rows: u64 = rows.map_or(DEFAULT_ROWS, |rows| rows.parse().expect("--rows takes a number"));
    let folder = Folder::new();
    let path = |name: &str| folder.file(name).display().to_string();
    write_csv(&folder, rows);
    let (csv, fgb) = (path("points.csv"), path("points.fgb"));
    let columns = ["-oo", "X_POSSIBLE_NAMES=lon", "-oo", "Y_POSSIBLE_NAMES=lat", "-a_srs", "EPSG:4326"];
    let typed = ["-oo", "AUTODETECT_TYPE=YES"];
    foreign("ogr2ogr", &[&["-f", "FlatGeobuf", &fgb, &csv][..], &columns, &typed].concat());
    println!("{rows} points of the layer hazards: time, rows per second, greatest memory; ratio of the times");
    for (name, file) in [("CSV", &csv), ("FlatGeobuf", &fgb)] {
        let options = if name == "CSV" { [&columns[..], &typed].concat() } else { Vec::new() };
        let url = fresh_database();
        let database = format!("PG:{}", url.replace("postgres://", "postgresql://"));
        let copy = ["--config", "PG_USE_COPY", "YES", "-f", "PostgreSQL", &database, file, "-nln", "points"];
        let theirs = run(Command::new("ogr2ogr").args([&copy[..], &options].concat()));
        let ours = run(&mut import(&folder, file, &fresh_database()));
        compare(&format!("{name} into PostGIS"), rows, &ours, &theirs);
        let package = path(&format!("{name}.gpkg"));
        let into = ["-f", "GPKG", &package, file, "-nln", "points"];
        let theirs = run(Command::new("ogr2ogr").args([&into[..], &options].concat()));
        let ours = run(&mut import(&folder, file, &path(&format!("own-{name}.gpkg"))));
        compare(&format!("{name} into GeoPackage"), rows, &ours, &theirs);
    }
}

fn write_csv(folder: &Folder, rows: u64) {
    let file = std::fs::File::create(folder.file("points.csv")).expect("a file");
    let mut out = BufWriter::new(file);
    writeln!(out, "id,name,unit,category,risk_level,owner,lon,lat").expect("written");
    for row in 0..rows {
        let (lon, lat) = (118.4 + (row % 997) as f64 / 1_700.0, 25.9 + (row % 991) as f64 / 1_600.0);
        let level = row % 4 + 1;
        writeln!(out, "H{row:08},危险源 {row},crowded,P01,{level},某某单位 {},{lon:.6},{lat:.6}", row % 5_000)
            .expect("written");
    }
}

fn import(folder: &Folder, file: &str, store: &str) -> Command {
    onemap(folder, &["import", file, "--layer", "hazards", "--crs", "wgs84", "--store", store])
}

struct Measured {
    time: Duration,
    memory_mb: u64,
}

/// Runs a program to its end and watches its memory.
fn run(command: &mut Command) -> Measured {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut memory_mb = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a status") {
            break status;
        }
        memory_mb = memory_mb.max(memory_kb(child.id(), "VmHWM") / 1024);
        std::thread::sleep(WATCH_EVERY);
    };
    let mut log = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("a log"), &mut log).expect("a log");
    assert!(status.success(), "{log}");
    Measured { time: started.elapsed(), memory_mb }
}

fn compare(what: &str, rows: u64, ours: &Measured, theirs: &Measured) {
    let per_s = |own: &Measured| rows as f64 / own.time.as_secs_f64();
    println!(
        "{what:24} onemap {:6.1} s {:8.0}/s {:5} MB   ogr2ogr {:6.1} s {:8.0}/s {:5} MB   {:.2} of its speed",
        ours.time.as_secs_f64(),
        per_s(ours),
        ours.memory_mb,
        theirs.time.as_secs_f64(),
        per_s(theirs),
        theirs.memory_mb,
        theirs.time.as_secs_f64() / ours.time.as_secs_f64()
    );
}
