//! What an intake answers over HTTP: the same in `oms serve` and on AWS.

mod reply;

pub use reply::Reply;
