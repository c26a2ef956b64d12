//! What the program can be told to do: serve, import, export.

mod export;
mod import;
mod progress;
mod sample;
mod serve;
mod startup;
mod store;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit code when a file held rows that were refused and nothing was stored.
const ROWS_REFUSED: u8 = 3;

/// Risk-map tile and spatial query server for a county emergency bureau's one map (应急管理一张图).
#[derive(Parser)]
#[command(
    name = "onemap",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 rows of a file were refused and nothing was stored.

Examples:
  onemap serve                                   the county's map on http://127.0.0.1:8080
  onemap import shelters.geojson --layer shelters
  onemap export --layer hazards -o hazards.fgb"
)]
pub struct Arguments {
    /// Write the log as JSON, one object a line.
    #[arg(long, global = true, env = "ONEMAP_JSON")]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer on HTTP: the map, tiles, features, nearest.
    Serve(serve::ServeOptions),
    /// Read a file into a layer: all of its rows or none.
    Import(import::ImportOptions),
    /// Write a layer to a file, complete with its sensitive fields.
    Export(export::ExportOptions),
}

/// Runs one command.
///
/// # Errors
/// The chain of causes, for people.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    start_log(arguments.json);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Serve(options) => serve::serve(options).await,
            Command::Import(options) => import::import(options).await,
            Command::Export(options) => export::export(options).await,
        }
    })
}

/// The log goes to standard error; `RUST_LOG` chooses what is told.
fn start_log(json: bool) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log that nobody reads any more must not panic in whoever writes to it.
    let log = log.log_internal_errors(false);
    if json {
        log.json().init();
    } else {
        log.with_target(false).with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
    }
}
