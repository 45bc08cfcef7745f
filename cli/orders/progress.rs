//! The progress bar of `oms run` on a terminal. It appears after one second and shows the rate, and
//! the remaining time if the size of the input is known.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oms_engine::value::{format_count, format_quantity};

use crate::output;

/// Delay before the bar appears.
const DELAY: Duration = Duration::from_secs(1);
/// Updates of the bar per second.
const DRAWS_PER_SECOND: u8 = 10;

/// A bar that appears only on a terminal, and only if the command takes long.
pub(crate) struct Progress {
    bar: ProgressBar,
    visible: bool,
}

impl Progress {
    /// Creates a bar for the given number of input bytes, if it is known.
    pub(crate) fn new(bytes: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden());
        let template = if bytes.is_some() {
            "{bar:30} {percent}%  {msg}  {eta} left"
        } else {
            "{spinner} {msg}  {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, visible: false }
    }

    /// Updates the bar.
    pub(crate) fn update(&mut self, bytes: u64, ended: u64, elapsed: Duration) {
        if elapsed < DELAY || !output::is_terminal() {
            return;
        }
        if !self.visible {
            self.visible = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        }
        let rate = ended as f64 / elapsed.as_secs_f64();
        let message =
            format!("{}, {}/s", format_quantity(ended, "order"), format_count(rate as u64));
        self.bar.set_message(message);
        self.bar.set_position(bytes);
    }

    /// Prints a message without breaking the bar.
    pub(crate) fn message(&self, text: &str) {
        self.bar.suspend(|| output::message(text));
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
