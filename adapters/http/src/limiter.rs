//! Limits the concurrent requests to a service, and their rate.

use std::sync::Arc;
use std::time::Duration;

use oms_core::effects::Permit;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep_until};

/// The limits of a service. Callers are served in the order in which they arrive.
pub(crate) struct Limiter {
    concurrent: Arc<Semaphore>,
    rate: Option<Rate>,
}

/// A rate of requests.
struct Rate {
    interval: Duration,
    /// The earliest time of the next request.
    next: Mutex<Instant>,
}

impl Limiter {
    pub(crate) fn new(max_concurrency: u32, per_second: Option<u32>) -> Self {
        let rate = |per_second: u32| Rate {
            interval: Duration::from_secs(1) / per_second.max(1),
            next: Mutex::new(Instant::now()),
        };
        let permits = usize::try_from(max_concurrency).unwrap_or(Semaphore::MAX_PERMITS);
        Self { concurrent: Arc::new(Semaphore::new(permits)), rate: per_second.map(rate) }
    }

    /// Returns a permission for a request. Returns `None` if it is not available now and `wait` is
    /// false, or if the limiter is closed.
    pub(crate) async fn acquire(&self, wait: bool) -> Option<Permit> {
        let concurrent = Arc::clone(&self.concurrent);
        let permit = match wait {
            true => concurrent.acquire_owned().await.ok()?,
            false => concurrent.try_acquire_owned().ok()?,
        };
        if let Some(rate) = &self.rate {
            rate.acquire(wait).await?;
        }
        // The limiter may have been closed while the caller waited for its turn.
        (!self.concurrent.is_closed()).then(|| Box::new(permit) as Permit)
    }

    pub(crate) fn close(&self) {
        self.concurrent.close();
    }
}

impl Rate {
    /// Takes the next turn. Returns `None` if it has not come yet and `wait` is false.
    async fn acquire(&self, wait: bool) -> Option<()> {
        let mut next = match wait {
            true => self.next.lock().await,
            false => self.next.try_lock().ok()?,
        };
        let now = Instant::now();
        if *next > now && !wait {
            return None;
        }
        sleep_until(*next).await;
        *next = (*next).max(now) + self.interval;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_wait_for_a_free_place_and_for_their_turn() {
        let limiter = Limiter::new(2, Some(10));
        let first = limiter.acquire(false).await.unwrap();
        assert!(limiter.acquire(false).await.is_none(), "the rate is exceeded");
        let begun = Instant::now();
        let _second = limiter.acquire(true).await.unwrap();
        assert_eq!(begun.elapsed().as_millis(), 100);
        let third = tokio::time::timeout(Duration::from_secs(5), limiter.acquire(true)).await;
        assert!(third.is_err(), "a third request is concurrent");
        drop(first);
        assert!(limiter.acquire(true).await.is_some());
        limiter.close();
        assert!(limiter.acquire(true).await.is_none());
    }
}
