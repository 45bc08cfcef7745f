//! Metrics, traces and the access log.

pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod metrics_format;
pub(crate) mod traces;
