//! Metrics, traces and the request log.

pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod traces;
