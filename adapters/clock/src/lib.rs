//! The clock and the random numbers of the machine.

mod system_clock;

pub use system_clock::SystemClock;
