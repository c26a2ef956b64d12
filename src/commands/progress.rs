//! Progress bars on standard error; hidden if that is not a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar with a known total.
pub(super) fn bar(total: u64, unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} {msg} · {per_sec} · {eta} left");
    let bar = ProgressBar::new(total).with_message(unit.to_owned());
    draw(bar, style)
}

/// A counter without a total.
pub(super) fn counter(unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {human_pos} {msg} · {per_sec}");
    draw(ProgressBar::new_spinner().with_message(unit.to_owned()), style)
}

fn draw(bar: ProgressBar, style: Result<ProgressStyle, indicatif::style::TemplateError>) -> ProgressBar {
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
