//! Incoming orders, the permits to process them, and the results that a runner reports.

mod acceptance;
pub(crate) mod clock_watch;
mod order;
pub(crate) mod permits;
pub(crate) mod reply;
mod work_result;

pub(crate) use acceptance::Acceptance;
pub use order::{Order, Settings, Work};
pub use reply::OrderReply;
pub use work_result::WorkResult;
