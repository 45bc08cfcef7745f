//! Orders over HTTP: accepting them, webhooks, their state, and the OpenAPI document that describes
//! them.

pub(crate) mod accept;
pub(crate) mod openapi;
pub(crate) mod status;
mod wait;
mod webhook;
