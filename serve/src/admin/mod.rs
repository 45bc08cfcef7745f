//! Operation of a running server: the control socket, the audit log and the health checks.

pub(crate) mod audit;
pub(crate) mod control;
pub(crate) mod health;
