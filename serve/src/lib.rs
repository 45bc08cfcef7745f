//! Orders over HTTP: each pipeline's intake on the embedded engine, answered when the order is on disk.
//!
//! [`Site`] holds the pipelines that are served, [`listen`] the connections; nothing here reads a file of a pipeline or an argument.

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
mod notify;
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
pub use flow::{Finding, Looked, LookedFile, Opened, Renewed, ServeError, Source};
pub use listen::{Tls, TlsError, bind, listen};
pub use site::{Site, StartError};
pub use traces::{Sender, Traces, TracesError};
