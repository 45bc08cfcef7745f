//! The HTTP replies of an intake, which are the same in `oms serve` and on AWS, and the signatures
//! of webhooks.

mod conflict;
mod reply;
mod signature;

pub use conflict::{Accepted, Comparison, Conflict};
pub use reply::Reply;
pub use signature::{HeaderLookup, InvalidSecret, SignatureVerifier};
