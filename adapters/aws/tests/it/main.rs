//! The ports on AWS against servers of the test's own.

#![cfg_attr(feature = "rdsdata", expect(clippy::unwrap_used, reason = "tests"))]

#[cfg(feature = "rdsdata")]
mod data_api;
