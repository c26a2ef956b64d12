//! Options that the configuration file sets for all commands: `[options]` in `onemap.toml`. The command line and variables
//! of the environment take precedence.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};

use super::store::config_file;
use crate::config::ConfigError;
use crate::config::options::ConfiguredOptions;

/// The option that names the file cannot be in it.
pub(super) const NAMES_THE_FILE: &str = "config";

/// The values of a configuration file for the options of the command line.
#[derive(Default)]
pub(super) struct FileOptions {
    options: Vec<FileOption>,
}

struct FileOption {
    /// Its name on the command line, without the leading dashes.
    name: String,
    values: Vec<String>,
    /// File and line.
    place: String,
}

impl FileOptions {
    /// Reads the options of the file that the command line names, or of `onemap.toml`.
    ///
    /// # Errors
    /// When an option does not exist or refuses its value.
    pub(super) fn read(command: &Command, command_line: &[OsString]) -> Result<Self, ConfigError> {
        let Some(path) = file_of(command, command_line) else { return Ok(Self::default()) };
        let file = ConfiguredOptions::read(&path);
        let known = names(command);
        let mut own = Self::default();
        for option in &file.entries {
            let (at_name, at_value) = option.at;
            let name = option.name.replace('_', "-");
            if !known.contains(&name) || option.name.contains('-') {
                let accepted = known.iter().map(|name| name.replace('-', "_")).collect::<Vec<_>>().join(", ");
                return Err(file.mistake(at_name, &format!("unknown option {:?}; accepted: {accepted}", option.name)));
            }
            let Some(values) = option.values.clone() else {
                let accepted = "accepted are a text, a number, true, false, and a list of texts";
                return Err(file.mistake(at_value, &format!("{}: {accepted}", option.name)));
            };
            own.options.push(FileOption { name, values, place: file.place(at_name) });
            if let Err(error) = own.apply(command.clone()).try_get_matches_from(["onemap", "serve"]) {
                return Err(file.mistake(at_value, &first_line(&error)));
            }
        }
        Ok(own)
    }

    /// The command with these values as defaults, in each of its subcommands that has the option.
    pub(super) fn apply(&self, command: Command) -> Command {
        let subcommands: Vec<String> = command.get_subcommands().map(|own| own.get_name().to_owned()).collect();
        let own: Vec<(clap::Id, &FileOption)> = command
            .get_arguments()
            .filter_map(|option| Some((option.get_id().clone(), self.find(option.get_long()?)?)))
            .collect();
        let command = own.into_iter().fold(command, |command, (id, option)| {
            // The command needs the texts as long as the program runs.
            let values: Vec<&'static str> = option.values.iter().map(|value| &*value.clone().leak()).collect();
            command.mut_arg(id, |own| own.default_values(values))
        });
        subcommands.into_iter().fold(command, |command, name| command.mut_subcommand(name, |own| self.apply(own)))
    }

    /// Where the file sets an option; `None` if it does not.
    pub(super) fn place(&self, name: &str) -> Option<&str> {
        self.find(name).map(|option| option.place.as_str())
    }

    fn find(&self, name: &str) -> Option<&FileOption> {
        self.options.iter().find(|option| option.name == name)
    }
}

/// What is wrong with an option, without advice on usage.
pub(super) fn first_line(error: &clap::Error) -> String {
    let error = error.to_string();
    error.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The configuration file of a command line.
fn file_of(command: &Command, command_line: &[OsString]) -> Option<PathBuf> {
    let matches = command.clone().ignore_errors(true).try_get_matches_from(command_line).ok()?;
    let mut innermost = &matches;
    while let Some((_, own)) = innermost.subcommand() {
        innermost = own;
    }
    let named = innermost.try_get_one::<PathBuf>(NAMES_THE_FILE).ok().flatten();
    config_file(named.map(PathBuf::as_path)).map(Path::to_owned)
}

/// The options of `onemap serve` and of all commands, which a file may set.
fn names(command: &Command) -> Vec<String> {
    let serve = command.find_subcommand("serve").into_iter().flat_map(Command::get_arguments);
    let mut names: Vec<String> =
        command.get_arguments().chain(serve).filter_map(Arg::get_long).map(str::to_owned).collect();
    names.retain(|name| ![NAMES_THE_FILE, "help", "version"].contains(&name.as_str()));
    names.sort();
    names.dedup();
    names
}
