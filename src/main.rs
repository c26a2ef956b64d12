//! Reads the command line, runs one command, prints the chain of causes, chooses the exit code.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// Pictures come and go in millions of small pieces; this allocator gives their memory back.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    onemap::commands::run(onemap::commands::Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("onemap: {error:#}");
        ExitCode::FAILURE
    })
}
