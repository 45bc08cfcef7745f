//! Incoming orders, the permits to process them, and the results that a runner reports.

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
