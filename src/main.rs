//! Reads the command line, runs one command, prints the chain of causes, chooses the exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    onemap::commands::run(onemap::commands::Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("onemap: {error:#}");
        ExitCode::FAILURE
    })
}
