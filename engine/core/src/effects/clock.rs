//! Time and chance as ports: nothing in the engine reads them in another way.

use std::time::Duration;

use jiff::Timestamp;

use super::ports::Io;

/// The time of day and waiting.
pub trait Clock: Send + Sync {
    /// Returns the present instant.
    fn now(&self) -> Timestamp;

    /// Waits.
    fn sleep(&self, duration: Duration) -> Io<'_, ()>;
}

/// Chance, for the jitter of retries only.
pub trait Random: Send + Sync {
    /// Returns the next number, evenly spread over all of `u64`.
    fn next(&self) -> u64;
}
