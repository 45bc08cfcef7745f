//! Orders over HTTP. The server runs the intake of each pipeline on the embedded engine and answers
//! when the order is on disk.
//!
//! [`Site`] holds the pipelines that are served, and [`listen`] serves the connections. This crate
//! reads neither pipeline files nor command-line arguments.

#![warn(missing_docs)]

mod admin;
mod console;
mod format;
mod http;
mod intake;
mod server;
mod state;
mod telemetry;

pub use console::assets::PALETTE;
pub use http::origin::names_this_machine;
pub use http::tls::{Tls, TlsError};
pub use server::listener::{Routes, bind, listen};
pub use state::error::{ServeError, StartError};
pub use state::flow::Opened;
pub use state::site::Site;
pub use state::source::{Finding, InspectedFile, Inspection, InvalidPipeline, Reloaded, Source};
pub use telemetry::traces::{Sender, Traces, TracesError};
