//! The server: its listener, its routes and its middleware.

pub(crate) mod listener;
pub(crate) mod middleware;
