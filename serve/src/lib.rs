//! Orders over HTTP. The server runs the intake of each pipeline on the embedded engine and answers when the order is on disk.
//!
//! [`Site`] holds the pipelines that are served, and [`listen`] serves the connections. This crate reads neither pipeline files nor command-line arguments.

#![warn(missing_docs)]

mod admin;
mod console;
mod http;
mod intake;
mod server;
mod state;
mod telemetry;

pub use http::auth::is_this_machine;
pub use server::listener::{Tls, TlsError, bind, listen};
pub use state::flow::{Finding, Looked, LookedFile, Opened, Renewed, ServeError, Source};
pub use state::site::{Site, StartError};
pub use telemetry::traces::{Sender, Traces, TracesError};
