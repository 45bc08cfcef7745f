//! The services port, implemented with HTTP/1.1 and HTTP/2.
//!
//! [`HttpServices`] has a client for each service. Whatever a service does, a request ends within
//! the timeout of the service and uses a bounded amount of memory: redirects are not followed,
//! bodies are not decompressed, and the sizes of headers and bodies are limited.

mod client;
mod error;
mod limiter;
mod retry_after;
mod services;

pub use client::ClientError;
pub use services::{HttpServices, ServiceConfig, UnusableService};
