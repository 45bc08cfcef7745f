//! What people can do to runs and customers: retry, cancel, prune, erase, search.

pub(crate) mod cancel;
mod customers;
pub(crate) mod forget;
mod prune;
pub(crate) mod retry;

pub use cancel::NotCancelled;
pub use forget::{Candidate, Forgetting, Forgotten, LeftRun};
pub use retry::{Held, NotRetried};
