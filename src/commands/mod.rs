//! The command line: parses arguments, runs a command, sets up the log and reports errors.

mod accounts;
mod audit;
mod backup;
mod check;
mod configuration_hash;
mod export;
mod file_options;
mod import;
mod import_report;
mod imports;
mod layers;
mod listen;
mod log;
mod option_sources;
mod pack;
mod plain_line;
mod progress;
mod public_url;
mod restart;
mod sample;
mod serve;
mod startup;
mod stop_signal;
mod store;
mod sync;
mod token;
mod unix_socket;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use rustix::fs::Mode;
use rustix::process::umask;

use crate::model::{Origin, Role};
use file_options::FileOptions;
use log::{LogClock, LogTime, report, start_log};

/// Exit code: rows of a file were refused and nothing was stored.
const ROWS_REFUSED: u8 = 3;
/// Exit code: wrong usage.
const WRONG_USAGE: u8 = 2;

/// Map server for a county emergency bureau (应急管理一张图): vector tiles, OGC API, nearest resources.
#[derive(Parser)]
#[command(
    name = "onemap",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit codes: 0 success, 1 failure, 2 wrong usage, 3 rows of a file were refused and nothing was stored.

Examples:
  onemap serve                                     serve the map on http://127.0.0.1:8080
  onemap import shelters.geojson --layer shelters
  onemap export --layer hazards -o hazards.fgb
  onemap layers shelters                           list the fields of a layer with types, units and codes"
)]
struct Arguments {
    /// Write the log and errors as JSON lines.
    #[arg(long, global = true, env = "ONEMAP_JSON")]
    json: bool,

    /// Time zone of the log.
    #[arg(long, global = true, value_name = "ZONE", default_value = "utc", env = "ONEMAP_LOG_TIME")]
    log_time: LogTime,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the map over HTTP: viewer, tiles, OGC API, nearest resources.
    Serve(serve::ServeOptions),
    /// Import a file into a layer: all rows or none.
    Import(import::ImportArguments),
    /// List the imports of the store, newest first.
    Imports(imports::ImportsArguments),
    /// Undo an import: its features have their earlier values again.
    Undo(imports::UndoArguments),
    /// Read the collections of other servers that the configuration names, once.
    Sync(sync::SyncArguments),
    /// Write a layer to a file, or the tiles of layers to a PMTiles archive.
    Export(export::ExportOptions),
    /// Check the configuration and the store.
    Check(check::CheckOptions),
    /// Copy the store to a new file while servers use it.
    Backup(backup::BackupOptions),
    /// Put a copy in the place of the store.
    Restore(backup::RestoreOptions),
    /// Add, list and revoke accounts of people and programs.
    #[command(subcommand)]
    Token(accounts::TokenCommand),
    /// Verify or export the audit log: who did what, when and from where.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// List layers, or the fields and codes of one layer.
    Layers(layers::Options),
}

/// Parses the command line, runs the command, and logs to standard error.
#[must_use]
pub fn run(command_line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command_line: Vec<OsString> = command_line.into_iter().collect();
    let file_options = match FileOptions::read(&Arguments::command(), &command_line) {
        Ok(options) => options,
        Err(error) => {
            report(&error.to_string(), requests_json(&command_line), LogClock::utc());
            return ExitCode::FAILURE;
        }
    };
    let command = file_options.apply(Arguments::command());
    let matches = command.try_get_matches_from(&command_line);
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => return refuse_usage(&error, &command_line),
    };
    // Created files (stores, tokens, exports) are readable by their owner only.
    umask(Mode::RWXG | Mode::RWXO);
    let is_json = arguments.json;
    // Before there are other threads, which might change the time zone.
    let Some(clock) = LogClock::new(arguments.log_time) else {
        report(
            "--log-time local: the time zone of this machine is unknown; set TZ, or use utc",
            is_json,
            LogClock::utc(),
        );
        return ExitCode::FAILURE;
    };
    start_log(is_json, clock);
    execute(arguments.command, is_json, &command_line, &file_options).unwrap_or_else(|error| {
        report(&causes(&error), is_json, clock);
        ExitCode::FAILURE
    })
}

fn execute(
    command: Command,
    is_json: bool,
    command_line: &[OsString],
    file_options: &FileOptions,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(options) => serve::serve(options).await,
            Command::Import(arguments) => Box::pin(import::import(arguments)).await,
            Command::Imports(arguments) => imports::list(arguments).await,
            Command::Sync(arguments) => sync::run(arguments).await,
            Command::Undo(arguments) => imports::undo(arguments).await,
            Command::Export(options) => export::export(options).await,
            Command::Check(options) => check::check(options, command_line, file_options).await,
            Command::Backup(options) => backup::backup(options).await,
            Command::Restore(options) => backup::restore(options).await,
            Command::Audit(command) => audit::run(&command).await,
            Command::Token(command) => accounts::run(&command),
            Command::Layers(options) => layers::list(&options, is_json),
        }
    })
}

/// Prints help and version; reports wrong usage, as JSON if the command line or the environment requests it.
fn refuse_usage(error: &clap::Error, command_line: &[OsString]) -> ExitCode {
    if error.use_stderr() && requests_json(command_line) {
        report(error.to_string().trim_end(), true, LogClock::utc());
        return ExitCode::from(WRONG_USAGE);
    }
    // A closed standard output cannot be reported.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(WRONG_USAGE) } else { ExitCode::SUCCESS }
}

/// Whether the command line or the environment requests JSON.
fn requests_json(command_line: &[OsString]) -> bool {
    command_line.iter().any(|argument| argument == "--json") || std::env::var_os("ONEMAP_JSON").is_some()
}

/// Who runs the command, for the audit log.
fn command_origin() -> anyhow::Result<Origin> {
    let actor = format!("command line, user {}", rustix::process::getuid().as_raw());
    Origin::of_program(actor, Role::Admin).context("the system returns no random numbers")
}

/// The error and its causes in one line; causes that the text already contains are omitted.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_cause_is_omitted() {
        let cause = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = anyhow::Error::from(cause).context("a.gpkg: entity not found").context("cannot open the store");
        assert_eq!(causes(&error), "cannot open the store: a.gpkg: entity not found");
    }
}
