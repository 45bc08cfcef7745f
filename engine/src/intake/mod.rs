//! The HTTP replies of an intake. They are the same in `oms serve` and on AWS.

mod conflict;
mod reply;

pub use conflict::{Comparison, Conflict};
pub use reply::Reply;
