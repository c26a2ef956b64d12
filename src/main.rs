//! The binary: runs one command and returns its exit code.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Snapshots are allocated and freed in millions of small blocks; this allocator returns that memory to the system.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    onemap::commands::run(std::env::args_os())
}
