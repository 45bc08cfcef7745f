//! The system clock and a source of random numbers.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use jiff::Timestamp;
use oms_core::effects::{Clock, Io, Random};

/// The system clock, and random numbers from the random seeds of the standard library's hash maps.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the only implementation of the port")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: Duration) -> Io<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(duration).await;
            Ok(())
        })
    }
}

impl Random for SystemClock {
    fn next(&self) -> u64 {
        RandomState::new().build_hasher().finish()
    }
}
