//! The system clock and a source of random numbers.

mod system_clock;

pub use system_clock::SystemClock;
