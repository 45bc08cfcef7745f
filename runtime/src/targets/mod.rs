//! Where the effects of runs go, and who is notified about runs.

mod listener;
pub(crate) mod mail_delivery;
pub(crate) mod remote;
pub(crate) mod seeds;

pub use listener::Listener;
pub use mail_delivery::MailDelivery;
pub use remote::Remote;
