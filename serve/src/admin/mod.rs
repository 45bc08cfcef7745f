//! Operation of a running server: the control socket for the command line, the metrics and the
//! health checks.

mod audit;
pub(crate) mod control;
pub(crate) mod health;
pub(crate) mod metrics;
mod requests;
