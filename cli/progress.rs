//! The progress of a run on a terminal: nothing for the first second, then a bar with rate and remaining time.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// How long a call may take before it shows its progress.
const QUIET: Duration = Duration::from_secs(1);
/// How often the bar is drawn, times a second.
const DRAWS_PER_SECOND: u8 = 10;

/// A bar that shows itself only where somebody watches, and only when it takes long.
pub(crate) struct Progress {
    bar: ProgressBar,
    visible: bool,
}

impl Progress {
    /// Begins, for so many bytes of input if that is known.
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

    /// Shows where it is.
    pub(crate) fn update(&mut self, bytes: u64, ended: u64, elapsed: Duration) {
        if elapsed < QUIET || !output::is_watched() {
            return;
        }
        if !self.visible {
            self.visible = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        }
        let rate = ended as f64 / elapsed.as_secs_f64();
        let message =
            format!("{}, {}/s", output::counted(ended, "order"), output::grouped(rate as u64));
        self.bar.set_message(message);
        self.bar.set_position(bytes);
    }

    /// Says something without tearing the bar.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| output::say(text));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
