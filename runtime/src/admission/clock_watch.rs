//! Detects that the system clock was set back. Otherwise, a run might wait for an instant that is
//! now far in the future.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oms_engine::effects::Clock;
use tokio::time::Instant;

/// If the clock is set back by less than this, it is an ordinary correction.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

/// Compares the system clock with a monotonic clock.
pub(crate) struct ClockWatch {
    clock: Arc<dyn Clock>,
    wall: Timestamp,
    steady: Instant,
}

impl ClockWatch {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { wall: clock.now(), steady: Instant::now(), clock }
    }

    /// Returns whether the clock was set back since the last call.
    pub(crate) fn was_set_back(&mut self) -> bool {
        let (wall, steady) = (self.clock.now(), Instant::now());
        let set_back = is_behind(self.wall, steady - self.steady, wall);
        (self.wall, self.steady) = (wall, steady);
        set_back
    }
}

/// Returns whether a clock was set back if it showed `then`, and shows `now` after `elapsed`.
fn is_behind(then: Timestamp, elapsed: Duration, now: Timestamp) -> bool {
    let expected = then.checked_add(elapsed).unwrap_or(Timestamp::MAX);
    expected.duration_since(now) > TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_advances_less_than_the_elapsed_time_was_set_back() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let ten = Duration::from_secs(10);
        assert!(!is_behind(at(100), ten, at(110)));
        assert!(!is_behind(at(100), ten, at(109)), "a small correction");
        assert!(!is_behind(at(100), ten, at(5_000)), "set forward");
        assert!(is_behind(at(5_000), ten, at(110)), "set back");
    }
}
