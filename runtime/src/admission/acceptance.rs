//! The instants at which orders are accepted.

use jiff::{SignedDuration, Timestamp};

/// The time of acceptance. No order is accepted before an earlier one, so that `run.accepted_at`
/// agrees with the order of the turns.
pub(crate) struct Acceptance(Timestamp);

impl Default for Acceptance {
    fn default() -> Self {
        Self(Timestamp::MIN)
    }
}

impl Acceptance {
    /// If the clock was set back by more than this, it was wrong before and is right now.
    const CORRECTION_MAX: SignedDuration = SignedDuration::from_secs(1);

    /// Returns the time of acceptance of the next order, by a clock that shows `now`.
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
    fn no_order_is_accepted_before_an_earlier_one() {
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        let mut acceptance = Acceptance::default();
        let shown = [5_000, 4_999, 5_001, 4_500, 1_000, 1_001];
        let accepted = shown.map(|now| acceptance.at(at(now)).as_millisecond());
        assert_eq!(accepted, [5_000, 5_000, 5_001, 5_001, 1_000, 1_001]);
    }
}
