//! Durations and their distribution.

use std::time::Instant;

use serde::Serialize;

/// A stopwatch.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    /// Returns the rate per second after `count` repetitions.
    pub(crate) fn rate(&self, count: usize) -> f64 {
        (count as f64 / self.seconds()).round()
    }
}

/// The distribution of durations, in milliseconds.
#[derive(Serialize)]
pub(crate) struct Spread {
    times: usize,
    p50_ms: f64,
    p99_ms: f64,
}

impl Spread {
    /// Summarizes durations in seconds.
    pub(crate) fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (seconds.len() * percent).div_ceil(100).saturating_sub(1);
            let value = seconds.get(rank).copied().unwrap_or_default();
            (value * 1_000_000.0).round() / 1000.0
        };
        Self { times: seconds.len(), p50_ms: at(50), p99_ms: at(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_uses_the_nearest_rank() {
        let spread = Spread::of((1..=200).rev().map(f64::from).collect());
        assert_eq!((spread.p50_ms, spread.p99_ms), (100_000.0, 198_000.0));
    }
}
