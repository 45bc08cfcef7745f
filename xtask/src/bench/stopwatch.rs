//! Time that has passed, and how it spreads.

use std::time::Instant;

use serde::Serialize;

/// A running clock.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "measuring is what the benchmark does")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    /// Returns how many things were done in a second, if `count` were done until now.
    pub(crate) fn rate(&self, count: usize) -> f64 {
        (count as f64 / self.seconds()).round()
    }
}

/// Milliseconds that something took, of many times.
#[derive(Serialize)]
pub(crate) struct Spread {
    times: usize,
    p50_ms: f64,
    p99_ms: f64,
}

impl Spread {
    /// Sums up times in seconds.
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
    fn a_spread_takes_the_nearest_rank() {
        let spread = Spread::of((1..=200).rev().map(f64::from).collect());
        assert_eq!((spread.p50_ms, spread.p99_ms), (100_000.0, 198_000.0));
    }
}
