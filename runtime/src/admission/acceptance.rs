//! The acceptance times of orders.

use jiff::{SignedDuration, Timestamp};

/// The last acceptance time. After a small correction of the clock, an order does not get an
/// earlier time than the order before it, so that `run.accepted_at` agrees with the sequence of
/// turns.
pub(crate) struct Acceptance(Timestamp);

impl Default for Acceptance {
    fn default() -> Self {
        Self(Timestamp::MIN)
    }
}

impl Acceptance {
    /// If the clock was set back by more than this, the earlier time was wrong, and the new time is
    /// used.
    const CORRECTION_MAX: SignedDuration = SignedDuration::from_secs(1);

    /// Returns the acceptance time of the next order if the clock shows `now`.
    pub(crate) fn at(&mut self, now: Timestamp) -> Timestamp {
        let is_corrected = self.0 > now && self.0.duration_since(now) <= Self::CORRECTION_MAX;
        if !is_corrected {
            self.0 = now;
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_clock_correction_does_not_reverse_acceptance_times() {
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        let mut acceptance = Acceptance::default();
        let shown = [5_000, 4_999, 5_001, 4_500, 1_000, 1_001];
        let accepted = shown.map(|now| acceptance.at(at(now)).as_millisecond());
        assert_eq!(accepted, [5_000, 5_000, 5_001, 5_001, 1_000, 1_001]);
    }
}
