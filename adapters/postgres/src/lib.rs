//! The pipeline's tables on your own PostgreSQL server.

mod server;

pub use server::{ConnectError, Postgres};
