//! How many orders were accepted of late, second by second.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Seconds that are remembered: half an hour.
const SECONDS: i64 = 30 * 60;
/// Seconds over which a rate is taken.
const RATE_SECONDS: i64 = 10;

/// Counts by second since 1970, the oldest first.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<(i64, u32)>>);

/// What was accepted in a minute.
pub(crate) struct Minute {
    /// The minute since 1970.
    pub(crate) minute: i64,
    /// How many.
    pub(crate) count: u64,
}

impl Recent {
    /// Counts an order.
    pub(crate) fn add(&self, now: Timestamp) {
        let second = now.as_second();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.back_mut() {
            Some((last, count)) if *last >= second => *count += 1,
            _ => counts.push_back((second, 1)),
        }
        while counts.front().is_some_and(|(first, _)| *first <= second - SECONDS) {
            counts.pop_front();
        }
    }

    /// Returns how many came in a second, over the last ten.
    pub(crate) fn per_second(&self, now: Timestamp) -> f64 {
        let from = now.as_second() - RATE_SECONDS;
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum: u32 = counts.iter().filter(|(at, _)| *at > from).map(|(_, count)| count).sum();
        f64::from(sum) / 10.0
    }

    /// Returns the last thirty minutes, the oldest first.
    pub(crate) fn minutes(&self, now: Timestamp) -> Vec<Minute> {
        let last = now.as_second() / 60;
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |minute: i64| {
            let counts = counts.iter().filter(|(at, _)| at / 60 == minute);
            Minute { minute, count: counts.map(|(_, count)| u64::from(*count)).sum() }
        };
        (last - 29..=last).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let recent = Recent::default();
        for second in [0, 1, 1, 2_000, 2_005, 2_005] {
            recent.add(at(second));
        }
        let minutes = recent.minutes(at(2_005));
        assert_eq!((minutes.len(), minutes.iter().map(|minute| minute.count).sum()), (30, 3_u64));
        assert!((recent.per_second(at(2_006)) - 0.3).abs() < 1e-9);
    }
}
