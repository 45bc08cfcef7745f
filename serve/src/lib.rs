//! Orders over HTTP. The server runs the intake of each pipeline on the embedded engine and answers when the order is on disk.
//!
//! [`Site`] holds the pipelines that are served, and [`listen`] serves the connections. This crate reads neither pipeline files nor command-line arguments.

#![warn(missing_docs)]

mod audit;
mod auth;
mod bare;
mod body;
mod bulk;
mod console;
mod flow;
mod indexing;
mod intake;
mod listen;
mod log;
mod metrics;
mod observe;
mod openapi;
mod operate;
mod patient;
mod peer;
mod recent;
mod reply;
mod room;
mod site;
mod status;
mod traces;
mod wait;

pub use auth::is_this_machine;
pub use console::PALETTE;
pub use flow::{Finding, InvalidPipeline, Looked, LookedFile, Opened, Renewed, ServeError, Source};
pub use listen::{Tls, TlsError, bind, listen};
pub use site::{Site, StartError};
pub use traces::{Sender, Traces, TracesError};
