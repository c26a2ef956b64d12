//! The log on standard error: its filter, its format and its time zone.

use std::fmt;

use clap::ValueEnum;
use serde_json::json;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::time::FormatTime;

use super::plain_line::{plain_line, plain_lines};
use crate::clock;

/// Default log filter without `RUST_LOG`: our messages, and warnings of libraries. actix_http (aborted requests) and
/// sqlx (whole statements) are silenced.
const DEFAULT_LOG: &str = "warn,onemap=info,access=info,actix_http=off,sqlx=error";

/// Time zone of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogTime {
    /// UTC.
    Utc,
    /// The zone of this machine, or that of the variable TZ, as it is when the program starts.
    Local,
}

/// Writes times with their offset (RFC 3339).
#[derive(Clone, Copy, Debug)]
pub(super) struct LogClock(UtcOffset);

impl LogClock {
    /// The clock of a time zone; `None` if the local one is unknown.
    pub(super) fn new(zone: LogTime) -> Option<Self> {
        match zone {
            LogTime::Utc => Some(Self::utc()),
            LogTime::Local => clock::local_offset().map(Self),
        }
    }

    pub(super) fn utc() -> Self {
        Self(UtcOffset::UTC)
    }

    fn text(self) -> String {
        let now = clock::now_to_the_millisecond().to_offset(self.0);
        now.format(&Rfc3339).unwrap_or_default()
    }
}

impl FormatTime for LogClock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(&self.text())
    }
}

/// Prints the final error in the format of the log.
pub(super) fn report(message: &str, is_json: bool, clock: LogClock) {
    if is_json {
        let line =
            json!({"timestamp": clock.text(), "level": "ERROR", "fields": {"message": message}, "target": "onemap"});
        eprintln!("{line}");
    } else {
        eprintln!("onemap: {}", plain_lines(message));
    }
}

/// Writes a field of an event in text. Fields contain paths, file names, values and messages of other programs, so each stays
/// in its line.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let text = plain_line(&text);
    match field.name() {
        "message" => writer.write_str(&text),
        name => write!(writer, "{name}={text}"),
    }
}

/// Logs to standard error; `RUST_LOG` sets the filter.
pub(super) fn start_log(json: bool, clock: LogClock) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    // sqlx logs whole statements, which are long and contain stored values; they are logged on request only.
    let filter = match "sqlx=error".parse() {
        Ok(quiet) if !filter.to_string().contains("sqlx") => filter.add_directive(quiet),
        _ => filter,
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_timer(clock);
    // A closed log must not cause a panic in the code that logs.
    let log = log.log_internal_errors(false);
    if json {
        log.json().init();
    } else {
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        log.fmt_fields(debug_fn(write_field).delimited(" ")).with_target(false).with_ansi(is_terminal).init();
    }
}
