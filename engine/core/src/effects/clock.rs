//! Ports for time and randomness. The engine reads them only through these traits.

use std::time::Duration;

use jiff::Timestamp;

use super::ports::Io;

/// The time of day and waiting.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Waits for a duration.
    fn sleep(&self, duration: Duration) -> Io<'_, ()>;
}

/// Random numbers for the jitter of retries and the ids of attempts to send an e-mail.
pub trait Random: Send + Sync {
    /// Returns the next number, uniformly distributed over `u64`.
    fn next(&self) -> u64;
}
