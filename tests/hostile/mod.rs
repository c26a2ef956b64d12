//! Bytes of strangers: the corpus of the fuzz targets in `fuzz`, as it is and changed at random, the same in every run.

#[path = "../../fuzz/src/entries.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets use it as a library")]
mod entries;

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Folder, Server, chances, project};

/// Changed copies of each file.
const MUTANTS: usize = 20;
/// Bytes that formats give a meaning.
const SPECIAL: &[u8] = b"\0\xff\x7f\x80\"'()[]{}<>&%,;:-+.\n\r\\/";

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = project().join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = files.flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(files.len() >= 10, "{} has {} files", folder.display(), files.len());
    files
}

/// A copy with some bytes changed, removed or repeated.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]
fn mutant(bytes: &[u8], chance: &mut impl FnMut() -> f64) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let mut below = |limit: usize| (chance() * limit as f64) as usize;
    for _ in 0..=below(4) {
        let at = below(changed.len().max(1)).min(changed.len());
        let end = (at + 1 + below(8)).min(changed.len());
        match below(5) {
            0 if at < changed.len() => changed[at] = SPECIAL[below(SPECIAL.len())],
            1 if at < changed.len() => changed[at] ^= 1 << below(8),
            2 => drop(changed.drain(at..end)),
            3 => {
                let part = changed[at..end].repeat(1 + below(40));
                drop(changed.splice(at..at, part));
            }
            _ => changed.truncate(end),
        }
    }
    changed
}

/// Feeds each file and its mutants to an entry point, and names the bytes at which it panics.
fn feed(target: &str, mutants: usize, entry: impl Fn(&[u8])) {
    let mut chance = chances(350_124);
    for file in corpus(target) {
        let bytes = std::fs::read(&file).expect("a file of the corpus");
        let changed: Vec<Vec<u8>> = (0..mutants).map(|_| mutant(&bytes, &mut chance)).collect();
        for bytes in std::iter::once(&bytes).chain(&changed) {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| entry(bytes)));
            assert!(outcome.is_ok(), "{}: {:?}", file.display(), String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn filters_of_strangers_are_refused_or_canonical() {
    feed("filter_text", MUTANTS, entries::filter_text);
    feed("filter_json", MUTANTS, entries::filter_json);
}

#[test]
fn geometries_of_strangers_are_refused_or_valid() {
    feed("geometry", MUTANTS, entries::geometry);
}

#[test]
fn files_of_strangers_are_refused_or_imported() {
    feed("table_file", MUTANTS, entries::table_file);
    feed("geojson_file", MUTANTS, entries::geojson_file);
    feed("xml_file", MUTANTS, entries::xml_file);
    feed("binary_file", MUTANTS, entries::binary_file);
}

#[test]
fn a_length_beyond_the_file_reserves_no_memory() {
    let folder = Folder::new();
    let file = project().join("fuzz/corpus/binary_file/fgb-feature-of-4-gigabytes");
    // The first byte of a file of the corpus selects the ending.
    folder.write("a.fgb", &std::fs::read(file).expect("a file of the corpus")[1..]);
    let mut import = Command::new("sh");
    import.args(["-c", "ulimit -v 3000000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_onemap")]);
    import.args(["import", "--layer", "shelters", "--dry-run", "a.fgb"]).current_dir(folder.path());
    let output = import.output().expect("it runs");
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{log}");
    assert!(log.contains("the file ends unexpectedly"), "{log}");
}

#[test]
fn requests_of_strangers_break_no_server() {
    let (_folder, server) = Server::of_sample();
    feed("http", MUTANTS / 2, |bytes| {
        let connection = TcpStream::connect(server.url.trim_start_matches("http://")).expect("a connection");
        connection.set_read_timeout(Some(entries::PATIENCE)).expect("a time limit");
        entries::send(connection, bytes);
    });
    assert_eq!(server.get("/health/ready").status, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
