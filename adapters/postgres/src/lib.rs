//! The pipeline's tables on your own PostgreSQL server.

mod address;
mod connect_error;
mod failure;
mod server;
mod tls;

pub use connect_error::ConnectError;
pub use server::Postgres;
