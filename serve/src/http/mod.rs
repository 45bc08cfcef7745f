//! HTTP without pipelines: connections, bodies, replies, and the origin of a request.

pub(crate) mod body;
pub(crate) mod connection_limit;
pub(crate) mod hyper_errors;
pub(crate) mod origin;
pub(crate) mod peer;
pub(crate) mod reply;
pub(crate) mod tls;
pub(crate) mod write_timeout;
