//! Fuzz targets: functions that accept any bytes and panic only if `oms` breaks a promise.
//!
//! `fuzz/` wraps them for `cargo fuzz`, which needs a nightly compiler. `cargo xtask fuzz` runs
//! them with a simple mutator on stable Rust.

mod expression;
mod http;
mod order;
mod pipeline;
mod targets;
mod template;

pub use targets::{ALL, Target, run};
