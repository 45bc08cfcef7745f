//! Tests of the ports on AWS against local servers.

#![cfg_attr(feature = "rdsdata", expect(clippy::unwrap_used, reason = "tests"))]

#[cfg(feature = "rdsdata")]
mod data_api;
