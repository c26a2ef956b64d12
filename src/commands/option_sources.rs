//! Where the value of each option of `onemap serve` comes from: the command line, a variable, the
//! configuration file, or the default.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};

use super::Arguments;
use super::file_options::{FileOptions, NAMES_THE_FILE, first_line};
use super::store::config_file;

/// The options of `onemap serve` as they are in effect: name, value and source. Those that `onemap check` was given too have
/// the values of its command line.
///
/// # Errors
/// When a variable has a value that the server would refuse.
pub(super) fn of_server(
    command_line: &[OsString],
    file_options: &FileOptions,
) -> anyhow::Result<Vec<(String, String)>> {
    let command = file_options.apply(Arguments::command());
    let matches_of = |line: &[OsString]| {
        let matches = command.clone().try_get_matches_from(line);
        matches.map_err(|error| anyhow::Error::msg(first_line(&error)))
    };
    let server = matches_of(&["onemap".into(), "serve".into()])?;
    let own = matches_of(command_line)?;
    let Some((_, server)) = server.subcommand() else { return Ok(Vec::new()) };
    let own = own.subcommand().map(|(_, own)| own);
    let options = command.find_subcommand("serve").into_iter().flat_map(Command::get_arguments);
    let options = options.filter_map(|option| {
        let (id, name) = (option.get_id().as_str(), option.get_long().filter(|name| *name != "help")?);
        let given = own.filter(|own| source(own, id) == Some(ValueSource::CommandLine));
        let matches = given.unwrap_or(server);
        let default_file =
            || config_file(None).filter(|_| name == NAMES_THE_FILE).map(|file| file.display().to_string());
        let value = value(matches, id)
            .or_else(default_file)
            .map(|value| if option.is_hide_env_values_set() { without_secrets(&value) } else { value });
        let from = match source(matches, id) {
            Some(ValueSource::CommandLine) => format!("--{name}"),
            Some(ValueSource::EnvVariable) => option.get_env().unwrap_or_default().to_string_lossy().into_owned(),
            _ => file_options.place(name).unwrap_or("default").to_owned(),
        };
        Some((format!("--{name}"), format!("{} ({from})", value.unwrap_or_else(|| "none".to_owned()))))
    });
    Ok(options.collect())
}

/// The source of a value; `None` if the command has no such option.
fn source(matches: &ArgMatches, id: &str) -> Option<ValueSource> {
    matches.try_contains_id(id).ok().and_then(|_| matches.value_source(id))
}

/// The values as they were given, joined by commas.
fn value(matches: &ArgMatches, id: &str) -> Option<String> {
    let values = matches.try_get_raw(id).ok()??;
    let values: Vec<String> = values.map(|value| value.to_string_lossy().into_owned()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// A file, or the scheme of a URL, which may contain a password.
fn without_secrets(value: &str) -> String {
    value.split_once("://").map_or_else(|| value.to_owned(), |(scheme, _)| format!("{scheme}://***"))
}
