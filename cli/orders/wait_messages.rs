//! The message of `oms run` when all remaining runs wait for their next attempt.

use jiff::{SignedDuration, Timestamp};
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::value::format_quantity;
use oms_runtime::{NextAttempt, Runner};

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

    /// Returns a message with the next attempt, its time, and the command that retries now. Returns
    /// `None` if the wait is short or the last message is recent.
    ///
    /// # Errors
    /// Returns an error if the state cannot be read.
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
        Ok(Some(message(&next, until, waiting, &self.target)))
    }
}

fn message(next: &NextAttempt, until: Timestamp, waiting: u64, target: &str) -> String {
    let wait = if waiting == 1 { "waits" } else { "wait" };
    let (key, step) = (&next.key, &next.step);
    let cause = next.cause.as_ref().map_or_else(String::new, |cause| format!(", after `{cause}`"));
    format!(
        "{} {wait} for the next attempt: `{step}` of `{key}` at {until:.0}{cause}; to retry now, press Ctrl-C, then: oms runs retry {target} {key}",
        format_quantity(waiting, "run"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_attempt_and_the_command_that_retries_now() {
        let until = "2025-06-01T12:00:00.5Z".parse().unwrap();
        let next = |cause: Option<&str>| NextAttempt {
            key: "A1".to_owned(),
            step: "bill".to_owned(),
            cause: cause.map(str::to_owned),
        };
        assert_eq!(
            message(&next(Some("timeout")), until, 1, "p.yaml"),
            "1 run waits for the next attempt: `bill` of `A1` at 2025-06-01T12:00:00Z, after `timeout`; \
             to retry now, press Ctrl-C, then: oms runs retry p.yaml A1"
        );
        let several = message(&next(None), until, 2, "p.yaml");
        assert!(
            several.starts_with("2 runs wait for") && several.contains("Z; to retry"),
            "{several}"
        );
    }
}
