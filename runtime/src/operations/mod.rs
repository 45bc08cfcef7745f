//! Operations on runs and customers that people request.

pub(crate) mod cancel;
mod customers;
pub(crate) mod forget;
mod prune;
pub(crate) mod retry;

pub use cancel::NotCancelled;
pub use forget::{Candidate, Forgetting, Forgotten, LeftRun};
pub use retry::{Held, NotRetried};
