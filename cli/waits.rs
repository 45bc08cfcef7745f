//! What `oms run` says when only runs are left that wait for their next attempt.

use jiff::{SignedDuration, Timestamp};
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_runtime::Runner;

use crate::output;

/// A shorter wait is not worth a line.
const SHORT: SignedDuration = SignedDuration::from_secs(2);
/// The least time between two lines.
const INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// When something was said last.
pub(crate) struct Waits {
    /// How commands name the state.
    target: String,
    quiet_until: Timestamp,
}

impl Waits {
    pub(crate) const fn new(target: String) -> Self {
        Self { target, quiet_until: Timestamp::MIN }
    }

    /// Says what is waited for, until when, and how not to wait; nothing if that takes only a moment or was said a moment ago.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub(crate) fn line(
        &mut self,
        runner: &Runner,
        id: i64,
        until: Timestamp,
        waiting: u64,
    ) -> anyhow::Result<Option<String>> {
        let now = SystemClock.now();
        if now < self.quiet_until || until.duration_since(now) < SHORT {
            return Ok(None);
        }
        let Some(next) = runner.next_attempt(id)? else { return Ok(None) };
        self.quiet_until = now.checked_add(INTERVAL).unwrap_or(now);
        let wait = if waiting == 1 { "waits" } else { "wait" };
        let (key, step) = (&next.key, &next.step);
        let cause = next.cause.map_or_else(String::new, |cause| format!(", after `{cause}`"));
        Ok(Some(format!(
            "{} {wait} for the next attempt: `{step}` of `{key}` at {until:.0}{cause}; to try it now, press Ctrl-C, then: oms runs retry {} {key}",
            output::counted(waiting, "run"),
            self.target,
        )))
    }
}
