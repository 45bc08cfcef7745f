//! The server: its listener, its routes and its middleware. It may use all other modules.

pub(crate) mod listener;
mod middleware;
mod notify;
mod router;
