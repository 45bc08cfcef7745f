//! HTTP without knowledge of pipelines: connections, bodies and replies.

pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod connection_limit;
pub(crate) mod hyper_errors;
pub(crate) mod peer;
pub(crate) mod reply;
pub(crate) mod write_timeout;
