//! Builds the viewer before the crate: npm fetches its packages once, esbuild writes `$OUT_DIR/viewer`.
//!
//! Cargo runs this script only if a watched file has changed, and the script runs npm only if the lock file is newer
//! than the installed packages, so an ordinary build uses neither npm nor the network.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

/// Message for builds without Node.js.
const INSTALL: &str = "the viewer needs Node.js 20 or newer with npm: install the packages `nodejs` and `npm` \
                       of your system, or set PATH so that `node` and `npm` are found";

/// Written by npm when an installation is complete.
const INSTALLED_MARK: &str = "node_modules/.package-lock.json";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let viewer = variable("CARGO_MANIFEST_DIR")?.join("src").join("viewer");
    let out = variable("OUT_DIR")?.join("viewer");
    watch(&viewer)?;

    let lock = viewer.join("package-lock.json");
    if modified(&viewer.join(INSTALLED_MARK)) <= modified(&lock) {
        run(&viewer, npm(), &["ci", "--no-audit", "--no-fund"])?;
        touch(&viewer.join(INSTALLED_MARK))?;
    }
    fs::create_dir_all(&out).map_err(|error| format!("cannot create {}: {error}", out.display()))?;
    let out = out.to_str().ok_or_else(|| format!("{} is not UTF-8", out.display()))?;
    run(&viewer, "node", &["build.mjs", "--out", out])
}

/// Lists each source file for Cargo, because the folder would include `node_modules`. A new file is not missed, because
/// a watched file must import it.
fn watch(viewer: &Path) -> Result<(), String> {
    let unreadable = |error| format!("cannot list {}: {error}", viewer.display());
    for entry in fs::read_dir(viewer).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_file() {
            println!("cargo::rerun-if-changed={}", entry.path().display());
        }
    }
    Ok(())
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let command = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| format!("cannot run `{command}` in {}: {error}; {INSTALL}", folder.display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`{command}` in {} ended with {}\n{}{}",
        folder.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

/// Time of the last write; `None`, which is less than any time, if the file is missing.
fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|facts| facts.modified()).ok()
}

#[expect(clippy::disallowed_methods, reason = "a build has no other clock")]
fn touch(file: &Path) -> Result<(), String> {
    fs::File::options()
        .append(true)
        .open(file)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .map_err(|error| format!("cannot mark {} as current: {error}", file.display()))
}

fn variable(name: &str) -> Result<PathBuf, String> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set; this script is run by Cargo"))
}
