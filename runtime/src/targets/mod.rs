//! Where the effects of runs go, and who is notified about runs.

mod listener;
pub(crate) mod mailing;
pub(crate) mod remote;
pub(crate) mod seeds;

pub use listener::Listener;
pub use mailing::Mailing;
pub use remote::Remote;
