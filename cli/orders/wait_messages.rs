//! The message of `oms run` when all remaining runs wait for their next attempt.

use jiff::{SignedDuration, Timestamp};
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::value::format_quantity;
use oms_runtime::Runner;

/// Minimum wait for a message.
const SHORT: SignedDuration = SignedDuration::from_secs(2);
/// Minimum time between two messages.
const INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// The messages about waiting runs.
pub(crate) struct WaitMessages {
    /// The arguments for commands on the state.
    target: String,
    quiet_until: Timestamp,
}

impl WaitMessages {
    pub(crate) const fn new(target: String) -> Self {
        Self { target, quiet_until: Timestamp::MIN }
    }

    /// Returns a message with the next attempt, its time, and the command that retries now. Returns `None` if the wait is short or the last message is recent.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub(crate) fn next(
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
            "{} {wait} for the next attempt: `{step}` of `{key}` at {until:.0}{cause}; to retry now, press Ctrl-C, then: oms runs retry {} {key}",
            format_quantity(waiting, "run"),
            self.target,
        )))
    }
}
