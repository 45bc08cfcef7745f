//! Test support: a PostgreSQL server of its own, a strict RDS Data API on it, and the contract that every way to the tables keeps.

#![expect(clippy::unwrap_used, reason = "support of tests: what goes wrong here fails the test")]

mod contract;
mod contract_notes;
mod data_api;
mod emulator;
mod named;
mod postgres;
mod tls;
mod value;

pub use contract::{all, world};
pub use data_api::{DataApi, Settings};
pub use emulator::Emulator;
pub use postgres::{PROVES, Server, find};
pub use tls::Tls;
