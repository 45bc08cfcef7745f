//! The wait before the next attempt of a step: exponential, bounded, with jitter. For
//! `oms runs retry`, see `reopen.rs`.

use std::time::Duration;

use oms_core::effects::Class;

use crate::pipeline::Jitter;
use crate::plan::Retry;

/// Returns the wait after attempt number `attempt` (from 1) failed; `None` if it was the last.
///
/// Full jitter takes a random part of the wait (Marc Brooker, "Exponential Backoff And Jitter", AWS
/// Architecture Blog, 2015). `random` is uniformly distributed over `u64`.
pub fn wait_before(retry: &Retry, class: Class, attempt: u32, random: u64) -> Option<Duration> {
    if class != Class::Transient || attempt >= retry.attempts {
        return None;
    }
    let whole = retry.whole_wait_ms(attempt);
    let millis = match retry.waits.jitter {
        Jitter::None => whole,
        Jitter::Full => ((u128::from(random) * (u128::from(whole) + 1)) >> 64) as u64,
    };
    Some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::RetrySection;

    fn retry(jitter: Jitter) -> Retry {
        let max_ms = Some(1000);
        let waits = RetrySection { attempts: 5, max_ms, jitter, ..RetrySection::default() };
        Retry { attempts: 5, waits }
    }

    #[test]
    fn a_first_wait_above_the_default_maximum_is_not_shortened() {
        let defaults = RetrySection { jitter: Jitter::None, ..RetrySection::default() };
        let wait = |initial_ms, attempt| {
            let waits = RetrySection { initial_ms, ..defaults.clone() };
            let retry = Retry { attempts: 20, waits };
            wait_before(&retry, Class::Transient, attempt, 0).unwrap().as_millis()
        };
        assert_eq!((wait(60_000, 1), wait(60_000, 2)), (60_000, 60_000));
        assert_eq!((wait(200, 1), wait(200, 19)), (200, 30_000));
    }

    #[test]
    fn waits_grow_to_the_maximum_until_the_last_attempt() {
        let waits: Vec<Option<u64>> = (1..=5)
            .map(|attempt| wait_before(&retry(Jitter::None), Class::Transient, attempt, 0))
            .map(|wait| wait.map(|wait| wait.as_millis() as u64))
            .collect();
        assert_eq!(waits, [Some(200), Some(400), Some(800), Some(1000), None]);
    }

    #[test]
    fn jitter_stays_between_zero_and_the_full_wait() {
        let at = |random| {
            wait_before(&retry(Jitter::Full), Class::Transient, 1, random).unwrap().as_millis()
        };
        assert_eq!(at(0), 0);
        assert_eq!(at(u64::MAX), 200);
        assert_eq!(at(u64::MAX / 2), 100);
    }

    #[test]
    fn permanent_failures_and_unknown_outcomes_are_not_retried() {
        assert_eq!(wait_before(&retry(Jitter::None), Class::Permanent, 1, 0), None);
        assert_eq!(wait_before(&retry(Jitter::None), Class::Unknown, 1, 0), None);
    }
}
