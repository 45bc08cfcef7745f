//! The clock and the random numbers of the machine that runs the handler.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use jiff::Timestamp;
use oms_core::effects::{Clock, Io, Random};

/// The system clock, and random numbers from the seeds of hash maps.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only implementation of the port in this crate"
    )]
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
