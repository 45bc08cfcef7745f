//! Tests of handlers with an emulator of S3, SQS and SES, and with a strict RDS Data API on a real
//! PostgreSQL server.

#![expect(clippy::unwrap_used, reason = "tests")]

mod branch;
mod ended;
mod events;
mod intake;
mod reconcile;
#[cfg(feature = "refresh")]
mod refresh;
mod shop;
