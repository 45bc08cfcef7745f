//! The tables on a PostgreSQL server that one runs oneself.

mod server;

pub use server::{ConnectError, Postgres};
