//! Runs one command and answers its exit code.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Pictures come and go in millions of small pieces; this allocator gives their memory back.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    onemap::commands::run(std::env::args_os())
}
