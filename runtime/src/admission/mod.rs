//! What comes in and what is reported: orders, permits to work on them, and results.

mod acceptance;
pub(crate) mod answer;
pub(crate) mod clock_watch;
mod order;
pub(crate) mod permits;
mod settled;

pub(crate) use acceptance::Acceptance;
pub use answer::Answer;
pub use order::{Order, Settings, Work};
pub use settled::Settled;
