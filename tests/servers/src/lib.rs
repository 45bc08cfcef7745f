//! Test support: a private PostgreSQL server, a strict RDS Data API on it, TLS in front of a
//! server, the AWS emulator, a scripted HTTP service, and the contract of every connection to the tables.

#![expect(clippy::unwrap_used, reason = "test support: every failure here fails the test")]

mod contract;
mod contract_notes;
mod contract_operator;
mod contract_update;
mod data_api;
mod emulator;
mod http_service;
mod placeholders;
mod postgres;
mod tls;
mod value;

pub use contract::{all, world};
pub use data_api::{DataApi, Settings};
pub use emulator::Emulator;
pub use http_service::{HttpService, Received, Reply};
pub use postgres::{PASSWORD_ROLE, Server, TLS_ROLE, find};
pub use tls::Tls;
